//! Spain: the tax number of citizens (DNI) and of foreigners (NIE), the social security number, and
//! the passport, which has no check.

use super::super::checksum::number;
use super::super::detector::{Detector, Find, Tier, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Real Decreto 1553/2005: eight digits and a letter modulo 23",
        chance: 0.0385,
        example: "DNI: 48291307-R",
        words: words::of(
            &["identidad", "documento"],
            &[
                "nif", "dni", "documento nacional de identidad", "número de identificación fiscal",
                "numero de identificacion fiscal", "spanish id", "d n i", "n i f",
            ],
        ),
        find: Find::Forms(&[
            form("99999999-a"),
            form("9999999-a"),
            form("99.999.999-a"),
            form("99999999 A"),
            form("99999999A"),
            bare("99999999a"),
        ]),
        valid: Some(is_dni),
        test_values: &["12345678Z", "00000000T", "99999999R"],
        ..Detector::new("ES_NIF", "Spanish tax number of citizens (NIF, DNI)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Real Decreto 557/2011, art. 206: X, Y or Z, seven digits and a letter modulo 23",
        chance: 0.0044,
        example: "NIE: Y4829130H",
        words: words::of(
            &["extranjero"],
            &[
                "nie", "numero nie", "número de identidad de extranjero", "nie extranjero", "n i e",
                "numero de identidad de extranjero", "número de identificación de extranjero",
                "numero de identificacion de extranjero", "foreigner identity number",
            ],
        ),
        find: Find::Forms(&[form("a-?9999999-?a"), form("A 9999999 A")]),
        valid: Some(is_nie),
        ..Detector::new("ES_NIE", "Spanish number of foreigners (NIE)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Orden de 7 de febrero de 1997 (TGSS): province, number, remainder modulo 97",
        chance: 0.0103,
        example: "NUSS: 28/48291307/88",
        words: words::of(
            &["naf", "seguridad"],
            &[
                "nuss", "numero seguridad social", "número de seguridad social",
                "numero de seguridad social", "num seguridad social", "seguridad social",
                "número de afiliación", "numero de afiliacion", "nº seguridad social",
                "spanish social security",
            ],
        ),
        find: Find::Forms(&[form("99/99999999/99"), form("99~99999999~99"), bare("999999999999"), bare("99~9999999999")]),
        valid: Some(is_nuss),
        ..Detector::new("ES_NUSS", "Spanish social security number (NUSS)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Real Decreto 411/2014: three letters and six digits",
        example: "pasaporte: PAB482913",
        words: words::of(
            &[],
            &["pasaporte", "pasaportes", "número de pasaporte", "numero de pasaporte", "spanish passport"],
        ),
        find: Find::Forms(&[form("aaa999999")]),
        ..Detector::new("ES_PASSPORT", "Spanish passport number")
    },
];

/// Letters by remainder.
const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn is_letter_of(number: Option<u64>, letter: u8) -> bool {
    let place = number.and_then(|number| usize::try_from(number % 23).ok());
    place.and_then(|place| LETTERS.get(place)) == Some(&letter)
}

/// Old documents have seven digits.
fn is_dni(compact: &[u8]) -> bool {
    let Some((letter, digits)) = compact.split_last() else { return false };
    matches!(digits.len(), 7 | 8) && is_letter_of(number(digits), *letter)
}

fn is_nie(compact: &[u8]) -> bool {
    let Ok([first, digits @ .., letter]) = <&[u8; 9]>::try_from(compact) else { return false };
    let Some(first) = first.checked_sub(b'X').filter(|first| *first < 3) else { return false };
    is_letter_of(number(digits).map(|number| u64::from(first) * 10_000_000 + number), *letter)
}

fn is_nuss(compact: &[u8]) -> bool {
    let check = || {
        let (province, rest) = compact.split_at_checked(2)?;
        let (serial, key) = rest.split_at_checked(8)?;
        let (province, serial) = (number(province)?, number(serial)?);
        // Of a number below ten million the province is written right before seven digits.
        let shift = if serial < 10_000_000 { 10_000_000 } else { 100_000_000 };
        Some((province * shift + serial) % 97 == number(key)? && province > 0 && serial > 0)
    };
    compact.len() == 12 && check() == Some(true)
}
