//! From a send to its alert, at a modest rate on a machine that does nothing else: as the alert
//! itself tells it, and as another process sees it that reads the alerts from a pipe.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::daemon::{Alerts, Daemon};
use super::numbers::{quantile, range};
use super::table::{Aim, Row, Unit};
use super::{Bench, made_up};

/// Between two sends: 200 a second.
const PAUSE: Duration = Duration::from_millis(5);
/// How long an alert may take to come.
const WAIT: Duration = Duration::from_secs(2);

/// Rows for both.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.connect(receiver.local_addr()?)?;
    let policy = format!(
        "version = 1\n[[rule]]\nid = \"bench\"\nentities = \"*\"\n\
         destination = {{ cidr = [\"loopback\"], port = [{}] }}\n",
        receiver.local_addr()?.port()
    );
    let mut daemon = Daemon::start(bench, Some(&policy), Alerts::Pipe)?;
    let output = daemon.take_output()?;
    let (seen, alerts) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if seen.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    let (mut told_us, mut seen_us) = (Vec::new(), Vec::new());
    for index in 0..bench.pick(1_200, 300) {
        thread::sleep(PAUSE);
        let sent = Instant::now();
        sender.send(&made_up::record(index))?;
        let (at, line) = alerts
            .recv_timeout(WAIT)
            .with_context(|| format!("no alert of send {index} within {} s", WAIT.as_secs()))?;
        let alert: Value = serde_json::from_str(&line).context("an alert is no JSON")?;
        let latency_us = alert.get("latency_us").and_then(Value::as_u64);
        told_us.push(latency_us.context("an alert has no latency_us")? as f64);
        seen_us.push((at - sent).as_nanos() as f64 / 1e3);
    }
    daemon.stop()?;
    let p99 = Aim::AtMost(1_000.0);
    Ok(vec![
        Row::new("from the send to the alert, p50", quantile(&told_us, 0.5), Unit::Microseconds),
        Row::new("from the send to the alert, p99", quantile(&told_us, 0.99), Unit::Microseconds)
            .spread(range(&told_us))
            .note(format!("{} alerts at most 200 a second", told_us.len()))
            .aim(p99),
        Row::new(
            "from the send to the alert read by another process, p99",
            quantile(&seen_us, 0.99),
            Unit::Microseconds,
        )
        .spread(range(&seen_us))
        .note(format!("p50 {}", Unit::Microseconds.show(quantile(&seen_us, 0.5)))),
    ])
}
