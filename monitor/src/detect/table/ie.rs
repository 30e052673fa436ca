//! Ireland: the personal public service number.

use super::super::checksum::weighted;
use super::super::detector::{Detector, Find, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Gdpr],
    standard: "Social Welfare Consolidation Act 2005, s. 262: seven digits, check letter modulo 23, \
               since 2013 a second letter",
    chance: 0.0384,
    example: "PPS number: 4829130FA",
    words: words::of(
        &["pps"],
        &["ppsn", "pps number", "pps no", "personal public service", "irish pps", "rsi number"],
    ),
    find: Find::Forms(&[form("9999999aa?"), form("9999999 aa?")]),
    valid: Some(is_pps),
    ..Detector::new("IE_PPS", "Irish personal public service number (PPS)")
}];

/// Letters by remainder.
const LETTERS: &[u8; 23] = b"WABCDEFGHIJKLMNOPQRSTUV";

fn is_pps(compact: &[u8]) -> bool {
    let check = || {
        let (digits, letters) = compact.split_at_checked(7)?;
        let sum = weighted(digits, &[8, 7, 6, 5, 4, 3, 2])?;
        let (check, second) = match letters {
            [check] => (check, 0),
            // The letters of spouses, before 2000, are no part of the check.
            [check, b'W' | b'T' | b'X'] => (check, 0),
            [check, second @ (b'A' | b'B' | b'H')] => (check, u32::from(second - b'A') + 1),
            _ => return None,
        };
        Some(LETTERS.get((sum + 9 * second) as usize % 23)? == check)
    };
    check() == Some(true)
}
