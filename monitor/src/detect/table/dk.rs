//! Denmark: the number of the civil registration system.

use super::super::checksum::{all_digits, is_date, two, value};
use super::super::detector::{Detector, Find, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Gdpr],
    standard: "Bekendtgørelse af lov om Det Centrale Personregister § 3: date of birth and serial; \
               no check since 2007",
    chance: 0.036,
    example: "CPR-nummer: 140284-1320",
    words: words::of(
        &["cprnr"],
        &[
            "cpr", "cpr nummer", "cpr nr", "cprnummer", "cpr number", "personnummer", "danish cpr",
            "det centrale personregister",
        ],
    ),
    find: Find::Forms(&[form("999999-9999"), bare("999999 9999"), bare("9999999999")]),
    valid: Some(is_cpr),
    ..Detector::new("DK_CPR", "Danish personal identity number (CPR)")
}];

/// The seventh digit and the year tell the century.
fn is_cpr(compact: &[u8]) -> bool {
    let check = || {
        let (day, month, year) = (two(compact, 0)?, two(compact, 2)?, two(compact, 4)?);
        let century = match (value(*compact.get(6)?)?, year) {
            (5..=8, 58..) => 1800,
            (0..=3, _) | (4 | 9, 37..) => 1900,
            _ => 2000,
        };
        Some(is_date(century + year, month, day))
    };
    compact.len() == 10 && all_digits(compact) && check() == Some(true)
}
