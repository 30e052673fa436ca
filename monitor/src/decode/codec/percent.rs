//! Percent encoding (RFC 3986 section 2.1), with `+` for a space in values of a form
//! (application/x-www-form-urlencoded, WHATWG URL section 5.1).

use memchr::memchr2;

use super::escape::{Escape, Escapes};

/// Bytes without `%` or `+` after which a form is taken to be over.
const FORM_REACH_BYTES: usize = 4_096;

pub(super) const ESCAPES: Escapes = Escapes {
    find: |rest| memchr2(b'%', b'+', rest),
    begin: || {
        let mut form = Form::default();
        Box::new(move |bytes, at| escape(bytes, at, &mut form))
    },
    may_be: |_| true,
};

fn escape(bytes: &[u8], at: usize, form: &mut Form) -> Option<Escape> {
    if bytes.get(at) == Some(&b'+') {
        return form.holds(bytes, at).then_some(Escape::byte(1, b' '));
    }
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let byte = digit(at + 1)? * 16 + digit(at + 2)?;
    Some(Escape::byte(3, u8::try_from(byte).ok()?))
}

/// Whether a byte stands between two fields of a form, or in none.
fn parts(byte: u8) -> bool {
    matches!(byte, b'&' | 0..=b' ' | b'"' | b'<' | b'>' | b'\\' | b'{' | b'}' | 0x7f..)
}

/// Follows a text to tell where it is in the value of a form's `key=value`.
#[derive(Default)]
struct Form {
    at: usize,
    key: bool,
    value: bool,
    /// Up to where it was read ahead, and whether the value has a JSON escape there, as no form has.
    ahead: (usize, bool),
}

impl Form {
    /// Whether `at`, which must not go back, lies in a value. A `+` elsewhere, such as that of a
    /// telephone number in JSON, is a plus.
    fn holds(&mut self, bytes: &[u8], at: usize) -> bool {
        if at - self.at > FORM_REACH_BYTES {
            *self = Form { at: at - FORM_REACH_BYTES, ..Form::default() };
        }
        let mut passed = bytes.get(self.at..at).unwrap_or_default();
        // What stands before the last of these says nothing of what stands behind it.
        if let Some(last) = passed.iter().rposition(|byte| parts(*byte)) {
            (self.key, self.value) = (false, false);
            passed = passed.get(last + 1..).unwrap_or_default();
        }
        for byte in passed {
            match byte {
                b'=' if self.key => self.value = true,
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => self.key = true,
                b'_' | b'.' | b'-' | b'[' | b']' | b'%' | b'+' => self.key = true,
                _ if self.value => {}
                _ => self.key = false,
            }
        }
        self.at = at;
        self.value && !self.is_json(bytes, at)
    }

    /// Whether the value that goes on at `at` has an escape of JSON in it (`sig=a+b\/c`): then it is
    /// something in JSON, and a `+` in it is a plus.
    fn is_json(&mut self, bytes: &[u8], at: usize) -> bool {
        if at < self.ahead.0 {
            return self.ahead.1;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let rest = rest.get(..FORM_REACH_BYTES).unwrap_or(rest);
        let ends =
            |byte: &u8| matches!(byte, b'&' | 0..=b' ' | b'"' | b'<' | b'>' | b'\\' | 0x7f..);
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        let json = matches!(rest.get(end..), Some([b'\\', b'/' | b'u', ..]));
        self.ahead = (at + end.max(1), json);
        json
    }
}
