//! Romania: the personal numeric code.

use super::super::checksum::{is_date, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, bare};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "OUG 97/2005, HG 1375/2006: sex and century, date of birth, county, serial, check digit",
    chance: 0.0018,
    example: "CNP: 1840214132448",
    words: words::of(
        &["cod numeric"],
        &["cnp", "cod numeric personal", "codul numeric personal", "romanian personal code"],
    ),
    find: Find::Forms(&[bare("9999999999999"), bare("9~999999~999999")]),
    valid: Some(is_cnp),
    ..Detector::new("RO_CNP", "Romanian personal numeric code (CNP)")
}];

fn is_cnp(compact: &[u8]) -> bool {
    let check = || {
        let (last, body) = compact.split_last()?;
        let sum = weighted(body, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9])? % 11;
        let century = match value(*compact.first()?)? {
            0 => return None,
            3 | 4 => 1800,
            5 | 6 => 2000,
            // Residents and foreigners have no century; it matters to 29 February alone.
            _ => 1900,
        };
        let is_born = is_date(century + two(compact, 1)?, two(compact, 3)?, two(compact, 5)?);
        let county = matches!(two(compact, 7)?, 1..=48 | 51 | 52 | 70 | 80..=83);
        let digit = if sum == 10 { 1 } else { sum };
        Some(is_born && county && value(*last)? == digit)
    };
    check() == Some(true)
}
