//! What is put in quarantine: a process as one and no other, or a cgroup and whoever is in it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use monitor_ebpf::quarantine::{LEVELS_MAX, PATH_BYTES, PROCESSES_MAX};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::statfs::{FsType, fstatfs};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::QuarantineError;
use crate::capture::sockets::{duplicate, numbers};
use crate::capture::{host, processes};
use crate::limits::CGROUPS_WALKED_MAX;

/// `CGROUP2_SUPER_MAGIC`, include/uapi/linux/magic.h.
const CGROUP2_MAGIC: u32 = 0x6367_7270;

/// A process that is held, so that its pid is no other's unnoticed.
pub struct Held {
    /// Its number.
    pub pid: u32,
    /// When it was started, in nanoseconds since boot, or the tick of that.
    pub start_ns: u64,
    pidfd: OwnedFd,
}

/// Sockets of one process that are looked at; a later one is known by its first packet.
const SOCKETS_MAX: usize = 65_536;

impl Held {
    /// Takes hold of a process.
    ///
    /// # Errors
    ///
    /// There is none of that number, or it is a thread of one.
    pub fn of(pid: u32) -> Result<Held, QuarantineError> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number = number.ok_or(QuarantineError::NoProcess(pid))?;
        let pidfd = pidfd_open(number, PidfdFlags::NONBLOCK).map_err(|error| match error {
            rustix::io::Errno::SRCH => QuarantineError::NoProcess(pid),
            rustix::io::Errno::INVAL | rustix::io::Errno::NOENT => QuarantineError::Thread(pid),
            error => QuarantineError::Process(pid, error.into()),
        })?;
        let process = processes::living(pid).ok_or(QuarantineError::NoProcess(pid))?;
        let held = Held { pid, start_ns: process.key.start_ns, pidfd };
        if held.is_there() { Ok(held) } else { Err(QuarantineError::NoProcess(pid)) }
    }

    /// Shows each socket that it has open. What cannot be had is left out: it is known by its first
    /// packet.
    pub(super) fn sockets(&self, mut show: impl FnMut(&OwnedFd)) {
        for number in numbers(self.pid, usize::MAX).take(SOCKETS_MAX) {
            if let Some(socket) = duplicate(&self.pidfd, number) {
                show(&socket);
            }
        }
    }

    /// Whether it has not ended: then its pid was nobody else's in between.
    pub fn is_there(&self) -> bool {
        // Readable once it has (pidfd_open(2)).
        let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO) == Ok(0)
    }
}

/// A cgroup of version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Its directory.
    pub directory: PathBuf,
    /// Its path below the root, which begins with a slash.
    pub path: String,
    /// What the kernel knows it by.
    pub id: u64,
    /// How far below the root.
    pub(super) level: u32,
}

impl Cgroup {
    /// By its directory, or by its path below the root, as `/proc/PID/cgroup` has it.
    ///
    /// # Errors
    ///
    /// There is none, it is none of version 2, or it is the root.
    pub fn at(named: &Path) -> Result<Cgroup, QuarantineError> {
        let no = |why: &str| QuarantineError::Cgroup(named.display().to_string(), why.into());
        let root = host::cgroup_root(&mut Vec::new())?;
        let below = root.join(named.strip_prefix("/").unwrap_or(named));
        let directory = [named.to_path_buf(), below]
            .into_iter()
            .find(|path| path.is_absolute() && is_cgroup(path).is_ok_and(|is| is))
            .ok_or_else(|| no("there is no such cgroup of version 2; `systemd-cgls` lists them"))?;
        let directory = directory.canonicalize().map_err(|error| no(&error.to_string()))?;
        let below = directory.strip_prefix(&root).map_err(|_| no("it is not below the root"))?;
        let level = below.components().count() as u32;
        if level == 0 {
            return Err(no("it is the root: `egress-monitor kill-switch on` shuts the host"));
        }
        let path = format!("/{}", below.display());
        if level >= LEVELS_MAX || path.len() >= PATH_BYTES {
            return Err(no("it is too deep, or its path too long; name one above it"));
        }
        let id = directory.metadata().map_err(|error| no(&error.to_string()))?.ino();
        Ok(Cgroup { directory, path, id, level })
    }

    /// The path below the root of one that may be gone.
    pub fn path_of(named: &Path) -> String {
        if let Ok(cgroup) = Cgroup::at(named) {
            return cgroup.path;
        }
        let root = host::cgroup_root(&mut Vec::new()).unwrap_or_default();
        match named.strip_prefix(&root) {
            Ok(below) => format!("/{}", below.display()),
            Err(_) => named.display().to_string(),
        }
    }

    /// That of a systemd unit: the one of its name.
    ///
    /// # Errors
    ///
    /// There is none, since it does not run, or there are several.
    pub fn of_unit(unit: &str) -> Result<Cgroup, QuarantineError> {
        let name = if unit.contains('.') { unit.into() } else { format!("{unit}.service") };
        let no = |why: String| QuarantineError::Cgroup(name.clone(), why);
        let root = host::cgroup_root(&mut Vec::new())?;
        let mut found = Vec::new();
        walk(&root, |directory| {
            if directory.file_name().is_some_and(|file| file == name.as_str()) {
                found.push(directory.to_path_buf());
            }
        });
        match found.as_slice() {
            [] => Err(no("no cgroup has the name of this unit: it does not run, or systemd here does not use cgroup v2".into())),
            [one] => Cgroup::at(one),
            several => {
                let shown: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
                Err(no(format!("several cgroups have this name; choose by --cgroup: {}", shown.join(" "))))
            }
        }
    }

    /// The processes in it and below, so many at most as can be followed.
    pub fn processes(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        walk(&self.directory, |directory| {
            let text = std::fs::read_to_string(directory.join("cgroup.procs"));
            pids.extend(
                text.unwrap_or_default().lines().filter_map(|line| line.parse::<u32>().ok()),
            );
        });
        // 0 stands for those of another pid namespace.
        pids.retain(|pid| *pid != 0);
        pids.truncate(PROCESSES_MAX as usize);
        pids
    }
}

fn is_cgroup(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    if !file.metadata()?.is_dir() {
        return Ok(false);
    }
    // As wide as the machine's word, and of either sign.
    let FsType(kind) = fstatfs(&file)?.filesystem_type();
    Ok(kind as u32 == CGROUP2_MAGIC)
}

/// Shows a cgroup and those below it.
fn walk(from: &Path, mut show: impl FnMut(&Path)) {
    let mut pending = vec![from.to_path_buf()];
    let mut seen = 0;
    while let Some(directory) = pending.pop() {
        show(&directory);
        seen += 1;
        if seen >= CGROUPS_WALKED_MAX {
            return;
        }
        let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        pending.extend(below.map(|entry| entry.path()));
    }
}
