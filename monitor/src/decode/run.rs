//! Collects the bytes of one message part within a feed into one text, and keeps the last of them
//! for the next feed. Copies only what does not lie in one piece. It does not know what the bytes
//! mean.

use std::ops::Range;

use zeroize::{Zeroize, Zeroizing};

use super::body::Body;
use super::content::Coding;
use super::view::LeftOut;
use super::{Part, Text};
use crate::limits::{CONTENT_TEXT_BYTES_MAX, FLOW_CARRY_BYTES_MAX, HTTP_CHUNK_LINE_BYTES_MAX};

/// The last bytes of a part that may go on in the next feed.
#[derive(Default)]
pub(super) struct Carry(Zeroizing<Vec<u8>>);

impl Carry {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps the last bytes of `text`.
    pub(super) fn keep(&mut self, text: &[u8]) {
        if self.0.capacity() == 0 {
            // Once and whole: a vector that grows leaves copies that nobody wipes.
            self.0.reserve_exact(FLOW_CARRY_BYTES_MAX);
        }
        let (_, kept) = text.split_at(text.len().saturating_sub(FLOW_CARRY_BYTES_MAX));
        self.0.clear();
        self.0.extend_from_slice(kept);
    }

    /// Keeps only the last `len` bytes.
    pub(super) fn truncate_front(&mut self, len: usize) {
        let surplus = self.0.len().saturating_sub(len);
        self.0.drain(..surplus);
    }
}

/// What is kept of a flow's text between two feeds.
#[derive(Default)]
pub(super) struct Kept {
    carry: Carry,
    body: Body,
    /// What was not decoded: of few flows anything.
    pub(super) left_out: Option<Box<LeftOut>>,
}

impl Kept {
    /// The last bytes of the text.
    pub(super) fn bytes(&self) -> &[u8] {
        self.carry.bytes()
    }

    /// Something was not decoded.
    pub(super) fn leave_out(&mut self, left_out: LeftOut) {
        if left_out != LeftOut::default() {
            self.left_out.get_or_insert_default().add(left_out);
        }
    }
}

/// The run of bytes that is being collected.
pub(super) struct Run<'a> {
    fresh: &'a [u8],
    carry: &'a mut Carry,
    body: &'a mut Body,
    left_out: LeftOut,
    emit: &'a mut dyn FnMut(Text<'_>),
    part: Part,
    /// The run where it lies in one piece in `fresh`, and `joined` is empty.
    whole: Range<usize>,
    /// The run where it does not: carry, then pieces.
    joined: Vec<u8>,
    /// Bytes of `joined` that are carry.
    carried: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        fresh: &'a [u8],
        kept: &'a mut Kept,
        emit: &'a mut dyn FnMut(Text<'_>),
    ) -> Self {
        let Kept { carry, body, .. } = kept;
        let left_out = LeftOut::default();
        let joined = Vec::new();
        let part = Part::Text;
        Run { fresh, carry, body, left_out, emit, part, whole: 0..0, joined, carried: 0 }
    }

    /// A message begins whose content is in these codings.
    pub(super) fn begin_body(&mut self, codings: &[Coding]) {
        *self.body = Body::new(codings, &mut self.left_out);
    }

    /// Adds a range of the fresh bytes that are content: what they stand for.
    pub(super) fn add_body(&mut self, part: Part, range: Range<usize>) {
        let fresh = self.fresh;
        let piece = fresh.get(range.clone()).unwrap_or_default();
        let mut body = std::mem::take(self.body);
        let mut left_out = LeftOut::default();
        let rest = body.read(piece, &mut left_out, &mut |text| self.add_made(part, text));
        self.left_out.add(left_out);
        *self.body = body;
        self.add(part, range.end.saturating_sub(rest.len())..range.end);
    }

    /// Content ends that was to go on.
    pub(super) fn end_body(&mut self, part: Part) {
        let mut body = std::mem::take(self.body);
        body.end(&mut |text| self.add_made(part, text));
    }

    /// Adds bytes that stand nowhere in the fresh ones.
    fn add_made(&mut self, part: Part, piece: &[u8]) {
        if self.joined.len() > CONTENT_TEXT_BYTES_MAX {
            self.flush();
        }
        self.add_kept(part, piece);
    }

    /// The bytes before the run, which it goes on from.
    pub(super) fn carry(&mut self) -> &mut Carry {
        self.carry
    }

    /// Adds a range of the fresh bytes, which must not lie before those added so far. Another part
    /// than before makes a new text, which still goes on from the old one unless there is a
    /// [`Run::boundary`] between.
    pub(super) fn add(&mut self, part: Part, range: Range<usize>) {
        let Some(piece) = self.fresh.get(range.clone()).filter(|piece| !piece.is_empty()) else {
            return;
        };
        self.begin(part);
        if !self.joined.is_empty() {
            self.extend(piece);
        } else if self.whole.is_empty() && self.carry.bytes().is_empty() {
            self.whole = range;
        } else if !self.whole.is_empty() && self.whole.end == range.start {
            self.whole.end = range.end;
        } else {
            self.join(piece);
        }
    }

    /// Adds bytes that came before the fresh ones and were kept back.
    pub(super) fn add_kept(&mut self, part: Part, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.begin(part);
        if self.joined.is_empty() {
            self.join(piece);
        } else {
            self.extend(piece);
        }
    }

    fn extend(&mut self, piece: &[u8]) {
        let needed = self.joined.len().saturating_add(piece.len());
        if needed > self.joined.capacity() {
            // A vector that grows leaves copies behind.
            let mut bigger = Vec::with_capacity(needed.saturating_mul(2));
            bigger.extend_from_slice(&self.joined);
            self.joined.as_mut_slice().zeroize();
            self.joined = bigger;
        }
        self.joined.extend_from_slice(piece);
    }

    /// Emits `bytes` by themselves, as text that nothing joins.
    pub(super) fn aside(&mut self, bytes: &[u8], fresh: usize) {
        (self.emit)(Text { bytes, fresh, part: Part::Text });
    }

    /// Emits `bytes` by themselves, as a part.
    pub(super) fn hand_on(&mut self, bytes: &[u8], fresh: usize, part: Part) {
        if !bytes.is_empty() {
            (self.emit)(Text { bytes, fresh, part });
        }
    }

    /// Something was not decoded.
    pub(super) fn leave_out(&mut self, left_out: LeftOut) {
        self.left_out.add(left_out);
    }

    /// What was not decoded so far.
    pub(super) fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Ends the message part: what comes next is not joined to it.
    pub(super) fn boundary(&mut self) {
        self.flush();
        self.carry.clear();
    }

    /// Emits what was collected.
    pub(super) fn flush(&mut self) {
        let text = if self.joined.is_empty() {
            self.fresh.get(self.whole.clone()).unwrap_or_default()
        } else {
            self.joined.as_slice()
        };
        if text.is_empty() {
            return;
        }
        (self.emit)(Text { bytes: text, fresh: self.carried, part: self.part });
        self.carry.keep(text);
        self.whole = 0..0;
        self.carried = 0;
        // Only what was used: a feed of many small messages must not wipe all the room for each.
        self.joined.as_mut_slice().zeroize();
        self.joined.clear();
    }

    fn begin(&mut self, part: Part) {
        if self.part != part {
            self.flush();
            self.part = part;
        }
    }

    /// Goes over from a run in one piece to one that is copied.
    fn join(&mut self, piece: &[u8]) {
        let before = if self.whole.is_empty() {
            self.carried = self.carry.bytes().len();
            self.carry.bytes()
        } else {
            self.fresh.get(self.whole.clone()).unwrap_or_default()
        };
        // Room for all that this feed can add as it is.
        let room = before.len() + self.fresh.len().max(piece.len()) + 2 * HTTP_CHUNK_LINE_BYTES_MAX;
        self.joined.reserve_exact(room);
        self.joined.extend_from_slice(before);
        self.joined.extend_from_slice(piece);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.joined.zeroize();
    }
}
