//! Quoted-printable (RFC 2045 section 6.7), and its kin in header fields (RFC 2047 section 4.2). Only
//! where something says so: `=20` also stands in addresses and code.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::{self, Finder};

use super::escape::{Escape, Escapes};

pub(super) const ESCAPES: Escapes = Escapes {
    find: |rest| memchr(b'=', rest),
    begin: || Box::new(escape),
    may_be: |bytes| NAMES.iter().any(|name| name.find(bytes).is_some()) || has_soft_break(bytes),
};

/// What says so. To make a finder takes longer than to search a short text.
static NAMES: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| [&b"uoted-printable"[..], b"UOTED-PRINTABLE", b"=?"].map(Finder::new));

/// Whether a line ends in `=` that is no padding and no assignment.
fn has_soft_break(bytes: &[u8]) -> bool {
    let ends = |end: &'static [u8]| {
        memmem::find_iter(bytes, end).any(|at| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b'=');
            let after = bytes.get(at + end.len()).copied().unwrap_or(b'\n');
            !b"= \t!:<>".contains(&before) && !b"\r\n \t".contains(&after)
        })
    };
    ends(b"=\r\n") || ends(b"=\n")
}

fn escape(bytes: &[u8], at: usize) -> Option<Escape> {
    match bytes.get(at + 1..)? {
        [b'\r', b'\n', ..] => Some(Escape::nothing(3)),
        [b'\n', ..] => Some(Escape::nothing(2)),
        [high, low, ..] => {
            let digit = |letter: u8| char::from(letter).to_digit(16);
            Some(Escape::byte(3, u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?))
        }
        _ => None,
    }
}
