//! The tree of readings of a text: every decoder over every reading, within bounds. It knows of no
//! encoding; those are rows of [`super::codec::CODECS`].

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use super::codec::{CODECS, Codec};
use super::map::{BREAK_BYTES, Map};
use super::runs::runs;
use super::secret::Secret;
use super::view::{End, LeftOut, View, Views};
use super::{Part, Text};
use crate::limits::{
    DECODE_BYTES_PER_VIEW, DECODE_DEPTH_MAX, DECODE_EXPANDED_BYTES_MAX, DECODE_EXPANSION_MAX,
    DECODE_VIEWS_MAX, DECODE_WORK_BYTES_MAX, DECODE_WORK_PER_BYTE_MAX, ESCAPE_DEPTH_MAX,
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
    views: usize,
    work: usize,
    left_out: LeftOut,
}

/// Takes the readings that decoders make.
pub(super) struct Made<'b> {
    budget: &'b mut Budget,
    children: Vec<(&'static str, u8, Child)>,
    name: &'static str,
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

    /// Adds a reading.
    pub(super) fn add(&mut self, child: Child) {
        let cost = child.bytes.len() + child.map.len() * BREAK_BYTES;
        if child.bytes.len() == 0 {
            return;
        }
        if self.deepest || self.budget.views == 0 || cost > self.budget.bytes {
            return self.cut();
        }
        self.budget.bytes -= cost;
        self.budget.views -= 1;
        self.children.push((self.name, self.row, child));
    }
}

/// Whether a decoder runs over a reading that `lineage` was undone for.
fn applies(codec: &Codec, row: u8, lineage: &[u8], part: Part, scope: Scope) -> bool {
    let times = match scope {
        Scope::All => codec.times,
        Scope::Live => codec.live,
    };
    if times == 0 || (codec.root && !(lineage.is_empty() && part == Part::Text)) {
        return false;
    }
    if scope == Scope::Live && codec.escape {
        let is_escape = |row: &&u8| CODECS.get(usize::from(**row)).is_some_and(|row| row.escape);
        if lineage.iter().filter(is_escape).count() >= ESCAPE_DEPTH_MAX {
            return false;
        }
    }
    lineage.iter().filter(|known| **known == row).count() < usize::from(times)
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
        let parent = (view.lineage.clone(), view.encoding.clone(), view.maps.clone());
        for (name, row, child) in children {
            let child = attach(&parent, at, name, row, child);
            // The same bytes from the same place, in another order of undoing: they are there.
            let place = (child.source(0), child.bytes.len());
            let last = known.get(&place).copied();
            let mut chain = std::iter::successors(last, |at| alike.get(*at).copied().flatten());
            if chain.any(|at| views.get(at).is_some_and(|view| view.bytes == child.bytes)) {
                budget.views += 1;
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
) -> Vec<(&'static str, u8, Child)> {
    let fresh = if at == 0 { text.fresh } else { 0 };
    let source = Source::new(&view.bytes, fresh, view.start, view.end);
    let deepest = view.lineage.len() >= DECODE_DEPTH_MAX;
    let mut made = Made { budget, children: Vec::new(), name: "", row: 0, deepest };
    for (row, codec) in (0..).zip(CODECS) {
        if applies(codec, row, &view.lineage, text.part, scope) {
            (made.name, made.row) = (codec.name, row);
            (codec.decode)(&source, &mut made);
        }
    }
    made.children
}

type Parent = (Vec<u8>, Cow<'static, str>, Vec<Arc<Map>>);

fn attach(parent: &Parent, at: usize, name: &'static str, row: u8, child: Child) -> View<'static> {
    let (lineage, encoding, maps) = parent;
    let encoding = match at {
        0 => Cow::Borrowed(name),
        _ => Cow::Owned(format!("{encoding}+{name}")),
    };
    View {
        bytes: Cow::Owned(child.bytes.into_bytes()),
        encoding,
        start: child.start,
        end: child.end,
        lineage: lineage.iter().copied().chain([row]).collect(),
        maps: maps.iter().cloned().chain([Arc::new(child.map)]).collect(),
    }
}
