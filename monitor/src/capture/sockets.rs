//! The sockets of processes, by duplicates of their descriptors: pidfd_getfd(2). Minimum kernel version: 5.6.

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::socket_cookie;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::processes::{is_alive, running};
use crate::limits::DESCRIPTORS_SEARCHED_MAX;
use crate::model::ProcessKey;

/// Those of the first so many descriptors of a process that are sockets, by their numbers.
pub(super) fn numbers(pid: u32, descriptors_max: usize) -> impl Iterator<Item = i32> {
    let listed = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    listed.take(descriptors_max).filter_map(|entry| {
        let to = std::fs::read_link(entry.path()).ok()?;
        let is_socket = to.as_os_str().as_encoded_bytes().starts_with(b"socket:");
        entry.file_name().to_str()?.parse().ok().filter(|_| is_socket)
    })
}

/// A duplicate of a descriptor of a process; `None` where it is closed by now.
pub(super) fn duplicate(pidfd: &OwnedFd, number: i32) -> Option<OwnedFd> {
    pidfd_getfd(pidfd.as_fd(), number, PidfdGetfdFlags::empty()).ok()
}

/// Hands on the sockets of a process until one is what was looked for, which it gives.
fn find<T>(key: ProcessKey, mut wanted: impl FnMut(OwnedFd) -> Option<T>) -> Option<T> {
    let pid = i32::try_from(key.pid).ok().and_then(Pid::from_raw)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    if !is_alive(key) {
        return None;
    }
    numbers(key.pid, DESCRIPTORS_SEARCHED_MAX)
        .filter_map(|number| duplicate(&pidfd, number))
        .find_map(&mut wanted)
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
