//! France: the number of the national register of persons, which is the social security number.

use super::super::checksum::number;
use super::super::detector::{Detector, Find, Tier, bare, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "Décret 82-103 du 22 janvier 1982: sex, year, month, place, order, key modulo 97",
    chance: 0.0103,
    example: "NIR : 1 84 02 75 312 457 29",
    words: words::of(
        &["securite", "sécurité", "secu", "sécu", "ss", "insee"],
        &[
            "nir", "numero securite sociale", "numéro sécurité sociale", "securite sociale",
            "sécurité sociale", "numero de securite sociale", "numéro de sécurité sociale",
            "num secu", "numéro de sécu", "numero insee", "numéro insee", "code insee",
            "carte vitale", "vitale", "nirpp", "assuré social", "assure social",
            "french social security", "numero d inscription", "numéro d inscription",
        ],
    ),
    find: Find::Forms(&[
        form("9~99~99~9X~999~999~99"),
        form("999992a999999~99"),
        bare("9999999999999~99"),
        bare("999999999999999"),
        bare("999992A99999999"),
        bare("999992B99999999"),
    ]),
    valid: Some(is_nir),
    test_values: &["269054958815780", "255081416802538"],
    ..Detector::new("FR_NIR", "French social security number (NIR)")
}];

fn is_nir(compact: &[u8]) -> bool {
    compact.split_at_checked(13).is_some_and(|(body, key)| {
        key.len() == 2 && number(key).is_some_and(|key| key_of(body) == Some(key))
    })
}

fn key_of(body: &[u8]) -> Option<u64> {
    let (head, rest) = body.split_at_checked(5)?;
    let (department, rest) = rest.split_at_checked(2)?;
    let department = match department {
        // The two halves of Corsica, in the place of the 20 that it was before 1976.
        b"2A" => 19,
        b"2B" => 18,
        digits => number(digits)?,
    };
    let body = number(head)? * 100_000_000 + department * 1_000_000 + number(rest)?;
    Some(97 - body % 97)
}
