//! A text that comes in pieces, of any length and cut anywhere: what goes out is the same for every
//! cut. It holds a window of the text and no more.

use std::ops::Range;

use zeroize::Zeroize;

use super::strike::Strikes;
use super::{Counts, Redactor};
use crate::limits::{
    REDACT_AHEAD_BYTES, REDACT_BEHIND_BYTES, REDACT_BEHIND_LINE_BYTES, REDACT_PIECE_BYTES_MIN,
    REDACT_WINDOW_BYTES,
};

/// One text on its way.
pub struct Stream<'a> {
    redactor: &'a Redactor,
    /// Whether each line goes out before the next comes in.
    by_line: bool,
    window: Vec<u8>,
    /// Bytes of the window that went out.
    written: usize,
    strikes: Strikes,
    counts: Counts,
}

impl<'a> Stream<'a> {
    /// A text that begins. By line, each line is judged by what was before it alone; otherwise also
    /// by [`REDACT_AHEAD_BYTES`] after it.
    pub fn new(redactor: &'a Redactor, by_line: bool) -> Stream<'a> {
        Stream {
            redactor,
            by_line,
            window: Vec::new(),
            written: 0,
            strikes: Strikes::default(),
            counts: Counts::default(),
        }
    }

    /// Takes in the next bytes of the text, and hands out what can be told of it.
    pub fn push(&mut self, mut piece: &[u8], out: &mut dyn FnMut(&[u8])) {
        self.counts.bytes_in += piece.len() as u64;
        while !piece.is_empty() {
            let room = REDACT_WINDOW_BYTES.saturating_sub(self.window.len()).min(piece.len());
            let line = match self.by_line {
                true => memchr::memchr(b'\n', piece.get(..room).unwrap_or_default()),
                false => None,
            };
            let (taken, rest) = piece.split_at(line.map_or(room, |at| at + 1));
            self.take(taken);
            piece = rest;
            if line.is_some() {
                self.write_all(out);
            } else if self.window.len() >= REDACT_WINDOW_BYTES {
                self.write_some(out);
                self.forget();
            }
        }
    }

    /// Ends the text, and hands out the rest of it.
    pub fn finish(mut self, out: &mut dyn FnMut(&[u8])) -> Counts {
        self.write_all(out);
        std::mem::take(&mut self.counts)
    }

    fn take(&mut self, piece: &[u8]) {
        // Once and whole where it is needed: a vector that grows leaves copies that nobody wipes.
        let needed = self.window.len() + piece.len();
        if needed > self.window.capacity() {
            let room = if needed > REDACT_PIECE_BYTES_MIN { REDACT_WINDOW_BYTES } else { needed };
            let mut larger = Vec::with_capacity(room);
            larger.extend_from_slice(&self.window);
            self.window.zeroize();
            self.window = larger;
        }
        self.window.extend_from_slice(piece);
    }

    fn write_all(&mut self, out: &mut dyn FnMut(&[u8])) {
        while self.written < self.window.len() {
            self.write_some_of(true, out);
        }
        // Not for each line: what moves is as much as what is kept.
        if self.window.len() > REDACT_WINDOW_BYTES / 2 {
            self.forget();
        }
    }

    fn write_some(&mut self, out: &mut dyn FnMut(&[u8])) {
        self.write_some_of(false, out);
    }

    /// Writes what can be told of the window; `last` where nothing follows it that counts.
    fn write_some_of(&mut self, last: bool, out: &mut dyn FnMut(&[u8])) {
        let base = self.written.saturating_sub(self.behind());
        let from = self.written - base;
        let mut text = self.window.get(base..).unwrap_or_default();
        let mut whole = last;
        let mut cut = self.strikes.find(self.redactor, text, from);
        // More than can be looked at in one go: less of it.
        while cut > 0 && text.len() > from + REDACT_PIECE_BYTES_MIN {
            let fresh = ((text.len() - from) / 2).max(REDACT_PIECE_BYTES_MIN);
            text = text.get(..from + fresh).unwrap_or(text);
            whole = false;
            cut = self.strikes.find(self.redactor, text, from);
        }
        if cut > 0 {
            self.written = base + text.len();
            strike_out(text, from..text.len(), &mut self.counts, out);
            return;
        }
        let to = if whole {
            text.len()
        } else {
            self.strikes.between(from, text.len().saturating_sub(REDACT_AHEAD_BYTES).max(from + 1))
        };
        Redactor::write(text, from, to, &self.strikes, &mut self.counts, out);
        self.written = base + to;
    }

    /// Bytes before the next that are looked at for what they say about it. By line that is less:
    /// they are looked at for each line. A block of PEM that was begun is looked at whole.
    fn behind(&self) -> usize {
        let most = self.written.saturating_sub(REDACT_BEHIND_BYTES);
        let before = self.window.get(most..self.written).unwrap_or_default();
        let in_block = || {
            let block = memchr::memmem::rfind(before, b"-----BEGIN ");
            block.is_some_and(|at| {
                let block = before.get(at..).unwrap_or_default();
                memchr::memmem::find(block, b"-----END ").is_none()
            })
        };
        if self.by_line && !in_block() { REDACT_BEHIND_LINE_BYTES } else { REDACT_BEHIND_BYTES }
    }

    /// Drops what was written and is too far behind to say something.
    fn forget(&mut self) {
        let gone = self.written.saturating_sub(REDACT_BEHIND_BYTES);
        self.window.drain(..gone);
        self.written -= gone;
    }
}

/// Letters and digits as stars.
fn strike_out(text: &[u8], range: Range<usize>, counts: &mut Counts, out: &mut dyn FnMut(&[u8])) {
    let mut struck = text.get(range).unwrap_or_default().to_vec();
    for byte in &mut struck {
        if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
            *byte = b'*';
        }
    }
    counts.bytes_struck += struck.len() as u64;
    counts.bytes_out += struck.len() as u64;
    out(&struck);
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.window.zeroize();
    }
}
