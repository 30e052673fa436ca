//! PostgreSQL's protocol, version 3 (postgresql.org/docs/current/protocol-message-formats.html):
//! queries, parameters with the column that the statement in the same send has for them, copied
//! rows, and rows of results under their names.

use std::ops::Range;

use super::{Cursor, line, read, starts};
use crate::decode::rendering::Rendering;
use crate::decode::tree::{Made, Source};

/// Columns and parameters that are told apart.
const COLUMNS_MAX: usize = 1_600;
/// Bytes of a message; a longer one is none.
const MESSAGE_BYTES_MAX: usize = 1 << 24;

pub(in crate::decode::codec) fn decode(source: &Source<'_>, made: &mut Made<'_>) {
    if source.has_zero() {
        read(source, made, &starts(source), messages);
    }
}

fn messages(bytes: &[u8], start: usize, rendering: &mut Rendering<'_>) -> usize {
    let mut cursor = Cursor { bytes, at: start };
    let mut names = Vec::new();
    while let Some(kind) = cursor.byte() {
        let Some(length) = cursor.big(4).map(|length| length as usize) else { break };
        let known = b"QPBDECSXHFdcfpRKZT12n3stAN".contains(&kind);
        if !known || !(4..=MESSAGE_BYTES_MAX).contains(&length) {
            return cursor.at - 5;
        }
        let end = (cursor.at + length - 4).min(bytes.len());
        let mut inner = Cursor { bytes: bytes.get(..end).unwrap_or(bytes), at: cursor.at };
        let read = match kind {
            b'Q' => query(&mut inner, rendering).map(|_| ()),
            b'P' => statement(&mut inner, rendering).map(|found| names = found),
            b'B' => bind(&mut inner, &names, rendering),
            b'T' => columns(&mut inner).map(|found| names = found),
            b'D' => row(&mut inner, &names, rendering).or(Some(())),
            b'd' => {
                line(None, inner.at..end, rendering);
                Some(())
            }
            _ => Some(()),
        };
        if read.is_none() && end == cursor.at + length - 4 {
            return cursor.at - 5;
        }
        cursor.at = end;
    }
    cursor.at.min(bytes.len())
}

/// A text of a query, which may be cut.
fn query(cursor: &mut Cursor<'_>, rendering: &mut Rendering<'_>) -> Option<Range<usize>> {
    let from = cursor.at;
    let text = cursor.text().unwrap_or(from..cursor.bytes.len());
    if text.is_empty() || !cursor.is_text(&text) {
        return None;
    }
    line(None, text.clone(), rendering);
    Some(text)
}

/// Parse: a name, a query, types of parameters. Gives the column of each parameter.
fn statement(cursor: &mut Cursor<'_>, rendering: &mut Rendering<'_>) -> Option<Vec<Range<usize>>> {
    cursor.text()?;
    let text = query(cursor, rendering)?;
    Some(parameters(cursor.bytes, text))
}

/// The column of `$1`, `$2`, … in order: of the list before VALUES, or what it is compared with.
fn parameters(bytes: &[u8], query: Range<usize>) -> Vec<Range<usize>> {
    let text = bytes.get(query.clone()).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.\"".contains(byte);
    let mut list = Vec::new();
    if text.trim_ascii_start().get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case(b"insert"))
        && let Some(open) = memchr::memchr(b'(', text)
    {
        let close = open + memchr::memchr(b')', text.get(open..).unwrap_or_default()).unwrap_or(0);
        let mut at = open + 1;
        for name in text.get(open + 1..close).unwrap_or_default().split(|byte| *byte == b',') {
            let blank = name.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let start = query.start + at + blank;
            list.push(start..start + name.trim_ascii().len());
            at += name.len() + 1;
        }
    }
    let mut names = Vec::new();
    for dollar in memchr::memchr_iter(b'$', text).take(COLUMNS_MAX) {
        let before = text.get(..dollar).unwrap_or_default().trim_ascii_end();
        let name = match before.strip_suffix(b"=") {
            Some(before) => {
                let before = before.trim_ascii_end();
                let length = before.iter().rev().take_while(|byte| is_name(byte)).count();
                query.start + before.len() - length..query.start + before.len()
            }
            None if list.is_empty() => 0..0,
            None => list.get(names.len() % list.len()).cloned().unwrap_or(0..0),
        };
        names.push(name);
    }
    names
}

/// Bind: a portal, a statement, formats, values.
fn bind(
    cursor: &mut Cursor<'_>,
    names: &[Range<usize>],
    rendering: &mut Rendering<'_>,
) -> Option<()> {
    cursor.text()?;
    cursor.text()?;
    let count = cursor.big(2)?;
    let formats = (0..count).map(|_| cursor.big(2)).collect::<Option<Vec<_>>>()?;
    let count = cursor.big(2)? as usize;
    for index in 0..count {
        let binary = formats.get(index).or(formats.first().filter(|_| formats.len() == 1));
        value(cursor, names.get(index), binary == Some(&1), rendering)?;
    }
    Some(())
}

/// RowDescription: the names of columns.
fn columns(cursor: &mut Cursor<'_>) -> Option<Vec<Range<usize>>> {
    const BESIDE_NAME_BYTES: usize = 18;
    let count = cursor.big(2)?;
    let column = |_| {
        let name = cursor.text()?;
        cursor.take(BESIDE_NAME_BYTES)?;
        Some(name)
    };
    (0..count).map(column).collect()
}

/// DataRow: values. Describe has the same letter and fails.
fn row(
    cursor: &mut Cursor<'_>,
    names: &[Range<usize>],
    rendering: &mut Rendering<'_>,
) -> Option<()> {
    let count = cursor.big(2).filter(|count| *count as usize <= COLUMNS_MAX)?;
    (0..count as usize).try_for_each(|index| value(cursor, names.get(index), false, rendering))
}

fn value(
    cursor: &mut Cursor<'_>,
    name: Option<&Range<usize>>,
    binary: bool,
    rendering: &mut Rendering<'_>,
) -> Option<()> {
    let length = cursor.big(4)?;
    if length == u32::MAX {
        return Some(());
    }
    let left = cursor.bytes.len().saturating_sub(cursor.at);
    let cut = length as usize > left;
    let bytes = cursor.take((length as usize).min(left))?;
    let name = name.filter(|name| !name.is_empty());
    if binary && matches!(length, 4 | 8) && !cut {
        let number = cursor.slice(&bytes).iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
        if let Some(name) = name {
            rendering.say_from(name.clone(), bytes.start);
            rendering.say(b": ", bytes.start);
        }
        rendering.render(number.to_string().as_bytes(), bytes.clone());
        rendering.say(b"\n", bytes.end);
    } else if cursor.is_text(&bytes) {
        line(name, bytes, rendering);
    }
    (!cut).then_some(())
}
