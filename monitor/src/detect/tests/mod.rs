//! Tests of the whole engine. What concerns one file alone is tested there.

mod cases;

use proptest::prelude::*;
use serde::Deserialize;

use super::{Engine, Hit, Key, card, iban, mask, redact};
use crate::limits::HITS_PER_SAMPLE_MAX;
use crate::model::{Confidence, Entity};

fn find(entities: &[Entity], text: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    assert_eq!(Engine::new(entities).find(text, &mut hits), 0);
    hits
}

fn spans(hits: &[Hit]) -> Vec<(usize, usize)> {
    hits.iter().map(|hit| (hit.start, hit.end)).collect()
}

/// Takes the marks out of a case, and returns the text and the spans that were marked.
fn unmark(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut spans, mut start) = (String::new(), Vec::new(), 0);
    for letter in marked.chars() {
        match letter {
            '«' => start = text.len(),
            '»' => spans.push((start, text.len())),
            _ => text.push(letter),
        }
    }
    (text, spans)
}

#[track_caller]
fn check(&(entity, marked, confidence): &cases::Case) {
    let (text, wanted) = unmark(marked);
    let hits = find(&[entity], text.as_bytes());
    assert_eq!(spans(&hits), wanted, "{marked}");
    for hit in hits {
        assert_eq!((hit.entity, hit.confidence), (entity, confidence), "{marked}");
    }
}

#[test]
fn cards_are_found_and_lookalikes_are_not() {
    cases::CREDIT_CARDS.iter().for_each(check);
}

#[test]
fn social_security_numbers_are_found_and_lookalikes_are_not() {
    cases::SSNS.iter().for_each(check);
}

#[test]
fn ibans_are_found_and_lookalikes_are_not() {
    cases::IBANS.iter().for_each(check);
}

#[test]
fn addresses_are_found_and_lookalikes_are_not() {
    cases::EMAILS.iter().for_each(check);
}

#[test]
fn phone_numbers_are_found_and_lookalikes_are_not() {
    cases::PHONES.iter().for_each(check);
}

#[test]
fn each_entity_has_enough_cases() {
    let tables = [cases::CREDIT_CARDS, cases::SSNS, cases::IBANS, cases::EMAILS, cases::PHONES];
    assert!(tables.iter().all(|table| table.len() >= 25));
}

#[derive(Deserialize)]
struct Presidio {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    entity: Entity,
    text: String,
    spans: Vec<(usize, usize)>,
    /// What this project finds where it decides otherwise.
    ours: Option<Vec<(usize, usize)>>,
    why: Option<String>,
}

#[test]
fn presidio_agrees_or_a_reason_is_given() {
    let table: Presidio =
        serde_json::from_str(include_str!("presidio.json")).expect("the table is JSON");
    for row in table.rows {
        assert_eq!(row.ours.is_some(), row.why.is_some(), "{}", row.text);
        let wanted = row.ours.unwrap_or(row.spans);
        assert_eq!(spans(&find(&[row.entity], row.text.as_bytes())), wanted, "{}", row.text);
    }
}

#[test]
fn one_value_is_one_hit() {
    for (text, entity) in [
        (r#"{"card":"4111 1111 1111 1111"}"#, Entity::CreditCard),
        ("DE89 3704 0044 0532 0130 00", Entity::IbanCode),
        ("4111111111111111@acme.io", Entity::EmailAddress),
        ("ssn 536-22-8726", Entity::UsSsn),
        ("+1 415 555 0132", Entity::PhoneNumber),
    ] {
        let hits = find(&Entity::ALL, text.as_bytes());
        assert_eq!(hits.iter().map(|hit| hit.entity).collect::<Vec<_>>(), [entity], "{text}");
    }
}

#[test]
fn an_entity_that_is_off_is_not_found() {
    let text = b"4111 1111 1111 1111 536-22-8726 jane@acme.io +14155550132 DE89370400440532013000";
    assert_eq!(find(&Entity::ALL, text).len(), Entity::ALL.len());
    assert!(find(&[], text).is_empty());
    for entity in Entity::ALL {
        assert!(find(&[entity], text).iter().all(|hit| hit.entity == entity));
    }
}

#[test]
fn published_test_values_are_marked() {
    for (text, test_data) in [
        ("4111111111111111", true),
        ("5500 0000 0000 0004", false),
        ("078-05-1120", true),
        ("987-65-4320", true),
        ("536-22-8726", false),
        ("GB82 WEST 1234 5698 7654 32", true),
        ("NO9386011117947", false),
        ("jane@example.com", true),
        ("jane@notexample.com", false),
        ("jane@mail.test", true),
        ("+1 415 555 0132", true),
        ("+1 415 555 2671", false),
    ] {
        let hits = find(&Entity::ALL, text.as_bytes());
        assert_eq!(hits.iter().map(|hit| hit.test_data).collect::<Vec<_>>(), [test_data], "{text}");
    }
}

#[test]
fn a_hit_at_an_end_of_the_text_is_partial() {
    for (text, partial) in
        [("4111111111111111 x", true), ("x 4111111111111111", true), (" 4111111111111111.", false)]
    {
        let hits = find(&[Entity::CreditCard], text.as_bytes());
        assert_eq!(hits.iter().map(|hit| hit.partial).collect::<Vec<_>>(), [partial], "{text}");
    }
}

#[test]
fn key_of_a_hit_is_reported() {
    let text = r#"{"a":1,"cardNumber":"4111111111111111"}"#;
    let hits = find(&[Entity::CreditCard], text.as_bytes());
    let key = hits.first().and_then(|hit| hit.key).map(|(start, end)| &text[start..end]);
    assert_eq!(key, Some("cardNumber"));
}

#[test]
fn hits_over_the_limit_are_counted() {
    let text = "a@acme.io ".repeat(HITS_PER_SAMPLE_MAX + 3);
    let mut hits = Vec::new();
    assert_eq!(Engine::new(&Entity::ALL).find(text.as_bytes(), &mut hits), 3);
    assert_eq!(hits.len(), HITS_PER_SAMPLE_MAX);
    assert!(!redact(&text).contains("a@acme.io"));
}

#[test]
fn engine_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Engine::new(&Entity::ALL));
}

#[test]
fn masks_show_what_is_allowed() {
    for (entity, value, masked) in [
        (Entity::CreditCard, "4111 1111 1111 1234", "4*** **** **** 1234"),
        (Entity::CreditCard, "378282246310005", "3**********0005"),
        (Entity::CreditCard, "4111", "****"),
        (Entity::UsSsn, "536-22-8726", "***-**-8726"),
        (Entity::UsSsn, "536228726", "*****8726"),
        (Entity::UsSsn, "8726", "****"),
        (Entity::IbanCode, "GB82 WEST 1234 5698 7654 32", "GB** **** **** **** **54 32"),
        (Entity::IbanCode, "GB82WEST12", "**********"),
        (Entity::EmailAddress, "jane.doe@mail.acme.io", "j***@m***.io"),
        (Entity::EmailAddress, "jane", "***"),
        (Entity::PhoneNumber, "+1 (415) 555-0132", "+1 (***) ***-**32"),
        (Entity::PhoneNumber, "+49 30 1234567", "+49 ** *****67"),
        (Entity::PhoneNumber, "+49 30", "+** **"),
    ] {
        assert_eq!(mask(entity, value.as_bytes()), masked);
    }
}

#[test]
fn fingerprint_is_of_the_value_and_not_of_its_form() {
    let key = Key::from_bytes([7; 32]);
    for (entity, one, other) in [
        (Entity::CreditCard, "4111 1111 1111 1111", "4111-1111-1111-1111"),
        (Entity::UsSsn, "536-22-8726", "536228726"),
        (Entity::IbanCode, "GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432"),
        (Entity::EmailAddress, "Jane@Acme.io", "jane@acme.io"),
        (Entity::PhoneNumber, "+44 (0)20 7946 0958", "+442079460958"),
    ] {
        let fingerprint = key.fingerprint(entity, one.as_bytes());
        assert_eq!(fingerprint, key.fingerprint(entity, other.as_bytes()));
        assert_eq!(fingerprint.len(), 16);
        let elsewhere = Key::from_bytes([8; 32]).fingerprint(entity, one.as_bytes());
        assert_ne!(fingerprint, elsewhere);
    }
    // Computed with Python's hmac module.
    let known = key.fingerprint(Entity::CreditCard, b"4111111111111111");
    assert_eq!(known, "85febeb095326037");
}

#[test]
fn redact_strikes_out_every_finding() {
    let text = "curl -d card=4111111111111111 -u jane@acme.io 'x?ssn=536-22-8726' é";
    let struck = "curl -d card=4***********1111 -u j***@a***.io 'x?ssn=***-**-8726' é";
    assert_eq!(redact(text), struck);
    assert_eq!(redact(""), "");
    let text =
        r"curl x?card=4111%201111%201111%201111&to=jane%40acme.io -d card:\u0034111111111111111";
    let struck = "curl x?card=4*** **** **** 1111&to=j***@a***.io -d card:4***********1111";
    assert_eq!(redact(text), struck);
}

/// One of the shapes that the module's documentation promises, as the kernel looks for them.
fn has_necessary_shape(entity: Entity, text: &[u8]) -> bool {
    let s = r"(?:[ \-.+]|\xC2\xA0|\xE2\x80[\x80-\xBF])";
    let pattern = match entity {
        Entity::CreditCard => format!(r"[0-9](?:{s}?[0-9]){{12}}"),
        Entity::UsSsn => {
            format!(r"[0-9]{{3}}{s}[0-9]{{2}}{s}[0-9]{{4}}|(?:^|[^0-9])[0-9]{{9}}(?:$|[^0-9])")
        }
        Entity::EmailAddress => "@".to_owned(),
        Entity::PhoneNumber => r"\+\(?[1-9][0-9() .\-]{6}".to_owned(),
        Entity::IbanCode => r"[A-Z]{2}[0-9]{2}[A-Z0-9 .\-]{6}".to_owned(),
    };
    regex_automata::dfa::dense::Builder::new()
        .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
        .build(&pattern)
        .is_ok_and(|dfa| {
            use regex_automata::{Input, dfa::Automaton as _};
            matches!(dfa.try_search_fwd(&Input::new(text)), Ok(Some(_)))
        })
}

fn separators() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ", "-", ".", "+", "\u{a0}", "\u{2009}", "\u{2011}", "\u{202f}"])
}

fn surroundings() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        (r#"{"card":""#, r#"","x":1}"#),
        (r#"{"id":7,"number":["#, "]}"),
        ("card=", "&cvv=123"),
        ("pay with ", ", thanks"),
        ("<pan>", "</pan>"),
        ("\u{0}\u{10}", "\u{1a}"),
        ("", ""),
    ])
}

fn group(digits: &[u8], separator: &str) -> String {
    let lengths: &[usize] = match digits.len() {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        _ => &[4, 4, 4, 4, 3],
    };
    let (mut grouped, mut rest) = (String::new(), digits);
    for length in lengths {
        let (group, after) = rest.split_at(rest.len().min(*length));
        if !grouped.is_empty() && !group.is_empty() {
            grouped.push_str(separator);
        }
        grouped.push_str(std::str::from_utf8(group).expect("digits"));
        rest = after;
    }
    grouped
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_card_is_found_in_any_surroundings(
        digits in card::tests::card(), separator in separators(), (before, after) in surroundings(),
    ) {
        let value = group(&digits, separator);
        let text = format!("{before}{value}{after}");
        let hits = find(&[Entity::CreditCard], text.as_bytes());
        prop_assert_eq!(spans(&hits), [(before.len(), before.len() + value.len())], "{}", text);
        if !separator.is_empty() {
            prop_assert_eq!(hits[0].confidence, Confidence::High);
        }
        prop_assert!(has_necessary_shape(Entity::CreditCard, text.as_bytes()));
    }

    #[test]
    fn any_iban_is_found(
        iban in iban::tests::iban(), separator in prop::sample::select(vec!["", " ", "-", "."]),
    ) {
        let groups = iban.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group));
        let text = groups.collect::<Vec<_>>().join(separator);
        let hits = find(&[Entity::IbanCode], text.as_bytes());
        prop_assert_eq!(spans(&hits), [(0, text.len())], "{}", text);
        prop_assert!(has_necessary_shape(Entity::IbanCode, text.as_bytes()));
    }

    #[test]
    fn random_bytes_do_no_harm(text in prop::collection::vec(any::<u8>(), 0..512)) {
        let mut hits = Vec::new();
        Engine::new(&Entity::ALL).find(&text, &mut hits);
    }

    /// Text of the letters that detectors look at, where hits are frequent.
    #[test]
    fn hits_are_in_order_apart_and_have_their_shape(
        text in r#"([0-9]{1,5}[ .+-]?|\+[1-9][0-9() ./-]{6,12}|[a-z]{1,4}@[a-z]{2,5}\.(io|de)|[": ,=é]|DE89|ssn|[0-9]{3}-[0-9]{2}-[0-9]{4} |4111 1111 1111 1111|GB82WEST12345698765432){1,24}"#,
    ) {
        let hits = find(&Entity::ALL, text.as_bytes());
        for pair in hits.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
        }
        for hit in hits {
            prop_assert!(hit.start < hit.end && hit.end <= text.len());
            // The byte on each side says where a run of digits ends.
            let around = hit.start.saturating_sub(1)..(hit.end + 1).min(text.len());
            prop_assert!(has_necessary_shape(hit.entity, &text.as_bytes()[around]), "{hit:?} {text}");
        }
    }

    #[test]
    fn mask_shows_no_more_than_it_may(
        value in prop::collection::vec(any::<u8>(), 0..40), digits in "[0-9 -]{0,30}",
    ) {
        for value in [&value[..], digits.as_bytes()] {
            for (entity, shown_max) in
                [(Entity::CreditCard, 5), (Entity::UsSsn, 4), (Entity::IbanCode, 6), (Entity::PhoneNumber, 5)]
            {
                let shown = mask(entity, value).chars().filter(|c| c.is_alphanumeric()).count();
                prop_assert!(shown <= shown_max);
            }
            mask(Entity::EmailAddress, value);
        }
    }

    #[test]
    fn redacted_text_holds_no_value(digits in card::tests::card(), iban in iban::tests::iban()) {
        let card = String::from_utf8_lossy(&digits).into_owned();
        let redacted = redact(&format!("pay --card {card} --to {iban} --mail {card}@acme.io"));
        prop_assert!(!redacted.contains(&card) && !redacted.contains(&iban), "{}", redacted);
    }
}

/// Digits from a fixed sequence, so that the rate is the same in every run.
fn soup(count: usize) -> impl Iterator<Item = String> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..count).map(move |_| format!("{:08}{:08}", next() % 100_000_000, next() % 100_000_000))
}

#[test]
fn few_random_numbers_are_taken_for_cards() {
    const NUMBERS: usize = 20_000;
    let engine = Engine::new(&[Entity::CreditCard]);
    let rate = |form: fn(&str) -> String| {
        let hits = soup(NUMBERS).filter(|digits| {
            let mut hits = Vec::new();
            engine.find(form(digits).as_bytes(), &mut hits);
            !hits.is_empty()
        });
        hits.count() as f64 / NUMBERS as f64
    };
    // 16 random digits pass issuer and check digit with a chance of 0.023 at most.
    assert!(rate(|digits| format!("[{digits}]")) < 0.026);
    assert!(rate(|digits| format!(r#"{{"traceId":"{digits}"}}"#)) == 0.0);
    assert!(rate(|digits| format!("0.{digits}")) == 0.0);
    assert!(rate(|digits| format!("{digits}0000")) < 0.012);
    assert!(rate(|digits| format!("{digits}00000")) == 0.0);
}
