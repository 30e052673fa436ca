//! Follows the frames of one direction of an HTTP/2 connection (RFC 9113): header blocks become
//! lines of `name: value`, data becomes the body of its stream. It does not check that a sender
//! keeps the protocol.

use std::collections::VecDeque;

use super::Part;
use super::body::Body;
use super::content::Coding;
use super::hpack::Hpack;
use super::http::Kind;
use super::run::{Carry, Run};
use super::secret::Secret;
use super::view::LeftOut;
use crate::limits::{HTTP_HEAD_BYTES_MAX, HTTP2_FRAME_BYTES_MAX, HTTP2_STREAMS_MAX};

/// What a client says first (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD_BYTES: usize = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Frames that are looked into (section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;

/// The head of a frame, and how much of the frame is to come.
#[derive(Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    left: usize,
    /// Bytes at the end that are padding; `None` where the byte that says so is to come.
    padding: Option<usize>,
    /// Bytes before the header block that are none of it.
    skip: usize,
}

impl Frame {
    /// The head in `bytes`, where it can be one (section 4.1 and 6).
    fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<Frame> {
        let [a, b, c, kind, flags, d, e, f, g] = *bytes;
        let left = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = u32::from_be_bytes([d, e, f, g]);
        let known = match kind {
            DATA => stream > 0 && flags & !(END_STREAM | PADDED) == 0,
            HEADERS => stream > 0 && flags & !(END_STREAM | END_HEADERS | PADDED | PRIORITY) == 0,
            2 => stream > 0 && left == 5,
            3 => stream > 0 && left == 4,
            SETTINGS => {
                stream == 0
                    && left.is_multiple_of(6)
                    && flags & !1 == 0
                    && (flags == 0 || left == 0)
            }
            PUSH_PROMISE => stream > 0 && left >= 4 && flags & !(END_HEADERS | PADDED) == 0,
            6 => stream == 0 && left == 8 && flags & !1 == 0,
            7 => stream == 0 && left >= 8,
            8 => left == 4 && flags == 0,
            CONTINUATION => stream > 0 && flags & !END_HEADERS == 0,
            // Of later RFCs: ALTSVC, ORIGIN, PRIORITY_UPDATE.
            10 | 12 | 16 => true,
            _ => false,
        };
        let padded = flags & PADDED != 0 && matches!(kind, DATA | HEADERS | PUSH_PROMISE);
        let skip = match kind {
            HEADERS if flags & PRIORITY != 0 => 5,
            PUSH_PROMISE => 4,
            _ => 0,
        };
        let padding = if padded { None } else { Some(0) };
        (known && stream >> 31 == 0 && left <= HTTP2_FRAME_BYTES_MAX).then_some(Frame {
            kind,
            flags,
            stream,
            left,
            padding,
            skip,
        })
    }
}

/// Whether bytes at the start of a send are frames: a first one that only HTTP/2 has, or two.
pub(super) fn begins(bytes: &[u8]) -> bool {
    if bytes.starts_with(PREFACE) {
        return true;
    }
    let frame = |bytes: &[u8]| Frame::parse(bytes.first_chunk()?);
    let Some(first) = frame(bytes) else { return false };
    let rest = bytes.get(HEAD_BYTES.saturating_add(first.left)..);
    match rest {
        Some([]) => first.kind != DATA && first.left > 0,
        Some(rest) => frame(rest).is_some(),
        None => first.kind == SETTINGS && first.left > 0,
    }
}

/// One stream's request or response.
struct Stream {
    id: u32,
    kind: Kind,
    body: Body,
    carry: Carry,
}

/// One direction of a connection.
#[derive(Default)]
pub(super) struct Http2 {
    /// The head of the next frame, as far as it is there.
    head: Vec<u8>,
    frame: Option<Frame>,
    /// The header block that is being collected.
    block: Secret,
    hpack: Hpack,
    /// Streams that are open, those that began last at the end.
    streams: VecDeque<Stream>,
}

impl Http2 {
    /// Reads on; gives how many bytes were frames, all of them unless what follows is none.
    pub(super) fn read(&mut self, bytes: &[u8], run: &mut Run<'_>) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(frame) = self.frame.take() else {
                let taken = rest.len().min(HEAD_BYTES - self.head.len());
                self.head.extend_from_slice(rest.get(..taken).unwrap_or_default());
                if let Some(head) = self.head.first_chunk::<HEAD_BYTES>() {
                    let Some(frame) = Frame::parse(head) else { return at };
                    self.head.clear();
                    at += taken;
                    self.begin(frame);
                } else {
                    at += taken;
                }
                continue;
            };
            let taken = rest.len().min(frame.left);
            let (payload, _) = rest.split_at(taken);
            at += taken;
            self.payload(frame, payload, run);
        }
        at
    }

    /// Whether so many bytes that are missing can be left out of a frame of data.
    pub(super) fn skip(&mut self, missing: usize) -> bool {
        let Some(frame) = self.frame.as_mut().filter(|frame| frame.kind == DATA) else {
            return false;
        };
        if missing >= frame.left {
            return false;
        }
        frame.left -= missing;
        let id = frame.stream;
        self.streams.retain(|stream| stream.id != id);
        true
    }

    fn begin(&mut self, frame: Frame) {
        if frame.left > 0 || matches!(frame.kind, DATA | HEADERS | CONTINUATION) {
            self.frame = Some(frame);
        }
    }

    /// Takes some of a frame, and puts the frame back where more of it is to come.
    fn payload(&mut self, mut frame: Frame, payload: &[u8], run: &mut Run<'_>) {
        let mut rest = payload;
        frame.left -= rest.len().min(frame.left);
        if let (None, Some((length, after))) = (frame.padding, rest.split_first()) {
            frame.padding = Some(usize::from(*length));
            rest = after;
        }
        let skipped = frame.skip.min(rest.len());
        frame.skip -= skipped;
        rest = rest.get(skipped..).unwrap_or_default();
        // Of what is there, the last bytes may be padding.
        let surplus = frame.padding.unwrap_or(0).saturating_sub(frame.left).min(rest.len());
        let (content, _) = rest.split_at(rest.len() - surplus);
        match frame.kind {
            DATA => self.data(frame.stream, content, run),
            HEADERS | PUSH_PROMISE | CONTINUATION
                if self.block.len().saturating_add(content.len()) <= HTTP_HEAD_BYTES_MAX =>
            {
                self.block.extend(content);
            }
            _ => {}
        }
        if frame.left > 0 {
            self.frame = Some(frame);
            return;
        }
        let ends_headers = frame.flags & END_HEADERS != 0;
        if matches!(frame.kind, HEADERS | PUSH_PROMISE | CONTINUATION) && ends_headers {
            self.headers(frame.stream, run);
        }
        if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
            self.end(frame.stream, run);
        }
    }

    fn headers(&mut self, id: u32, run: &mut Run<'_>) {
        let mut lines = Secret::default();
        self.hpack.read(self.block.as_slice(), &mut lines);
        self.block.truncate(0);
        let text = lines.as_slice();
        let (mut codings, mut kind) = (Vec::new(), None);
        for line in text.split(|byte| *byte == b'\n') {
            if line.starts_with(b":method") {
                kind = Some(Kind::Request);
            } else if line.starts_with(b":status") {
                kind = Some(Kind::Response);
            } else if let Some(value) = line.strip_prefix(b"content-encoding: ") {
                let names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                codings.extend(names.filter_map(Coding::named));
            }
        }
        let known = self.streams.iter().position(|stream| stream.id == id);
        let trailer = kind.is_none() && known.is_some();
        let known_kind = known.and_then(|at| self.streams.get(at)).map(|stream| stream.kind);
        let kind = kind.or(known_kind).unwrap_or(Kind::Request);
        run.hand_on(text, 0, if trailer { kind.trailer() } else { kind.head() });
        if trailer {
            return;
        }
        if let Some(at) = known {
            self.streams.remove(at);
        }
        let mut left_out = LeftOut::default();
        let body = Body::new(&codings, &mut left_out);
        self.open(Stream { id, kind, body, carry: Carry::default() }, &mut left_out);
        run.leave_out(left_out);
    }

    /// The stream that began first makes room.
    fn open(&mut self, stream: Stream, left_out: &mut LeftOut) {
        if self.streams.len() >= HTTP2_STREAMS_MAX {
            self.streams.pop_front();
            left_out.views += 1;
        }
        self.streams.push_back(stream);
    }

    fn data(&mut self, id: u32, content: &[u8], run: &mut Run<'_>) {
        let mut left_out = LeftOut::default();
        if !self.streams.iter().any(|stream| stream.id == id) {
            let (kind, body, carry) = (Kind::Request, Body::Plain, Carry::default());
            self.open(Stream { id, kind, body, carry }, &mut left_out);
        }
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            let Stream { kind, body, carry, .. } = stream;
            let part = kind.body();
            let rest =
                body.read(content, &mut left_out, &mut |text| joined(text, carry, part, run));
            joined(rest, carry, part, run);
        }
        run.leave_out(left_out);
    }

    fn end(&mut self, id: u32, run: &mut Run<'_>) {
        if let Some(at) = self.streams.iter().position(|stream| stream.id == id)
            && let Some(mut stream) = self.streams.remove(at)
        {
            let part = stream.kind.body();
            stream.body.end(&mut |text| joined(text, &mut stream.carry, part, run));
        }
    }
}

/// Hands on content with what of the same stream came before it.
fn joined(content: &[u8], carry: &mut Carry, part: Part, run: &mut Run<'_>) {
    if content.is_empty() {
        return;
    }
    let fresh = carry.bytes().len();
    let mut text = Secret::with_capacity(fresh + content.len());
    text.extend(carry.bytes());
    text.extend(content);
    run.hand_on(text.as_slice(), fresh, part);
    carry.keep(text.as_slice());
}
