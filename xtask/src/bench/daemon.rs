//! A daemon under measurement, in directories of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Bench, child};

/// How long the daemon may take to be armed, and to answer.
const WAIT: Duration = Duration::from_secs(10);
/// How long it may take to stop. The kernel waits at each hook of a library that is taken off, a tenth of
/// a second and more, one after the other.
const STOP_WAIT: Duration = Duration::from_secs(90);
/// The policy that the daemon follows where none is given.
pub const DEFAULT_POLICY: Option<&str> = None;

/// A daemon that is armed. Killed when dropped.
pub struct Daemon {
    child: Child,
    folder: PathBuf,
    said: mpsc::Receiver<String>,
    /// From its start to its line that it is armed, as seen from outside.
    pub armed_after: Duration,
}

/// Where alerts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alerts {
    /// To a file, see [`Daemon::alerts`].
    File,
    /// To a pipe, see [`Daemon::take_output`].
    Pipe,
}

/// How a daemon is started.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// What it follows; see [`DEFAULT_POLICY`].
    pub policy: Option<&'a str>,
    /// Where alerts go.
    pub alerts: Alerts,
    /// How it is to hook sends; the best way of this kernel where none is named.
    pub tap: Option<&'a str>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { policy: DEFAULT_POLICY, alerts: Alerts::File, tap: None }
    }
}

impl Daemon {
    /// Starts it on a policy, and waits until it is armed.
    pub fn start(bench: &Bench, policy: Option<&str>, alerts: Alerts) -> Result<Daemon> {
        Daemon::start_with(bench, Setup { policy, alerts, tap: None })
    }

    /// Starts it, and waits until it is armed.
    pub fn start_with(bench: &Bench, setup: Setup<'_>) -> Result<Daemon> {
        let Setup { policy, alerts, tap } = setup;
        let folder = bench.folder.0.join("daemon");
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs::create_dir(&folder)?,
        }
        let mut command = Command::new(&bench.binary);
        command.arg("run").arg("--runtime-dir").arg(folder.join("run"));
        command.arg("--state-dir").arg(bench.folder.0.join("state"));
        if let Some(policy) = policy {
            let path = folder.join("policy.toml");
            fs::write(&path, policy)?;
            command.arg("--policy").arg(path);
        }
        if let Some(tap) = tap {
            command.arg("--tap").arg(tap);
        }
        let output = match alerts {
            Alerts::File => {
                command.arg("--alerts").arg(folder.join("alerts.jsonl"));
                Stdio::null()
            }
            Alerts::Pipe => Stdio::piped(),
        };
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped());
        command.env_remove("NOTIFY_SOCKET");
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", bench.binary.display()))?;
        let log = child.stderr.take().context("the daemon has no standard error")?;
        let mut daemon =
            Daemon { child, folder, said: read_lines(log), armed_after: Duration::ZERO };
        daemon.wait_until_armed(started)?;
        Ok(daemon)
    }

    fn wait_until_armed(&mut self, started: Instant) -> Result<()> {
        let mut said = String::new();
        loop {
            match self.said.recv_timeout(WAIT) {
                Ok(line) if line.contains("armed in") => {
                    self.armed_after = started.elapsed();
                    return Ok(());
                }
                Ok(line) => said = format!("{said}\n{line}"),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the daemon is not armed after {} s; it said:{said}", WAIT.as_secs())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the daemon ended before it was armed; it said:{said}")
                }
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The pipe that alerts go to, once.
    pub fn take_output(&mut self) -> Result<ChildStdout> {
        self.child.stdout.take().context("alerts go to no pipe")
    }

    /// The whole lines that the alert file has now, parsed.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.folder.join("alerts.jsonl"))?;
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).context("an alert is no JSON")).collect()
    }

    /// What it counted so far.
    pub fn counted(&self) -> Result<Counted> {
        let ask = || -> std::io::Result<Vec<u8>> {
            let mut stream = UnixStream::connect(self.folder.join("run/control.sock"))?;
            stream.set_read_timeout(Some(WAIT))?;
            stream.write_all(b"status\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().context("the daemon does not tell its status")?;
        Ok(Counted(serde_json::from_slice(&answer).context("the status is no JSON")?))
    }

    /// Stops it as a service manager would.
    pub fn stop(mut self) -> Result<()> {
        let status = child::end(&mut self.child, "the daemon", Signal::SIGTERM, STOP_WAIT)?;
        let said: Vec<String> = self.said.iter().collect();
        ensure!(status.success(), "the daemon ended with {status}: {}", said.join("\n"));
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counters of both sides.
pub struct Counted(Value);

impl Counted {
    /// One of the kernel side.
    pub fn kernel(&self, name: &str) -> Result<u64> {
        self.of("kernel", name)
    }

    /// One of the user side.
    pub fn daemon(&self, name: &str) -> Result<u64> {
        self.of("daemon", name)
    }

    /// What is told of the TLS tap.
    pub fn tls(&self) -> Result<Tls> {
        let tls = self.0.get("tls").context("the daemon has no TLS tap")?;
        let number = |name: &str| {
            tls.get(name).and_then(Value::as_u64).with_context(|| format!("no tls.{name}"))
        };
        let files = tls.get("files").and_then(Value::as_array).context("no tls.files")?;
        let paths = files.iter().filter_map(|file| file.get("path").and_then(Value::as_str));
        Ok(Tls {
            files: paths.map(str::to_owned).collect(),
            files_searched: number("files_searched")?,
            walks: number("walks")?,
            walk_us: number("walk_us")?,
            attach_us: number("attach_us")?,
        })
    }

    fn of(&self, side: &str, name: &str) -> Result<u64> {
        let counter = self.0.get(side).and_then(|counters| counters.get(name));
        counter.and_then(Value::as_u64).with_context(|| format!("no counter {side}.{name}"))
    }
}

/// What a daemon tells of its TLS tap.
pub struct Tls {
    /// Paths of files that are hooked.
    pub files: Vec<String>,
    /// Files that were searched for functions.
    pub files_searched: u64,
    /// Walks over all processes.
    pub walks: u64,
    /// What the last one took, in microseconds.
    pub walk_us: u64,
    /// From the first mapping of a file to its hooks, in microseconds: the last one.
    pub attach_us: u64,
}

fn read_lines(log: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
