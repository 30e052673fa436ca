//! International bank account numbers: country, length, structure of the account number and check
//! digits, ISO 13616-1 with the structures of the SWIFT IBAN registry. Capital letters only.

use monitor_ebpf::proof;

use super::super::checksum::mod_97;
use super::super::detector::{Detector, Find, Tier};
use super::super::evidence::{Candidate, Reasons};
use super::super::probe::Probe;
use super::super::text::{self, Boundary, Run};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Glba],
    standard: "ISO 13616-1: country, length and structure of the SWIFT registry, mod 97-10 (ISO 7064)",
    chance: 0.0103,
    example: "IBAN: NO93 8601 1117 947",
    words: words::IBAN_CODE,
    find: Find::AfterLetters(2, find),
    valid: Some(is_iban),
    mask: mask_value,
    ..Detector::new("IBAN_CODE", "International bank account number (IBAN)")
}];

/// What country, length and check digits prove, in decibans.
const CHANCE_DB: i16 = 20;
/// What the structure of the country proves: letters and digits at their places.
const STRUCTURE_DB: i16 = 25;
/// What it costs to be grouped in any other way than in fours.
const ODD_DB: i16 = 20;

/// Characters of the shortest number (Norway) and of the longest that ISO 13616-1 allows.
const CHARACTERS_MIN: usize = 15;
const CHARACTERS_MAX: usize = 34;
/// Country code and check digits.
const HEAD_CHARACTERS: usize = 4;

/// Country and the structure of what follows the check digits, in the registry's notation: `n`
/// digits, `a` capital letters, `c` either. The last rows are of countries that use the form
/// without being in the registry.
#[rustfmt::skip]
const COUNTRIES: [(&[u8; 2], &str); 110] = [
    (b"AD", "8n12c"), (b"AE", "19n"), (b"AL", "8n16c"), (b"AT", "16n"), (b"AZ", "4a20c"),
    (b"BA", "16n"), (b"BE", "12n"), (b"BG", "4a6n8c"), (b"BH", "4a14c"), (b"BI", "23n"),
    (b"BR", "23n1a1c"), (b"BY", "4c4n16c"), (b"CH", "5n12c"), (b"CR", "18n"), (b"CY", "8n16c"),
    (b"CZ", "20n"), (b"DE", "18n"), (b"DJ", "23n"), (b"DK", "14n"), (b"DO", "4c20n"),
    (b"EE", "16n"), (b"EG", "25n"), (b"ES", "20n"), (b"FI", "14n"), (b"FK", "2a12n"),
    (b"FO", "14n"), (b"FR", "10n11c2n"), (b"GB", "4a14n"), (b"GE", "2a16n"), (b"GI", "4a15c"),
    (b"GL", "14n"), (b"GR", "7n16c"), (b"GT", "24c"), (b"HN", "4a20n"), (b"HR", "17n"),
    (b"HU", "24n"), (b"IE", "4a14n"), (b"IL", "19n"), (b"IQ", "4a15n"), (b"IS", "22n"),
    (b"IT", "1a10n12c"), (b"JO", "4a4n18c"), (b"KW", "4a22c"), (b"KZ", "3n13c"), (b"LB", "4n20c"),
    (b"LC", "4a24c"), (b"LI", "5n12c"), (b"LT", "16n"), (b"LU", "3n13c"), (b"LV", "4a13c"),
    (b"LY", "21n"), (b"MC", "10n11c2n"), (b"MD", "20c"), (b"ME", "18n"), (b"MK", "3n10c2n"),
    (b"MN", "16n"), (b"MR", "23n"), (b"MT", "4a5n18c"), (b"MU", "4a19n3a"), (b"NI", "4a20n"),
    (b"NL", "4a10n"), (b"NO", "11n"), (b"OM", "3n16c"), (b"PK", "4a16c"), (b"PL", "24n"),
    (b"PS", "4a21c"), (b"PT", "21n"), (b"QA", "4a21c"), (b"RO", "4a16c"), (b"RS", "18n"),
    (b"RU", "14n15c"), (b"SA", "2n18c"), (b"SC", "4a20n3a"), (b"SD", "14n"), (b"SE", "20n"),
    (b"SI", "15n"), (b"SK", "20n"), (b"SM", "1a10n12c"), (b"SO", "19n"), (b"ST", "21n"),
    (b"SV", "4a20n"), (b"TL", "19n"), (b"TN", "20n"), (b"TR", "6n16c"), (b"UA", "6n19c"),
    (b"VA", "18n"), (b"VG", "4a16n"), (b"XK", "16n"), (b"YE", "4a4n18c"),
    (b"AO", "21n"), (b"BF", "2c22n"), (b"BJ", "2c22n"), (b"CF", "23n"), (b"CG", "23n"),
    (b"CI", "2a22n"), (b"CM", "23n"), (b"CV", "21n"), (b"DZ", "22n"), (b"GA", "23n"),
    (b"GQ", "23n"), (b"GW", "2c19n"), (b"IR", "22n"), (b"KM", "23n"), (b"MA", "24n"),
    (b"MG", "23n"), (b"ML", "2c22n"), (b"MZ", "21n"), (b"NE", "2a22n"), (b"SN", "2a22n"),
    (b"TG", "2a22n"),
];

/// Examples that the registry, banks and text books print.
const TEST_NUMBERS: [&[u8]; 12] = [
    b"GB82WEST12345698765432",
    b"GB29NWBK60161331926819",
    b"GB33BUKB20201555555555",
    b"DE89370400440532013000",
    b"DE75512108001245126199",
    b"FR1420041010050500013M02606",
    b"ES9121000418450200051332",
    b"IT60X0542811101000000123456",
    b"NL91ABNA0417164300",
    b"BE68539007547034",
    b"CH9300762011623852957",
    b"AT611904300234573201",
];

/// What the kernel knows of IBANs: the structure of each country's.
pub(in crate::detect) fn tell_kernel(tables: &mut proof::Tables) {
    for ([first, second], structure) in COUNTRIES {
        let mut country =
            proof::Country { characters: characters(structure) as u64, ..Default::default() };
        let mut at = HEAD_CHARACTERS;
        for (count, class) in parts(structure) {
            for bit in at..at + count {
                country.digits |= u64::from(class == b'n') << bit;
                country.letters |= u64::from(class == b'a') << bit;
            }
            at += count;
        }
        if let Some(slot) = tables.countries.get_mut(proof::country_index(*first, *second)) {
            *slot = country;
        }
    }
}

/// Whether the country has numbers of that structure, and the check digits fit.
fn is_iban(value: &[u8]) -> bool {
    let country = value.get(..2).unwrap_or_default();
    COUNTRIES.iter().find(|row| &row.0[..] == country).is_some_and(|(_, structure)| {
        characters(structure) == value.len() && fits(value, structure)
    }) && is_mod_97_one(value)
}

fn find(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    let text = probe.text;
    // The check digits are the first digits after the letters of the country.
    let start = at.checked_sub(2)?;
    let country = text.get(start..at)?;
    if !country.iter().all(u8::is_ascii_uppercase) || run.groups().first()?.len() < 2 {
        return None;
    }
    let structure = COUNTRIES.iter().find(|row| &row.0[..] == country)?.1;
    let mut value = [0u8; CHARACTERS_MAX];
    let (end, grouping) = read(text, start, value.get_mut(..characters(structure))?)?;
    let value = value.get(..characters(structure))?;
    let boundary = text::boundary(text, start, end);
    if boundary == Boundary::Inside || !fits(value, structure) || !is_mod_97_one(value) {
        return None;
    }
    let odd = grouping == Grouping::Odd;
    let mut found =
        Candidate::new(start, end, CHANCE_DB + STRUCTURE_DB - if odd { ODD_DB } else { 0 });
    found.test_data = TEST_NUMBERS.contains(&value);
    found.reasons = Reasons::CHECKED.and(if odd { Reasons::ODD } else { Reasons::FORM });
    Some(found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grouping {
    /// In one piece, or in fours (ISO 13616-1 section 5.3).
    Usual,
    Odd,
}

/// Reads capitals and digits with at most one separator of one kind between them until `value` is
/// full. Says where it ended.
fn read(text: &[u8], start: usize, value: &mut [u8]) -> Option<(usize, Grouping)> {
    let (mut at, mut separator, mut grouping) = (start, 0, Grouping::Usual);
    for (index, slot) in value.iter_mut().enumerate() {
        let here = text::byte(text, at);
        let is_break = matches!(here, b' ' | b'-' | b'.');
        if is_break {
            if index < HEAD_CHARACTERS || (separator != 0 && separator != here) {
                return None;
            }
            separator = here;
            at += 1;
        }
        if separator != 0 && index > 0 && is_break != index.is_multiple_of(4) {
            grouping = Grouping::Odd;
        }
        let here = text::byte(text, at);
        if !here.is_ascii_digit() && !here.is_ascii_uppercase() {
            return None;
        }
        *slot = here;
        at += 1;
    }
    Some((at, grouping))
}

/// The parts of a structure: how many characters, of which class.
fn parts(structure: &str) -> impl Iterator<Item = (usize, u8)> {
    structure.split_inclusive(['n', 'a', 'c']).filter_map(|part| {
        let (count, class) = part.split_at_checked(part.len().saturating_sub(1))?;
        Some((count.parse().ok()?, *class.as_bytes().first()?))
    })
}

fn characters(structure: &str) -> usize {
    HEAD_CHARACTERS + parts(structure).map(|(count, _)| count).sum::<usize>()
}

fn fits(value: &[u8], structure: &str) -> bool {
    let mut rest = value.get(HEAD_CHARACTERS..).unwrap_or_default();
    parts(structure).all(|(count, class)| {
        let Some((part, after)) = rest.split_at_checked(count) else { return false };
        rest = after;
        part.iter().all(|b| match class {
            b'n' => b.is_ascii_digit(),
            b'a' => b.is_ascii_uppercase(),
            _ => b.is_ascii_digit() || b.is_ascii_uppercase(),
        })
    }) && value.get(2..HEAD_CHARACTERS).is_some_and(|check| check.iter().all(u8::is_ascii_digit))
}

/// The check of ISO 7064 MOD 97-10 over the number with its first four characters moved to its end.
fn is_mod_97_one(value: &[u8]) -> bool {
    let Some((head, account)) = value.split_at_checked(HEAD_CHARACTERS) else { return false };
    mod_97(account.iter().chain(head).copied()) == Some(1)
}

/// Country and last four.
fn mask_value(value: &[u8]) -> String {
    let count = mask::count(value, mask::letter_or_digit);
    let shows = |n: usize| count >= CHARACTERS_MIN && (n < 2 || n + 4 >= count);
    mask::strike(value, mask::letter_or_digit, shows)
}

#[cfg(test)]
pub(in crate::detect) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any number of any country.
    pub fn iban() -> impl Strategy<Value = String> {
        (prop::sample::select(&COUNTRIES[..]), any::<[u8; CHARACTERS_MAX]>()).prop_map(
            |((country, structure), random)| {
                let mut random = random.into_iter();
                let account = parts(structure).flat_map(|(count, class)| vec![class; count]);
                let account = account.map(|class| match (class, random.next().unwrap_or(0)) {
                    (b'n', random) => b'0' + random % 10,
                    (_, random) => b'A' + random % 26,
                });
                let account = String::from_utf8(account.collect()).expect("ASCII");
                let country = String::from_utf8_lossy(country.as_slice()).into_owned();
                (2..=98)
                    .map(|check| format!("{country}{check:02}{account}"))
                    .find(|iban| is_mod_97_one(iban.as_bytes()))
                    .expect("one pair of check digits fits")
            },
        )
    }

    #[test]
    fn test_numbers_are_ibans() {
        for value in TEST_NUMBERS {
            assert!(is_mod_97_one(value), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn lengths_are_within_the_standard() {
        for (country, structure) in COUNTRIES {
            let length = characters(structure);
            let country = String::from_utf8_lossy(country);
            assert!((CHARACTERS_MIN..=CHARACTERS_MAX).contains(&length), "{country} {length}");
        }
    }
}
