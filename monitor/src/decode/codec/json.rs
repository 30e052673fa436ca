//! String escapes of JSON (RFC 8259 section 7), in whatever text they stand.

use memchr::memchr;

use super::escape::{Escape, Escapes};

pub(super) const ESCAPES: Escapes =
    Escapes { find: |rest| memchr(b'\\', rest), begin: || Box::new(escape), may_be: |_| true };

fn escape(bytes: &[u8], at: usize) -> Option<Escape> {
    let byte = match bytes.get(at + 1)? {
        b'u' => return char_escape(bytes, at),
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    };
    Some(Escape::byte(2, byte))
}

/// `\uXXXX`, or two of them that are a surrogate pair.
fn char_escape(bytes: &[u8], at: usize) -> Option<Escape> {
    let unit = |at: usize| -> Option<u32> {
        let (mark, digits) = bytes.get(at..at + 6)?.split_at(2);
        if mark != br"\u" {
            return None;
        }
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    };
    let high = unit(at)?;
    if let Some(char) = char::from_u32(high) {
        return Some(Escape::char(6, char));
    }
    let low = unit(at + 6)?;
    let units = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
    let char = char::decode_utf16(units).next()?.ok()?;
    Some(Escape::char(12, char))
}
