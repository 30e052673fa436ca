//! What the monitor needs of the host before it can load anything: rights, tracefs, the root of
//! cgroup v2, clocks. What is not mounted is mounted in a mount namespace of the monitor's own, so
//! that nothing is left behind however it ends.

use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

/// What is wrong with the host, and what to do about it.
#[derive(Debug, Error)]
pub enum HostError {
    /// Not root, or root without its rights.
    #[error("missing {}: run as root, or grant them with AmbientCapabilities= or setcap", .0.join(", "))]
    Capabilities(Vec<String>),
    /// No mount namespace of our own.
    #[error("cannot make a mount namespace: {0}; mount {1} before the start")]
    Namespace(nix::Error, &'static str),
    /// A file system that cannot be mounted.
    #[error("cannot mount {0}: {1}; mount it before the start")]
    Mount(&'static str, nix::Error),
}

/// Rights needed to load and attach.
pub const CAPABILITIES: &[Capability] = &[
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_ADMIN,
];

/// Rights that are kept once everything is attached: to read and write maps, to read who a process
/// is, to kill, and to reopen the policy.
const CAPABILITIES_KEPT: &[Capability] = &[
    Capability::CAP_BPF,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_KILL,
    Capability::CAP_SYS_PTRACE,
];

/// Where tracefs belongs, Documentation/trace/ftrace.rst.
const TRACEFS: &str = "/sys/kernel/tracing";
/// Where cgroup v2 is mounted when nobody else did.
const CGROUP2: &str = "/sys/fs/cgroup";

/// What was found or made.
#[derive(Debug)]
pub struct Host {
    /// Root of cgroup v2.
    pub cgroup_root: PathBuf,
    /// File systems that were mounted for the monitor alone.
    pub mounted: Vec<&'static str>,
}

/// Rights that this process lacks.
pub fn capabilities_missing() -> Vec<String> {
    let effective = caps::read(None, CapSet::Effective).unwrap_or_default();
    CAPABILITIES.iter().filter(|c| !effective.contains(c)).map(ToString::to_string).collect()
}

/// Where a file system of a type is mounted, the first of them (proc(5), /proc/PID/mountinfo).
pub fn mount_point(filesystem: &str) -> Option<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mount_point_in(&table, filesystem)
}

fn mount_point_in(table: &str, filesystem: &str) -> Option<PathBuf> {
    table.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let at = mount.split(' ').nth(4)?;
        (kind.split(' ').next()? == filesystem).then(|| PathBuf::from(at.replace("\\040", " ")))
    })
}

/// Whether tracefs can be found by a tracepoint's attachment.
pub fn tracefs() -> Option<PathBuf> {
    mount_point("tracefs").or_else(|| {
        let path = mount_point("debugfs")?.join("tracing");
        path.join("events").is_dir().then_some(path)
    })
}

/// Makes sure of everything, before threads are started.
pub fn prepare() -> Result<Host, HostError> {
    let missing = capabilities_missing();
    if !missing.is_empty() {
        return Err(HostError::Capabilities(missing));
    }
    let mut mounted = Vec::new();
    if tracefs().is_none() {
        mount_privately("tracefs", TRACEFS, &mut mounted)?;
    }
    let cgroup_root = match mount_point("cgroup2") {
        Some(root) => root,
        None => {
            mount_privately("cgroup2", CGROUP2, &mut mounted)?;
            PathBuf::from(CGROUP2)
        }
    };
    Ok(Host { cgroup_root, mounted })
}

fn mount_privately(
    filesystem: &'static str,
    at: &'static str,
    mounted: &mut Vec<&'static str>,
) -> Result<(), HostError> {
    if mounted.is_empty() {
        unshare(CloneFlags::CLONE_NEWNS)
            .map_err(|error| HostError::Namespace(error, filesystem))?;
        // Slave and not private: what the host mounts later still shows here.
        let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
            .map_err(|error| HostError::Namespace(error, filesystem))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(filesystem), at, Some(filesystem), flags, None::<&str>)
        .map_err(|error| HostError::Mount(filesystem, error))?;
    mounted.push(filesystem);
    Ok(())
}

/// Gives up all rights that are not needed any more, and core dumps: samples are in memory.
pub fn give_up_rights() -> Result<(), String> {
    let kept: caps::CapsHashSet = CAPABILITIES_KEPT.iter().copied().collect();
    let now = caps::read(None, CapSet::Permitted).map_err(|error| error.to_string())?;
    let kept = now.intersection(&kept).copied().collect();
    // Effective first: it may not hold what the permitted set lacks.
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// No core dump will hold what processes sent (prctl(2), PR_SET_DUMPABLE).
pub fn forbid_core_dumps() {
    use nix::sys::resource::{Resource, setrlimit};
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Hands memory that is free back to the kernel. Arming reads the kernel's types, 7 MB of them, once.
pub fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) is thread-safe and touches no memory that is in use.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// Nanoseconds since boot, suspend included: the clock of the records.
pub fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(std::time::Duration::from);
    now.map_or(0, |now| now.as_nanos() as u64)
}

/// The id of a cgroup is the inode number of its directory (kernfs, 64-bit hosts).
pub fn cgroup_path(root: &Path, id: u64, directories_max: usize) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let mut pending = vec![root.to_path_buf()];
    let mut seen = 0;
    while let Some(directory) = pending.pop() {
        if std::fs::metadata(&directory).is_ok_and(|meta| meta.ino() == id) {
            let path = directory.strip_prefix(root).ok()?.to_string_lossy().into_owned();
            return Some(format!("/{path}"));
        }
        seen += 1;
        if seen > directories_max {
            return None;
        }
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        pending.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_by_type() {
        let table = "29 23 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
                     34 29 0:31 / /sys/fs/cgroup/a\\040b rw shared:9 - cgroup2 cgroup2 rw\n";
        let at = |kind| mount_point_in(table, kind);
        assert_eq!(at("cgroup2"), Some(PathBuf::from("/sys/fs/cgroup/a b")));
        assert_eq!(at("tmpfs"), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(at("tracefs"), None);
    }
}
