//! Identity numbers of Thailand, Malaysia and Indonesia, and tax and mobile numbers of the
//! Philippines.

use super::super::checksum::{all_digits, is_date, one_repeated, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::Pdpa],
        standard: "Civil Registration Act 1991: kind of person, province (ISO 3166-2:TH), check mod 11",
        chance: 0.062,
        example: "Thai ID: 3-1094-35772-78-5",
        words: words::of(
            &["id number", "id card number"],
            &[
                "tnin",
                "thai id",
                "thai national id",
                "citizen id",
                "thai id number",
                "thai citizen",
                "thai id card",
                "เลขประจำตัวประชาชน",
                "เลขบัตรประชาชน",
                "บัตรประชาชน",
                "เลขประจำตัว",
                "รหัสปชช",
            ],
        ),
        find: Find::Forms(&[form("9999999999999"), form("9~9999~99999~99~9")]),
        valid: Some(is_thai),
        test_values: &["1234567890121"],
        plain: mask::digits,
        ..Detector::new("TH_TNIN", "Thai national identification number")
    },
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Pdpa],
        standard: "National Registration Regulations 1990: birth, place (01 to 99), sequence",
        chance: 0.031,
        example: "MyKad 850214-10-5327",
        words: words::of(
            &["ic", "ic no", "ic number", "id number"],
            &[
                "nric",
                "mykad",
                "my kad",
                "kad pengenalan",
                "no kp",
                "nombor kad pengenalan",
                "malaysian ic",
            ],
        ),
        find: Find::Forms(&[form_of("999999-99-9999", 10), form_of("999999999999", -10)]),
        valid: Some(is_malaysian),
        plain: mask::digits,
        ..Detector::new("MY_NRIC", "Malaysian identity card number (NRIC)")
    },
    Detector {
        tags: &[Tag::Pdpa],
        standard: "Permendagri 73/2022: province, regency, district, birth (day 40 higher for women), sequence",
        chance: 0.039,
        example: "NIK: 3171381810893833",
        words: words::of(
            &["id number"],
            &["nik", "ktp", "no ktp", "nomor ktp", "e ktp", "nomor induk kependudukan"],
        ),
        find: Find::Forms(&[form("9999999999999999"), form("99.99.99.999999.9999")]),
        valid: Some(is_indonesian),
        plain: mask::digits,
        ..Detector::new("ID_NIK", "Indonesian population number (NIK)")
    },
    Detector {
        tags: &[Tag::Dpa],
        standard: "BIR Revenue Regulations 7-2012: eight digits, check mod 11, branch of three digits",
        chance: 0.090,
        example: "TIN: 620-789-700-000",
        words: words::of(
            &["tax"],
            &[
                "tin",
                "bir",
                "taxpayer identification",
                "taxpayer id",
                "tax id",
                "revenue district office",
                "rdo",
            ],
        ),
        find: Find::Forms(&[
            form("999~999~999"),
            form("999~999~999~999"),
            form("999999999"),
            form("999999999999"),
        ]),
        valid: Some(is_filipino_taxpayer),
        plain: mask::digits,
        ..Detector::new("PH_TIN", "Philippine taxpayer identification number")
    },
    Detector {
        tags: &[Tag::Dpa],
        standard: "NTC numbering plan: 09 or +63 9, then nine digits",
        chance: 0.99,
        example: "mobile: +63 917 482 0516",
        words: words::of(
            &["number", "contact"],
            &[
                "mobile",
                "mobile number",
                "cellphone",
                "cell",
                "phone",
                "telephone",
                "globe",
                "smart",
                "numero",
                "telepono",
                "selpon",
                "sms",
                "viber",
                "gcash",
            ],
        ),
        find: Find::Forms(&[
            form_of("'+639'999999999", 10),
            form("'+63'~'9'99~999~9999"),
            form_of("'09'999999999", 10),
            form("'09'99~999~9999"),
        ]),
        // What a plan of numbering allows is no check: any digits do.
        valid: None,
        plain: mobile_plain,
        only_by_name: true,
        ..Detector::new("PH_MOBILE_NUMBER", "Philippine mobile number")
    },
];

/// ISO 3166-2:TH, the numbers of the provinces.
fn is_thai_province(code: u32) -> bool {
    matches!(code, 10..=27 | 30..=58 | 60..=67 | 70..=77 | 80..=86 | 90..=96)
}

fn is_thai(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let sum = weighted(body, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(digits.first(), Some(b'1'..=b'8'))
        && two(digits, 1).is_some_and(is_thai_province)
        && sum.is_some_and(|sum| Some((11 - sum % 11) % 10) == value(*check))
}

/// Whether two digits each of year, month and day are a day of this century or the last.
fn is_birth(year: Option<u32>, month: Option<u32>, day: Option<u32>) -> bool {
    match (year, month, day) {
        (Some(year), Some(month), Some(day)) => {
            is_date(1900 + year, month, day) || is_date(2000 + year, month, day)
        }
        _ => false,
    }
}

fn is_malaysian(digits: &[u8]) -> bool {
    // States, and countries of birth.
    let place =
        matches!(two(digits, 6), Some(1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99));
    digits.len() == 12
        && all_digits(digits)
        && place
        && is_birth(two(digits, 0), two(digits, 2), two(digits, 4))
}

/// Permendagri 73/2022, the numbers of the provinces.
fn is_indonesian_province(code: u32) -> bool {
    matches!(code, 11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
}

fn is_indonesian(digits: &[u8]) -> bool {
    digits.len() == 16
        && all_digits(digits)
        && two(digits, 0).is_some_and(is_indonesian_province)
        && is_birth(two(digits, 10), two(digits, 8), two(digits, 6).map(|day| day % 40))
}

fn is_filipino_taxpayer(digits: &[u8]) -> bool {
    let (Some(body), Some(check)) = (digits.get(..8), digits.get(8)) else { return false };
    let sum = weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(digits.len(), 9 | 12)
        && all_digits(digits)
        && !one_repeated(body)
        && sum.is_some_and(|sum| Some(sum % 11) == value(*check))
}

/// Hands on the national number, without the 0 or the country code before it.
fn mobile_plain(bytes: &[u8], out: &mut dyn FnMut(u8)) {
    let skipped = mask::count(bytes, mask::digit).saturating_sub(MOBILE_DIGITS);
    bytes.iter().filter(|b| b.is_ascii_digit()).skip(skipped).for_each(|b| out(*b));
}

/// Digits of a national number.
const MOBILE_DIGITS: usize = 10;
