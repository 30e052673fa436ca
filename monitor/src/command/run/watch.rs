//! Watches coverage: whose share examined fell below what the policy asks for is told once, and again
//! when the gap has doubled or the process had recovered in between.

use std::cmp::Reverse;
use std::sync::Arc;

use lru::LruCache;
use monitor_ebpf::record::{Coverage, ProcessId};

use super::daemon::Daemon;
use crate::limits::{COVERAGE_ALERTS_PER_LOOK_MAX, COVERAGE_TOLD_MAX};
use crate::model::ProcessKey;
use crate::policy::CoverageFloor;
use crate::report::coverage::Ledger;

/// Whose gaps were told. The one told first makes room, and may be told again.
pub struct Watch {
    /// Bytes of the gap when it was told.
    told: LruCache<ProcessKey, u64>,
}

/// A process below the floor, and what it sent.
struct Below {
    id: ProcessId,
    ledger: Ledger,
}

impl Watch {
    /// Nothing was told yet.
    pub fn new() -> Watch {
        Watch { told: LruCache::unbounded() }
    }

    /// Whether a process is below the floor and that is not known yet. One that is not below it is
    /// forgotten.
    fn is_news(&mut self, key: ProcessKey, ledger: &Ledger, floor: &CoverageFloor) -> bool {
        if ledger.share_examined >= floor.alert_below {
            self.told.pop(&key);
            return false;
        }
        let doubled = |told: &u64| ledger.gap_bytes() >= told.saturating_mul(2);
        ledger.bytes() >= floor.min_bytes && self.told.peek(&key).is_none_or(doubled)
    }

    fn note(&mut self, key: ProcessKey, ledger: &Ledger) {
        self.told.put(key, ledger.gap_bytes());
        if self.told.len() > COVERAGE_TOLD_MAX {
            self.told.pop_lru();
        }
    }

    /// Those to tell of now, and how many have to wait for the next look. `own_pid` is the monitor's,
    /// whose own sends are not looked at: an alert about them would raise the next one.
    fn news(
        &mut self,
        all: Vec<(ProcessId, Coverage)>,
        floor: &CoverageFloor,
        own_pid: u32,
    ) -> (Vec<Below>, usize) {
        let mut news: Vec<Below> = Vec::new();
        for (id, coverage) in all.into_iter().filter(|(id, _)| id.tgid != own_pid) {
            let ledger = Ledger::of(&coverage);
            if self.is_news(key(id), &ledger, floor) {
                news.push(Below { id, ledger });
            }
        }
        news.sort_by_key(|below| Reverse(below.ledger.gap_bytes()));
        let waiting = news.len().saturating_sub(COVERAGE_ALERTS_PER_LOOK_MAX);
        news.truncate(COVERAGE_ALERTS_PER_LOOK_MAX);
        for below in &news {
            self.note(key(below.id), &below.ledger);
        }
        (news, waiting)
    }
}

fn key(id: ProcessId) -> ProcessKey {
    ProcessKey { pid: id.tgid, start_ns: id.start_ns }
}

impl Daemon {
    /// Raises the alerts of `[coverage]`.
    pub(super) fn look_at_coverage(&mut self) {
        let policy = Arc::clone(self.pipeline.policy());
        let Some(floor) = &policy.coverage else { return };
        let all = self.programs.coverage();
        let (news, waiting) = self.watch.news(all, floor, std::process::id());
        for below in news {
            let process = self.processes.named(below.id, &self.programs);
            self.answer.tell_coverage(&process, below.ledger, floor);
        }
        if waiting > 0 {
            tracing::warn!(
                "{waiting} more processes are below alert_below; alerts about them come later"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use std::time::Duration;

    const FLOOR: CoverageFloor = CoverageFloor {
        alert_below: 0.99,
        min_bytes: 1_000,
        every: Duration::from_secs(20),
        severity: Severity::Medium,
    };
    const OWN_PID: u32 = 9;

    fn of(tgid: u32, examined: u64, tls: u64) -> (ProcessId, Coverage) {
        let id = ProcessId { start_ns: 1, tgid, reserved: 0 };
        let coverage = Coverage { examined_bytes: examined, tls_bytes: tls, ..Coverage::default() };
        (id, coverage)
    }

    /// What a look sees: pids with bytes examined and bytes of TLS.
    type Seen = &'static [(u32, u64, u64)];

    /// Each look with what it sees, and the gaps that it tells of.
    #[track_caller]
    fn check(looks: &[(Seen, &[u64])]) {
        let mut watch = Watch::new();
        for (at, (seen, expected)) in looks.iter().enumerate() {
            let all = seen.iter().map(|&(pid, examined, tls)| of(pid, examined, tls)).collect();
            let (news, waiting) = watch.news(all, &FLOOR, OWN_PID);
            let told: Vec<u64> = news.iter().map(|below| below.ledger.gap_bytes()).collect();
            assert_eq!((told.as_slice(), waiting), (*expected, 0), "look {at}");
        }
    }

    #[test]
    fn a_gap_is_told_once_and_again_when_it_has_doubled() {
        check(&[
            (&[(1, 900, 100)], &[100]),
            (&[(1, 900, 100)], &[]),
            (&[(1, 900, 199)], &[]),
            (&[(1, 900, 200)], &[200]),
            (&[(1, 900, 399)], &[]),
        ]);
    }

    #[test]
    fn one_that_recovered_is_told_of_anew() {
        check(&[
            (&[(1, 900, 100)], &[100]),
            (&[(1, 90_000, 100)], &[]),
            (&[(1, 90_000, 1_000)], &[1_000]),
            (&[(1, 90_000, 1_100)], &[]),
        ]);
        // Recovered, and below again before the gap has doubled.
        check(&[
            (&[(1, 0, 1_000)], &[1_000]),
            (&[(1, 99_000, 1_000)], &[]),
            (&[(1, 99_000, 1_010)], &[1_010]),
        ]);
    }

    #[test]
    fn the_floor_itself_and_what_is_small_and_our_own_sends_are_no_news() {
        check(&[(&[(1, 990, 10), (2, 0, 999), (OWN_PID, 0, 5_000), (3, 0, 0)], &[])]);
        check(&[(&[(1, 989, 11), (2, 0, 1_000), (0, 0, 1_001)], &[1_001, 1_000, 11])]);
    }

    #[test]
    fn what_one_look_does_not_tell_the_next_does() {
        let mut watch = Watch::new();
        let many = COVERAGE_ALERTS_PER_LOOK_MAX + 3;
        let all = || (0..many).map(|at| of(100 + at as u32, 0, 2_000 + at as u64)).collect();
        let (news, waiting) = watch.news(all(), &FLOOR, OWN_PID);
        assert_eq!((news.len(), waiting), (COVERAGE_ALERTS_PER_LOOK_MAX, 3));
        let (news, waiting) = watch.news(all(), &FLOOR, OWN_PID);
        assert_eq!((news.len(), waiting), (3, 0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut watch = Watch::new();
        for pid in 0..COVERAGE_TOLD_MAX as u32 + 100 {
            let key = ProcessKey { pid, start_ns: 1 };
            watch.note(key, &Ledger::of(&of(pid, 0, 2_000).1));
        }
        assert_eq!(watch.told.len(), COVERAGE_TOLD_MAX);
    }
}
