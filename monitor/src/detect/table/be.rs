//! Belgium: the national number. Those of people who are only registered (BIS) have other months and
//! are not looked for.

use super::super::checksum::{number, two};
use super::super::detector::{Detector, Find, Tier, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "Koninklijk besluit van 3 april 1984: date of birth, serial, 97 minus the remainder",
    chance: 0.0019,
    example: "rijksregisternummer: 84.02.14-131.63",
    words: words::of(
        &["rrn", "insz", "niss", "national"],
        &[
            "rijksregisternummer", "rijksregister nummer", "rijksregister", "numero national",
            "numéro national", "registre national", "numéro de registre national",
            "nationalregisternummer", "belgian national number", "insz nummer", "numero niss",
            "numéro niss",
        ],
    ),
    find: Find::Forms(&[
        form("99.99.99-999.99"),
        form("999999-999.99"),
        form("999999-999-99"),
        form("999999~999~99"),
        form("99~99~99~999~99"),
        bare("99999999999"),
    ]),
    valid: Some(is_national_number),
    ..Detector::new("BE_NATIONAL_NUMBER", "Belgian national number")
}];

/// Years since 2000 in which somebody may have been born: no clock is read here, so with room.
const BIRTH_YEARS: u32 = 40;

/// The day says nothing: where those of a date are used up, it goes on.
fn is_national_number(compact: &[u8]) -> bool {
    let check = || {
        let (body, key) = compact.split_at_checked(9)?;
        let (body, key) = (number(body)?, number(key)?);
        let fits = |body: u64| 97 - body % 97 == key;
        // For those born since 2000 the remainder is that of the number with a 2 before it.
        let since_2000 = two(compact, 0)? < BIRTH_YEARS && fits(body + 2_000_000_000);
        Some((fits(body) || since_2000) && two(compact, 2)? <= 12)
    };
    compact.len() == 11 && check() == Some(true)
}
