//! Follows the bytes of one flow through its HTTP/1.1 messages (RFC 9112) and emits each part as
//! text; what is HTTP/2 it leaves to [`super::http2`]. It sees one direction of a connection and may join it anywhere; whatever it cannot place
//! is [`Part::Text`], and no byte but the framing of chunks is left out.

use zeroize::Zeroizing;

use super::http::{ChunkLine, Framing, Head, HeadStep, Kind, Start, chunk_line, start};
use super::http2::{self, Http2};
use super::run::{Kept, Run};
use super::{LeftOut, Part, Text};
use crate::limits::{FLOW_CARRY_BYTES_MAX, HTTP_CHUNK_LINE_BYTES_MAX, HTTP_HEAD_BYTES_MAX};
use crate::reassemble::{Gap, Reader};

/// Decodes one flow. A new one is at the start of a message, or joins in the middle.
#[derive(Default)]
pub struct Decoder {
    state: State,
    kept: Kept,
}

enum State {
    /// Before a message, or in bytes that were not understood: a message begins where a start line
    /// stands at the beginning of a send, or right after a message. The last `cut` bytes of the
    /// carry may be the beginning of one.
    Between {
        cut: usize,
    },
    /// In bytes that were not understood, to the end of this feed.
    Text,
    Head(Box<Head>),
    /// In the frames of HTTP/2.
    Http2(Box<Http2>),
    /// So many bytes of a body to come; `begun` once some were there.
    Length {
        kind: Kind,
        left: u64,
        begun: bool,
    },
    UntilClose {
        kind: Kind,
        begun: bool,
    },
    /// So many bytes of a chunk to come.
    Chunk {
        kind: Kind,
        left: u64,
    },
    /// In the framing before a chunk, of which `kept` is what came in earlier feeds.
    ChunkLine {
        kind: Kind,
        after_data: bool,
        kept: Zeroizing<Vec<u8>>,
    },
    /// After the last chunk: so many bytes in all, and so many on this line.
    Trailer {
        kind: Kind,
        bytes: usize,
        line: usize,
    },
}

impl Default for State {
    fn default() -> Self {
        State::Between { cut: 0 }
    }
}

impl State {
    fn chunk_line(kind: Kind, after_data: bool) -> State {
        State::ChunkLine { kind, after_data, kept: Zeroizing::new(Vec::new()) }
    }

    /// The state after `missing` bytes that were not seen, where there is no doubt about it.
    fn after_gap(self, missing: u64) -> State {
        match self {
            State::Length { kind, left, .. } if missing < left => {
                State::Length { kind, left: left - missing, begun: true }
            }
            State::Chunk { kind, left } if missing < left => {
                State::Chunk { kind, left: left - missing }
            }
            State::Chunk { kind, left } if missing == left => State::chunk_line(kind, true),
            State::UntilClose { kind, .. } => State::UntilClose { kind, begun: true },
            State::Http2(mut http2) => match usize::try_from(missing) {
                Ok(missing) if http2.skip(missing) => State::Http2(http2),
                _ => State::default(),
            },
            _ => State::default(),
        }
    }

    /// The part whose content is being read.
    fn body(&self) -> Option<Part> {
        match self {
            State::Length { kind, .. }
            | State::UntilClose { kind, .. }
            | State::Chunk { kind, .. }
            | State::ChunkLine { kind, .. } => Some(kind.body()),
            State::Between { .. }
            | State::Text
            | State::Head(_)
            | State::Http2(_)
            | State::Trailer { .. } => None,
        }
    }

    /// Hands on what was kept back as framing, where it turns out that nobody can tell.
    fn give_up(&self, run: &mut Run<'_>) {
        if let State::ChunkLine { kept, .. } = self {
            run.add_kept(Part::Text, kept);
        }
    }

    /// Whether a send, which begins in a body, begins with the next message: the body was shorter
    /// than its head said, or its end was lost. Within a chunk a start line is content: nobody goes
    /// on sending after a chunk of the wrong size.
    fn is_cut_short(&self, fresh: &[u8]) -> bool {
        let kind = match self {
            // Where a message begins right after the body, the length was right, and what stands
            // before it, such as the `A` of `APOST / HTTP/1.1`, is body.
            State::Length { left, .. } if starts(None, skip(fresh, *left)) => return false,
            State::Length { kind, .. }
            | State::UntilClose { kind, .. }
            | State::ChunkLine { kind, .. }
            | State::Trailer { kind, .. } => *kind,
            State::Between { .. }
            | State::Text
            | State::Head(_)
            | State::Http2(_)
            | State::Chunk { .. } => return false,
        };
        starts(Some(kind), fresh)
    }
}

impl Decoder {
    /// Takes in bytes that lie to those before as `gap` says, and emits what they are. Each byte
    /// that is not chunk framing is in some text at or after its `fresh`.
    pub fn feed(&mut self, fresh: &[u8], gap: Gap, emit: &mut dyn FnMut(Text<'_>)) {
        if fresh.is_empty() && gap == Gap::None {
            return;
        }
        let mut run = Run::new(fresh, &mut self.kept, emit);
        let mut state = cross(std::mem::take(&mut self.state), gap, &mut run);
        if state.is_cut_short(fresh) {
            if let Some(part) = state.body() {
                run.end_body(part);
            }
            state.give_up(&mut run);
            state = State::default();
        }
        let mut at = 0;
        while let Some(rest) = fresh.get(at..).filter(|rest| !rest.is_empty()) {
            let (taken, next) = step(state, rest, at, &mut run);
            at += taken;
            state = next;
        }
        run.flush();
        let left_out = run.left_out();
        drop(run);
        self.kept.leave_out(left_out);
        self.state = match state {
            State::Text => State::default(),
            state => state,
        };
    }
}

impl Decoder {
    /// What of the flow was not decoded, for want of room, since this was last asked.
    pub fn take_left_out(&mut self) -> LeftOut {
        self.kept.left_out.take().map_or_else(LeftOut::default, |left_out| *left_out)
    }
}

impl Reader for Decoder {
    fn kept(&self) -> &[u8] {
        self.kept.bytes()
    }
}

/// Goes over a gap: nothing is joined across it.
fn cross(state: State, gap: Gap, run: &mut Run<'_>) -> State {
    let state_body = state.body();
    let next = match gap {
        Gap::None | Gap::Bytes(0) => return state,
        Gap::Bytes(missing) => {
            state.give_up(run);
            state.after_gap(missing)
        }
        Gap::Unknown => {
            state.give_up(run);
            State::default()
        }
    };
    if let Some(part) = state_body {
        run.end_body(part);
    }
    run.boundary();
    next
}

/// Takes some of `rest`, which begins at `at` in the feed and is not empty. Takes at least one byte
/// or comes to a state that does.
fn step(state: State, rest: &[u8], at: usize, run: &mut Run<'_>) -> (usize, State) {
    match state {
        State::Between { cut } => between(cut, rest, at, run),
        State::Text => {
            run.add(Part::Text, at..at + rest.len());
            (rest.len(), State::Text)
        }
        State::Head(head) => read_head(head, rest, at, run),
        State::Http2(mut http2) => match http2.read(rest, run) {
            taken if taken == rest.len() => (taken, State::Http2(http2)),
            taken => (taken, State::Text),
        },
        State::Length { kind, begun: false, .. } | State::UntilClose { kind, begun: false }
            if kind == Kind::Response && starts(Some(kind), rest) =>
        {
            // The response to a HEAD request says how long the body would be, and has none.
            (0, State::default())
        }
        State::Length { kind, left, .. } => {
            let taken = shorter(left, rest);
            run.add_body(kind.body(), at..at + taken);
            match left - taken as u64 {
                0 => {
                    run.end_body(kind.body());
                    (taken, State::default())
                }
                left => (taken, State::Length { kind, left, begun: true }),
            }
        }
        State::UntilClose { kind, .. } => {
            run.add_body(kind.body(), at..at + rest.len());
            (rest.len(), State::UntilClose { kind, begun: true })
        }
        State::Chunk { kind, left } => {
            let taken = shorter(left, rest);
            run.add_body(kind.body(), at..at + taken);
            match left - taken as u64 {
                0 => (taken, State::chunk_line(kind, true)),
                left => (taken, State::Chunk { kind, left }),
            }
        }
        State::ChunkLine { kind, after_data, kept } => {
            read_chunk_line(kind, after_data, kept, rest, run)
        }
        State::Trailer { kind, bytes, line } => read_trailer(kind, bytes, line, rest, at, run),
    }
}

/// Whether bytes begin with a start line, of this kind if any is asked for, and no empty lines.
fn starts(kind: Option<Kind>, bytes: &[u8]) -> bool {
    match start(bytes.iter().copied()) {
        Start::Line { kind: found, skip: 0, .. } => kind.is_none_or(|kind| kind == found),
        _ => false,
    }
}

fn skip(bytes: &[u8], len: u64) -> &[u8] {
    usize::try_from(len).ok().and_then(|len| bytes.get(len..)).unwrap_or_default()
}

fn shorter(left: u64, rest: &[u8]) -> usize {
    usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()))
}

/// Looks for a start line in the last `cut` bytes of the carry and `rest`.
///
/// Until it is sure, the bytes are text that goes on from what was before: nothing may be lost
/// where a send happens to begin like a request.
fn between(cut: usize, rest: &[u8], at: usize, run: &mut Run<'_>) -> (usize, State) {
    if cut == 0 && http2::begins(rest) {
        run.boundary();
        let skip = if rest.starts_with(http2::PREFACE) { http2::PREFACE.len() } else { 0 };
        return (skip, State::Http2(Box::default()));
    }
    let carry = run.carry().bytes();
    let before = carry.get(carry.len().saturating_sub(cut)..).unwrap_or_default();
    match start(before.iter().chain(rest).copied()) {
        Start::Line { kind, status, skip } => {
            run.flush();
            run.carry().truncate_front(cut);
            let skip = skip.saturating_sub(cut);
            run.add(kind.head(), at..at + skip);
            (skip, State::Head(Box::new(Head::new(kind, status))))
        }
        Start::Cut if cut + rest.len() <= FLOW_CARRY_BYTES_MAX => {
            run.add(Part::Text, at..at + rest.len());
            (rest.len(), State::Between { cut: cut + rest.len() })
        }
        // What was before is no start line; it may still stand at the beginning of this send.
        _ if cut > 0 => (0, State::default()),
        _ => (0, State::Text),
    }
}

fn read_head(mut head: Box<Head>, rest: &[u8], at: usize, run: &mut Run<'_>) -> (usize, State) {
    let kind = head.kind;
    match head.read(rest) {
        HeadStep::More => {
            run.add(kind.head(), at..at + rest.len());
            (rest.len(), State::Head(head))
        }
        HeadStep::End(len, framing) => {
            run.add(kind.head(), at..at + len);
            let next = match framing {
                Framing::Empty => return (len, State::default()),
                Framing::Length(left) => State::Length { kind, left, begun: false },
                Framing::Chunked => State::chunk_line(kind, false),
                Framing::UntilClose => State::UntilClose { kind, begun: false },
            };
            run.boundary();
            run.begin_body(head.codings());
            (len, next)
        }
        HeadStep::Bad => (0, State::Text),
    }
}

fn read_chunk_line(
    kind: Kind,
    after_data: bool,
    mut kept: Zeroizing<Vec<u8>>,
    rest: &[u8],
    run: &mut Run<'_>,
) -> (usize, State) {
    match chunk_line(kept.iter().chain(rest).copied(), after_data) {
        ChunkLine::Line { len, size, extension } => {
            let taken = len.saturating_sub(kept.len()).min(rest.len());
            if extension {
                emit_extension(&mut kept, &rest[..taken], run);
            }
            match size {
                0 => {
                    run.end_body(kind.body());
                    run.boundary();
                    (taken, State::Trailer { kind, bytes: 0, line: 0 })
                }
                left => (taken, State::Chunk { kind, left }),
            }
        }
        ChunkLine::Cut { extension } => {
            if extension {
                emit_extension(&mut kept, rest, run);
            } else {
                keep(&mut kept, rest);
            }
            (rest.len(), State::ChunkLine { kind, after_data, kept })
        }
        ChunkLine::Bad => {
            run.add_kept(Part::Text, &kept);
            (0, State::Text)
        }
    }
}

/// Emits a line with a chunk extension by itself: it is no content, but a value can hide in it.
fn emit_extension(kept: &mut Zeroizing<Vec<u8>>, rest: &[u8], run: &mut Run<'_>) {
    let fresh = kept.len();
    keep(kept, rest);
    run.aside(kept, fresh);
}

fn keep(kept: &mut Zeroizing<Vec<u8>>, rest: &[u8]) {
    if kept.capacity() == 0 {
        kept.reserve_exact(HTTP_CHUNK_LINE_BYTES_MAX);
    }
    let room = HTTP_CHUNK_LINE_BYTES_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(&rest[..rest.len().min(room)]);
}

/// Reads fields up to the empty line that ends them, mostly none.
fn read_trailer(
    kind: Kind,
    bytes: usize,
    line: usize,
    rest: &[u8],
    at: usize,
    run: &mut Run<'_>,
) -> (usize, State) {
    if bytes > HTTP_HEAD_BYTES_MAX {
        return (0, State::Text);
    }
    let taken = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |lf| lf + 1);
    let (now, _) = rest.split_at(taken);
    let content = now.iter().filter(|byte| !b"\r\n".contains(byte)).count();
    if bytes > 0 || content > 0 {
        run.add(kind.trailer(), at..at + taken);
    }
    let bytes = if content > 0 { bytes.saturating_add(taken) } else { bytes };
    match (now.ends_with(b"\n"), line + content) {
        (true, 0) => {
            run.boundary();
            (taken, State::default())
        }
        (true, _) => (taken, State::Trailer { kind, bytes, line: 0 }),
        (false, line) => (taken, State::Trailer { kind, bytes, line }),
    }
}
