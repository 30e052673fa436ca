//! Tells numbers of JSON that stand without quotes: what takes their place has to be a string. It
//! parses no JSON: a text may be cut anywhere.

use std::ops::Range;

use crate::decode::View;

/// Bytes of a number that are looked at on each side of a value in it.
const NUMBER_BYTES_MAX: usize = 40;
/// Bytes of blanks between a number and what is before and after it.
const BLANK_BYTES_MAX: usize = 256;
/// Bytes of an array that are looked at before a number in it.
const ARRAY_BYTES_MAX: usize = 1_024;

/// A number of JSON.
pub(super) struct Number {
    /// Where it stands.
    pub(super) span: Range<usize>,
    quote: Quote,
}

/// How a quote is written where a number stands.
#[derive(Debug, PartialEq, Eq)]
enum Quote {
    Plain,
    /// As the one there.
    Like(usize),
    /// In a string that begins with the quote there.
    Inside(usize),
}

impl Number {
    /// The quote to put before and after what takes its place, as it is written in the text.
    pub(super) fn quote(&self, text: &[u8], view: &View<'_>) -> Vec<u8> {
        let written = |at: usize| text.get(view.span(at..at + 1)).unwrap_or_default();
        match self.quote {
            Quote::Plain => b"\"".to_vec(),
            Quote::Like(at) => written(at).to_vec(),
            Quote::Inside(at) if written(at).starts_with(b"%") => [b"%5C", written(at)].concat(),
            Quote::Inside(at) => written(at).iter().flat_map(|byte| [b'\\', *byte]).collect(),
        }
    }
}

/// The number of JSON of which `value` is a part, or the whole.
pub(super) fn around(bytes: &[u8], value: Range<usize>) -> Option<Number> {
    if !bytes.get(value.clone())?.iter().all(in_number) {
        return None;
    }
    let before = bytes.get(value.start.saturating_sub(NUMBER_BYTES_MAX)..value.start)?;
    let after = bytes.get(value.end..bytes.len().min(value.end + NUMBER_BYTES_MAX))?;
    let start = value.start - before.iter().rev().take_while(|byte| in_number(byte)).count();
    let end = value.end + after.iter().take_while(|byte| in_number(byte)).count();
    if !is_number(bytes.get(start..end)?) {
        return None;
    }
    let opening = before_blanks(bytes, start)?;
    let following = bytes.get(end..bytes.len().min(end + BLANK_BYTES_MAX))?;
    let closing = following.iter().find(|byte| !is_blank(byte));
    let quote = match (bytes.get(opening)?, closing) {
        (b':', Some(b',' | b'}') | None) => after_key(bytes, opening)?,
        (b'[' | b',', Some(b',' | b']') | None) => in_array(bytes, opening + 1)?,
        _ => return None,
    };
    Some(Number { span: start..end, quote })
}

fn in_number(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The byte before `at` and the blanks there.
fn before_blanks(bytes: &[u8], at: usize) -> Option<usize> {
    let room = bytes.get(at.saturating_sub(BLANK_BYTES_MAX)..at)?;
    at.checked_sub(1 + room.iter().rev().take_while(|byte| is_blank(byte)).count())
}

/// RFC 8259 section 6.
fn is_number(bytes: &[u8]) -> bool {
    fn digits(rest: &[u8]) -> Option<&[u8]> {
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest.get(count..).filter(|_| count > 0)
    }
    let mut rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if rest.first() == Some(&b'0') && rest.get(1).is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let Some(after) = digits(rest) else { return false };
    rest = after;
    if let [b'.', fraction @ ..] = rest {
        let Some(after) = digits(fraction) else { return false };
        rest = after;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let unsigned = match exponent {
            [b'+' | b'-', unsigned @ ..] => unsigned,
            unsigned => unsigned,
        };
        let Some(after) = digits(unsigned) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// The quote at the end of a key, before the colon at `colon`.
fn after_key(bytes: &[u8], colon: usize) -> Option<Quote> {
    let quote = before_blanks(bytes, colon)?;
    (bytes.get(quote) == Some(&b'"')).then_some(Quote::Like(quote))
}

/// The quotes of an array of which the bytes before `end` are a part, or nothing where they are
/// none.
fn in_array(bytes: &[u8], end: usize) -> Option<Quote> {
    let floor = end.saturating_sub(ARRAY_BYTES_MAX);
    let mut at = end;
    // What stands right of `at`, blanks apart.
    let mut right = b' ';
    while let Some(last) = at.checked_sub(1).filter(|last| *last >= floor) {
        let byte = *bytes.get(last)?;
        match byte {
            b'"' => {
                return match right {
                    b':' | b',' | b']' | b'}' => Some(Quote::Like(last)),
                    b'[' => Some(Quote::Inside(last)),
                    _ => None,
                };
            }
            // A row of a table ends; a document goes on.
            b'\n' if !matches!(right, b']' | b'}') => {
                let before = before_blanks(bytes, last).and_then(|at| bytes.get(at));
                if !matches!(before, Some(b',' | b'[' | b'{' | b':') | None) {
                    return None;
                }
            }
            b'[' => match before_blanks(bytes, last).map(|at| (at, bytes.get(at))) {
                None => return Some(Quote::Plain),
                Some((at, Some(b':'))) => return after_key(bytes, at),
                Some((_, Some(b'[' | b',' | b'"'))) => {}
                Some((at, _)) => {
                    // A document on a line of its own.
                    let blanks = bytes.get(at..last).unwrap_or_default();
                    return blanks.contains(&b'\n').then_some(Quote::Plain);
                }
            },
            _ => {}
        }
        if !is_blank(&byte) {
            right = byte;
        }
        at = last;
    }
    // The start of a text or row: no array began in it. Else the array is long.
    (at > 0).then_some(Quote::Plain)
}
