//! Chunk framing (RFC 9112 section 7.1) in text whose head was not seen. Where it was,
//! [`crate::decode::Decoder`] has taken the framing off.

use memchr::memchr;

use super::escape::{Escape, undo};
use crate::decode::http::{ChunkLine, chunk_line};
use crate::decode::tree::{Made, Source};

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    undo(
        source,
        made,
        |rest| memchr(b'\r', rest),
        |bytes, at| match chunk_line(bytes.get(at..)?.iter().copied(), true) {
            ChunkLine::Line { len, .. } => Some(Escape::nothing(len)),
            ChunkLine::Cut { .. } | ChunkLine::Bad => None,
        },
    );
}
