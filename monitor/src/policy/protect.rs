//! Which processes are never killed or cut off, whatever a rule says. It only answers; who acts
//! asks.

use std::fmt;

use globset::GlobSet;

use super::scope::exe_path;
use crate::model::Process;

/// File names of executables without which a host cannot be reached, booted or run its containers.
/// A `*` at the end stands for any rest.
const BUILT_IN: [&str; 16] = [
    "agetty",
    "conmon",
    "containerd*",
    "cri-o",
    "crio",
    "crun",
    "dbus-broker*",
    "dbus-daemon",
    "dockerd",
    "init",
    "kubelet",
    "login",
    "runc",
    "sshd",
    // OpenSSH 9.8 split the server: sshd-session and sshd-auth serve what sshd accepts.
    "sshd-*",
    "systemd*",
];

/// What the policy protects besides what is built in.
#[derive(Debug, Clone, Default)]
pub struct Protect {
    /// Globs of the executable's path.
    pub exe: GlobSet,
    /// Globs of the systemd unit's name.
    pub unit: GlobSet,
}

/// Why a process is never killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// pid 1.
    Init,
    /// The monitor itself.
    Monitor,
    /// A kernel thread, or a process of which not even the executable is known.
    NoExecutable,
    /// Its file name is built in; the entry that says so.
    BuiltIn(&'static str),
    /// `protect.exe` of the policy.
    Exe,
    /// `protect.unit` of the policy.
    Unit,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protection::Init => f.write_str("pid 1"),
            Protection::Monitor => f.write_str("the monitor itself"),
            Protection::NoExecutable => f.write_str("no executable is known (kernel thread)"),
            Protection::BuiltIn(name) => write!(f, "built in: {name}"),
            Protection::Exe => f.write_str("protect.exe of the policy"),
            Protection::Unit => f.write_str("protect.unit of the policy"),
        }
    }
}

impl Protect {
    /// Why `process` must not be killed, `None` where it may be. `own_pid` is the monitor's.
    pub fn protection(&self, process: &Process, own_pid: u32) -> Option<Protection> {
        let exe = exe_path(process);
        let file_name = exe.rsplit('/').next().unwrap_or(exe);
        let built_in = || {
            BUILT_IN.into_iter().find(|entry| match entry.strip_suffix('*') {
                Some(prefix) => file_name.starts_with(prefix),
                None => file_name == *entry,
            })
        };
        // Pids 0 (idle) and 2 (kthreadd) have no executable.
        if process.key.pid == 1 {
            Some(Protection::Init)
        } else if process.key.pid == own_pid {
            Some(Protection::Monitor)
        } else if exe.is_empty() {
            Some(Protection::NoExecutable)
        } else if let Some(entry) = built_in() {
            Some(Protection::BuiltIn(entry))
        } else if self.exe.is_match(exe) {
            Some(Protection::Exe)
        } else if process.unit.as_ref().is_some_and(|unit| self.unit.is_match(unit)) {
            Some(Protection::Unit)
        } else {
            None
        }
    }
}
