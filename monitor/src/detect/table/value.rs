//! What detectors ask of a value that stands under a key, or behind the beginning of a secret:
//! where it ends, whether it is a placeholder, how random it looks. It finds nothing.

use super::super::detector::Field;
use super::super::text;

/// Values that stand for no value, in lower case without `-`, `_`, `.` and blanks.
#[rustfmt::skip]
const PLACEHOLDERS: &[&str] = &[
    "abc123", "admin123example", "anonymous", "anypassword", "apikey", "boolean", "bytes",
    "changeit", "changeme", "changethis", "default", "disabled", "dummy", "empty", "enabled",
    "encrypted", "example", "examplepassword", "fake", "false", "filtered", "foo", "foobar",
    "function", "hidden", "invalid", "mandatory", "masked", "missing", "mypassword", "mysecret",
    "mytoken", "na", "nan", "new", "newpassword", "nil", "no", "none", "notset", "null", "object",
    "omitted", "optional", "password", "passwd", "passphrase", "placeholder", "private", "protected",
    "public", "pwd", "redacted", "removed", "replaceme", "required", "sample", "secret",
    "secretkey", "sensitive", "set", "string", "tbd", "test", "testing", "testpassword", "text",
    "todo", "token", "true", "undefined", "unknown", "unset", "update", "value", "void", "yes",
    "accesstoken", "bearer", "basic", "session", "cookie", "credentials", "authorization",
];

/// Beginnings of values that a person still has to fill in, in the same form.
const TO_FILL_IN: [&str; 6] = ["your", "insert", "replace", "enter", "changeme", "example"];

/// Characters in which a placeholder is looked for.
const PLACEHOLDER_BYTES_MAX: usize = 24;

/// Whether the value stands between quotes or tags, so that blanks belong to it.
pub(super) fn is_quoted(text: &[u8], field: Field) -> bool {
    matches!(text::byte_before(text, field.start, 1), b'"' | b'\'' | b'`' | b'>')
}

/// The value up to the first blank, if no quotes say where it ends.
pub(super) fn word(text: &[u8], field: Field) -> Field {
    if is_quoted(text, field) {
        return field;
    }
    let value = text::slice(text, field.start, field.end);
    let length = value.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(value.len());
    Field { start: field.start, end: field.start + length }
}

/// Whether the value is a variable to be filled in, a mask, or a word that stands for no value.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let (Some(first), Some(last)) = (value.first(), value.last()) else { return true };
    let wrapped =
        matches!((first, last), (b'<', b'>') | (b'{', b'}') | (b'[', b']') | (b'%', b'%'))
            || value.windows(2).any(|pair| matches!(pair, b"${" | b"{{" | b"#{" | b"$(" | b"<%"))
            || (*first == b'$'
                && value.iter().skip(1).all(|b| b.is_ascii_uppercase() || *b == b'_'));
    let masked = value.windows(4).any(|four| matches!(four, b"xxxx" | b"XXXX"))
        || value.windows(3).any(|three| matches!(three, b"***" | b"..." | b"\xE2\x80\xA2"));
    if wrapped || masked || value.iter().all(|b| b == first) {
        return true;
    }
    let mut letters = [0u8; PLACEHOLDER_BYTES_MAX];
    let mut length = 0;
    for byte in value.iter().filter(|b| !matches!(b, b'-' | b'_' | b'.' | b' ')) {
        let Some(slot) = letters.get_mut(length) else { break };
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let letters = text::slice(&letters, 0, length);
    PLACEHOLDERS.iter().any(|word| letters == word.as_bytes())
        || TO_FILL_IN.iter().any(|word| letters.starts_with(word.as_bytes()))
}

/// Whether the value is an expression of a program: a path of names, a call, a comparison.
pub(super) fn is_code(value: &[u8]) -> bool {
    let name = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'$');
    let mut names = value.split(|b| *b == b'.');
    let is_path = value.contains(&b'.')
        && names.clone().all(|part| {
            part.iter().all(name) && part.first().is_some_and(|b| !b.is_ascii_uppercase())
        });
    // `Config.DB_PASSWORD`
    let constant = names.clone().count() > 1
        && names.clone().all(|part| !part.is_empty() && part.iter().all(name))
        && names
            .next_back()
            .is_some_and(|part| part.len() > 2 && !part.iter().any(u8::is_ascii_lowercase));
    let calls = value.iter().any(|b| matches!(b, b'(' | b'[')) && value.first().is_some_and(name);
    let operator = value.windows(2).any(|two| matches!(two, b"||" | b"&&" | b"=>" | b"->" | b"::"));
    let begins =
        matches!(value, [b'=' | b'(' | b'[' | b'{' | b'|', ..] | [b'!', b'0' | b'1' | b'=']);
    is_path || constant || calls || operator || begins
}

/// Whether the value is a name of a program: letters, `_` and `$` alone.
pub(super) fn is_identifier(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'$'))
}

/// Whether key and value stand in a form or a query, where no program is.
pub(super) fn is_in_form(text: &[u8], key: (usize, usize), field: Field) -> bool {
    let follows = (text::byte(text, field.end), text::byte(text, field.end + 1));
    matches!(text::byte_before(text, key.0, 1), b'&' | b'?')
        || (follows.0 == b'&' && follows.1 != b'&')
}

/// Which kinds of characters a value is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kinds {
    pub lower: bool,
    pub upper: bool,
    pub digit: bool,
    pub other: bool,
}

impl Kinds {
    pub fn of(value: &[u8]) -> Kinds {
        Kinds {
            lower: value.iter().any(u8::is_ascii_lowercase),
            upper: value.iter().any(u8::is_ascii_uppercase),
            digit: value.iter().any(u8::is_ascii_digit),
            other: value.iter().any(|b| !b.is_ascii_alphanumeric()),
        }
    }

    pub fn count(self) -> usize {
        [self.lower, self.upper, self.digit, self.other].into_iter().filter(|kind| *kind).count()
    }
}

/// Bits of information in a character of the value, by how often each stands in it.
pub(super) fn bits_per_character(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = value.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    shares.map(|share| -share * share.log2()).sum()
}

/// Characters of the shortest value of which can be said that it looks random.
const RANDOM_BYTES_MIN: usize = 16;
/// Bits a character of such a value: hex digits of 16 bytes have 3.2 and more, words 2.8 and less.
const RANDOM_BITS_MIN: f64 = 3.0;

/// Words joined by dashes of the shortest name that is none of a machine's making.
const JOINED_WORDS_MIN: usize = 3;

/// Whether the value looks as a machine makes them: long, with digits and letters, no words.
pub(super) fn is_random(value: &[u8]) -> bool {
    let kinds = Kinds::of(value);
    let parts = value.split(|b| !b.is_ascii_alphanumeric());
    let words = parts.filter(|part| part.len() > 1 && part.iter().all(u8::is_ascii_lowercase));
    value.len() >= RANDOM_BYTES_MIN
        && kinds.digit
        && (kinds.lower || kinds.upper)
        && bits_per_character(value) >= RANDOM_BITS_MIN
        && words.count() < JOINED_WORDS_MIN
}

/// Whether the value is a UUID: eight, four, four, four and twelve hex digits.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// The end of the characters from `start` on that pass, at most `max` of them.
pub(super) fn end_of(text: &[u8], start: usize, max: usize, passes: impl Fn(u8) -> bool) -> usize {
    let rest = text::slice(text, start, text.len().min(start.saturating_add(max)));
    start + rest.iter().position(|b| !passes(*b)).unwrap_or(rest.len())
}

/// A letter or digit, `-` or `_`: the alphabet of base64url (RFC 4648 section 5).
pub(super) fn base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

/// The alphabet of base64 with its padding (RFC 4648 section 4).
pub(super) fn base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

/// A letter or digit.
pub(super) fn base62(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

/// Whether one of `words`, all in lower case, stands in `text` in whatever case.
pub(super) fn holds_any(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| {
        let word = word.as_bytes();
        let Some(first) = word.first() else { return true };
        memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text)
            .any(|at| text::slice(text, at, at + word.len()).eq_ignore_ascii_case(word))
    })
}

/// The bytes around a span, so many on each side.
pub(super) fn around(text: &[u8], start: usize, end: usize, bytes: usize) -> &[u8] {
    text::slice(text, start.saturating_sub(bytes), text.len().min(end.saturating_add(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for value in [
            "changeme",
            "CHANGE_ME",
            "xxxxxxxx",
            "${DB_PASSWORD}",
            "<password>",
            "null",
            "true",
            "{{ secret }}",
            "$TOKEN",
            "********",
            "your-api-key",
            "[REDACTED]",
            "%PASS%",
            "aaaa",
            "ghp_xxxxxxxxxxxx",
            "•••••",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "$ecret9", "Tr0ub4dor&3", "a9f8e7d6", "correct horse"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn code_is_told_from_values() {
        for value in [
            "e.password",
            "getToken()",
            "t||n",
            "!0",
            "os.environ[",
            "==x",
            "a=>b",
            "Config.DB_PASS",
        ] {
            assert!(is_code(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "a.b.7", "!Passw0rd", "x", "S3cr3t.Word", "Abcde.fGhIjKl"] {
            assert!(!is_code(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn random_values_are_told_from_words() {
        for value in ["9f86d081884c7d659a2feaa0", "Zx81kQpLm20Vn4Tr", "k3J-9sP_q7Lw2Xz5"] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
        for value in [
            "authorization-code",
            "abcabcabcabcabc1",
            "short1",
            "1234567890123456",
            "to-get-a-session-1471014119414",
        ] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }
}
