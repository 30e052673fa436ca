//! Japanese individual numbers. Numbers of firms, passports and driving licences are not looked for.

use super::super::checksum::{all_digits, value, weighted};
use super::super::detector::{Detector, Find, form};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tags: &[Tag::Appi],
    standard: "Act on the Use of Numbers (My Number Act), ministerial ordinance 85 of 2014: check mod 11",
    chance: 0.102,
    example: "マイナンバー:5966 8120 3990",
    words: words::of(
        &["my number", "kojin bango", "individual number"],
        &["my number card", "kojin bangou", "マイナンバー", "個人番号", "個人番号カード"],
    ),
    find: Find::Forms(&[form("999999999999"), form("9999~9999~9999")]),
    valid: Some(is_my_number),
    test_values: &["123456789018"],
    plain: mask::digits,
    ..Detector::new("JP_MY_NUMBER", "Japanese individual number (My Number)")
}];

fn is_my_number(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let sum = weighted(body, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let wanted = sum.map(|sum| match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    });
    all_digits(digits) && wanted.is_some() && wanted == value(*check)
}
