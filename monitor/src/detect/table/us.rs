//! Numbers that authorities and banks of the United States give to people and firms: health, tax,
//! bank, passport and driving. Social security numbers stand in `ssn`.

use super::super::checksum::{all_digits, luhn, one_repeated, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::Hipaa, Tag::Ccpa],
        standard: "45 CFR 162.406: ten digits, Luhn over 80840 and the number",
        chance: 0.020,
        example: r#"{"npi": "1913909960"}"#,
        words: words::of(
            &["provider id", "taxonomy"],
            &["npi", "national provider", "provider identifier", "provider number"],
        ),
        find: Find::Forms(&[form("9999999999"), form("9999~999~999")]),
        valid: Some(is_npi),
        // The number that the Centers for Medicare & Medicaid Services print.
        test_values: &["1234567893"],
        plain: mask::digits,
        ..Detector::new("US_NPI", "United States national provider identifier")
    },
    Detector {
        tags: &[Tag::Hipaa, Tag::Ccpa],
        standard: "21 CFR 1301 and the check digit of the Drug Enforcement Administration",
        chance: 0.070,
        example: "DEA number FK2154728",
        words: words::of(
            &["certificate", "prescriber"],
            &[
                "dea",
                "dea number",
                "dea no",
                "dea registration",
                "medical license",
                "medical licence",
                "prescriber dea",
                "certificate number",
            ],
        ),
        find: Find::Forms(&[form("aa9999999"), form("a'9'9999999")]),
        valid: Some(is_dea),
        test_values: &["AP5836727", "BB1388568"],
        ..Detector::new("MEDICAL_LICENSE", "United States DEA registration number")
    },
    Detector {
        tags: &[Tag::Glba],
        standard: "ANSI X9.9 and the American Bankers Association: Federal Reserve district, weights 3 7 1",
        chance: 0.038,
        example: r#"{"routingNumber": "012524273"}"#,
        words: words::of(
            &["aba", "routing", "rtn", "transit number"],
            &[
                "routing number",
                "routing no",
                "routing transit",
                "aba routing",
                "aba number",
                "abarouting",
                "bank routing",
                "bankrouting",
                "routing code",
            ],
        ),
        find: Find::Forms(&[form("999999999"), form("9999-9999-9")]),
        valid: Some(is_routing_number),
        plain: mask::digits,
        ..Detector::new("ABA_ROUTING_NUMBER", "United States bank routing number (ABA)")
    },
    Detector {
        tags: &[Tag::Ccpa, Tag::Glba],
        standard: "IRS Publication 1915: 9, then groups 50-65, 70-88, 90-92, 94-99",
        chance: 0.044,
        example: "itin: 912-78-4455",
        words: words::of(
            &["tin", "tax"],
            &[
                "itin",
                "individual taxpayer",
                "taxpayer",
                "taxpayer id",
                "tax id",
                "tax payer",
                "taxid",
                "tax identification",
            ],
        ),
        find: Find::Forms(&[
            form("999~99~9999"),
            form("999-999999"),
            form("99999-9999"),
            form("999999999"),
        ]),
        valid: Some(is_itin),
        plain: mask::digits,
        ..Detector::new("US_ITIN", "United States individual taxpayer identification number")
    },
    Detector {
        tags: &[Tag::Ccpa],
        standard: "26 CFR 301.6109-1: two digits of a campus of the IRS, seven digits",
        chance: 0.83,
        example: "EIN: 47-3310948",
        words: words::of(
            &["tin", "tax"],
            &[
                "ein",
                "fein",
                "employer id",
                "employer identification",
                "employer identification number",
                "federal tax id",
                "tax id",
                "taxid",
                "federal employer",
            ],
        ),
        find: Find::Forms(&[form_of("99-9999999", 15), form("999999999")]),
        valid: Some(is_ein),
        plain: mask::digits,
        ..Detector::new("US_EIN", "United States employer identification number")
    },
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Hipaa, Tag::Ccpa],
        standard: "CMS, Medicare Beneficiary Identifier format: eleven places, no S, L, O, I, B, Z",
        chance: 0.22,
        example: "medicare number 4HT5-XD2-RG67",
        words: words::of(
            &["hic", "cms"],
            &[
                "mbi",
                "medicare",
                "medicare number",
                "medicare id",
                "medicaid",
                "beneficiary",
                "beneficiary id",
                "hicn",
                "patient",
            ],
        ),
        find: Find::Forms(&[form("9ax9-ax9-aa99"), form_of("9ax9ax9aa99", 5)]),
        valid: Some(is_mbi),
        // The number on the card that CMS prints.
        test_values: &["1EG4TE5MK72", "1EG4TE5MK73"],
        ..Detector::new("US_MBI", "United States Medicare beneficiary identifier")
    },
    Detector {
        tags: &[Tag::Ccpa],
        standard: "22 CFR 51; ICAO 9303-4: nine digits, since 2021 a letter and eight digits",
        example: "passport: A51826374",
        words: words::of(
            &["document number"],
            &["passport", "passports", "passport number", "passport no", "travel document"],
        ),
        find: Find::Forms(&[form_of("A99999999", 10), form("999999999")]),
        ..Detector::new("US_PASSPORT", "United States passport number")
    },
    Detector {
        tags: &[Tag::Ccpa, Tag::Hipaa],
        standard: "AAMVA card design standard; lengths and letters of the states",
        example: r#"{"driverLicense": "K4820517"}"#,
        words: words::of(
            &["dl", "license number", "licence number", "license no", "dlnumber"],
            &[
                "driver license",
                "drivers license",
                "driver s license",
                "driver licence",
                "drivers licence",
                "driving license",
                "driving licence",
                "dl number",
                "dl no",
                "dln",
                "operator license",
                "cdl",
            ],
        ),
        find: Find::Any(&[DRIVER_LICENSES, DRIVER_NUMBERS]),
        ..Detector::new("US_DRIVER_LICENSE", "United States driver's license number")
    },
];

/// What it is worth to be as long as the number of a licence, where the context names one.
const LENGTH_DB: i16 = 10;

/// States that put letters into the number.
#[rustfmt::skip]
const DRIVER_LICENSES: Find = Find::Forms(&[
    form_of("A9999", 5), form_of("A99999", LENGTH_DB), form_of("A999999", LENGTH_DB),
    form_of("A9999999", LENGTH_DB), form_of("A99999999", LENGTH_DB), form_of("A999999999", LENGTH_DB),
    form_of("A9999999999", LENGTH_DB), form_of("A99999999999", LENGTH_DB),
    form_of("A999999999999", LENGTH_DB), form_of("A9999999999999", LENGTH_DB),
    form_of("A99999999999999", LENGTH_DB), form_of("A999999999999999999", LENGTH_DB),
    form("AA9999"), form("AA99999"), form("AA999999"), form("AA9999999"), form("AA999999A"),
    form("A999999'R'"), form("AAA999999"), form("99AAA99999"), form("99AAA999999"),
    form("999AA9999"), form_of("9999999A", LENGTH_DB), form_of("99999999A", LENGTH_DB),
    form_of("999999999A", LENGTH_DB), form("99999999AA"), form_of("A999-9999-9999", 15),
    form_of("A999-999-99-999-9", 20),
]);

/// States whose numbers are digits.
#[rustfmt::skip]
const DRIVER_NUMBERS: Find = Find::Forms(&[
    form("999999"), form("9999999"), form("99999999"), form("999999999"), form("9999999999"),
    form("99999999999"), form("999999999999"), form("9999999999999"), form("99999999999999"),
    form("9999999999999999"),
]);

fn is_npi(digits: &[u8]) -> bool {
    let mut whole = *b"808400000000000";
    let Some(tail) = whole.last_chunk_mut::<10>() else { return false };
    let Ok(digits) = <[u8; 10]>::try_from(digits) else { return false };
    *tail = digits;
    let body = digits.get(..9).unwrap_or_default();
    matches!(digits.first(), Some(b'1' | b'2')) && !one_repeated(body) && luhn(&whole)
}

/// Kinds of registrants.
const DEA_KINDS: &[u8] = b"ABCDEFGHJKLMPRSTUX";

fn is_dea(compact: &[u8]) -> bool {
    let Some(([kind, name], digits)) = compact.split_first_chunk() else { return false };
    let Some((check, body)) = digits.split_last() else { return false };
    let sum = weighted(body, &[1, 2, 1, 2, 1, 2]);
    DEA_KINDS.contains(kind)
        && (name.is_ascii_uppercase() || *name == b'9')
        && !one_repeated(digits)
        && sum.is_some_and(|sum| Some(sum % 10) == value(*check))
}

fn is_routing_number(digits: &[u8]) -> bool {
    // Districts, thrifts, electronic transactions, traveller's cheques.
    let district = matches!(two(digits, 0), Some(0..=12 | 21..=32 | 61..=72 | 80));
    let sum = weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]);
    district && !one_repeated(digits) && sum.is_some_and(|sum| sum.is_multiple_of(10))
}

fn is_itin(digits: &[u8]) -> bool {
    digits.len() == 9
        && all_digits(digits)
        && digits.first() == Some(&b'9')
        && matches!(two(digits, 3), Some(50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// Prefixes that no campus of the IRS gives.
#[rustfmt::skip]
const EIN_UNUSED: [u32; 17] = [
    0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97,
];

fn is_ein(digits: &[u8]) -> bool {
    digits.len() == 9
        && all_digits(digits)
        && two(digits, 0).is_some_and(|prefix| !EIN_UNUSED.contains(&prefix))
}

fn is_mbi(compact: &[u8]) -> bool {
    let letter =
        |b: u8| b.is_ascii_uppercase() && !matches!(b, b'S' | b'L' | b'O' | b'I' | b'B' | b'Z');
    let fits = |(byte, class): (&u8, u8)| match class {
        b'9' => byte.is_ascii_digit(),
        b'A' => letter(*byte),
        _ => byte.is_ascii_digit() || letter(*byte),
    };
    compact.len() == 11
        && compact.first() != Some(&b'0')
        && compact.iter().zip(*b"9AX9AX9AA99").all(fits)
}
