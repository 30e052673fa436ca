//! nginx over TLS: under wrk, with connections that are kept and with one for each request, and under
//! curl, each request a process with a connection. Each handshake is a whole one.
//!
//! wrk and curl write by the same library as nginx and are hooked as well: of what a request loses, a part
//! is the client's.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Certificate;
use crate::bench::Bench;
use crate::bench::nginx::{Nginx, PAGES, is_installed};
use crate::bench::table::{Aim, Row, Unit};
use crate::bench::turns::{self, Turns};

/// What of the rate is to be left.
const AIM: f64 = 0.95;

const ROWS: [&str; 4] = [
    "nginx over TLS under wrk, 600 B of HTML: requests a second",
    "nginx over TLS under wrk, 4 KiB of JSON without findings: requests a second",
    "nginx over TLS under wrk, 600 B of HTML, a connection each: requests a second",
    "nginx over TLS under curl, 600 B of HTML, a process each: requests a second",
];

/// A row for each way to ask.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    for tool in ["nginx", "wrk", "curl"] {
        ensure!(is_installed(tool), "install {tool}");
    }
    let certificate = Certificate::make(&bench.folder.0)?;
    let nginx = Nginx::start_tls(&bench.folder.0.join("nginx-tls"), &certificate)?;
    let seconds = bench.pick(2, 1);
    // Once unmeasured, so that the first round finds what the others find.
    nginx.requests_per_second(PAGES[0].0, 1)?;
    let turns = turns::take(bench, bench.pick(7, 3), |_| {
        Ok([
            nginx.requests_per_second(PAGES[0].0, seconds)?,
            nginx.requests_per_second(PAGES[1].0, seconds)?,
            nginx.connections_per_second(PAGES[0].0, seconds)?,
            processes_per_second(&nginx.url(PAGES[0].0), seconds)?,
        ])
    })?;
    nginx.stop()?;
    Ok(ROWS.iter().zip(&turns).map(|(name, turns)| row(name, turns)).collect())
}

fn row(name: &str, turns: &Turns) -> Row {
    let (without, with) = turns.medians();
    let note = format!(
        "{} without, {} with the monitor",
        Unit::PerSecond.show(without),
        Unit::PerSecond.show(with)
    );
    Row::new(name, with / without, Unit::Ratio)
        .spread(turns.range_of(|without, with| with / without))
        .note(note)
        .aim(Aim::AtLeast(AIM))
}

/// Processes of curl, one after the other, for so long.
fn processes_per_second(url: &str, seconds: u32) -> Result<f64> {
    let (began, for_so_long) = (Instant::now(), Duration::from_secs(seconds.into()));
    let mut ended = 0;
    while began.elapsed() < for_so_long {
        let status = Command::new("curl")
            .args(["--silent", "--fail", "--insecure", "--noproxy", "*", "--output", "/dev/null"])
            .arg(url)
            .stdin(Stdio::null())
            .status()
            .context("curl cannot be started")?;
        ensure!(status.success(), "curl ended with {status}");
        ended += 1;
    }
    Ok(f64::from(ended) / began.elapsed().as_secs_f64())
}
