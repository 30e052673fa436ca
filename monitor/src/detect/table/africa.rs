//! Identity numbers of South Africa, Nigeria and Israel, and Nigerian plates.

use super::super::checksum::{all_digits, is_date, luhn, one_repeated, two, verhoeff};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Popia],
        standard: "Identification Act 68 of 1997: birth, sex, citizenship, 8 or 9, Luhn",
        chance: 0.00023,
        example: "SA ID number: 9303190345081",
        words: words::of(
            &["id number", "identity", "id no"],
            &[
                "sa id",
                "sa id number",
                "south african id",
                "rsa id",
                "identity number",
                "smart id",
                "id number",
                "national id",
                "south african identity",
                "permanent resident",
                "identiteitsnommer",
            ],
        ),
        find: Find::Forms(&[form_of("999999~9999~99~9", 10), form_of("9999999999999", -15)]),
        valid: Some(|digits| is_south_african(digits, b"01")),
        // Refugees have a 2, it is said; no published description of the number has it.
        plausible: Some(|digits| is_south_african(digits, b"2")),
        test_values: &["8001015009087"],
        plain: mask::digits,
        ..Detector::new("ZA_ID_NUMBER", "South African identity number")
    },
    Detector {
        tags: &[Tag::Ndpa],
        standard: "NIMC Act 2007: eleven digits, Verhoeff",
        chance: 0.10,
        example: "NIN: 45662045068",
        words: words::of(
            &["nigeria id"],
            &[
                "nin",
                "nimc",
                "national identification",
                "national identification number",
                "national identity",
                "national identity number",
                "nigerian identification",
            ],
        ),
        find: Find::Forms(&[form("99999999999"), form("9999~999~9999")]),
        valid: Some(|digits| digits.len() == 11 && !one_repeated(digits) && verhoeff(digits)),
        test_values: &["12345678902"],
        plain: mask::digits,
        ..Detector::new("NG_NIN", "Nigerian national identification number")
    },
    Detector {
        tags: &[Tag::Ndpa],
        standard: "Federal Road Safety Corps, numbering of 2011: three letters, three digits, two letters",
        example: "plate number KJA-482PZ",
        words: words::of(
            &["registration", "reg no"],
            &[
                "plate",
                "plates",
                "plate number",
                "number plate",
                "license plate",
                "vehicle",
                "vehicle registration",
                "registration number",
            ],
        ),
        find: Find::Forms(&[form("AAA-999AA"), form("AAA 999AA"), form("AAA999AA")]),
        only_by_name: true,
        ..Detector::new("NG_VEHICLE_REGISTRATION", "Nigerian vehicle registration")
    },
    Detector {
        tags: &[Tag::Ppl],
        standard: "Population Registry Law 1965: nine digits, ISO/IEC 7812-1 annex B (Luhn)",
        chance: 0.10,
        example: "teudat zehut: 642082234",
        words: words::of(
            &["tz", "id number"],
            &[
                "teudat zehut",
                "mispar zehut",
                "israeli id",
                "israel id",
                "zehut",
                "תעודת זהות",
                "מספר זהות",
                "ת ז",
                "תז",
            ],
        ),
        find: Find::Forms(&[form("999999999"), form("99999999~9")]),
        valid: Some(|digits| digits.len() == 9 && !one_repeated(digits) && luhn(digits)),
        plain: mask::digits,
        ..Detector::new("IL_ID", "Israeli identity number (teudat zehut)")
    },
];

/// Whether the digits are a number with one of these for the status of its holder.
fn is_south_african(digits: &[u8], status: &[u8]) -> bool {
    let (Some(year), Some(month), Some(day)) = (two(digits, 0), two(digits, 2), two(digits, 4))
    else {
        return false;
    };
    // Citizens have a 0, residents a 1; then 8 or 9, which once stood for a race.
    digits.len() == 13
        && all_digits(digits)
        && (is_date(1900 + year, month, day) || is_date(2000 + year, month, day))
        && digits.get(10).is_some_and(|digit| status.contains(digit))
        && matches!(digits.get(11), Some(b'8' | b'9'))
        && luhn(digits)
}
