//! `cargo xtask test`: everything that can be tested on this machine, counted. Unit, property and
//! doc tests first, then the end-to-end tests against the binary as it is installed.
//!
//! What cannot run here is counted as skipped, never as passed: an end-to-end test appends
//! `skipped: NAME: REASON` to the file that `EGRESS_MONITOR_SKIPS` names, and ends.
//! Formatting and lints are the work of `.ci/run`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

mod totals;

use totals::Totals;

/// The crate of the end-to-end tests.
const END_TO_END: &str = "egress-monitor-tests";
/// Names the file to which a test appends that it cannot run.
const SKIPS: &str = "EGRESS_MONITOR_SKIPS";

/// Runs `cargo xtask test` on the workspace in `root`.
pub fn run(root: &Path) -> Result<ExitCode> {
    let skips = root.join("target/skips.txt");
    match fs::remove_file(&skips) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be removed", skips.display()));
        }
        _ => {}
    }
    let mut totals = Totals::default();
    let test = ["test", "--release", "--no-fail-fast"];
    run_tests(
        root,
        &skips,
        &mut totals,
        &[&test[..], &["--workspace", "--exclude", END_TO_END, "--features", "xtask/engine"]]
            .concat(),
    )?;
    // As a user builds it, so that the features are those of the binary that is installed.
    if cargo(root, &["build", "--release"]).status()?.success() {
        run_tests(root, &skips, &mut totals, &[&test[..], &["--package", END_TO_END]].concat())?;
    } else {
        totals.fail("cargo build --release");
    }
    match fs::read_to_string(&skips) {
        Ok(text) => totals.skip(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{}", skips.display())),
    }
    println!("\n{totals}");
    Ok(if totals.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs `cargo test …`, shows what it prints, and counts it.
fn run_tests(root: &Path, skips: &Path, totals: &mut Totals, arguments: &[&str]) -> Result<()> {
    let told = format!("cargo {}", arguments.join(" "));
    println!("{told}");
    let mut child = cargo(root, arguments)
        .env(SKIPS, skips)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{told} cannot be started"))?;
    let failed_before = totals.failed();
    let out = child.stdout.take().context("standard output is not piped")?;
    for line in BufReader::new(out).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        totals.read(&line);
    }
    let status = child.wait()?;
    if !status.success() && totals.failed() == failed_before {
        let why = "no test has failed: it did not build, or a test ended its process";
        totals.fail(&format!("{told} ({status}, and {why})"));
    }
    Ok(())
}

/// The cargo that runs this.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or(OsString::from("cargo")));
    command.current_dir(root).args(arguments);
    command
}
