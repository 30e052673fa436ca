//! Bulgaria: the uniform civil number.

use super::super::checksum::{is_date, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, bare};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "Закон за гражданската регистрация, чл. 11: date of birth, serial, check digit modulo 11",
    chance: 0.0109,
    example: "ЕГН: 8402141326",
    words: words::of(
        &[],
        &[
            "egn", "егн", "единен граждански номер", "edinen grazhdanski nomer",
            "uniform civil number", "bulgarian id",
        ],
    ),
    find: Find::Forms(&[bare("9999999999")]),
    valid: Some(is_egn),
    ..Detector::new("BG_EGN", "Bulgarian uniform civil number (EGN)")
}];

fn is_egn(compact: &[u8]) -> bool {
    let check = || {
        let (last, body) = compact.split_last()?;
        let sum = weighted(body, &[2, 4, 8, 5, 10, 9, 7, 3, 6])?;
        let (century, month) = match two(compact, 2)? {
            month @ 41.. => (2000, month - 40),
            month @ 21..=40 => (1800, month - 20),
            month => (1900, month),
        };
        let is_born = is_date(century + two(compact, 0)?, month, two(compact, 4)?);
        Some(is_born && value(*last)? == sum % 11 % 10)
    };
    check() == Some(true)
}
