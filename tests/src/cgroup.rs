//! cgroups of a test.

use std::path::{Path, PathBuf};

/// Path of this process in the cgroup v2 hierarchy.
pub fn own() -> String {
    let text = std::fs::read_to_string("/proc/self/cgroup").expect("procfs is mounted");
    let own = text.lines().find_map(|line| line.strip_prefix("0::"));
    own.expect("cgroup v2 is there").into()
}

/// A cgroup of the test; gone with it, once its processes are.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one below that of this process; `None` where that cannot be.
    pub fn make(name: &str) -> Option<Cgroup> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
        let of_v2 = |line: &&str| line.split(' ').nth(2) == Some("cgroup2");
        let at = mounts.lines().find(of_v2)?.split(' ').nth(1)?;
        let path = Path::new(at).join(own().trim_start_matches('/')).join(name);
        std::fs::create_dir(&path).ok()?;
        Some(Cgroup(path))
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}
