//! Indian numbers of residents, taxpayers, voters, travellers and vehicles.

use super::super::checksum::{all_digits, luhn, number, two, value36, verhoeff};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::Dpdp],
        standard: "UIDAI: twelve digits, not 0 or 1 first, no palindrome, Verhoeff",
        chance: 0.080,
        example: "Aadhaar number: 9355 4245 3419",
        words: words::of(
            &["uid"],
            &["aadhaar", "aadhar", "adhaar", "uidai", "aadhaar number", "aadhaar no", "आधार"],
        ),
        find: Find::Forms(&[form("999999999999"), form("9999~9999~9999"), form("9999:9999:9999")]),
        valid: Some(is_aadhaar),
        plain: mask::digits,
        ..Detector::new("IN_AADHAAR", "Indian resident number (Aadhaar)")
    },
    Detector {
        tags: &[Tag::Dpdp],
        standard: "Income-tax Rules 1962, rule 114: five letters, the fourth for the holder, four digits, a letter",
        chance: 0.42,
        example: "PAN: ABKPR8079Q",
        words: words::of(
            &["pan"],
            &[
                "pan number",
                "pan no",
                "pan card",
                "permanent account number",
                "permanent account",
                "income tax",
            ],
        ),
        find: Find::Forms(&[form("aaaaa9999a")]),
        valid: Some(is_pan),
        plausible: Some(is_like_pan),
        ..Detector::new("IN_PAN", "Indian permanent account number of taxpayers (PAN)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Dpdp],
        standard: "CGST Rules 2017, rule 10: state, PAN, entity, Z, check character mod 36",
        chance: 0.000001,
        example: "GSTIN 27ABKPR8079Q1ZE",
        words: words::of(
            &["gst"],
            &[
                "gstin",
                "gstins",
                "gst number",
                "gst no",
                "gst registration",
                "goods and services tax",
                "tax identification",
            ],
        ),
        find: Find::Token { min: 15, max: 15, any_case: true },
        valid: Some(is_gstin),
        plausible: Some(is_like_gstin),
        ..Detector::new("IN_GSTIN", "Indian goods and services tax number (GSTIN)")
    },
    Detector {
        tags: &[Tag::Dpdp],
        standard: "Passports Act 1967: a letter and seven digits",
        example: "passport: K4820517",
        words: words::of(
            &["document number"],
            &["passport", "passports", "passport number", "indian passport", "travel document"],
        ),
        find: Find::Forms(&[form_of("A9999999", 10), form_of("A99 99999", 10)]),
        chance: 0.81,
        valid: Some(is_passport),
        ..Detector::new("IN_PASSPORT", "Indian passport number")
    },
    Detector {
        tags: &[Tag::Dpdp],
        standard: "Election Commission of India, EPIC: three letters, six digits, a Luhn digit",
        chance: 0.10,
        example: "voter id: QRT4050571",
        words: words::of(
            &["epic no", "epic number"],
            &[
                "voter",
                "voters",
                "voter id",
                "vote",
                "epic",
                "elector",
                "electors photo identity",
                "election card",
                "elector photo identity card",
                "मतदाता",
            ],
        ),
        find: Find::Forms(&[form("aaa9999999")]),
        valid: Some(is_epic),
        plausible: Some(|compact| compact.len() == 10),
        ..Detector::new("IN_VOTER", "Indian voter's photo identity card number (EPIC)")
    },
    Detector {
        tags: &[Tag::Dpdp],
        standard: "Central Motor Vehicles Rules 1989, rule 50: state, district, series, number",
        example: "vehicle registration KA53ME3456",
        words: words::of(
            &["registration", "reg no"],
            &[
                "rto",
                "plate",
                "vehicle",
                "vehicles",
                "vehicle registration",
                "registration number",
                "number plate",
                "license plate",
                "plate number",
                "plates",
            ],
        ),
        find: Find::Forms(&PLATES),
        chance: 0.999,
        valid: Some(is_plate),
        only_by_name: true,
        ..Detector::new("IN_VEHICLE_REGISTRATION", "Indian vehicle registration")
    },
];

/// Forms of plates: of states, of the BH series, of the forces, of missions, and of old ones.
#[rustfmt::skip]
const PLATES: [super::super::detector::Form; 17] = [
    form("AA99A9999"), form("AA99AA9999"), form("AA9A9999"), form("AA9AA9999"), form("AA9AAA9999"),
    form("AA~99~A~9999"), form("AA~99~AA~9999"), form("99'BH'9999AA"), form("99A999999A"),
    form_of("99'CD'99?9?9?", 10), form_of("99'CC'99?9?9?", 10), form_of("99'UN'99?9?9?", 10),
    form("AAA9999"), form("AA9999"), form("A9999"), form("'I'99999"), form("999'CD'99?9?9?"),
];

fn is_aadhaar(digits: &[u8]) -> bool {
    digits.len() == 12
        && !matches!(digits.first(), Some(b'0' | b'1'))
        && !digits.iter().eq(digits.iter().rev())
        && verhoeff(digits)
}

/// What the fourth letter says of the holder: persons, firms, companies, trusts and so on.
const PAN_HOLDERS: &[u8] = b"ABCFGHJKLPT";

fn is_pan(compact: &[u8]) -> bool {
    compact.get(3).is_some_and(|holder| PAN_HOLDERS.contains(holder)) && is_like_pan(compact)
}

fn is_like_pan(compact: &[u8]) -> bool {
    let Some((letters, rest)) = compact.split_first_chunk::<5>() else { return false };
    let Some((digits, last)) = rest.split_first_chunk::<4>() else { return false };
    letters.iter().chain(last).all(u8::is_ascii_uppercase)
        && last.len() == 1
        && number(digits).is_some_and(|number| number > 0)
}

fn is_gstin(compact: &[u8]) -> bool {
    is_like_gstin(compact)
        && compact.get(2..12).is_some_and(is_pan)
        && compact.get(12) != Some(&b'0')
        && has_mod_36_check(compact)
}

fn is_like_gstin(compact: &[u8]) -> bool {
    let name = compact.get(2..7).unwrap_or_default();
    compact.len() == 15
        && matches!(two(compact, 0), Some(1..=37))
        && name.iter().filter(|b| b.is_ascii_uppercase()).count() >= NAME_LETTERS_MIN
        && compact.get(7..11).is_some_and(all_digits)
        && compact.get(11).is_some_and(u8::is_ascii_uppercase)
        && compact.get(13) == Some(&b'Z')
}

/// Letters among the first five of the taxpayer's number within a tax number that is set like one.
const NAME_LETTERS_MIN: usize = 3;

/// Luhn's check over digits and letters, ISO/IEC 7812-1 annex B with 36 in place of ten.
fn has_mod_36_check(compact: &[u8]) -> bool {
    let sum = compact.iter().rev().enumerate().try_fold(0, |sum, (at, byte)| {
        let product = value36(*byte)? * if at % 2 == 1 { 2 } else { 1 };
        Some(sum + product / 36 + product % 36)
    });
    sum.is_some_and(|sum: u32| sum.is_multiple_of(36))
}

fn is_passport(compact: &[u8]) -> bool {
    let Some((letter, digits)) = compact.split_first() else { return false };
    letter.is_ascii_uppercase()
        && digits.len() == 7
        && all_digits(digits)
        && digits.first() != Some(&b'0')
        && digits.last() != Some(&b'0')
}

fn is_epic(compact: &[u8]) -> bool {
    let Some((letters, digits)) = compact.split_first_chunk::<3>() else { return false };
    letters.iter().all(u8::is_ascii_uppercase) && digits.len() == 7 && luhn(digits)
}

/// Whether the number of the series is not 0000.
fn is_plate(compact: &[u8]) -> bool {
    let last = compact.last_chunk::<4>();
    last.is_none_or(|number| number != b"0000")
}
