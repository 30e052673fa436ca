//! Greece: the number of social insurance.

use super::super::checksum::{is_date, luhn, two};
use super::super::detector::{Detector, Find, Tier, bare};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "Νόμος 3655/2008, άρθρο 153: date of birth, serial, Luhn check digit",
    chance: 0.0036,
    example: "AMKA: 14028413244",
    words: words::of(
        &[],
        &[
            "amka", "αμκα", "α μ κ α", "a m k a", "arithmos amka", "αριθμός μητρώου",
            "greek social security",
        ],
    ),
    find: Find::Forms(&[bare("99999999999"), bare("999999~99999")]),
    valid: Some(is_amka),
    test_values: &["01013099997"],
    ..Detector::new("GR_AMKA", "Greek social security number (AMKA)")
}];

/// The century is not said.
fn is_amka(compact: &[u8]) -> bool {
    let is_born = || {
        let (day, month, year) = (two(compact, 0)?, two(compact, 2)?, two(compact, 4)?);
        Some([1900, 2000].iter().any(|century| is_date(century + year, month, day)))
    };
    compact.len() == 11 && luhn(compact) && is_born() == Some(true)
}
