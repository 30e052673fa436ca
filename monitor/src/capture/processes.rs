//! Who a process is: what the kernel noted at its exec or fork, completed from `/proc` while it
//! lives. A process that is gone keeps what the kernel noted; what nobody knows stays empty.

use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use lru::LruCache;
use monitor_ebpf::record::{FLAG_PACKET, ProcessId, ProcessInfo, SampleHead};

use super::host;
use super::programs::Programs;
use crate::limits::{CGROUPS_WALKED_MAX, CMDLINE_BYTES_MAX, PROCESSES_KNOWN_MAX};
use crate::model::{Process, ProcessKey};

/// Real uid of a process of which nobody knows it: the kernel's `INVALID_UID`
/// (include/linux/uidgid.h).
const UID_UNKNOWN: u32 = u32::MAX;

/// Remembers processes, so that each is looked up once.
pub struct Processes {
    known: LruCache<ProcessKey, Known>,
    cgroups: LruCache<u64, String>,
    cgroup_root: PathBuf,
    ticks_per_s: u64,
}

struct Known {
    process: Arc<Process>,
    /// What the kernel had noted; a new exec notes anew.
    noted: Option<ProcessInfo>,
    /// When the kernel was last asked, nanoseconds since boot.
    asked_ns: u64,
}

fn same_exec(a: Option<&ProcessInfo>, b: Option<&ProcessInfo>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            (a.exe_bytes, a.args_bytes, a.exe, a.args) == (b.exe_bytes, b.args_bytes, b.exe, b.args)
        }
        (None, None) => true,
        _ => false,
    }
}

impl Processes {
    /// Knows nobody yet.
    pub fn new(cgroup_root: PathBuf) -> Processes {
        let room = NonZeroUsize::new(PROCESSES_KNOWN_MAX).unwrap_or(NonZeroUsize::MIN);
        Processes {
            known: LruCache::new(room),
            cgroups: LruCache::new(room),
            cgroup_root,
            ticks_per_s: ticks_per_s(),
        }
    }

    /// The process that a sample names.
    pub fn of(&mut self, head: &SampleHead, programs: &Programs) -> Arc<Process> {
        let key = ProcessKey { pid: head.tgid, start_ns: head.start_ns };
        let id = ProcessId { start_ns: head.start_ns, tgid: head.tgid, reserved: 0 };
        // Of a packet only the socket's owner is known, and not who ran when it was sent.
        let from_packet = head.flags & FLAG_PACKET != 0;
        let is_same = |known: &Known| from_packet || known.process.uid == head.uid;
        // What was executed before the send was noted before it, and so before the kernel was asked: of
        // the sends that wait in the ring one asks for all.
        if let Some(known) = self.known.get(&key)
            && is_same(known)
            && head.at_ns < known.asked_ns
        {
            return Arc::clone(&known.process);
        }
        let asked_ns = host::boot_ns();
        let noted = programs.process(id);
        if let Some(known) = self.known.get_mut(&key)
            && is_same(known)
            && same_exec(known.noted.as_ref(), noted.as_ref())
        {
            known.asked_ns = asked_ns;
            return Arc::clone(&known.process);
        }
        let process = Arc::new(self.look_up(key, Some(head), noted.as_ref()));
        self.known.put(key, Known { process: Arc::clone(&process), noted, asked_ns });
        process
    }

    /// A process of which there is no sample at hand. Of one that has ended and is not remembered,
    /// the cgroup stays empty: its path would have to be searched for.
    pub fn named(&mut self, id: ProcessId, programs: &Programs) -> Arc<Process> {
        let key = ProcessKey { pid: id.tgid, start_ns: id.start_ns };
        let noted = programs.process(id);
        if let Some(known) = self.known.get(&key)
            && same_exec(known.noted.as_ref(), noted.as_ref())
        {
            return Arc::clone(&known.process);
        }
        Arc::new(self.look_up(key, None, noted.as_ref()))
    }

    fn look_up(
        &mut self,
        key: ProcessKey,
        head: Option<&SampleHead>,
        noted: Option<&ProcessInfo>,
    ) -> Process {
        let alive = Proc::open(key, self.ticks_per_s);
        let parent = parent_image(noted, self.ticks_per_s);
        let image = alive.as_ref().or(parent.as_ref());
        let noted_args = noted.filter(|noted| noted.args_bytes != 0);
        let cgroups = alive.as_ref().and_then(Proc::cgroups).unwrap_or_default();
        let cgroup = in_hierarchy(&cgroups, "").map(str::to_owned);
        let cgroup = cgroup.unwrap_or_else(|| match head {
            Some(head) => self.cgroup(head.cgroup_id),
            None => noted.and_then(|n| self.cgroups.get(&n.cgroup_id).cloned()).unwrap_or_default(),
        });
        let comm = head.map(|head| text(&head.comm, head.comm.len() as u32, ""));
        let uid = || alive.as_ref().and_then(Proc::uid).or(noted.map(|noted| noted.uid));
        Process {
            key,
            parent_pid: noted
                .map(|noted| noted.parent_tgid)
                .or_else(|| alive.as_ref()?.parent())
                .unwrap_or(0),
            exe: exe(image, noted),
            cmdline: match noted_args {
                Some(noted) => text(&noted.args, noted.args_bytes, " "),
                None => image.and_then(Proc::cmdline).unwrap_or_default(),
            },
            comm: comm
                .filter(|comm| !comm.is_empty())
                .or_else(|| alive.as_ref()?.comm())
                .unwrap_or_default(),
            uid: head.map(|head| head.uid).or_else(uid).unwrap_or(UID_UNKNOWN),
            // On hosts with both hierarchies, systemd may use the older one.
            unit: unit(&cgroup).or_else(|| unit(in_hierarchy(&cgroups, "name=systemd")?)),
            cgroup,
        }
    }

    fn cgroup(&mut self, id: u64) -> String {
        let root = &self.cgroup_root;
        self.cgroups
            .get_or_insert(id, || {
                host::cgroup_path(root, id, CGROUPS_WALKED_MAX).unwrap_or_default()
            })
            .clone()
    }
}

/// A process that runs, by what `/proc` says of it. When it was started is known to a tick.
pub fn living(pid: u32) -> Option<Process> {
    let stat = Proc::stat(pid)?;
    let started: u64 = stat.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let start_ns = started * (1_000_000_000 / ticks_per_s());
    let proc = Proc { pid, stat };
    let cgroups = proc.cgroups().unwrap_or_default();
    let cgroup = in_hierarchy(&cgroups, "").unwrap_or_default();
    Some(Process {
        key: ProcessKey { pid, start_ns },
        parent_pid: proc.parent().unwrap_or(0),
        exe: proc.exe().unwrap_or_default(),
        cmdline: proc.cmdline().unwrap_or_default(),
        comm: proc.comm().unwrap_or_default(),
        uid: proc.uid().unwrap_or(UID_UNKNOWN),
        unit: unit(cgroup).or_else(|| unit(in_hierarchy(&cgroups, "name=systemd")?)),
        cgroup: cgroup.to_owned(),
    })
}

/// Whether a process still runs: one that has its pid now but began at another time does not count.
pub fn is_alive(key: ProcessKey) -> bool {
    Proc::open(key, ticks_per_s()).is_some_and(|proc| proc.runs())
}

/// Every process that runs, as far as proc(5) tells: of its start the tick.
pub fn running() -> Vec<ProcessKey> {
    let tick_ns = 1_000_000_000 / ticks_per_s();
    let Ok(listed) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = listed.flatten().filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let started = |pid: u32| {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
        Some(ProcessKey { pid, start_ns: ticks.checked_mul(tick_ns)? })
    };
    pids.filter_map(started).collect()
}

/// What a process executes and whether it still runs, in a few small reads of `/proc`. Empty where
/// nobody knows; it remembers nothing.
pub fn executable(key: ProcessKey, noted: Option<&ProcessInfo>) -> (String, bool) {
    let ticks_per_s = ticks_per_s();
    let proc = Proc::open(key, ticks_per_s);
    let parent = if proc.is_none() { parent_image(noted, ticks_per_s) } else { None };
    let runs = proc.as_ref().is_some_and(Proc::runs);
    (exe(proc.as_ref().or(parent.as_ref()), noted), runs)
}

/// One that was forked by a process from before our start is its parent's image.
fn parent_image(noted: Option<&ProcessInfo>, ticks_per_s: u64) -> Option<Proc> {
    let noted = noted.filter(|noted| noted.exe_bytes == 0)?;
    let key = ProcessKey { pid: noted.parent_tgid, start_ns: noted.parent_start_ns };
    Proc::open(key, ticks_per_s)
}

/// The executable that `/proc` names, or the one that was noted.
fn exe(image: Option<&Proc>, noted: Option<&ProcessInfo>) -> String {
    let noted = || noted.map(|noted| text(&noted.exe, noted.exe_bytes, "")).unwrap_or_default();
    image.and_then(Proc::exe).unwrap_or_else(|| resolved(noted()))
}

fn ticks_per_s() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    ticks.ok().flatten().map_or(100, |ticks| ticks as u64).max(1)
}

/// A path that was executed may be a link; policies name what stands behind it.
fn resolved(path: String) -> String {
    match std::fs::canonicalize(&path) {
        Ok(real) if path.starts_with('/') => real.to_string_lossy().into_owned(),
        _ => path,
    }
}

/// NUL-separated bytes as text.
fn text(bytes: &[u8], length: u32, between: &str) -> String {
    let bytes = bytes.get(..length as usize).unwrap_or(bytes);
    let parts: Vec<_> =
        bytes.split(|&byte| byte == 0).map(|part| String::from_utf8_lossy(part)).collect();
    let end = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
    if between.is_empty() { parts[..end.min(1)].concat() } else { parts[..end].join(between) }
}

/// systemd's unit out of a cgroup path: the last component that names a service or a scope.
fn unit(cgroup: &str) -> Option<String> {
    let named = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
    cgroup.split('/').rev().find(named).map(str::to_owned)
}

/// `/proc/PID` of one process and of no other that has its pid later: proc(5).
struct Proc {
    pid: u32,
    /// `/proc/PID/stat` behind the name.
    stat: String,
}

impl Proc {
    fn open(key: ProcessKey, ticks_per_s: u64) -> Option<Proc> {
        let stat = Proc::stat(key.pid)?;
        let started: u64 = stat.split_ascii_whitespace().nth(19)?.parse().ok()?;
        let tick_ns = 1_000_000_000 / ticks_per_s;
        (started == key.start_ns / tick_ns).then_some(Proc { pid: key.pid, stat })
    }
    fn stat(pid: u32) -> Option<String> {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        // The name stands in parentheses and may hold any byte.
        Some(stat.rsplit_once(')')?.1.to_owned())
    }
    fn runs(&self) -> bool {
        let mut fields = self.stat.split_ascii_whitespace();
        // Z and X: a zombie, dead (proc(5)). A main thread that ended before others is a zombie too.
        let ended = matches!(fields.next(), None | Some("Z" | "X"));
        let threads = fields.nth(16).and_then(|threads| threads.parse().ok()).unwrap_or(0);
        !ended || threads > 1
    }
    fn parent(&self) -> Option<u32> {
        self.stat.split_ascii_whitespace().nth(1)?.parse().ok()
    }
    fn uid(&self) -> Option<u32> {
        let status = read(&format!("/proc/{}/status", self.pid))?;
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        uids.split_ascii_whitespace().next()?.parse().ok()
    }
    fn exe(&self) -> Option<String> {
        let path = std::fs::read_link(format!("/proc/{}/exe", self.pid)).ok()?;
        Some(path.to_string_lossy().trim_end_matches(" (deleted)").to_owned())
    }
    fn cmdline(&self) -> Option<String> {
        let mut bytes = Vec::with_capacity(CMDLINE_BYTES_MAX);
        let file = std::fs::File::open(format!("/proc/{}/cmdline", self.pid)).ok()?;
        file.take(CMDLINE_BYTES_MAX as u64).read_to_end(&mut bytes).ok()?;
        Some(text(&bytes, bytes.len() as u32, " "))
    }
    fn comm(&self) -> Option<String> {
        read(&format!("/proc/{}/comm", self.pid)).map(|comm| comm.trim_end().to_owned())
    }
    fn cgroups(&self) -> Option<String> {
        read(&format!("/proc/{}/cgroup", self.pid))
    }
}

/// The path of a process in a hierarchy, out of its `/proc/PID/cgroup`: cgroups(7).
fn in_hierarchy<'a>(cgroups: &'a str, controllers: &str) -> Option<&'a str> {
    cgroups
        .lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
        .find_map(|(listed, path)| (listed == controllers).then_some(path))
}

/// A small file of `/proc`, in as few calls as it takes: a process that is to die goes on meanwhile.
fn read(path: &str) -> Option<String> {
    let mut text = String::with_capacity(4096);
    let mut file = std::fs::File::open(path).ok()?;
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_joined_and_names_end_at_nul() {
        assert_eq!(text(b"curl\0-d\0x y\0", 12, " "), "curl -d x y");
        assert_eq!(text(b"curl\0\0\0\0", 8, ""), "curl");
        assert_eq!(text(b"", 9, " "), "");
    }

    #[test]
    fn units_are_read_out_of_cgroups() {
        assert_eq!(unit("/system.slice/nginx.service").as_deref(), Some("nginx.service"));
        assert_eq!(unit("/user.slice/session-3.scope/x").as_deref(), Some("session-3.scope"));
        assert_eq!(unit("/"), None);
    }

    #[test]
    fn own_process_is_found_and_one_that_started_at_another_time_is_not() {
        let pid = std::process::id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks: u64 = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_ascii_whitespace()
            .nth(19)
            .unwrap()
            .parse()
            .unwrap();
        let key = |start_ns| ProcessKey { pid, start_ns };
        assert!(Proc::open(key(ticks * 10_000_000 + 5), 100).is_some());
        assert!(Proc::open(key((ticks + 1) * 10_000_000), 100).is_none());
    }
}
