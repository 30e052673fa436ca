//! The rate of matching sends that is carried without a loss: a sender paced at rising rates, each
//! send with a card number of its own. Once with a threshold, so that the way to the decision is
//! the limit, and once with an alert for each, so that the writer of alerts may be.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::daemon::{Alerts, Daemon};
use super::table::{Row, Unit};
use super::{Bench, made_up};

/// Sends a second that are tried, one after the other, until one is not carried.
const RATES: [u64; 14] = [
    5_000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000, 125_000,
    150_000, 200_000, 300_000,
];
/// Sends are made in bursts, one each time.
const BURST: Duration = Duration::from_millis(1);
/// What may still wait in the ring when the last was sent, as time: more of it, and the ring fills
/// sooner or later.
const BEHIND_MAX: Duration = Duration::from_millis(100);
/// How long the daemon may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(10);

/// A row for each.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.connect(receiver.local_addr()?)?;
    let port = receiver.local_addr()?.port();
    let threshold = "threshold = { count = 4096, within = \"1s\" }\n";
    Ok(vec![
        row("matching sends carried without a loss", &climb(bench, &sender, port, threshold)?),
        row("matching sends carried, an alert for each", &climb(bench, &sender, port, "")?),
    ])
}

fn row(name: &str, climb: &Climb) -> Row {
    Row::new(name, climb.carried, Unit::PerSecond).note(climb.end.clone())
}

/// How far it went.
struct Climb {
    /// Sends a second, as they were made.
    carried: f64,
    /// Why it went no further.
    end: String,
}

fn climb(bench: &Bench, sender: &UdpSocket, port: u16, threshold: &str) -> Result<Climb> {
    let policy = format!(
        "version = 1\n[[rule]]\nid = \"bench\"\nentities = [\"CREDIT_CARD\"]\n\
         destination = {{ cidr = [\"loopback\"], port = [{port}] }}\n{threshold}"
    );
    let daemon = Daemon::start(bench, Some(&policy), Alerts::File)?;
    let during = bench.pick(Duration::from_millis(1_500), Duration::from_millis(300));
    let mut climb = Climb { carried: 0.0, end: String::from("the highest that was tried") };
    for rate in RATES {
        let before = Totals::of(&daemon)?;
        let made = send(sender, rate, during)?;
        let behind = Totals::of(&daemon)?.behind;
        let after = catch_up(&daemon)?;
        let shown = Unit::PerSecond.show(rate as f64);
        if let Some(why) = not_carried(&before, &after, made.sends, behind, rate) {
            climb.end = format!("at {shown} {why}");
            break;
        }
        climb.carried = made.per_second;
        if made.per_second < 0.95 * rate as f64 {
            climb.end = format!("the sender makes no {shown}");
            break;
        }
    }
    daemon.stop()?;
    Ok(climb)
}

fn not_carried(
    before: &Totals,
    after: &Totals,
    sends: u64,
    behind: u64,
    rate: u64,
) -> Option<String> {
    let lost = after.lost_ring - before.lost_ring;
    let alerts = after.lost_alerts - before.lost_alerts;
    let hits = after.hits - before.hits;
    let behind_max = rate * BEHIND_MAX.as_millis() as u64 / 1_000;
    if lost > 0 {
        return Some(format!("{lost} samples find no room in the ring"));
    }
    if alerts > 0 {
        return Some(format!("{alerts} alerts find no room in the writer's queue"));
    }
    if hits < sends {
        return Some(format!("{} of {sends} findings are missed", sends - hits));
    }
    (behind > behind_max).then(|| format!("the daemon is {behind} samples behind"))
}

struct Made {
    sends: u64,
    per_second: f64,
}

/// Sends at a rate, in bursts.
fn send(sender: &UdpSocket, rate: u64, during: Duration) -> Result<Made> {
    let burst = rate * BURST.as_micros() as u64 / 1_000_000;
    let mut sends = 0;
    let started = Instant::now();
    let mut due = started;
    while started.elapsed() < during {
        for _ in 0..burst {
            sender.send(&made_up::record(sends))?;
            sends += 1;
        }
        due += BURST;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(Made { sends, per_second: sends as f64 / started.elapsed().as_secs_f64() })
}

/// What the daemon counted, as far as it matters here.
struct Totals {
    lost_ring: u64,
    lost_alerts: u64,
    hits: u64,
    behind: u64,
}

impl Totals {
    fn of(daemon: &Daemon) -> Result<Totals> {
        let counted = daemon.counted()?;
        let delivered = counted.kernel("samples_delivered")?;
        Ok(Totals {
            lost_ring: counted.kernel("samples_lost_ring_full")?,
            lost_alerts: counted.daemon("alerts_lost_queue_full")?
                + counted.daemon("alerts_lost_write")?,
            hits: counted.daemon("hits")?,
            behind: delivered.saturating_sub(counted.daemon("samples_received")?),
        })
    }
}

/// Waits until nothing waits in the ring.
fn catch_up(daemon: &Daemon) -> Result<Totals> {
    let started = Instant::now();
    loop {
        let totals = Totals::of(daemon)?;
        if totals.behind == 0 {
            return Ok(totals);
        }
        ensure!(
            started.elapsed() < CATCH_UP,
            "{} samples still wait in the ring after {} s",
            totals.behind,
            CATCH_UP.as_secs()
        );
        thread::sleep(BURST);
    }
}
