//! How problems are printed, how many there may be, what the docs promise, and that no text panics.

use proptest::prelude::*;

use super::{TODAY, check, check_rule, files, parsed, with_rule};
use crate::limits::{POLICY_BYTES_MAX, POLICY_ERRORS_MAX, POLICY_GLOBS_MAX, RULES_MAX};
use crate::model::{Entity, Severity};
use crate::policy::{Action, Policy};

const DOCS: &str = include_str!("../../../../docs/policy.md");
const README: &str = include_str!("../../../../README.md");

#[test]
fn the_place_is_underlined() {
    let text = with_rule("destination = {\n\tports = [1], # é\n}");
    let problems = Policy::parse(&text, TODAY).unwrap_err();
    let expected = "\
policy.toml:6:2: unknown key \"ports\" in destination; did you mean \"port\"? keys: cidr, not_cidr, port
  |
6 |  ports = [1], # é
  |  ^^^^^
";
    assert_eq!(problems[1].render("policy.toml", false), expected);
    let coloured = problems[1].render("policy.toml", true);
    assert!(coloured.contains("\u{1b}[31m^^^^^\u{1b}[0m"), "{coloured:?}");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let many = "\"tcp\", ".repeat(100);
    let text = with_rule(&format!("transport = [{many}\"tpc\", {many}]"));
    let told = Policy::parse(&text, TODAY).unwrap_err()[0].render("policy.toml", false);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[2].chars().count(), "5 | ".len() + 120);
    let at = lines[3].find('^').unwrap();
    assert_eq!(&lines[2][at..at + 5], "\"tpc\"");
}

#[test]
fn what_a_policy_holds_is_never_printed_raw() {
    // A policy may come from elsewhere: it must not write to the terminal of who checks it.
    let text = with_rule("severity = \"\\u001b[31m\"\nclause = 3 # \u{1b}[31m");
    for problem in Policy::parse(&text, TODAY).unwrap_err() {
        assert!(!problem.render("policy.toml", false).contains('\u{1b}'), "{problem}");
    }
}

#[test]
fn a_hundred_errors_are_told_in_one_go() {
    let rules: String = (0..100)
        .map(|n| format!("[[rule]]\nid = \"r{n}\"\nentities = \"*\"\nseverity = \"x{n}\"\n"))
        .collect();
    let problems = Policy::parse(&format!("version = 1\n{rules}"), TODAY).unwrap_err();
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    let expected: Vec<usize> = (0..100).map(|n| 5 + 4 * n).collect();
    assert_eq!(lines, expected);
}

#[test]
fn errors_beyond_the_limit_are_a_number() {
    let keys: String = (0..POLICY_ERRORS_MAX + 7).map(|n| format!("k{n} = 1\n")).collect();
    let text = with_rule(&keys);
    let problems = Policy::parse(&text, TODAY).unwrap_err();
    assert_eq!(problems.len(), POLICY_ERRORS_MAX + 1);
    let last = problems.last().unwrap().to_string();
    assert!(last.ends_with(": 7 more errors are not listed"), "{last}");
}

#[test]
fn what_is_too_much_is_told_once() {
    let rule = |n: usize| format!("[[rule]]\nid = \"r{n}\"\nentities = \"*\"\n");
    let rules: String = (0..RULES_MAX + 5).map(rule).collect();
    check(
        &format!("version = 1\n{rules}"),
        &["3074:1: 1029 entries of rule, limit is 1024; leave out or merge the rest"],
    );
    let uids = "1, ".repeat(300);
    check_rule(
        &format!("process = {{ uid = [{uids}] }}"),
        &["5:788: 300 entries of uid, limit is 256; leave out or merge the rest"],
    );
    let lists = POLICY_GLOBS_MAX / 256 + 2;
    let globs = "\"/a\", ".repeat(256);
    let rules: String = (0..lists)
        .map(|n| format!("[[rule]]\nid = \"r{n}\"\nentities = \"*\"\nprocess.exe = [{globs}]\n"))
        .collect();
    check(
        &format!("version = 1\n{rules}"),
        &["69:16: more than 4096 globs in the policy; merge some, as in {a,b}"],
    );
    check(
        &" ".repeat(POLICY_BYTES_MAX + 1),
        &[
            "1:1: policy is larger than 1048576 bytes (limits.policy_bytes_max); split or shorten it",
        ],
    );
}

#[test]
fn bytes_that_are_no_utf8_have_a_place() {
    let problems =
        Policy::parse_bytes(b"version = 1\nclause = \"\xc3\xa9\xff\"", TODAY, &mut files)
            .unwrap_err();
    assert_eq!(problems[0].to_string(), "2:12: not UTF-8; save the file as UTF-8");
}

#[test]
fn the_default_policy_alerts_on_what_is_common() {
    let policy = Policy::default_policy(TODAY);
    assert!(policy.warnings.is_empty());
    let common = [
        Entity::CREDIT_CARD,
        Entity::EMAIL_ADDRESS,
        Entity::IBAN_CODE,
        Entity::PHONE_NUMBER,
        Entity::US_SSN,
    ];
    assert_eq!(policy.entities(), common);
    let rule = &policy.rules[0];
    assert_eq!((rule.action, rule.severity), (Action::Alert, Severity::Medium));
    assert!(rule.destination.is_none() && rule.process.is_none() && rule.threshold.is_none());
}

#[test]
fn every_policy_of_the_docs_holds() {
    for text in [DOCS, README] {
        let blocks: Vec<&str> =
            text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "the docs show policies");
        for block in blocks {
            assert!(parsed(block).warnings.is_empty(), "{block}");
        }
    }
}

#[test]
fn the_docs_show_what_the_check_prints() {
    let text = "version = 1\n\n[[rule]]\nid = \"cards-out\"\nclause = \"DPA 4.2\"\nseverity = \"high\"\nentities = [\"CREDITCARD\"]";
    let told = Policy::parse(text, TODAY).unwrap_err()[0].render("policy.toml", false);
    let indented: String = told.lines().map(|line| format!("    {line}\n")).collect();
    assert!(DOCS.contains(&indented), "{indented}");
    let text = "version = 1\n\n[[detector]]\nname = \"STAFF_ID\"\nregex = 'EMP-[0-9{6}'";
    let told = Policy::parse(text, TODAY).unwrap_err()[1].render("policy.toml", false);
    let indented: String = told.lines().map(|line| format!("    {line}\n")).collect();
    assert!(DOCS.contains(&indented), "{indented}");
}

/// Pieces that make a mutation likely to reach past the TOML parser.
const PIECES: [&str; 17] = [
    "[coverage]\nalert_below = ",
    "[[detector]]\n",
    "\nregex = \"(\\u00e9[\"\n",
    "[[rule]]\n",
    "[rule.exception]\n",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    "\n",
    "é",
    "\u{feff}",
    "2027-01-31",
    "\"\"\"",
    "-99999999999999999999",
];

proptest! {
    #[test]
    fn no_mutation_of_a_policy_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, 0..PIECES.len()), 0..6)
    ) {
        let blocks = DOCS.split("```toml\n").skip(2).take(2);
        let blocks: String = blocks.filter_map(|rest| rest.split("```").next()).collect();
        let mut chars: Vec<char> = blocks.chars().collect();
        for (at, removed, piece) in edits {
            let at = at.index(chars.len().max(1));
            let end = (at + removed).min(chars.len());
            chars.splice(at.min(end)..end, PIECES[piece].chars());
        }
        let text: String = chars.into_iter().collect();
        if let Err(problems) = Policy::parse(&text, TODAY) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.line >= 1 && problem.column >= 1);
                prop_assert!(problem.line <= text.split('\n').count());
                prop_assert_eq!(problem.render("f", false).lines().count(), 4);
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Policy::parse_bytes(&bytes, TODAY, &mut files);
    }
}
