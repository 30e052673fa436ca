//! Croatia: the personal identification number.

use super::super::checksum::mod_11_10;
use super::super::detector::{Detector, Find, bare, form_of};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Gdpr],
    standard: "Zakon o osobnom identifikacijskom broju (NN 60/08): ISO/IEC 7064 MOD 11,10",
    chance: 0.1,
    example: "OIB: 48291307613",
    words: words::of(
        &["osobni identifikacijski"],
        &["oib", "osobni identifikacijski broj", "oib broj", "croatian personal id"],
    ),
    find: Find::Forms(&[bare("99999999999"), form_of("'HR'99999999999", 8)]),
    valid: Some(|compact| {
        let digits = compact.strip_prefix(b"HR").unwrap_or(compact);
        digits.len() == 11 && mod_11_10(digits)
    }),
    ..Detector::new("HR_OIB", "Croatian personal identification number (OIB)")
}];
