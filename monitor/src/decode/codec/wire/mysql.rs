//! MySQL's protocol (dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html):
//! queries, and the parameters of prepared statements, whose number the packet does not say.

use std::ops::Range;

use super::{Cursor, line, read, starts};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};

const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
/// Parameters of a statement that are tried for.
const PARAMETERS_MAX: usize = 64;

pub(in crate::decode::codec) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    if source.has_zero() {
        read(source, made, &starts(source), packets);
    }
}

fn packets(bytes: &[u8], start: usize, rendering: &mut Rendering<'_>) -> usize {
    let mut at = start;
    // A command begins with number 0.
    while let Some([a, b, c, 0, command]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<5>) {
        let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        let end = (at + 4).saturating_add(length).min(bytes.len());
        let body = at + 5..end;
        let mut cursor = Cursor { bytes: bytes.get(..end).unwrap_or(bytes), at: body.start };
        match *command {
            COM_QUERY | COM_STMT_PREPARE if !body.is_empty() && cursor.is_text(&body) => {
                line(None, body, rendering);
            }
            COM_STMT_EXECUTE => {
                if let Some(values) = execute(&mut cursor) {
                    values.into_iter().for_each(|value| value.write(bytes, rendering));
                }
            }
            0..=0x1f if length > 0 => {}
            _ => return at,
        }
        at = end;
    }
    at
}

enum Value {
    Text(Range<usize>),
    Number(Range<usize>),
}

impl Value {
    fn write(self, bytes: &[u8], rendering: &mut Rendering<'_>) {
        match self {
            Value::Text(range) => line(None, range, rendering),
            Value::Number(range) => {
                let little = bytes.get(range.clone()).unwrap_or_default().iter().rev();
                let number = little.fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
                let end = range.end;
                rendering.render(number.to_string().as_bytes(), range);
                rendering.say(b"\n", end);
            }
        }
    }
}

/// The parameters, for the number of them with which the packet comes out even.
fn execute(cursor: &mut Cursor<'_>) -> Option<Vec<Value>> {
    const BEFORE_BYTES: usize = 9;
    cursor.take(BEFORE_BYTES)?;
    let start = cursor.at;
    (1..=PARAMETERS_MAX).find_map(|count| {
        cursor.at = start;
        values(cursor, count).filter(|_| cursor.at == cursor.bytes.len())
    })
}

fn values(cursor: &mut Cursor<'_>, count: usize) -> Option<Vec<Value>> {
    let nulls = cursor.take(count.div_ceil(8))?;
    if cursor.byte()? != 1 {
        return None;
    }
    let types = cursor.take(2 * count)?;
    let mut values = Vec::new();
    for index in 0..count {
        let null = *cursor.bytes.get(nulls.start + index / 8)? >> (index % 8) & 1;
        if null == 1 {
            continue;
        }
        match *cursor.bytes.get(types.start + 2 * index)? {
            kind @ (1 | 2 | 4 | 5) => {
                // Small numbers and floats are no values.
                let length = [1, 2, 0, 4, 8].get(usize::from(kind) - 1)?;
                cursor.take(*length)?;
            }
            3 | 9 => values.push(Value::Number(cursor.take(4)?)),
            8 => values.push(Value::Number(cursor.take(8)?)),
            7 | 10..=12 => {
                let length = cursor.byte()?;
                cursor.take(length.into())?;
            }
            0 | 15 | 16 | 245..=254 => {
                let length = match cursor.byte()? {
                    short @ 0..=250 => usize::from(short),
                    long @ 252..=253 => {
                        let bytes = cursor.take(usize::from(long) - 250)?;
                        let little = cursor.slice(&bytes).iter().rev();
                        little.fold(0, |length, byte| length << 8 | usize::from(*byte))
                    }
                    _ => return None,
                };
                let text = cursor.take(length)?;
                if cursor.is_text(&text) && !text.is_empty() {
                    values.push(Value::Text(text));
                }
            }
            _ => return None,
        }
    }
    Some(values)
}
