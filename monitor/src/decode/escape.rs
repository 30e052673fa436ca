//! Undoes one layer of an encoding in a whole text, and notes where each byte came from. Tolerant:
//! what is no valid escape, or is cut at an end of the text, stays as it is. It does not ask
//! whether the text is of that encoding.

use memchr::{memchr, memchr2};

use super::http::{ChunkLine, chunk_line};

/// An encoding that can be undone. More of them (gzip, base64, multipart, …) come in here, and in
/// the table of [`super::view`], after the kernel's prefilter has learned to let them through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// String escapes of JSON (RFC 8259 section 7).
    Json,
    /// Percent encoding (RFC 3986 section 2.1), with `+` for a space in values of a form
    /// (application/x-www-form-urlencoded, WHATWG URL section 5.1).
    Percent,
    /// Chunk framing (RFC 9112 section 7.1) in text whose head was not seen.
    Chunked,
}

/// From the offset `view` on, bytes come from `source` on, up to the next break.
#[derive(Clone, Copy)]
pub(super) struct Break {
    pub(super) view: usize,
    pub(super) source: usize,
}

/// A text with a layer undone.
pub(super) struct Undone {
    pub(super) bytes: Vec<u8>,
    /// In ascending order. Two at the same `view` are bytes left out between the two `source`s.
    pub(super) breaks: Vec<Break>,
}

/// What an escape stands for.
struct Escape {
    /// Bytes it takes up.
    len: usize,
    /// What it stands for: UTF-8 of a character, a byte, or nothing.
    bytes: [u8; 4],
    bytes_len: usize,
}

impl Escape {
    fn byte(len: usize, byte: u8) -> Self {
        Escape { len, bytes: [byte, 0, 0, 0], bytes_len: 1 }
    }

    fn char(len: usize, char: char) -> Self {
        let mut bytes = [0; 4];
        let bytes_len = char.encode_utf8(&mut bytes).len();
        Escape { len, bytes, bytes_len }
    }

    fn nothing(len: usize) -> Self {
        Escape { len, bytes: [0; 4], bytes_len: 0 }
    }
}

impl Encoding {
    /// `None` where there is nothing to undo, without an allocation.
    pub(super) fn undo(self, bytes: &[u8]) -> Option<Undone> {
        match self {
            Encoding::Json => rewrite(bytes, |rest| memchr(b'\\', rest), json),
            Encoding::Percent => {
                let mut form = Form::default();
                rewrite(
                    bytes,
                    |rest| memchr2(b'%', b'+', rest),
                    |bytes, at| percent(bytes, at, &mut form),
                )
            }
            Encoding::Chunked => rewrite(bytes, |rest| memchr(b'\r', rest), chunk),
        }
    }
}

/// Copies `bytes` with the escapes undone that `find` finds the beginning of and `decode` knows.
fn rewrite(
    bytes: &[u8],
    find: impl Fn(&[u8]) -> Option<usize>,
    mut decode: impl FnMut(&[u8], usize) -> Option<Escape>,
) -> Option<Undone> {
    let mut undone: Option<Undone> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(&find) {
        at += found;
        let Some(escape) = decode(bytes, at) else {
            at += 1;
            continue;
        };
        // Nothing grows in undoing, so this is all the room it takes, and there is nothing left
        // behind by a vector that moved.
        let undone = undone.get_or_insert_with(|| Undone {
            bytes: Vec::with_capacity(bytes.len()),
            breaks: Vec::new(),
        });
        undone.bytes.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        if escape.bytes_len == 0 {
            undone.breaks.push(Break { view: undone.bytes.len(), source: at });
        }
        undone.bytes.extend_from_slice(escape.bytes.get(..escape.bytes_len).unwrap_or_default());
        at += escape.len;
        copied = at;
        undone.breaks.push(Break { view: undone.bytes.len(), source: at });
    }
    let mut undone = undone?;
    undone.bytes.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Some(undone)
}

fn json(bytes: &[u8], at: usize) -> Option<Escape> {
    let byte = match bytes.get(at + 1)? {
        b'u' => return json_char(bytes, at),
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
fn json_char(bytes: &[u8], at: usize) -> Option<Escape> {
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

fn percent(bytes: &[u8], at: usize, form: &mut Form) -> Option<Escape> {
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

fn chunk(bytes: &[u8], at: usize) -> Option<Escape> {
    match chunk_line(bytes.get(at..)?.iter().copied(), true) {
        ChunkLine::Line { len, .. } => Some(Escape::nothing(len)),
        ChunkLine::Cut { .. } | ChunkLine::Bad => None,
    }
}
