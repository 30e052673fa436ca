//! Tests that cannot run here, told and counted as such.

use std::io::Write as _;

/// Says that the running test cannot run here, where `cargo xtask test` counts it.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let line = format!("skipped: {}: {reason}\n", thread.name().unwrap_or("capture"));
    eprint!("{line}");
    if let Some(path) = std::env::var_os("EGRESS_MONITOR_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).unwrap();
    }
}
