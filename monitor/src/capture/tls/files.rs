//! The files that processes execute: which were searched, which are hooked, and until when.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use globset::GlobSet;
use monitor_ebpf::record::{FileId, FileSeen};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use super::hooks::{Attached, Hooks, Link, take_off};
use super::image::{self, Depth, Image, ImageError};
use super::maps::{self, Mapping};
use super::report::{HookedFile, Shared};
use crate::capture::host;
use crate::capture::programs::FilesKnown;
use crate::limits::{TLS_FILES_DEEPER_MAX, TLS_FILES_MAX};

/// A file that no process executes any more stays hooked for as long: a program that runs every minute is
/// hooked once.
const UNUSED_MAX: Duration = Duration::from_secs(300);
/// On another file system than the root's, which hooks keep from being unmounted, until the next walk.
const UNUSED_ELSEWHERE_MAX: Duration = Duration::from_secs(10);
/// How many times as long as it searched a whole file it rests: a twentieth of a core where a compiler
/// makes one program after the other.
const DEEPER_REST: u32 = 20;
/// How often it looks whether such a search has ended.
const SEARCH_LOOK: Duration = Duration::from_millis(10);
/// File systems whose files other programs or hosts answer for, and may never.
const REMOTE: [&str; 8] = ["fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "virtiofs"];
/// One that gives inode numbers more than once.
const REPEATS_NUMBERS: &str = "btrfs";

/// A file, whatever its paths, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Inode {
    device: u64,
    number: u64,
}

/// What changes with what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

fn identity(file: &File) -> Option<(Inode, Version)> {
    let metadata = file.metadata().ok()?;
    let inode = Inode { device: metadata.dev(), number: metadata.ino() };
    let version = Version {
        bytes: metadata.len(),
        modified_s: metadata.mtime(),
        modified_ns: metadata.mtime_nsec(),
    };
    Some((inode, version))
}

/// What is known of a file.
struct Entry {
    version: Version,
    /// The hooks; none where there is nothing to hook.
    links: Vec<Link>,
    hooked: Option<HookedFile>,
    /// Whether it was not looked into because it is excluded.
    excluded: bool,
    /// By what names the kernel told of it: it is to tell again once the hooks are off.
    told: Vec<FileId>,
    used: Instant,
    watch: Option<WatchDescriptor>,
}

/// A file of which only the exports were searched.
struct Deeper {
    inode: Inode,
    file: File,
    mapping: Mapping,
}

/// A whole search of a file, in a thread of its own: what a process is about to use does not wait for it.
struct Search {
    inode: Inode,
    mapping: Mapping,
    began: Instant,
    thread: JoinHandle<(File, Result<Image, ImageError>)>,
}

/// What was found in a file, and hooked.
#[derive(Default)]
struct Found {
    links: Vec<Link>,
    file: Option<HookedFile>,
    /// Whether all of it is to be searched.
    deeper: bool,
}

/// All of them.
pub(super) struct Files {
    hooks: Hooks,
    known: FilesKnown,
    exclude: Arc<Mutex<GlobSet>>,
    report: Shared,
    entries: HashMap<Inode, Entry>,
    /// Types of file systems, by device: of one walk, since devices are given out again.
    systems: HashMap<u32, String>,
    deeper: VecDeque<Deeper>,
    newest: bool,
    deeper_at: Instant,
    searching: Option<Search>,
    changes: Inotify,
    watches: HashMap<WatchDescriptor, Inode>,
    root_device: u64,
}

impl Files {
    pub(super) fn new(
        hooks: Hooks,
        known: FilesKnown,
        exclude: Arc<Mutex<GlobSet>>,
        report: Shared,
    ) -> std::io::Result<Files> {
        Ok(Files {
            hooks,
            known,
            exclude,
            report,
            entries: HashMap::new(),
            systems: HashMap::new(),
            deeper: VecDeque::new(),
            newest: false,
            deeper_at: Instant::now(),
            searching: None,
            changes: Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?,
            watches: HashMap::new(),
            root_device: std::fs::metadata("/").map_or(0, |root| root.dev()),
        })
    }

    /// Is readable when a hooked file is written to.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }

    /// Whether a process's mapping is of a file that two inodes may share the name of.
    pub(super) fn repeats_numbers(&mut self, pid: u32, device: u32) -> bool {
        self.system(pid, device) == REPEATS_NUMBERS
    }

    /// A walk begins.
    pub(super) fn begin_walk(&mut self) {
        self.systems.clear();
    }

    /// Looks at a file that a process executes; whether it could be looked at.
    pub(super) fn look_at(&mut self, pid: u32, mapping: &Mapping, seen: Option<&FileSeen>) -> bool {
        if self.is_remote(pid, mapping.file.device) {
            return true;
        }
        mapping.open(pid).is_some_and(|file| self.look_into(file, mapping, seen))
    }

    /// Looks at a file that the kernel has told of, by what it was mapped from; whether that still names it.
    pub(super) fn look_at_told(&mut self, seen: &FileSeen) -> bool {
        let Some(mapping) = Mapping::told(seen) else { return false };
        if self.is_remote(seen.tgid, mapping.file.device) {
            return true;
        }
        let file = mapping.open(seen.tgid).filter(|file| mapping.is(file));
        file.is_some_and(|file| self.look_into(file, &mapping, Some(seen)))
    }

    fn look_into(&mut self, file: File, mapping: &Mapping, seen: Option<&FileSeen>) -> bool {
        let Some((inode, version)) = identity(&file) else { return false };
        let told = seen.map(|seen| seen.file);
        match self.entries.get_mut(&inode) {
            Some(entry) if entry.version == version => {
                entry.used = Instant::now();
                entry.told.extend(told.filter(|told| !entry.told.contains(told)));
                return true;
            }
            Some(_) => self.forget(inode),
            None => {}
        }
        let excluded = self.is_excluded(&mapping.path);
        let found = if excluded {
            Found::default()
        } else {
            self.hook(&file, mapping, image::read(&file, Depth::Exports))
        };
        self.tell_of_time(mapping, seen.filter(|_| found.file.is_some()));
        self.make_room();
        let entry = Entry {
            version,
            links: Vec::new(),
            hooked: None,
            excluded,
            told: told.into_iter().collect(),
            used: Instant::now(),
            watch: None,
        };
        self.entries.insert(inode, entry);
        self.report.change(|report| report.files_searched += 1);
        let deeper = found.deeper;
        self.keep(inode, &file, found);
        if deeper && self.deeper.len() < TLS_FILES_DEEPER_MAX {
            self.deeper.push_back(Deeper { inode, file, mapping: mapping.clone() });
        }
        true
    }

    fn tell_of_time(&self, mapping: &Mapping, seen: Option<&FileSeen>) {
        let Some(seen) = seen else { return };
        let took_us = host::boot_ns().saturating_sub(seen.at_ns) / 1_000;
        tracing::debug!("{}: hooked {took_us} us after it was mapped", mapping.path);
        self.report.change(|report| report.attach_us = took_us);
    }

    /// Keeps the hooks of a file, and watches it: written to, its functions stand elsewhere.
    fn keep(&mut self, inode: Inode, file: &File, found: Found) {
        let (Some(entry), Some(hooked)) = (self.entries.get_mut(&inode), found.file) else {
            return;
        };
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        entry.links = found.links;
        entry.hooked = Some(hooked);
        entry.watch = self.changes.add_watch(path.as_str(), AddWatchFlags::IN_MODIFY).ok();
        if let Some(watch) = entry.watch {
            self.watches.insert(watch, inode);
        }
        self.report_files();
    }

    /// Takes the hooks off files that are written to: the kernel would put them on what stands there next.
    pub(super) fn take_changes(&mut self) {
        while let Ok(events) = self.changes.read_events() {
            for event in events {
                if let Some(inode) = self.watches.get(&event.wd).copied() {
                    self.forget(inode);
                }
            }
            self.report_files();
        }
    }

    /// When a whole search is to be looked at, or begun.
    pub(super) fn deeper_at(&self) -> Option<Instant> {
        match &self.searching {
            Some(_) => Some(Instant::now() + SEARCH_LOOK),
            None => (!self.deeper.is_empty()).then_some(self.deeper_at),
        }
    }

    /// Takes what a whole search has found, and rests for twenty times as long; or begins the next one.
    pub(super) fn search_deeper(&mut self) {
        match self.searching.take_if(|search| search.thread.is_finished()) {
            Some(search) => self.take_search(search),
            None if self.searching.is_none() && Instant::now() >= self.deeper_at => {
                self.begin_search();
            }
            None => {}
        }
    }

    /// Begins to search one of the files whose exports say nothing: in turn the one that came last, whose
    /// program may be about to send, and the one that waits longest, of a server that runs.
    fn begin_search(&mut self) {
        self.newest = !self.newest;
        let next = if self.newest { self.deeper.pop_back() } else { self.deeper.pop_front() };
        let Some(Deeper { inode, file, mapping }) = next else { return };
        let search = move || {
            host::do_not_hurry();
            let image = image::read(&file, Depth::Whole);
            (file, image)
        };
        let thread = std::thread::Builder::new().name("tls-search".into()).spawn(search);
        let began = Instant::now();
        self.searching = thread.ok().map(|thread| Search { inode, mapping, began, thread });
    }

    fn take_search(&mut self, search: Search) {
        let Search { inode, mapping, began, thread } = search;
        self.deeper_at = Instant::now() + began.elapsed() * DEEPER_REST;
        let Ok((file, image)) = thread.join() else { return };
        // It may have changed while it was searched, or been excluded.
        let version = self.entries.get(&inode).map(|entry| entry.version);
        let same = version.is_some() && identity(&file).map(|(_, version)| version) == version;
        if same && !self.is_excluded(&mapping.path) {
            let found = self.hook(&file, &mapping, image);
            self.keep(inode, &file, found);
        }
    }

    fn system(&mut self, pid: u32, device: u32) -> &str {
        self.systems
            .entry(device)
            .or_insert_with(|| maps::file_system(pid, device).unwrap_or_default())
    }

    /// Whether nobody knows if files of a device ever answer.
    fn is_remote(&mut self, pid: u32, device: u32) -> bool {
        let system = self.system(pid, device);
        REMOTE.iter().any(|remote| system.starts_with(remote))
    }

    /// Hooks a file, where there is something to hook.
    fn hook(&mut self, file: &File, mapping: &Mapping, image: Result<Image, ImageError>) -> Found {
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                tracing::debug!("{} is not searched for TLS functions: {error}", mapping.path);
                return Found::default();
            }
        };
        if let Some(why) = image.unread {
            self.report.refuse(&mapping.path, why.to_owned());
        }
        let Some(library) = image.library else {
            return Found { deeper: image.deeper, ..Found::default() };
        };
        let Attached { links, functions, refused } = self.hooks.attach(file, &image);
        for why in refused {
            self.report.refuse(&mapping.path, why);
        }
        if links.is_empty() {
            return Found::default();
        }
        let (count, library) = (functions.len(), library.name());
        tracing::info!("reads TLS of {} ({library}, {count} functions)", mapping.path);
        let (path, library) = (mapping.path.clone(), library.to_owned());
        let file = HookedFile { path, library, functions };
        Found { links, file: Some(file), deeper: image.deeper }
    }

    /// Takes the hooks off what was not used for a while.
    pub(super) fn let_go(&mut self, now: Instant) {
        let is_old = |inode: &Inode, entry: &Entry| {
            let here = inode.device == self.root_device;
            let unused_max = if here { UNUSED_MAX } else { UNUSED_ELSEWHERE_MAX };
            now.saturating_duration_since(entry.used) > unused_max
        };
        let old = self.entries.iter().filter(|(inode, entry)| is_old(inode, entry));
        self.forget_all(old.map(|(inode, _)| *inode).collect());
    }

    fn is_excluded(&self, path: &str) -> bool {
        self.exclude.lock().unwrap_or_else(PoisonError::into_inner).is_match(path)
    }

    /// Takes the hooks off what is excluded by now. What was excluded and is no more is found by a walk.
    pub(super) fn let_go_of_excluded(&mut self) {
        let changed = self.entries.iter().filter(|(_, entry)| match &entry.hooked {
            Some(file) => self.is_excluded(&file.path),
            // It is looked into again.
            None => entry.excluded,
        });
        self.forget_all(changed.map(|(inode, _)| *inode).collect());
    }

    fn forget_all(&mut self, inodes: Vec<Inode>) {
        if inodes.is_empty() {
            return;
        }
        for inode in inodes {
            self.forget(inode);
        }
        self.report_files();
    }

    fn forget(&mut self, inode: Inode) {
        let Some(entry) = self.entries.remove(&inode) else { return };
        // First the kernel is to tell again, so that nobody comes in between unseen.
        for file in &entry.told {
            self.known.forget(*file);
        }
        if let Some(watch) = entry.watch {
            self.watches.remove(&watch);
            let _ = self.changes.rm_watch(watch);
        }
        if let Some(file) = &entry.hooked {
            tracing::info!("{}: its hooks are off", file.path);
        }
        // Each waits for all processors, a tenth of a second, which what is to be hooked does not.
        if !entry.links.is_empty() {
            let links = entry.links;
            let _ = std::thread::Builder::new().name("tls-unhook".into()).spawn(|| take_off(links));
        }
    }

    /// Takes all hooks off: the end.
    pub(super) fn unhook(&mut self) {
        take_off(self.entries.drain().flat_map(|(_, entry)| entry.links).collect());
    }

    /// Forgets a file that the kernel has told of and nobody could look at.
    pub(super) fn forget_told(&mut self, file: FileId) {
        self.known.forget(file);
    }

    /// What is hooked goes last: whoever maps files in masses takes no hooks off.
    fn make_room(&mut self) {
        if self.entries.len() >= TLS_FILES_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, e)| (e.hooked.is_some(), e.used));
            if let Some(oldest) = oldest.map(|(inode, _)| *inode) {
                self.forget(oldest);
            }
        }
    }

    fn report_files(&self) {
        let files = self.entries.values().filter_map(|entry| entry.hooked.clone());
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.report.change(|report| report.files = files);
    }
}
