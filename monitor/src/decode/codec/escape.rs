//! Undoes escapes in islands: the bytes around each escape are read with it undone, and what lies
//! further from any is left to the reading that has it as it stands. Notes where each byte came
//! from. It knows no escape.

use crate::decode::map::{BREAK_BYTES, Map};
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;
use crate::limits::ISLAND_REACH_BYTES;

/// What an escape stands for.
pub(super) struct Escape {
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

/// Reads the islands around the escapes that `find` finds the beginning of and `decode` knows.
/// Tolerant: what is no valid escape, or is cut at an end, stays as it is.
pub(super) fn undo(
    source: &Source<'_>,
    made: &mut Made<'_>,
    find: impl Fn(&[u8]) -> Option<usize>,
    mut decode: impl FnMut(&[u8], usize) -> Option<Escape>,
) {
    let bytes = source.bytes;
    let mut island: Option<Island> = None;
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(&find) {
        at += found;
        let Some(escape) = decode(bytes, at) else {
            at += 1;
            continue;
        };
        let far = |island: &mut Island| at - island.copied > 2 * ISLAND_REACH_BYTES;
        if let Some(done) = island.take_if(far) {
            done.close(source, made);
        }
        let current = island.get_or_insert_with(|| Island::begin(at));
        current.undo(bytes, at, &escape);
        at += escape.len.max(1);
        if current.cost() > made.room() {
            made.cut();
            break;
        }
    }
    if let Some(last) = island {
        last.close(source, made);
    }
}

struct Island {
    from: usize,
    bytes: Secret,
    map: Map,
    /// Up to where the source was taken over.
    copied: usize,
}

impl Island {
    fn begin(at: usize) -> Island {
        let from = at.saturating_sub(ISLAND_REACH_BYTES);
        let bytes = Secret::with_capacity(2 * ISLAND_REACH_BYTES);
        Island { from, bytes, map: Map::new(8, from), copied: from }
    }

    fn undo(&mut self, source: &[u8], at: usize, escape: &Escape) {
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

    fn close(mut self, source: &Source<'_>, made: &mut Made<'_>) {
        let end = self.copied.saturating_add(ISLAND_REACH_BYTES).min(source.bytes.len());
        self.bytes.extend(source.bytes.get(self.copied..end).unwrap_or_default());
        self.map.close(end);
        made.add(Child {
            bytes: self.bytes,
            map: self.map,
            start: source.start_at(self.from, End::Edge),
            end: source.end_at(end, End::Edge),
        });
    }
}
