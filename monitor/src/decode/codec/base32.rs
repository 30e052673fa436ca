//! Base32 (RFC 4648 section 6), as names in DNS carry what is no name, in upper or lower case.

use super::plausible::keep;
use crate::decode::map::Map;
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;

/// Bytes of the shortest text, and letters of the shortest run.
const TEXT_BYTES_MIN: usize = 10;
const LETTERS_MIN: usize = 16;

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    for run in source.runs() {
        let letters = source.bytes.get(run.clone()).unwrap_or_default();
        if letters.len() < LETTERS_MIN || letters.len() > made.room() || !looks_encoded(letters) {
            continue;
        }
        let (mut bits, mut held) = (0_u32, 0_u32);
        let mut bytes = Secret::with_capacity(letters.len());
        for five in letters.iter().map_while(|letter| quintet(*letter)) {
            bits = (bits << 5) | u32::from(five);
            held += 5;
            if let Some(left) = held.checked_sub(8) {
                held = left;
                bytes.push((bits >> held).to_le_bytes()[0]);
            }
        }
        let Some(kept) = keep(bytes.as_slice(), TEXT_BYTES_MIN) else { continue };
        bytes.truncate(kept);
        let mut map = Map::new(5, run.start);
        map.close(run.end);
        made.add(Child {
            bytes,
            map,
            start: source.start_at(run.start, End::Whole),
            end: source.end_at(run.end, End::Whole),
        });
    }
}

fn quintet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a'),
        b'2'..=b'7' => Some(letter - b'2' + 26),
        _ => None,
    }
}

/// As for base64: the first letter of each eight holds the upper five bits of a byte.
fn looks_encoded(letters: &[u8]) -> bool {
    letters.chunks_exact(8).take(4).all(|group| {
        let text = group.first().and_then(|letter| quintet(*letter)).is_some_and(|five| five < 16);
        text && group.iter().all(|letter| quintet(*letter).is_some())
    })
}
