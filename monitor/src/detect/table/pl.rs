//! Poland: the number of the population register, and the tax number.

use super::super::checksum::{is_date, two, weighted};
use super::super::detector::{Detector, Find, Tier, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Ustawa o ewidencji ludności, art. 15: date of birth, serial, check digit modulo 10",
        chance: 0.018,
        example: "PESEL: 84021413241",
        words: words::of(
            &[],
            &["pesel", "numer pesel", "nr pesel", "peselu", "polish national id", "numer ewidencyjny"],
        ),
        find: Find::Forms(&[bare("99999999999")]),
        valid: Some(is_pesel),
        test_values: &["44051401458", "44051401359", "02070803628"],
        ..Detector::new("PL_PESEL", "Polish national identification number (PESEL)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Ustawa o zasadach ewidencji i identyfikacji podatników, art. 5: check digit modulo 11",
        chance: 0.091,
        example: "NIP: 526-104-83-10",
        words: words::of(
            &["vat"],
            &[
                "nip", "numer nip", "nr nip", "numer identyfikacji podatkowej", "polish tax number",
                "nip firmy",
            ],
        ),
        find: Find::Forms(&[
            form("999-999-99-99"),
            form("999-99-99-999"),
            form("'PL'9999999999"),
            form("9999999999"),
            form("999 999 99 99"),
        ]),
        valid: Some(is_nip),
        ..Detector::new("PL_NIP", "Polish tax identification number (NIP)")
    },
];

fn is_pesel(compact: &[u8]) -> bool {
    let check = || {
        let sum = weighted(compact, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1])?;
        let (year, month) = (two(compact, 0)?, two(compact, 2)?);
        // Months tell the century: those of 1800 are 80 higher, of 2000 20, and so on.
        let century = *[1900, 2000, 2100, 2200, 1800].get(usize::try_from(month / 20).ok()?)?;
        let is_born = is_date(century + year, month % 20, two(compact, 4)?);
        Some(is_born && sum.is_multiple_of(10))
    };
    check() == Some(true)
}

fn is_nip(compact: &[u8]) -> bool {
    let digits = compact.strip_prefix(b"PL").unwrap_or(compact);
    // The check digit is taken off, which is ten times it modulo eleven.
    weighted(digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7, 10]).is_some_and(|sum| sum.is_multiple_of(11))
}
