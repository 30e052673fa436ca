//! What it costs that the kernel searches for what it may stop, and how soon it does: a transfer of prose
//! and of JSON full of numbers under a rule with `prevent`, the search alone per byte, a send that is
//! refused, and a process that is killed.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Instant;

use anyhow::{Result, ensure};

use super::daemon::{Alerts, Daemon, Setup};
use super::numbers::{quantile, range};
use super::table::{Aim, Row, Unit};
use super::{Bench, bulk, kill, made_up, turns};

/// Stops what has a card, and is told by nobody else.
const PREVENT: &str = "version = 1\n[settings]\nsample_bytes_max = 65536\nblocks_per_minute_max = 1000000\n\
    blocks_per_executable_max = 1000000\n[[rule]]\nid = \"bench\"\naction = \"block\"\nprevent = true\n\
    entities = [\"CREDIT_CARD\"]\ndestination = { cidr = [\"loopback\"] }\n";

/// A line full of numbers, of which none is a card: 64 bytes.
const NUMBERS: &[u8; 64] =
    b"{\"id\":1723645182736451,\"ts\":1764571234567,\"v\":[12.5,83.25,40]},\n";

/// All rows.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = vec![
        bulk_row(bench, "prose", bulk::LINE, 0.95)?,
        bulk_row(bench, "JSON full of numbers", NUMBERS, 0.85)?,
    ];
    rows.extend(refused(bench)?);
    rows.extend(kill::measure_prevented(bench)?);
    Ok(rows)
}

fn bulk_row(bench: &Bench, name: &str, line: &[u8; 64], aim: f64) -> Result<Row> {
    let bytes = bench.pick(2_000_000_000, 500_000_000);
    let setup = Setup { policy: Some(PREVENT), ..Setup::default() };
    let [turns] = turns::take_with(bench, setup, bench.pick(5, 3), |_| {
        Ok([bulk::transfer_of(line, bytes)?])
    })?;
    let (without, with) = turns.medians();
    Ok(Row::new(
        format!("{name} over TCP in writes of 64 KiB, all of it examined, prevention armed"),
        with / without,
        Unit::Ratio,
    )
    .spread(turns.range_of(|without, with| with / without))
    .note(format!(
        "{} without, {} with the monitor: {:.2} ns more a byte",
        Unit::MbPerSecond.show(without),
        Unit::MbPerSecond.show(with),
        1e3 / with - 1e3 / without
    ))
    .aim(Aim::AtLeast(aim)))
}

/// From the call to its EPERM.
fn refused(bench: &Bench) -> Result<Vec<Row>> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    receiver.set_nonblocking(true)?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.connect(receiver.local_addr()?)?;
    let daemon = Daemon::start(bench, Some(PREVENT), Alerts::File)?;
    let mut us = Vec::new();
    for index in 0..bench.pick(2_000, 500) {
        let card = made_up::card(index);
        let text = [b"card: ", &card[..], b" end"].concat();
        let begun = Instant::now();
        let sent = sender.send(&text);
        us.push(begun.elapsed().as_secs_f64() * 1e6);
        let refused = sent.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        ensure!(refused, "a datagram with a card was not refused");
    }
    daemon.stop()?;
    ensure!(receiver.recv(&mut [0; 64]).is_err(), "a datagram came");
    Ok(vec![
        Row::new(
            "a datagram with a card, from the call to EPERM, p50",
            quantile(&us, 0.5),
            Unit::Microseconds,
        ),
        Row::new(
            "a datagram with a card, from the call to EPERM, p99",
            quantile(&us, 0.99),
            Unit::Microseconds,
        )
        .spread(range(&us)),
    ])
}
