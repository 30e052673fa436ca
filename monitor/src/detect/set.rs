//! A set of detectors, as bits.

use super::table::COUNT;
use crate::limits::CUSTOM_DETECTORS_MAX;

const WORDS: usize = 4;
const _: () = assert!(COUNT + CUSTOM_DETECTORS_MAX <= 64 * WORDS, "more detectors than bits");

/// A set of detectors: the built-in ones, and behind them those of the policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Set([u64; WORDS]);

impl Set {
    /// No detector.
    pub const NONE: Set = Set([0; WORDS]);

    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    pub fn union(&mut self, other: &Set) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    pub fn remove(&mut self, other: &Set) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= !other;
        }
    }

    pub fn keep(&mut self, other: &Set) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
    }
}
