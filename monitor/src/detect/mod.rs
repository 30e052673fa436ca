//! Finds personal data in decoded text: where it stands, how sure that is, and what may be shown of
//! it. Text comes as bytes, may be cut at both ends and may hold binary.
//!
//! It decodes nothing, knows no policy beyond which entities are on, keeps nothing between texts,
//! and never copies a value.
//!
//! One pass looks for *anchors*, the bytes at which a value can be recognised: the first digit of a
//! run, `@` and `+`. At each anchor the detectors that begin there look left and right, and judge
//! by what the entity's standard says (range, length, check digits), by how the value is bounded,
//! and by the key and the words around it. A detector is a file of its own and a row of
//! [`detector`]; its context words are in `words.rs`.
//!
//! # What every hit contains
//!
//! The kernel lets a send pass unseen where no hit can be, so every hit has one of these shapes in
//! the text around it, where a separator `s` is one byte of `[ -.+]`, U+00A0, or one of U+2000 to
//! U+203F in UTF-8:
//!
//! - card: 13 digits with at most one `s` between neighbours;
//! - social security number: `ddd s dd s dddd`, or exactly nine digits in a row;
//! - e-mail address: `@`;
//! - telephone number: `+`, at most one `(`, `[1-9]`, six bytes of `[0-9() .-]`;
//! - IBAN: `[A-Z][A-Z][0-9][0-9]`, six bytes of `[A-Z0-9 .-]`.
//!
//! A detector that finds more than its shape makes the kernel blind to it: change both.

mod card;
mod context;
mod email;
mod fingerprint;
mod iban;
mod mask;
mod phone;
mod ssn;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use fingerprint::{KEY_BYTES, Key};
pub use mask::{mask, redact};

use crate::limits::HITS_PER_SAMPLE_MAX;
use crate::model::{Confidence, Entity};
use text::Run;

/// A value in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// What.
    pub entity: Entity,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it touches an end of the text, and so may go on beyond it.
    pub partial: bool,
    /// Whether it is one of the published test values of its kind.
    pub test_data: bool,
    /// The span of the key, column or field name that it is stored under, where there is one right
    /// before it. It may name nothing of interest.
    pub key: Option<(usize, usize)>,
}

impl Hit {
    fn at(text: &[u8], entity: Entity, start: usize, end: usize, confidence: Confidence) -> Hit {
        let partial = start == 0 || end == text.len();
        Hit { entity, start, end, confidence, partial, test_data: false, key: None }
    }

    /// What decides between hits that share bytes: the surer one, then the longer one.
    fn rank(&self) -> (Confidence, usize) {
        (self.confidence, self.end.saturating_sub(self.start))
    }
}

/// Where a detector starts to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    /// At the first digit of a group of digits.
    Digit,
    /// At `@`.
    At,
    /// At `+`.
    Plus,
}

/// What the engine knows of an entity.
struct Detector {
    anchor: Anchor,
    /// Judges the text at an anchor. The run of digits that begins there is empty unless the anchor
    /// is [`Anchor::Digit`].
    find: fn(text: &[u8], at: usize, run: &Run) -> Option<Hit>,
    /// What may be shown of a value.
    mask: fn(value: &[u8]) -> String,
    /// Hands on the bytes that are the same however the value is written.
    plain: fn(value: &[u8], out: &mut dyn FnMut(u8)),
}

/// The detector of each entity.
fn detector(entity: Entity) -> &'static Detector {
    match entity {
        Entity::CreditCard => &card::DETECTOR,
        Entity::EmailAddress => &email::DETECTOR,
        Entity::IbanCode => &iban::DETECTOR,
        Entity::PhoneNumber => &phone::DETECTOR,
        Entity::UsSsn => &ssn::DETECTOR,
    }
}

/// The detectors that are on. Built once per policy, shared by any number of threads.
pub struct Engine {
    digit: Vec<&'static Detector>,
    at: Vec<&'static Detector>,
    plus: Vec<&'static Detector>,
    /// Whether a byte is an anchor of one of them.
    is_anchor: [bool; 256],
}

impl Engine {
    /// An engine that finds `entities` and no other.
    pub fn new(entities: &[Entity]) -> Engine {
        let on = |anchor: Anchor| -> Vec<&'static Detector> {
            let all = Entity::ALL.iter().filter(|entity| entities.contains(entity));
            all.map(|entity| detector(*entity)).filter(|row| row.anchor == anchor).collect()
        };
        let (digit, at, plus) = (on(Anchor::Digit), on(Anchor::At), on(Anchor::Plus));
        if entities.contains(&Entity::PhoneNumber) {
            phone::load();
        }
        let is_anchor = std::array::from_fn(|byte| match u8::try_from(byte) {
            Ok(b'0'..=b'9') => !digit.is_empty(),
            Ok(b'@') => !at.is_empty(),
            Ok(b'+') => !plus.is_empty(),
            _ => false,
        });
        Engine { digit, at, plus, is_anchor }
    }

    /// Appends the hits in `text` in order of their start, no two of them sharing a byte. Returns
    /// how many candidates were left out because there were more than [`HITS_PER_SAMPLE_MAX`].
    pub fn find(&self, text: &[u8], hits: &mut Vec<Hit>) -> usize {
        let first = hits.len();
        let mut cut = 0;
        let mut run = Run::default();
        let mut at = 0;
        while let Some(anchor) = self.next_anchor(text, at) {
            let detectors = match text::byte(text, anchor) {
                b'@' => &self.at,
                b'+' => &self.plus,
                _ => &self.digit,
            };
            run.clear();
            at = anchor + 1;
            if text::byte(text, anchor).is_ascii_digit() {
                run.read(text, anchor);
                at = run.groups().first().map_or(at, |group| group.end);
            }
            for hit in detectors.iter().filter_map(|row| (row.find)(text, anchor, &run)) {
                if hits.len() - first < HITS_PER_SAMPLE_MAX {
                    hits.push(hit);
                } else {
                    cut += 1;
                }
            }
        }
        settle(hits, first);
        cut
    }

    fn next_anchor(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        rest.iter().position(|b| self.is_anchor[usize::from(*b)]).map(|offset| from + offset)
    }
}

/// Orders the hits from `first` on, and of those that share bytes keeps the best.
fn settle(hits: &mut Vec<Hit>, first: usize) {
    let Some(found) = hits.get_mut(first..) else { return };
    found.sort_by_key(|hit| hit.start);
    let mut kept = first;
    for index in first..hits.len() {
        let Some(&hit) = hits.get(index) else { break };
        let mut wins = true;
        let mut back = kept;
        while let Some(last) =
            back.checked_sub(1).filter(|at| *at >= first).and_then(|at| hits.get(at))
        {
            if last.end <= hit.start {
                break;
            }
            wins &= hit.rank() > last.rank();
            back -= 1;
        }
        if wins {
            if let Some(slot) = hits.get_mut(back) {
                *slot = hit;
            }
            kept = back + 1;
        }
    }
    hits.truncate(kept);
}
