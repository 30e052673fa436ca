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
    /// Pids here are not those of the kernel.
    #[error(
        "in a pid namespace of its own, where pids name other processes: run in the host's (hostPID: true, --pid=host)"
    )]
    PidNamespace,
    /// A subtree that a container sees as its root.
    #[error(
        "cgroup v2 at {0} is not the root of the host's: run in the host's cgroup namespace (--cgroupns=host)"
    )]
    CgroupRoot(String),
    /// No mount namespace of our own.
    #[error("cannot make a mount namespace: {0}; mount {1} before the start")]
    Namespace(nix::Error, &'static str),
    /// A file system that cannot be mounted.
    #[error("cannot mount {0}: {1}; mount it before the start")]
    Mount(&'static str, nix::Error),
}

/// Inode of the initial pid namespace: `PROC_PID_INIT_INO`, include/linux/proc_ns.h.
const PID_NAMESPACE: &str = "pid:[4026531836]";

/// Whether pids here are those that the programs in the kernel see.
pub fn sees_host_pids() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link == Path::new(PID_NAMESPACE))
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

/// Rights of the thread of the TLS tap: to hook files, and to see what processes execute. Kernels since
/// 6.16, and those that it was carried back to, ask for CAP_SYS_ADMIN where CAP_PERFMON would do before
/// (commit ba677dbe77af).
const CAPABILITIES_OF_TLS_TAP: &[Capability] = &[
    Capability::CAP_BPF,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
];

/// Rights of the thread that shuts and opens: to load and attach, to mark the sockets of others, and to
/// write the audit trail.
const CAPABILITIES_OF_WARDEN: &[Capability] = &[
    Capability::CAP_BPF,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
];

/// Where tracefs belongs, Documentation/trace/ftrace.rst.
const TRACEFS: &str = "/sys/kernel/tracing";
/// Where securityfs belongs.
const SECURITYFS: &str = "/sys/kernel/security";
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

/// Where a file system of a type is mounted, the first of them that no later mount covers (proc(5),
/// /proc/PID/mountinfo).
pub fn mount_point(filesystem: &str) -> Option<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mount_point_in(&table, filesystem)
}

fn mount_point_in(table: &str, filesystem: &str) -> Option<PathBuf> {
    let mounts: Vec<(PathBuf, &str)> = table
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let at = mount.split(' ').nth(4)?.replace("\\040", " ");
            Some((PathBuf::from(at), kind.split(' ').next()?))
        })
        .collect();
    mounts.iter().enumerate().find_map(|(index, (at, kind))| {
        let covered = mounts.iter().skip(index + 1).any(|(later, _)| at.starts_with(later));
        (*kind == filesystem && !covered).then(|| at.clone())
    })
}

/// Whether tracefs can be found by a tracepoint's attachment.
pub fn tracefs() -> Option<PathBuf> {
    mount_point("tracefs").or_else(|| {
        let path = mount_point("debugfs")?.join("tracing");
        path.join("events").is_dir().then_some(path)
    })
}

/// Whether BPF is among the security modules that run. Programs load and attach where it is not, and
/// are never called. The list is in securityfs (Documentation/admin-guide/LSM/index.rst), which need
/// not be mounted.
pub fn lsm_runs_programs() -> bool {
    let at = mount_point("securityfs").unwrap_or_else(|| PathBuf::from(SECURITYFS));
    std::fs::read_to_string(at.join("lsm"))
        .is_ok_and(|modules| modules.trim_end().split(',').any(|module| module == "bpf"))
}

/// Makes sure of everything, before threads are started.
pub fn prepare() -> Result<Host, HostError> {
    let missing = capabilities_missing();
    if !missing.is_empty() {
        return Err(HostError::Capabilities(missing));
    }
    if !sees_host_pids() {
        return Err(HostError::PidNamespace);
    }
    lift_memory_lock();
    lift_descriptor_limit();
    let mut mounted = Vec::new();
    if tracefs().is_none() {
        mount_privately("tracefs", TRACEFS, &mut mounted)?;
    }
    // Without it there is no tap and no gate by LSM, which is no reason not to start.
    if mount_point("securityfs").is_none() {
        let _ = mount_privately("securityfs", SECURITYFS, &mut mounted);
    }
    let cgroup_root = cgroup_root(&mut mounted)?;
    Ok(Host { cgroup_root, mounted })
}

/// Root of cgroup v2, mounted for this process alone where nobody else did.
pub(super) fn cgroup_root(mounted: &mut Vec<&'static str>) -> Result<PathBuf, HostError> {
    let cgroup_root = match mount_point("cgroup2") {
        Some(root) => root,
        None => {
            mount_privately("cgroup2", CGROUP2, mounted)?;
            PathBuf::from(CGROUP2)
        }
    };
    if !is_cgroup_root(&cgroup_root) {
        return Err(HostError::CgroupRoot(cgroup_root.display().to_string()));
    }
    Ok(cgroup_root)
}

/// The root has the first inode of its file system (kernfs, fs/kernfs/dir.c).
fn is_cgroup_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.ino() == 1)
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

/// Before 6.6 each function of a TLS library that is hooked takes a descriptor, and a host has many
/// libraries: as many as this process may have. It waits with poll(2) and epoll(7), which know no limit of theirs.
pub fn lift_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Kernels before 5.11 count maps and programs as locked memory, of which a process may have 64 KiB.
pub(super) fn lift_memory_lock() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
    // Where it is refused and needed, loading says so.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
}

/// Gives up all rights of this thread that are not needed any more.
pub fn give_up_rights() -> Result<(), String> {
    keep(CAPABILITIES_KEPT)
}

/// The same in the thread of the TLS tap.
pub fn keep_rights_of_tls_tap() -> Result<(), String> {
    keep(CAPABILITIES_OF_TLS_TAP)
}

/// The same in the thread that shuts and opens.
pub fn keep_rights_of_warden() -> Result<(), String> {
    keep(CAPABILITIES_OF_WARDEN)
}

fn keep(kept: &[Capability]) -> Result<(), String> {
    let kept: caps::CapsHashSet = kept.iter().copied().collect();
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

/// Asks for short turns on the processor: the scheduler (EEVDF) then lets this thread run soon after
/// it wakes, for no larger share of the time. A kernel before 6.12 takes no notice.
pub fn ask_for_short_turns() {
    use nix::libc;
    // `struct sched_attr`, include/uapi/linux/sched/types.h, its first version.
    #[repr(C)]
    struct SchedAttr {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    let attr = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice: 0,
        priority: 0,
        runtime_ns: TURN_NS,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a structure on this stack, and changes this thread's
    // scheduling alone.
    unsafe {
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0);
    }
}

/// Puts this thread, the one of the TLS tap, before others: what it does it does in microseconds, and a
/// program that has just started does not wait with its first request until its library is hooked.
pub fn hurry_tls_tap() {
    hurry(NICE_OF_TLS_TAP);
}

/// Puts this thread, which shuts the host, before all others that are not of a real-time class.
pub fn hurry_shutting() {
    hurry(NICE_OF_SHUTTING);
}

fn hurry(nice: i32) {
    ask_for_short_turns();
    // SAFETY: setpriority(2) takes numbers; 0 is the calling thread. Without the right to it things stay.
    unsafe {
        nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, nice);
    }
}

/// Puts this thread, which that of the TLS tap has begun, where others are.
pub fn do_not_hurry() {
    // SAFETY: as above; who waits longer needs no right to it.
    unsafe {
        nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 0);
    }
}

/// As system services that must not wait have it.
const NICE_OF_TLS_TAP: i32 = -10;
/// The most that there is: it takes milliseconds once.
const NICE_OF_SHUTTING: i32 = -20;

/// Long enough to answer one send, which takes up to 300 µs, and a fifth of what others get: with
/// 100 µs the daemon lost the processor halfway to a kill, and the process went on for 4 ms.
const TURN_NS: u64 = 600_000;

/// One heap for all threads: each of its own would keep what arming took, several megabytes.
pub fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes two numbers; no other thread was started yet.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1);
        nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        nix::libc::mallopt(nix::libc::M_TRIM_THRESHOLD, 2 * LARGE_BYTES);
    }
}

/// What is as large is mapped by itself: it leaves no hole in the heap when it goes, and of the table
/// of numbering plans, which is half empty, the empty pages take no memory. Left alone, glibc raises
/// this to 32 MiB when the first such block is freed (mallopt(3)). Readings of a sample are smaller.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: nix::libc::c_int = 1 << 20;

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
        let covered = "34 29 0:31 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
                       35 34 0:32 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                       36 35 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = mount_point_in(covered, "cgroup2");
        assert_eq!(found, Some(PathBuf::from("/sys/fs/cgroup/unified")));
    }
}
