//! What the magnetic stripe and the back of a payment card hold: tracks 1 and 2 and the card
//! verification value, which nobody may store after authorisation (PCI DSS 4.0 requirement 3.3.1).

use super::super::detector::{Detector, Field, Find, Tier, Words, before};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::{card, value};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::PciDss, Tag::Gdpr],
        standard: "ISO/IEC 7813: track 1 in format B and track 2, with a number of ISO/IEC 7812-1",
        // 16 digits pass as a number with 0.023, four more as a year and month with 0.12.
        chance: 0.0028,
        example: ";4539578763621486=27121010000012345678?",
        words: Words {
            key: &["track", "swipe", "stripe"],
            near: &[
                "track1",
                "track2",
                "track 1",
                "track 2",
                "track data",
                "trackdata",
                "magstripe",
                "magnetic stripe",
            ],
            hostile: &[],
            doubtful: &[],
        },
        find: Find::Any(&[
            Find::Digits(before(TRACK_DIGITS_MIN, 13, 19, b"=D"), find_track_2),
            Find::AfterLetters(1, find_track_1),
        ]),
        mask: mask::nothing,
        ..Detector::new("CARD_TRACK", "Magnetic stripe of a payment card")
    },
    Detector {
        tier: Tier::Weak,
        tags: &[Tag::PciDss],
        standard: "PCI DSS 4.0 requirement 3.3.1.2: three or four digits under a key that names them",
        example: r#"{"pan":"4539578763621486","cvv":"123"}"#,
        words: Words {
            key: &[
                "cvv",
                "cvv2",
                "cvc",
                "cvc2",
                "cvn",
                "cvn2",
                "csc",
                "cav2",
                "security code",
                "card security code",
                "card code",
                "card verification value",
                "verification value",
                "card verification code",
                "verification code",
                "cvv code",
                "card security code",
                "cvc code",
                "cvv number",
                "cvc number",
                "prüfnummer",
                "kartenprüfnummer",
                "cryptogramme",
                "code de sécurité",
                "código de seguridad",
                "codigo de seguridad",
            ],
            near: &[],
            hostile: &["result", "response", "check", "status", "length"],
            doubtful: &[],
        },
        find: Find::Key(find_cvv),
        mask: mask::nothing,
        plain: mask::digits,
        ..Detector::new("CARD_CVV", "Card verification value")
    },
];

/// Digits of the shortest number, and what follows it: year, month and service code.
const TRACK_DIGITS_MIN: u32 = 20;
/// What sentinel, separator and service code at their places are worth besides, in decibans.
const TRACK_DB: i16 = 20;
/// Characters of the longest track (ISO/IEC 7813: 79 and 40).
const TRACK_1_BYTES_MAX: usize = 79;
const TRACK_2_BYTES_MAX: usize = 40;
/// Letters of the longest name on track 1.
const NAME_BYTES_MAX: usize = 26;

/// Where the card number ends that begins at `start`, if there is one.
fn number_end(text: &[u8], start: usize) -> Option<usize> {
    let end = value::end_of(text, start, 20, |b| b.is_ascii_digit());
    card::is_card(text::slice(text, start, end)).then_some(end)
}

/// Where year, month and service code end that begin at `at`: a month, and three digits.
fn dates_end(text: &[u8], at: usize) -> Option<usize> {
    let digits = text::slice(text, at, at + 7);
    let month = super::super::checksum::two(digits, 2)?;
    (digits.len() == 7 && digits.iter().all(u8::is_ascii_digit) && (1..=12).contains(&month))
        .then_some(at + 7)
}

fn find_track_2(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    let text = probe.text;
    let first = run.groups().first()?;
    // `=` is `D` where the track was written in hex digits.
    if !(13..=19).contains(&first.len()) || !matches!(text::byte(text, first.end), b'=' | b'D') {
        return None;
    }
    let separator = number_end(text, at)?;
    let rest = dates_end(text, separator + 1)?;
    let end = value::end_of(text, rest, TRACK_2_BYTES_MAX, |b| b.is_ascii_digit());
    let start = at - usize::from(text::byte_before(text, at, 1) == b';');
    let end = end + usize::from(text::byte(text, end) == b'?');
    let db = 25 + TRACK_DB;
    Some(Candidate::new(start, end, db).because(Reasons::CHECKED).because(Reasons::FORM))
}

fn find_track_1(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let sentinel = at.checked_sub(2).filter(|at| text::slice(text, *at, *at + 2) == b"%B")?;
    let separator = number_end(text, at)?;
    let in_name = |b: u8| b.is_ascii_uppercase() || matches!(b, b' ' | b'/' | b'.' | b'-' | b'\'');
    let name = value::end_of(text, separator + 1, NAME_BYTES_MAX + 1, in_name);
    if text::byte(text, separator) != b'^' || text::byte(text, name) != b'^' {
        return None;
    }
    let rest = dates_end(text, name + 1)?;
    let end = value::end_of(text, rest, TRACK_1_BYTES_MAX, |b| {
        b.is_ascii_digit() || matches!(b, b' ' | b'^')
    });
    let end = end + usize::from(text::byte(text, end) == b'?');
    let db = 25 + TRACK_DB;
    Some(Candidate::new(sentinel, end, db).because(Reasons::CHECKED).because(Reasons::FORM))
}

/// Bytes on each side in which the number of the card is looked for.
const CARD_BYTES: usize = 512;
/// Keys that name nothing else, so that they count without a card near by.
#[rustfmt::skip]
const CVV_KEYS: [&str; 10] = [
    "cvv", "cvc", "cvn", "cav2", "verification value", "prüfnummer", "card security",
    "card_security", "card-security", "cardsecurity",
];
/// What the key is worth besides, in decibans: high confidence next to a card, low without.
const WITH_CARD_DB: i16 = 15;
const WITHOUT_DB: i16 = -10;

fn find_cvv(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let field = value::word(text, field);
    let digits = text::slice(text, field.start, field.end);
    if !matches!(digits.len(), 3 | 4) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let around = value::around(text, field.start, field.end, CARD_BYTES);
    let worth_db = if has_card(around) {
        WITH_CARD_DB
    } else {
        let (_, key) = probe.named_key(field.start)?;
        value::holds_any(text::slice(text, key.0, key.1), &CVV_KEYS).then_some(WITHOUT_DB)?
    };
    Some(Candidate::new(field.start, field.end, worth_db))
}

/// Whether a payment card number stands in the text: in one piece, or in groups with one separator.
fn has_card(text: &[u8]) -> bool {
    let (mut run, mut at) = (Run::default(), 0);
    while let Some(next) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit))
    {
        at += next;
        run.read(text, at);
        let (mut digits, mut length) = ([0u8; text::RUN_DIGITS_MAX], 0);
        for group in run.groups() {
            let Some(slots) = digits.get_mut(length..length + group.len()) else { break };
            slots.copy_from_slice(text::slice(text, group.start, group.end));
            length += group.len();
            if length >= 13 && card::is_card(text::slice(&digits, 0, length)) {
                return true;
            }
        }
        at = run.groups().first().map_or(at + 1, |group| group.end);
    }
    false
}
