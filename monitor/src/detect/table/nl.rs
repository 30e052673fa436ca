//! Netherlands: the citizen service number.

use super::super::checksum::weighted;
use super::super::detector::{Detector, Find, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Gdpr],
    standard: "Wet algemene bepalingen burgerservicenummer: the eleven test, the last weight minus one",
    chance: 0.091,
    example: "bsn: 482913174",
    words: words::of(
        &["sofi", "persoonsnummer"],
        &[
            "bsn", "bsnnummer", "burgerservicenummer", "burger service nummer", "burgerservice nummer",
            "sofinummer", "sofi nummer", "dutch citizen service number", "citizen service number",
        ],
    ),
    find: Find::Forms(&[form("999999999"), form("9999.99.999"), form("999~999~999")]),
    valid: Some(is_bsn),
    test_values: &["111222333", "123456782"],
    ..Detector::new("NL_BSN", "Dutch citizen service number (BSN)")
}];

fn is_bsn(compact: &[u8]) -> bool {
    // Minus one is ten modulo eleven.
    let sum = weighted(compact, &[9, 8, 7, 6, 5, 4, 3, 2, 10]);
    sum.is_some_and(|sum| sum > 0 && sum.is_multiple_of(11))
}
