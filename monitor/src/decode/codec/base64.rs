//! Base64 and base64url (RFC 4648 sections 4 and 5), with padding or without, in one run or in the
//! lines of MIME (RFC 2045 section 6.8) and PEM. What decodes to noise was a name or a hash.

use std::ops::Range;

use zeroize::Zeroizing;

use super::plausible::keep;
use crate::decode::map::Map;
use crate::decode::runs::{RUN_BYTES_MIN, next_line, read_beginnings, sextet};
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;

/// Bytes of the shortest text: less is in names by chance.
const TEXT_BYTES_MIN: usize = 10;
/// Letters that are decoded to see whether a run is base64 at all.
const PROBE_BYTES: usize = 64;
/// Groups of four letters whose first letters are looked at before anything is decoded.
const GROUPS_ASKED: usize = 8;

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let mut done = 0;
    for run in source.runs() {
        if run.start >= done {
            done = read(source, run, made).unwrap_or(run.end);
        }
    }
}

/// Reads a run; gives where what it begins ends.
fn read(source: &Source<'_>, run: &Range<usize>, made: &mut Made<'_>) -> Option<usize> {
    let phases = if run.start == 0 && source.start != End::Whole { 3 } else { 0 };
    read_beginnings(source.bytes, run, phases, |start| read_from(source, start..run.end, made))
}

fn read_from(source: &Source<'_>, first: Range<usize>, made: &mut Made<'_>) -> Option<usize> {
    let letters = source.bytes.get(first.clone())?;
    if !looks_encoded(letters) {
        return None;
    }
    if !reads(letters.get(..PROBE_BYTES).unwrap_or(letters)) {
        return None;
    }
    if letters.len() > made.room() {
        made.cut();
        return None;
    }
    let start = first.start;
    let (mut bytes, mut map) = (Secret::with_capacity(letters.len()), Map::new(6, start));
    let (mut sextets, mut line, width) = (Sextets::default(), first, letters.len());
    loop {
        sextets.decode(source.bytes.get(line.clone()).unwrap_or_default(), &mut bytes);
        let next = next_line(source.bytes, line.end, width);
        let Some(next) = next.filter(|_| bytes.len() + width <= made.room()) else { break };
        map.leave_out(sextets.count, line.end);
        map.go_on(sextets.count, next.start, 1);
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

/// Whether the first letters of a run decode to text or to the beginning of a container.
fn reads(letters: &[u8]) -> bool {
    let mut bytes = Zeroizing::new([0; PROBE_BYTES]);
    let groups = letters.chunks_exact(4);
    let count = groups.len() * 3;
    for (slot, group) in bytes.chunks_exact_mut(3).zip(groups) {
        let bits = group.iter().fold(0, |bits, letter| (bits << 6) | u32::from(sextet(*letter)));
        let [_, first, second, third] = bits.to_be_bytes();
        slot.copy_from_slice(&[first, second, third]);
    }
    // The last letters may be one byte more, which the whole run will show.
    keep(bytes.get(..count).unwrap_or_default(), TEXT_BYTES_MIN - 1).is_some()
}

/// Whether a run can be text or a container, by the first letters of its groups: the six bits of
/// each are the upper ones of a byte, which in ASCII is below 128.
fn looks_encoded(letters: &[u8]) -> bool {
    if letters.len() < RUN_BYTES_MIN {
        return false;
    }
    match letters {
        [b'H', b'4', b's', b'I', ..] | [b'K', b'L', b'U', b'v', ..] => return true,
        [b'e', b'J' | b'N' | b'F' | b'A', ..] => return true,
        _ => {}
    }
    let firsts = letters.chunks_exact(4).take(GROUPS_ASKED).filter_map(|group| group.first());
    let (mut groups, mut low) = (0, 0);
    for first in firsts {
        groups += 1;
        low += usize::from(sextet(*first) < 32);
    }
    low * 4 >= groups * 3
}

/// Letters that are put together to bytes.
#[derive(Default)]
struct Sextets {
    bits: u32,
    held: u32,
    count: usize,
}

impl Sextets {
    fn decode(&mut self, letters: &[u8], bytes: &mut Secret) {
        self.count += letters.len();
        let (groups, rest) = if self.held == 0 { letters.as_chunks() } else { (&[][..], letters) };
        for [first, second, third, fourth] in groups {
            let six = |letter: u8| u32::from(sextet(letter) & 63);
            let high = (six(*first) << 18) | (six(*second) << 12);
            let [_, a, b, c] = (high | (six(*third) << 6) | six(*fourth)).to_be_bytes();
            bytes.extend(&[a, b, c]);
        }
        for letter in rest {
            self.bits = (self.bits << 6) | u32::from(sextet(*letter) & 63);
            self.held += 6;
            if let Some(held) = self.held.checked_sub(8) {
                self.held = held;
                bytes.push((self.bits >> held).to_le_bytes()[0]);
            }
        }
    }
}
