//! What the engine knows of an entity: one row of data, and the functions that only this entity
//! has. Rows stand in [`super::table`]; how they are looked for is the engine's.

use super::evidence::Candidate;
use super::probe::Probe;
use super::text::Run;
use crate::model::{Tag, Tags};

/// How much evidence a value carries by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A check that at most one random string in a hundred passes, or a check character in a
    /// distinctive shape: reported without context.
    Strong,
    /// A weak check, or none and a plain shape: reported where the context names it.
    Weak,
    /// A shape that is distinctive by itself, without a check.
    Structured,
}

impl Tier {
    /// The word in output.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Strong => "strong",
            Tier::Weak => "weak",
            Tier::Structured => "structured",
        }
    }
}

/// The terms that speak for and against an entity, all in lower case, in the languages of its
/// country. A term of several words (`social security`) has one space between them; it is also
/// found written together.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Speak for it as the key, column or path that a value is stored under.
    pub key: &'static [&'static str],
    /// Speak for it as a key or anywhere near.
    pub near: &'static [&'static str],
    /// As the last word of a key, say that the value is something else.
    pub hostile: &'static [&'static str],
    /// As a word of a key, make it less likely.
    pub doubtful: &'static [&'static str],
}

/// A written form of a value, see [`super::forms`].
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// The pattern.
    pub pattern: &'static str,
    /// What the form alone is worth as evidence, in decibans.
    pub worth_db: Option<i16>,
    /// Whether a value written so is only reported where the context names it, or it stands alone.
    pub needs_context: bool,
}

/// A form whose worth follows from its letters and separators.
pub const fn form(pattern: &'static str) -> Form {
    Form { pattern, worth_db: None, needs_context: false }
}

/// A form that many things have: reported where the context names it, or it stands alone.
pub const fn bare(pattern: &'static str) -> Form {
    Form { pattern, worth_db: None, needs_context: true }
}

/// A form that is worth more or less than its letters and separators say.
pub const fn form_of(pattern: &'static str, worth_db: i16) -> Form {
    Form { pattern, worth_db: Some(worth_db), needs_context: false }
}

/// A value that stands under a key, without its quotes.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// Judges the text at an anchor. `None` where nothing of the kind stands there.
pub type FindAt = fn(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate>;

/// Judges a value whose ends are known. `None` where it is nothing of the kind.
pub type FindField = fn(probe: &mut Probe<'_>, field: Field) -> Option<Candidate>;

/// How a value begins whose first byte is a digit.
#[derive(Debug, Clone, Copy)]
pub struct Begins {
    /// Least digits in its first 32 bytes.
    pub digits: u32,
    /// Least and most digits of its first group.
    pub group: (usize, usize),
    /// What may follow that group: any byte where there is none.
    pub next: &'static [u8],
    /// Whether digits must stand behind what follows.
    pub goes_on: bool,
}

/// First bytes of what stands between the groups of a number.
pub const SEPARATORS: &[u8] = b" -.+\xC2\xE2";

/// One group of so many digits, whatever follows it.
pub const fn whole(min: usize, max: usize) -> Begins {
    Begins { digits: min as u32, group: (min, max), next: &[], goes_on: false }
}

/// A group of so many digits, and more behind a separator: at least so many in 32 bytes.
pub const fn parted(digits: u32, min: usize, max: usize) -> Begins {
    Begins { digits, group: (min, max), next: SEPARATORS, goes_on: true }
}

/// A group of so many digits, and one of these bytes behind it.
pub const fn before(digits: u32, min: usize, max: usize, next: &'static [u8]) -> Begins {
    Begins { digits, group: (min, max), next, goes_on: false }
}

/// Where and how the engine looks for values.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// In one of these written forms. The value without separators, letters in upper case, must
    /// pass [`Detector::valid`].
    Forms(&'static [Form]),
    /// As a whole word of so many letters and digits, at least one of each, in upper case to
    /// [`Detector::valid`].
    Token {
        /// Characters of the shortest.
        min: usize,
        /// Characters of the longest.
        max: usize,
        /// Whether letters may be in lower case.
        any_case: bool,
    },
    /// As a whole word of so many letters and digits, at least one of each.
    Word {
        /// Characters of the shortest.
        min: usize,
        /// Characters of the longest.
        max: usize,
        /// Judges the word.
        find: FindField,
    },
    /// At the first digit of a group that may begin one.
    Digits(Begins, FindAt),
    /// At the first digit after exactly so many letters.
    AfterLetters(usize, FindAt),
    /// At a mark: `+`, or one of `:` to `@`.
    Mark(u8, FindAt),
    /// At a byte of punctuation that is everywhere: for what is only looked for by name.
    Joint(u8, FindAt),
    /// At one of these strings, by its place of the first byte.
    Literal(&'static [&'static str], FindAt),
    /// As the value under a key that ends with one of the words. The first of them may stand in the
    /// key above it.
    Key(FindField),
    /// In each of these ways.
    Any(&'static [Find]),
}

impl Find {
    /// Whether the key alone says what a value is.
    pub fn is_keyed(&self) -> bool {
        match self {
            Find::Key(_) => true,
            Find::Any(ways) => ways.iter().any(Find::is_keyed),
            _ => false,
        }
    }
}

/// What the engine knows of an entity.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    /// Name of the entity: Microsoft Presidio's where it has one.
    pub entity: &'static str,
    /// What it is, in words.
    pub title: &'static str,
    /// How much evidence a value carries by itself.
    pub tier: Tier,
    /// Regulations that it falls under.
    pub tags: &'static [Tag],
    /// What defines format, ranges and check digits.
    pub standard: &'static str,
    /// Chance that a random string of its shape passes [`Detector::valid`], measured over a hundred
    /// thousand of them; 1 where there is no check.
    pub chance: f64,
    /// A made-up value in a text in which it is found with high confidence.
    pub example: &'static str,
    /// Words that speak for and against it.
    pub words: Words,
    /// Where and how the engine looks for it.
    pub find: Find,
    /// Ways to look beside [`Detector::find`] that find what the entity's shape in the kernel's
    /// prefilter does not have: live, only where the policy makes the prefilter wider anyway.
    pub wide: Option<Find>,
    /// Whether a value without separators, letters in upper case, may have been issued. `None`
    /// where the standard has no check and no ranges.
    pub valid: Option<fn(compact: &[u8]) -> bool>,
    /// Whether a value that is not valid is set so much like one that it is reported with low
    /// confidence where the context names it: with check digits that are made up or mistyped, or
    /// given under other rules. `None` where only valid values count.
    pub plausible: Option<fn(compact: &[u8]) -> bool>,
    /// Published test values, without separators.
    pub test_values: &'static [&'static str],
    /// What may be shown of a value.
    pub mask: fn(value: &[u8]) -> String,
    /// Hands on the bytes that are the same however the value is written.
    pub plain: fn(value: &[u8], out: &mut dyn FnMut(u8)),
    /// Whether it is only looked for where it is asked for by name: too common to be of interest
    /// everywhere.
    pub only_by_name: bool,
}

impl Detector {
    /// A row to begin from: nothing is known but its name.
    pub const fn new(entity: &'static str, title: &'static str) -> Detector {
        Detector {
            entity,
            title,
            tier: Tier::Weak,
            tags: &[],
            standard: "",
            chance: 1.0,
            example: "",
            words: Words { key: &[], near: &[], hostile: &[], doubtful: &[] },
            find: Find::Forms(&[]),
            wide: None,
            valid: None,
            plausible: None,
            test_values: &[],
            mask: super::mask::last_four,
            plain: super::mask::compact,
            only_by_name: false,
        }
    }

    /// The regulations as a set.
    pub const fn tag_set(&self) -> Tags {
        Tags::of(self.tags)
    }

    /// The chance in decibans: 10 log10 of how many random strings there are for one that passes.
    pub fn chance_db(&self) -> i16 {
        // At most 60: a check of six digits.
        (-10.0 * self.chance.max(1e-6).log10()).round() as i16
    }
}
