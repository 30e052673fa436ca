//! Header compression of HTTP/2 (RFC 7541), read only and tolerant: a flow that is joined in the
//! middle has entries in its table that were not seen, and their fields are told as `?`.

use std::collections::VecDeque;

use httlib_huffman::DecoderSpeed;
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::limits::{HPACK_TABLE_BYTES_MAX, HTTP_HEAD_BYTES_MAX};

/// What an entry counts beside its bytes (RFC 7541 section 4.1).
const ENTRY_BYTES: usize = 32;
/// Size of the table before anybody says otherwise (RFC 9113 section 6.5.2).
const TABLE_BYTES_DEFAULT: usize = 4_096;

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

type Field = (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

/// The table of one direction of a connection.
pub(super) struct Hpack {
    table: VecDeque<Field>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Hpack {
    fn default() -> Self {
        Hpack { table: VecDeque::new(), bytes: 0, bytes_max: TABLE_BYTES_DEFAULT }
    }
}

impl Hpack {
    /// Reads a header block; writes a line for each field. Stops at what is none.
    pub(super) fn read(&mut self, block: &[u8], lines: &mut Secret) {
        let mut rest = block;
        while let Some(first) = rest.first().copied() {
            let Some(after) = self.step(first, rest, lines) else { return };
            rest = after;
        }
    }

    /// Reads one representation (section 6); gives what follows it.
    fn step<'b>(&mut self, first: u8, rest: &'b [u8], lines: &mut Secret) -> Option<&'b [u8]> {
        if first & 0x80 != 0 {
            let (index, rest) = integer(rest, 7)?;
            let (name, value) = self.field(index);
            write(&name, &value, lines);
            return Some(rest);
        }
        if first & 0xe0 == 0x20 {
            let (size, rest) = integer(rest, 5)?;
            self.bytes_max = size.min(HPACK_TABLE_BYTES_MAX);
            self.evict(0);
            return Some(rest);
        }
        let indexed = first & 0x40 != 0;
        let (index, rest) = integer(rest, if indexed { 6 } else { 4 })?;
        let (name, rest) = match index {
            0 => string(rest)?,
            index => (self.field(index).0, rest),
        };
        let (value, rest) = string(rest)?;
        write(&name, &value, lines);
        if indexed {
            self.insert((name, value));
        }
        Some(rest)
    }

    fn field(&self, index: usize) -> Field {
        let at = index.saturating_sub(1);
        if let Some((name, value)) = STATIC.get(at) {
            return (name.as_bytes().to_vec().into(), value.as_bytes().to_vec().into());
        }
        let known = self.table.get(at.saturating_sub(STATIC.len())).cloned();
        known.unwrap_or_else(|| (b"?".to_vec().into(), Vec::new().into()))
    }

    fn insert(&mut self, field: Field) {
        let bytes = field.0.len() + field.1.len() + ENTRY_BYTES;
        self.evict(bytes);
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.table.push_front(field);
        }
    }

    /// Makes room for so many bytes (section 4.4).
    fn evict(&mut self, bytes: usize) {
        while self.bytes.saturating_add(bytes) > self.bytes_max {
            let Some((name, value)) = self.table.pop_back() else { return };
            self.bytes = self.bytes.saturating_sub(name.len() + value.len() + ENTRY_BYTES);
        }
    }
}

fn write(name: &[u8], value: &[u8], lines: &mut Secret) {
    if lines.len().saturating_add(name.len() + value.len()) <= HTTP_HEAD_BYTES_MAX {
        lines.extend(name);
        lines.extend(b": ");
        lines.extend(value);
        lines.extend(b"\r\n");
    }
}

/// An integer with a prefix of so many bits (section 5.1), and what follows it.
fn integer(bytes: &[u8], prefix: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let full = (1_u8 << prefix) - 1;
    let mut number = usize::from(first & full);
    if number < usize::from(full) {
        return Some((number, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first()?;
        rest = after;
        number = number.checked_add(usize::from(byte & 0x7f) << shift)?;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

/// A string (section 5.2), and what follows it.
fn string(bytes: &[u8]) -> Option<(Zeroizing<Vec<u8>>, &[u8])> {
    let huffman = bytes.first()? & 0x80 != 0;
    let (length, rest) = integer(bytes, 7)?;
    let (string, rest) = rest.split_at_checked(length)?;
    if !huffman {
        return Some((string.to_vec().into(), rest));
    }
    // The shortest code has five bits.
    let mut decoded = Zeroizing::new(Vec::with_capacity(length.saturating_mul(8).div_ceil(5) + 1));
    httlib_huffman::decode(string, &mut decoded, DecoderSpeed::FourBits).ok()?;
    Some((decoded, rest))
}
