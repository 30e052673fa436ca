//! CBOR (RFC 8949): maps and arrays at the start of a reading, names of maps as keys.

use super::{Name, Stop, Walk, nested};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};
use crate::decode::view::End;
use crate::limits::DECODE_TRY_BYTES;

/// Bytes of text of the least message.
const TEXT_BYTES_MIN: usize = 4;
/// Byte that ends what has no length (RFC 8949 section 3.2.1).
const BREAK: u8 = 0xff;

pub(in crate::decode::codec) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let start = source.fresh;
    if !made.work(DECODE_TRY_BYTES.min(source.bytes.len())) {
        return;
    }
    if let Some(walk) = walk(source.bytes, start, source.end != End::Whole) {
        let mut rendering = Rendering::new(source.bytes, start, made);
        walk.write(&mut rendering);
        rendering.add(walk.at, source, made);
    }
}

/// Walks what begins at `start`; `None` where that is no message, or one without text.
pub(super) fn walk(bytes: &[u8], start: usize, may_be_cut: bool) -> Option<Walk<'_>> {
    // A map, an array, or the tag that says what this is (section 3.4.6).
    let Some(0xa0..=0xbb | 0xbf | 0x80..=0x9b | 0x9f | 0xd9) = bytes.get(start) else {
        return None;
    };
    let mut walk = Walk::new(bytes, start);
    let mut ended = Ok(());
    // Messages may follow one another.
    while ended.is_ok() && !walk.is_at_end() {
        ended = value(&mut walk);
    }
    let whole = ended.is_ok() || (ended == Err(Stop::Cut) && may_be_cut);
    let text = walk.text_bytes;
    (whole && text >= TEXT_BYTES_MIN && text * 8 >= walk.at - start).then_some(walk)
}

/// The major type of a head, and its number; `None` where there is none (section 3).
fn head(walk: &mut Walk<'_>) -> Result<(u8, Option<u64>), Stop> {
    let byte = walk.byte()?;
    let number = match byte & 31 {
        short @ 0..=23 => Some(short.into()),
        long @ 24..=27 => Some(walk.big(1 << (long - 24))?),
        31 => None,
        _ => return Err(Stop::Bad),
    };
    Ok((byte >> 5, number))
}

fn value(walk: &mut Walk<'_>) -> Result<(), Stop> {
    walk.count()?;
    let start = walk.at;
    match head(walk)? {
        (0, Some(number)) => walk.number(number, start..walk.at),
        (1, Some(_)) => {}
        (2 | 3, Some(length)) => {
            let bytes = walk.take(length)?;
            if walk.is_text(&bytes) {
                walk.text(bytes);
            }
        }
        (4, count) => nested(walk, |walk| each(walk, count, value))?,
        (5, count) => nested(walk, |walk| each(walk, count, pair))?,
        // Pieces of a text of no length are texts of their own.
        (2 | 3, None) => nested(walk, |walk| each(walk, None, value))?,
        (6, Some(_)) => nested(walk, value)?,
        (7, Some(_)) => {}
        _ => return Err(Stop::Bad),
    }
    Ok(())
}

fn each(
    walk: &mut Walk<'_>,
    count: Option<u64>,
    one: fn(&mut Walk<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let Some(count) = count else {
        while *walk.bytes.get(walk.at).ok_or(Stop::Cut)? != BREAK {
            one(walk)?;
        }
        walk.at += 1;
        return Ok(());
    };
    (0..count).try_for_each(|_| one(walk))
}

fn pair(walk: &mut Walk<'_>) -> Result<(), Stop> {
    let name = match head(walk)? {
        (0 | 1, Some(number)) => Name::Number(number),
        (2 | 3, Some(length)) => {
            let name = walk.take(length)?;
            if !walk.is_text(&name) {
                return Err(Stop::Bad);
            }
            Name::Text(name)
        }
        _ => return Err(Stop::Bad),
    };
    walk.enter(name)?;
    let done = value(walk);
    walk.path.pop();
    done
}
