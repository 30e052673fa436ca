//! What the daemon says of itself: every counter of both sides, and the coverage of the processes
//! that sent most.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use monitor_ebpf::Counter;
use monitor_ebpf::record::{Coverage, ProcessId};

use super::daemon::Daemon;
use crate::capture::hooks::{self, Purpose};
use crate::capture::tls::TlsTap;
use crate::limits::STATUS_PROCESSES_MAX;
use crate::report::coverage::{Ledger, ProcessCoverage};
use crate::report::status::Status;

impl Daemon {
    /// The status as of now.
    pub(super) fn status(&self) -> Status {
        let policy = &self.options.policy_file;
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            armed_s: self.armed_at.elapsed().as_secs(),
            policy: policy.as_ref().map(|path| path.display().to_string()),
            rules: self.pipeline.policy().rules.len(),
            dry_run: self.options.dry_run,
            kills_tripped: self.answer.kills_tripped(),
            taps: hooks::in_use(&self.hooks, Purpose::Tap),
            gates: hooks::in_use(&self.hooks, Purpose::Gate),
            tls: self.tls.as_ref().map(TlsTap::report),
            programs: self.programs.verified().into_iter().collect(),
            kernel: Counter::ALL
                .iter()
                .map(|&counter| (counter.name().into(), self.programs.counter(counter)))
                .collect(),
            daemon: self.counters(),
            coverage: coverage(self.programs.coverage()),
        }
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let pipeline = self.pipeline.counters();
        let (flows, reassembly) = self.pipeline.flows();
        let decider = self.pipeline.decider();
        let answer = self.answer.counters();
        let alerts = self.answer.alerts();
        [
            ("samples_received", self.received.samples),
            ("samples_held", self.received.held),
            ("samples_malformed", self.received.malformed),
            ("bytes_decoded", pipeline.bytes),
            ("flows", flows as u64),
            ("flows_evicted", reassembly.evicted_flows),
            ("flows_expired", reassembly.expired_flows),
            ("flows_restarted", reassembly.restarted_flows),
            ("samples_replaced", reassembly.replaced_samples),
            ("samples_late", reassembly.late_samples),
            ("bytes_overlapping", reassembly.overlap_bytes),
            ("bytes_in_gaps", reassembly.gap_bytes),
            ("hits", pipeline.hits),
            ("hits_over_limit", pipeline.hits_cut),
            ("decisions", pipeline.decisions),
            ("findings_excepted", decider.findings_excepted),
            ("thresholds_evicted", decider.windows_evicted),
            ("alerts", answer.alerts),
            ("alerts_written", alerts.written.load(Ordering::Relaxed)),
            ("alerts_lost_queue_full", alerts.lost_queue_full.load(Ordering::Relaxed)),
            ("alerts_lost_write", alerts.lost_write.load(Ordering::Relaxed)),
            ("blocks", answer.blocks),
            ("kills", answer.kills),
            ("quarantines", answer.quarantines),
            ("kills_refused", answer.kills_refused),
            ("shuts_failed", answer.shuts_failed),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// Of those that sent most, most first.
fn coverage(mut processes: Vec<(ProcessId, Coverage)>) -> Vec<ProcessCoverage> {
    rank(&mut processes);
    processes.truncate(STATUS_PROCESSES_MAX);
    processes.iter().map(|(id, coverage)| process(*id, coverage)).collect()
}

/// Those that sent most come first.
pub(super) fn rank(processes: &mut [(ProcessId, Coverage)]) {
    processes.sort_by_key(|(id, coverage)| {
        (std::cmp::Reverse(coverage.sent_bytes.max(coverage.seen_bytes)), id.start_ns)
    });
}

/// What the kernel counted of a process.
pub(super) fn process(id: ProcessId, coverage: &Coverage) -> ProcessCoverage {
    ProcessCoverage { pid: id.tgid, start_ns: id.start_ns, ledger: Ledger::of(coverage) }
}
