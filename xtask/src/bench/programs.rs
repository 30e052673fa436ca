//! What the kernel itself counts of the time that a process's BPF programs take: in the `fdinfo` of
//! their descriptors, while `kernel.bpf_stats_enabled` is set. Counting costs two looks at the clock
//! for each run, so nothing else is measured meanwhile.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use super::machine::field;

/// Switches the counting on and off. Minimum kernel version: 5.1.
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// The kernel counts, until this is dropped.
pub struct Counting {
    before: String,
}

impl Counting {
    /// Begins.
    pub fn begin() -> Result<Counting> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("no {SWITCH}"))?;
        fs::write(SWITCH, "1").with_context(|| format!("{SWITCH} cannot be written"))?;
        Ok(Counting { before })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // As it was before, so it is allowed.
        let _ = fs::write(SWITCH, self.before.trim());
    }
}

/// Types of programs (`enum bpf_prog_type`, include/uapi/linux/bpf.h): tracepoint, tracing, LSM.
const TAPS: [u32; 3] = [5, 26, 29];
/// BPF_PROG_TYPE_KPROBE: those at functions of programs are of this type.
const TLS_TAP: u32 = 2;
/// BPF_PROG_TYPE_CGROUP_SKB
const GATE: u32 = 8;

/// Type, nanoseconds and runs of each program, by its number.
pub struct Programs(BTreeMap<u32, (u32, u64, u64)>);

/// Nanoseconds that the programs took for each of some sends.
#[derive(Debug, Clone, Copy)]
pub struct PerSend {
    /// Those of the TLS tap.
    pub tls_ns: f64,
    /// Those of the tap at sockets.
    pub tap_ns: f64,
    /// The packet gate.
    pub gate_ns: f64,
}

impl Programs {
    /// Those of a process.
    pub fn of(pid: u32) -> Result<Programs> {
        let folder = format!("/proc/{pid}/fdinfo");
        let descriptors =
            fs::read_dir(&folder).with_context(|| format!("{folder} cannot be read"))?;
        let texts = descriptors.flatten().flat_map(|entry| fs::read_to_string(entry.path()));
        Ok(Programs(texts.filter_map(|text| program(&text)).collect()))
    }

    /// What they took since `before`, for so many sends. Only what ran for each of them counts: others
    /// on the machine write as well.
    pub fn since(&self, before: &Programs, sends: u64) -> PerSend {
        let of = |kinds: &[u32]| {
            let took = self.0.iter().filter(|(_, (kind, ..))| kinds.contains(kind));
            let took = took.filter_map(|(id, (_, ns, runs))| {
                let (_, ns_before, runs_before) = before.0.get(id)?;
                (runs - runs_before >= sends).then_some(ns - ns_before)
            });
            took.sum::<u64>() as f64 / sends as f64
        };
        PerSend { tls_ns: of(&[TLS_TAP]), tap_ns: of(&TAPS), gate_ns: of(&[GATE]) }
    }
}

fn program(fdinfo: &str) -> Option<(u32, (u32, u64, u64))> {
    let kind = field(fdinfo, "prog_type")?.parse().ok()?;
    let id = field(fdinfo, "prog_id")?.parse().ok()?;
    let ns = field(fdinfo, "run_time_ns")?.parse().ok()?;
    Some((id, (kind, ns, field(fdinfo, "run_cnt")?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(kind: u32, ns: u64, runs: u64) -> (u32, u64, u64) {
        (kind, ns, runs)
    }

    #[test]
    fn programs_are_read_and_links_are_not() {
        let text = "pos:\t0\nprog_type:\t5\nprog_id:\t70\nrun_time_ns:\t900\nrun_cnt:\t3\n";
        assert_eq!(program(text), Some((70, ran(5, 900, 3))));
        assert_eq!(program("link_type:\tperf\nprog_id:\t70\n"), None);
    }

    #[test]
    fn only_what_ran_for_each_send_counts() {
        let before =
            Programs(BTreeMap::from([(1, ran(5, 0, 0)), (2, ran(5, 0, 0)), (3, ran(8, 5, 1))]));
        let after = Programs(BTreeMap::from([
            (1, ran(5, 3_000, 10)),
            (2, ran(5, 90, 9)),
            (3, ran(8, 1_005, 21)),
        ]));
        let took = after.since(&before, 10);
        assert_eq!((took.tap_ns, took.gate_ns), (300.0, 100.0));
    }
}
