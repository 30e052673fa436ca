//! Names in questions of DNS (RFC 1035 section 4.1), over UDP or TCP: with dots between the labels,
//! and the labels before the last two put together, as whoever carries data in names takes them
//! apart. What the labels are encoded in, other decoders undo.

use std::ops::Range;

use super::{Cursor, read};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};

const HEAD_BYTES: usize = 12;
const LABEL_BYTES_MAX: usize = 63;
const LABELS_MAX: usize = 127;
const QUESTIONS_MAX: usize = 16;
const RECORDS_MAX: u32 = 256;
/// Labels at the end of a name that are somebody's domain.
const DOMAIN_LABELS: usize = 2;

pub(in crate::decode::codec) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    if source.has_zero() {
        // Over TCP the length stands before.
        let starts = [source.fresh, source.fresh.saturating_add(2)];
        read(source, made, &starts, message);
    }
}

fn message(bytes: &[u8], start: usize, rendering: &mut Rendering<'_>) -> usize {
    let mut cursor = Cursor { bytes, at: start };
    let Some(names) = questions(&mut cursor) else { return start };
    for labels in names {
        let (Some(first), Some(last)) = (labels.first(), labels.last()) else { continue };
        rendering.say(b"name: ", first.start);
        for label in &labels {
            if label != first {
                rendering.say(b".", label.start);
            }
            rendering.copy(label.clone());
        }
        rendering.say(b"\n", last.end);
        let carried = labels.get(..labels.len().saturating_sub(DOMAIN_LABELS)).unwrap_or_default();
        if carried.len() > 1 {
            carried.iter().for_each(|label| rendering.say_from(label.clone(), label.start));
            rendering.say(b"\n", last.end);
        }
    }
    cursor.at
}

fn questions(cursor: &mut Cursor<'_>) -> Option<Vec<Vec<Range<usize>>>> {
    let head = cursor.take(HEAD_BYTES)?;
    let [_, _, flags, _, counts @ ..] = *cursor.slice(&head).first_chunk::<HEAD_BYTES>()?;
    let count =
        |at: usize| Some(u32::from(*counts.get(at)?) << 8 | u32::from(*counts.get(at + 1)?));
    let asked = usize::try_from(count(0)?).ok()?;
    let records = count(2)?.max(count(4)?).max(count(6)?);
    // Opcodes beyond 6 are not assigned.
    if !(1..=QUESTIONS_MAX).contains(&asked) || records > RECORDS_MAX || flags >> 3 & 15 > 6 {
        return None;
    }
    (0..asked).map(|_| question(cursor)).collect()
}

fn question(cursor: &mut Cursor<'_>) -> Option<Vec<Range<usize>>> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(cursor.byte()?);
        if length == 0 {
            break;
        }
        if length > LABEL_BYTES_MAX || labels.len() >= LABELS_MAX {
            return None;
        }
        labels.push(cursor.take(length)?);
    }
    let (kind, class) = (cursor.big(2)?, cursor.big(2)?);
    // Types in use, and the classes IN (with the bit of mDNS) and ANY.
    (kind > 0 && kind < 300 && matches!(class & 0x7fff, 1 | 255)).then_some(labels)
}
