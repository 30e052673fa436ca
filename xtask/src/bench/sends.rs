//! Tight loops of small sends, and of the calls beside them that are no sends: the tap's
//! tracepoints stand in the way of both.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Bench;
use super::daemon::Daemon;
use super::made_up;
use super::pinned::Pinned;
use super::table::{Row, Unit};
use super::turns::{self, Turns};

/// Calls between two looks at the clock.
const BATCH: u32 = 256;

/// 64 bytes without a digit: the prefilter has nothing to look at.
const PLAIN: &[u8; 64] = b"the quick brown fox jumps over the lazy dog and then runs away.\n";
/// 64 bytes with digits that it must look at, and that cannot hold a finding.
const DIGITS: &[u8; 64] = b"order 4711: 12 items of 19.99 EUR, dock 7, due on 2031-07-15 10h";

const MEASUREMENTS: [&str; 5] = [
    "64 B over UDP without digits",
    "64 B over UDP with digits",
    "64 B over UDP with a card number, each an alert",
    "`write` of 64 B to /dev/null, no socket",
    "`getppid`, as any other system call",
];

/// Two rows each: the ratio of calls a second, and what is added to a call.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let each = bench.pick(Duration::from_millis(300), Duration::from_millis(150));
    let turns = turns::take(bench, bench.pick(9, 3), |daemon| ns_per_call(each, daemon))?;
    Ok(MEASUREMENTS.iter().zip(&turns).flat_map(|(name, turns)| rows(name, turns)).collect())
}

fn rows(name: &str, turns: &Turns) -> [Row; 2] {
    let (without, with) = turns.medians();
    let note = format!(
        "{} without, {} with the monitor",
        Unit::PerSecond.show(1e9 / without),
        Unit::PerSecond.show(1e9 / with)
    );
    [
        Row::new(format!("{name}: calls a second"), without / with, Unit::Ratio)
            .spread(turns.range_of(|without, with| without / with))
            .note(note),
        Row::new(format!("{name}: added to a call"), with - without, Unit::Nanoseconds)
            .spread(turns.range_of(|without, with| with - without)),
    ]
}

fn ns_per_call(each: Duration, daemon: Option<&Daemon>) -> Result<[f64; MEASUREMENTS.len()]> {
    let _pinned = Pinned::to_one_cpu()?;
    // Nobody reads: the receiver's queue is full from the beginning on, and each send is the same.
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.connect(receiver.local_addr()?)?;
    let mut null = File::options().write(true).open("/dev/null")?;
    let cleared = |daemon: &Daemon| daemon.counted()?.kernel("bytes_cleared");
    let before = daemon.map(cleared).transpose()?;
    let (plain, calls) = time(each, |_| sender.send(PLAIN).map(drop))?;
    let (digits, more) = time(each, |_| sender.send(DIGITS).map(drop))?;
    if let (Some(daemon), Some(before)) = (daemon, before) {
        // What others send adds to it.
        let (cleared, sent) = (cleared(daemon)? - before, (calls + more) * PLAIN.len() as u64);
        ensure!(
            cleared >= sent,
            "{sent} bytes that cannot hold a finding were sent, the prefilter cleared {cleared}"
        );
    }
    let (null_write, _) = time(each, |_| null.write_all(PLAIN))?;
    let (other, _) = time(each, |_| {
        black_box(std::os::unix::process::parent_id());
        Ok(())
    })?;
    // Last, because the daemon goes on with it for a while.
    let (finding, _) = time(each, |index| sender.send(&made_up::record(index)).map(drop))?;
    Ok([plain, digits, finding, null_write, other])
}

/// Nanoseconds per call, and how many there were.
fn time(each: Duration, mut call: impl FnMut(u64) -> io::Result<()>) -> io::Result<(f64, u64)> {
    let mut calls = 0;
    let started = Instant::now();
    loop {
        for _ in 0..BATCH {
            call(calls)?;
            calls += 1;
        }
        let elapsed = started.elapsed();
        if elapsed >= each {
            return Ok((elapsed.as_nanos() as f64 / calls as f64, calls));
        }
    }
}
