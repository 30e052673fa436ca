//! Austria: the social insurance number.

use super::super::checksum::{number, weighted};
use super::super::detector::{Detector, Find, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Gdpr],
    standard: "ASVG § 31 Abs. 4 Z 1: serial, check digit modulo 11, date of birth or a month from 13 on",
    chance: 0.081,
    example: "SVNR: 4825 140284",
    words: words::of(
        &["sv", "vsnr", "versicherungsnummer"],
        &[
            "svnr", "svnummer", "sv nummer", "sv nr", "sozialversicherungsnummer",
            "sozialversicherungs nummer", "sozialversicherung", "e card", "ecard",
            "austrian social security",
        ],
    ),
    find: Find::Forms(&[form("9999999999"), form("9999~999999"), form("9999~99~99~99")]),
    valid: Some(is_svnr),
    ..Detector::new("AT_SVNR", "Austrian social insurance number")
}];

/// Where the dates are used up, the months go on, so that a date proves nothing.
fn is_svnr(compact: &[u8]) -> bool {
    let check = || {
        let sum = weighted(compact, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6])?;
        Some(number(compact.get(3..4)?)? == u64::from(sum % 11))
    };
    compact.first() != Some(&b'0') && check() == Some(true)
}
