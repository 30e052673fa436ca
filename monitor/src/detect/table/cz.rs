//! Czechia and Slovakia: the birth number, which is one numbering in two countries.

use super::super::checksum::{all_digits, is_date, number, two};
use super::super::detector::{Detector, Find, Form, Tier, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        words: words::of(
            &["rodne", "rodné", "rc", "rč", "birth number"],
            &[
                "rodne cislo", "rodné číslo", "rodného čísla", "rodným číslem", "r č",
                "czech birth number", "czech personal number",
            ],
        ),
        ..of("CZ_RODNE_CISLO", "Czech birth number (rodné číslo)", "zákon č. 133/2000 Sb., § 13")
    },
    Detector {
        // A number says nothing of the country: without a word it is taken for a Czech one.
        words: words::of(
            &["rodne", "rodné", "rc", "rč", "birth number"],
            &[
                "rodne cislo", "rodné číslo", "rodného čísla", "rodným číslom", "slovak birth number",
                "slovak personal number",
            ],
        ),
        example: "Slovak birth number: 840214/1320",
        ..of("SK_RODNE_CISLO", "Slovak birth number (rodné číslo)", "zákon č. 301/1995 Z. z., § 2")
    },
];

const FORMS: &[Form] =
    &[form("999999/9999"), bare("999999/999"), bare("9999999999"), bare("999999 9999")];

const fn of(entity: &'static str, title: &'static str, standard: &'static str) -> Detector {
    Detector {
        tags: &[Tag::Gdpr],
        standard,
        chance: 0.02,
        example: "rodné číslo: 840214/1320",
        find: Find::Forms(FORMS),
        valid: Some(is_rodne_cislo),
        ..Detector::new(entity, title)
    }
}

/// Women's months are 50 higher; where the numbers of a day are used up, 20 more.
fn is_rodne_cislo(compact: &[u8]) -> bool {
    let check = || {
        let (year, month, day) = (two(compact, 0)?, two(compact, 2)?, two(compact, 4)?);
        let year = match (compact.len(), year) {
            // Until 1953 a number had nine digits and no check.
            (9, 80..) => 1800 + year,
            (9, 54..) => return None,
            (10, ..54) => 2000 + year,
            _ => 1900 + year,
        };
        let (body, last) = compact.split_at_checked(9)?;
        // A remainder of ten is written as 0; that ended in 1985.
        let fits = last.is_empty() || number(body)? % 11 % 10 == number(last)?;
        Some(is_date(year, month % 50 % 20, day) && fits)
    };
    matches!(compact.len(), 9 | 10) && all_digits(compact) && check() == Some(true)
}
