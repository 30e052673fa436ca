//! What the kernel stops by itself: puts the policy in its words, and tells it of each process in which of
//! the clauses it is, as soon as it executes a program.

use std::sync::Arc;

use aya::maps::{MapData, RingBuf};
use monitor_ebpf::record::ProcessId;
use tokio::io::unix::AsyncFd;

use super::daemon::Daemon;
use crate::capture::processes::running;
use crate::capture::programs::LoadError;
use crate::command::policy::today;
use crate::limits::PROGRAMS_PER_TURN_MAX;
use crate::policy::{Date, Policy};

/// What is in force of it.
pub struct Prevents {
    /// Programs that start.
    pub started: AsyncFd<RingBuf<MapData>>,
    /// Counts what was put in force: what the kernel knows of a process is for one of them.
    generation: u32,
    /// The day by which exceptions are in force.
    today: Option<Date>,
}

impl Prevents {
    /// Nothing is.
    pub fn new(started: AsyncFd<RingBuf<MapData>>) -> Prevents {
        Prevents { started, generation: 0, today: None }
    }

    /// Programs that were started, as many as are found out about in one turn.
    pub fn take(ring: &mut RingBuf<MapData>) -> Vec<ProcessId> {
        let mut ids = Vec::new();
        while ids.len() < PROGRAMS_PER_TURN_MAX {
            let Some(record) = ring.next() else { break };
            ids.extend(ProcessId::parse(&record));
        }
        ids
    }
}

impl Daemon {
    /// Puts in force what the kernel is to stop by itself.
    pub(super) fn prevent(&mut self, policy: &Policy, again: bool) -> Result<(), LoadError> {
        if !policy.prevents() {
            self.prevents.today = None;
            return if again { self.programs.set_prevention(None) } else { Ok(()) };
        }
        let today = today();
        self.prevents.generation = self.prevents.generation.wrapping_add(1);
        let clauses = policy.prevention(today, self.options.dry_run, self.prevents.generation);
        self.programs.set_prevention(Some(&clauses))?;
        self.prevents.today = Some(today);
        let rules = policy.rules.iter().filter(|rule| rule.prevent).count();
        tracing::info!("the kernel itself stops what {rules} of the rules ask for");
        let processes = running();
        let ids: Vec<ProcessId> = processes
            .into_iter()
            .map(|key| ProcessId { start_ns: key.start_ns, tgid: key.pid, reserved: 0 })
            .collect();
        self.classify(&ids);
        Ok(())
    }

    /// Exceptions end with their day.
    pub(super) fn follow_day(&mut self) {
        if self.prevents.today.is_some_and(|day| day != today()) {
            let policy = Arc::clone(self.pipeline.policy());
            if let Err(error) = self.prevent(&policy, true) {
                tracing::error!("exceptions that have expired are in force in the kernel: {error}");
            }
        }
    }

    /// Tells the kernel in which clauses processes are.
    pub(super) fn classify(&mut self, ids: &[ProcessId]) {
        let Some(today) = self.prevents.today else { return };
        let policy = Arc::clone(self.pipeline.policy());
        for id in ids {
            let process = self.processes.named(*id, &self.programs);
            let scope = policy.scope(today, &process, std::process::id(), self.prevents.generation);
            if let Err(error) = self.programs.set_scope(id.tgid, scope) {
                tracing::warn!("the kernel cannot be told of process {}: {error}", id.tgid);
            }
        }
    }
}
