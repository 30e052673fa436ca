//! The thread of the TLS tap. It walks over what processes execute, once at the start and then seldom;
//! in between the kernel tells of each file that a process maps for the first time. It decides nothing,
//! and nothing waits for it: a file that cannot be read, or never answers, is one that is not read.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::image::{self, Call, Depth, Image, ImageError, Site};
use super::maps::{self, Mapping};
use crate::capture::host;
use crate::capture::programs::{FilesKnown, with_causes};
use crate::limits::{
    PROCESSES_WALKED_MAX, TLS_FILES_DEEPER_MAX, TLS_FILES_MAX, TLS_FILES_SEEN_MAX,
    TLS_REFUSED_LISTED_MAX,
};
use aya::maps::{MapData, RingBuf};
use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeScope};
use globset::GlobSet;
use monitor_ebpf::call;
use monitor_ebpf::record::{FileId, FileSeen};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

/// A file that no process executes any more stays hooked for as long: a program that runs every minute
/// is hooked once.
const UNUSED_MAX: Duration = Duration::from_secs(300);
/// No two walks begin within less, and of the time a walk takes a thousandth part at most: a thousandth
/// of a core.
const WALK_EVERY: Duration = Duration::from_secs(30);
const WALK_SHARE: u32 = 1_000;
/// How long the start waits for the first walk. What it has not come to by then it comes to later.
const FIRST_WALK_MAX: Duration = Duration::from_secs(1);
/// The kernel tells of a file before it is mapped: for so long, and so often, the maps are looked at.
const MAPPED_WITHIN: Duration = Duration::from_millis(5);
const MAPPED_WAIT: Duration = Duration::from_micros(250);
/// How many times as long as it searched a whole file it rests: a twentieth of a core where a compiler
/// makes one program after the other.
const DEEPER_REST: u32 = 20;
/// How often it looks whether such a search has ended.
const SEARCH_LOOK: Duration = Duration::from_millis(10);
/// File systems whose files other programs or hosts answer for, and may never.
const REMOTE: [&str; 8] = ["fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "virtiofs"];

/// What the tap is not to do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files that are never hooked, by path in the mount namespace of the process.
    pub exclude: GlobSet,
}

/// The programs and maps that the tap works with.
pub struct Programs {
    /// On functions that take text.
    pub write: UProbe,
    /// On functions that work for a session.
    pub session: UProbe,
    /// Files that the kernel tells of.
    pub seen: RingBuf<MapData>,
    /// Files that it has told of.
    pub known: FilesKnown,
}

/// The tap at work. Dropping it ends its thread and takes the hooks off.
pub struct TlsTap {
    /// A byte wakes the thread, the end of them ends it.
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
    exclude: Arc<Mutex<GlobSet>>,
    report: Arc<Mutex<Report>>,
}

/// What the tap has hooked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Files, by their paths.
    pub files: Vec<HookedFile>,
    /// TLS libraries that cannot be hooked, or not whole; the first of them.
    pub refused: Vec<RefusedFile>,
    /// Files that were searched for TLS functions.
    pub files_searched: u64,
    /// Walks over all processes.
    pub walks: u64,
    /// What the last one took, in microseconds.
    pub walk_us: u64,
    /// From the first mapping of a file to its hooks, in microseconds: the last one.
    pub attach_us: u64,
}

/// A file that is hooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookedFile {
    /// Its path, in the mount namespace of the process that it was found with.
    pub path: String,
    /// What is in it.
    pub library: String,
    /// Functions that are hooked.
    pub functions: Vec<String>,
}

/// A file with a function that is not hooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// Its path, likewise.
    pub path: String,
    /// Which function, and what the kernel said.
    pub why: String,
}

impl TlsTap {
    /// Starts the thread and waits, for a bounded time, until it has walked over all processes.
    ///
    /// # Errors
    ///
    /// No thread, or no pipe.
    pub fn start(programs: Programs, options: Options) -> std::io::Result<TlsTap> {
        let (woken, wake) = std::io::pipe()?;
        let exclude = Arc::new(Mutex::new(options.exclude));
        let report = Arc::new(Mutex::new(Report::default()));
        let (walked, first_walk) = sync_channel(1);
        let work = Work {
            programs,
            exclude: Arc::clone(&exclude),
            files: HashMap::new(),
            remote: HashMap::new(),
            deeper: VecDeque::new(),
            deeper_at: Instant::now(),
            searching: None,
            report: Arc::clone(&report),
        };
        let thread = std::thread::Builder::new()
            .name("tls-tap".into())
            .spawn(move || work.run(&woken, &walked))?;
        wait(&first_walk);
        Ok(TlsTap { wake: Some(wake), thread: Some(thread), exclude, report })
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
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn wait(first_walk: &Receiver<()>) {
    if first_walk.recv_timeout(FIRST_WALK_MAX).is_err() {
        tracing::warn!("not all processes were searched for TLS libraries yet: that goes on");
    }
}

impl Drop for TlsTap {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One file, whatever its paths: a change of it makes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    changed_s: i64,
    changed_ns: i64,
}

impl Identity {
    fn of(file: &File) -> Option<Identity> {
        let metadata = file.metadata().ok()?;
        Some(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed_s: metadata.ctime(),
            changed_ns: metadata.ctime_nsec(),
        })
    }
}

/// What is known of a file.
struct Entry {
    /// The hooks; none where there is nothing to hook.
    links: Vec<UProbeLink>,
    hooked: Option<HookedFile>,
    /// Whether it was not looked into because it is excluded.
    excluded: bool,
    /// By what names the kernel told of it: it is to tell again once the hooks are off.
    told: Vec<FileId>,
    used: Instant,
}

/// What was found in a file, and hooked.
#[derive(Default)]
struct Found {
    links: Vec<UProbeLink>,
    file: Option<HookedFile>,
    /// Whether all of it is to be searched.
    deeper: bool,
}

/// A whole search of a file, in a thread of its own: what a process is about to use does not wait for it.
struct Search {
    identity: Identity,
    mapping: Mapping,
    began: Instant,
    thread: JoinHandle<(File, Result<Image, ImageError>)>,
}

struct Work {
    programs: Programs,
    exclude: Arc<Mutex<GlobSet>>,
    files: HashMap<Identity, Entry>,
    /// Devices of which another program or host answers for the files.
    remote: HashMap<u32, bool>,
    /// Files of which only the exports were searched, with a process that executes each.
    deeper: VecDeque<(Identity, u32, Mapping)>,
    /// Until then none of them is.
    deeper_at: Instant,
    /// The one that is.
    searching: Option<Search>,
    report: Arc<Mutex<Report>>,
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
            let until = match &self.searching {
                Some(_) => next.min(Instant::now() + SEARCH_LOOK),
                None if self.deeper.is_empty() => next,
                None => next.min(self.deeper_at),
            };
            let rest = until.saturating_duration_since(Instant::now()).as_millis() + 1;
            let timeout = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
            let wake = woken.as_fd();
            // A descriptor of the ring lives as long as the ring.
            let ring = self.programs.seen.as_fd();
            let mut wanted =
                [PollFd::new(wake, PollFlags::POLLIN), PollFd::new(ring, PollFlags::POLLIN)];
            let _ = poll(&mut wanted, timeout);
            if wanted[0].any().unwrap_or(true) {
                if is_stopped(woken) {
                    return;
                }
                self.let_go_of_excluded();
                next = Instant::now();
            }
            self.take_told();
            self.search_deeper();
        }
    }

    /// Looks at the files that the kernel has told of, which some process is about to use.
    fn take_told(&mut self) {
        while let Some(seen) = self.programs.seen.next().and_then(|seen| FileSeen::parse(&seen)) {
            self.look_for(seen);
        }
    }

    /// Takes what a whole search has found, and rests for twenty times as long; or begins the next one.
    fn search_deeper(&mut self) {
        match self.searching.take_if(|search| search.thread.is_finished()) {
            Some(search) => self.take_search(search),
            None if self.searching.is_none() && Instant::now() >= self.deeper_at => {
                self.begin_search()
            }
            None => {}
        }
    }

    /// Begins to search one of the files whose exports say nothing.
    fn begin_search(&mut self) {
        let Some((identity, pid, mapping)) = self.deeper.pop_front() else { return };
        let Some(file) = mapping.open(pid) else { return };
        if !self.files.contains_key(&identity) || Identity::of(&file) != Some(identity) {
            return;
        }
        let search = move || {
            host::do_not_hurry();
            let image = image::read(&file, Depth::Whole);
            (file, image)
        };
        let thread = std::thread::Builder::new().name("tls-search".into()).spawn(search);
        let began = Instant::now();
        self.searching = thread.ok().map(|thread| Search { identity, mapping, began, thread });
    }

    fn take_search(&mut self, search: Search) {
        let Search { identity, mapping, began, thread } = search;
        self.deeper_at = Instant::now() + began.elapsed() * DEEPER_REST;
        let Ok((file, image)) = thread.join() else { return };
        // It may have changed while it was searched, or been excluded.
        let is_same = Identity::of(&file) == Some(identity) && self.files.contains_key(&identity);
        if !is_same || self.is_excluded(&mapping.path) {
            return;
        }
        let found = self.hook_image(&file, &mapping, image);
        if let Some(entry) = self.files.get_mut(&identity).filter(|_| found.file.is_some()) {
            (entry.links, entry.hooked) = (found.links, found.file);
            self.report_files();
        }
    }

    /// Looks at everything that every process executes, and takes hooks off what none does.
    fn walk(&mut self, woken: &PipeReader) -> Duration {
        let began = Instant::now();
        let mut seen = HashSet::new();
        let own = std::process::id();
        for pid in maps::processes(PROCESSES_WALKED_MAX) {
            if pid != own {
                maps::of(pid, &mut |mapping| {
                    // What somebody is about to use comes first.
                    self.take_told();
                    if seen.len() < TLS_FILES_SEEN_MAX && seen.insert(mapping.file) {
                        self.look_at(pid, &mapping, None);
                    }
                });
            }
            if has_ended(woken) {
                break;
            }
        }
        self.let_go(began);
        let took = began.elapsed();
        tracing::debug!("walk took {} us", took.as_micros());
        self.with_report(|report| {
            report.walks += 1;
            report.walk_us = took.as_micros() as u64;
        });
        took
    }

    /// Looks at a file that the kernel has told of. Of those that were told of long ago, since many are,
    /// each gets one look: what is not mapped by now was mapped and is not any more.
    fn look_for(&mut self, seen: FileSeen) {
        loop {
            let mut found = false;
            let told_for = Duration::from_nanos(host::boot_ns().saturating_sub(seen.at_ns));
            let last = told_for > MAPPED_WITHIN;
            maps::of(seen.tgid, &mut |mapping| {
                let same = mapping.file.inode == seen.file.inode;
                // Layers of file systems give a file more than one name.
                if same || last {
                    found |= same;
                    self.look_at(seen.tgid, &mapping, Some(&seen).filter(|_| same));
                }
            });
            if found {
                return;
            }
            if last || !std::path::Path::new(&format!("/proc/{}", seen.tgid)).exists() {
                // Nobody has looked into it: the kernel is to tell when it is mapped once more.
                self.programs.known.forget(seen.file);
                return;
            }
            std::thread::sleep(MAPPED_WAIT);
        }
    }

    fn look_at(&mut self, pid: u32, mapping: &Mapping, told: Option<&FileSeen>) {
        if self.is_remote(pid, mapping.file.device) {
            return;
        }
        let Some(file) = mapping.open(pid) else { return };
        let Some(identity) = Identity::of(&file) else { return };
        if let Some(entry) = self.files.get_mut(&identity) {
            entry.used = Instant::now();
            let told = told.map(|seen| seen.file);
            entry.told.extend(told.filter(|told| !entry.told.contains(told)));
            return;
        }
        let excluded = self.is_excluded(&mapping.path);
        let Found { links, file: hooked, deeper } =
            if excluded { Found::default() } else { self.hook(&file, mapping) };
        if deeper && self.deeper.len() < TLS_FILES_DEEPER_MAX {
            self.deeper.push_back((identity, pid, mapping.clone()));
        }
        let is_hooked = hooked.is_some();
        if let Some(seen) = told.filter(|_| is_hooked) {
            let took_ns = host::boot_ns().saturating_sub(seen.at_ns);
            tracing::debug!("{}: hooked {} us after it was mapped", mapping.path, took_ns / 1_000);
            self.with_report(|report| report.attach_us = took_ns / 1_000);
        }
        let told = told.map(|seen| seen.file).into_iter().collect();
        let entry = Entry { links, hooked, excluded, told, used: Instant::now() };
        self.make_room();
        self.files.insert(identity, entry);
        self.with_report(|report| report.files_searched += 1);
        if is_hooked {
            self.report_files();
        }
    }

    /// Whether nobody knows if files of a device ever answer.
    fn is_remote(&mut self, pid: u32, device: u32) -> bool {
        // Disks have a major number.
        if device >> 20 != 0 {
            return false;
        }
        *self.remote.entry(device).or_insert_with(|| {
            let system = maps::file_system(pid, device).unwrap_or_default();
            REMOTE.iter().any(|remote| system.starts_with(remote))
        })
    }

    /// Hooks a file, where there is something to hook.
    fn hook(&mut self, file: &File, mapping: &Mapping) -> Found {
        let image = image::read(file, Depth::Exports);
        self.hook_image(file, mapping, image)
    }

    fn hook_image(
        &mut self,
        file: &File,
        mapping: &Mapping,
        image: Result<Image, ImageError>,
    ) -> Found {
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                tracing::debug!("{} is not searched for TLS functions: {error}", mapping.path);
                return Found::default();
            }
        };
        if let Some(why) = image.unread {
            self.refuse(&mapping.path, why.to_owned());
        }
        let Some(library) = image.library else {
            return Found { deeper: image.deeper, ..Found::default() };
        };
        let (links, functions) = self.attach(file, &image, &mapping.path);
        if links.is_empty() {
            return Found::default();
        }
        let (count, name) = (links.len(), library.name());
        tracing::info!("reads TLS of {} ({name}, {count} functions)", mapping.path);
        let file = HookedFile { path: mapping.path.clone(), library: name.to_owned(), functions };
        Found { links, file: Some(file), deeper: image.deeper }
    }

    fn attach(&mut self, file: &File, image: &Image, path: &str) -> (Vec<UProbeLink>, Vec<String>) {
        // The file that was read, whatever stands at its path by now.
        let target = format!("/proc/self/fd/{}", file.as_raw_fd());
        let (mut links, mut functions) = (Vec::new(), Vec::new());
        let _hurry = Hurry::begin();
        // What takes text first: a program may be about to call it.
        let (writes, others): (Vec<&Site>, Vec<&Site>) =
            image.sites.iter().partition(|site| site.call.is_write());
        for site in writes.into_iter().chain(others) {
            match self.attach_one(site, &target) {
                Ok(link) => {
                    links.push(link);
                    functions.push(site.function.to_owned());
                }
                Err(error) => {
                    self.refuse(path, format!("{}: {}", site.function, with_causes(&error)));
                }
            }
        }
        (links, functions)
    }

    fn attach_one(
        &mut self,
        site: &Site,
        target: &str,
    ) -> Result<UProbeLink, aya::programs::ProgramError> {
        let (probe, cookie) = match site.call {
            Call::Write => (&mut self.programs.write, call::WRITE),
            Call::NsprWrite => (&mut self.programs.write, call::WRITE_NSPR),
            Call::GoWrite => (&mut self.programs.write, call::WRITE_GO),
            Call::GoWriteStack => (&mut self.programs.write, call::WRITE_GO_STACK),
            Call::RustlsWrite => (&mut self.programs.write, call::WRITE_RUSTLS),
            Call::RustlsWriteVectored => (&mut self.programs.write, call::WRITE_RUSTLS_VECTORED),
            Call::Enter => (&mut self.programs.session, call::ENTER),
            Call::End => (&mut self.programs.session, call::END),
            Call::SendFile => (&mut self.programs.session, call::SEND_FILE),
        };
        let location = UProbeAttachLocation::AbsoluteOffset(site.offset);
        let point = UProbeAttachPoint { location, cookie: Some(cookie) };
        let link = probe.attach(point, target, UProbeScope::AllProcesses)?;
        probe.take_link(link)
    }

    fn refuse(&self, path: &str, why: String) {
        tracing::warn!("does not read TLS of {path}: {why}");
        self.with_report(|report| {
            if report.refused.len() < TLS_REFUSED_LISTED_MAX {
                report.refused.push(RefusedFile { path: path.to_owned(), why });
            }
        });
    }

    /// Takes the hooks off what was not used for a while.
    fn let_go(&mut self, now: Instant) {
        let is_old = |entry: &Entry| now.saturating_duration_since(entry.used) > UNUSED_MAX;
        let unused: Vec<_> =
            self.files.iter().filter(|(_, entry)| is_old(entry)).map(|(id, _)| *id).collect();
        for identity in &unused {
            self.forget(*identity);
        }
        if !unused.is_empty() {
            self.report_files();
        }
    }

    fn is_excluded(&self, path: &str) -> bool {
        self.exclude.lock().unwrap_or_else(PoisonError::into_inner).is_match(path)
    }

    /// Takes the hooks off what is excluded by now. What was excluded and is no more is found by a walk.
    fn let_go_of_excluded(&mut self) {
        let paths = |entry: &Entry| entry.hooked.as_ref().map(|file| file.path.clone());
        let changed = self.files.iter().filter(|(_, entry)| match paths(entry) {
            Some(path) => self.is_excluded(&path),
            // It is looked into again.
            None => entry.excluded,
        });
        let changed: Vec<_> = changed.map(|(id, _)| *id).collect();
        for identity in changed {
            self.forget(identity);
        }
        self.report_files();
    }

    fn forget(&mut self, identity: Identity) {
        let Some(entry) = self.files.remove(&identity) else { return };
        // First the kernel is to tell again, so that nobody comes in between unseen.
        for file in &entry.told {
            self.programs.known.forget(*file);
        }
        if let Some(file) = &entry.hooked {
            tracing::info!("nothing uses {} any more: its hooks are off", file.path);
        }
    }

    fn make_room(&mut self) {
        if self.files.len() >= TLS_FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.forget(oldest);
            }
        }
    }

    fn report_files(&self) {
        let files = self.files.values().filter_map(|entry| entry.hooked.clone());
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.with_report(|report| report.files = files);
    }

    fn with_report(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// While it lives the kernel hurries what waits for all processors to come by, which hooking a file does:
/// 0.2 ms and not 8 to 17, in which a program may have sent its first request. It costs each processor an
/// interrupt (`rcu_expedited`, Documentation/admin-guide/kernel-parameters.txt). Where it cannot be had,
/// hooking takes longer.
struct Hurry(Option<File>);

const RCU_EXPEDITED: &str = "/sys/kernel/rcu_expedited";

impl Hurry {
    fn begin() -> Hurry {
        // Whoever has turned it on keeps it.
        if std::fs::read(RCU_EXPEDITED).is_ok_and(|set| set == b"0\n") {
            let file = File::options().write(true).open(RCU_EXPEDITED).ok();
            return Hurry(file.filter(|mut file| file.write_all(b"1").is_ok()));
        }
        Hurry(None)
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        if let Some(file) = &mut self.0 {
            let _ = file.write_all(b"0");
        }
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
