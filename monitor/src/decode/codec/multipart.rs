//! Parts of a multipart body (RFC 7578, RFC 2046 section 5.1), each read as `name: value`, since the
//! name stands in a header field where nobody who looks for a key would see it. Of a part that is
//! long the beginning is read so; all of it stands in the body as it is.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};
use crate::limits::PART_READ_BYTES_MAX;

/// Bytes of the header fields of a part.
const HEAD_BYTES_MAX: usize = 2_048;

/// What each part says that it is. To make a finder takes longer than to search a short text.
static DISPOSITION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"form-data"));

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let bytes = source.bytes;
    // In whatever case the field is written, the names of its parameters are in lower case.
    if DISPOSITION.find(bytes).is_none() {
        return;
    }
    let mut rendering = Rendering::new(bytes, 0, made);
    let mut last = 0;
    for at in DISPOSITION.find_iter(bytes) {
        let Some((name, body)) = part(bytes, at) else { continue };
        last = body.end;
        rendering.copy(name);
        rendering.say(b": ", body.start);
        rendering.copy(body);
        rendering.say(b"\n\n", last);
    }
    if !rendering.is_empty() {
        rendering.add(last, source, made);
    }
}

/// The name and the body of the part in whose header `at` lies.
fn part(bytes: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let rest = bytes.get(at..)?;
    let head = rest.get(..HEAD_BYTES_MAX).unwrap_or(rest);
    let line = head.get(..memchr::memchr(b'\n', head)?)?;
    let name = at + memmem::find(line, b" name=").or(memmem::find(line, b";name="))? + 6;
    let quoted = bytes.get(name) == Some(&b'"');
    let name = name + usize::from(quoted);
    let ends = |byte: &u8| if quoted { *byte == b'"' } else { b"; \r\n".contains(byte) };
    let name = name..name + bytes.get(name..)?.iter().position(ends)?;
    let (end, skip) = match (memmem::find(head, b"\r\n\r\n"), memmem::find(head, b"\n\n")) {
        (Some(end), None) => (end, 4),
        (Some(end), Some(other)) if end < other => (end, 4),
        (_, Some(end)) => (end, 2),
        (None, None) => return None,
    };
    let start = at + end + skip;
    let body = bytes.get(start..)?;
    let body = body.get(..PART_READ_BYTES_MAX).unwrap_or(body);
    let length = memmem::find(body, b"\r\n--").or(memmem::find(body, b"\n--"));
    Some((name, start..start + length.unwrap_or_else(|| last_blank(body))))
}

/// Where a body that is cut off may end without a value being cut.
fn last_blank(body: &[u8]) -> usize {
    if body.len() < PART_READ_BYTES_MAX {
        return body.len();
    }
    body.iter().rposition(u8::is_ascii_whitespace).unwrap_or(0)
}
