//! Singaporean identity numbers of people, and entity numbers of firms.

use super::super::checksum::{all_digits, number, two, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::words;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Pdpa],
        standard: "National Registration Act: S, T, F, G or M, seven digits, check letter mod 11",
        chance: 0.0067,
        example: "NRIC S1646750B",
        words: words::of(
            &["id number", "id no", "identity"],
            &[
                "nric",
                "fin number",
                "fin no",
                "nric fin",
                "identity card",
                "singapore id",
                "work permit",
            ],
        ),
        find: Find::Forms(&[form_of("a9999999a", 0)]),
        valid: Some(is_nric),
        plausible: Some(|compact| compact.len() == 9),
        ..Detector::new("SG_NRIC_FIN", "Singaporean identity number (NRIC, FIN)")
    },
    Detector {
        tags: &[Tag::Pdpa],
        standard: "ACRA, Unique Entity Number: business, local company, or entity with its type; check letter",
        chance: 0.035,
        example: "UEN: T08LL2640F",
        words: words::of(
            &["registration number", "company number"],
            &[
                "uen",
                "unique entity number",
                "acra",
                "business registration",
                "gst registration",
                "company registration",
            ],
        ),
        find: Find::Forms(&[form("99999999a"), form("999999999a"), form("a99aa9999a")]),
        valid: Some(is_entity),
        ..Detector::new("SG_UEN", "Singaporean unique entity number (UEN)")
    },
];

fn is_nric(compact: &[u8]) -> bool {
    let Some((first, rest)) = compact.split_first() else { return false };
    let Some((digits, [last])) = rest.split_at_checked(7) else { return false };
    let (letters, extra) = match first {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    check_letter(letters, weighted(digits, &[2, 7, 6, 5, 4, 3, 2]).map(|sum| sum + extra))
        == Some(*last)
}

fn check_letter(letters: &[u8; 11], sum: Option<u32>) -> Option<u8> {
    letters.get(sum? as usize % letters.len()).copied()
}

/// Types of entities in numbers that begin with a letter.
const TYPES: &[u8] =
    b"CCCDCHCLCMCPCSCXDPFBFCFMFNGAGBGSHSLLLPMBMCMDMHMMMQNBNRPAPBPFRFRPSMSSTCTUVHXL";

/// Last year of registration that is believed. There is no clock here.
const YEAR_MAX: u32 = 2049;

fn is_entity(compact: &[u8]) -> bool {
    let Some((last, body)) = compact.split_last() else { return false };
    let wanted = match body {
        [b'R' | b'S' | b'T', rest @ ..] if rest.len() == 8 => return is_other_entity(compact),
        _ if !all_digits(body) => None,
        _ if body.len() == 8 => {
            check_letter(b"XMKECAWLJDB", weighted(body, &[10, 4, 9, 3, 8, 2, 7, 1]))
        }
        _ if body.len() == 9 => {
            let year =
                body.get(..4).and_then(number).is_some_and(|year| year <= u64::from(YEAR_MAX));
            let sum = weighted(body, &[10, 8, 6, 4, 9, 7, 5, 3, 1]);
            check_letter(b"ZKCMDNERGWH", sum).filter(|_| year)
        }
        _ => None,
    };
    wanted == Some(*last)
}

/// Whether the number names a type of entity, its letters and digits weighed by their places in an
/// alphabet without I, O, Y and Z.
fn is_other_entity(compact: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
    const WEIGHTS: [usize; 9] = [4, 3, 5, 3, 10, 2, 2, 5, 7];
    let year = two(compact, 1)
        .is_some_and(|year| compact.first() != Some(&b'T') || 2000 + year <= YEAR_MAX);
    let kind = compact.get(3..5).unwrap_or_default();
    let number = compact.get(5..9).is_some_and(all_digits);
    let places = compact.iter().map(|byte| ALPHABET.iter().position(|known| known == byte));
    let sum: Option<usize> = places.zip(WEIGHTS).map(|(place, weight)| Some(place? * weight)).sum();
    // The sum is lessened by 5, which is 6 more modulo 11.
    let wanted = sum.and_then(|sum| ALPHABET.get((sum + 6) % 11));
    year && number && TYPES.chunks(2).any(|known| known == kind) && wanted == compact.get(9)
}
