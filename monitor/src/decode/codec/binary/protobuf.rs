//! Protobuf's wire format (protobuf.dev/programming-guides/encoding) without a schema, alone or in
//! the frames of gRPC (PROTOCOL-HTTP2.md, Length-Prefixed-Message). Fields have numbers, no names:
//! the path `f3.f2` is what a policy can learn. Of the entries of a map (and of every message of a
//! name and a value) the name follows the path. Which field means what it does not remember.

use super::{NAME_BYTES_MAX, Name, Stop, Value, Walk};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};
use crate::decode::view::End;
use crate::limits::{BINARY_DEPTH_MAX, DECODE_TRY_BYTES};

/// Bytes of text of the least message: noise parses, too, but holds no text.
const TEXT_BYTES_MIN: usize = 6;
/// gRPC: a flag, and the length of the message.
const FRAME_HEAD_BYTES: usize = 5;

pub(in crate::decode::codec) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    if !source.is_binary() || !made.work(DECODE_TRY_BYTES.min(source.bytes.len())) {
        return;
    }
    let starts = [source.fresh, 0].into_iter().take(if source.fresh == 0 { 1 } else { 2 });
    for start in starts {
        if let Some(walk) = walk(source.bytes, start, source.end != End::Whole) {
            let mut rendering = Rendering::new(source.bytes, start, made);
            walk.write(&mut rendering);
            return rendering.add(walk.at, source, made);
        }
    }
}

/// Walks what begins at `start`; `None` where that is no message, or one without text.
pub(super) fn walk(bytes: &[u8], start: usize, may_be_cut: bool) -> Option<Walk<'_>> {
    let rest = bytes.get(start..)?;
    let mut walk = Walk::new(bytes, start);
    let mut ended = if is_frame(rest) { Ok(()) } else { message(&mut walk, bytes.len()) };
    while is_frame(rest) && ended.is_ok() && !walk.is_at_end() {
        ended = frame(&mut walk);
    }
    let whole = ended.is_ok() || (ended == Err(Stop::Cut) && may_be_cut);
    let text = walk.text_bytes;
    (whole && text >= TEXT_BYTES_MIN && text * 4 >= walk.at - start).then_some(walk)
}

fn is_frame(bytes: &[u8]) -> bool {
    let Some([0 | 1, a, b, c, d]) = bytes.first_chunk::<FRAME_HEAD_BYTES>() else { return false };
    u32::from_be_bytes([*a, *b, *c, *d]) as usize + FRAME_HEAD_BYTES
        <= bytes.len().saturating_mul(64)
}

/// The next message of a gRPC stream.
fn frame(walk: &mut Walk<'_>) -> Result<(), Stop> {
    if walk.byte()? > 1 {
        return Err(Stop::Bad);
    }
    let length = walk.big(4)?;
    let end = walk.at.saturating_add(usize::try_from(length).map_err(|_| Stop::Bad)?);
    message(walk, end)
}

fn message(walk: &mut Walk<'_>, end: usize) -> Result<(), Stop> {
    while walk.at < end {
        walk.count()?;
        let tag = varint(walk)?;
        let (number, wire) = (tag >> 3, tag & 7);
        // Field numbers are 1 to 2^29 - 1.
        if number == 0 || number >= 1 << 29 {
            return Err(Stop::Bad);
        }
        walk.enter(Name::Number(number))?;
        let done = field(walk, wire, end);
        walk.path.pop();
        done?;
    }
    if walk.at > end { Err(Stop::Bad) } else { Ok(()) }
}

fn field(walk: &mut Walk<'_>, wire: u64, end: usize) -> Result<(), Stop> {
    let start = walk.at;
    match wire {
        0 => {
            let number = varint(walk)?;
            walk.number(number, start..walk.at);
        }
        1 | 5 => {
            let bytes = walk.take(if wire == 1 { 8 } else { 4 })?;
            let little =
                walk.slice(&bytes).iter().rev().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
            // A float is a large number as an integer; no value has more than 19 digits.
            if little < 10_u64.pow(17) {
                walk.number(little, bytes);
            }
        }
        2 => {
            let length = varint(walk)?;
            let inner = walk.at.saturating_add(usize::try_from(length).map_err(|_| Stop::Bad)?);
            // Beyond the end of all there is it is cut; beyond the message around it, it is wrong.
            if inner > end && end < walk.bytes.len() {
                return Err(Stop::Bad);
            }
            let whole = inner <= walk.bytes.len();
            let bytes = walk.take(length)?;
            read(walk, bytes, inner);
            if !whole {
                return Err(Stop::Cut);
            }
        }
        _ => return Err(Stop::Bad),
    }
    Ok(())
}

/// A string where it reads as one, else a message where it is one, else neither.
fn read(walk: &mut Walk<'_>, bytes: std::ops::Range<usize>, inner: usize) {
    // Tag and length of a field 1 of 9 to 13 bytes are blanks and line breaks, too.
    let is_field =
        matches!(walk.slice(&bytes), [b'\n', n, rest @ ..] if usize::from(*n) == rest.len());
    if walk.is_text(&bytes) && !is_field {
        return walk.text(bytes);
    }
    let (fields_before, text_before) = (walk.fields.len(), walk.text_bytes);
    let after = std::mem::replace(&mut walk.at, bytes.start);
    let done =
        if walk.path.len() < BINARY_DEPTH_MAX { message(walk, inner) } else { Err(Stop::Bad) };
    let cut = inner > walk.bytes.len() && done == Err(Stop::Cut);
    if done.is_err() && !cut {
        walk.fields.truncate(fields_before);
        walk.text_bytes = text_before;
    } else {
        if is_pair(walk.slice(&bytes)) {
            name_value(walk, fields_before);
        }
    }
    walk.at = after;
}

/// Whether a message is a field 1 and a field 2, each once, as an entry of a map is; the second may be
/// cut.
fn is_pair(bytes: &[u8]) -> bool {
    let mut walk = Walk::new(bytes, 0);
    let mut next = || {
        let tag = varint(&mut walk).ok()?;
        match tag & 7 {
            0 => varint(&mut walk).map(|_| ()),
            1 => walk.take(8).map(|_| ()),
            2 => varint(&mut walk).and_then(|length| walk.take(length)).map(|_| ()),
            5 => walk.take(4).map(|_| ()),
            _ => return None,
        }
        .ok()?;
        Some(tag >> 3)
    };
    next() == Some(1) && next() == Some(2) && next().is_none()
}

/// Names the value of an entry of a map (protobuf.dev/programming-guides/encoding, Maps): field 1
/// is the key, and field 2 the value, also one within a message, as OpenTelemetry has it.
fn name_value(walk: &mut Walk<'_>, from: usize) {
    let depth = walk.path.len();
    let number = |path: &[Name]| match path.get(depth) {
        Some(Name::Number(number)) => Some(*number),
        _ => None,
    };
    let Some(((path, Value::Bytes(key)), values)) =
        walk.fields.get(from..).and_then(<[_]>::split_first)
    else {
        return;
    };
    let is_entry = path.len() == depth + 1
        && number(path) == Some(1)
        && !values.is_empty()
        && values.iter().all(|(path, _)| number(path) == Some(2));
    let key = key.clone();
    if !is_entry || !is_name(walk.slice(&key)) {
        return;
    }
    for (path, _) in walk.fields.iter_mut().skip(from + 1) {
        // The name of an entry within this one is the nearer.
        let at = path.iter().position(|name| matches!(name, Name::Text(_)));
        path.insert(at.unwrap_or(path.len()), Name::Text(key.clone()));
    }
}

/// Whether a text may be the name of a value, and not a value itself.
fn is_name(text: &[u8]) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b" _-.".contains(b))
}

fn varint(walk: &mut Walk<'_>) -> Result<u64, Stop> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = walk.byte()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Stop::Bad)
}
