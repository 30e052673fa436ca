//! The kernel's prefilter as user space sees it: the table that the programs get, and the same scan
//! over the same bytes for tests and recordings. What its shapes say is a promise to the detectors:
//! whatever they find, plain or in an encoding that the decoders undo, has one of them in the bytes
//! that were sent, or the bytes are opaque.
//!
//! It does not find anything: it only tells what cannot hold a finding.

mod automaton;
mod shapes;
#[cfg(test)]
mod tests;

use monitor_ebpf::{
    TABLE_ENTRIES, TAIL_BYTES,
    encoded::{ENCODED_WORDS, encoded, has_letters, is_asked},
    prefilter::{
        BASE, FILL, FILL_WORD, LOOK_BACK_WORDS, TABLE_ALL, TABLE_LONG, TABLE_WIDE, Table, Wake,
        dense, digits, run_is_long, stirs, strange, wakes,
    },
};
use thiserror::Error;

use crate::limits::{OPAQUE_FLOW_BYTES_PER_S, OPAQUE_HOST_BYTES_PER_S};
use automaton::Automaton;
pub use shapes::{Needs, Shape, shape_of};

/// Why the automaton could not be built.
#[derive(Debug, Error)]
pub enum PrefilterError {
    /// The pattern does not compile.
    #[error("prefilter pattern: {0}")]
    Pattern(String),
    /// More states than the kernel's table holds.
    #[error("prefilter needs {needed} table entries, limit is {TABLE_ENTRIES}")]
    TooLarge {
        /// States times classes.
        needed: usize,
    },
}

/// Bytes of opaque content that the kernel hands over within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpaqueBudget {
    /// Of one flow.
    pub flow_bytes_per_s: u32,
    /// Of all flows together.
    pub host_bytes_per_s: u32,
}

impl Default for OpaqueBudget {
    fn default() -> OpaqueBudget {
        OpaqueBudget {
            flow_bytes_per_s: OPAQUE_FLOW_BYTES_PER_S,
            host_bytes_per_s: OPAQUE_HOST_BYTES_PER_S,
        }
    }
}

/// The table of the kernel's scan.
pub struct Prefilter {
    automaton: Automaton,
    flags: u16,
    budget: OpaqueBudget,
    /// Why it is wider than was asked for.
    fallback: Option<PrefilterError>,
}

/// What a scan says of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It cannot hold a finding.
    Clear,
    /// It has a shape of one.
    Hit,
    /// It has none, and holds something encoded.
    Encoded,
    /// It is no text. It was not scanned to its end.
    Opaque,
}

impl Prefilter {
    /// Builds the automaton for what a policy needs. One that does not fit, which only happens where
    /// the shapes are no longer those that this was built with, becomes one that lets everything
    /// through: ask [`Prefilter::fallback`].
    pub fn new(needs: &Needs, budget: OpaqueBudget) -> Result<Prefilter, PrefilterError> {
        let mut flags = 0;
        if needs.is_wide() {
            flags |= TABLE_WIDE;
        }
        if needs.counts_long_tokens() {
            flags |= TABLE_LONG;
        }
        if !needs.is_all() {
            match automaton::build(needs) {
                Ok(automaton) => {
                    return Ok(Prefilter { automaton, flags, budget, fallback: None });
                }
                Err(error @ PrefilterError::Pattern(_)) => return Err(error),
                Err(error) => return Prefilter::all(budget, Some(error)),
            }
        }
        Prefilter::all(budget, None)
    }

    fn all(
        budget: OpaqueBudget,
        fallback: Option<PrefilterError>,
    ) -> Result<Prefilter, PrefilterError> {
        let automaton = automaton::build(&Needs::default())?;
        Ok(Prefilter { automaton, flags: TABLE_ALL, budget, fallback })
    }

    /// Why everything is let through although less was asked for.
    pub fn fallback(&self) -> Option<&PrefilterError> {
        self.fallback.as_ref()
    }

    /// The map's value, byte for byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Automaton { class, next, hit, opaque, end_class, .. } = &self.automaton;
        let mut bytes = Vec::with_capacity(size_of::<Table>());
        bytes.extend(class);
        for entry in next.iter().chain(&[*hit, *opaque, *end_class, self.flags]) {
            bytes.extend(entry.to_ne_bytes());
        }
        for most in [self.budget.flow_bytes_per_s, self.budget.host_bytes_per_s] {
            bytes.extend(most.to_ne_bytes());
        }
        bytes
    }

    /// States, those that say hit and opaque included.
    pub fn states(&self) -> usize {
        self.automaton.states
    }

    fn next(&self, state: u16, class: u16) -> u16 {
        self.automaton.next[usize::from(state.wrapping_add(class))]
    }

    fn advance(&self, state: u16, bytes: &[u8]) -> u16 {
        let class = |byte: &u8| u16::from(self.automaton.class[usize::from(*byte)]);
        bytes.iter().fold(state, |state, byte| self.next(state, class(byte)))
    }

    /// The scan of one text as the kernel does it: behind `before`, which was scanned to `state`.
    /// Gives what it says of the text, and the state behind it.
    pub fn scan(&self, state: u16, before: &[u8], text: &[u8]) -> (Verdict, u16) {
        if self.flags & TABLE_ALL != 0 {
            return (Verdict::Hit, state);
        }
        let mut tail = [FILL; TAIL_BYTES];
        let kept = before.len().min(TAIL_BYTES);
        tail[TAIL_BYTES - kept..].copy_from_slice(&before[before.len() - kept..]);
        let words = Words([&tail[..], text].concat());
        let mut scan = Scan { words: &words, state, quiet: LOOK_BACK_WORDS, encoded: false };
        if dense(words.at(TAIL_BYTES - 8)) {
            scan.encoded = words.encoded(TAIL_BYTES - 8, self.flags & TABLE_LONG != 0);
        }
        let Automaton { hit, opaque, end_class, .. } = self.automaton;
        let mut at = TAIL_BYTES;
        while at < words.0.len() {
            self.step(&mut scan, at);
            if scan.state == opaque {
                return (Verdict::Opaque, BASE);
            }
            if scan.state == hit {
                return (Verdict::Hit, BASE);
            }
            at += 8;
        }
        let verdict = match self.next(scan.state, end_class) {
            end if end == hit => Verdict::Hit,
            _ if scan.encoded => Verdict::Encoded,
            _ => Verdict::Clear,
        };
        (verdict, scan.state)
    }

    /// Looks at one word.
    fn step(&self, scan: &mut Scan<'_>, at: usize) {
        let words = scan.words;
        let (word, end) = (words.at(at), words.0.len().min(at + 8));
        let whole = end == at + 8;
        let before = at.checked_sub(8).map_or(FILL_WORD, |before| words.at(before));
        let long = self.flags & TABLE_LONG != 0;
        let stretch = whole
            && is_asked((at / 8) as u32, long)
            && dense(word)
            && (long || dense(before) || dense(words.at(at + 8)));
        scan.encoded |= strange(word) || (stretch && words.encoded(at, long));
        if scan.state == BASE {
            let back = match self.wake(words, at, word, whole) {
                Wake::No => {
                    scan.quiet = (scan.quiet + 1).min(LOOK_BACK_WORDS);
                    return;
                }
                Wake::Digits => {
                    let has_digits = |back: &usize| digits(words.at(at - 8 * back)) != 0;
                    (1..=scan.quiet).take_while(has_digits).count()
                }
                Wake::All => scan.quiet,
            };
            scan.state = self.advance(scan.state, &words.0[at - 8 * back..at]);
        }
        scan.state = self.advance(scan.state, &words.0[at..end]);
        scan.quiet = 0;
    }

    /// What a word asks for while the automaton rests.
    fn wake(&self, words: &Words, at: usize, word: u64, whole: bool) -> Wake {
        let wide = self.flags & TABLE_WIDE != 0;
        if !stirs(word) {
            // Of narrow shapes none begins in a word without digits and marks.
            return if self.flags & TABLE_LONG != 0 && whole && dense(word) {
                Wake::All
            } else {
                Wake::No
            };
        }
        // What follows in the next send may go on with any digit.
        if wide || at + 16 > words.0.len() {
            return Wake::All;
        }
        let near = |bytes: isize| words.at(at.saturating_add_signed(bytes));
        match wakes(near(-8), word, near(8)) {
            Wake::Digits if !run_is_long([-8, 0, 8, 16].map(near)) => Wake::No,
            wake => wake,
        }
    }

    /// Whether a text alone may hold a finding.
    pub fn passes(&self, text: &[u8]) -> bool {
        self.scan(BASE, &[], text).0 != Verdict::Clear
    }
}

/// Tail and text.
struct Words(Vec<u8>);

impl Words {
    /// The word at a byte, filled up from the end on.
    fn at(&self, at: usize) -> u64 {
        let bytes = self.0.get(at..self.0.len().min(at + 8)).unwrap_or_default();
        let mut padded = FILL_WORD.to_ne_bytes();
        padded[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(padded)
    }

    /// Whether the words around the one at a byte are encoded.
    fn encoded(&self, at: usize, long: bool) -> bool {
        // Before the first word there is none.
        let place = |index: usize| (at + 8 * index).checked_sub(8 * (ENCODED_WORDS / 2));
        let word = |index: usize| place(index).map_or(FILL_WORD, |place| self.at(place));
        let words = std::array::from_fn(word);
        has_letters(words, long) && encoded(words, long)
    }
}

/// Where a scan stands.
struct Scan<'w> {
    words: &'w Words,
    state: u16,
    quiet: usize,
    encoded: bool,
}
