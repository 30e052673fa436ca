//! Chinese resident identity numbers and Hong Kong identity card numbers. It does not know the
//! counties of China: their codes change every year.

use super::super::checksum::{all_digits, is_date, mod_11_2, number, two, value, value36};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::words;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Pipl],
        standard: "GB 11643-1999: province, county, date of birth, sequence, ISO 7064 MOD 11-2",
        chance: 0.00003,
        example: "身份证号码:310104196411115824",
        words: words::of(
            &["id number", "idcard", "id no"],
            &[
                "id card",
                "id card number",
                "resident id",
                "resident identity",
                "shenfenzheng",
                "shenfenzhenghao",
                "sfz",
                "identity card",
                "身份证",
                "身份证号",
                "身份证号码",
                "公民身份号码",
                "证件号码",
                "居民身份证",
            ],
        ),
        find: Find::Forms(&[form("99999999999999999x")]),
        valid: Some(is_resident),
        test_values: &["11010519491231002X", "440524188001010014"],
        ..Detector::new("CN_RESIDENT_ID", "Chinese resident identity number")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Pdpa],
        standard: "Registration of Persons Ordinance (Cap. 177): one or two letters, six digits, check mod 11",
        chance: 0.090,
        example: "HKID: A127527(8)",
        words: words::of(
            &["id number", "id no"],
            &[
                "hkid",
                "hk id",
                "hong kong id",
                "hong kong identity",
                "hkic",
                "id card",
                "identity card",
                "身份證",
                "身份證號碼",
                "身分證",
            ],
        ),
        find: Find::Forms(&[
            form("A999999(x)"),
            form("AA999999(x)"),
            form_of("A999999x", 0),
            form_of("AA999999x", 0),
        ]),
        valid: Some(is_hong_kong),
        test_values: &["A1234563", "C6683668", "AB9876543"],
        ..Detector::new("HK_ID", "Hong Kong identity card number")
    },
];

/// GB/T 2260: provinces, autonomous regions, municipalities; Taiwan, Hong Kong, Macao.
fn is_province(code: u32) -> bool {
    matches!(code, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
}

/// First and last year of birth of anybody whose number may be stored.
const YEAR_MIN: u32 = 1850;
const YEAR_MAX: u32 = 2049;

fn is_resident(compact: &[u8]) -> bool {
    let year = compact.get(6..10).and_then(number).and_then(|year| u32::try_from(year).ok());
    let (Some(year), Some(month), Some(day)) = (year, two(compact, 10), two(compact, 12)) else {
        return false;
    };
    compact.len() == 18
        && two(compact, 0).is_some_and(is_province)
        && (YEAR_MIN..=YEAR_MAX).contains(&year)
        && is_date(year, month, day)
        && mod_11_2(compact)
}

/// The weights go from 9 down; a missing first letter counts as 36.
fn is_hong_kong(compact: &[u8]) -> bool {
    let Some((check, body)) = compact.split_last() else { return false };
    let Some(letters) = body.len().checked_sub(6).filter(|letters| matches!(letters, 1 | 2)) else {
        return false;
    };
    let Some((head, digits)) = body.split_at_checked(letters) else { return false };
    if !head.iter().all(u8::is_ascii_uppercase) || !all_digits(digits) {
        return false;
    }
    let blank = if letters == 1 { 36 * 9 } else { 0 };
    let values =
        body.iter().rev().zip(2..=9).map(|(byte, weight)| value36(*byte).map(|v| v * weight));
    let check = if *check == b'A' { Some(10) } else { value(*check) };
    match (values.sum::<Option<u32>>(), check) {
        (Some(sum), Some(check)) => (sum + blank + check).is_multiple_of(11),
        _ => false,
    }
}
