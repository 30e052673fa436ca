//! What is written in the place of one value. It finds nothing.

use std::ops::Range;

use super::number::{self, Number};
use super::{Mode, Redactor};
use crate::decode::View;
use crate::detect::Hit;
use crate::model::Tag;

/// A value of a text that was written anew.
pub(super) struct Replaced {
    /// What it takes the place of in the text.
    pub(super) span: Range<usize>,
    /// Bytes of each quote around it.
    pub(super) quote: usize,
}

/// Appends to `out` what stands for a hit of a view of `text`.
pub(super) fn replace(
    redactor: &Redactor,
    mode: Mode,
    text: &[u8],
    view: &View<'_>,
    hit: &Hit,
    out: &mut Vec<u8>,
) -> Replaced {
    let engine = &redactor.engine;
    let entity = engine.entity(hit.detector).name();
    let value = view.bytes.get(hit.start..hit.end).unwrap_or_default();
    let number = match mode {
        // It is for people to read, who need no quotes.
        Mode::Partly => None,
        _ => number::around(&view.bytes, hit.start..hit.end),
    };
    let wide = Wide::of(text, view, hit);
    let span = match &number {
        Some(number) => view.span(number.span.clone()),
        None if wide.is_some() => view.span(hit.start..hit.end),
        None => whole_chars(text, view.span(hit.start..hit.end)),
    };
    if mode == Mode::Mask {
        let quote = match number {
            Some(number) => mask_number(text, view, &number, wide, &span, out),
            None => {
                let secret = engine.tags(hit.detector).contains(Tag::Secret);
                mask_bytes(text, view, hit, secret, wide, &span, out);
                0
            }
        };
        return Replaced { span, quote };
    }
    let quote = number.map(|number| number.quote(text, view)).unwrap_or_default();
    out.extend_from_slice(&quote);
    let begin = out.len();
    match mode {
        Mode::Token => {
            out.extend_from_slice(entity.as_bytes());
            out.push(b'_');
            let fingerprint = redactor.key.fingerprint(engine, hit.detector, value);
            out.extend_from_slice(fingerprint.as_bytes());
        }
        Mode::Hash => {
            let hash = redactor.key.hash(engine, hit.detector, value);
            out.extend_from_slice(hash.as_bytes());
        }
        Mode::Remove => {
            out.push(b'[');
            out.extend_from_slice(entity.as_bytes());
            out.push(b']');
        }
        Mode::Partly => out.extend_from_slice(engine.mask(hit.detector, value).as_bytes()),
        Mode::Mask => {}
    }
    if let Some(wide) = wide {
        let narrow = out.split_off(begin);
        narrow.iter().for_each(|byte| out.extend_from_slice(&wide.unit(*byte)));
    }
    out.extend_from_slice(&quote);
    Replaced { span, quote: quote.len() }
}

/// Stars for each byte of a value, but for separators, line ends, and whatever stands in the middle
/// of it without being part of it, as the framing of chunks does.
fn mask_bytes(
    text: &[u8],
    view: &View<'_>,
    hit: &Hit,
    secret: bool,
    wide: Option<Wide>,
    span: &Range<usize>,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    out.extend_from_slice(text.get(span.clone()).unwrap_or_default());
    let Some(written) = out.get_mut(begin..) else { return };
    for at in hit.start..hit.end {
        let Some(byte) = view.bytes.get(at) else { break };
        if stays(*byte, secret) {
            continue;
        }
        let source = view.span(at..at + 1);
        let (from, to) =
            (source.start.saturating_sub(span.start), source.end.saturating_sub(span.start));
        star(written.get_mut(from..to).unwrap_or_default(), wide);
    }
    // The bytes of a character that the hit did not have whole.
    let (first, last) = (view.source(hit.start), view.span(hit.start..hit.end).end);
    let head = first.saturating_sub(span.start);
    let tail = last.saturating_sub(span.start);
    written.get_mut(..head).unwrap_or_default().fill(b'*');
    written.get_mut(tail..).unwrap_or_default().fill(b'*');
}

/// Stars for what stands for one byte of a value: an escape, but for a line end that cuts it in two
/// and what frames the next chunk behind it.
fn star(escape: &mut [u8], wide: Option<Wide>) {
    if let Some(wide) = wide {
        return escape.chunks_exact_mut(2).for_each(|pair| pair.copy_from_slice(&wide.unit(b'*')));
    }
    let line = escape.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let Some(line) = line else { return escape.fill(b'*') };
    let after = escape.iter().rposition(|byte| *byte == b'\n').unwrap_or(line);
    escape.get_mut(..line).unwrap_or_default().fill(b'*');
    escape.get_mut(after + 1..).unwrap_or_default().fill(b'*');
}

/// Whether a byte of a value says nothing of it, and may be what delimits it for who reads it. Of a
/// secret only line ends stay.
fn stays(byte: u8, secret: bool) -> bool {
    matches!(byte, b'\n' | b'\r') || (!secret && b" -./()+@,;|\t".contains(&byte))
}

/// A string of stars as long as the number, or where there is no room for its quotes, another
/// number. Gives the bytes of each quote.
fn mask_number(
    text: &[u8],
    view: &View<'_>,
    number: &Number,
    wide: Option<Wide>,
    span: &Range<usize>,
    out: &mut Vec<u8>,
) -> usize {
    let quote = number.quote(text, view);
    match span.len().checked_sub(2 * quote.len()) {
        Some(stars @ 1..) => {
            out.extend_from_slice(&quote);
            let begin = out.len();
            out.resize(begin + stars, b'*');
            if wide.is_some() {
                star(out.get_mut(begin..).unwrap_or_default(), wide);
            }
            out.extend_from_slice(&quote);
            quote.len()
        }
        _ => {
            let mut first = true;
            for byte in text.get(span.clone()).unwrap_or_default() {
                out.push(match byte {
                    // A number does not begin with a zero (RFC 8259 section 6).
                    b'0'..=b'9' if std::mem::take(&mut first) => b'1',
                    b'0'..=b'9' => b'0',
                    other => *other,
                });
            }
            0
        }
    }
}

/// The order of bytes where characters take up two (UTF-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    Big,
    Little,
}

impl Wide {
    /// That of the text that a hit of `view` was read from; `None` where bytes are bytes.
    fn of(text: &[u8], view: &View<'_>, hit: &Hit) -> Option<Wide> {
        let encoding: &str = &view.encoding;
        if !encoding.contains("utf-16") {
            return None;
        }
        // The upper half of a letter of ASCII is zero.
        let ascii =
            (hit.start..hit.end).find(|at| view.bytes.get(*at).is_some_and(u8::is_ascii))?;
        match text.get(view.span(ascii..ascii + 1))? {
            [0, ..] => Some(Wide::Big),
            _ => Some(Wide::Little),
        }
    }

    fn unit(self, byte: u8) -> [u8; 2] {
        match self {
            Wide::Big => [0, byte],
            Wide::Little => [byte, 0],
        }
    }
}

/// The span with the characters at its ends whole.
fn whole_chars(text: &[u8], span: Range<usize>) -> Range<usize> {
    let continues = |at: usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    let (mut start, mut end) = (span.start, span.end);
    for _ in 0..3 {
        start -= usize::from(start > 0 && continues(start));
        end += usize::from(continues(end));
    }
    start..end
}
