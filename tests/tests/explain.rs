//! `egress-monitor explain`: what it says, that it shows no value, and that its page shows what it prints.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use support::monitor::{binary, run};

const DOCS: &str = include_str!("../../docs/explain.md");

#[track_caller]
fn explain(text: &str, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("explain").args(args).arg("-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_was_found_comes_with_its_reasons_and_masked() {
    let text = r#"{"card":"4539 5787 6362 1486"}"#;
    for output in [explain(text, &[]), run(&["explain", text])] {
        let told = printed(&output);
        for part in ["9..28: found CREDIT_CARD", "confidence high", "its key names it", "PCI-DSS"] {
            assert!(told.contains(part), "no {part}:\n{told}");
        }
        assert!(!told.contains("5787"), "{told}");
    }
}

#[test]
fn what_was_not_found_comes_with_what_spoke_against_it() {
    let told = printed(&explain("order 4539578763621487 shipped", &["--entities", "CREDIT_CARD"]));
    assert!(told.contains("not found: ****************"), "{told}");
    assert!(told.contains("CREDIT_CARD: has the shape, but its check digits do not fit"), "{told}");
    let told = printed(&explain("build 899044069957", &[]));
    assert!(told.contains("JP_MY_NUMBER: too weak by itself"), "{told}");
    let told = printed(&explain("nothing to see", &[]));
    assert!(told.starts_with("nothing in it looks like a value"), "{told}");
}

#[test]
fn a_value_in_an_encoding_is_explained_at_its_place() {
    // base64 of `card=4539578763621486`.
    let told = printed(&explain("x=Y2FyZD00NTM5NTc4NzYzNjIxNDg2 ", &[]));
    assert!(told.contains("(base64): found CREDIT_CARD"), "{told}");
}

#[test]
fn wrong_arguments_are_told_with_their_place() {
    let output = run(&["explain", "--entities", "NO_SUCH", "x"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("NO_SUCH"), "{told}");
}

#[test]
fn the_page_shows_what_is_printed() {
    let mut blocks = DOCS.split("```").skip(1).step_by(2);
    let mut shown = 0;
    while let (Some(input), Some(printed_there)) = (blocks.next(), blocks.next()) {
        let text = input.trim_start_matches("text\n").trim_end();
        let told = printed(&explain(text, &[]));
        let wanted = printed_there.trim_start_matches("console\n").trim_end();
        assert_eq!(told.trim_end(), wanted, "of {text}");
        shown += 1;
    }
    assert_eq!(shown, 2);
}
