//! A test that cannot run here says so and why, and is counted as skipped, never as passed.

use std::io::Write as _;

/// File that gets a line for each test that was skipped.
const SKIPS: &str = "EGRESS_MONITOR_SKIPS";

/// Why a test that needs root and these tools cannot run here.
pub fn missing(tools: &[&str]) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root: hooks cannot be attached".into());
    }
    let tool = tools.iter().find(|tool| crate::tool(tool).is_none())?;
    Some(format!("{tool} is not installed"))
}

/// Says that the running test is skipped.
pub fn say(reason: &str) {
    let thread = std::thread::current();
    let line = format!("skipped: {}: {reason}\n", thread.name().unwrap_or("test"));
    // The handle and not the macro, whose output the test harness keeps to itself.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os(SKIPS) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("EGRESS_MONITOR_SKIPS names a file that can be written");
    }
}

/// Ends the test as skipped, with the reason.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::skip::say(&format!($($reason)*));
        return;
    }};
}

/// Ends the test as skipped unless it runs as root and the tools are there.
#[macro_export]
macro_rules! needs {
    ($($tool:literal),*) => {
        if let Some(reason) = $crate::skip::missing(&[$($tool),*]) {
            $crate::skip!("{reason}");
        }
    };
}
