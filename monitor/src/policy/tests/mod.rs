//! Cases of the policy: what is said about a wrong one, and what a right one matches.

mod control;
mod coverage;
mod detectors;
mod errors;
mod matching;
mod printing;

use super::{Date, Policy};

/// The day on which every test runs.
const TODAY: Date = Date::constant(2026, 11, 24);

/// A rule that holds and is about everything; the text that follows begins at line 5.
fn with_rule(text: &str) -> String {
    format!("version = 1\n[[rule]]\nid = \"a\"\nentities = \"*\"\n{text}")
}

/// The one file that there is in these tests.
fn files(name: &str) -> Result<Vec<u8>, String> {
    match name {
        "customers.txt" => Ok(b"# made up\nJane Roe\n\n  Acme Holding \n".to_vec()),
        _ => Err("not found".to_owned()),
    }
}

/// A policy that holds.
#[track_caller]
fn parsed(text: &str) -> Policy {
    match Policy::parse_bytes(text.as_bytes(), TODAY, &mut files) {
        Ok(policy) => policy,
        Err(problems) => {
            let told: String = problems.iter().map(|p| p.render("policy.toml", false)).collect();
            panic!("policy does not hold:\n{told}\n{text}")
        }
    }
}

/// Everything said about `text`, a line each.
fn told(text: &str) -> String {
    let problems = match Policy::parse_bytes(text.as_bytes(), TODAY, &mut files) {
        Ok(policy) => policy.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    let told = told(text);
    assert!(told == expected, "told:\n{told}\nexpected:\n{expected}\nof:\n{text}");
}

#[track_caller]
fn check_rule(text: &str, expected: &[&str]) {
    check(&with_rule(text), expected);
}
