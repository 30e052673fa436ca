//! Italy: the tax code of persons, the VAT number of firms, and the numbers of identity card,
//! driving licence and passport, which have no published check.

use super::super::checksum::{all_digits, is_date, luhn, number, value};
use super::super::detector::{Detector, Find, Tier, bare, form, form_of};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Decreto ministeriale 23 dicembre 1976, artt. 2-6: names, date, place, check letter",
        chance: 1e-5,
        example: "codice fiscale: BRTLCU83M52F205K",
        words: words::of(
            &["cf", "fiscale", "fiscal", "tax", "tin"],
            &["codice fiscale", "cod fiscale", "codicefiscale", "fiscal code", "italian tax code"],
        ),
        find: Find::Token { min: 16, max: 16, any_case: true },
        valid: Some(is_fiscal_code),
        test_values: &["RSSMRA85T10A562S", "MRTMTT25D09F205Z"],
        ..Detector::new("IT_FISCAL_CODE", "Italian tax code (codice fiscale)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "DPR 633/1972, art. 35: serial, province, Luhn check digit",
        chance: 0.0109,
        example: "partita IVA: 07432010150",
        words: words::of(
            &["iva", "vat", "piva"],
            &["partita iva", "p iva", "partitaiva", "vat number", "vat no", "vat code", "codice iva"],
        ),
        find: Find::Forms(&[form("'IT'~?99999999999"), bare("99999999999")]),
        valid: Some(is_vat_code),
        ..Detector::new("IT_VAT_CODE", "Italian VAT number (partita IVA)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Decreto 23 dicembre 2015 (carta d'identità elettronica): serial on paper and cards",
        example: "carta d'identità: CA48291AB",
        words: words::of(
            &["identita", "identità", "documento"],
            &[
                "carta d identita", "carta d identità", "carta identita", "carta identità", "cie",
                "numero carta identita", "italian identity card", "identity card", "id card",
                "documento di riconoscimento", "documento d identita", "documento d identità",
            ],
        ),
        find: Find::Forms(&[form_of("aa ?9999999", 10), form_of("9999999aa", 10), form("aa99999aa")]),
        ..Detector::new("IT_IDENTITY_CARD", "Italian identity card number")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Decreto legislativo 285/1992, art. 116: serial of the licence",
        chance: 2e-4,
        example: "patente di guida: MI4829130K",
        words: words::of(
            &[],
            &[
                "patente", "patenti", "patente di guida", "guida", "driver license",
                "driving licence", "driver s license", "license", "licence",
            ],
        ),
        find: Find::Token { min: 10, max: 10, any_case: true },
        valid: Some(is_driver_license),
        ..Detector::new("IT_DRIVER_LICENSE", "Italian driving licence number")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Legge 1185/1967: two letters and seven digits",
        example: "passaporto: YA4829130",
        words: words::of(
            &[],
            &["passaporto", "passaporti", "passaporto numero", "italian passport"],
        ),
        find: Find::Forms(&[form_of("aa9999999", 10)]),
        ..Detector::new("IT_PASSPORT", "Italian passport number")
    },
];

/// Values of digits and letters in odd places; letters count like the digit of their place.
#[rustfmt::skip]
const ODD: [u32; 26] = [
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];
/// Letters of the months.
const MONTHS: &[u8] = b"ABCDEHLMPRST";
/// Letters that stand for digits where two people would have the same code.
const DIGITS: &[u8] = b"LMNPQRSTUV";

fn is_fiscal_code(compact: &[u8]) -> bool {
    // Firms have their VAT number.
    compact.len() == 11 && is_vat_code(compact) || is_persons_code(compact) == Some(true)
}

fn is_persons_code(compact: &[u8]) -> Option<bool> {
    let code = <&[u8; 16]>::try_from(compact).ok()?;
    let [names @ .., y1, y2, m, d1, d2, town, t1, t2, t3, check] = code;
    let letters = names.iter().chain([town, check]).all(u8::is_ascii_uppercase);
    let town_is_number = [t1, t2, t3].iter().all(|b| digit(**b).is_some());
    let month = u32::try_from(place(MONTHS, *m)?).ok()? + 1;
    let day = digit(*d1)? * 10 + digit(*d2)?;
    let year = digit(*y1)? * 10 + digit(*y2)?;
    // Nobody who was born before 1920 has one that ends in a year of this century.
    let year = year + if year < 20 { 2000 } else { 1900 };
    let sum = code.iter().take(15).enumerate().try_fold(0, |sum, (at, byte)| {
        let index = value(*byte).or_else(|| Some(u32::from(byte.checked_sub(b'A')?)))?;
        let odd = at.is_multiple_of(2);
        Some(sum + if odd { *ODD.get(index as usize)? } else { index })
    })?;
    let fits = sum % 26 == u32::from(check.checked_sub(b'A')?);
    // Women's days are 40 higher.
    Some(letters && town_is_number && fits && is_date(year, month, day % 40))
}

fn place(letters: &[u8], letter: u8) -> Option<usize> {
    letters.iter().position(|known| *known == letter)
}

fn digit(byte: u8) -> Option<u32> {
    value(byte).or_else(|| u32::try_from(place(DIGITS, byte)?).ok())
}

fn is_vat_code(compact: &[u8]) -> bool {
    let digits = compact.strip_prefix(b"IT").unwrap_or(compact);
    let serial = digits.get(..7).and_then(number);
    let province = digits.get(7..10).and_then(number);
    digits.len() == 11
        && serial.is_some_and(|serial| serial > 0)
        && province.is_some_and(|code| matches!(code, 1..=100 | 120 | 121 | 888 | 999))
        && luhn(digits)
}

/// Two letters, seven digits, a letter; since 2013 `U1`, seven consonants or digits, a letter.
fn is_driver_license(compact: &[u8]) -> bool {
    let Ok([head @ .., last]) = <&[u8; 10]>::try_from(compact) else { return false };
    let Some((letters, serial)) = head.split_at_checked(2) else { return false };
    let is_serial =
        |b: &u8| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"AEIOQV".contains(b));
    let old = letters.iter().all(u8::is_ascii_uppercase) && all_digits(serial);
    let new = letters == b"U1" && serial.iter().all(is_serial);
    last.is_ascii_uppercase() && (old || new)
}
