//! Redis' RESP (redis.io/docs/latest/develop/reference/protocol-spec): commands as arrays of strings.

use super::{Cursor, line, read, starts};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};

/// Arguments of a command.
const ARGUMENTS_MAX: usize = 1_024;
/// Commands whose arguments are pairs, from the third on, or from the second.
const PAIRS_AFTER_KEY: [&[u8]; 4] = [b"HSET", b"HMSET", b"HSETNX", b"XADD"];
const PAIRS: [&[u8]; 2] = [b"MSET", b"MSETNX"];

pub(in crate::decode::codec) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    let starts = starts(source);
    if starts.iter().any(|start| source.bytes.get(*start) == Some(&b'*')) {
        read(source, made, &starts, commands);
    }
}

fn commands(bytes: &[u8], start: usize, rendering: &mut Rendering<'_>) -> usize {
    let mut cursor = Cursor { bytes, at: start };
    loop {
        let before = cursor.at;
        if command(&mut cursor, rendering).is_none() {
            return if cursor.at > before { cursor.at.min(bytes.len()) } else { before };
        }
    }
}

fn command(cursor: &mut Cursor<'_>, rendering: &mut Rendering<'_>) -> Option<()> {
    let count = number(cursor, b'*').filter(|count| (1..=ARGUMENTS_MAX).contains(count))?;
    let (mut name, mut key) = (None, None);
    for index in 0..count {
        let length = number(cursor, b'$')?;
        let left = cursor.bytes.len().saturating_sub(cursor.at);
        let cut = length > left;
        let argument = cursor.take(length.min(left))?;
        let command = name.clone().unwrap_or(argument.clone());
        let is =
            |names: &[&[u8]]| names.iter().any(|n| cursor.slice(&command).eq_ignore_ascii_case(n));
        let (after_key, pairs) = (is(&PAIRS_AFTER_KEY), is(&PAIRS));
        let is_key = index == 1 || (after_key && index % 2 == 0) || (pairs && index % 2 == 1);
        if index == 0 {
            name = Some(argument.clone());
        } else if is_key && index > 0 {
            key = Some(argument.clone());
        }
        line(if index > 1 && !is_key { key.as_ref() } else { None }, argument, rendering);
        if cut {
            return None;
        }
        cursor.take(2)?;
    }
    Some(())
}

/// `*3\r\n`, `$5\r\n`.
fn number(cursor: &mut Cursor<'_>, mark: u8) -> Option<usize> {
    const DIGITS_MAX: usize = 9;
    let rest = cursor.bytes.get(cursor.at..)?.strip_prefix(&[mark])?;
    let digits = rest.get(..rest.iter().take(DIGITS_MAX + 1).position(|byte| *byte == b'\r')?)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    cursor.at += digits.len() + 3;
    Some(number)
}
