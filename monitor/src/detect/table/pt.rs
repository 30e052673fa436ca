//! Portugal: the tax number, which everybody has.

use super::super::checksum::{value, weighted};
use super::super::detector::{Detector, Find, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Gdpr],
    standard: "Decreto-Lei 14/2013: check digit modulo 11",
    chance: 0.088,
    example: "NIF: 248 291 300",
    words: words::of(
        &["vat", "contribuinte"],
        &[
            "nif", "nipc", "contribuinte", "numero contribuinte", "número de contribuinte",
            "numero de contribuinte", "número de identificação fiscal",
            "numero de identificacao fiscal", "portuguese tax number",
        ],
    ),
    find: Find::Forms(&[form("999999999"), form("999~999~999"), form("'PT'999999999")]),
    valid: Some(is_nif),
    ..Detector::new("PT_NIF", "Portuguese tax number (NIF)")
}];

fn is_nif(compact: &[u8]) -> bool {
    let check = || {
        let digits = compact.strip_prefix(b"PT").unwrap_or(compact);
        let (last, body) = digits.split_last()?;
        let sum = weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2])? % 11;
        // A check digit of ten or eleven is written as 0.
        let digit = if sum < 2 { 0 } else { 11 - sum };
        Some(digits.first() != Some(&b'0') && value(*last)? == digit)
    };
    check() == Some(true)
}
