//! Tries every way to send under every way to hook, and says what each comes to: see
//! `support::paths`. Linked statically it runs on a kernel with nothing else beside it.

use std::path::PathBuf;
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};
use support::paths::{Wants, run, run_sender};

const USAGE: &str = "paths --monitor FILE [--tap WAY]… [--only PART] [--prevent] [--json]";

/// Files that are open at a time, at most.
const FILES_MAX: u64 = 16_384;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [send, way, over] = &words[..]
        && send == "send"
    {
        std::process::exit(run_sender(way, over));
    }
    // Each receiver keeps its sockets to the end, some hundreds of rows long.
    let raised = setrlimit(Resource::RLIMIT_NOFILE, FILES_MAX, FILES_MAX);
    if let Err(error) = raised {
        eprintln!("cannot open {FILES_MAX} files: {error}");
    }
    let (mut monitor, mut taps, mut only, mut json) = (None, Vec::new(), None, false);
    let mut prevent = false;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--monitor" => monitor = words.next().map(PathBuf::from),
            "--tap" => taps.extend(words.next()),
            "--only" => only = words.next(),
            "--json" => json = true,
            "--prevent" => prevent = true,
            _ => {
                eprintln!("unknown word {word}; {USAGE}");
                return ExitCode::from(64);
            }
        }
    }
    let monitor = monitor.unwrap_or_else(support::monitor::binary);
    let none_missed = run(&Wants { monitor: &monitor, taps, only, prevent }, |row| {
        if json {
            println!("{row}");
        } else {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            println!(
                "{:<12} {:<42} {:<7} {:<8} {}",
                text("tap"),
                text("path"),
                text("transport"),
                text("outcome"),
                text("why")
            );
        }
    });
    if none_missed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
