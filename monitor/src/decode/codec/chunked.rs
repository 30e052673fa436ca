//! Chunk framing (RFC 9112 section 7.1) in text whose head was not seen. Where it was,
//! [`crate::decode::Decoder`] has taken the framing off.

use memchr::memchr;

use super::escape::{Escape, Escapes};
use crate::decode::http::{ChunkLine, chunk_line};

pub(super) const ESCAPES: Escapes = Escapes {
    find: |rest| memchr(b'\r', rest),
    begin: || {
        Box::new(|bytes, at| match chunk_line(bytes.get(at..)?.iter().copied(), true) {
            ChunkLine::Line { len, .. } => Some(Escape::nothing(len)),
            ChunkLine::Cut { .. } | ChunkLine::Bad => None,
        })
    },
    may_be: |_| true,
};
