//! Undoes escapes in islands: the bytes around each escape are read with it undone, and what lies
//! further from any is left to the reading that has it as it stands. Escapes of several kinds that
//! stand near each other are undone together: a reading for each choice of kinds would be as many as
//! there are choices. Notes where each byte came from. It knows no escape.

use std::ops::Range;

use crate::decode::map::{BREAK_BYTES, Map};
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;
use crate::limits::ISLAND_REACH_BYTES;

/// What an escape stands for.
pub(in crate::decode) struct Escape {
    /// Bytes it takes up.
    len: usize,
    /// What it stands for: UTF-8 of a character, a few bytes, or nothing.
    bytes: [u8; 4],
    bytes_len: usize,
}

impl Escape {
    pub(super) fn byte(len: usize, byte: u8) -> Self {
        Escape { len, bytes: [byte, 0, 0, 0], bytes_len: 1 }
    }

    pub(super) fn char(len: usize, char: char) -> Self {
        let mut bytes = [0; 4];
        let bytes_len = char.encode_utf8(&mut bytes).len();
        Escape { len, bytes, bytes_len }
    }

    /// What stands for punctuation around a value.
    pub(super) fn text(len: usize, [a, b, c]: [u8; 3]) -> Self {
        Escape { len, bytes: [a, b, c, 0], bytes_len: 3 }
    }

    pub(super) fn nothing(len: usize) -> Self {
        Escape { len, bytes: [0; 4], bytes_len: 0 }
    }

    /// Whether it takes up no less than what it stands for, as every escape should.
    pub(super) fn is_shorter(&self) -> bool {
        self.bytes_len <= self.len
    }
}

/// Reads the escapes of one text in order: the text, and where one may begin.
pub(in crate::decode) type Read = Box<dyn FnMut(&[u8], usize) -> Option<Escape>>;

/// How one kind of escapes is read.
#[derive(Clone, Copy)]
pub(in crate::decode) struct Escapes {
    /// Where the next may begin.
    pub(super) find: fn(&[u8]) -> Option<usize>,
    /// What reads those of one text.
    pub(super) begin: fn() -> Read,
    /// Whether they are there at all.
    pub(super) may_be: fn(&[u8]) -> bool,
}

/// A kind of escapes in one text.
struct Reader {
    row: u8,
    escapes: Escapes,
    read: Read,
    /// Where the next may begin.
    next: usize,
}

impl Reader {
    fn new(row: u8, escapes: Escapes, bytes: &[u8]) -> Option<Reader> {
        // Asked first: it costs less, and most texts have none.
        let next = (escapes.find)(bytes)?;
        (escapes.may_be)(bytes).then(|| Reader { row, escapes, read: (escapes.begin)(), next })
    }

    /// Looks for the next from `at` on. Whether there may be one.
    fn seek(&mut self, bytes: &[u8], at: usize) -> bool {
        match bytes.get(at..).and_then(self.escapes.find) {
            Some(ahead) => self.next = at + ahead,
            None => self.next = bytes.len(),
        }
        self.next < bytes.len()
    }
}

/// Reads the islands around the escapes of all of these kinds, each by its row. Tolerant: what is no
/// valid escape, or is cut at an end, stays as it is. What lies in `covered` is left to others.
/// Gives the islands, and what was undone in each, by row.
pub(in crate::decode) fn undo(
    source: &Source<'_>,
    made: &mut Made<'_>,
    kinds: impl Iterator<Item = (u8, Escapes)>,
    covered: &[Range<usize>],
) -> Vec<(Range<usize>, u32)> {
    let bytes = source.bytes;
    let mut islands = Vec::new();
    let mut readers: Vec<Reader> =
        kinds.filter_map(|(row, escapes)| Reader::new(row, escapes, bytes)).collect();
    let mut covered = covered.iter().peekable();
    let mut island: Option<Island> = None;
    // Of two that may begin at one byte the first is asked first.
    while let Some(reader) = readers.iter_mut().min_by_key(|reader| reader.next) {
        let at = reader.next;
        while covered.next_if(|covered| covered.end <= at).is_some() {}
        let (row, escape, next) = match covered.peek().filter(|covered| covered.start <= at) {
            Some(covered) => (0, None, covered.end),
            None => (reader.row, (reader.read)(bytes, at), at + 1),
        };
        let Some(escape) = escape else {
            if !reader.seek(bytes, next) {
                readers.retain(|reader| reader.next < bytes.len());
            }
            continue;
        };
        let far = |island: &mut Island| at - island.copied > 2 * ISLAND_REACH_BYTES;
        if let Some(done) = island.take_if(far) {
            islands.extend(done.close(source, made));
        }
        let current = island.get_or_insert_with(|| Island::begin(at));
        current.undo(bytes, at, &escape, row);
        let next = at + escape.len.max(1);
        let mut over = false;
        for reader in readers.iter_mut().filter(|reader| reader.next < next) {
            over |= !reader.seek(bytes, next);
        }
        if over {
            readers.retain(|reader| reader.next < bytes.len());
        }
        if current.cost() > made.room() || current.bytes.len() > made.room_undone() {
            made.cut_undone();
            break;
        }
    }
    if let Some(last) = island {
        islands.extend(last.close(source, made));
    }
    islands
}

struct Island {
    from: usize,
    bytes: Secret,
    map: Map,
    /// Up to where the source was taken over.
    copied: usize,
    /// What was undone, by row.
    rows: u32,
}

impl Island {
    fn begin(at: usize) -> Island {
        let from = at.saturating_sub(ISLAND_REACH_BYTES);
        let bytes = Secret::with_capacity(2 * ISLAND_REACH_BYTES);
        Island { from, bytes, map: Map::new(8, from), copied: from, rows: 0 }
    }

    fn undo(&mut self, source: &[u8], at: usize, escape: &Escape, row: u8) {
        self.rows |= 1_u32.checked_shl(row.into()).unwrap_or_default();
        self.bytes.extend(source.get(self.copied..at).unwrap_or_default());
        if escape.bytes_len == 0 {
            self.map.leave_out(self.bytes.len(), at);
        }
        self.bytes.extend(escape.bytes.get(..escape.bytes_len).unwrap_or_default());
        self.copied = at + escape.len;
        self.map.go_on(self.bytes.len(), self.copied, 1);
    }

    fn cost(&self) -> usize {
        self.bytes.len() + ISLAND_REACH_BYTES + self.map.len() * BREAK_BYTES
    }

    /// Gives the range of the source that it is the reading of, where there was room for it.
    fn close(mut self, source: &Source<'_>, made: &mut Made<'_>) -> Option<(Range<usize>, u32)> {
        let end = self.copied.saturating_add(ISLAND_REACH_BYTES).min(source.bytes.len());
        self.bytes.extend(source.bytes.get(self.copied..end).unwrap_or_default());
        self.map.close(end);
        let child = Child {
            bytes: self.bytes,
            map: self.map,
            start: source.start_at(self.from, End::Edge),
            end: source.end_at(end, End::Edge),
        };
        made.add_undone(self.rows, child).then_some((self.from..end, self.rows))
    }
}
