//! Values with what identifies somebody struck out. Which characters stay is each detector's to
//! say; that nothing else stays is said here.

use std::cmp::Reverse;

use std::sync::LazyLock;

use super::Engine;
use crate::decode::{Part, Text, views};

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

/// Characters of the shortest value of which the last ones may be shown.
const SHOWN_OF_MIN: usize = 8;

/// The last four letters and digits, of a value of at least [`SHOWN_OF_MIN`]; of a shorter one
/// nothing.
pub(super) fn last_four(value: &[u8]) -> String {
    let count = count(value, letter_or_digit);
    strike(value, letter_or_digit, |n| count >= SHOWN_OF_MIN && n + 4 >= count)
}

/// Nothing but how long it is.
pub(super) fn nothing(value: &[u8]) -> String {
    strike(value, |_| true, |_| false)
}

/// Hands on every byte as it is: of secrets, each one tells them apart.
pub(super) fn exact(value: &[u8], out: &mut dyn FnMut(u8)) {
    each(value, |_| true, out);
}

/// Hands on letters, in upper case, and digits.
pub(super) fn compact(value: &[u8], out: &mut dyn FnMut(u8)) {
    each(value, letter_or_digit, &mut |b| out(b.to_ascii_uppercase()));
}

/// The engine of [`redact`]: it finds everything.
static REDACTS: LazyLock<Engine> = LazyLock::new(Engine::usual);

/// Strikes out every finding of every detector in a free text, in each way that the decoders read
/// it, whatever the policy says: for command lines and the like before they are written anywhere.
pub fn redact(text: &str) -> String {
    let engine = &*REDACTS;
    let (mut hits, mut struck, mut cut) = (Vec::new(), Vec::new(), 0);
    for view in views(&Text { bytes: text.as_bytes(), fresh: 0, part: Part::Text }).iter() {
        hits.clear();
        cut += engine.find(&view.bytes, &mut hits);
        for hit in &hits {
            let value = view.bytes.get(hit.start..hit.end).unwrap_or_default();
            struck.push((view.span(hit.start..hit.end), engine.mask(hit.detector, value)));
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
