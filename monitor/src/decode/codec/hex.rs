//! Hexadecimal: runs of digits (`3431`, `0x3431`, PostgreSQL's `\x3431`), and escapes for each byte
//! (`\x34\x31`) as most languages write them. What decodes to noise was a hash.

use memchr::memchr;
use std::ops::Range;

use zeroize::Zeroizing;

use super::escape::{Escape, Escapes};
use super::plausible::keep;
use crate::decode::map::Map;
use crate::decode::runs::{next_line, nibble, read_beginnings};
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;

/// Bytes of the shortest text.
const TEXT_BYTES_MIN: usize = 8;
/// Bytes of a run that are decoded without making room for them.
const PROBE_BYTES: usize = 64;
/// Pairs of digits that are looked at before anything is decoded.
const PAIRS_ASKED: usize = 8;

/// Escapes.
pub(super) const ESCAPES: Escapes = Escapes {
    find: |rest| memchr(b'\\', rest),
    begin: || {
        Box::new(|bytes, at| match bytes.get(at + 1..at + 4)? {
            [b'x', high, low] => Some(Escape::byte(4, byte(*high, *low)?)),
            _ => None,
        })
    },
    may_be: |_| true,
};

/// Runs.
pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let mut done = 0;
    for run in source.runs() {
        if run.start < done {
            continue;
        }
        let phases = usize::from(run.start == 0 && source.start != End::Whole);
        let letters = source.bytes.get(run.clone()).unwrap_or_default();
        let prefix = match letters {
            [b'x', ..] => 1,
            [b'0', b'x' | b'X', ..] => 2,
            _ => 0,
        };
        let run = run.start + prefix..run.end;
        let read = |start| read_from(source, start..run.end, made);
        done = read_beginnings(source.bytes, &run, phases, read).unwrap_or(run.end);
    }
}

fn read_from(source: &Source<'_>, run: Range<usize>, made: &mut Made<'_>) -> Option<usize> {
    let (start, letters) = (run.start, source.bytes.get(run.clone())?);
    if !looks_encoded(letters) {
        return None;
    }
    let goes_on = next_line(source.bytes, run.end, letters.len()).is_some();
    if !goes_on && !reads(letters) {
        return None;
    }
    if letters.len() > made.room() {
        made.cut();
        return None;
    }
    let (mut bytes, mut map) = (Secret::with_capacity(letters.len() / 2), Map::new(4, start));
    let (mut line, mut digits) = (run, 0);
    let width = letters.len();
    loop {
        let letters = source.bytes.get(line.clone()).unwrap_or_default();
        let before = bytes.len();
        for pair in letters.chunks_exact(2) {
            let [high, low] = pair else { break };
            let Some(byte) = byte(*high, *low) else { break };
            bytes.push(byte);
        }
        digits += 2 * (bytes.len() - before);
        line.end = line.start + 2 * (bytes.len() - before);
        let whole = line.len() == letters.len();
        let next = next_line(source.bytes, line.end, width).filter(|_| whole);
        let Some(next) = next.filter(|_| bytes.len() + width <= made.room()) else { break };
        map.leave_out(digits, line.end);
        map.go_on(digits, next.start, 1);
        line = next;
    }
    map.close(line.end);
    let kept = keep(bytes.as_slice(), TEXT_BYTES_MIN)?;
    bytes.truncate(kept);
    made.add(Child {
        bytes,
        map,
        start: source.start_at(start, End::Whole),
        end: source.end_at(line.end, End::Whole),
    });
    Some(line.end)
}

fn byte(high: u8, low: u8) -> Option<u8> {
    Some((nibble(high)? << 4) | nibble(low)?)
}

/// Whether a run of few digits, as hashes and numbers of all kinds are, decodes to something. Of a
/// longer one that is seen when it is decoded.
fn reads(letters: &[u8]) -> bool {
    if letters.len() > 2 * PROBE_BYTES {
        return true;
    }
    let (mut bytes, mut count) = (Zeroizing::new([0; PROBE_BYTES]), 0);
    for (slot, pair) in bytes.iter_mut().zip(letters.chunks_exact(2)) {
        let [high, low] = pair else { break };
        let Some(byte) = byte(*high, *low) else { break };
        *slot = byte;
        count += 1;
    }
    keep(bytes.get(..count).unwrap_or_default(), TEXT_BYTES_MIN).is_some()
}

/// Whether digits can be text or a container, which begins with a byte or two of none.
fn looks_encoded(letters: &[u8]) -> bool {
    let (mut pairs, mut text) = (0, 0);
    for pair in letters.chunks_exact(2).take(PAIRS_ASKED) {
        let [high, low] = pair else { return false };
        let Some(byte) = byte(*high, *low) else { return false };
        pairs += 1;
        text += usize::from(matches!(byte, 9 | 10 | 13 | 32..=126 | 0xc3));
    }
    let magic =
        |magic: &[u8]| letters.get(..4).is_some_and(|first| first.eq_ignore_ascii_case(magic));
    let container =
        [&b"1f8b"[..], b"28b5", b"789c", b"78da", b"7801", b"785e"].into_iter().any(magic);
    pairs == PAIRS_ASKED && (container || text * 2 >= pairs)
}
