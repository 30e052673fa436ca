//! From the mapping of a library that nobody has mapped before to its hooks: copies of libssl, each of
//! which a process of its own loads. The daemon itself tells how long that took, from where the kernel
//! has seen the mapping on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::Bench;
use crate::bench::daemon::{Alerts, DEFAULT_POLICY, Daemon};
use crate::bench::numbers::{quantile, range};
use crate::bench::table::{Aim, Row, Unit};

/// How long a copy may take to be hooked.
const WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether it is.
const POLL: Duration = Duration::from_millis(2);
/// Below what a program that has just started takes to shake hands for its first session.
const AIM_US: f64 = 1_000.0;
/// In milliseconds: what whoever stops a service takes for at once.
const STOP_AIM_MS: f64 = 2_000.0;
/// The library, by its name.
const LIBRARY: &str = "libssl.so.3";

/// The middle one and the slowest, and how long the daemon takes to let go of all.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let library = library()?;
    let folder = bench.folder.0.join("attach");
    fs::create_dir(&folder)?;
    let daemon = Daemon::start(bench, DEFAULT_POLICY, Alerts::File)?;
    let mut took_us = Vec::new();
    for number in 0..bench.pick(20, 5) {
        took_us.push(attach_us(&daemon, &library, &folder.join(format!("{number}")))?);
    }
    let began = Instant::now();
    daemon.stop()?;
    let stopped_ms = began.elapsed().as_secs_f64() * 1e3;
    let row = |which: &str, figure| {
        let name = format!("from a copied libssl's first mapping to its hooks, {which}");
        Row::new(name, figure, Unit::Microseconds)
    };
    Ok(vec![
        row("p50", quantile(&took_us, 0.5)).spread(range(&took_us)),
        row("the slowest", quantile(&took_us, 1.0))
            .note(format!("of {} copies, a process each", took_us.len()))
            .aim(Aim::AtMost(AIM_US)),
        Row::new(
            "from SIGTERM to the end of a daemon that has hooked them",
            stopped_ms,
            Unit::Milliseconds,
        )
        .note(format!("{} copies", took_us.len()))
        .aim(Aim::AtMost(STOP_AIM_MS)),
    ])
}

fn attach_us(daemon: &Daemon, library: &Path, folder: &Path) -> Result<f64> {
    fs::create_dir(folder)?;
    let copy = folder.join(LIBRARY);
    fs::copy(library, &copy)?;
    let _loads = Loads::start(&copy)?;
    let began = Instant::now();
    loop {
        let tls = daemon.counted()?.tls()?;
        // It tells of the file after it has told how long that took.
        if tls.files.iter().any(|file| Path::new(file) == copy) {
            return Ok(tls.attach_us as f64);
        }
        ensure!(began.elapsed() < WAIT, "{} is not hooked", copy.display());
        thread::sleep(POLL);
    }
}

fn library() -> Result<PathBuf> {
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let folders = below.map(|entry| entry.path()).chain(["/usr/lib64".into(), "/usr/lib".into()]);
    let mut paths = folders.map(|folder| folder.join(LIBRARY));
    paths.find(|path| path.is_file()).with_context(|| format!("no {LIBRARY}; install libssl3"))
}

/// A process that has loaded a library, and waits. Killed when dropped.
struct Loads(Child);

impl Loads {
    fn start(library: &Path) -> Result<Loads> {
        // `cat` reads on until its input ends.
        Command::new("cat")
            .env("LD_PRELOAD", library)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map(Loads)
            .context("cat cannot be started")
    }
}

impl Drop for Loads {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
