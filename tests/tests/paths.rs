//! Every way to send, under each way to hook that this kernel takes: the table of `support::paths`.

use std::process::Command;

use serde_json::Value;
use support::monitor::binary;
use support::{needs, skip};

#[track_caller]
fn check(tap: &str) {
    let mut paths = Command::new(env!("CARGO_BIN_EXE_paths"));
    let paths = paths.arg("--monitor").arg(binary()).args(["--tap", tap, "--json"]);
    let output = paths.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let rows = said.lines().map(|line| serde_json::from_str(line).expect("a row a line"));
    let rows: Vec<Value> = rows.collect();
    if let [row] = &rows[..]
        && row["outcome"] == "skipped"
    {
        skip!("{}", row["why"].as_str().unwrap_or_default());
    }
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let of = |outcome: &str| rows.iter().filter(|row| row["outcome"] == outcome).count();
    for row in &rows {
        if !["found", "gap", "refused", "dropped", "verified"]
            .contains(&row["outcome"].as_str().unwrap_or_default())
        {
            eprintln!("{row}");
        }
        if row["outcome"] == "skipped" {
            let (path, over) = (text(row, "path"), text(row, "transport"));
            skip::say(&format!("{path} over {over}: {}", text(row, "why")));
        }
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(of("missed"), 0, "{stderr}");
    assert_eq!(of("refused") + of("dropped"), 1, "{stderr}");
    assert!(of("found") > 100, "{} rows\n{stderr}", rows.len());
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn every_path_is_found_or_a_gap_by_tracepoints() {
    needs!();
    check("tracepoints");
}

#[test]
fn every_path_is_found_or_a_gap_by_fentry() {
    needs!();
    check("fentry");
}

#[test]
fn every_path_is_found_or_a_gap_by_lsm() {
    needs!();
    check("lsm");
}
