//! Weighs what speaks for and against a value, in decibans: ten for each factor of ten by which it
//! is more likely to be what it looks like. It looks at nothing itself.

use crate::model::Confidence;

/// The least evidence with which a value is reported at all.
pub(super) const LOW_DB: i16 = 14;
/// Evidence of medium confidence.
pub(super) const MEDIUM_DB: i16 = 25;
/// Evidence of high confidence.
pub(super) const HIGH_DB: i16 = 38;
/// What the key, the column or the path is worth that names the entity.
pub(super) const KEY_DB: i16 = 30;
/// What a word near by is worth that names the entity.
pub(super) const NEAR_DB: i16 = 25;
/// What it is worth that the field, which has no name, has held such values before.
pub(super) const FIELD_DB: i16 = 25;
/// What it is worth that the text holds nothing else.
pub(super) const ALONE_DB: i16 = 14;
/// What a key costs under which machines store numbers that name a thing.
pub(super) const DOUBT_DB: i16 = 10;
/// What it costs to be joined to a word (`order-4111…`) where no context names the entity.
pub(super) const JOINED_DB: i16 = 10;

/// What spoke for and against a value, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons(u16);

impl Reasons {
    /// Check digits, ranges or structure fit.
    pub const CHECKED: Reasons = Reasons(1);
    /// Written in a form that is distinctive.
    pub const FORM: Reasons = Reasons(1 << 1);
    /// The key that it is stored under names it.
    pub const KEY: Reasons = Reasons(1 << 2);
    /// A key further up the path names it.
    pub const PATH: Reasons = Reasons(1 << 3);
    /// The column that it stands in names it.
    pub const COLUMN: Reasons = Reasons(1 << 4);
    /// A word near by names it.
    pub const NEAR: Reasons = Reasons(1 << 5);
    /// The text holds nothing else.
    pub const ALONE: Reasons = Reasons(1 << 6);
    /// The key names a thing or a count.
    pub const DOUBT: Reasons = Reasons(1 << 7);
    /// Joined to what is next to it.
    pub const JOINED: Reasons = Reasons(1 << 8);
    /// Grouped in an unusual way, or within a row of such groups.
    pub const ODD: Reasons = Reasons(1 << 9);
    /// A published test value.
    pub const TEST: Reasons = Reasons(1 << 10);
    /// Touches an end of the bytes, and may go on beyond it.
    pub const PARTIAL: Reasons = Reasons(1 << 11);
    /// Another detector claims the same bytes.
    pub const CLAIMED: Reasons = Reasons(1 << 12);

    /// The field that it stands in, which has a number and no name, has held such values before.
    pub const FIELD: Reasons = Reasons(1 << 13);

    const WORDS: [(Reasons, &'static str); 14] = [
        (Reasons::CHECKED, "check digits, ranges or structure fit"),
        (Reasons::FORM, "written in its usual form"),
        (Reasons::KEY, "its key names it"),
        (Reasons::PATH, "a key above it names it"),
        (Reasons::COLUMN, "its column names it"),
        (Reasons::NEAR, "a word near by names it"),
        (Reasons::FIELD, "its field has held such values before"),
        (Reasons::ALONE, "stands alone"),
        (Reasons::DOUBT, "its key names a thing or a count"),
        (Reasons::JOINED, "joined to what is next to it"),
        (Reasons::ODD, "grouped in an unusual way"),
        (Reasons::TEST, "a published test value"),
        (Reasons::PARTIAL, "may be cut"),
        (Reasons::CLAIMED, "may be something else too"),
    ];

    /// Both sets of reasons.
    #[must_use]
    pub const fn and(self, other: Reasons) -> Reasons {
        Reasons(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Reasons) -> bool {
        self.0 & other.0 == other.0
    }

    /// The reasons in words, those that speak for it first.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        Reasons::WORDS.iter().filter(move |(reason, _)| self.has(*reason)).map(|(_, words)| *words)
    }
}

/// A value as a detector sees it, before the context is weighed.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// What check and form are worth, in decibans.
    pub worth_db: i16,
    /// Whether it is only reported where the context names it, or it stands alone.
    pub needs_context: bool,
    /// Whether the detector has judged what is next to it: dashes and dots do not count against it.
    pub own_bounds: bool,
    /// Whether it is one of the published test values of its kind.
    pub test_data: bool,
    /// Whether the key that it was found under names it.
    pub under_key: bool,
    /// The highest confidence that it may have, whatever the context says.
    pub at_most: Confidence,
    /// What speaks for and against it so far.
    pub reasons: Reasons,
}

impl Candidate {
    /// The bytes from `start` to `end`, worth so much.
    pub fn new(start: usize, end: usize, worth_db: i16) -> Candidate {
        Candidate {
            start,
            end,
            worth_db,
            needs_context: false,
            own_bounds: false,
            test_data: false,
            under_key: false,
            at_most: Confidence::High,
            reasons: Reasons::default(),
        }
    }

    /// Found under a key that names it.
    #[must_use]
    pub fn under_its_key(mut self) -> Candidate {
        self.under_key = true;
        self
    }

    /// With a reason more.
    #[must_use]
    pub fn because(mut self, reason: Reasons) -> Candidate {
        self.reasons = self.reasons.and(reason);
        self
    }
}

/// The confidence of so much evidence; `None` where it is too little to report.
pub(super) fn confidence(score_db: i16) -> Option<Confidence> {
    match score_db {
        HIGH_DB.. => Some(Confidence::High),
        MEDIUM_DB.. => Some(Confidence::Medium),
        LOW_DB.. => Some(Confidence::Low),
        _ => None,
    }
}
