//! Where alerts go. A thread of its own writes them, so that a slow disk or reader never holds up
//! the pipeline; what finds no room in its queue, or cannot be written, is counted as lost.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::alert::Alert;
use super::coverage_alert::CoverageAlert;
use crate::capture::host::boot_ns;

/// Where to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// JSON lines to standard output, or lines for a person where it is a terminal.
    Stdout,
    /// JSON lines appended to a file, and lines for a person to standard output where it is a
    /// terminal.
    File(PathBuf),
}

/// What became of alerts, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Written.
    pub written: AtomicU64,
    /// No room in the queue.
    pub lost_queue_full: AtomicU64,
    /// Not written: disk full, reader gone.
    pub lost_write: AtomicU64,
}

/// Takes alerts.
pub struct Sink {
    queue: Option<SyncSender<Queued>>,
    writer: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    reopen: Arc<AtomicBool>,
}

enum Queued {
    /// About a send at this moment since boot.
    Alert(Box<Alert>, u64),
    Coverage(Box<CoverageAlert>),
}

impl Queued {
    fn line(&self) -> String {
        match self {
            Queued::Alert(alert, _) => alert.line(),
            Queued::Coverage(alert) => alert.line(),
        }
    }

    fn json(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Queued::Alert(alert, _) => serde_json::to_vec(alert),
            Queued::Coverage(alert) => serde_json::to_vec(alert),
        }
    }
}

/// How long the last alerts may take to be written: a reader that stalls does not keep the daemon.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether they are.
const CLOSE_POLL: Duration = Duration::from_millis(1);

/// A file that only root reads: alerts tell who sent what where.
const FILE_MODE: u32 = 0o600;

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

impl Target {
    /// Opens the file, where there is one.
    pub fn open(&self) -> io::Result<Option<File>> {
        match self {
            Target::Stdout => Ok(None),
            Target::File(path) => open(path).map(Some),
        }
    }
}

impl Sink {
    /// Starts the writer on a target and what [`Target::open`] made of it. The thread keeps the
    /// rights that the caller has by then.
    pub fn start(target: Target, file: Option<File>, queue_max: usize) -> io::Result<Sink> {
        let (queue, alerts) = sync_channel(queue_max.max(1));
        let counters = Arc::new(Counters::default());
        let reopen = Arc::new(AtomicBool::new(false));
        let mut writer = Writer {
            target,
            file,
            reopen: Arc::clone(&reopen),
            for_people: io::stdout().is_terminal(),
            mid_line: false,
            failing: false,
            counters: Arc::clone(&counters),
        };
        let writer =
            std::thread::Builder::new().name("alerts".into()).spawn(move || writer.run(&alerts))?;
        Ok(Sink { queue: Some(queue), writer: Some(writer), counters, reopen })
    }

    /// Opens the file anew before the next alert: it may have been rotated.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Hands over an alert about a send at `sent_ns` since boot; never waits.
    pub fn send(&self, alert: Alert, sent_ns: u64) {
        self.queue(Queued::Alert(Box::new(alert), sent_ns));
    }

    /// Hands over an alert about coverage; never waits.
    pub fn send_coverage(&self, alert: CoverageAlert) {
        self.queue(Queued::Coverage(Box::new(alert)));
    }

    fn queue(&self, queued: Queued) {
        if self.queue.as_ref().is_some_and(|queue| queue.try_send(queued).is_ok()) {
            return;
        }
        let lost = self.counters.lost_queue_full.fetch_add(1, Ordering::Relaxed);
        if lost == 0 {
            tracing::error!("alerts come faster than they can be written: some are lost");
        }
    }

    /// What became of alerts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Writes what is queued, and ends.
    pub fn close(&mut self) {
        self.queue = None;
        let Some(writer) = self.writer.take() else { return };
        let until = Instant::now() + CLOSE_WAIT;
        while !writer.is_finished() {
            if Instant::now() >= until {
                tracing::error!("nobody takes the alerts: those that still wait are lost");
                return;
            }
            std::thread::sleep(CLOSE_POLL);
        }
        // The writer cannot panic on what it is given; if it did, nothing is left to write.
        let _ = writer.join();
    }
}

struct Writer {
    target: Target,
    reopen: Arc<AtomicBool>,
    file: Option<File>,
    for_people: bool,
    /// A write failed in the middle: the next line begins on a new one.
    mid_line: bool,
    failing: bool,
    counters: Arc<Counters>,
}

impl Writer {
    fn run(&mut self, alerts: &Receiver<Queued>) {
        while let Ok(mut alert) = alerts.recv() {
            if let Queued::Alert(alert, sent_ns) = &mut alert {
                alert.latency_us = boot_ns().saturating_sub(*sent_ns) / 1_000;
            }
            let result = self.write(&alert);
            let counter = match &result {
                Ok(()) => &self.counters.written,
                Err(_) => &self.counters.lost_write,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            match result {
                Err(error) if !self.failing => {
                    tracing::error!(%error, "alert cannot be written and is lost");
                    self.failing = true;
                }
                Ok(()) if self.failing => {
                    tracing::warn!("alerts can be written again");
                    self.failing = false;
                }
                _ => {}
            }
        }
    }

    /// What was rotated away is left alone; where the path cannot be opened, the old file goes on.
    fn reopen(&mut self) {
        if !self.reopen.swap(false, Ordering::Relaxed) {
            return;
        }
        match self.target.open() {
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::error!(%error, "alert file cannot be opened anew; the old one goes on");
            }
        }
    }

    fn write(&mut self, alert: &Queued) -> io::Result<()> {
        self.reopen();
        let mut stdout = io::stdout();
        if self.for_people {
            let shown = writeln!(stdout, "{}", alert.line()).and_then(|()| stdout.flush());
            if self.file.is_none() {
                return shown;
            }
        }
        let mut line = alert.json()?;
        line.push(b'\n');
        match &mut self.file {
            Some(file) => {
                if self.mid_line {
                    file.write_all(b"\n")?;
                    self.mid_line = false;
                }
                // In one call, so that a file that is rotated or read never shows half a line,
                // unless the disk is full.
                match file.write(&line)? {
                    written if written == line.len() => Ok(()),
                    written => {
                        self.mid_line = true;
                        file.write_all(&line[written..])?;
                        self.mid_line = false;
                        Ok(())
                    }
                }
            }
            None => stdout.write_all(&line).and_then(|()| stdout.flush()),
        }
    }
}
