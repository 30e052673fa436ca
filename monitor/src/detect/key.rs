//! Where the key of a value stands, the keys above it, and the value of a key. It parses no format:
//! it reads backwards from the value, because the text may be cut at both ends. What a key says is
//! [`super::probe`]'s to judge.

use memchr::{memchr, memchr3, memrchr};

use super::brackets::{PATH_BYTES_MAX, PATH_KEYS_MAX};
use super::detector::Field;
use super::lexicon::is_word_byte;
use super::text::{byte, byte_before, slice};

/// Bytes of a key that are read.
const KEY_BYTES_MAX: usize = 64;
/// Quotes, blanks and brackets between a key and its value.
const OPENING_BYTES_MAX: usize = 8;

/// Where the operator ends that stands before the value at `start`: `:`, `=`, or the `>` of an
/// element.
pub(super) fn operator_before(text: &[u8], start: usize) -> Option<usize> {
    let end = skip_back(text, start, OPENING_BYTES_MAX, OPENING);
    matches!(byte_before(text, end, 1), b':' | b'=' | b'>').then_some(end)
}

/// The span of the key before the operator that ends at `end`: of JSON (also escaped), a form, a
/// header, an XML element or attribute, or `key: value` and `key=value` in plain text.
pub(super) fn key_of(text: &[u8], end: usize) -> Option<(usize, usize)> {
    if byte_before(text, end, 1) == b'>' && byte_before(text, end, 2) != b'=' {
        return element_before(text, end);
    }
    let end = skip_back(text, end, OPENING_BYTES_MAX, OPERATOR);
    let quoted = matches!(byte(text, end), b'"' | b'\'' | b'\\');
    let start = skip_back(text, end, KEY_BYTES_MAX, if quoted { QUOTED } else { NAME });
    (start < end).then_some((start, end))
}

/// The span of the key that the value at `start` is stored under.
#[cfg(test)]
pub(super) fn key_before(text: &[u8], start: usize) -> Option<(usize, usize)> {
    key_of(text, operator_before(text, start)?)
}

/// What bytes may be around a key, as bits: before a value, in an operator, in a name, and in one
/// between quotes.
const OPENING: u8 = 1;
const OPERATOR: u8 = 1 << 1;
const NAME: u8 = 1 << 2;
const QUOTED: u8 = 1 << 3;

const ROLES: [u8; 256] = {
    let mut roles = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        roles[byte] = match byte as u8 {
            b'"' | b'\'' | b'`' | b'\\' | b'\t' => OPENING | OPERATOR,
            b' ' => OPENING | OPERATOR | QUOTED,
            b'(' | b'{' | b'<' => OPENING,
            b'[' => OPENING | NAME | QUOTED,
            b':' | b'=' | b'>' => OPERATOR,
            b'_' | b'-' | b'.' | b']' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => {
                NAME | QUOTED
            }
            _ => 0,
        };
        byte += 1;
    }
    roles
};

/// Goes back from `from` over at most so many bytes that may have that role.
fn skip_back(text: &[u8], from: usize, most: usize, role: u8) -> usize {
    let head = slice(text, from.saturating_sub(most), from);
    let fits = |b: &&u8| ROLES.get(usize::from(**b)).is_some_and(|roles| roles & role != 0);
    from - head.iter().rev().take_while(fits).count()
}

/// The name in the tag `<name …>` that ends before `end`.
fn element_before(text: &[u8], end: usize) -> Option<(usize, usize)> {
    let floor = end.saturating_sub(KEY_BYTES_MAX);
    let tag = slice(text, floor, end.saturating_sub(1));
    let open = tag.iter().rposition(|b| matches!(b, b'<' | b'>'))?;
    if tag.get(open) != Some(&b'<') {
        return None;
    }
    let name = tag.get(open + 1..)?;
    let length = name.iter().position(|b| !(is_key_byte(*b) || *b == b':')).unwrap_or(name.len());
    let start = floor + open + 1;
    (length > 0).then_some((start, start + length))
}

fn is_key_byte(b: u8) -> bool {
    is_word_byte(b) || matches!(b, b'_' | b'-' | b'.' | b'[' | b']')
}

/// Whether a key is the last word of a sentence before a colon: `my social security number: …`.
pub(super) fn is_prose(text: &[u8], (start, end): (usize, usize)) -> bool {
    byte(text, end) == b':'
        && byte(text, end + 1) == b' '
        && byte_before(text, start, 1) == b' '
        && is_word_byte(byte_before(text, start, 2))
}

/// Whether a key is the first word of an indented line.
pub(super) fn begins_line(text: &[u8], (start, _): (usize, usize)) -> bool {
    let head = slice(text, start.saturating_sub(KEY_BYTES_MAX), start);
    let blanks = head.iter().rev().take_while(|b| matches!(b, b' ' | b'-' | b'\t')).count();
    blanks > 0 && byte_before(text, start - blanks, 1) == b'\n'
}

/// Bytes of the words before the last one of a sentence that may belong to a key.
const PROSE_BYTES_MAX: usize = 48;

/// Where the words begin that stand before the key at `start` in prose, a blank between each two.
pub(super) fn words_before(text: &[u8], start: usize) -> usize {
    let floor = start.saturating_sub(PROSE_BYTES_MAX);
    let in_words = |b: &&u8| is_word_byte(**b) || matches!(b, b' ' | b'-' | b'_' | b'\'');
    let head = slice(text, floor, start);
    let from = start - head.iter().rev().take_while(in_words).count();
    // A word that the bound cuts is none.
    if from == floor && from > 0 {
        let rest = slice(text, from, start);
        return from + rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
    }
    from
}

/// Tags that are passed on the way.
const PATH_TAGS_MAX: usize = 64;

/// The spans of the elements that are open around the one whose tag ends before `start`, the
/// nearest first.
pub(super) fn elements_before(text: &[u8], start: usize) -> impl Iterator<Item = (usize, usize)> {
    let floor = start.saturating_sub(PATH_BYTES_MAX);
    // The nearest tag is the key of the value itself.
    let (mut at, mut closed, mut tags) = (start, 0usize, 0);
    let next = move || {
        while tags < PATH_TAGS_MAX {
            tags += 1;
            at = floor + memrchr(b'<', slice(text, floor, at))?;
            let end = at + memchr(b'>', slice(text, at, start))?;
            match (byte(text, at + 1), byte_before(text, end, 1)) {
                (b'/', _) => closed += 1,
                (b'!' | b'?', _) | (_, b'/') => {}
                _ if closed > 0 => closed -= 1,
                _ => return Some(end + 1),
            }
        }
        None
    };
    std::iter::from_fn(next).skip(1).take(PATH_KEYS_MAX).filter_map(|end| element_before(text, end))
}

/// The spans of the keys of the lines above the one of the key at `start` that are indented less,
/// as YAML nests them, the nearest first.
pub(super) fn outer_lines(text: &[u8], start: usize) -> impl Iterator<Item = (usize, usize)> {
    let floor = start.saturating_sub(PATH_BYTES_MAX);
    let line_of =
        move |at: usize| memrchr(b'\n', slice(text, floor, at)).map(|newline| floor + newline + 1);
    let indent = move |line: usize| {
        slice(text, line, start).iter().take_while(|b| matches!(b, b' ' | b'-' | b'\t')).count()
    };
    let mut line = line_of(start);
    let mut depth = line.map_or(0, indent);
    let mut lines = 0;
    let next = move || {
        while depth > 0 && lines < PATH_LINES_MAX {
            lines += 1;
            let newline = line?.checked_sub(1)?;
            line = line_of(newline);
            let begin = line.unwrap_or(floor);
            let key = slice(text, begin, newline);
            let inner = indent(begin);
            if inner < depth && !key.trim_ascii().is_empty() {
                depth = inner;
                let key = key.trim_ascii_end();
                if key.ends_with(b":") && key.len() <= KEY_BYTES_MAX + inner {
                    return Some((begin + inner, begin + key.len() - 1));
                }
            }
        }
        None
    };
    std::iter::from_fn(next).take(PATH_KEYS_MAX).filter(|(from, to)| from < to)
}

/// Lines above a value that are looked at.
const PATH_LINES_MAX: usize = 32;

/// Bytes of a value under a key that are looked at.
const FIELD_BYTES_MAX: usize = 256;

/// Where the value begins that follows the `:`, `=` or `>` at `at`, behind its quotes and blanks,
/// and the first of its quotes.
pub(super) fn value_after(text: &[u8], at: usize) -> (usize, Option<u8>) {
    let mut start = at + 1;
    let limit = start + OPENING_BYTES_MAX;
    while start < limit && matches!(byte(text, start), b' ' | b'\t' | b'>') {
        start += 1;
    }
    let mut closing: Option<u8> = None;
    while start < limit && matches!(byte(text, start), b'"' | b'\'' | b'\\' | b'[') {
        if byte(text, start) != b'[' {
            closing = closing.or(Some(byte(text, start)));
        }
        start += 1;
    }
    (start, closing)
}

/// The value that follows the operator at `at` and begins at `start`, without the blanks around it.
pub(super) fn field(
    text: &[u8],
    at: usize,
    (start, closing): (usize, Option<u8>),
) -> Option<Field> {
    let rest = slice(text, start, text.len().min(start + FIELD_BYTES_MAX));
    let length = match closing {
        Some(quote) => memchr3(quote, b'\n', b'\\', rest),
        None if byte(text, at) == b'>' => memchr3(b'<', b'\n', b'\r', rest),
        None => {
            let near = memchr3(b'&', b',', b'\n', rest);
            let rest = slice(rest, 0, near.unwrap_or(rest.len()));
            let near = memchr3(b';', b'}', b']', rest).or(near);
            let rest = slice(rest, 0, near.unwrap_or(rest.len()));
            memchr::memchr2(b'"', b'\r', rest).or(near)
        }
    };
    let mut end = start + length.unwrap_or(rest.len());
    while end > start && matches!(byte_before(text, end, 1), b' ' | b'\t') {
        end -= 1;
    }
    (end > start).then_some(Field { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, key: Option<&str>) {
        let start = text.find("4111").expect("case has a value");
        let found = key_before(text.as_bytes(), start).map(|(from, to)| &text[from..to]);
        assert_eq!(found, key, "{text}");
    }

    #[test]
    fn key_of_each_format_is_found() {
        check(r#"{"cardNumber": "4111"}"#, Some("cardNumber"));
        check(r#"{"Card Number":4111}"#, Some("Card Number"));
        check(r#"{\"pan\":\"4111\"}"#, Some("pan"));
        check(r#"{"cards":["4111"]}"#, Some("cards"));
        check("a=1&card_number=4111", Some("card_number"));
        check("card[number]=4111", Some("card[number]"));
        check("X-Card: 4111\r\n", Some("X-Card"));
        check("<a><card kind='x'>4111</card>", Some("card"));
        check("<ns:card>4111", Some("ns:card"));
        check(r#"<pay card="4111"/>"#, Some("card"));
        check(":pan => '4111'", Some("pan"));
        check("my number: 4111", Some("number"));
    }

    #[test]
    fn no_key_is_made_up() {
        check("4111", None);
        check("pay 4111", None);
        check("a > 4111", None);
        check(": 4111", None);
        check("</b>4111", None);
    }
}
