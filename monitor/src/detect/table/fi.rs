//! Finland: the personal identity code.

use super::super::checksum::{is_date, number, two};
use super::super::detector::{Detector, Find, Tier, form};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr],
    standard: "Valtioneuvoston asetus väestötietojärjestelmästä 128/2010, 2 §: date, sign of the \
               century, individual number, check character modulo 31",
    chance: 0.00096,
    example: "hetu: 140582-4314",
    words: words::of(
        &["personal identity", "ssn"],
        &[
            "hetu", "henkilotunnus", "henkilötunnus", "henkilotunnuksen", "henkilötunnuksen",
            "personal identity code", "personbeteckning", "sotu", "sosiaaliturvatunnus",
            "finnish id code", "finnish personal identity code",
        ],
    ),
    find: Find::Forms(&[form("999999-999x"), form("999999'+'999x"), form("999999a999x")]),
    valid: Some(is_code),
    test_values: &["131052308T"],
    ..Detector::new("FI_PERSONAL_IDENTITY_CODE", "Finnish personal identity code (henkilötunnus)")
}];

/// Characters of the remainders.
const CHECKS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

/// Individual numbers from 900 on are given for a time, and are somebody's all the same.
fn is_code(compact: &[u8]) -> bool {
    check(compact) == Some(true)
}

fn check(compact: &[u8]) -> Option<bool> {
    let (date, rest) = compact.split_at_checked(6)?;
    // A hyphen or plus sign is a separator to whoever hands the value on.
    let (sign, rest) =
        if rest.len() == 4 { (b'-', rest) } else { rest.split_first().map(|(b, r)| (*b, r))? };
    let century = match sign {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        b'A'..=b'F' => 2000,
        _ => return None,
    };
    let (individual, check) = rest.split_at_checked(3)?;
    let [check] = check else { return None };
    let serial = number(individual)?;
    let remainder = (number(date)? * 1000 + serial) % 31;
    let is_born = is_date(century + two(date, 4)?, two(date, 2)?, two(date, 0)?);
    let fits = CHECKS.get(usize::try_from(remainder).ok()?) == Some(check);
    Some(is_born && serial >= 2 && fits)
}
