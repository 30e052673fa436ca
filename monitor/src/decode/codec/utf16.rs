//! UTF-16 in both byte orders (RFC 2781), with a byte order mark or without: a text that begins with
//! one, and runs of it in other bytes.

use memchr::memchr;

use crate::decode::map::Map;
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;

/// Characters of ASCII in a row that make a run.
const ASCII_UNITS_MIN: usize = 6;
/// Units without one of ASCII after which a run without a mark is over.
const FOREIGN_UNITS_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn unit(self, bytes: &[u8], at: usize) -> Option<u16> {
        let pair: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self {
            Order::Little => u16::from_le_bytes(pair),
            Order::Big => u16::from_be_bytes(pair),
        })
    }

    fn is_ascii(self, bytes: &[u8], at: usize) -> bool {
        matches!(self.unit(bytes, at), Some(9 | 10 | 13 | 32..=126))
    }

    fn begins(self, bytes: &[u8], at: usize) -> bool {
        (0..ASCII_UNITS_MIN).all(|unit| self.is_ascii(bytes, at.saturating_add(2 * unit)))
    }
}

pub(super) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let marked = match source.bytes {
        [0xff, 0xfe, ..] => Some(Order::Little),
        [0xfe, 0xff, ..] => Some(Order::Big),
        _ => None,
    };
    if let Some(order) = marked {
        read(source, 2, order, usize::MAX, made);
        return;
    }
    if !source.has_zero() {
        return;
    }
    let (bytes, mut at) = (source.bytes, 0);
    while let Some(zero) = bytes.get(at..).and_then(|rest| memchr(0, rest)).map(|found| at + found)
    {
        let little = zero.checked_sub(1).filter(|start| *start >= at);
        at = match little {
            Some(start) if Order::Little.begins(bytes, start) => {
                read(source, start, Order::Little, FOREIGN_UNITS_MAX, made)
            }
            _ if Order::Big.begins(bytes, zero) => {
                read(source, zero, Order::Big, FOREIGN_UNITS_MAX, made)
            }
            // Of zeroes in a row the last may begin something.
            _ => {
                let rest = bytes.get(zero + 1..).unwrap_or_default();
                let more = rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len());
                if more == 0 { zero + 1 } else { zero + more }
            }
        };
    }
}

/// Reads a run; gives where it ends, behind `start`.
fn read(
    source: &Source<'_>,
    start: usize,
    order: Order,
    foreign_max: usize,
    made: &mut Made<'_>,
) -> usize {
    let bytes = source.bytes;
    let (mut text, mut map) =
        (Secret::with_capacity((bytes.len() - start).min(4096)), Map::new(8, start));
    let (mut at, mut foreign) = (start, 0);
    while let Some(unit) = order.unit(bytes, at) {
        let (char, len) = match char::from_u32(unit.into()) {
            Some(char) => (char, 2),
            None => {
                let low = order.unit(bytes, at + 2).unwrap_or_default();
                match char::decode_utf16([unit, low]).next() {
                    Some(Ok(char)) => (char, 4),
                    _ => break,
                }
            }
        };
        if char.is_control() && !"\t\r\n".contains(char) {
            break;
        }
        foreign = if char.is_ascii() { 0 } else { foreign + 1 };
        if foreign > foreign_max || text.len() + 8 > made.room() {
            break;
        }
        map.go_on(text.len(), at, if char.is_ascii() { 2 } else { 0 });
        text.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
        at += len;
    }
    map.go_on(text.len(), at, 0);
    map.close(at);
    made.add(Child {
        bytes: text,
        map,
        start: source.start_at(start, End::Whole),
        // One byte more is half a unit.
        end: source.end_at(at + 1, End::Whole),
    });
    at.max(start + 1)
}
