//! Values with what identifies somebody struck out. Which characters stay is each detector's to
//! say; that nothing else stays is said here.

use std::cmp::Reverse;

use super::{Engine, detector};
use crate::decode::{Part, Text, views};
use crate::model::Entity;

/// Whether a byte of a value carries it, and is no separator.
pub(super) type InValue = fn(u8) -> bool;

pub(super) fn digit(b: u8) -> bool {
    b.is_ascii_digit()
}

pub(super) fn letter_or_digit(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

/// Hands on the bytes of `value` that carry it.
pub(super) fn each(value: &[u8], in_value: InValue, out: &mut dyn FnMut(u8)) {
    value.iter().copied().filter(|b| in_value(*b)).for_each(out);
}

/// Hands on the digits of `value`.
pub(super) fn digits(value: &[u8], out: &mut dyn FnMut(u8)) {
    each(value, digit, out);
}

/// How many bytes of `value` carry it.
pub(super) fn count(value: &[u8], in_value: InValue) -> usize {
    value.iter().filter(|b| in_value(**b)).count()
}

/// Strikes out whatever carries the value, but for those that `shows`, by their number from 0. Of
/// the rest separators stay; a letter that has no place in the value is struck out too.
pub(super) fn strike(value: &[u8], in_value: InValue, shows: impl Fn(usize) -> bool) -> String {
    let mut n = 0;
    let mut masked = String::with_capacity(value.len());
    for letter in String::from_utf8_lossy(value).chars() {
        let byte = u8::try_from(letter).unwrap_or(0);
        if letter.is_ascii() && in_value(byte) {
            masked.push(if shows(n) { letter } else { '*' });
            n += 1;
        } else {
            let blank = letter.is_control() || letter.is_whitespace();
            masked.push(if letter.is_alphanumeric() {
                '*'
            } else if blank {
                ' '
            } else {
                letter
            });
        }
    }
    masked
}

/// The struck-out form of a value: separators stay, and
///
/// - of a card the first digit and the last four (PCI DSS 4.0 requirement 3.4.1),
/// - of a social security number the last four,
/// - of an IBAN the country and the last four,
/// - of an e-mail address the first letters of name and domain, and the top-level domain,
/// - of a telephone number the country code and the last two.
///
/// Of anything else that is handed over as `entity`, too short for instance, nothing stays.
pub fn mask(entity: Entity, value: &[u8]) -> String {
    (detector(entity).mask)(value)
}

/// Strikes out every finding of every detector in a free text, in each way that the decoders read
/// it, whatever the policy says: for command lines and the like before they are written anywhere.
pub fn redact(text: &str) -> String {
    let engine = Engine::new(&Entity::ALL);
    let (mut hits, mut struck, mut cut) = (Vec::new(), Vec::new(), 0);
    for view in views(&Text { bytes: text.as_bytes(), fresh: 0, part: Part::Text }).iter() {
        hits.clear();
        cut += engine.find(&view.bytes, &mut hits);
        for hit in hits.iter().filter(|hit| !view.is_at_edge(&(hit.start..hit.end))) {
            let value = view.bytes.get(hit.start..hit.end).unwrap_or_default();
            struck.push((view.span(hit.start..hit.end), mask(hit.entity, value)));
        }
    }
    struck.sort_by_key(|(span, _)| (span.start, Reverse(span.end)));
    let mut redacted = String::with_capacity(text.len());
    let mut at = 0;
    for (span, masked) in struck {
        if span.start >= at {
            // A detector ends a hit between characters; where it did not, better too little than a
            // value.
            let Some(before) = text.get(at..span.start) else { return redacted + CUT };
            redacted.push_str(before);
            redacted.push_str(&masked);
        }
        at = at.max(span.end);
    }
    if cut > 0 {
        return redacted + CUT;
    }
    redacted + text.get(at..).unwrap_or(CUT)
}

/// Stands for the rest of a text that was not looked at to its end.
const CUT: &str = "…";
