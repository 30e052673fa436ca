//! The BPF file system of the host, where pins outlive who made them. It is mounted where nobody did,
//! and stays: in the mount namespace of process 1, since one that ends takes its pins with it.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, statfs};

use super::host::HostError;

/// Where it belongs, Documentation/bpf/bpf_design_QA.rst.
const BPFFS: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC`, include/uapi/linux/magic.h.
const MAGIC: u32 = 0xcafe_4a11;

/// Its root, if it is mounted, as this process reaches it.
pub fn find() -> Option<PathBuf> {
    let at = place();
    let kind = statfs(&at).ok()?.filesystem_type();
    // As wide as the machine's word, and of either sign.
    let FsType(kind) = kind;
    (kind as u32 == MAGIC).then_some(at)
}

/// The same; mounts it where it is not, and tells that.
///
/// # Errors
///
/// What the kernel says to the mount.
pub fn find_or_mount() -> Result<(PathBuf, bool), HostError> {
    if let Some(at) = find() {
        return Ok((at, false));
    }
    let refused = |error| HostError::Mount("bpf", error);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // A thread, because it does not come back from the namespace.
    let mounted = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if !in_namespace_of_host() {
                let host = File::open("/proc/1/ns/mnt").map_err(|_| nix::Error::EACCES)?;
                unshare(CloneFlags::CLONE_FS)?;
                setns(host, CloneFlags::CLONE_NEWNS)?;
            }
            mount(Some("bpf"), BPFFS, Some("bpf"), flags, Some("mode=700"))
        });
        thread.join().unwrap_or(Err(nix::Error::UnknownErrno))
    });
    // Somebody else may have been first.
    match (find(), mounted) {
        (Some(at), mounted) => Ok((at, mounted.is_ok())),
        (None, mounted) => Err(refused(mounted.err().unwrap_or(nix::Error::ENOENT))),
    }
}

/// Through the root of process 1 where mounts here are others than the host's.
fn place() -> PathBuf {
    let root = if in_namespace_of_host() { "/" } else { "/proc/1/root" };
    Path::new(root).join(BPFFS.trim_start_matches('/'))
}

/// Where process 1 may not be looked at, there is nothing better than what is here.
fn in_namespace_of_host() -> bool {
    let namespace = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/mnt")).ok();
    namespace("1").is_none_or(|host| namespace("thread-self") == Some(host))
}
