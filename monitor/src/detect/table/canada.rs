//! Canadian social insurance numbers. Health numbers of the provinces are not looked for.

use super::super::checksum::luhn;
use super::super::detector::{Detector, Find, form};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Pipeda],
    standard: "Employment Insurance Act and ISO/IEC 7812-1 annex B: nine digits, not 0 or 8, Luhn",
    chance: 0.080,
    example: "SIN: 365-150-556",
    words: words::of(
        &["sin", "nas", "canada id"],
        &[
            "social insurance",
            "social insurance number",
            "sin number",
            "sin no",
            "canadian sin",
            "assurance sociale",
            "numéro nas",
            "numero nas",
            "numéro d assurance sociale",
        ],
    ),
    find: Find::Forms(&[form("999~999~999"), form("999999999")]),
    valid: Some(is_sin),
    test_values: &["123456782"],
    plain: mask::digits,
    ..Detector::new("CA_SIN", "Canadian social insurance number")
}];

fn is_sin(digits: &[u8]) -> bool {
    digits.len() == 9 && !matches!(digits.first(), Some(b'0' | b'8')) && luhn(digits)
}
