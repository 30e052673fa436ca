//! Machine-readable zones of passports, identity cards and visas: two or three lines of one length,
//! four check digits. Read as text, not from an image.

use super::super::checksum::{is_date, two, value36};
use super::super::detector::{Detector, Find, Tier, Words};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::value::end_of;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa],
    standard: "ICAO Doc 9303 parts 3 to 7: TD1, TD2, TD3 and visas, check digits with weights 7, 3, 1",
    // Three check digits and two dates; no random string passed of 100,000.
    chance: 1e-5,
    example: "P<UTOKOVAR<<JANA<<<<<<<<<<<<<<<<<<<<<<<<<<<<\nL8N4K29Q72UTO8503127F3109144<<<<<<<<<<<<<<02",
    words: Words {
        key: &["passport", "document"],
        near: &["mrz", "machine readable zone"],
        hostile: &[],
        doubtful: &[],
    },
    find: Find::Mark(b'<', find),
    mask: mask::nothing,
    ..Detector::new("MRZ", "Machine-readable zone of a travel document")
}];

/// What the check digits and the form prove, in decibans.
const ZONE_DB: i16 = 60;
/// Characters of a line: TD1, TD2 (and visa B), TD3 (and visa A).
const LINES: [usize; 3] = [30, 36, 44];
const LINE_BYTES_MAX: usize = 44;

fn in_zone(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'<'
}

/// Looks at the line around the fillers at `at`, which is the first of its zone or, in a zone of
/// three lines whose first has none, the second.
fn find(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    // The first of three fillers.
    let fillers = text::slice(text, at, at + 3) == b"<<<" && text::byte_before(text, at, 1) != b'<';
    if !fillers {
        return None;
    }
    let head = text::slice(text, at.saturating_sub(LINE_BYTES_MAX), at);
    let before = head.iter().rev().take_while(|b| in_zone(**b)).count();
    let start = at - before;
    [start, line_before(text, start).unwrap_or(start)]
        .into_iter()
        .find_map(|start| zone(text, start))
}

/// Where the line of 30 characters begins that ends before the line at `start`.
fn line_before(text: &[u8], start: usize) -> Option<usize> {
    (1..=2).find_map(|width| {
        let end = start.checked_sub(width)?;
        let first = end.checked_sub(30)?;
        let line = text::slice(text, first, end);
        (next_line(text, end)? == start && line.iter().all(|b| in_zone(*b))).then_some(first)
    })
}

/// Where the next line begins after one that ended at `end`: after a line break, plain or escaped,
/// or a blank.
fn next_line(text: &[u8], end: usize) -> Option<usize> {
    let rest = text::slice(text, end, text.len().min(end + 4));
    let breaks: [&[u8]; 6] = [b"\\r\\n", b"\r\n", b"\\n", b"\n", b" ", b"|"];
    breaks.into_iter().find(|mark| rest.starts_with(mark)).map(|mark| end + mark.len())
}

fn zone(text: &[u8], start: usize) -> Option<Candidate> {
    let end = end_of(text, start, LINE_BYTES_MAX + 1, in_zone);
    let length = end - start;
    let kind = *text.get(start)?;
    if !LINES.contains(&length) || !matches!(kind, b'P' | b'V' | b'A' | b'C' | b'I') {
        return None;
    }
    let line = |start: usize| {
        let line = text::slice(text, start, start + length);
        (line.len() == length && line.iter().all(|b| in_zone(*b))).then_some(line)
    };
    let (first, second_at) = (line(start)?, next_line(text, end)?);
    let second = line(second_at)?;
    let last = if length == 30 {
        let third = next_line(text, second_at + length)?;
        line(third)?;
        is_td1(first, second).then_some(third)?
    } else {
        is_td2_or_td3(second, kind == b'V').then_some(second_at)?
    };
    let end = last + length;
    // Behind the value of an element stands its closing tag.
    let closes = text::slice(text, end, end + 2) == b"</";
    if in_zone(text::byte(text, end)) && !closes {
        return None;
    }
    Some(Candidate::new(start, end, ZONE_DB).because(Reasons::CHECKED).because(Reasons::FORM))
}

/// The check digit of fields one after the other, and whether `check` is it.
fn checks(fields: &[&[u8]], check: u8) -> bool {
    let characters = fields.iter().flat_map(|field| field.iter());
    let sum = characters.zip([7, 3, 1].iter().cycle()).try_fold(0, |sum, (byte, weight)| {
        let value = if *byte == b'<' { 0 } else { value36(*byte)? };
        Some(sum + value * weight)
    });
    let value = match check {
        b'<' => Some(0),
        digit => digit.is_ascii_digit().then(|| u32::from(digit & 0x0F)),
    };
    sum.map(|sum| sum % 10) == value
}

/// Whether six characters are a date, of which parts may be unknown.
fn is_birth(date: &[u8]) -> bool {
    let known = |at: usize| two(date, at);
    match (known(2), known(4)) {
        (Some(month), Some(day)) => is_date(2000, month, day),
        _ => date.iter().all(|b| b.is_ascii_digit() || *b == b'<'),
    }
}

fn part(line: &[u8], from: usize, to: usize) -> &[u8] {
    line.get(from..to).unwrap_or_default()
}

fn is_td1(first: &[u8], second: &[u8]) -> bool {
    let (number, birth, expiry) = (part(first, 5, 14), part(second, 0, 6), part(second, 8, 14));
    let whole = [part(first, 5, 30), part(second, 0, 7), part(second, 8, 15), part(second, 18, 29)];
    // A document number that is longer goes on in the optional data (9303-5 section 4.2.2).
    let number_check = text::byte(first, 14);
    (number_check == b'<' || checks(&[number], number_check))
        && is_birth(birth)
        && checks(&[birth], text::byte(second, 6))
        && checks(&[expiry], text::byte(second, 14))
        && checks(&whole, text::byte(second, 29))
}

fn is_td2_or_td3(second: &[u8], is_visa: bool) -> bool {
    let last = second.len().saturating_sub(1);
    let whole = [part(second, 0, 10), part(second, 13, 20), part(second, 21, last)];
    checks(&[part(second, 0, 9)], text::byte(second, 9))
        && is_birth(part(second, 13, 19))
        && checks(&[part(second, 13, 19)], text::byte(second, 19))
        && checks(&[part(second, 21, 27)], text::byte(second, 27))
        && (is_visa || checks(&whole, text::byte(second, last)))
}
