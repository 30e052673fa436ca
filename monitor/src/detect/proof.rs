//! What the kernel is told of the detectors, so that it can prove a few entities by itself before anything
//! has left ([`monitor_ebpf::proof`]): issuers, countries, and words that keys have. One source for both.

use monitor_ebpf::proof::{
    CLASS_CARD, CLASS_IBAN, CLASS_SSN, COUNTRY_SLOTS, Country, GROUPINGS_MAX, ISSUERS_MAX, Issuer,
    Tables, WORD_DOUBTFUL, WORD_HOSTILE, WORD_PROBES, WORD_SLOTS, Word, WordHash,
};

use super::detector::Words;
use super::table::{card, iban};
use super::words;

/// The entities that the kernel proves, and their classes.
pub const PROVEN: [(&str, u32); 3] =
    [("CREDIT_CARD", CLASS_CARD), ("IBAN_CODE", CLASS_IBAN), ("US_SSN", CLASS_SSN)];

/// The tables of the kernel's matcher.
pub fn tables() -> Box<Tables> {
    let mut tables = Box::new(Tables {
        issuers: [Issuer::default(); ISSUERS_MAX],
        countries: [Country::default(); COUNTRY_SLOTS],
        words: [Word::default(); WORD_SLOTS],
        groupings: [0; GROUPINGS_MAX],
    });
    card::tell_kernel(&mut tables);
    iban::tell_kernel(&mut tables);
    for (words, class) in [
        (&words::CREDIT_CARD, CLASS_CARD),
        (&words::IBAN_CODE, CLASS_IBAN),
        (&words::US_SSN, CLASS_SSN),
    ] {
        tell_words(&mut tables, words, class);
    }
    tables
}

fn tell_words(tables: &mut Tables, words: &Words, class: u32) {
    // Terms of one word: the kernel reads words and not terms.
    let said = [
        (words.key, 1 << class),
        (words.near, 1 << class),
        (words.hostile, WORD_HOSTILE),
        (words.doubtful, WORD_DOUBTFUL),
    ];
    for (terms, says) in said {
        let single = |term: &&&str| term.bytes().all(|b| b.is_ascii_lowercase());
        for term in terms.iter().filter(single) {
            tell_word(tables, term, says);
        }
    }
}

fn tell_word(tables: &mut Tables, term: &str, says: u32) {
    let hash = term.bytes().rev().fold(WordHash::EMPTY, WordHash::before).0;
    let slots = (0..WORD_PROBES).map(|probe| (hash as usize + probe) % WORD_SLOTS);
    for slot in slots {
        let Some(word) = tables.words.get_mut(slot) else { continue };
        if word.hash == 0 || word.hash == hash {
            word.hash = hash;
            word.says |= says;
            return;
        }
    }
    debug_assert!(false, "the table of words has room for all");
}

#[cfg(test)]
mod tests {
    use monitor_ebpf::proof::{HIGH, LOW, MEDIUM, search};
    use proptest::prelude::*;

    use super::super::table::card::tests::card;
    use super::super::table::iban::tests::iban;
    use super::*;
    use crate::decode::{Part, Text, View, views_live};
    use crate::detect::{Engine, Hit, Readings};
    use crate::model::Confidence;

    fn proven(text: &str) -> Vec<(u32, u8)> {
        let found = search(&tables(), text.as_bytes(), 0);
        let proofs = found.proofs.iter().take(found.found as usize);
        proofs.map(|proof| (proof.class, proof.confidence as u8)).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u32, u8)]) {
        assert_eq!(proven(text), expected, "{text}");
    }

    const CARD: u32 = CLASS_CARD;

    #[test]
    fn cards_are_proven_by_form_or_key() {
        check("pay 4539 5787 6362 1486 now", &[(CARD, HIGH)]);
        check("pay 4539-5787-6362-1486", &[(CARD, HIGH)]);
        check("pay 4539+5787+6362+1486&", &[(CARD, HIGH)]);
        check("pay%3D4539%205787%206362%201486&x", &[(CARD, HIGH)]);
        check("{\"x\":\"4539\\u00205787\\u00206362\\u00201486\"}", &[(CARD, HIGH)]);
        check("{\"x\":\"\\u00345395787\\u0036\\u0033621486\"}", &[(CARD, LOW)]);
        check("{\"card\":\"4539578763621486\"}", &[(CARD, HIGH)]);
        check("{\"cardNumber\": 4539578763621486}", &[(CARD, HIGH)]);
        check("{\\\"card_number\\\":\\\"4539578763621486\\\"}", &[(CARD, HIGH)]);
        check("a=1&card=4539578763621486", &[(CARD, HIGH)]);
        check("my card 4539578763621486.", &[(CARD, HIGH)]);
        check("{\"x\":\"4539578763621486\"}", &[(CARD, LOW)]);
        check("{\"order_id\":\"4539578763621486\"}", &[]);
        check("{\"trace\":\"4539 5787 6362 1486\"}", &[]);
        check("4539578763621487", &[]);
        check("14539578763621486", &[]);
        check("0x4539578763621486", &[]);
        check("4539578763621486.5", &[]);
        check("1.4539578763621486", &[]);
        check("4539 5787 6362 1486 1234", &[]);
        check("card 3782 822463 10005 end", &[(CARD, HIGH)]);
    }

    #[test]
    fn accounts_and_numbers_are_proven() {
        check("to NO9386011117947 end", &[(CLASS_IBAN, HIGH)]);
        check("to NO93 8601 1117 947", &[(CLASS_IBAN, HIGH)]);
        check("to NO93+8601+1117+947&", &[(CLASS_IBAN, HIGH)]);
        check("to GB82 WEST 1234 5698 7654 32.", &[(CLASS_IBAN, HIGH)]);
        check("to NO9386011117948 end", &[]);
        check("to xNO9386011117947 end", &[]);
        check("to NO93860111179471 end", &[]);
        check("is 536-22-8726 ok", &[(CLASS_SSN, MEDIUM)]);
        check("{\"ssn\":\"536-22-8726\"}", &[(CLASS_SSN, HIGH)]);
        check("is 666-22-8726 ok", &[]);
        check("is 536-22-8726-1 ok", &[]);
        check("is 1-536-22-8726 ok", &[]);
    }

    /// The table that the kernel is held to as well, by real sends: tests/tests/prevent.rs.
    #[test]
    fn the_table_of_cases_holds() {
        let grouped = |separator: &str| ["4539", "5787", "6362", "1486"].join(separator);
        let escaped: String = grouped("").bytes().map(|byte| format!("\\u00{byte:02x}")).collect();
        let cases = include_str!("../../../tests/cases/proof.txt").lines();
        let mut tried = 0;
        for (expected, case) in cases.filter_map(|line| line.split_once('\t')) {
            let text = case
                .replace("{card}", &grouped(""))
                .replace("{card4}", &grouped(" "))
                .replace("{card4-}", &grouped("-"))
                .replace("{card4+}", &grouped("+"))
                .replace("{card%}", &grouped("%20"))
                .replace("{cardu}", &escaped)
                .replace("{iban}", "NO9386011117947")
                .replace("{iban4}", "NO93 8601 1117 947")
                .replace("{ssn}", "536-22-8726");
            let found: Vec<&str> = proven(&text)
                .iter()
                .map(|(_, confidence)| ["low", "medium", "high"][usize::from(*confidence)])
                .collect();
            let found = found.first().copied().unwrap_or("none");
            assert_eq!(found, expected, "{text}");
            tried += 1;
        }
        assert!(tried > 30, "{tried} cases");
    }

    #[test]
    fn what_ended_before_is_not_proven_again() {
        let tables = tables();
        let text = b"card=4539578763621486";
        let end = u32::try_from(text.len()).unwrap();
        assert_eq!(search(&tables, text, 0).found, 1);
        assert_eq!(search(&tables, text, end).found, 0);
        assert_eq!(search(&tables, text, end - 1).found, 1);
        assert_eq!(search(&tables, &[&text[..], b", 4539 5787 6362 1486"].concat(), end).found, 1);
    }

    fn engine() -> Engine {
        Engine::with(|row| PROVEN.iter().any(|(entity, _)| *entity == row.entity), &[])
    }

    fn sureness(confidence: Confidence) -> u32 {
        match confidence {
            Confidence::Low => 0,
            Confidence::Medium => 1,
            Confidence::High => 2,
        }
    }

    /// A value in surroundings, some of which speak against it.
    fn texts() -> impl Strategy<Value = String> {
        let separators = prop::sample::select(vec!["", " ", "-", "."]);
        let cards = (card(), separators).prop_map(|(digits, separator)| {
            let digits = String::from_utf8(digits).unwrap();
            let groups: Vec<&str> = match digits.len() {
                15 => vec![&digits[..4], &digits[4..10], &digits[10..]],
                16 => vec![&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]],
                _ => vec![&digits],
            };
            groups.join(separator)
        });
        let ssns = (1u32..900, 1u32..100, 1u32..10_000, prop::sample::select(vec!["-", " "]))
            .prop_map(|(area, group, serial, code)| {
                format!("{area:03}{code}{group:02}{code}{serial:04}")
            });
        let values = prop_oneof![3 => cards, 1 => iban(), 1 => ssns];
        let before = prop::sample::select(vec![
            "",
            "card: ",
            "{\"card_number\":\"",
            "{\"cardNumber\": \"",
            "{\"pan\":",
            "cc=",
            "a ",
            "{\"id\":\"",
            "{\"order\":\"",
            "{\"traceId\":\"",
            "ts=",
            "x",
            "-",
            ".",
            "1.",
            "#",
            "/a/",
            "12 ",
            "1234 ",
            "visa ",
            "count: ",
            "my card is ",
            "{\"ssn\":\"",
            "<pan>",
            "iban ",
            "{\"card_id\":\"",
            "{\"discard\":\"",
            "sequence ",
            "{\"a\":{\"card\":{\"number\":\"",
            "{\"card_hash\":\"",
            "{\"card_ts\":",
            "IBAN:",
            "%22card%22%3A%22",
            "_",
            "$",
            "\\n",
            "(",
        ]);
        let after = prop::sample::select(vec![
            "",
            " ",
            "\"}",
            "\",\"x\":1}",
            "&a=1",
            ".",
            ". Next",
            "-",
            "-5",
            ".5",
            "x",
            "_",
            " 12",
            " 1234",
            "/12",
            "/x",
            ")",
            "</pan>",
            ",",
            "%22",
            "\\n",
            "\\\"}",
        ]);
        (before, values, after).prop_map(|(a, b, c)| format!("{a}{b}{c}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        /// What the kernel calls proven the detectors call a finding, at least as surely.
        #[test]
        fn what_is_proven_is_found(text in texts(), around in any::<bool>()) {
            let text = if around { format!("and {text} and") } else { text };
            let found = search(&tables(), text.as_bytes(), 0);
            let (engine, mut readings) = (engine(), Readings::default());
            let whole = Text { bytes: text.as_bytes(), fresh: 0, part: Part::Text };
            let views = views_live(&whole);
            let in_order: Vec<&View<'_>> = views.iter().collect();
            readings.find(&in_order, None, |_, bytes: &[u8], hits: &mut Vec<Hit>| engine.find(bytes, hits));
            let hits = readings.found();
            for proof in found.proofs.iter().take(found.found as usize) {
                let entity = PROVEN.iter().find(|(_, class)| *class == proof.class).unwrap().0;
                let start = proof.start as usize;
                let hit = hits.iter().find(|hit| hit.span.start == start
                    && engine.entity(hit.hit.detector).name() == entity).map(|hit| &hit.hit);
                prop_assert!(hit.is_some(), "{entity} {} of {text:?}", proof.confidence);
                // What may be cut is at most medium to them.
                let cut = hit.is_some_and(|hit| hit.partial);
                prop_assert!(
                    cut || hit.is_some_and(|hit| sureness(hit.confidence) >= proof.confidence),
                    "{entity} {} of {text:?}: {hit:?}", proof.confidence
                );
            }
        }
    }
}
