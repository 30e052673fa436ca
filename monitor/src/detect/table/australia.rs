//! Numbers of Australia and New Zealand: of taxpayers, patients, businesses and companies.

use super::super::checksum::{all_digits, number, value, weighted};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::PrivacyAct],
        standard: "Taxation Administration Act 1953, part VA: eight or nine digits, weighted mod 11",
        chance: 0.091,
        example: "TFN: 827 000 193",
        words: words::of(&[], &["tfn", "tax file", "tax file number", "tax file no"]),
        find: Find::Forms(&[
            form("999~999~999"),
            form("999999999"),
            form("99999999"),
            form("99~999~999"),
        ]),
        valid: Some(is_tax_file_number),
        // The example of the Australian Taxation Office.
        test_values: &["123456782", "876543210"],
        plain: mask::digits,
        ..Detector::new("AU_TFN", "Australian tax file number")
    },
    Detector {
        tags: &[Tag::PrivacyAct],
        standard: "Services Australia: 2 to 6 first, eight digits weighted mod 10, issue number",
        chance: 0.050,
        example: "Medicare number 5353 85267 2",
        words: words::of(
            &["card number"],
            &["medicare", "medicare number", "medicare card", "medicare no"],
        ),
        find: Find::Forms(&[form("9999~99999~9"), form("9999999999")]),
        valid: Some(is_medicare),
        plain: mask::digits,
        ..Detector::new("AU_MEDICARE", "Australian Medicare number")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::PrivacyAct],
        standard: "A New Tax System (Australian Business Number) Act 1999: check of two digits mod 89",
        chance: 0.0101,
        example: "ABN 73 344 316 832",
        words: words::of(&[], &["abn", "australian business number", "australian business"]),
        find: Find::Forms(&[form_of("99 999 999 999", 10), form_of("99999999999", -10)]),
        valid: Some(is_business),
        test_values: &["51824753556", "83914571673"],
        plain: mask::digits,
        ..Detector::new("AU_ABN", "Australian business number")
    },
    Detector {
        tags: &[Tag::PrivacyAct],
        standard: "Corporations Regulations 2001, schedule 1: eight digits, check mod 10",
        chance: 0.10,
        example: "ACN: 821 767 300",
        words: words::of(&[], &["acn", "australian company number", "australian company"]),
        find: Find::Forms(&[form("999~999~999"), form("999999999")]),
        valid: Some(is_company),
        test_values: &["000000019", "004085616"],
        plain: mask::digits,
        ..Detector::new("AU_ACN", "Australian company number")
    },
    Detector {
        tags: &[Tag::PrivacyAct],
        standard: "Inland Revenue, Resident withholding tax specification: check mod 11 with two rows of weights",
        chance: 0.090,
        example: "IRD number: 091-554-283",
        words: words::of(
            &["ird"],
            &["ird number", "ird no", "inland revenue", "inland revenue number", "new zealand tax"],
        ),
        find: Find::Forms(&[
            form("999~999~999"),
            form("99~999~999"),
            form("999999999"),
            form("99999999"),
        ]),
        valid: Some(is_inland_revenue),
        test_values: &["49091850", "035901981"],
        plain: mask::digits,
        ..Detector::new("NZ_IRD", "New Zealand Inland Revenue number")
    },
];

fn is_tax_file_number(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 9] = [1, 4, 3, 7, 5, 8, 6, 9, 10];
    let sum = WEIGHTS.get(..digits.len()).and_then(|weights| weighted(digits, weights));
    digits.len() >= 8 && sum.is_some_and(|sum| sum > 0 && sum.is_multiple_of(11))
}

fn is_medicare(digits: &[u8]) -> bool {
    let sum = digits.get(..8).and_then(|body| weighted(body, &[1, 3, 7, 9, 1, 3, 7, 9]));
    digits.len() == 10
        && all_digits(digits)
        && matches!(digits.first(), Some(b'2'..=b'6'))
        && sum.is_some_and(|sum| Some(sum % 10) == digits.get(8).copied().and_then(value))
}

fn is_business(digits: &[u8]) -> bool {
    // One is taken off the first digit, which has the weight 10.
    let sum = weighted(digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    digits.first() != Some(&b'0')
        && sum.and_then(|sum| sum.checked_sub(10)).is_some_and(|sum| sum.is_multiple_of(89))
}

fn is_company(digits: &[u8]) -> bool {
    // With 1 as the weight of the check digit the sum is a multiple of ten.
    let sum = weighted(digits, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    sum.is_some_and(|sum| sum > 0 && sum.is_multiple_of(10))
}

fn is_inland_revenue(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let mut padded = [b'0'; 8];
    let Some(tail) = 8usize.checked_sub(body.len()).and_then(|blank| padded.get_mut(blank..))
    else {
        return false;
    };
    tail.copy_from_slice(body);
    let check_of = |weights: [u32; 8]| weighted(&padded, &weights).map(|sum| (11 - sum % 11) % 11);
    let first = check_of([3, 2, 7, 6, 5, 4, 3, 2]);
    let wanted = if first == Some(10) { check_of([7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    let issued = number(digits).is_some_and(|number| (10_000_001..150_000_000).contains(&number));
    digits.len() >= 8 && issued && wanted.is_some() && wanted == value(*check)
}
