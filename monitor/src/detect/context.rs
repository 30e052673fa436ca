//! Evidence from around a value: the key it is stored under, and the words next to it. The words
//! themselves are data, in [`super::words`]. It does not parse a format: it reads backwards from
//! the value, because the text may be cut at both ends.

use super::text::{byte, byte_before, slice};

/// Bytes before a value in which a word counts as next to it.
const NEAR_BEFORE_BYTES: usize = 60;
/// Bytes after a value in which a word counts as next to it.
const NEAR_AFTER_BYTES: usize = 30;
/// Bytes of a key that are read.
const KEY_BYTES_MAX: usize = 64;
/// Quotes, blanks and brackets between a key and its value.
const OPENING_BYTES_MAX: usize = 8;

/// The words that speak for and against an entity, all in lower case. A term of more than one word
/// (`social security`) has one space between its words.
pub(super) struct Words {
    /// Terms that speak for it as a key.
    pub key: &'static [&'static str],
    /// Terms that speak for it as a key or anywhere near.
    pub near: &'static [&'static str],
    /// Terms of a key that say that the value is something else.
    pub hostile: &'static [&'static str],
    /// Terms of a key that make it less likely.
    pub doubtful: &'static [&'static str],
}

/// What the surroundings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The key names something else.
    Hostile,
    /// The key may name something else.
    Doubtful,
    /// Nothing speaks for or against.
    Silent,
    /// The key or a word nearby names the entity.
    Named,
}

/// What the surroundings say, and where the key stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub verdict: Verdict,
    pub key: Option<(usize, usize)>,
}

/// Judges the value from `start` to `end`.
pub(super) fn judge(text: &[u8], start: usize, end: usize, words: &Words) -> Context {
    let key = key_before(text, start);
    let name = key.map_or(&[][..], |(start, end)| slice(text, start, end));
    let by_key = judge_key(name, words);
    let verdict = match by_key {
        Verdict::Silent if is_named_near(text, start, end, words) => Verdict::Named,
        verdict => verdict,
    };
    Context { verdict, key }
}

fn judge_key(name: &[u8], words: &Words) -> Verdict {
    // The last word is what the thing is: a `card_timestamp` is a timestamp.
    let head = last_word(name);
    if has_term(head, words.hostile) {
        Verdict::Hostile
    } else if has_term(name, words.key) || has_term(name, words.near) {
        Verdict::Named
    } else if has_term(name, words.hostile) {
        Verdict::Hostile
    } else if has_term(name, words.doubtful) {
        Verdict::Doubtful
    } else {
        Verdict::Silent
    }
}

fn is_named_near(text: &[u8], start: usize, end: usize, words: &Words) -> bool {
    let mut from = start.saturating_sub(NEAR_BEFORE_BYTES);
    // A word that the window cuts is no word: `discard` is no `card`.
    while from > 0 && from < start && is_word_byte(byte_before(text, from, 1)) {
        from += 1;
    }
    let mut to = end.saturating_add(NEAR_AFTER_BYTES).min(text.len());
    while to > end && is_word_byte(byte(text, to)) {
        to -= 1;
    }
    has_term(slice(text, from, start), words.near) || has_term(slice(text, end, to), words.near)
}

/// The span of the key that the value at `start` is stored under: of JSON (also escaped), a form, a
/// header, an XML element or attribute, or `key: value` and `key=value` in plain text.
pub(super) fn key_before(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let floor = start.saturating_sub(OPENING_BYTES_MAX);
    let opening = |b: u8| is_quote_or_blank(b) || matches!(b, b'(' | b'[' | b'{' | b'<');
    let assign = skip_back(text, start, floor, opening);
    match byte_before(text, assign, 1) {
        b'>' if byte_before(text, assign, 2) != b'=' => element_before(text, assign),
        b':' | b'=' | b'>' => {
            let floor = assign.saturating_sub(OPENING_BYTES_MAX);
            let operator = |b: u8| matches!(b, b':' | b'=' | b'>');
            let end = skip_back(text, assign, floor, |b| operator(b) || is_quote_or_blank(b));
            let quoted = matches!(byte(text, end), b'"' | b'\'' | b'\\');
            let floor = end.saturating_sub(KEY_BYTES_MAX);
            let in_key = |b: u8| is_key_byte(b) || (quoted && b == b' ');
            let start = skip_back(text, end, floor, in_key);
            (start < end).then_some((start, end))
        }
        _ => None,
    }
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

fn skip_back(text: &[u8], from: usize, floor: usize, skips: impl Fn(u8) -> bool) -> usize {
    let mut at = from;
    while at > floor && skips(byte_before(text, at, 1)) {
        at -= 1;
    }
    at
}

fn is_quote_or_blank(b: u8) -> bool {
    matches!(b, b'"' | b'\'' | b'`' | b'\\' | b' ' | b'\t')
}

fn is_key_byte(b: u8) -> bool {
    is_word_byte(b) || matches!(b, b'_' | b'-' | b'.' | b'[' | b']')
}

/// Letters, digits and every byte of a letter beyond ASCII.
fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80
}

/// Whether one of the terms stands in `text`, as words of their own.
pub(super) fn has_term(text: &[u8], terms: &[&str]) -> bool {
    let mut at = 0;
    while let Some((start, end)) = next_word(text, at) {
        // The first letter rules most terms out before any word is compared.
        let first = byte(text, start).to_ascii_lowercase();
        let may_start = |term: &&&str| term.as_bytes().first() == Some(&first);
        if terms.iter().filter(may_start).any(|term| starts_with_term(text, start, term)) {
            return true;
        }
        at = end;
    }
    false
}

fn starts_with_term(text: &[u8], start: usize, term: &str) -> bool {
    let mut at = start;
    term.split(' ').all(|wanted| match next_word(text, at) {
        Some((start, end)) => {
            at = end;
            slice(text, start, end).eq_ignore_ascii_case(wanted.as_bytes())
        }
        None => false,
    })
}

fn last_word(text: &[u8]) -> &[u8] {
    let (mut at, mut last) = (0, (0, 0));
    while let Some(word) = next_word(text, at) {
        (at, last) = (word.1, word);
    }
    slice(text, last.0, last.1)
}

/// The next word at or after `from`. Words end at whatever is no letter or digit, and inside camel
/// case: `cardNumber` and `PANValue` are two words each.
fn next_word(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let start = from + text.get(from..)?.iter().position(|b| is_word_byte(*b))?;
    let mut end = start + 1;
    while let Some(&this) = text.get(end).filter(|b| is_word_byte(**b)) {
        let last = byte_before(text, end, 1);
        let hump = last.is_ascii_lowercase() && this.is_ascii_uppercase();
        let acronym_ends = last.is_ascii_uppercase()
            && this.is_ascii_uppercase()
            && byte(text, end + 1).is_ascii_lowercase();
        if hump || acronym_ends {
            break;
        }
        end += 1;
    }
    Some((start, end))
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

    #[test]
    fn words_are_split_like_people_read_them() {
        for text in ["cardNumber", "CARD_NUMBER", "x-card", "my card.", "theCARDValue", "<card>"] {
            assert!(has_term(text.as_bytes(), &["card"]), "{text}");
        }
        for text in ["discard", "cardinal", "cards", ""] {
            assert!(!has_term(text.as_bytes(), &["card"]), "{text}");
        }
        for text in ["socialSecurity", "Social-Security no.", "social   security"] {
            assert!(has_term(text.as_bytes(), &["social security"]), "{text}");
        }
        assert!(!has_term(b"social", &["social security"]));
    }
}
