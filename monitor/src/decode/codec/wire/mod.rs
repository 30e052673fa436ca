//! Protocols whose framing stands between values, or between a value and its name: each message is
//! read as lines of `name: value`. A reading begins where a message does.

mod dns;
mod mysql;
mod postgres;
mod redis;

pub(super) use dns::decode as dns;
pub(super) use mysql::decode as mysql;
pub(super) use postgres::decode as postgres;
pub(super) use redis::decode as redis;

use std::ops::Range;

use super::plausible::text_prefix;
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};
use crate::limits::DECODE_TRY_BYTES;

/// Writes what `messages` makes of the bytes from a start on, where that is anything. It gives how
/// far it came.
fn read(
    source: &Source<'_>,
    made: &mut Made<'_>,
    starts: &[usize],
    messages: impl Fn(&[u8], usize, &mut Rendering<'_>) -> usize,
) {
    for start in starts {
        if !made.work(DECODE_TRY_BYTES.min(source.bytes.len())) {
            return;
        }
        let mut rendering = Rendering::new(source.bytes, *start, made);
        let end = messages(source.bytes, *start, &mut rendering);
        if !rendering.is_empty() {
            return rendering.add(end, source, made);
        }
    }
}

/// Where messages may begin: with what is new, and with what is there.
fn starts(source: &Source<'_>) -> Vec<usize> {
    if source.fresh == 0 { vec![0] } else { vec![source.fresh, 0] }
}

/// A cursor over bytes of which each may be missing.
struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at)?;
        self.at += 1;
        Some(*byte)
    }

    /// A number of so many bytes, the most significant first.
    fn big(&mut self, bytes: usize) -> Option<u32> {
        (0..bytes).try_fold(0_u32, |number, _| Some((number << 8) | u32::from(self.byte()?)))
    }

    fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        Some(std::mem::replace(&mut self.at, end)..end)
    }

    /// A text that ends with a zero.
    fn text(&mut self) -> Option<Range<usize>> {
        let length = memchr::memchr(0, self.bytes.get(self.at..)?)?;
        let text = self.take(length)?;
        self.at += 1;
        Some(text)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn is_text(&self, range: &Range<usize>) -> bool {
        text_prefix(self.slice(range)) == range.len()
    }
}

/// Writes `name: value`, or the value alone.
fn line(name: Option<&Range<usize>>, value: Range<usize>, rendering: &mut Rendering<'_>) {
    let (start, end) = (value.start, value.end);
    if let Some(name) = name {
        rendering.say_from(name.clone(), start);
        rendering.say(b": ", start);
    }
    rendering.copy(value);
    rendering.say(b"\n", end);
}
