//! Germany: the numbers of social and health insurance, of doctors and of their surgeries.

use super::super::checksum::{all_digits, number, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "§ 147 SGB VI, VKVV §§ 2-4: area, date of birth, letter of the name, serial, check digit",
        chance: 0.0074,
        example: "Rentenversicherungsnummer: 53140284K139",
        words: words::of(
            &["sv", "sozialversicherung", "rentenversicherung"],
            &[
                "rentenversicherungsnummer", "sozialversicherungsnummer", "versicherungsnummer", "rvnr",
                "svnr", "sv nummer", "sv nr", "svnummer", "sozialversicherungsausweis",
                "rentenversicherungsnr", "german social security", "sozialversicherungs nr",
            ],
        ),
        find: Find::Forms(&[form("99~999999~a~999"), form("99999999a999"), form("99~99~99~99~a~99~9")]),
        valid: Some(is_insurance),
        test_values: &["15070649C103"],
        ..Detector::new("DE_SOCIAL_SECURITY", "German social insurance number (RVNR)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "§ 290 SGB V, Richtlinie Anlage 1: letter, eight digits, check digit modulo 10",
        chance: 0.1,
        example: "Krankenversichertennummer: K482913077",
        words: words::of(
            &["versicherten", "krankenversicherung"],
            &[
                "krankenversichertennummer", "krankenversicherungsnummer", "kvnr", "versichertennummer",
                "versicherten nr", "krankenkasse", "gesundheitskarte", "e gk", "egk", "egk nummer",
                "versicherten id", "german health insurance", "kv nummer", "krankenversichertennr",
            ],
        ),
        find: Find::Forms(&[form("a999999999"), form("a999 999 999"), form("a 999999999")]),
        valid: Some(is_health),
        test_values: &["A000500015", "A123456780"],
        ..Detector::new("DE_HEALTH_INSURANCE", "German health insurance number (KVNR)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "§ 75 Abs. 7 SGB V, KBV: six digits, check digit modulo 10, two of the specialty",
        chance: 0.1,
        example: "LANR: 482913203",
        words: words::of(
            &["arzt"],
            &[
                "lanr", "arztnummer", "arzt nr", "arztnr", "arzt nummer", "lebenslange arztnummer",
                "physician number", "doctor number",
            ],
        ),
        find: Find::Forms(&[form("999999999"), form("999999 9 99")]),
        valid: Some(is_doctor),
        ..Detector::new("DE_LANR", "German doctor's number (LANR)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "§ 75 Abs. 7 SGB V, KBV: two digits of the region and seven more, no check",
        example: "BSNR: 524829130",
        words: words::of(
            &["praxis"],
            &[
                "bsnr", "betriebsstättennummer", "betriebsstaettennummer", "betriebsstätten nr",
                "betriebsstätte", "nbsnr", "betriebsstättennr", "praxisnummer",
            ],
        ),
        find: Find::Forms(&[form_of("999999999", 10)]),
        valid: Some(|compact| number(compact).is_some_and(|number| number > 0)),
        ..Detector::new("DE_BSNR", "German surgery number (BSNR)")
    },
];

/// The sum of the digits of the products.
fn digit_sums<'a>(digits: impl Iterator<Item = &'a u8>, weights: &[u32]) -> Option<u32> {
    digits.zip(weights).try_fold(0, |sum, (digit, weight)| {
        let product = value(*digit)? * weight;
        Some(sum + product / 10 + product % 10)
    })
}

/// The place of a capital letter in the alphabet, as two digits.
fn ordinal(letter: u8) -> Option<[u8; 2]> {
    let place = letter.checked_sub(b'A').filter(|place| *place < 26)? + 1;
    Some([b'0' + place / 10, b'0' + place % 10])
}

/// Days are 50 higher where two people would have the same number.
fn is_insurance(compact: &[u8]) -> bool {
    let check = || {
        let (head, rest) = compact.split_at_checked(8)?;
        let ([letter, serial @ ..], [last]) = rest.split_at_checked(3)? else { return None };
        let letter = ordinal(*letter)?;
        let digits = head.iter().chain(&letter).chain(serial);
        let sum = digit_sums(digits, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])?;
        let is_day = matches!(two(compact, 2)?, 1..=31 | 51..=81);
        let is_month = matches!(two(compact, 4)?, 1..=12);
        Some(all_digits(serial) && is_day && is_month && value(*last)? == sum % 10)
    };
    check() == Some(true)
}

fn is_health(compact: &[u8]) -> bool {
    let check = || {
        let ([letter, body @ ..], [last]) = compact.split_at_checked(9)? else { return None };
        let letter = ordinal(*letter)?;
        let sum = digit_sums(letter.iter().chain(body), &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2])?;
        Some(value(*last)? == sum % 10)
    };
    check() == Some(true)
}

fn is_doctor(compact: &[u8]) -> bool {
    // The check digit makes the sum a multiple of ten.
    let sum = weighted(compact, &[4, 9, 4, 9, 4, 9, 1, 0, 0]);
    sum.is_some_and(|sum| sum > 0 && sum.is_multiple_of(10))
}
