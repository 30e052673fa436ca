//! What the daemon answers to `coverage`: who sent how much, with names. The numbers are read between
//! two turns of the daemon; who they belong to is looked up beside it, because a path that was
//! executed may lie on a disk that does not answer; while as many wait as may, there are no names.

use std::sync::Arc;

use monitor_ebpf::record::{Coverage, ProcessId, ProcessInfo};
use tokio::sync::oneshot;

use super::daemon::{Daemon, answer_with};
use super::status::{process, rank};
use crate::capture::processes::executable;
use crate::limits::COVERAGE_EXE_BYTES_MAX;
use crate::model::ProcessKey;
use crate::redact::Redactor;
use crate::report::alert::without_values;
use crate::report::coverage::{CoverageReport, Ledger, NamedCoverage};

/// A process that is listed, with what the kernel noted of it.
struct Listed {
    id: ProcessId,
    coverage: Coverage,
    noted: Option<ProcessInfo>,
}

impl Daemon {
    /// Answers with the coverage of all, and of so many processes by name.
    pub(super) fn say_coverage(&self, listed_max: usize, answer: oneshot::Sender<Vec<u8>>) {
        let mut processes = self.programs.coverage();
        rank(&mut processes);
        let mut total = Ledger::default();
        for (_, coverage) in &processes {
            total.add(&Ledger::of(coverage));
        }
        let processes_more = processes.len().saturating_sub(listed_max);
        processes.truncate(listed_max);
        let noted = |(id, coverage)| Listed { id, coverage, noted: self.programs.process(id) };
        let listed: Vec<Listed> = processes.into_iter().map(noted).collect();
        let mut report = CoverageReport {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            armed_s: self.armed_at.elapsed().as_secs(),
            total,
            processes: Vec::new(),
            processes_more,
        };
        let own = self.answer.own();
        let Ok(place) = Arc::clone(&self.lookups).try_acquire_owned() else {
            report.processes = listed.iter().map(Listed::unnamed).collect();
            return answer_with(&report, answer);
        };
        tokio::task::spawn_blocking(move || {
            let _place = place;
            report.processes = listed.iter().map(|listed| listed.named(own.as_deref())).collect();
            answer_with(&report, answer);
        });
    }
}

impl Listed {
    fn unnamed(&self) -> NamedCoverage {
        NamedCoverage { exe: None, running: false, process: process(self.id, &self.coverage) }
    }

    fn named(&self, own: Option<&Redactor>) -> NamedCoverage {
        let key = ProcessKey { pid: self.id.tgid, start_ns: self.id.start_ns };
        let (exe, running) = match key.pid {
            0 => Default::default(),
            _ => executable(key, self.noted.as_ref()),
        };
        // Cut afterwards: what is left of half a value would not be known for one.
        let exe = without_values(&exe, own);
        let exe = Some(end_of(&exe, COVERAGE_EXE_BYTES_MAX).to_owned());
        NamedCoverage { exe: exe.filter(|exe| !exe.is_empty()), running, ..self.unnamed() }
    }
}

/// The end of a text, in so many bytes.
fn end_of(text: &str, bytes_max: usize) -> &str {
    let least = text.len().saturating_sub(bytes_max);
    let from = (least..=text.len()).find(|&at| text.is_char_boundary(at));
    from.and_then(|from| text.get(from..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(end_of("/usr/bin/curl", 4), "curl");
        assert_eq!(end_of("/é", 2), "é");
        assert_eq!(end_of("/é", 1), "");
        assert_eq!(end_of("", 9), "");
    }
}
