//! Writes a reading that is put together of pieces of its source and of what a decoder says about
//! them: names of fields, numbers in decimals. Notes where each piece came from.

use std::ops::Range;

use super::map::{BREAK_BYTES, Map};
use super::secret::Secret;
use super::tree::{Child, Made, Source};
use super::view::End;

/// A reading that is being written.
pub(super) struct Rendering<'s> {
    source: &'s [u8],
    bytes: Secret,
    map: Map,
    room: usize,
    full: bool,
}

impl<'s> Rendering<'s> {
    /// A reading of `source`, the first byte of which is about the one at `start`.
    pub(super) fn new(source: &'s [u8], start: usize, made: &Made<'_>) -> Rendering<'s> {
        let (bytes, map) = (Secret::default(), Map::new(8, start));
        Rendering { source, bytes, map, room: made.room(), full: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == 0
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        let needed = self.bytes.len() + bytes + (self.map.len() + 3) * BREAK_BYTES;
        self.full |= needed > self.room;
        !self.full
    }

    /// Takes over a range of the source.
    pub(super) fn copy(&mut self, range: Range<usize>) {
        let bytes = self.source.get(range.clone()).unwrap_or_default();
        if self.has_room(bytes.len()) && !bytes.is_empty() {
            self.map.go_on(self.bytes.len(), range.start, 1);
            self.bytes.extend(bytes);
            self.map.leave_out(self.bytes.len(), range.end);
        }
    }

    /// Writes `text`, which stands for a range of the source.
    pub(super) fn render(&mut self, text: &[u8], range: Range<usize>) {
        if self.has_room(text.len()) {
            self.map.go_on(self.bytes.len(), range.start, 0);
            self.bytes.extend(text);
            self.map.leave_out(self.bytes.len(), range.end);
        }
    }

    /// Writes a range of the source before the byte at `at`, as a name for what follows.
    pub(super) fn say_from(&mut self, range: Range<usize>, at: usize) {
        let text = self.source.get(range).unwrap_or_default();
        self.say(text, at);
    }

    /// Writes `text`, which stands nowhere, before the byte at `at`.
    pub(super) fn say(&mut self, text: &[u8], at: usize) {
        self.render(text, at..at);
    }

    /// Adds the reading.
    pub(super) fn add(mut self, end: usize, source: &Source<'_>, made: &mut Made<'_>) {
        if self.full {
            made.cut();
        }
        self.map.close(end);
        let cut = if self.full { End::Cut } else { End::Whole };
        let end = source.end_at(end, cut);
        made.add(Child { bytes: self.bytes, map: self.map, start: End::Whole, end });
    }
}
