//! The tree of readings of a text: every decoder over every reading, within bounds. It knows of no
//! encoding; those are rows of [`super::codec::CODECS`].

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use super::codec::{CODECS, Codec, Escapes, How, undo};
use super::map::{BREAK_BYTES, Map};
use super::runs::runs;
use super::secret::Secret;
use super::view::{End, Layers, LeftOut, View, Views};
use super::{Part, Text};
use crate::limits::{
    DECODE_BYTES_PER_VIEW, DECODE_DEPTH_MAX, DECODE_EXPANDED_BYTES_MAX, DECODE_EXPANSION_MAX,
    DECODE_VIEWS_MAX, DECODE_WORK_BYTES_MAX, DECODE_WORK_PER_BYTE_MAX, ESCAPE_DEPTH_MAX,
    ISLAND_ALONE_BYTES_MAX, ISLAND_REACH_BYTES, UNDONE_BYTES_MAX, UNDONE_PER_BYTE_MAX,
};

/// Which decoders run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All.
    All,
    /// Those that the kernel's prefilter knows of.
    Live,
}

/// What a decoder is given to read.
pub(super) struct Source<'v> {
    pub(super) bytes: &'v [u8],
    /// Where new bytes begin: a message may begin there, too.
    pub(super) fresh: usize,
    /// What its first and last byte are.
    pub(super) start: End,
    pub(super) end: End,
    ascii: OnceCell<bool>,
    zero: OnceCell<bool>,
    control: OnceCell<bool>,
    runs: OnceCell<Vec<Range<usize>>>,
}

impl<'v> Source<'v> {
    pub(super) fn new(bytes: &'v [u8], fresh: usize, start: End, end: End) -> Source<'v> {
        Source {
            bytes,
            fresh,
            start,
            end,
            ascii: OnceCell::new(),
            zero: OnceCell::new(),
            control: OnceCell::new(),
            runs: OnceCell::new(),
        }
    }

    /// Whether no byte has its highest bit set.
    pub(super) fn is_ascii(&self) -> bool {
        *self.ascii.get_or_init(|| self.bytes.is_ascii())
    }

    /// Whether it has a zero, which text has not.
    pub(super) fn has_zero(&self) -> bool {
        *self.zero.get_or_init(|| memchr(0, self.bytes).is_some())
    }

    /// Whether its first bytes have one that no text has.
    pub(super) fn is_binary(&self) -> bool {
        const ASKED_BYTES: usize = 256;
        *self.control.get_or_init(|| {
            let first = self.bytes.get(..ASKED_BYTES).unwrap_or(self.bytes);
            let control = |byte: &u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
            first.iter().any(control)
                || std::str::from_utf8(first).is_err_and(|error| error.error_len().is_some())
        })
    }

    /// Runs of letters, digits and what else base64 and hexadecimal are written in.
    pub(super) fn runs(&self) -> &[Range<usize>] {
        self.runs.get_or_init(|| runs(self.bytes))
    }

    /// What the end at `offset` is of a reading that ends there.
    pub(super) fn start_at(&self, offset: usize, within: End) -> End {
        if offset == 0 { self.start } else { within }
    }

    /// As [`Source::start_at`], for the end.
    pub(super) fn end_at(&self, offset: usize, within: End) -> End {
        if offset >= self.bytes.len() { self.end } else { within }
    }
}

/// A reading that a decoder made.
pub(super) struct Child {
    pub(super) bytes: Secret,
    pub(super) map: Map,
    pub(super) start: End,
    pub(super) end: End,
}

/// What may still be made of one text.
struct Budget {
    bytes: usize,
    /// Bytes of readings with escapes undone.
    undone: usize,
    views: usize,
    work: usize,
    left_out: LeftOut,
}

impl Budget {
    /// A reading of so many bytes was there already.
    fn give_back(&mut self, rows: u32, bytes: usize) {
        let regions = rows_of(rows).any(|(_, codec)| matches!(codec.how, How::Regions(_)));
        self.undone = match regions {
            true => self.undone.saturating_sub(bytes.saturating_mul(UNDONE_PER_BYTE_MAX)),
            false => self.undone.saturating_add(bytes),
        };
    }
}

/// The decoders of rows that are bits.
fn rows_of(rows: u32) -> impl Iterator<Item = (u8, &'static Codec)> {
    (0..).zip(CODECS).filter(move |(row, _)| rows >> row & 1 == 1)
}

/// Takes the readings that decoders make.
pub(super) struct Made<'b> {
    budget: &'b mut Budget,
    children: Vec<(u32, bool, Child)>,
    /// Whether escapes are undone that others stand near to.
    alone: bool,
    /// The row of the decoder that runs.
    row: u8,
    /// Whether the reading that is decoded is as deep as any may be.
    deepest: bool,
}

impl Made<'_> {
    /// Bytes that one reading more may have, with a few notes of where they came from. 0 where
    /// none may come.
    pub(super) fn room(&self) -> usize {
        const NOTES: usize = 8;
        if self.budget.views == 0 || self.deepest {
            return 0;
        }
        self.budget.bytes.saturating_sub(NOTES * BREAK_BYTES)
    }

    /// Whether as many bytes may be gone over; counts them.
    pub(super) fn work(&mut self, bytes: usize) -> bool {
        match self.budget.work.checked_sub(bytes) {
            Some(left) => {
                self.budget.work = left;
                true
            }
            None => {
                self.budget.left_out.work += 1;
                false
            }
        }
    }

    /// Something was not decoded to its end for want of [`Made::room`].
    pub(super) fn cut(&mut self) {
        self.budget.left_out.count(self.deepest, self.budget.views == 0);
    }

    /// As [`Made::room`], for a reading with escapes undone.
    pub(super) fn room_undone(&self) -> usize {
        self.room().min(self.budget.undone)
    }

    /// As [`Made::cut`], for want of [`Made::room_undone`].
    pub(super) fn cut_undone(&mut self) {
        match self.budget.undone < self.room() {
            true => self.budget.left_out.undone += 1,
            false => self.cut(),
        }
    }

    /// Adds a reading.
    pub(super) fn add(&mut self, child: Child) {
        let bytes = child.bytes.len();
        if self.add_rows(1 << self.row, child) {
            let undone = bytes.saturating_mul(UNDONE_PER_BYTE_MAX);
            self.budget.undone = self.budget.undone.saturating_add(undone);
        }
    }

    /// Adds a reading with the escapes of these rows undone. Whether there was room for it.
    pub(super) fn add_undone(&mut self, rows: u32, child: Child) -> bool {
        let bytes = child.bytes.len();
        if bytes > self.budget.undone {
            self.cut_undone();
            return false;
        }
        let added = self.add_rows(rows, child);
        if added {
            self.budget.undone -= bytes;
        }
        added
    }

    fn add_rows(&mut self, rows: u32, child: Child) -> bool {
        let cost = child.bytes.len() + child.map.len() * BREAK_BYTES;
        if child.bytes.len() == 0 {
            return false;
        }
        if self.deepest || self.budget.views == 0 || cost > self.budget.bytes {
            self.cut();
            return false;
        }
        self.budget.bytes -= cost;
        self.budget.views -= 1;
        self.children.push((rows, self.alone, child));
        true
    }
}

/// Whether a decoder runs over a view.
fn applies(codec: &Codec, row: u8, view: &View<'_>, part: Part, scope: Scope) -> bool {
    let times = match scope {
        Scope::All => codec.times,
        Scope::Live => codec.live,
    };
    if times == 0 || (codec.root && !(view.layers.depth == 0 && part == Part::Text)) {
        return false;
    }
    let is_escape = matches!(codec.how, How::Escapes(_));
    if scope == Scope::Live && is_escape && view.layers.escapes >= ESCAPE_DEPTH_MAX {
        return false;
    }
    view.lineage.iter().filter(|known| **known == row).count() < usize::from(times)
}

/// Reads a text in every way.
pub(super) fn grow<'a>(text: &Text<'a>, scope: Scope) -> Views<'a> {
    let mut views = Views::plain(text);
    let bytes = text.bytes.len();
    if u32::try_from(bytes).is_err() {
        views.left_out.work += 1;
        return views;
    }
    let mut budget = Budget {
        bytes: DECODE_EXPANDED_BYTES_MAX.saturating_add(bytes.saturating_mul(DECODE_EXPANSION_MAX)),
        undone: UNDONE_BYTES_MAX.saturating_add(bytes.saturating_mul(UNDONE_PER_BYTE_MAX)),
        views: DECODE_VIEWS_MAX.saturating_add(bytes / DECODE_BYTES_PER_VIEW),
        work: DECODE_WORK_BYTES_MAX.saturating_add(bytes.saturating_mul(DECODE_WORK_PER_BYTE_MAX)),
        left_out: LeftOut::default(),
    };
    // The last view with a beginning and a length, and for each view the one before it with the same.
    let mut known = HashMap::new();
    let mut alike: Vec<Option<usize>> = vec![None];
    let mut at = 0;
    while let Some(view) = views.get(at) {
        let children = decode(view, at, text, scope, &mut budget);
        if children.is_empty() {
            at += 1;
            continue;
        }
        let parent = Parent {
            lineage: view.lineage.clone(),
            layers: view.layers,
            encoding: view.encoding.clone(),
            maps: view.maps.clone(),
        };
        for (rows, alone, child) in children {
            let child = attach(&parent, rows, alone, child);
            // The same bytes from the same place, in another order of undoing: they are there.
            let place = (child.source(0), child.bytes.len());
            let last = known.get(&place).copied();
            let mut chain = std::iter::successors(last, |at| alike.get(*at).copied().flatten());
            if chain.any(|at| views.get(at).is_some_and(|view| view.bytes == child.bytes)) {
                budget.views += 1;
                budget.give_back(rows, child.bytes.len());
                continue;
            }
            known.insert(place, views.len());
            alike.push(last);
            views.push(child);
        }
        at += 1;
    }
    views.left_out = budget.left_out;
    views
}

fn decode(
    view: &View<'_>,
    at: usize,
    text: &Text<'_>,
    scope: Scope,
    budget: &mut Budget,
) -> Vec<(u32, bool, Child)> {
    let fresh = if at == 0 { text.fresh } else { 0 };
    let source = Source::new(&view.bytes, fresh, view.start, view.end);
    let deepest = view.layers.depth >= DECODE_DEPTH_MAX;
    let mut made = Made { budget, children: Vec::new(), alone: false, row: 0, deepest };
    let rows =
        || (0..).zip(CODECS).filter(|(row, codec)| applies(codec, *row, view, text.part, scope));
    let together = || {
        rows().filter_map(|(row, codec)| match codec.how {
            How::Escapes(escapes) => Some((row, escapes)),
            _ => None,
        })
    };
    let islands = if view.alone { Vec::new() } else { undo(&source, &mut made, together(), &[]) };
    each_alone(&source, &mut made, together(), &islands);
    // What lies well within them is read there.
    let inner = |island: &Range<usize>| {
        let start = if island.start > 0 { island.start + ISLAND_REACH_BYTES / 2 } else { 0 };
        let is_last = island.end >= view.bytes.len();
        start..if is_last { island.end } else { island.end - ISLAND_REACH_BYTES / 2 }
    };
    let inner: Vec<_> = islands.iter().map(|(island, _)| inner(island)).collect();
    for (row, codec) in rows() {
        made.row = row;
        match codec.how {
            How::Escapes(_) => {}
            How::Apart(_) if view.alone => {}
            How::Apart(escapes) => {
                let covered = if codec.root { &[] } else { inner.as_slice() };
                undo(&source, &mut made, [(row, escapes)].into_iter(), covered);
            }
            How::Regions(decode) => decode(&source, &mut made),
        }
    }
    made.children
}

/// Reads the short islands in which escapes of several kinds stand with each kind undone alone, before
/// the readings with all.
fn each_alone(
    source: &Source<'_>,
    made: &mut Made<'_>,
    kinds: impl Iterator<Item = (u8, Escapes)>,
    islands: &[(Range<usize>, u32)],
) {
    let is_mixed = |(island, rows): &(Range<usize>, u32)| {
        rows.count_ones() > 1 && island.len() <= ISLAND_ALONE_BYTES_MAX
    };
    let mixed =
        islands.iter().filter(|island| is_mixed(island)).fold(0, |all, (_, rows)| all | rows);
    if mixed == 0 {
        return;
    }
    let others = islands.iter().filter(|island| !is_mixed(island));
    let others: Vec<_> = others.map(|(island, _)| island.clone()).collect();
    let together = made.children.len();
    made.alone = true;
    for (row, escapes) in kinds.filter(|(row, _)| mixed >> row & 1 == 1) {
        undo(source, made, [(row, escapes)].into_iter(), &others);
    }
    made.alone = false;
    made.children.rotate_left(together);
}

/// What a view hands down to those that are made of it.
struct Parent {
    lineage: Vec<u8>,
    layers: Layers,
    encoding: Cow<'static, str>,
    maps: Vec<Arc<Map>>,
}

fn attach(parent: &Parent, rows: u32, alone: bool, child: Child) -> View<'static> {
    let undone = || rows_of(rows);
    let names = parent.encoding.split('+').filter(|_| parent.layers.depth > 0);
    let mut names = names.chain(undone().map(|(_, codec)| codec.name));
    let encoding = match (parent.layers.depth, rows.count_ones(), undone().next()) {
        (0, 1, Some((_, codec))) => Cow::Borrowed(codec.name),
        _ => Cow::Owned(names.by_ref().collect::<Vec<_>>().join("+")),
    };
    let escapes = undone().any(|(_, codec)| matches!(codec.how, How::Escapes(_)));
    // Of several kinds that were undone together it is not known which stood in what comes next.
    let counted = undone().filter(|_| rows.count_ones() == 1).map(|(row, _)| row);
    View {
        bytes: Cow::Owned(child.bytes.into_bytes()),
        encoding,
        start: child.start,
        end: child.end,
        layers: Layers {
            depth: parent.layers.depth + 1,
            escapes: parent.layers.escapes + usize::from(escapes),
        },
        alone,
        lineage: parent.lineage.iter().copied().chain(counted).collect(),
        maps: parent.maps.iter().cloned().chain([Arc::new(child.map)]).collect(),
    }
}
