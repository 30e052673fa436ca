//! MessagePack (github.com/msgpack/msgpack/blob/master/spec.md): maps and arrays at the start of a
//! reading, names of maps as keys.

use super::{Name, Stop, Walk};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};
use crate::decode::view::End;
use crate::limits::DECODE_TRY_BYTES;

/// Bytes of text of the least message.
const TEXT_BYTES_MIN: usize = 4;

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
    let Some(0x80..=0x9f | 0xdc..=0xdf) = bytes.get(start) else {
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

fn value(walk: &mut Walk<'_>) -> Result<(), Stop> {
    walk.count()?;
    let start = walk.at;
    match walk.byte()? {
        byte @ 0x80..=0x8f => map(walk, u64::from(byte & 15)),
        byte @ 0x90..=0x9f => array(walk, u64::from(byte & 15)),
        byte @ 0xa0..=0xbf => text(walk, u64::from(byte & 31)),
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Ok(()),
        byte @ (0xc4..=0xc6 | 0xd9..=0xdb) => {
            let width = if byte < 0xd0 { 1 << (byte - 0xc4) } else { 1 << (byte - 0xd9) };
            let length = walk.big(width)?;
            text(walk, length)
        }
        byte @ 0xc7..=0xc9 => {
            let length = walk.big(1 << (byte - 0xc7))?;
            skip(walk, length + 1)
        }
        byte @ (0xca | 0xcb) => skip(walk, if byte == 0xca { 4 } else { 8 }),
        byte @ 0xcc..=0xd3 => {
            let number = walk.big(1 << (byte & 3))?;
            // A negative one is no value.
            if byte < 0xd0 || number < 1 << 62 {
                walk.number(number, start..walk.at);
            }
            Ok(())
        }
        byte @ 0xd4..=0xd8 => skip(walk, (1 << (byte - 0xd4)) + 1),
        byte @ (0xdc | 0xdd) => {
            let count = walk.big(if byte == 0xdc { 2 } else { 4 })?;
            array(walk, count)
        }
        byte @ (0xde | 0xdf) => {
            let count = walk.big(if byte == 0xde { 2 } else { 4 })?;
            map(walk, count)
        }
        0xc1 => Err(Stop::Bad),
    }
}

fn skip(walk: &mut Walk<'_>, length: u64) -> Result<(), Stop> {
    walk.take(length)?;
    Ok(())
}

fn text(walk: &mut Walk<'_>, length: u64) -> Result<(), Stop> {
    let bytes = walk.take(length)?;
    if walk.is_text(&bytes) {
        walk.text(bytes);
    }
    Ok(())
}

fn array(walk: &mut Walk<'_>, count: u64) -> Result<(), Stop> {
    // The names around it are those of its elements.
    super::nested(walk, |walk| (0..count).try_for_each(|_| value(walk)))
}

fn map(walk: &mut Walk<'_>, count: u64) -> Result<(), Stop> {
    (0..count).try_for_each(|_| {
        let name = key(walk)?;
        walk.enter(name)?;
        let done = super::nested(walk, value);
        walk.path.pop();
        done
    })
}

/// The key of a map: a short text, a number, else nothing that could be one.
fn key(walk: &mut Walk<'_>) -> Result<Name, Stop> {
    let length = match walk.byte()? {
        byte @ 0xa0..=0xbf => u64::from(byte & 31),
        byte @ (0xd9 | 0xda) => walk.big(if byte == 0xd9 { 1 } else { 2 })?,
        byte @ 0x00..=0x7f => return Ok(Name::Number(byte.into())),
        byte @ 0xcc..=0xcf => return Ok(Name::Number(walk.big(1 << (byte & 3))?)),
        _ => return Err(Stop::Bad),
    };
    let name = walk.take(length)?;
    if walk.is_text(&name) { Ok(Name::Text(name)) } else { Err(Stop::Bad) }
}
