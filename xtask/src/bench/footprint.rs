//! What the daemon takes: time to be armed, processor time at rest, resident memory under load.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use super::daemon::{Alerts, DEFAULT_POLICY, Daemon};
use super::machine::{field, first_number};
use super::numbers::{median, range};
use super::table::{Aim, Row, Unit};
use super::{Bench, made_up};

/// Flows of the load: more than the daemon keeps, so that its table is full.
const FLOWS: u64 = 10_000;
/// Between two of them: about 6,000 a second.
const FLOWS_PER_BURST: u64 = 12;
/// How often a burst is sent.
const BURST: Duration = Duration::from_millis(2);
/// Records in each flow's one send: more text than a flow keeps.
const RECORDS_PER_FLOW: usize = 16;

/// From the start of the process to its line that it is armed, as seen from outside.
pub fn start(bench: &Bench) -> Result<Vec<Row>> {
    let mut armed_ms = Vec::new();
    for _ in 0..bench.pick(11, 5) {
        let daemon = Daemon::start(bench, DEFAULT_POLICY, Alerts::File)?;
        armed_ms.push(daemon.armed_after.as_secs_f64() * 1e3);
        daemon.stop()?;
    }
    Ok(vec![
        Row::new("from start to armed, median", median(&armed_ms), Unit::Milliseconds)
            .spread(range(&armed_ms))
            .note(format!("{} starts", armed_ms.len()))
            .aim(Aim::AtMost(300.0)),
    ])
}

/// Processor time while nobody on the machine sends anything.
pub fn rest(bench: &Bench) -> Result<Vec<Row>> {
    let daemon = Daemon::start(bench, DEFAULT_POLICY, Alerts::File)?;
    // What the start left to do is no rest.
    thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    let before_ns = processor_ns(daemon.pid())?;
    thread::sleep(bench.pick(Duration::from_secs(5), Duration::from_secs(1)));
    let used_ns = processor_ns(daemon.pid())? - before_ns;
    let percent = used_ns as f64 / started.elapsed().as_nanos() as f64 * 100.0;
    daemon.stop()?;
    Ok(vec![Row::new("processor time at rest, of one core", percent, Unit::Percent)])
}

/// Resident memory once the table of flows is full.
pub fn memory(bench: &Bench) -> Result<Vec<Row>> {
    let daemon = Daemon::start(bench, DEFAULT_POLICY, Alerts::File)?;
    let status = format!("/proc/{}/status", daemon.pid());
    let armed = mebibytes(&status, "VmRSS")?;
    load(FLOWS)?;
    // Answered when the records before it are taken in.
    let counted = daemon.counted()?;
    let flows = counted.daemon("flows")?;
    let lost = counted.kernel("samples_lost_ring_full")?;
    let loaded = mebibytes(&status, "VmRSS")?;
    let peak = mebibytes(&status, "VmHWM")?;
    let shared = mebibytes(&format!("/proc/{}/smaps_rollup", daemon.pid()), "Pss")?;
    daemon.stop()?;
    let loss = if lost > 0 { format!(", {lost} samples lost") } else { String::new() };
    Ok(vec![
        Row::new("resident memory, armed", armed, Unit::Mebibytes).aim(Aim::AtMost(40.0)),
        Row::new("resident memory after load", loaded, Unit::Mebibytes)
            .note(format!(
                "{flows} flows with findings{loss}; PSS {}, peak {}",
                Unit::Mebibytes.show(shared),
                Unit::Mebibytes.show(peak)
            ))
            .aim(Aim::AtMost(40.0)),
    ])
}

/// A finding in each of many flows. They end with a reset, so that no port is kept busy.
fn load(flows: u64) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to = listener.local_addr()?;
    let reset = linger { l_onoff: 1, l_linger: 0 };
    for flow in 0..flows {
        let mut sender = TcpStream::connect(to)?;
        let accepted = listener.accept()?;
        setsockopt(&sender, sockopt::Linger, &reset)?;
        sender.write_all(&made_up::record(flow).repeat(RECORDS_PER_FLOW))?;
        drop((sender, accepted));
        if flow % FLOWS_PER_BURST == 0 {
            thread::sleep(BURST);
        }
    }
    Ok(())
}

/// Time that all threads of a process have run (proc_pid_schedstat: the first number).
fn processor_ns(pid: u32) -> Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let mut all_ns = 0;
    for task in fs::read_dir(&tasks).with_context(|| format!("{tasks} cannot be read"))? {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        all_ns += first_number::<u64>(&text).context("schedstat holds no number")?;
    }
    ensure!(all_ns > 0, "this kernel does not count the time of threads");
    Ok(all_ns)
}

/// A size that /proc tells in kB.
fn mebibytes(path: &str, name: &str) -> Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
    let kibibytes: Option<f64> = field(&text, name).and_then(first_number);
    Ok(kibibytes.with_context(|| format!("{path} has no {name}"))? / 1024.0)
}
