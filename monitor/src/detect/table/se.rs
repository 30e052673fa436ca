//! Sweden: the personal identity number, and that of organisations, which a sole trader shares with
//! his person.

use super::super::checksum::{is_date, luhn, two};
use super::super::detector::{Detector, Find, Tier, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Folkbokföringslag (1991:481) 18 §, SKV 704: date of birth, serial, Luhn check digit",
        chance: 0.0035,
        example: "personnummer 810512-4377",
        words: words::of(
            &["person nr"],
            &[
                "pnr", "personnummer", "person nummer", "personnr", "personid", "swedish id", "swedish id code",
                "swedish personal identity number", "födelsenummer", "samordningsnummer",
            ],
        ),
        find: Find::Forms(&[
            form("999999-9999"),
            form("999999'+'9999"),
            form("99999999-9999"),
            bare("9999999999"),
            bare("999999999999"),
        ]),
        valid: Some(is_personnummer),
        test_values: &["8112189876", "198112189876", "191212121212", "1212121212"],
        ..Detector::new("SE_PERSONNUMMER", "Swedish personal identity number (personnummer)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Lag (1974:174) om identitetsbeteckning för juridiska personer: Luhn check digit",
        chance: 0.1,
        example: "organisationsnummer: 559123-4470",
        words: words::of(
            &["orgnr", "org nr", "organisation"],
            &[
                "organisationsnummer", "organisations nummer", "org nummer", "orgnummer",
                "organisationsnr", "företag", "bolag", "bolagsverket", "momsnr",
                "momsregistreringsnummer", "swedish organisation number", "organization number",
            ],
        ),
        find: Find::Forms(&[form("999999-9999"), bare("9999999999")]),
        valid: Some(|compact| compact.len() == 10 && luhn(compact)),
        ..Detector::new("SE_ORGANISATIONSNUMMER", "Swedish organisation number (organisationsnummer)")
    },
];

/// Ten digits say no century: 29 February is one in 2000 and every other fourth year alike. The sign
/// before the last four is a separator to whoever hands the value on.
fn is_personnummer(compact: &[u8]) -> bool {
    let check = || {
        let (date, serial) = compact.split_at_checked(compact.len().checked_sub(4)?)?;
        let date = date.strip_suffix(b"-").or(date.strip_suffix(b"+")).unwrap_or(date);
        let mut digits = [0; 10];
        let (head, tail) = digits.split_at_mut_checked(6)?;
        head.copy_from_slice(date.get(date.len().checked_sub(6)?..)?);
        tail.copy_from_slice(serial);
        let century = match date.len() {
            6 => 2000,
            8 => two(date, 0)? * 100,
            _ => return None,
        };
        let year = century + two(&digits, 0)?;
        Some(year > 0 && is_date(year, two(&digits, 2)?, two(&digits, 4)?) && luhn(&digits))
    };
    check() == Some(true)
}
