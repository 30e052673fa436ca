//! The daemon of the demo: this program as `run`, in directories of its own that go with it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use super::WAIT;
use crate::act::Outcome;
use crate::report::alert::Alert;

/// How often the alert file is looked at.
const POLL: Duration = Duration::from_millis(2);

/// A daemon that is armed.
pub struct Daemon {
    child: Child,
    directory: Directory,
    armed: String,
    lines: mpsc::Receiver<String>,
}

/// A directory that is removed again.
struct Directory(PathBuf);

impl Directory {
    fn make() -> io::Result<Directory> {
        let name = format!("egress-monitor-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Daemon {
    /// Starts it on a policy and waits until it is armed.
    pub fn start(policy: &str) -> anyhow::Result<Daemon> {
        let directory = Directory::make().context("cannot make a directory for the demo")?;
        let daemon = Arc::default();
        clean_up_on_signals(&directory.0, &daemon).context("cannot catch signals")?;
        let at = |name: &str| directory.0.join(name);
        fs::write(at("policy.toml"), policy).context("cannot write the policy")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--policy").arg(at("policy.toml"));
        command.arg("--alerts").arg(at("alerts.jsonl"));
        command.arg("--runtime-dir").arg(at("run")).arg("--state-dir").arg(at("state"));
        // Its standard output is no terminal, so that only the demo speaks there.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env_remove("NOTIFY_SOCKET").env("JOURNAL_STREAM", "demo");
        let mut pid = daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = command.spawn().context("cannot start the daemon")?;
        *pid = child.id().cast_signed();
        drop(pid);
        let lines = read_lines(child.stderr.take().context("the daemon has no log")?);
        let mut daemon = Daemon { child, directory, armed: String::new(), lines };
        daemon.wait_until_armed()?;
        Ok(daemon)
    }

    fn wait_until_armed(&mut self) -> anyhow::Result<()> {
        let mut said = String::new();
        loop {
            match self.lines.recv_timeout(WAIT) {
                Ok(line) if line.contains("armed in") => {
                    self.armed = line.trim().trim_start_matches("INFO ").to_owned();
                    return Ok(());
                }
                Ok(line) => said = format!("{said}\n  {line}"),
                Err(RecvTimeoutError::Timeout) => {
                    anyhow::bail!(
                        "the daemon is not armed after {} s; it said:{said}",
                        WAIT.as_secs()
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    wait_if_ending();
                    anyhow::bail!("the daemon ended before it was armed; it said:{said}")
                }
            }
        }
    }

    /// What it said when it was armed.
    pub fn armed(&self) -> &str {
        &self.armed
    }

    /// The first alert of a rule that came to this.
    pub fn alert(&self, rule: &str, outcome: Outcome, within: Duration) -> anyhow::Result<Alert> {
        let started = Instant::now();
        while started.elapsed() < within {
            let alerts = fs::read_to_string(self.directory.0.join("alerts.jsonl"))?;
            let mut whole = alerts.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let parsed = whole.find_map(|line| {
                let alert: Result<Alert, _> = serde_json::from_str(line);
                alert.ok().filter(|alert| alert.rule == rule && alert.outcome == outcome)
            });
            if let Some(alert) = parsed {
                return Ok(alert);
            }
            std::thread::sleep(POLL);
        }
        anyhow::bail!(
            "no alert of rule {rule} with outcome {} after {} s; try `egress-monitor doctor`",
            outcome.name(),
            within.as_secs()
        )
    }

    /// Stops it as a service manager would; what it says at its end.
    pub fn stop(mut self) -> anyhow::Result<String> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?;
        let asked = Instant::now();
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if asked.elapsed() < WAIT => std::thread::sleep(POLL),
                None => anyhow::bail!("the daemon goes on {} s after SIGTERM", WAIT.as_secs()),
            }
        };
        let said: Vec<String> = self.lines.iter().collect();
        anyhow::ensure!(status.success(), "the daemon ended with {status}: {}", said.join("\n"));
        let summary = said.iter().skip_while(|line| !line.starts_with("detached"));
        Ok(summary.map(|line| format!("{line}\n")).collect())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(log: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A signal came: the thread that caught it ends the program, and nothing else does.
static ENDING: AtomicBool = AtomicBool::new(false);

/// The end of the daemon may be the signal's doing.
fn wait_if_ending() {
    while ENDING.load(Ordering::Relaxed) {
        std::thread::park();
    }
}

/// Ctrl-C leaves nothing behind either. By handlers and not by a mask, which children would inherit.
fn clean_up_on_signals(directory: &Path, daemon: &Arc<Mutex<i32>>) -> anyhow::Result<()> {
    let (directory, daemon) = (directory.to_owned(), Arc::clone(daemon));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        let code = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => 128 + Signal::SIGINT as i32,
                _ = terminate.recv() => 128 + Signal::SIGTERM as i32,
            }
        });
        ENDING.store(true, Ordering::Relaxed);
        // Held while it is started.
        let daemon = *daemon.lock().unwrap_or_else(PoisonError::into_inner);
        if daemon > 0 {
            let _ = kill(Pid::from_raw(daemon), Signal::SIGKILL);
            // It makes files until it is gone.
            let _ = waitpid(Pid::from_raw(daemon), None);
        }
        let _ = fs::remove_dir_all(&directory);
        std::process::exit(code);
    });
    Ok(())
}
