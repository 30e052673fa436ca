//! Norway: the national identity number, of citizens and of those who are there for a time.

use super::super::checksum::{is_date, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "Forskrift til folkeregisterloven § 2-2-1: date of birth, individual number, two check digits",
    chance: 0.00105,
    example: "fødselsnummer 14058243133",
    words: words::of(
        &["fnr", "personnummer", "person nummer", "person nr"],
        &[
            "fodselsnummer", "fødselsnummer", "fodselsnr", "fødselsnr", "f nr", "d nummer",
            "dnummer", "personnr", "norwegian national id", "national identity number",
        ],
    ),
    find: Find::Forms(&[form("999999~99999"), form_of("99999999999", BARE_DB)]),
    valid: Some(is_fodselsnummer),
    ..Detector::new("NO_FODSELSNUMMER", "Norwegian national identity number (fødselsnummer)")
}];

/// What eleven digits without anything between them cost: far more are something else.
const BARE_DB: i16 = -10;

fn is_fodselsnummer(compact: &[u8]) -> bool {
    let check = || {
        let digits = <&[u8; 11]>::try_from(compact).ok()?;
        let sums = [
            weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0])?,
            weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])?,
        ];
        // D-numbers have a day that is 40 higher, others a month that is.
        let less_40 = |n: u32| if n > 40 { n - 40 } else { n };
        let (day, month, year) = (two(digits, 0)?, two(digits, 2)?, two(digits, 4)?);
        let individual = two(digits, 6)? * 10 + value(*digits.get(8)?)?;
        let century = match (individual, year) {
            (0..500, _) => 1900,
            (500..750, 54..) => 1800,
            (500.., 0..40) => 2000,
            (900.., 40..) => 1900,
            _ => return None,
        };
        let is_born = day < 80 && is_date(century + year, less_40(month), less_40(day));
        Some(is_born && sums.iter().all(|sum| sum.is_multiple_of(11)))
    };
    check() == Some(true)
}
