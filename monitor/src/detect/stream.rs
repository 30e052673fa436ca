//! Finds values in a text that comes in pieces, the same as if it came whole: a value is told once
//! no byte that may still come can change what is said of it. It keeps a bounded window of the
//! text, and decodes nothing.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Engine, Hit, Table, TableOf};
use crate::limits::{WINDOW_HELD_BYTES, WINDOW_STEP_BYTES};

/// The part of a text that is looked at, and how far it is decided what is in it.
///
/// What a detector says of a value depends on at most [`WINDOW_HELD_BYTES`] before and behind its
/// first byte: so much is held back undecided, and so much of what is decided is kept.
pub struct Window {
    buffer: Zeroizing<Vec<u8>>,
    /// Offset in the text of the first byte of the buffer.
    base: u64,
    /// Offset in the buffer up to which it is decided.
    decided: usize,
}

impl Default for Window {
    fn default() -> Window {
        // Once and whole: a vector that grows leaves copies that nobody wipes.
        let room = 2 * WINDOW_HELD_BYTES + WINDOW_STEP_BYTES;
        Window { buffer: Zeroizing::new(Vec::with_capacity(room)), base: 0, decided: 0 }
    }
}

impl Window {
    /// Takes in as much of `piece` as there is room for, and gives the rest.
    pub fn fill<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let room = self.buffer.capacity().saturating_sub(self.buffer.len());
        let (taken, rest) = piece.split_at(piece.len().min(room));
        self.buffer.extend_from_slice(taken);
        rest
    }

    /// Whether it is full, so that something must be decided before more is taken in.
    pub fn is_full(&self) -> bool {
        self.buffer.len() == self.buffer.capacity()
    }

    /// The bytes that are looked at.
    pub fn text(&self) -> &[u8] {
        &self.buffer
    }

    /// Offset in the whole text of the first of these bytes.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The range of the bytes of which is now decided what is in them, given the spans of what was
    /// found, in order and apart. `last` where the text ends here.
    pub fn decide(
        &mut self,
        last: bool,
        spans: impl Iterator<Item = Range<usize>>,
    ) -> Range<usize> {
        let held = if last { 0 } else { WINDOW_HELD_BYTES };
        let mut end = self.buffer.len().saturating_sub(held);
        if !last {
            // What goes on beyond is told when its end is.
            let mut spans = spans.skip_while(|span| span.end <= end);
            end = spans.next().map_or(end, |span| end.min(span.start));
        }
        let from = self.decided;
        self.decided = end.max(from);
        from..self.decided
    }

    /// Forgets what no decision depends on any more.
    pub fn forget(&mut self) {
        let gone = self.decided.saturating_sub(WINDOW_HELD_BYTES);
        self.buffer.drain(..gone);
        self.base += gone as u64;
        self.decided -= gone;
    }
}

/// Finds values in a text that comes in pieces.
pub struct Stream<'e> {
    engine: &'e Engine,
    window: Window,
    table: Option<Table>,
    hits: Vec<Hit>,
    cut: usize,
}

impl<'e> Stream<'e> {
    /// Before the first piece.
    pub fn new(engine: &'e Engine) -> Stream<'e> {
        Stream { engine, window: Window::default(), table: None, hits: Vec::new(), cut: 0 }
    }

    /// Takes in the next piece. Calls `emit` with each hit that is decided and the offset in the
    /// whole text from which its offsets count.
    pub fn push(&mut self, piece: &[u8], emit: &mut dyn FnMut(u64, &Hit)) {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = self.window.fill(rest);
            if self.window.is_full() {
                self.look(false, emit);
            }
        }
    }

    /// Ends the text. Gives how many candidates were left out for want of room.
    pub fn finish(mut self, emit: &mut dyn FnMut(u64, &Hit)) -> usize {
        self.look(true, emit);
        self.cut
    }

    fn look(&mut self, last: bool, emit: &mut dyn FnMut(u64, &Hit)) {
        self.hits.clear();
        let text = self.window.text();
        let table = self.table.get_or_insert_with(|| self.engine.table(text));
        let table = TableOf { table, goes_on: self.window.base() > 0 };
        self.cut += self.engine.find_in(text, table, &mut self.hits);
        let decided = self.window.decide(last, self.hits.iter().map(|hit| hit.start..hit.end));
        let base = self.window.base();
        for hit in self.hits.iter().filter(|hit| decided.contains(&hit.start)) {
            emit(base, hit);
        }
        self.window.forget();
    }
}
