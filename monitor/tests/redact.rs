//! What the redactor promises, held to whatever is made up: nothing that is found gets through, in
//! any encoding and any cut, and what carried it is what it was.

mod payload;

use egress_monitor::decode::{Part, Text, views};
use egress_monitor::detect::{Engine, KEY_BYTES, Key};
use egress_monitor::redact::{Mode, Redactor, Stream, Which};
use payload::{named, payload};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

const MODES: [Mode; 4] = [Mode::Mask, Mode::Token, Mode::Hash, Mode::Remove];

fn redactor(mode: Mode) -> Redactor {
    let key = Key::from_bytes([7; KEY_BYTES]);
    Redactor::new(Engine::usual(), key, mode, Which::default())
}

fn redact(mode: Mode, by_line: bool, pieces: &[&[u8]]) -> Vec<u8> {
    let redactor = redactor(mode);
    let mut redacted = Vec::new();
    let mut stream = Stream::new(&redactor, by_line);
    for piece in pieces {
        stream.push(piece, &mut |bytes| redacted.extend_from_slice(bytes));
    }
    stream.finish(&mut |bytes| redacted.extend_from_slice(bytes));
    redacted
}

/// What the engine finds in any reading of a text.
fn found(text: &[u8]) -> Vec<String> {
    let engine = Engine::usual();
    let mut all = Vec::new();
    for view in views(&Text { bytes: text, fresh: 0, part: Part::Text }).iter() {
        let mut hits = Vec::new();
        engine.find(&view.bytes, &mut hits);
        let name = |hit: &egress_monitor::detect::Hit| {
            format!("{} in {}", engine.entity(hit.detector), view.encoding)
        };
        all.extend(hits.iter().map(name));
    }
    all
}

/// Cuts bytes where it is told.
fn cut<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.iter().map(|end| &bytes[std::mem::replace(&mut start, *end)..*end]).collect()
}

/// A document, and how it is written.
#[derive(Debug, Clone)]
struct Document {
    value: Value,
    pretty: bool,
    /// Whether it is a string in another document.
    nested: bool,
}

impl Document {
    fn text(&self) -> String {
        let write = |value: &Value| match self.pretty {
            true => serde_json::to_string_pretty(value).unwrap(),
            false => value.to_string(),
        };
        let text = write(&self.value);
        if !self.nested {
            return text;
        }
        let mut outer = Map::new();
        outer.insert("body".into(), Value::String(text));
        write(&Value::Object(outer))
    }
}

/// A value with the word that names it, as text and, where it is all digits, as a number.
fn leaf() -> impl Strategy<Value = (String, Value)> {
    let personal = named().prop_map(|(name, value)| {
        let number = value.parse::<u64>().ok().filter(|number| number.to_string() == value);
        (name.to_owned(), number.map_or(Value::String(value), Value::from))
    });
    let plain = (
        "[a-z_]{1,8}",
        prop_oneof![
            any::<u32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            (-90.0..90.0f64).prop_map(Value::from),
            "[ -~é\n\t]{0,20}".prop_map(Value::String),
        ],
    );
    prop_oneof![personal, plain]
}

fn document() -> impl Strategy<Value = Document> {
    let tree = leaf().prop_map(|(key, value)| {
        let mut object = Map::new();
        object.insert(key, value);
        Value::Object(object)
    });
    let tree = tree.prop_recursive(3, 24, 4, |inner| {
        let list = prop::collection::vec(leaf().prop_map(|(_, value)| value), 0..5);
        let members = prop::collection::vec((leaf(), "[a-z]{1,6}", inner.clone()), 1..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            list.prop_map(Value::Array),
            members.prop_map(|members| {
                let mut object = Map::new();
                for ((key, value), name, inner) in members {
                    object.insert(key, value);
                    object.insert(name, inner);
                }
                Value::Object(object)
            }),
        ]
    });
    (tree, any::<bool>(), any::<bool>()).prop_map(|(value, pretty, nested)| Document {
        value,
        pretty,
        nested,
    })
}

/// Whether two documents are of the same shape, but for numbers that became strings.
fn same_shape(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| same_shape(before, after))
        }
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before.iter().all(|(key, value)| {
                    after.get(key).is_some_and(|after| same_shape(value, after))
                })
        }
        (Value::String(before), Value::String(after)) => {
            let inner = |text: &str| serde_json::from_str::<Value>(text).ok();
            match inner(before) {
                Some(before @ (Value::Object(_) | Value::Array(_))) => {
                    inner(after).is_some_and(|after| same_shape(&before, &after))
                }
                _ => true,
            }
        }
        (Value::Number(before), Value::Number(after)) => before == after,
        (Value::Number(_), Value::String(_)) => true,
        (before, after) => before == after,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_that_is_found_gets_through(payload in payload(), mode in select(&MODES[..])) {
        let sent = payload.sends().concat();
        let redacted = redact(mode, false, &[&sent]);
        prop_assert_eq!(found(&redacted), Vec::<String>::new(), "{}", String::from_utf8_lossy(&redacted));
    }

    #[test]
    fn a_mask_is_as_long_as_what_it_masks(payload in payload()) {
        let sent = payload.sends().concat();
        let redacted = redact(Mode::Mask, false, &[&sent]);
        prop_assert_eq!(redacted.len(), sent.len());
        let ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(ends(&redacted), ends(&sent));
        prop_assert!(String::from_utf8(sent).is_err() || String::from_utf8(redacted).is_ok());
    }

    #[test]
    fn no_cut_changes_what_comes_out(
        payloads in prop::collection::vec(payload(), 1..6),
        mode in select(&MODES[..]),
        by_line: bool,
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let text = payloads.iter().flat_map(|payload| payload.sends().concat()).collect::<Vec<u8>>();
        let whole = redact(mode, by_line, &[&text]);
        prop_assert_eq!(redact(mode, by_line, &cut(&text, &cuts)), whole);
    }

    #[test]
    fn json_stays_json(document in document(), mode in select(&MODES[..])) {
        let text = document.text();
        let redacted = String::from_utf8(redact(mode, false, &[text.as_bytes()])).unwrap();
        let before: Value = serde_json::from_str(&text).unwrap();
        let after: Result<Value, _> = serde_json::from_str(&redacted);
        prop_assert!(after.is_ok(), "{}\n{}", text, redacted);
        prop_assert!(same_shape(&before, &after.unwrap()), "{}\n{}", text, redacted);
    }
}

/// Text longer than many windows, with values close together and far apart.
fn long(lines: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..lines {
        let card = ["4539578763621486", "4539 5787 6362 1486", "4539-5787-6362-1486"][line % 3];
        let fill = "x".repeat(line * 7919 % 300);
        text.extend(format!("line {line} {fill} card {card} end").bytes());
        text.push(if line % 5 == 0 { b'\n' } else { b' ' });
    }
    text
}

#[test]
fn a_long_text_is_the_same_in_any_pieces_and_holds_nothing() {
    let text = long(12_000);
    for by_line in [false, true] {
        let whole = redact(Mode::Mask, by_line, &[&text]);
        assert_eq!(whole.len(), text.len());
        assert_eq!(found(&whole), Vec::<String>::new());
        for size in [1_000, 4_096, 65_537, 300_000] {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            assert!(redact(Mode::Mask, by_line, &pieces) == whole, "in pieces of {size}");
        }
    }
}

#[test]
fn a_line_longer_than_a_window_is_redacted_wherever_windows_end() {
    let mut text = vec![b'x'; 3 << 20];
    for at in (0..text.len() - 100).step_by(257) {
        text[at..at + 24].copy_from_slice(b" card: 4539578763621486 ");
    }
    for by_line in [false, true] {
        let redacted = redact(Mode::Mask, by_line, &[&text]);
        assert_eq!(redacted.len(), text.len());
        assert!(!redacted.windows(4).any(|four| four == b"1486"));
    }
}

#[test]
fn more_values_than_are_looked_at_are_all_taken_out() {
    let text = "card 4539578763621486\n".repeat(20_000);
    let redacted = redact(Mode::Token, false, &[text.as_bytes()]);
    let redacted = String::from_utf8(redacted).unwrap();
    assert!(redacted.lines().all(|line| line.starts_with("card CREDIT_CARD_")));
    assert_eq!(redacted.lines().count(), 20_000);
    let dense = "a@b.io,".repeat(100_000);
    let redacted = redact(Mode::Mask, false, &[dense.as_bytes()]);
    assert!(!redacted.contains(&b'b'));
}

#[track_caller]
fn check(mode: Mode, text: &str, redacted: &str) {
    let out = String::from_utf8(redact(mode, false, &[text.as_bytes()])).unwrap();
    assert_eq!(out, redacted, "{text}");
}

#[test]
fn numbers_of_json_become_strings() {
    for (text, masked) in [
        (r#"{"card":4539578763621486}"#, r#"{"card":"**************"}"#),
        ("{\"card\" : 4539578763621486\n}", "{\"card\" : \"**************\"\n}"),
        (r#"{"card":[4539578763621486,1]}"#, r#"{"card":["**************",1]}"#),
        (r#"{"card":[[1],4539578763621486]}"#, r#"{"card":[[1],"**************"]}"#),
        (r#"["card",4539578763621486]"#, r#"["card","**************"]"#),
        (r#"{"b":"{\"card\":4539578763621486}"}"#, r#"{"b":"{\"card\":\"************\"}"}"#),
        (r#"{"card":"[4539578763621486]"}"#, r#"{"card":"[\"************\"]"}"#),
        (r#"%7B%22card%22%3A4539578763621486%7D"#, r#"%7B%22card%22%3A%22**********%22%7D"#),
    ] {
        check(Mode::Mask, text, masked);
    }
}

#[test]
fn digits_that_are_no_numbers_of_json_stay_without_quotes() {
    for (text, masked) in [
        ("card 4539578763621486, 17", "card ****************, 17"),
        ("id,card,n\n1,4539578763621486,7\n", "id,card,n\n1,****************,7\n"),
        ("card=4539578763621486&a=1", "card=****************&a=1"),
        ("<card>4539578763621486</card>", "<card>****************</card>"),
        ("card: 4539578763621486\n", "card: ****************\n"),
        (r#"{"a":"card, 4539578763621486, paid"}"#, r#"{"a":"card, ****************, paid"}"#),
    ] {
        check(Mode::Mask, text, masked);
    }
}

#[test]
fn the_same_value_has_the_same_token_however_it_is_written() {
    let text = "4539578763621486 is card 4539-5787-6362-1486 or %34539%205787%206362%201486";
    let redacted = String::from_utf8(redact(Mode::Token, false, &[text.as_bytes()])).unwrap();
    let tokens: Vec<&str> = redacted.split(' ').filter(|word| word.contains("CARD_")).collect();
    assert_eq!(tokens.len(), 3, "{redacted}");
    assert!(tokens.iter().all(|token| token == &tokens[0]), "{redacted}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// As `base64` writes it, without a library that only this test would use.
fn base64(text: &str) -> String {
    let mut tool = std::process::Command::new("base64");
    tool.args(["-w", "0"]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = tool.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn what_is_encoded_as_a_whole_is_encoded_again() {
    let inner = r#"{"card": "4539578763621486", "n": 1}"#;
    let masked = r#"{"card": "****************", "n": 1}"#;
    let removed = r#"{"card": "[CREDIT_CARD]", "n": 1}"#;
    for encode in [hex, base64] {
        let text = |inner: &str| format!("body {} end", encode(inner));
        check(Mode::Mask, &text(inner), &text(masked));
        check(Mode::Remove, &text(inner), &text(removed));
        // Again within itself.
        let text = |inner: &str| format!("body {} end", base64(&format!("x {} y", encode(inner))));
        check(Mode::Mask, &text(inner), &text(masked));
        check(Mode::Remove, &text(inner), &text(removed));
    }
    // In the lines of MIME.
    let lines = |inner: &str| {
        let letters = base64(inner);
        let lines = letters.as_bytes().chunks(76).map(String::from_utf8_lossy);
        format!("body\r\n\r\n{}\r\n\r\nend", lines.collect::<Vec<_>>().join("\r\n"))
    };
    let filled = |inner: &str| format!("{inner} {}", "and so it goes on. ".repeat(9));
    let split = |inner: &str| format!("{}{inner}", "A word more. ".repeat(4));
    for fill in [&filled as &dyn Fn(&str) -> String, &split] {
        check(Mode::Mask, &lines(&fill(inner)), &lines(&fill(masked)));
        check(Mode::Remove, &lines(&fill(inner)), &lines(&fill(removed)));
    }
}

#[test]
fn two_bytes_for_each_character_stay_two() {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let text = wide("the card 4539578763621486 was paid");
    assert_eq!(redact(Mode::Mask, false, &[&text]), wide("the card **************** was paid"));
    assert_eq!(redact(Mode::Remove, false, &[&text]), wide("the card [CREDIT_CARD] was paid"));
}

#[test]
fn what_is_packed_in_a_text_is_packed_again() {
    let pack = |text: &str| -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let around = |packed: Vec<u8>| [b"before ".as_slice(), &packed, b" after"].concat();
    let text = around(pack("the card 4539578763621486 was paid, and then some more"));
    let redacted = redact(Mode::Remove, false, &[&text]);
    assert_eq!(redacted, around(pack("the card [CREDIT_CARD] was paid, and then some more")));
}

#[test]
fn a_private_key_in_lines_is_taken_out_line_by_line() {
    let body: Vec<String> = (0..40).map(|line| hex(&format!("{:032}", line * 7919))).collect();
    let text = format!(
        "the key:\n-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\nafter\n",
        body.join("\n")
    );
    let redacted = String::from_utf8(redact(Mode::Mask, true, &[text.as_bytes()])).unwrap();
    assert!(body.iter().all(|line| !redacted.contains(line)), "{redacted}");
    assert!(redacted.ends_with("\nafter\n"), "{redacted}");
}
