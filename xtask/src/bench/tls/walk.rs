//! What looking for TLS libraries takes on a host where many processes rest: the time of the daemon's
//! thread that does it, over a minute. Walks over all processes come by themselves every thirty seconds
//! where one takes 30 ms, and more seldom where it takes more. So that there is one in the minute on a
//! slow machine too, the daemon is asked for one, as the reading of its policy anew asks for it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::Bench;
use crate::bench::daemon::{Alerts, Daemon};
use crate::bench::machine::first_number;
use crate::bench::table::{Aim, Row, Unit};

const NAME: &str = "looking for TLS libraries on a host with 2,000 processes at rest, of one core";
/// A policy that can be read anew.
const POLICY: &str = include_str!("../../../../monitor/src/policy/default.toml");
/// Processes.
const PROCESSES: usize = 2_000;
/// Seconds until they end by themselves, should nobody be left to end them.
const RESTS_S: &str = "300";
/// The daemon's thread.
const THREAD: &str = "tls-tap";
/// After the first walk: files that are searched whole wait for a while.
const SETTLE: Duration = Duration::from_secs(3);
/// How long it is watched.
const WATCH: Duration = Duration::from_secs(60);
/// How long a walk may take to be over.
const WAIT: Duration = Duration::from_secs(20);
/// How often it is looked whether it is.
const POLL: Duration = Duration::from_millis(250);
/// In percent of a core.
const AIM: f64 = 0.1;

/// One row. It takes a minute, so a quick run has none.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    if bench.quick {
        return Ok(vec![Row::not_there(NAME, "walks are too far apart for a quick run")]);
    }
    let _resting = Resting::start()?;
    let daemon = Daemon::start(bench, Some(POLICY), Alerts::File)?;
    let first = wait_for_walk(&daemon, 0)?;
    // What the first walk left to do is no rest.
    thread::sleep(SETTLE);
    let searched = daemon.counted()?.tls()?.files_searched;
    let (began, before_ns) = (Instant::now(), thread_ns(daemon.pid())?);
    kill(Pid::from_raw(daemon.pid().cast_signed()), Signal::SIGHUP)?;
    wait_for_walk(&daemon, first)?;
    thread::sleep(WATCH.saturating_sub(began.elapsed()));
    let (used_ns, elapsed) = (thread_ns(daemon.pid())? - before_ns, began.elapsed());
    let last = daemon.counted()?.tls()?;
    daemon.stop()?;
    let percent = used_ns as f64 / elapsed.as_nanos() as f64 * 100.0;
    let note = format!(
        "{} in {:.0} s with so many walks: {}; the last one took {}; files that \
         came meanwhile and were searched: {}",
        Unit::Milliseconds.show(used_ns as f64 / 1e6),
        elapsed.as_secs_f64(),
        last.walks - first,
        Unit::Milliseconds.show(last.walk_us as f64 / 1e3),
        last.files_searched - searched,
    );
    Ok(vec![Row::new(NAME, percent, Unit::Percent).note(note).aim(Aim::AtMost(AIM))])
}

/// Waits until there were more walks, and gives how many.
fn wait_for_walk(daemon: &Daemon, before: u64) -> Result<u64> {
    let began = Instant::now();
    loop {
        let walks = daemon.counted()?.tls()?.walks;
        if walks > before {
            return Ok(walks);
        }
        ensure!(began.elapsed() < WAIT, "no walk within {} s", WAIT.as_secs());
        thread::sleep(POLL);
    }
}

/// Time that the thread has run (proc_pid_schedstat: the first number).
fn thread_ns(pid: u32) -> Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    for task in fs::read_dir(&tasks).with_context(|| format!("{tasks} cannot be read"))? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == THREAD {
            let text = fs::read_to_string(task.join("schedstat"))?;
            return first_number(&text).context("schedstat holds no number");
        }
    }
    bail!("the daemon has no thread {THREAD}")
}

/// Processes that do nothing. Killed when dropped.
struct Resting(Vec<Child>);

impl Resting {
    fn start() -> Result<Resting> {
        let mut resting = Resting(Vec::with_capacity(PROCESSES));
        for number in 0..PROCESSES {
            let child = Command::new("sleep").arg(RESTS_S).stdin(Stdio::null()).spawn();
            let child = child.with_context(|| format!("sleep {number} cannot be started"))?;
            resting.0.push(child);
        }
        Ok(resting)
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        // All of this fails only where one is gone already.
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}
