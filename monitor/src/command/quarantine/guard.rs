//! Whom a quarantine would harm that it should not: what the host cannot do without, and the session that
//! it is typed in.

use std::path::Path;

use crate::capture::processes;
use crate::command::policy::{dictionaries, read, today};
use crate::model::Process;
use crate::policy::{Policy, Protect};

/// How far up processes are asked.
const PARENTS_MAX: usize = 64;

/// What is protected, by the policy as far as it can be read.
pub fn protect(policy: &Path) -> Protect {
    let bytes = policy.metadata().ok().filter(|metadata| metadata.is_file());
    let bytes = bytes.and_then(|_| read(policy).ok());
    let policy = bytes
        .and_then(|bytes| Policy::parse_bytes(&bytes, today(), &mut dictionaries(policy)).ok());
    policy.map(|policy| policy.protect).unwrap_or_default()
}

/// Why one of them should not be shut; the first that is found.
pub fn harm(protect: &Protect, pids: &[u32]) -> Option<String> {
    let own = ancestors();
    pids.iter().find_map(|pid| {
        if own.contains(pid) {
            return Some(format!("process {pid} is what this is typed in, or came from"));
        }
        let process: Process = processes::living(*pid)?;
        let why = protect.protection(&process, std::process::id())?;
        let name = if process.exe.is_empty() { &process.comm } else { &process.exe };
        Some(format!("process {pid} ({name}) is protected: {why}"))
    })
}

/// This process and those that it came from, but for the first of the host.
fn ancestors() -> Vec<u32> {
    let mut own = vec![std::process::id()];
    while own.len() < PARENTS_MAX {
        let parent = own.last().and_then(|pid| processes::living(*pid));
        match parent.map(|process| process.parent_pid) {
            None | Some(0 | 1) => break,
            Some(parent) => own.push(parent),
        }
    }
    own
}
