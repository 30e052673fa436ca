//! United States social security numbers: three, two and four digits within the ranges that the
//! Social Security Administration issues (20 CFR 422.103; randomised since 2011). There is no check
//! digit: nine digits in a row count only where the context names them.

use super::super::detector::{Detector, Find, Tier, parted, whole};
use super::super::evidence::{Candidate, Reasons};
use super::super::probe::Probe;
use super::super::text::{self, Boundary, Run};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Structured,
    tags: &[Tag::Ccpa, Tag::Hipaa, Tag::Glba],
    standard: "20 CFR 422.103 and SSA randomisation (2011): area, group and serial in range",
    chance: 0.89,
    example: "ssn: 536-22-8726",
    words: words::US_SSN,
    find: Find::Any(&[
        Find::Digits(whole(DIGITS, DIGITS), find),
        Find::Digits(parted(DIGITS as u32, 3, 3), find),
    ]),
    valid: Some(|compact| {
        <&[u8; DIGITS]>::try_from(compact).is_ok_and(|digits| {
            digits.iter().all(u8::is_ascii_digit) && issue(digits) == Issue::Possible
        })
    }),
    mask: mask_value,
    plain: mask::digits,
    ..Detector::new("US_SSN", "United States social security number")
}];

/// What the written form is worth, in decibans: with dashes or blanks, and with dots.
const FORM_DB: i16 = 25;
const DOTS_DB: i16 = 10;

/// Digits of a number.
const DIGITS: usize = 9;

fn find(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    let text = probe.text;
    if run.digits() < DIGITS {
        return None;
    }
    let groups = run.groups();
    let lengths = groups.iter().map(|group| group.len());
    let (end, code) = if lengths.clone().take(1).eq([9]) {
        (groups.first()?.end, 0)
    } else if lengths.take(3).eq([3, 2, 4]) && groups.get(1)?.separator == groups.get(2)?.separator
    {
        (groups.get(2)?.end, groups.get(2)?.separator)
    } else {
        return None;
    };
    let mut digits = [0u8; DIGITS];
    let found = text::slice(text, at, end).iter().filter(|b| b.is_ascii_digit());
    for (digit, found) in digits.iter_mut().zip(found) {
        *digit = *found;
    }
    let issue = issue(&digits);
    let boundary = text::boundary(text, at, end);
    if issue == Issue::Never || boundary == Boundary::Inside {
        return None;
    }
    let form_db = match code {
        0 => 0,
        b'.' => DOTS_DB,
        _ => FORM_DB,
    };
    let mut found = Candidate::new(at, end, form_db);
    found.needs_context = code == 0 || boundary == Boundary::Joined || goes_on(text, at, end, code);
    found.test_data = issue == Issue::Specimen;
    found.reasons = Reasons::CHECKED;
    Some(if code == 0 { found } else { found.because(Reasons::FORM) })
}

/// Whether more digits follow or precede with the same separator: a row of numbers.
fn goes_on(text: &[u8], start: usize, end: usize, code: u8) -> bool {
    let width = if code.is_ascii() { 1 } else { 3 };
    let before = start.checked_sub(width).is_some_and(|at| {
        text::separator(text, at).is_some_and(|(found, _)| found == code)
            && text::byte_before(text, at, 1).is_ascii_digit()
    });
    let after = text::separator(text, end).is_some_and(|(found, width)| {
        found == code && text::byte(text, end + width).is_ascii_digit()
    });
    before || after
}

/// What the Social Security Administration says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Issue {
    Possible,
    /// Printed in a wallet, a leaflet or advertisements; never valid.
    Specimen,
    Never,
}

fn issue(digits: &[u8; DIGITS]) -> Issue {
    let number = digits.iter().fold(0u32, |n, digit| n * 10 + u32::from(digit & 0x0F));
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    match (area, group, serial) {
        (78, 5, 1120) | (219, 9, 9999) | (987, 65, 4320..=4329) => Issue::Specimen,
        _ if matches!(area, 0 | 666 | 900..) || group == 0 || serial == 0 => Issue::Never,
        // Placeholders: one digit repeated.
        _ if number.is_multiple_of(111_111_111) => Issue::Never,
        _ => Issue::Possible,
    }
}

/// The last four.
fn mask_value(value: &[u8]) -> String {
    let count = mask::count(value, mask::digit);
    mask::strike(value, mask::digit, |n| count == DIGITS && n + 4 >= count)
}
