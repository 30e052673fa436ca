//! What the walks of protobuf, MessagePack and CBOR have in common: a cursor over hostile bytes, a
//! path of names, and fields written as `"path": value` lines, so that the key of a value is where
//! the detectors look for it.

mod cbor;
mod msgpack;
mod protobuf;

pub(super) use cbor::decode as cbor;
pub(super) use msgpack::decode as msgpack;
pub(super) use protobuf::decode as protobuf;

use std::ops::Range;

use super::plausible::text_prefix;
use crate::decode::rendering::Rendering;
use crate::limits::{BINARY_DEPTH_MAX, BINARY_FIELDS_MAX};

/// Whether bytes are the beginning of a message with text in it.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    protobuf::walk(bytes, 0, true).is_some()
        || msgpack::walk(bytes, 0, true).is_some()
        || cbor::walk(bytes, 0, true).is_some()
}

/// The least number that is written: what has fewer digits is a count, a flag or an index.
const NUMBER_MIN: u64 = 100_000;
/// Bytes of a name that a path shows.
const NAME_BYTES_MAX: usize = 40;

/// Why a walk ended before the end of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The bytes end in the middle of something.
    Cut,
    /// This is no such message.
    Bad,
}

/// A value in the bytes.
enum Value {
    /// Bytes that may be text.
    Bytes(Range<usize>),
    /// A number, and where it stands.
    Number(u64, Range<usize>),
}

/// Walks over bytes, and collects what is found.
pub(super) struct Walk<'s> {
    bytes: &'s [u8],
    at: usize,
    /// Names from the outermost on: ranges of the bytes, or numbers.
    path: Vec<Name>,
    fields: Vec<(Vec<Name>, Value)>,
    /// Values seen, also those that are not kept.
    seen: usize,
    /// Bytes of text among them.
    text_bytes: usize,
    /// Maps and arrays that are open.
    depth: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Text(Range<usize>),
    Number(u64),
}

impl<'s> Walk<'s> {
    fn new(bytes: &'s [u8], at: usize) -> Walk<'s> {
        Walk { bytes, at, path: Vec::new(), fields: Vec::new(), seen: 0, text_bytes: 0, depth: 0 }
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of so many bytes, the most significant first.
    fn big(&mut self, bytes: usize) -> Result<u64, Stop> {
        (0..bytes).try_fold(0_u64, |number, _| Ok((number << 8) | u64::from(self.byte()?)))
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Takes bytes; what is cut gives what there is, and the next step finds the end.
    fn take(&mut self, length: u64) -> Result<Range<usize>, Stop> {
        let length = usize::try_from(length).map_err(|_| Stop::Bad)?;
        let end = self.at.checked_add(length).ok_or(Stop::Bad)?;
        let range = self.at..end.min(self.bytes.len());
        self.at = range.end;
        Ok(range)
    }

    fn slice(&self, range: &Range<usize>) -> &'s [u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn is_text(&self, range: &Range<usize>) -> bool {
        let bytes = self.slice(range);
        !bytes.is_empty() && text_prefix(bytes) == bytes.len()
    }

    /// Counts a value; a message with too many is cut there.
    fn count(&mut self) -> Result<(), Stop> {
        self.seen += 1;
        if self.seen > BINARY_FIELDS_MAX { Err(Stop::Cut) } else { Ok(()) }
    }

    fn text(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.text_bytes += range.len();
        self.fields.push((self.path.clone(), Value::Bytes(range)));
    }

    fn number(&mut self, number: u64, range: Range<usize>) {
        if number >= NUMBER_MIN {
            self.fields.push((self.path.clone(), Value::Number(number, range)));
        }
    }

    fn enter(&mut self, name: Name) -> Result<(), Stop> {
        if self.path.len() >= BINARY_DEPTH_MAX {
            return Err(Stop::Bad);
        }
        if let Name::Text(range) = &name {
            self.text_bytes += range.len();
        }
        self.path.push(name);
        Ok(())
    }

    /// Writes the fields, one a line.
    fn write(&self, rendering: &mut Rendering<'_>) {
        for (path, value) in &self.fields {
            let at = match value {
                Value::Bytes(range) | Value::Number(_, range) => range.start,
            };
            if !path.is_empty() {
                rendering.say(b"\"", at);
                for (index, name) in path.iter().enumerate() {
                    if index > 0 {
                        rendering.say(b".", at);
                    }
                    match name {
                        Name::Text(range) => {
                            let name = self.slice(range);
                            rendering.say(name.get(..NAME_BYTES_MAX).unwrap_or(name), at);
                        }
                        Name::Number(number) => rendering.say(format!("f{number}").as_bytes(), at),
                    }
                }
                rendering.say(b"\": ", at);
            }
            match value {
                Value::Bytes(range) => rendering.copy(range.clone()),
                Value::Number(number, range) => {
                    rendering.render(number.to_string().as_bytes(), range.clone());
                }
            }
            rendering.say(b"\n", self.at);
        }
    }
}

/// Walks something within something.
fn nested<'s>(
    walk: &mut Walk<'s>,
    inner: impl FnOnce(&mut Walk<'s>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    if walk.depth >= BINARY_DEPTH_MAX {
        return Err(Stop::Bad);
    }
    walk.depth += 1;
    let done = inner(walk);
    walk.depth -= 1;
    done
}
