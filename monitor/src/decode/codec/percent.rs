//! Percent encoding (RFC 3986 section 2.1), with `+` for a space in values of a form
//! (application/x-www-form-urlencoded, WHATWG URL section 5.1).

use memchr::memchr2;

use super::escape::{Escape, undo};
use crate::decode::tree::{Made, Source};

/// Bytes without `%` or `+` after which a form is taken to be over.
const FORM_REACH_BYTES: usize = 4_096;

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let mut form = Form::default();
    let find = |rest: &[u8]| memchr2(b'%', b'+', rest);
    undo(source, made, find, |bytes, at| escape(bytes, at, &mut form));
}

fn escape(bytes: &[u8], at: usize, form: &mut Form) -> Option<Escape> {
    if bytes.get(at) == Some(&b'+') {
        return form.holds(bytes, at).then_some(Escape::byte(1, b' '));
    }
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let byte = digit(at + 1)? * 16 + digit(at + 2)?;
    Some(Escape::byte(3, u8::try_from(byte).ok()?))
}

/// Follows a text to tell where it is in the value of a form's `key=value`.
#[derive(Default)]
struct Form {
    at: usize,
    key: bool,
    value: bool,
}

impl Form {
    /// Whether `at`, which must not go back, lies in a value. A `+` elsewhere, such as that of a
    /// telephone number in JSON, is a plus.
    fn holds(&mut self, bytes: &[u8], at: usize) -> bool {
        if at - self.at > FORM_REACH_BYTES {
            *self = Form { at: at - FORM_REACH_BYTES, key: false, value: false };
        }
        for byte in bytes.get(self.at..at).unwrap_or_default() {
            match byte {
                b'&' => (self.key, self.value) = (false, false),
                b'=' if self.key => self.value = true,
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => self.key = true,
                b'_' | b'.' | b'-' | b'[' | b']' | b'%' | b'+' => self.key = true,
                0..=b' ' | b'"' | b'<' | b'>' | b'\\' | b'{' | b'}' | 0x7f.. => {
                    (self.key, self.value) = (false, false);
                }
                _ if self.value => {}
                _ => self.key = false,
            }
        }
        self.at = at;
        self.value
    }
}
