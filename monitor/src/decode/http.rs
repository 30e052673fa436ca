//! Recognises the pieces of HTTP/1.1 framing (RFC 9112): start lines, the header fields that say
//! how long a body is, chunk lines. It keeps no bytes beyond a line that is cut, and emits nothing.

use memchr::memchr;
use zeroize::Zeroizing;

use super::{Part, content};
use crate::limits::{
    CONTENT_CODINGS_MAX, HTTP_CHUNK_LINE_BYTES_MAX, HTTP_HEAD_BYTES_MAX, HTTP_LINE_KEPT_BYTES_MAX,
    HTTP_START_LINE_BYTES_MAX,
};

/// Longest method that is recognised; the longest registered with IANA is `UPDATEREDIRECTREF`.
const METHOD_BYTES_MAX: usize = 32;
/// Empty lines before a start line that are skipped (RFC 9112 section 2.2 asks for one), in bytes.
const EMPTY_LINES_BYTES_MAX: usize = 4;
/// Digits of a chunk size, as agreed with the kernel's prefilter.
const CHUNK_SIZE_DIGITS_MAX: usize = 8;

/// Which way messages go. A flow is one direction of a connection, so it has one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

impl Kind {
    pub(super) fn head(self) -> Part {
        match self {
            Kind::Request => Part::HttpRequestHead,
            Kind::Response => Part::HttpResponseHead,
        }
    }

    pub(super) fn body(self) -> Part {
        match self {
            Kind::Request => Part::HttpRequestBody,
            Kind::Response => Part::HttpResponseBody,
        }
    }

    pub(super) fn trailer(self) -> Part {
        match self {
            Kind::Request => Part::HttpRequestTrailer,
            Kind::Response => Part::HttpResponseTrailer,
        }
    }
}

/// What bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// A start line after `skip` bytes of empty lines. `status` is 0 for a request.
    Line { kind: Kind, status: u16, skip: usize },
    /// So far what may become one.
    Cut,
    /// Something else.
    Other,
}

/// Tells whether bytes begin with a request line or a status line (RFC 9112 sections 3 and 4).
/// Strict, since it is also asked about the middle of bodies: the version must be there, and for a
/// request also the end of the line.
pub(super) fn start(bytes: impl Iterator<Item = u8>) -> Start {
    let mut bytes = bytes.peekable();
    let mut skip = 0;
    while skip < EMPTY_LINES_BYTES_MAX && bytes.next_if(|byte| b"\r\n".contains(byte)).is_some() {
        skip += 1;
    }
    let mut token = [0; METHOD_BYTES_MAX];
    let mut len = 0;
    loop {
        match bytes.next() {
            None => return Start::Cut,
            Some(b' ') => return request(bytes, skip, len),
            Some(b'/') if token.starts_with(b"HTTP\0") => return response(bytes, skip),
            Some(byte) if byte.is_ascii_uppercase() || (len > 0 && b"-_".contains(&byte)) => {
                let Some(slot) = token.get_mut(len) else { return Start::Other };
                *slot = byte;
                len += 1;
            }
            Some(_) => return Start::Other,
        }
    }
}

/// The rest of a request line after the method of `method` bytes and its space.
fn request(mut bytes: impl Iterator<Item = u8>, skip: usize, method: usize) -> Start {
    if method == 0 {
        return Start::Other;
    }
    let mut target = 0;
    loop {
        match bytes.next() {
            None => return Start::Cut,
            Some(b' ') if target > 0 => break,
            Some(0..=b' ' | 0x7f) => return Start::Other,
            Some(_) if target == HTTP_START_LINE_BYTES_MAX => return Start::Other,
            Some(_) => target += 1,
        }
    }
    for expected in b"HTTP/1." {
        match bytes.next() {
            None => return Start::Cut,
            Some(byte) if byte == *expected => {}
            Some(_) => return Start::Other,
        }
    }
    match (bytes.next(), bytes.next()) {
        (Some(b'0'..=b'9'), Some(b'\r' | b'\n')) => {
            Start::Line { kind: Kind::Request, status: 0, skip }
        }
        (None | Some(b'0'..=b'9'), None) => Start::Cut,
        _ => Start::Other,
    }
}

/// The rest of a status line after `HTTP/`.
fn response(mut bytes: impl Iterator<Item = u8>, skip: usize) -> Start {
    let mut status = 0;
    for (at, shape) in b"1.# ###".iter().enumerate() {
        match bytes.next() {
            None => return Start::Cut,
            Some(byte) if byte == *shape => {}
            Some(byte @ b'0'..=b'9') if *shape == b'#' => {
                if at > 3 {
                    status = status * 10 + u16::from(byte - b'0');
                }
            }
            Some(_) => return Start::Other,
        }
    }
    match bytes.next() {
        None => Start::Cut,
        Some(b' ' | b'\r' | b'\n') => Start::Line { kind: Kind::Response, status, skip },
        Some(_) => Start::Other,
    }
}

/// How the end of a body is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    Empty,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked,
    /// The end of the connection, or nothing that could be trusted.
    UntilClose,
}

/// What became of the bytes that a [`Head`] was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadStep {
    /// All are of the head, which goes on.
    More,
    /// So many are of the head, which ends with them.
    End(usize, Framing),
    /// This is no head.
    Bad,
}

/// A head that is being read.
pub(super) struct Head {
    pub(super) kind: Kind,
    status: u16,
    /// Whether the start line is being read, which is not looked at again.
    in_start_line: bool,
    /// Beginning of a line that is cut, at most [`HTTP_LINE_KEPT_BYTES_MAX`].
    line: Zeroizing<Vec<u8>>,
    bytes: usize,
    length: Length,
    coding: Coding,
    /// Codings of the content, in the order in which they were applied.
    content: Vec<content::Coding>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Absent,
    Is(u64),
    /// Not a number, or more than one.
    Bad,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Absent,
    Chunked,
    /// Not chunked, or not chunked last.
    Other,
}

impl Head {
    /// A head whose start line was recognised; it reads on anywhere before that line's end.
    pub(super) fn new(kind: Kind, status: u16) -> Self {
        Head {
            kind,
            status,
            in_start_line: true,
            line: Zeroizing::new(Vec::new()),
            bytes: 0,
            length: Length::Absent,
            coding: Coding::Absent,
            content: Vec::new(),
        }
    }

    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> HeadStep {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (line, _) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1));
            at += line.len();
            self.bytes = self.bytes.saturating_add(line.len());
            if self.bytes > HTTP_HEAD_BYTES_MAX {
                return HeadStep::Bad;
            }
            let Some(line) = line.strip_suffix(b"\n") else {
                self.keep(line);
                return HeadStep::More;
            };
            if self.line.is_empty() {
                match self.field(line) {
                    Field::Read => {}
                    Field::None => return HeadStep::End(at, self.framing()),
                    Field::Bad => return HeadStep::Bad,
                }
            } else {
                self.keep(line);
                let whole = std::mem::take(&mut self.line);
                match self.field(&whole) {
                    Field::Read => {}
                    Field::None => return HeadStep::End(at, self.framing()),
                    Field::Bad => return HeadStep::Bad,
                }
            }
        }
        HeadStep::More
    }

    fn keep(&mut self, line: &[u8]) {
        if self.line.capacity() == 0 {
            self.line.reserve_exact(HTTP_LINE_KEPT_BYTES_MAX);
        }
        let room = HTTP_LINE_KEPT_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&line[..line.len().min(room)]);
    }

    /// Reads a line without its LF.
    fn field(&mut self, line: &[u8]) -> Field {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.in_start_line {
            self.in_start_line = false;
            return Field::Read;
        }
        let Some(first) = line.first() else { return Field::None };
        if b" \t".contains(first) {
            // A value that goes on (obsolete line folding, RFC 9112 section 5.2).
            return Field::Read;
        }
        let Some(colon) = memchr(b':', line) else { return Field::Bad };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-length") {
            for item in value.split(|byte| *byte == b',') {
                self.length = match (self.length, decimal(item.trim_ascii())) {
                    (Length::Absent, Some(length)) => Length::Is(length),
                    (Length::Is(before), Some(length)) if before == length => Length::Is(length),
                    _ => Length::Bad,
                };
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            let chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            self.coding = if chunked { Coding::Chunked } else { Coding::Other };
            self.add_codings(value);
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            self.add_codings(value);
        }
        Field::Read
    }

    fn add_codings(&mut self, value: &[u8]) {
        let names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let room = (CONTENT_CODINGS_MAX + 1).saturating_sub(self.content.len());
        self.content.extend(names.filter_map(content::Coding::named).take(room));
    }

    /// Codings of the content, in the order in which they were applied.
    pub(super) fn codings(&self) -> &[content::Coding] {
        &self.content
    }

    fn framing(&self) -> Framing {
        if matches!(self.status, 100..=199 | 204 | 304) {
            return Framing::Empty;
        }
        match (self.coding, self.length) {
            (Coding::Chunked, _) => Framing::Chunked,
            (Coding::Other, _) | (_, Length::Bad) => Framing::UntilClose,
            (Coding::Absent, Length::Is(0)) => Framing::Empty,
            (Coding::Absent, Length::Is(length)) => Framing::Length(length),
            (Coding::Absent, Length::Absent) => match self.kind {
                Kind::Request => Framing::Empty,
                Kind::Response => Framing::UntilClose,
            },
        }
    }
}

enum Field {
    Read,
    /// The empty line that ends the head.
    None,
    Bad,
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What bytes of chunk framing are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkLine {
    /// A line of `len` bytes, for a chunk of `size` bytes.
    Line { len: usize, size: u64, extension: bool },
    /// So far what may become one.
    Cut { extension: bool },
    /// Something else.
    Bad,
}

/// Reads the line before a chunk's data (RFC 9112 section 7.1), with the CRLF that ends the chunk
/// before it where `after_data`.
pub(super) fn chunk_line(bytes: impl Iterator<Item = u8>, after_data: bool) -> ChunkLine {
    let mut bytes = bytes.take(HTTP_CHUNK_LINE_BYTES_MAX + 1).enumerate();
    let cut = |extension| ChunkLine::Cut { extension };
    if after_data {
        for expected in b"\r\n" {
            match bytes.next() {
                None => return cut(false),
                Some((_, byte)) if byte == *expected => {}
                Some(_) => return ChunkLine::Bad,
            }
        }
    }
    let (mut size, mut digits, mut extension) = (0_u64, 0, false);
    let at_cr = loop {
        let Some((at, byte)) = bytes.next() else { return cut(extension) };
        let digit = char::from(byte).to_digit(16);
        match (byte, digit) {
            _ if at >= HTTP_CHUNK_LINE_BYTES_MAX => return ChunkLine::Bad,
            (b'\r', _) if digits > 0 => break at,
            (b'\r' | b'\n', _) => return ChunkLine::Bad,
            _ if extension => {}
            (b';', _) if digits > 0 => extension = true,
            (_, Some(digit)) if digits < CHUNK_SIZE_DIGITS_MAX => {
                size = size * 16 + u64::from(digit);
                digits += 1;
            }
            _ => return ChunkLine::Bad,
        }
    };
    match bytes.next() {
        None => cut(extension),
        Some((_, b'\n')) => ChunkLine::Line { len: at_cr + 2, size, extension },
        Some(_) => ChunkLine::Bad,
    }
}
