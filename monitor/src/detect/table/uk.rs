//! United Kingdom: health, tax and insurance numbers, and the documents and places that have none
//! but a shape.

use super::super::checksum::{all_digits, number, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, Words, form, form_of};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::UkGdpr],
        standard: "NHS Data Dictionary, NHS NUMBER: check digit modulo 11",
        chance: 0.0909,
        example: "NHS number: 943 476 5919",
        words: words::of(
            &[],
            &["nhs", "nhs number", "nhs no", "nhsnumber", "patient nhs number", "health service number"],
        ),
        find: Find::Forms(&[form("999~999~9999"), form("9999999999")]),
        valid: Some(|compact| {
            let sum = weighted(compact, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
            sum.is_some_and(|sum| sum.is_multiple_of(11))
        }),
        test_values: &["9434765919", "4010232137"],
        ..Detector::new("UK_NHS", "United Kingdom NHS number")
    },
    Detector {
        tags: &[Tag::UkGdpr],
        standard: "HMRC Self Assessment: the first digit checks the other nine, modulo 11",
        chance: 0.099,
        example: "UTR: 74829 13076",
        words: words::of(
            &["tax reference", "taxpayer reference", "unique taxpayer"],
            &[
                "utr", "unique taxpayer reference", "unique tax reference", "tax reference utr",
                "self assessment", "utr number", "hmrc",
            ],
        ),
        find: Find::Forms(&[form("9999999999"), form("99999~99999"), form("9999999999'K'")]),
        valid: Some(is_utr),
        ..Detector::new("UK_UTR", "United Kingdom unique taxpayer reference (UTR)")
    },
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::UkGdpr],
        standard: "HMRC NIM39110: prefixes that are allocated, six digits, A to D",
        chance: 0.085,
        example: "National Insurance number: QQ 12 34 56 C",
        words: words::of(
            &["ni", "national insurance", "nin"],
            &["nino", "national insurance number", "national insurance", "ni number", "ni no", "n i number"],
        ),
        find: Find::Forms(&[form("aa~?99~?99~?99~?a"), form("aa 999999 a")]),
        valid: Some(is_nino),
        ..Detector::new("UK_NINO", "United Kingdom National Insurance number")
    },
    Detector {
        tags: &[Tag::UkGdpr],
        standard: "HM Passport Office: nine digits, or two letters and seven digits",
        example: "UK passport: ZK4829130",
        words: words::of(
            &[],
            &[
                "passport", "passports", "uk passport", "british passport", "passport number",
                "passport no", "passportnumber",
            ],
        ),
        find: Find::Forms(&[form_of("aa9999999", 10), form_of("999999999", -5)]),
        ..Detector::new("UK_PASSPORT", "United Kingdom passport number")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::UkGdpr],
        standard: "DVLA driver number: surname, year, month, day, initials, 9, two check characters",
        chance: 1e-5,
        example: "driving licence: KOVAR802145LM9XY",
        words: words::of(
            &["licence", "license", "driver"],
            &[
                "driving licence", "driving license", "drivers licence", "driver licence", "dvla",
                "driving licence number", "driver number", "licence number",
            ],
        ),
        find: Find::Token { min: 16, max: 16, any_case: false },
        valid: Some(is_driver_number),
        test_values: &["MORGA657054SM9IJ"],
        ..Detector::new("UK_DRIVING_LICENCE", "United Kingdom driving licence number")
    },
    Detector {
        tags: &[Tag::UkGdpr],
        standard: "BS 7666-0 annex C and Royal Mail's PAF: outward and inward code, letters of each place",
        chance: 0.5,
        example: "postcode: EC2A 4ZX",
        words: words::of(
            &["postal", "zip", "pc"],
            &["postcode", "post code", "postcodes", "postal code", "zip code"],
        ),
        find: Find::Forms(&[
            form("a9 ?9aa"),
            form("a99 ?9aa"),
            form("aa9 ?9aa"),
            form("aa99 ?9aa"),
            form("a9a ?9aa"),
            form("aa9a ?9aa"),
            form("aaa ?0aa"),
        ]),
        valid: Some(is_postcode),
        only_by_name: true,
        ..Detector::new("UK_POSTCODE", "United Kingdom postcode")
    },
    Detector {
        tags: &[Tag::UkGdpr],
        standard: "DVLA INF104: area and age identifier since 2001, prefix since 1983, suffix since 1963",
        chance: 0.7,
        example: "vehicle registration: LN14 HGT",
        words: VEHICLE,
        find: Find::Forms(&[
            form("aa99~?aaa"),
            form("a9~?aaa"),
            form("a99~?aaa"),
            form("a999~?aaa"),
            form("aaa~?9a"),
            form("aaa~?99a"),
            form("aaa~?999a"),
        ]),
        valid: Some(is_vehicle),
        only_by_name: true,
        ..Detector::new("UK_VEHICLE_REGISTRATION", "United Kingdom vehicle registration mark")
    },
];

#[rustfmt::skip]
const VEHICLE: Words = words::of(
    &["reg", "registration", "plate", "vrm", "vrn"],
    &[
        "number plate", "license plate", "licence plate", "car reg", "vehicle registration", "vehicle",
        "registration number", "registration mark", "reg number", "reg no",
    ],
);

fn is_utr(compact: &[u8]) -> bool {
    let check = || {
        let digits = compact.strip_suffix(b"K").unwrap_or(compact);
        let (first, body) = digits.split_first()?;
        let sum = weighted(body, &[6, 7, 8, 9, 10, 5, 4, 3, 2])?;
        Some(b"21987654321".get(sum as usize % 11)? == first)
    };
    check() == Some(true)
}

fn is_nino(compact: &[u8]) -> bool {
    let Ok([first, second, digits @ .., suffix]) = <&[u8; 9]>::try_from(compact) else {
        return false;
    };
    // QQ is what HMRC writes in examples.
    let never = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    let is_letter = |b: &u8| b.is_ascii_uppercase() && !b"DFIQUV".contains(b);
    let example = *first == b'Q' && *second == b'Q';
    let prefix = is_letter(first) && is_letter(second) && *second != b'O';
    (prefix || example)
        && !never.contains(&&[*first, *second])
        && all_digits(digits)
        && matches!(suffix, b'A'..=b'D')
}

/// A surname filled up with 9; women's months are 50 higher.
fn is_driver_number(compact: &[u8]) -> bool {
    let check = || {
        let (name, rest) = compact.split_at_checked(5)?;
        let (date, rest) = rest.split_at_checked(6)?;
        let (initials, rest) = rest.split_at_checked(2)?;
        let letters = name.iter().take_while(|b| b.is_ascii_uppercase()).count();
        let filled = name.iter().skip(letters).all(|b| *b == b'9');
        let month = matches!(two(date, 1)?, 1..=12 | 51..=62);
        let day = matches!(two(date, 3)?, 1..=31);
        let initials = matches!(initials, [b'A'..=b'Z', b'A'..=b'Z' | b'9']);
        let checks = matches!(rest, [b'0'..=b'9', b'A'..=b'Z', b'A'..=b'Z']);
        Some(letters > 0 && filled && all_digits(date) && month && day && initials && checks)
    };
    compact.len() == 16 && check() == Some(true)
}

/// Which letters stand where in a postcode.
fn is_postcode(compact: &[u8]) -> bool {
    let inward = compact.len().checked_sub(3).and_then(|at| compact.split_at_checked(at));
    let Some((outward, [sector, unit @ ..])) = inward else { return false };
    let is_unit = unit.iter().all(|b| b.is_ascii_uppercase() && !b"CIKMOV".contains(b));
    let one = |b: &u8, not: &[u8]| b.is_ascii_uppercase() && !not.contains(b);
    let of = |b: &u8, these: &[u8]| b.is_ascii_digit() || these.contains(b);
    let is_outward = match outward {
        // Girobank's own.
        b"GIR" => *sector == b'0',
        [a, b] => one(a, b"QVX") && b.is_ascii_digit(),
        [a, b, c] if b.is_ascii_digit() => one(a, b"QVX") && of(c, b"ABCDEFGHJKPSTUW"),
        [a, b, c] => one(a, b"QVX") && one(b, b"IJZ") && c.is_ascii_digit(),
        [a, b, c, d] => {
            one(a, b"QVX") && one(b, b"IJZ") && c.is_ascii_digit() && of(d, b"ABEHMNPRVWXY")
        }
        _ => false,
    };
    sector.is_ascii_digit() && is_unit && is_outward
}

/// Letters that could be taken for a digit stand nowhere, Q begins no area, and ages have a range.
fn is_vehicle(compact: &[u8]) -> bool {
    let is_letter = |b: &u8| b.is_ascii_uppercase();
    let head = compact.iter().take_while(|b| is_letter(b)).count();
    let tail = compact.iter().rev().take_while(|b| is_letter(b)).count();
    let digits = compact.get(head..compact.len().saturating_sub(tail)).unwrap_or_default();
    let (first, last) = (compact.first(), compact.last());
    let never = |b: Option<&u8>, letters: &[u8]| b.is_some_and(|b| letters.contains(b));
    let age = number(digits).unwrap_or(0);
    match (head, tail) {
        // From September the age is 50 higher.
        (2, 3) => {
            digits.len() == 2
                && matches!(age, 2..=29 | 51..=79)
                && !compact.iter().any(|b| b"IQ".contains(b))
        }
        (1, 3) => {
            !never(first, b"IOQUZ") && age > 0 && value(*digits.first().unwrap_or(&b'0')) != Some(0)
        }
        (3, 1) => !never(last, b"IOQUZ") && !never(first, b"IQZ") && age > 0,
        _ => false,
    }
}
