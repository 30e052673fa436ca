//! nginx under wrk in turn: bare, with the monitor, and with a bpftrace script that copies the first
//! 200 bytes of each send, which is what one would write by hand instead. The script comes in two:
//! one that hands the bytes over, as the monitor does with what it samples, and one that only keeps the
//! last of each thread, which is the least that reading them can cost.
//!
//! The script follows no descriptor to its socket, decides nothing and keeps no account: it does much
//! less.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::daemon::{Daemon, Setup};
use super::nginx::{Nginx, PAGES, is_installed};
use super::numbers::{median, range};
use super::table::{Aim, Row, Unit};
use super::{Bench, child};

/// How long bpftrace may take to be attached, and to stop.
const WAIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it is.
const POLL: Duration = Duration::from_millis(50);
/// For so many looks nothing more was opened: it is attached.
const QUIET_POLLS: u32 = 10;
/// Pages of [`PAGES`] that are asked for: those without a finding.
const PAGES_ASKED: usize = 2;

/// Calls that are copied from, with where their bytes are and how many. 200 is the most that this
/// language copies (`BPFTRACE_STRLEN`).
const CALLS: [(&str, &str, &str, &str); 4] = [
    ("write", "", "args->buf", "args->count"),
    ("writev", "$v = (struct iovec *)args->vec;", "$v->iov_base", "$v->iov_len"),
    ("sendto", "", "args->buff", "args->len"),
    ("sendmsg", "$v = args->msg->msg_iov;", "$v->iov_base", "$v->iov_len"),
];

/// What stands in the way of nginx's sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Nothing,
    Monitor,
    Printed,
    Kept,
}

const WAYS: [Way; 4] = [Way::Nothing, Way::Monitor, Way::Printed, Way::Kept];

/// For each page what the monitor leaves of the rate, what the scripts do, and one of the other.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    for tool in ["nginx", "wrk", "bpftrace"] {
        ensure!(is_installed(tool), "apt-get install -y --no-install-recommends {tool}");
    }
    let nginx = Nginx::start(&bench.folder.0.join("beside"))?;
    check_script(bench, &nginx)?;
    let rounds = bench.pick(7, 3);
    let mut rates: [[Vec<f64>; WAYS.len()]; PAGES_ASKED] = Default::default();
    for round in 0..rounds {
        for turn in 0..WAYS.len() {
            let at = (round + turn) % WAYS.len();
            let way = Running::start(bench, WAYS[at])?;
            for (page, rates) in rates.iter_mut().enumerate() {
                rates[at].push(nginx.requests_per_second(PAGES[page].0, bench.pick(2, 1))?);
            }
            way.stop()?;
        }
    }
    nginx.stop()?;
    Ok(rates.iter().zip(PAGES).flat_map(|(rates, (page, _))| rows(page, rates)).collect())
}

fn rows(page: &str, rates: &[Vec<f64>; WAYS.len()]) -> [Row; 5] {
    let [bare, ours, printed, kept] = rates;
    let row = |with: &str, of: &[f64], to: &[f64], what: &str| {
        let each: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
        let (figure, per_second) = (median(of) / median(to), |of| Unit::PerSecond.show(median(of)));
        Row::new(format!("nginx under wrk, {page}, {with}"), figure, Unit::Ratio)
            .spread(range(&each))
            .note(format!("{} of {}{what}", per_second(of), per_second(to)))
    };
    let copies = "; the script copies up to 200 bytes of each write, writev, sendto and sendmsg";
    [
        row("with the monitor: requests a second", ours, bare, ""),
        row("with a bpftrace script that prints", printed, bare, &format!("{copies} to /dev/null")),
        row("with one that keeps the last", kept, bare, &format!("{copies} into a map, by thread")),
        row("with the monitor, of those with the script that prints", ours, printed, "")
            .aim(Aim::AtLeast(1.0)),
        row("with the monitor, of those with the script that keeps", ours, kept, "")
            .aim(Aim::AtLeast(1.0)),
    ]
}

/// What runs beside nginx. Stopped when dropped.
enum Running {
    Nothing,
    Monitor(Daemon),
    Script(Script),
}

impl Running {
    fn start(bench: &Bench, way: Way) -> Result<Running> {
        Ok(match way {
            Way::Nothing => Running::Nothing,
            Way::Monitor => Running::Monitor(Daemon::start_with(bench, Setup::default())?),
            Way::Printed | Way::Kept => {
                Running::Script(Script::start(bench, way, Path::new("/dev/null"))?)
            }
        })
    }

    fn stop(self) -> Result<()> {
        match self {
            Running::Nothing => Ok(()),
            Running::Monitor(daemon) => daemon.stop(),
            Running::Script(script) => script.stop(),
        }
    }
}

/// The script must really read the bytes: both kinds show requests, which nginx writes into its log too.
fn check_script(bench: &Bench, nginx: &Nginx) -> Result<()> {
    let output = bench.folder.0.join("script.out");
    for way in [Way::Printed, Way::Kept] {
        let script = Script::start(bench, way, &output)?;
        nginx.requests_per_second(PAGES[0].0, 1)?;
        script.stop()?;
        let said = fs::read(&output)?;
        fs::remove_file(&output)?;
        let request = format!("GET /{} HTTP/1.1", PAGES[0].0);
        ensure!(
            said.windows(request.len()).any(|window| window == request.as_bytes()),
            "the bpftrace script ({way:?}) has read no request"
        );
    }
    Ok(())
}

/// bpftrace with a script.
struct Script {
    child: Child,
    log: PathBuf,
}

impl Script {
    fn start(bench: &Bench, way: Way, output: &Path) -> Result<Script> {
        let script = bench.folder.0.join("script.bt");
        fs::write(&script, text(way))?;
        let log = bench.folder.0.join("script.log");
        // In a namespace of its own it finds the tracepoints where nobody has mounted tracefs.
        let command = "mount -t tracefs nodev /sys/kernel/tracing && exec bpftrace \"$0\"";
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", command])
            .arg(&script)
            .env("BPFTRACE_STRLEN", "200")
            .stdin(Stdio::null())
            .stdout(fs::File::create(output)?)
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("bpftrace cannot be started")?;
        let mut script = Script { child, log };
        script.wait_until_attached()?;
        Ok(script)
    }

    /// It does not say when: it has opened what it needs, and for a while opens nothing more.
    fn wait_until_attached(&mut self) -> Result<()> {
        let started = Instant::now();
        let (mut open, mut quiet) = (0, 0);
        while quiet < QUIET_POLLS {
            ensure!(
                self.child.try_wait()?.is_none() && started.elapsed() < WAIT,
                "bpftrace is not attached; it says: {}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            thread::sleep(POLL);
            let (programs, events) = self.descriptors()?;
            let enough = programs >= CALLS.len() && events > CALLS.len();
            quiet = if enough && programs + events == open { quiet + 1 } else { 0 };
            open = programs + events;
        }
        Ok(())
    }

    /// Programs and events that it has open.
    fn descriptors(&self) -> Result<(usize, usize)> {
        let links: Vec<PathBuf> = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?
            .flatten()
            .flat_map(|entry| fs::read_link(entry.path()))
            .collect();
        let count = |name: &str| links.iter().filter(|link| link.ends_with(name)).count();
        Ok((count("anon_inode:bpf-prog"), count("anon_inode:[perf_event]")))
    }

    fn stop(mut self) -> Result<()> {
        child::end(&mut self.child, "bpftrace", Signal::SIGINT, WAIT).map(drop)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(way: Way) -> String {
    let probe = |(call, first, base, bytes): (&str, &str, &str, &str)| {
        let copy = format!("buf({base}, {bytes} > 200 ? 200 : {bytes})");
        let taken = match way {
            Way::Printed => format!("printf(\"%r\\n\", {copy});"),
            _ => format!("@last[tid] = {copy};"),
        };
        format!("tracepoint:syscalls:sys_enter_{call} {{ {first} {taken} }}\n")
    };
    CALLS.map(probe).concat()
}
