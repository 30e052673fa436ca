//! Why something was or was not found: every place where a detector saw its form, and what became
//! of it. It finds nothing by itself.

use super::{DetectorId, Engine, Hit, Reasons, TableOf};
use crate::model::Confidence;

/// What became of a place where a detector saw its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is reported.
    Found(Confidence),
    /// Check digits, ranges or structure do not fit.
    CheckFails,
    /// Its key says that it is something else.
    NamedOtherwise,
    /// Too weak by itself, and nothing around it names it.
    NeedsContext,
    /// Too little evidence.
    TooLittle,
    /// Another detector, or another reading of it, has more evidence for the same bytes.
    Outdone,
}

impl Outcome {
    /// The outcome in words.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Found(_) => "found",
            Outcome::CheckFails => "check digits, ranges or structure do not fit",
            Outcome::NamedOtherwise => "its key says that it is something else",
            Outcome::NeedsContext => "too weak by itself, and nothing around it names it",
            Outcome::TooLittle => "too little evidence",
            Outcome::Outdone => "there is more evidence for something else in the same bytes",
        }
    }
}

/// A place where a detector saw its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// Which detector.
    pub detector: DetectorId,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
    /// Evidence in decibans, as far as it was weighed.
    pub score_db: i16,
    /// What speaks for and against it.
    pub reasons: Reasons,
    /// What became of it.
    pub outcome: Outcome,
}

impl Engine {
    /// Every place in `text` where a detector saw its form, in order.
    pub fn explain(&self, text: &[u8]) -> Vec<Explained> {
        let (mut hits, mut seen) = (Vec::new(), Vec::new());
        let table = TableOf { table: &self.table(text), goes_on: false };
        self.pass(text, table, &mut hits, Some(&mut seen), None);
        let stands = |seen: &Explained| {
            let same = |hit: &Hit| {
                (hit.detector, hit.start, hit.end) == (seen.detector, seen.start, seen.end)
            };
            hits.iter().any(same)
        };
        for seen in &mut seen {
            if matches!(seen.outcome, Outcome::Found(_)) && !stands(seen) {
                seen.outcome = Outcome::Outdone;
            }
        }
        seen.sort_by_key(|seen| (seen.start, seen.detector));
        seen.dedup();
        seen
    }
}
