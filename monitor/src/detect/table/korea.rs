//! Numbers of South Korea: of residents, foreigners, firms, passports and driving licences.

use super::super::checksum::{all_digits, is_date, number, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Pipa],
        standard: "Resident Registration Act: birth, sex and century, region; check mod 11 until October 2020",
        chance: 0.0029,
        example: "RRN: 630703-2535214",
        words: words::of(
            &["jumin"],
            &[
                "rrn",
                "korean rrn",
                "resident registration",
                "resident registration number",
                "jumin number",
                "jumin beonho",
                "주민등록번호",
                "주민번호",
            ],
        ),
        find: Find::Forms(&[
            form_of("999999-9999999", DASHED_DB),
            form_of("9999999999999", BARE_DB),
        ]),
        valid: Some(is_resident),
        plausible: Some(|compact| is_registered(compact, b"1234")),
        ..Detector::new("KR_RRN", "South Korean resident registration number")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Pipa],
        standard: "Immigration Act: birth, sex and century of a foreigner; check mod 11 until October 2020",
        chance: 0.0032,
        example: "FRN: 860915-5471488",
        words: words::of(
            &["arc"],
            &[
                "frn",
                "korean frn",
                "foreigner registration",
                "foreigner registration number",
                "alien registration",
                "alien registration number",
                "외국인등록번호",
                "외국인번호",
            ],
        ),
        find: Find::Forms(&[
            form_of("999999-9999999", DASHED_DB),
            form_of("9999999999999", BARE_DB),
        ]),
        valid: Some(is_foreigner),
        plausible: Some(|compact| is_registered(compact, b"5678")),
        ..Detector::new("KR_FRN", "South Korean foreigner registration number")
    },
    Detector {
        tags: &[Tag::Pipa],
        standard: "National Tax Service: office, kind, sequence, check digit with weights 1 3 7",
        chance: 0.089,
        example: "사업자등록번호: 232-77-24300",
        words: words::of(
            &["business number"],
            &[
                "brn",
                "business registration",
                "business registration number",
                "korean brn",
                "tax registration number",
                "사업자등록번호",
                "사업자번호",
                "사업자",
            ],
        ),
        find: Find::Forms(&[form("999-99-99999"), form("9999999999")]),
        valid: Some(is_business),
        plain: mask::digits,
        ..Detector::new("KR_BRN", "South Korean business registration number")
    },
    Detector {
        tags: &[Tag::Pipa],
        standard: "Passport Act: kind, three digits, since 2021 a letter, four digits",
        chance: 0.19,
        example: "Korean passport: M482K7193",
        words: words::of(
            &["document number"],
            &[
                "passport",
                "passports",
                "passport number",
                "korean passport",
                "여권",
                "여권번호",
                "대한민국 여권",
            ],
        ),
        find: Find::Forms(&[form("a999a9999"), form("a99999999")]),
        valid: Some(|compact| {
            compact.len() == 9 && matches!(compact.first(), Some(b'M' | b'S' | b'R' | b'O' | b'D'))
        }),
        ..Detector::new("KR_PASSPORT", "South Korean passport number")
    },
    Detector {
        tags: &[Tag::Pipa],
        standard: "Road Traffic Act: region 11 to 28, year, six digits, check of two digits",
        chance: 0.17,
        example: "운전면허번호 13-22-482051-17",
        words: words::of(
            &["license", "licence", "license number", "licence number"],
            &[
                "driver license",
                "drivers license",
                "driver s license",
                "korean driver",
                "driving licence",
                "my license",
                "운전면허",
                "운전면허번호",
                "면허번호",
            ],
        ),
        find: Find::Forms(&[form("99~99~999999~99"), form("999999999999")]),
        valid: Some(is_driver),
        plain: mask::digits,
        ..Detector::new("KR_DRIVER_LICENSE", "South Korean driver's licence number")
    },
];

/// What the dash behind the birth is worth, and what it costs to be thirteen digits in a row.
const DASHED_DB: i16 = 15;
const BARE_DB: i16 = -10;

/// Weights of the first twelve digits.
const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];

/// Numbers that were given from here on have no check digit: they are drawn by lot.
const UNCHECKED_SINCE: u32 = 2020 * 100 + 10;
/// Last year of birth of anybody whose number may be stored.
const YEAR_MAX: u32 = 2049;

/// Whether there is a birth, and a sex that is one of these.
fn is_registered(digits: &[u8], sexes: &[u8]) -> bool {
    let sex = digits.get(6).copied().unwrap_or(0);
    digits.len() == 13
        && all_digits(digits)
        && sexes.contains(&sex)
        && birth(digits)
            .is_some_and(|(year, month, day)| year <= YEAR_MAX && is_date(year, month, day))
}

/// Year, month and day; the digit of the sex tells the century.
fn birth(digits: &[u8]) -> Option<(u32, u32, u32)> {
    let century = if matches!(digits.get(6)?, b'1' | b'2' | b'5' | b'6') { 1900 } else { 2000 };
    Some((century + two(digits, 0)?, two(digits, 2)?, two(digits, 4)?))
}

/// Whether the last digit is `from` less the weighed sum modulo 11, or the number is too new for that.
fn has_check(digits: &[u8], from: u32) -> bool {
    if birth(digits).is_some_and(|(year, month, _)| year * 100 + month >= UNCHECKED_SINCE) {
        return true;
    }
    let sum = digits.get(..12).and_then(|body| weighted(body, &WEIGHTS));
    let check = digits.get(12).copied().and_then(value);
    sum.is_some_and(|sum| Some((from - sum % 11) % 10) == check)
}

fn is_resident(digits: &[u8]) -> bool {
    let region = two(digits, 7).is_some_and(|region| region <= 96);
    is_registered(digits, b"1234") && region && has_check(digits, 11)
}

fn is_foreigner(digits: &[u8]) -> bool {
    is_registered(digits, b"5678") && has_check(digits, 13)
}

fn is_business(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let office = digits.get(..3).and_then(number).is_some_and(|office| office >= 101);
    let sequence = digits.get(5..9).is_some_and(|sequence| sequence != b"0000");
    let tens = body.last().copied().and_then(value).map(|last| last * 5 / 10);
    let sum = weighted(body, &[1, 3, 7, 1, 3, 7, 1, 3, 5]);
    match (sum, tens, value(*check)) {
        (Some(sum), Some(tens), Some(check)) => {
            office
                && sequence
                && digits.get(3..5) != Some(b"00")
                && (sum + tens + check).is_multiple_of(10)
        }
        _ => false,
    }
}

fn is_driver(digits: &[u8]) -> bool {
    digits.len() == 12 && all_digits(digits) && matches!(two(digits, 0), Some(11..=26 | 28))
}
