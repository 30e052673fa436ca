//! Character references of HTML and XML (HTML Living Standard section 13.5): numbers, and the names
//! of what stands in values. Of the two thousand other names none is undone.

use memchr::memchr;

use super::escape::{Escape, undo};
use crate::decode::tree::{Made, Source};

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

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    undo(source, made, |rest| memchr(b'&', rest), escape);
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
