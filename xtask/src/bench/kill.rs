//! From a send to the death of its process, and what the receiver got beyond that send. Each that
//! dies is a process of its own, `cargo xtask bench-leak`, that sends a record and then goes on
//! sending as fast as it can.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::daemon::{Alerts, Daemon};
use super::numbers::{quantile, range};
use super::table::{Aim, Row, Unit};
use super::{Bench, made_up};

/// How long one may go on sending before it ends of its own accord, and how long the rest may take.
const LEAK_MAX: Duration = Duration::from_secs(2);
/// How long nothing comes before it is looked whether the process is gone.
const QUIET: Duration = Duration::from_millis(5);
/// Between the end of one and the start of the next.
const PAUSE: Duration = Duration::from_millis(20);
/// What is sent behind the record, again and again.
const REST: &[u8; 1024] = &[b'.'; 1024];

/// What a leak sends, then goes on with: the process `cargo xtask bench-leak`.
pub fn leak(to: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(to).with_context(|| format!("cannot connect to {to}"))?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(LEAK_MAX))?;
    let started = Instant::now();
    stream.write_all(&made_up::record(u64::from(std::process::id())))?;
    while started.elapsed() < LEAK_MAX {
        stream.write_all(REST)?;
    }
    bail!("not killed within {} s", LEAK_MAX.as_secs())
}

/// Rows for the time and for the bytes.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let Killed { deaths_us, received } = kills(bench, "")?;
    let beyond: Vec<f64> =
        received.iter().map(|bytes| (bytes - made_up::RECORD_BYTES as f64).max(0.0)).collect();
    let us = |share| quantile(&deaths_us, share);
    Ok(vec![
        Row::new("from the send to the death of the process, p50", us(0.5), Unit::Microseconds),
        Row::new("from the send to the death of the process, p99", us(0.99), Unit::Microseconds)
            .spread(range(&deaths_us))
            .note(format!("{} processes killed", deaths_us.len()))
            .aim(Aim::AtMost(2_000.0)),
        Row::new(
            "bytes that the receiver gets beyond the send with the finding, p50",
            quantile(&beyond, 0.5),
            Unit::Bytes,
        )
        .spread(range(&beyond))
        .note(format!(
            "p99 {}; the process goes on as fast as it can, 1 KiB a send",
            Unit::Bytes.show(quantile(&beyond, 0.99))
        )),
    ])
}

/// The same where the kernel kills by itself: nothing may come at all.
pub fn measure_prevented(bench: &Bench) -> Result<Vec<Row>> {
    let Killed { deaths_us, received } = kills(bench, "prevent = true\n")?;
    let us = |share| quantile(&deaths_us, share);
    Ok(vec![
        Row::new(
            "killed by the kernel, from the send to the death, p50",
            us(0.5),
            Unit::Microseconds,
        ),
        Row::new(
            "killed by the kernel, from the send to the death, p99",
            us(0.99),
            Unit::Microseconds,
        )
        .spread(range(&deaths_us))
        .note(format!("{} processes killed", deaths_us.len())),
        Row::new(
            "killed by the kernel, most bytes that the receiver got of one",
            received.iter().copied().fold(0.0, f64::max),
            Unit::Bytes,
        )
        .aim(Aim::AtMost(0.0)),
    ])
}

/// Processes that were killed.
struct Killed {
    /// From the send, each.
    deaths_us: Vec<f64>,
    /// Bytes that came of each.
    received: Vec<f64>,
}

/// Has processes killed by a rule with more keys.
fn kills(bench: &Bench, more: &str) -> Result<Killed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to = listener.local_addr()?;
    let policy = format!(
        "version = 1\n[settings]\nkills_per_minute_max = 1000\n\
         [[rule]]\nid = \"bench\"\naction = \"kill\"\nentities = [\"CREDIT_CARD\"]\n\
         destination = {{ cidr = [\"loopback\"], port = [{}] }}\n{more}",
        to.port()
    );
    let daemon = Daemon::start(bench, Some(&policy), Alerts::File)?;
    let mut received_of = HashMap::new();
    for _ in 0..bench.pick(150, 40) {
        let mut leak = start_leak(to)?;
        let pid = u64::from(leak.id());
        let result = accept(&listener).and_then(|stream| receive(stream, &mut leak));
        if result.is_err() {
            let _ = leak.kill();
        }
        let status = leak.wait()?;
        let received = result?;
        ensure!(was_killed(status), "a process that sent a card was not killed: {status}");
        received_of.insert(pid, received as f64);
        thread::sleep(PAUSE);
    }
    let deaths_us = deaths_us(&daemon, &received_of)?;
    daemon.stop()?;
    Ok(Killed { deaths_us, received: received_of.into_values().collect() })
}

fn start_leak(to: SocketAddr) -> Result<Child> {
    let own = std::env::current_exe()?;
    Command::new(own)
        .arg("bench-leak")
        .arg(to.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("the process that leaks cannot be started")
}

fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::SIGKILL as i32)
}

/// Accepts within a bound.
fn accept(listener: &TcpListener) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let started = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(started.elapsed() < LEAK_MAX, "the process that leaks does not connect");
                thread::sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Bytes received until the process is gone and nothing comes any more. Its socket may have been
/// shut, so that the end of the stream never comes.
fn receive(mut stream: TcpStream, leak: &mut Child) -> Result<u64> {
    stream.set_read_timeout(Some(QUIET))?;
    let mut buffer = vec![0; 64 << 10];
    let mut received = 0;
    let mut gone = false;
    let started = Instant::now();
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(received),
            Ok(bytes) => received += bytes as u64,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(received),
            Err(error) if is_timeout(&error) && gone => return Ok(received),
            Err(error) if is_timeout(&error) => gone = leak.try_wait()?.is_some(),
            Err(error) => return Err(error.into()),
        }
        ensure!(started.elapsed() < 2 * LEAK_MAX, "a process that sent a card goes on sending");
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// From the alerts, one for each process that was killed.
fn deaths_us(daemon: &Daemon, killed: &HashMap<u64, f64>) -> Result<Vec<f64>> {
    let started = Instant::now();
    loop {
        let mut deaths = HashMap::new();
        for alert in daemon.alerts()? {
            let pid = alert.pointer("/process/pid").and_then(Value::as_u64);
            let death_us = alert.get("death_us").and_then(Value::as_u64);
            if let (Some(pid), Some(death_us)) = (pid, death_us) {
                deaths.insert(pid, death_us as f64);
            }
        }
        if killed.keys().all(|pid| deaths.contains_key(pid)) {
            return Ok(deaths.into_values().collect());
        }
        ensure!(
            started.elapsed() < LEAK_MAX,
            "{} of {} kills have an alert that tells when the process died",
            deaths.len(),
            killed.len()
        );
        thread::sleep(PAUSE);
    }
}
