//! The sockets of processes, by duplicates of their descriptors: pidfd_getfd(2). Minimum kernel version: 5.6.

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::socket_cookie;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::processes::{is_alive, running};
use crate::limits::DESCRIPTORS_SEARCHED_MAX;
use crate::model::ProcessKey;

/// Hands on the sockets of a process until one is what was looked for, which it gives.
fn find<T>(key: ProcessKey, mut wanted: impl FnMut(OwnedFd) -> Option<T>) -> Option<T> {
    let pid = i32::try_from(key.pid).ok().and_then(Pid::from_raw)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    if !is_alive(key) {
        return None;
    }
    let listed = std::fs::read_dir(format!("/proc/{}/fd", key.pid)).ok()?;
    for entry in listed.flatten().take(DESCRIPTORS_SEARCHED_MAX) {
        let is_socket = std::fs::read_link(entry.path())
            .is_ok_and(|to| to.as_os_str().as_encoded_bytes().starts_with(b"socket:"));
        let fd = entry.file_name().to_str().and_then(|fd| fd.parse::<i32>().ok());
        let Some(fd) = fd.filter(|_| is_socket) else { continue };
        // It may be closed by now.
        let Ok(socket) = pidfd_getfd(pidfd.as_fd(), fd, PidfdGetfdFlags::empty()) else { continue };
        if let Some(found) = wanted(socket) {
            return Some(found);
        }
    }
    None
}

/// The socket of a process that has a cookie.
pub(super) fn by_cookie(key: ProcessKey, cookie: u64) -> Option<OwnedFd> {
    find(key, |socket| socket_cookie(&socket).is_ok_and(|its| its == cookie).then_some(socket))
}

/// Gives all sockets of all processes their cookies, for which asking is enough (SO_COOKIE, socket(7)).
pub(super) fn name_all() {
    for key in running() {
        find(key, |socket| {
            let _ = socket_cookie(&socket);
            None::<()>
        });
    }
}
