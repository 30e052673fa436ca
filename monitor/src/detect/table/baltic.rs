//! Estonia and Lithuania: the personal codes, which have one format. Latvia's is another's.

use super::super::checksum::{is_date, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, bare};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "EVS 585:2007 isikukood: sex and century, date of birth, serial, check digit of two rounds",
        chance: 0.003,
        example: "isikukood: 38402141322",
        words: words::of(
            &["ik", "personal code"],
            &["isikukood", "isikukoodi", "isiku kood", "estonian personal code", "estonian id"],
        ),
        find: Find::Forms(&[bare("99999999999")]),
        valid: Some(is_isikukood),
        test_values: &["37605030299"],
        ..Detector::new("EE_ISIKUKOOD", "Estonian personal identification code (isikukood)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "Gyventojų registro įstatymas: sex and century, date of birth, serial, check digit of \
                   two rounds; codes that begin with 9 hold no date",
        chance: 0.0124,
        example: "asmens kodas: 48402145137",
        words: words::of(
            &["ak", "asmens", "personal code"],
            &["asmens kodas", "asmenskodas", "asmens kodo", "asm kodas", "lithuanian personal code"],
        ),
        find: Find::Forms(&[bare("99999999999")]),
        valid: Some(is_asmens_kodas),
        ..Detector::new("LT_ASMENS_KODAS", "Lithuanian personal code (asmens kodas)")
    },
];

fn is_isikukood(compact: &[u8]) -> bool {
    is_checked(compact) == Some(true) && is_born(compact) == Some(true)
}

fn is_asmens_kodas(compact: &[u8]) -> bool {
    let has_date = compact.first() != Some(&b'9');
    is_checked(compact) == Some(true) && (!has_date || is_born(compact) == Some(true))
}

fn is_born(compact: &[u8]) -> Option<bool> {
    let century = match value(*compact.first()?)? {
        0 | 9 => return None,
        first => 1800 + (first - 1) / 2 * 100,
    };
    Some(is_date(century + two(compact, 1)?, two(compact, 3)?, two(compact, 5)?))
}

fn is_checked(compact: &[u8]) -> Option<bool> {
    let (last, body) = compact.split_last()?;
    let first = weighted(body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1])? % 11;
    let check =
        if first < 10 { first } else { weighted(body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3])? % 11 % 10 };
    Some(value(*last)? == check)
}
