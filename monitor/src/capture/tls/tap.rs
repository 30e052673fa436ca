//! The thread of the TLS tap. It walks over what processes execute, once at the start and then seldom;
//! in between the kernel tells of each file that a process maps for the first time. It decides nothing,
//! and nothing waits for it: a file that cannot be read, or never answers, is one that is not read.

use std::collections::{HashSet, VecDeque};
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use globset::GlobSet;
use monitor_ebpf::record::FileSeen;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::time::TimeSpec;

use super::files::Files;
use super::hooks::{Hooks, Hurries, Program};
use super::maps;
use super::report::{Report, Shared};
use crate::capture::host;
use crate::capture::programs::FilesKnown;
use crate::limits::{PROCESSES_WALKED_MAX, TLS_FILES_SEEN_MAX, TLS_UNMAPPED_MAX};

/// No two walks begin within less, and the thread rests two thousand times as long as a walk takes: half of
/// a thousandth of a core, since the kernel's part of it is more than the clock of one walk shows.
const WALK_EVERY: Duration = Duration::from_secs(30);
const WALK_SHARE: u32 = 2_000;
/// How long the start waits for the first walk. What it has not come to by then it comes to later.
const FIRST_WALK_MAX: Duration = Duration::from_secs(1);
/// How long the end waits for the thread. A file that never answers keeps it, and the kernel takes the hooks
/// off when the daemon is gone; one that is cut off while it does that leaves some in place.
const END_MAX: Duration = Duration::from_secs(10);
/// The kernel tells of a file before it is mapped: for so long, and so often, the maps are looked at. Of
/// those that were told of before that, since many are, each gets one look.
const MAPPED_WITHIN: Duration = Duration::from_millis(5);
const MAPPED_WAIT: Duration = Duration::from_micros(300);

/// What the tap is to do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files that are never hooked, by path in the mount namespace of the process.
    pub exclude: GlobSet,
    /// Where to note that the kernel is made to hurry, so that it is undone even after a SIGKILL; `None`: it
    /// is not made to.
    pub runtime_dir: Option<PathBuf>,
}

/// The programs and maps that the tap works with.
pub struct Programs {
    /// The one on functions.
    pub program: Program,
    /// Files that the kernel tells of.
    pub seen: RingBuf<MapData>,
    /// Files that it has told of.
    pub known: FilesKnown,
}

/// The tap at work. Dropping it ends its thread and takes the hooks off.
pub struct TlsTap {
    /// A byte wakes the thread, the end of them ends it.
    wake: Option<PipeWriter>,
    thread: Option<(JoinHandle<()>, Receiver<()>)>,
    exclude: Arc<Mutex<GlobSet>>,
    report: Shared,
}

impl TlsTap {
    /// Starts the thread and waits, for a bounded time, until it has walked over all processes.
    ///
    /// # Errors
    ///
    /// No thread, no pipe, or nothing to watch files by.
    pub fn start(programs: Programs, options: Options) -> std::io::Result<TlsTap> {
        let Programs { program, seen, known } = programs;
        let (woken, wake) = std::io::pipe()?;
        let exclude = Arc::new(Mutex::new(options.exclude));
        let report = Shared::default();
        let hurries = Hurries::new(options.runtime_dir.as_deref());
        let hooks = Hooks { program, hurries };
        let files = Files::new(hooks, known, Arc::clone(&exclude), report.clone())?;
        let work = Work { seen, files, unmapped: VecDeque::new(), report: report.clone() };
        let (walked, first_walk) = sync_channel(1);
        let (ends, ended) = sync_channel(0);
        let thread = std::thread::Builder::new().name("tls-tap".into()).spawn(move || {
            let _ends = ends;
            work.run(&woken, &walked);
        })?;
        if first_walk.recv_timeout(FIRST_WALK_MAX).is_err() {
            tracing::warn!("not all processes were searched for TLS libraries yet: that goes on");
        }
        Ok(TlsTap { wake: Some(wake), thread: Some((thread, ended)), exclude, report })
    }

    /// Hooks these files no more, and no others but these.
    pub fn exclude(&mut self, files: GlobSet) {
        *self.exclude.lock().unwrap_or_else(PoisonError::into_inner) = files;
        if let Some(wake) = &mut self.wake {
            // A pipe that is full has woken it.
            let _ = wake.write(&[0]);
        }
    }

    /// What is hooked now.
    pub fn report(&self) -> Report {
        self.report.get()
    }
}

impl Drop for TlsTap {
    fn drop(&mut self) {
        drop(self.wake.take());
        let Some((thread, ended)) = self.thread.take() else { return };
        match ended.recv_timeout(END_MAX) {
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("the TLS tap does not come to its end")
            }
            Ok(()) | Err(RecvTimeoutError::Disconnected) => drop(thread.join()),
        }
    }
}

/// A file that was not mapped yet when the maps were looked at.
struct Unmapped {
    seen: FileSeen,
    at: Instant,
}

struct Work {
    seen: RingBuf<MapData>,
    files: Files,
    unmapped: VecDeque<Unmapped>,
    report: Shared,
}

impl Work {
    fn run(mut self, woken: &PipeReader, walked: &SyncSender<()>) {
        host::hurry_tls_tap();
        if let Err(error) = host::keep_rights_of_tls_tap() {
            tracing::warn!("the TLS tap keeps rights that it does not need: {error}");
        }
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                let took = self.walk(woken);
                let _ = walked.try_send(());
                next = Instant::now() + WALK_EVERY.max(took * WALK_SHARE);
            }
            if self.wait(woken, next) {
                if is_stopped(woken) {
                    self.files.unhook();
                    return;
                }
                self.files.let_go_of_excluded();
                next = Instant::now();
            }
            self.files.take_changes();
            self.take_told(woken);
            self.files.search_deeper();
        }
    }

    /// Waits for whatever comes first; whether somebody has woken the thread.
    fn wait(&self, woken: &PipeReader, next: Instant) -> bool {
        let unmapped = self.unmapped.front().map(|unmapped| unmapped.at);
        let until = [Some(next), self.files.deeper_at(), unmapped].into_iter().flatten().min();
        let rest = until.unwrap_or(next).saturating_duration_since(Instant::now());
        let readable = PollFlags::POLLIN;
        let mut wanted = [woken.as_fd(), self.seen.as_fd(), self.files.changes()]
            .map(|descriptor| PollFd::new(descriptor, readable));
        // In nanoseconds: of a file that is not mapped yet a millisecond is most of what there is.
        let _ = ppoll(&mut wanted, Some(TimeSpec::from_duration(rest)), None);
        wanted[0].any().unwrap_or(true)
    }

    /// Looks at the files that the kernel has told of, which some process is about to use.
    fn take_told(&mut self, woken: &PipeReader) {
        while let Some(seen) = self.seen.next().and_then(|seen| FileSeen::parse(&seen)) {
            self.look_for(seen);
            if has_ended(woken) {
                return;
            }
        }
        // Each once: what comes back waits behind them.
        for _ in 0..self.unmapped.len() {
            let due = self.unmapped.front().is_some_and(|unmapped| unmapped.at <= Instant::now());
            let next = due.then(|| self.unmapped.pop_front()).flatten();
            let Some(Unmapped { seen, .. }) = next else { return };
            self.look_for(seen);
        }
    }

    /// Looks at a file that the kernel has told of: by its descriptor, which is closed within microseconds,
    /// or now if it is mapped.
    fn look_for(&mut self, seen: FileSeen) {
        if self.files.look_at_told(&seen) {
            return;
        }
        let (mut mapped, mut looked_at) = (false, false);
        let told_for = Duration::from_nanos(host::boot_ns().saturating_sub(seen.at_ns));
        let last = told_for > MAPPED_WITHIN;
        maps::of(seen.tgid, &mut |mapping| {
            let same = mapping.file.inode == seen.file.inode;
            mapped |= same;
            // Layers of file systems give a file more than one name.
            if same || last {
                looked_at |= self.files.look_at(seen.tgid, &mapping, Some(&seen).filter(|_| same));
            }
        });
        if (mapped && looked_at) || last {
            if !looked_at {
                self.files.forget_told(seen.file);
            }
            return;
        }
        let runs = Path::new(&format!("/proc/{}", seen.tgid)).exists();
        if runs && self.unmapped.len() < TLS_UNMAPPED_MAX {
            let at = Instant::now() + MAPPED_WAIT;
            self.unmapped.push_back(Unmapped { seen, at });
        } else {
            // Whoever maps it next is told of.
            self.files.forget_told(seen.file);
        }
    }

    /// Looks at everything that every process executes, and takes hooks off what none does.
    fn walk(&mut self, woken: &PipeReader) -> Duration {
        let began = Instant::now();
        let mut seen = HashSet::new();
        let own = std::process::id();
        self.files.begin_walk();
        for pid in maps::processes(PROCESSES_WALKED_MAX) {
            if pid != own {
                maps::of(pid, &mut |mapping| {
                    // What somebody is about to use comes first.
                    self.take_told(woken);
                    let is_new = seen.len() < TLS_FILES_SEEN_MAX && seen.insert(mapping.file);
                    if is_new || self.files.repeats_numbers(pid, mapping.file.device) {
                        self.files.look_at(pid, &mapping, None);
                    }
                });
            }
            if has_ended(woken) {
                break;
            }
        }
        self.files.let_go(began);
        let took = began.elapsed();
        self.report.change(|report| {
            report.walks += 1;
            report.walk_us = took.as_micros() as u64;
        });
        took
    }
}

/// Whether the thread is to end; takes what has woken it.
fn is_stopped(mut woken: &PipeReader) -> bool {
    matches!(woken.read(&mut [0; 64]), Ok(0) | Err(_))
}

/// The same without taking anything.
fn has_ended(woken: &PipeReader) -> bool {
    let mut wanted = [PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut wanted, PollTimeout::ZERO);
    wanted[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}
