//! Detectors that a policy brings along: what is said about wrong ones, what right ones find, and
//! what rules by tag ask for.

use super::{check, files, parsed};
use crate::detect::{Hit, detectors};
use crate::limits::CUSTOM_DETECTORS_MAX;
use crate::model::{Confidence, Entity, Tag};
use crate::policy::Policy;

/// A detector by its text, which begins at line 3, and a rule that asks for it.
fn brought(text: &str) -> String {
    format!("version = 1\n[[detector]]\n{text}\n[[rule]]\nid = \"a\"\nentities = [\"STAFF_ID\"]\n")
}

/// The same with its name in line 3.
fn named(text: &str) -> String {
    brought(&format!("name = \"STAFF_ID\"\n{text}"))
}

#[track_caller]
fn check_named(text: &str, expected: &[&str]) {
    check(&named(text), expected);
}

#[test]
fn a_detector_has_a_name_of_its_own() {
    let unknown = |line: usize| {
        format!("{line}:13: unknown entity \"STAFF_ID\"; `egress-monitor entities` lists them")
    };
    check(
        &brought("regex = 'x'"),
        &["2:1: [[detector]] has no name; add name = \"STAFF_ID\"", &unknown(6)],
    );
    for (name, instead) in [("staff-id", "STAFF_ID"), ("", "STAFF_ID"), ("7_Ü", "STAFF_ID")] {
        let wrong = format!(
            "3:8: name \"{name}\" is not 1 to 64 of A-Z, 0-9, _ after a letter; write \"{instead}\""
        );
        check(&brought(&format!("name = \"{name}\"\nregex = 'x'")), &[&wrong, &unknown(7)]);
    }
    check(
        &brought("name = \"US_SSN\"\nregex = 'x'"),
        &[
            "3:8: name \"US_SSN\" is that of a built-in detector; choose another, such as \"OUR_US_SSN\"",
            &unknown(7),
        ],
    );
    check_named(
        "regex = 'x'\n[[detector]]\nname = \"STAFF_ID\"\nregex = 'y'",
        &["6:8: name \"STAFF_ID\" stands on two detectors; give each detector a name of its own"],
    );
}

#[test]
fn a_detector_looks_for_one_thing() {
    check_named(
        "",
        &[
            "2:1: [[detector]] has no regex, literals or dictionary; add one of them, such as regex = 'EMP-[0-9]{6}'",
        ],
    );
    check_named(
        "regex = 'x'\nliterals = [\"x\"]",
        &[
            "5:12: [[detector]] has both regex and literals; leave one of them out, or make it a detector of its own",
        ],
    );
    check_named(
        "regx = 'x'\nregex = 'x'",
        &[
            "4:1: unknown key \"regx\" in [[detector]]; did you mean \"regex\"? keys: name, description, regex, literals, dictionary, case, validator, words, needs_context, confidence, tags, examples, counter_examples",
        ],
    );
    check_named(
        "literals = []",
        &["4:12: literals is empty; write literals = [\"Project Falcon\"]"],
    );
    check_named("literals = [\"\"]", &["4:13: literal is empty; write literal = \"…\""]);
    check_named(
        "literals = [\"x\"]\ncase = \"exactly\"",
        &["5:8: unknown case \"exactly\"; did you mean \"exact\"? cases: exact, ignore"],
    );
}

const SYNTAX: &str = "the syntax is Rust's: no look-around, no backreferences, and a \\ before what is meant as itself";

#[test]
fn the_place_in_a_wrong_regex_is_told() {
    for (written, at, what) in [
        ("'EMP-[0-9'", "4:14", "unclosed character class"),
        ("'a(b'", "4:11", "unclosed group"),
        (
            "\"a\\\\d\\u00e9(?=b)\"",
            "4:20",
            "look-around, including look-ahead and look-behind, is not supported",
        ),
        ("'(a)\\1'", "4:13", "backreferences are not supported"),
        (
            "'''\nab\n*{3,2}'''",
            "6:2",
            "invalid repetition count range, the start must be <= the end",
        ),
        ("\"\"\"ab\\\n   c)\"\"\"", "5:5", "unopened group"),
        ("'\\p{Nope}'", "4:10", "Unicode property not found"),
    ] {
        check_named(&format!("regex = {written}"), &[&format!("{at}: regex: {what}; {SYNTAX}")]);
    }
    let problems = Policy::parse(&named("regex = 'EMP-[0-9'"), super::TODAY).unwrap_err();
    let told = problems[0].render("policy.toml", false);
    assert!(told.ends_with("4 | regex = 'EMP-[0-9'\n  |              ^\n"), "{told}");
}

#[test]
fn regexes_are_bounded() {
    check_named(
        "regex = 'x*'",
        &["4:9: regex matches what is empty; write what every value has, such as + in place of *"],
    );
    check_named("regex = '[a&&b]'", &["4:9: regex never matches; write what a value looks like"]);
    check_named(
        "regex = '\\w{500}'",
        &[
            "4:9: regex compiles to more than 1048576 bytes; repeat less, and write [0-9] in place of \\d, [a-z] of \\w",
        ],
    );
    check_named(
        &format!("regex = '{}'", "x".repeat(1_025)),
        &[
            "4:9: regex is 1025 characters, limit is 1024; shorten it, or use literals or a dictionary",
        ],
    );
    let deep = format!("regex = '{}x{}'", "(".repeat(60), ")".repeat(60));
    check_named(
        &deep,
        &[&format!(
            "4:60: regex: exceed the maximum number of nested parentheses/brackets (50); {SYNTAX}"
        )],
    );
}

#[test]
fn validators_go_by_name() {
    check_named("regex = '[0-9]+'\nvalidator = \"luhn\"", &[]);
    check_named("regex = '[0-9]+'\nvalidator = \"CREDIT_CARD\"", &[]);
    let known = "validators: luhn, mod-11-10, mod-11-2, mod-97-10, verhoeff, not-one-repeated, or an entity that has a check";
    check_named(
        "regex = '[0-9]+'\nvalidator = \"lunh\"",
        &[&format!("5:13: unknown validator \"lunh\"; did you mean \"luhn\"? {known}")],
    );
    check_named(
        "regex = '[0-9]+'\nvalidator = \"IBAN_COD\"",
        &[&format!("5:13: unknown validator \"IBAN_COD\"; did you mean \"IBAN_CODE\"? {known}")],
    );
    check_named(
        "regex = '[0-9]+'\nvalidator = \"EMAIL_ADDRESS\"",
        &[&format!("5:13: entity \"EMAIL_ADDRESS\" has no check; {known}")],
    );
}

#[test]
fn context_needs_words() {
    check_named(
        "regex = 'x'\nneeds_context = true",
        &[
            "5:17: needs_context = true, and no words: nothing is ever found; add words = [\"staff\"], or leave it out",
        ],
    );
    check_named(
        "regex = 'x'\nneeds_context = \"yes\"",
        &["5:17: needs_context is a string, not a boolean; write true or false, without quotes"],
    );
    check_named(
        "regex = 'x'\nwords = [\"--\"]",
        &["5:10: word \"--\" has no letter; write a word that stands near a value"],
    );
}

#[test]
fn examples_are_tried() {
    check_named(
        "regex = 'EMP-[0-9]{4}'\nexamples = [\"EMP-1234\", \"EMP-123\"]\ncounter_examples = [\"EMP\", \"an EMP-9999\"]",
        &[
            "5:25: example is not found by STAFF_ID; mend the detector or the example",
            "6:28: counter-example is found by STAFF_ID; narrow the detector, or leave it out",
        ],
    );
    check_named(
        "regex = '[0-9]{5}'\nwords = [\"Staff-No\"]\nneeds_context = true\nexamples = ['{\"staff_no\":54321}', \"54321 is\"]",
        &[
            "7:35: example is not found by STAFF_ID; put one of the words beside the value, or mend the detector",
        ],
    );
}

#[test]
fn dictionaries_are_read_by_who_has_the_file() {
    check_named("dictionary = \"customers.txt\"", &[]);
    check_named(
        "dictionary = \"custmers.txt\"",
        &[
            "4:14: dictionary \"custmers.txt\" cannot be read: not found; put it beside the policy, or write its path from there",
        ],
    );
    check_named(
        "dictionary = \"customers.txt\"\ncase = \"exact\"",
        &["5:8: case is \"exact\", and dictionaries know no case; leave it out, or use literals"],
    );
}

#[test]
fn detectors_are_bounded_and_asked_for() {
    let detector = |n: usize| format!("[[detector]]\nname = \"D{n}\"\nliterals = [\"x{n}\"]\n");
    let many: String = (0..=CUSTOM_DETECTORS_MAX).map(detector).collect();
    check(
        &format!("version = 1\n{many}[[rule]]\nid = \"a\"\nentities = \"*\"\n"),
        &["194:1: 65 entries of detector, limit is 64; leave out or merge the rest"],
    );
    check(
        &format!("version = 1\n{}[[rule]]\nid = \"a\"\nentities = [\"US_SSN\"]\n", detector(1)),
        &["3:8: warning: no rule asks for D1; name it in the entities of a rule, or leave it out"],
    );
}

#[test]
fn what_a_rule_names_is_found_and_nothing_else() {
    let policy = parsed(
        "version = 1
[[detector]]
name = \"STAFF_ID\"
regex = 'emp-[0-9]{4}'
case = \"ignore\"
tags = [\"GDPR\"]
[[detector]]
name = \"CUSTOMER\"
dictionary = \"customers.txt\"
confidence = \"high\"
[[detector]]
name = \"PROJECT\"
literals = [\"Falcon\"]
[[rule]]
id = \"a\"
entities = [\"STAFF_ID\", { name = \"CUSTOMER\", confidence = \"high\" }]
",
    );
    assert_eq!(policy.warnings.len(), 1, "the project is asked for by no rule");
    let engine = policy.engine();
    let mut hits: Vec<Hit> = Vec::new();
    engine.find(b"falcon, Falcon, EMP-1234 met jane roe (jane)", &mut hits);
    let found: Vec<(&str, usize)> =
        hits.iter().map(|hit| (engine.entity(hit.detector).name(), hit.start)).collect();
    assert_eq!(found, [("STAFF_ID", 16), ("CUSTOMER", 29)]);
    assert!(
        hits[1].confidence == Confidence::High && engine.tags(hits[0].detector).contains(Tag::Gdpr)
    );
}

#[test]
fn rules_select_by_tag() {
    let detector =
        "version = 1\n[[detector]]\nname = \"STAFF_ID\"\nregex = 'x'\ntags = [\"HIPAA\"]\n";
    let rule = |text: &str| format!("{detector}[[rule]]\nid = \"a\"\n{text}\n");
    let policy = parsed(&rule("tags = [\"PCI-DSS\", \"HIPAA\"]"));
    let mut expected: Vec<Entity> = detectors()
        .iter()
        .filter(|row| !row.only_by_name)
        .filter(|row| [Tag::PciDss, Tag::Hipaa].iter().any(|tag| row.tag_set().contains(*tag)))
        .map(|row| Entity::of(row.entity))
        .chain([Entity::named("STAFF_ID")])
        .collect();
    expected.sort();
    assert!(expected.contains(&Entity::CREDIT_CARD) && !expected.contains(&Entity::IBAN_CODE));
    assert_eq!(policy.entities(), expected);

    let beside = "entities = [{ name = \"CREDIT_CARD\", confidence = \"high\" }, \"IBAN_CODE\"]\ntags = [\"PCI-DSS\"]\nconfidence = \"low\"";
    let policy = Policy::parse(&rule(beside), super::TODAY).unwrap();
    let asked: Vec<(&str, Confidence)> =
        policy.rules[0].entities.iter().map(|(entity, floor)| (entity.name(), floor)).collect();
    assert_eq!(asked[..2], [("CREDIT_CARD", Confidence::High), ("IBAN_CODE", Confidence::Low)]);
    assert!(asked[2..].iter().all(|(_, floor)| *floor == Confidence::Low));

    let known = "tags: PCI-DSS, HIPAA, GDPR, UK-GDPR, CCPA, GLBA, LGPD, DPDP, APPI, PIPA, PIPL, PDPA, POPIA, PIPEDA, FADP, KVKK, PRIVACY-ACT, LFPDPPP, PPL, NDPA, DPA-PH, SECRET";
    check(
        &rule("tags = [\"PCI_DSS\"]"),
        &[&format!("8:9: unknown tag \"PCI_DSS\"; did you mean \"PCI-DSS\"? {known}")],
    );
    check(
        &rule("entities = \"*\"\ntags = [\"HIPAA\"]"),
        &["9:8: warning: tags add nothing to entities = \"*\"; leave one of them out"],
    );
}

#[test]
fn the_files_of_a_policy_are_asked_for_by_the_path_in_it() {
    let mut asked = Vec::new();
    let mut reads = |path: &str| {
        asked.push(path.to_owned());
        files("customers.txt")
    };
    let text = named("dictionary = \"lists/a.txt\"");
    Policy::parse_bytes(text.as_bytes(), super::TODAY, &mut reads).unwrap();
    assert_eq!(asked, ["lists/a.txt"]);
}
