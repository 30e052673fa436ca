//! The ways to read a text: as it is, and with encodings undone. A view knows where each of its
//! bytes stands in the text, so that the same value found in two views is one. It does not search,
//! and it does not decode: [`super::tree`] does.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroize;

use super::Text;
use super::map::Map;
use super::tree::{Scope, grow};
use crate::limits::ISLAND_EDGE_BYTES;
use crate::model::Confidence;

/// What an end of a view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The end of what was encoded: a value that touches it is whole.
    Whole,
    /// Something followed, or may have, that is not there: a value that touches it may be cut.
    Cut,
    /// The bytes go on, but not in this view: what stands here, another view has whole.
    Edge,
}

/// What was undone for a view.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layers {
    /// Layers, of escapes of several kinds together one.
    pub(super) depth: usize,
    /// Layers of escapes.
    pub(super) escapes: usize,
}

/// A reading of a text. No `Debug`: the bytes may be anybody's.
pub struct View<'a> {
    /// The reading.
    pub bytes: Cow<'a, [u8]>,
    /// What was undone, the outermost layer first: `plain`, `json`, `base64+gzip+json`, …
    pub encoding: Cow<'static, str>,
    /// What its first byte is.
    pub start: End,
    /// What its last byte is.
    pub end: End,
    /// How many layers were undone.
    pub(super) layers: Layers,
    /// Whether there is another with more escapes undone.
    pub(super) alone: bool,
    /// Rows of the decoders that were undone by themselves, the outermost first.
    pub(super) lineage: Vec<u8>,
    /// Where bytes came from, the outermost layer first.
    pub(super) maps: Vec<Arc<Map>>,
}

impl View<'_> {
    /// The offset in the text of the byte at `offset`. One past the end of the view gives one past
    /// the end of what it was read from.
    pub fn source(&self, offset: usize) -> usize {
        self.maps.iter().rev().fold(offset, |offset, map| map.start(offset))
    }

    /// The range of the text that a range of the view was read from: whole escapes, and no chunk
    /// framing before or after it. Of compressed bytes it is all that was decompressed together.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        let end = self.maps.iter().rev().fold(range.end, |offset, map| map.end(offset));
        self.source(range.start)..end
    }

    /// Whether it is made of the fields of protobuf messages, a line each, which have numbers and no
    /// names.
    pub fn has_fields(&self) -> bool {
        self.encoding.ends_with("protobuf")
    }

    /// Whether a value is to be left to another view, which has it with all that is around it.
    pub fn is_at_edge(&self, range: &Range<usize>) -> bool {
        let before = range.start < ISLAND_EDGE_BYTES;
        let after = range.end.saturating_add(ISLAND_EDGE_BYTES) > self.bytes.len();
        (self.start == End::Edge && before) || (self.end == End::Edge && after)
    }

    /// Whether a value may go on where the view does not.
    pub fn is_partial(&self, range: &Range<usize>) -> bool {
        (self.start == End::Cut && range.start == 0)
            || (self.end == End::Cut && range.end >= self.bytes.len())
    }

    /// What is said of a hit in this view: a value that is cut here is partial, and no more than
    /// likely. The end of a region that was decoded whole is the end of the value.
    pub fn judge(
        &self,
        range: &Range<usize>,
        confidence: Confidence,
        touches: bool,
    ) -> (Confidence, bool) {
        let cut = self.is_partial(range);
        let most = if cut { Confidence::Medium } else { Confidence::High };
        (confidence.min(most), cut || (touches && self.maps.is_empty()))
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.bytes {
            bytes.as_mut_slice().zeroize();
        }
    }
}

/// How often something of a text was not decoded, by what it would have been too much of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Encodings in encodings: [`DECODE_DEPTH_MAX`](crate::limits::DECODE_DEPTH_MAX).
    pub depth: u64,
    /// Bytes: [`DECODE_EXPANDED_BYTES_MAX`](crate::limits::DECODE_EXPANDED_BYTES_MAX).
    pub expansion: u64,
    /// Views: [`DECODE_VIEWS_MAX`](crate::limits::DECODE_VIEWS_MAX).
    pub views: u64,
    /// Readings with escapes undone, all of which are to be searched:
    /// [`UNDONE_PER_BYTE_MAX`](crate::limits::UNDONE_PER_BYTE_MAX).
    pub undone: u64,
    /// Bytes gone over: [`DECODE_WORK_BYTES_MAX`](crate::limits::DECODE_WORK_BYTES_MAX).
    pub work: u64,
}

impl LeftOut {
    pub(super) fn count(&mut self, depth: bool, views: bool) {
        let reason = match (depth, views) {
            (true, _) => &mut self.depth,
            (_, true) => &mut self.views,
            _ => &mut self.expansion,
        };
        *reason += 1;
    }

    /// Adds what was left out of another text.
    pub fn add(&mut self, other: LeftOut) {
        self.depth += other.depth;
        self.expansion += other.expansion;
        self.views += other.views;
        self.undone += other.undone;
        self.work += other.work;
    }
}

/// The views of a text, the plain one first.
pub struct Views<'a> {
    plain: View<'a>,
    undone: Vec<View<'a>>,
    /// What was not decoded.
    pub left_out: LeftOut,
}

impl<'a> Views<'a> {
    pub(super) fn plain(text: &Text<'a>) -> Views<'a> {
        let plain = View {
            bytes: Cow::Borrowed(text.bytes),
            encoding: Cow::Borrowed("plain"),
            start: End::Cut,
            end: End::Cut,
            layers: Layers::default(),
            alone: false,
            lineage: Vec::new(),
            maps: Vec::new(),
        };
        Views { plain, undone: Vec::new(), left_out: LeftOut::default() }
    }

    /// The views, the plain one first.
    pub fn iter(&self) -> impl Iterator<Item = &View<'a>> {
        std::iter::once(&self.plain).chain(&self.undone)
    }

    pub(super) fn get(&self, at: usize) -> Option<&View<'a>> {
        match at.checked_sub(1) {
            None => Some(&self.plain),
            Some(at) => self.undone.get(at),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.undone.len() + 1
    }

    pub(super) fn push(&mut self, view: View<'a>) {
        self.undone.push(view);
    }
}

/// Reads a text in each way that differs from the others, with every decoder there is. Without
/// anything to undo there is the plain view and no allocation of its size.
pub fn views<'a>(text: &Text<'a>) -> Views<'a> {
    grow(text, Scope::All)
}

/// As [`views`], with those decoders only that the kernel's prefilter knows of: what others would
/// find in a flow was let through by chance, and found by chance.
pub fn views_live<'a>(text: &Text<'a>) -> Views<'a> {
    grow(text, Scope::Live)
}
