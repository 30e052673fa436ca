//! Character references of HTML and XML (HTML Living Standard section 13.5): numbers, and the names
//! of what stands in values. Of the two thousand other names none is undone. A row of a table with
//! a heading, and a term with its description, read as `"name": value`; columns are told apart in `detect`.

use memchr::memchr2;

use super::escape::{Escape, Escapes};

/// Bytes of the longest reference that is undone, such as `&#x0000040;`.
const REFERENCE_BYTES_MAX: usize = 12;

/// Names of what stands in values and around them, in ascending order.
const NAMES: [(&[u8], char); 34] = [
    (b"NewLine", '\n'),
    (b"Tab", '\t'),
    (b"amp", '&'),
    (b"apos", '\''),
    (b"bsol", '\\'),
    (b"colon", ':'),
    (b"comma", ','),
    (b"commat", '@'),
    (b"dash", '\u{2010}'),
    (b"emsp", '\u{2003}'),
    (b"ensp", '\u{2002}'),
    (b"equals", '='),
    (b"gt", '>'),
    (b"hyphen", '\u{2010}'),
    (b"lbrace", '{'),
    (b"lowbar", '_'),
    (b"lpar", '('),
    (b"lsqb", '['),
    (b"lt", '<'),
    (b"mdash", '\u{2014}'),
    (b"nbsp", '\u{a0}'),
    (b"ndash", '\u{2013}'),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"period", '.'),
    (b"plus", '+'),
    (b"quot", '"'),
    (b"rbrace", '}'),
    (b"rpar", ')'),
    (b"rsqb", ']'),
    (b"semi", ';'),
    (b"shy", '\u{ad}'),
    (b"sol", '/'),
    (b"thinsp", '\u{2009}'),
];

/// Elements of a name, and of the value that follows it.
const PAIRS: [(&[u8], &[u8]); 2] = [(b"th", b"td"), (b"dt", b"dd")];
/// Bytes of the element of a name, with its tags and the tag behind it.
const NAME_BYTES_MAX: usize = 160;

pub(super) const ESCAPES: Escapes = Escapes {
    find: |rest| memchr2(b'&', b'<', rest),
    begin: || {
        let mut open = Open::Nothing;
        Box::new(move |bytes, at| match bytes.get(at) {
            Some(b'&') => escape(bytes, at),
            _ => tag(bytes, at, &mut open),
        })
    },
    may_be: |_| true,
};

/// What was begun by the tags so far.
#[derive(Clone, Copy)]
enum Open {
    Nothing,
    /// A name, and where it ends, and where the value begins.
    Name(usize, usize),
    Value,
}

/// The tags around a name and its value, as what stands around them in a line of JSON.
fn tag(bytes: &[u8], at: usize, open: &mut Open) -> Option<Escape> {
    let (len, line) = match *open {
        Open::Name(end, value) if end == at => {
            *open = Open::Value;
            return Some(Escape::text(value - end, *b"\": "));
        }
        Open::Value if PAIRS.iter().any(|(_, value)| closing(bytes, at, value).is_some()) => {
            *open = Open::Nothing;
            return Some(Escape::byte(b"</td>".len(), b'\n'));
        }
        _ => PAIRS.iter().find_map(|(name, value)| name_and_value(bytes, at, name, value))?,
    };
    *open = line;
    Some(Escape::text(len, *b" \n\""))
}

/// Length of the tag at `at` that opens a name which a value follows, and where these are.
fn name_and_value(bytes: &[u8], at: usize, name: &[u8], value: &[u8]) -> Option<(usize, Open)> {
    let bytes = bytes.get(..bytes.len().min(at + NAME_BYTES_MAX))?;
    let begin = opening(bytes, at, name)?;
    let end = begin + bytes.get(begin..)?.iter().position(|byte| matches!(byte, b'<' | b'"'))?;
    let next = closing(bytes, end, name)?;
    let next = next + bytes.get(next..)?.iter().position(|byte| !byte.is_ascii_whitespace())?;
    Some((begin - at, Open::Name(end, opening(bytes, next, value)?)))
}

/// The end of the tag `<name …>` at `at`.
fn opening(bytes: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    let rest = bytes.get(at..)?.strip_prefix(b"<")?;
    let (tag, rest) = rest.split_at_checked(name.len())?;
    let is_name = tag.eq_ignore_ascii_case(name)
        && rest.first().is_some_and(|byte| *byte == b'>' || byte.is_ascii_whitespace());
    let close = rest.iter().position(|byte| matches!(byte, b'>' | b'<'))?;
    (is_name && rest.get(close) == Some(&b'>')).then_some(at + 1 + name.len() + close + 1)
}

/// The end of the tag `</name>` at `at`.
fn closing(bytes: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    let (tag, rest) = bytes.get(at..)?.strip_prefix(b"</")?.split_at_checked(name.len())?;
    (tag.eq_ignore_ascii_case(name) && rest.first() == Some(&b'>')).then_some(at + name.len() + 3)
}

fn escape(bytes: &[u8], at: usize) -> Option<Escape> {
    let rest = bytes.get(at + 1..)?;
    let rest = rest.get(..REFERENCE_BYTES_MAX).unwrap_or(rest);
    let name = rest.get(..rest.iter().position(|byte| *byte == b';')?)?;
    let len = name.len() + 2;
    let char = match name.strip_prefix(b"#") {
        Some(number) => {
            char::from_u32(match number.strip_prefix(b"x").or(number.strip_prefix(b"X")) {
                Some(digits) => parse(digits, 16)?,
                None => parse(number, 10)?,
            })?
        }
        None => {
            let found = NAMES.binary_search_by_key(&name, |(name, _)| name).ok()?;
            NAMES.get(found)?.1
        }
    };
    Some(Escape::char(len, char)).filter(|escape| escape.is_shorter())
}

fn parse(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_in_order() {
        assert!(super::NAMES.is_sorted_by_key(|(name, _)| name));
    }
}
