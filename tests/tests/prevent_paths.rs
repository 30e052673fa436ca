//! `prevent = true` on every way to send: the table of `support::paths`, with nothing of the value at the
//! receiver. A file of its own, because the rule is about all that goes over loopback.

use std::process::Command;

use serde_json::Value;
use support::monitor::binary;
use support::tls::alone;
use support::{needs, skip};

#[track_caller]
fn check_paths(tap: &str) {
    let _alone = alone();
    let mut paths = Command::new(env!("CARGO_BIN_EXE_paths"));
    let paths = paths.arg("--monitor").arg(binary()).args(["--prevent", "--tap", tap, "--json"]);
    let output = paths.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a row a line")).collect();
    if let [row] = &rows[..]
        && row["outcome"] == "skipped"
    {
        skip!("{}", row["why"].as_str().unwrap_or_default());
    }
    let of = |outcome: &str| rows.iter().filter(|row| row["outcome"] == outcome).count();
    for row in rows.iter().filter(|row| row["outcome"] == "missed") {
        eprintln!("{row}");
    }
    assert_eq!(of("missed"), 0, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(of("prevented") > 100, "{} rows", rows.len());
    assert!(output.status.success());
}

#[test]
fn nothing_leaves_by_any_path_under_tracepoints() {
    needs!();
    check_paths("tracepoints");
}

#[test]
fn nothing_leaves_by_any_path_under_fentry() {
    needs!();
    check_paths("fentry");
}

#[test]
fn nothing_leaves_by_any_path_under_lsm() {
    needs!();
    check_paths("lsm");
}
