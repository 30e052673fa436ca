//! Keeps a measurement on one processor.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// This thread on one processor, until dropped. What it starts meanwhile would inherit that.
pub struct Pinned {
    all: CpuSet,
}

impl Pinned {
    /// On the first that is allowed.
    pub fn to_one_cpu() -> Result<Pinned> {
        let this = Pid::from_raw(0);
        let all = sched_getaffinity(this).context("the processors cannot be read")?;
        let mut one = CpuSet::new();
        let first = (0..CpuSet::count()).find(|&cpu| all.is_set(cpu) == Ok(true));
        one.set(first.context("no processor is allowed")?)?;
        sched_setaffinity(this, &one).context("cannot stay on one processor")?;
        Ok(Pinned { all })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // What was allowed before is allowed again.
        let _ = sched_setaffinity(Pid::from_raw(0), &self.all);
    }
}
