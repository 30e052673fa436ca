//! A transfer of 10 GB over loopback TCP, of prose in large writes: how much of its rate is left with
//! the monitor, under the default policy, which examines the beginning of each send, and under one that
//! examines all of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use super::Bench;
use super::daemon::{DEFAULT_POLICY, Daemon, Setup};
use super::table::{Aim, Row, Unit};
use super::turns;

/// Bytes of a transfer.
const BYTES: u64 = 10_000_000_000;
/// Of one of a quick run.
const BYTES_QUICK: u64 = 1_000_000_000;
/// Bytes of a write.
const WRITE_BYTES: usize = 64 * 1024;
/// Bytes that the receiver has room for at a time.
const READ_BYTES: usize = 256 * 1024;
/// Bytes of a send that the default policy has examined (`sample_bytes_max`).
const DEFAULT_EXAMINED: usize = 16 * 1024;

/// A line without a digit: the prefilter has nothing to look at.
pub const LINE: &[u8; 64] = b"the quick brown fox jumps over the lazy dog and then runs away.\n";

/// Examines all of each write.
const WHOLE: &str = "version = 1\n[settings]\nsample_bytes_max = 65536\n\
                     [[rule]]\nid = \"bench\"\naction = \"alert\"\nentities = [\"CREDIT_CARD\"]\n";

/// A row for each policy.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![
        row(bench, "the first 16 KiB of each write examined", DEFAULT_POLICY, DEFAULT_EXAMINED)?,
        row(bench, "all of each write examined", Some(WHOLE), WRITE_BYTES)?,
    ])
}

fn row(bench: &Bench, name: &str, policy: Option<&str>, examined: usize) -> Result<Row> {
    let bytes = bench.pick(BYTES, BYTES_QUICK);
    let setup = Setup { policy, ..Setup::default() };
    let [turns] = turns::take_with(bench, setup, bench.pick(5, 3), |daemon| {
        let cleared = |daemon: &Daemon| daemon.counted()?.kernel("bytes_cleared");
        let before = daemon.map(cleared).transpose()?;
        let rate = transfer_of(LINE, bytes)?;
        if let (Some(daemon), Some(before)) = (daemon, before) {
            let (cleared, sent) = (cleared(daemon)? - before, writes(bytes) * examined as u64);
            ensure!(
                cleared >= sent,
                "the prefilter was to clear {sent} bytes, it cleared {cleared}"
            );
        }
        Ok([rate])
    })?;
    let (without, with) = turns.medians();
    let gigabytes = bytes / 1_000_000_000;
    Ok(Row::new(
        format!("{gigabytes} GB of prose over TCP in writes of 64 KiB, {name}"),
        with / without,
        Unit::Ratio,
    )
    .spread(turns.range_of(|without, with| with / without))
    .note(format!(
        "{} without, {} with the monitor",
        Unit::MbPerSecond.show(without),
        Unit::MbPerSecond.show(with)
    ))
    .aim(Aim::AtLeast(0.95)))
}

fn writes(bytes: u64) -> u64 {
    bytes / WRITE_BYTES as u64
}

/// Sends a line again and again: 10⁶ bytes a second, from the first write until all was read.
pub fn transfer_of(line: &[u8; 64], bytes: u64) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let reading = thread::spawn(move || -> std::io::Result<u64> {
        let (mut room, mut all) = (vec![0; READ_BYTES], 0);
        loop {
            match receiver.read(&mut room)? {
                0 => return Ok(all),
                read => all += read as u64,
            }
        }
    });
    let text = line.repeat(WRITE_BYTES / line.len());
    let begun = Instant::now();
    for _ in 0..writes(bytes) {
        sender.write_all(&text)?;
    }
    drop(sender);
    let read = reading.join().map_err(|_| anyhow!("the receiver panicked"))??;
    let elapsed = begun.elapsed();
    ensure!(read == writes(bytes) * WRITE_BYTES as u64, "{read} bytes of {bytes} came");
    Ok(read as f64 / 1e6 / elapsed.as_secs_f64())
}
