//! act: kills what a rule says to kill, and says who may be put in quarantine. Who that is is decided by the
//! policy's protection, by a limit per minute, and by the pid still being the process that sent.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::model::{Process, ProcessKey};
use crate::policy::Policy;

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Told, as the rule asks.
    Alerted,
    /// The send was stopped, and its connection ended.
    Blocked,
    /// The process is dead.
    Killed,
    /// The signal went out, but the process was not seen to end in time.
    Signalled,
    /// It was not killed; the reason is with it.
    Refused,
    /// It had ended before.
    Gone,
    /// A dry run: it would have been killed.
    #[serde(rename = "would-kill")]
    WouldKill,
    /// A dry run: the send would have been stopped.
    #[serde(rename = "would-block")]
    WouldBlock,
    /// Nothing more leaves from it.
    Quarantined,
    /// A dry run: it would have been shut.
    #[serde(rename = "would-quarantine")]
    WouldQuarantine,
}

impl Outcome {
    /// The word in alerts.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Alerted => "alerted",
            Outcome::Blocked => "blocked",
            Outcome::Killed => "killed",
            Outcome::Signalled => "signalled",
            Outcome::Refused => "refused",
            Outcome::Gone => "gone",
            Outcome::WouldKill => "would-kill",
            Outcome::WouldBlock => "would-block",
            Outcome::Quarantined => "quarantined",
            Outcome::WouldQuarantine => "would-quarantine",
        }
    }
}

/// What came of an attempt to kill.
pub enum Attempt {
    /// SIGKILL was sent; the descriptor becomes readable when the process has ended.
    Sent(OwnedFd),
    /// Nothing was sent.
    Not(Outcome, Option<String>),
}

/// Kills, within limits.
pub struct Killer {
    dry_run: bool,
    own_pid: u32,
    /// When the last kills were, nanoseconds since boot.
    recent_ns: VecDeque<u64>,
    /// When connections were last ended, likewise.
    blocks_ns: VecDeque<u64>,
    /// Since when the limit is reached.
    tripped: bool,
}

/// Connections ended within a minute that are remembered.
const BLOCKS_KEPT_MAX: u32 = 65_536;

/// The span over which kills are limited.
const MINUTE_NS: u64 = 60_000_000_000;

impl Killer {
    /// Nobody was killed yet.
    pub fn new(dry_run: bool, own_pid: u32) -> Killer {
        Killer {
            dry_run,
            own_pid,
            recent_ns: VecDeque::new(),
            blocks_ns: VecDeque::new(),
            tripped: false,
        }
    }

    /// Kills the process that sent, if all agree. `now_ns` is since boot. `shut` is called first,
    /// once it is certain that the process is to die: what it has queued is not to leave either.
    pub fn kill(
        &mut self,
        process: &Process,
        policy: &Policy,
        now_ns: u64,
        shut: impl FnOnce(),
    ) -> Attempt {
        if let Err(reason) = self.may(process, policy, now_ns) {
            return Attempt::Not(Outcome::Refused, Some(reason));
        }
        if self.dry_run {
            self.recent_ns.push_back(now_ns);
            return Attempt::Not(Outcome::WouldKill, Some("dry run".into()));
        }
        match send_kill(process.key, shut) {
            Ok(Some(pidfd)) => {
                self.recent_ns.push_back(now_ns);
                Attempt::Sent(pidfd)
            }
            Ok(None) => Attempt::Not(Outcome::Gone, None),
            Err(error) => Attempt::Not(Outcome::Refused, Some(format!("kernel: {error}"))),
        }
    }

    /// Whether a connection of the process may be ended, in the place of [`Killer::kill`].
    ///
    /// # Errors
    ///
    /// What is to be told instead.
    pub fn may_block(
        &mut self,
        process: &Process,
        policy: &Policy,
        now_ns: u64,
    ) -> Result<(), (Outcome, String)> {
        if let Some(protection) = policy.protection(process, self.own_pid) {
            return Err((Outcome::Refused, format!("protected: {protection}")));
        }
        while self.blocks_ns.front().is_some_and(|at| now_ns.saturating_sub(*at) > MINUTE_NS) {
            self.blocks_ns.pop_front();
        }
        let limit = policy.settings.blocks_per_minute_max;
        if self.blocks_ns.len() >= limit.min(BLOCKS_KEPT_MAX) as usize {
            let reason = format!("limit of {limit} blocks per minute reached, alert only");
            return Err((Outcome::Refused, reason));
        }
        self.blocks_ns.push_back(now_ns);
        if self.dry_run { Err((Outcome::WouldBlock, "dry run".into())) } else { Ok(()) }
    }

    /// Sees to a process that the kernel has killed already.
    pub fn killed_by_kernel(key: ProcessKey) -> Option<OwnedFd> {
        let pid = i32::try_from(key.pid).ok().and_then(Pid::from_raw)?;
        let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        crate::capture::processes::is_alive(key).then_some(pidfd)
    }

    /// Whether a process may be put in quarantine, which counts as a kill does. What comes of it if it
    /// may not, and why.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn may_quarantine(
        &mut self,
        process: &Process,
        policy: &Policy,
        now_ns: u64,
    ) -> Result<(), (Outcome, String)> {
        self.may(process, policy, now_ns).map_err(|reason| (Outcome::Refused, reason))?;
        self.recent_ns.push_back(now_ns);
        if self.dry_run { Err((Outcome::WouldQuarantine, "dry run".into())) } else { Ok(()) }
    }

    /// Whether protection and limit allow it; else why not.
    fn may(&mut self, process: &Process, policy: &Policy, now_ns: u64) -> Result<(), String> {
        if let Some(protection) = policy.protection(process, self.own_pid) {
            return Err(format!("protected: {protection}"));
        }
        let limit = policy.settings.kills_per_minute_max;
        if !self.within_limit(limit as usize, now_ns) {
            return Err(format!("limit of {limit} kills per minute reached, alert only"));
        }
        Ok(())
    }

    /// Whether the limit holds back kills now.
    pub fn is_tripped(&self) -> bool {
        self.tripped
    }

    fn within_limit(&mut self, limit: usize, now_ns: u64) -> bool {
        while self.recent_ns.front().is_some_and(|at| now_ns.saturating_sub(*at) > MINUTE_NS) {
            self.recent_ns.pop_front();
        }
        let within = self.recent_ns.len() < limit;
        if !within && !self.tripped {
            tracing::warn!(limit, "limit of kills per minute reached: alert only until it falls");
        }
        self.tripped = !within;
        within
    }
}

/// Sends SIGKILL to a process and to no other that has its pid now: the descriptor is opened
/// first, so that the start time which is compared then is that of the one it stands for.
/// `None` where it has ended. Minimum kernel version: 5.3.
fn send_kill(key: ProcessKey, shut: impl FnOnce()) -> rustix::io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(key.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    let pidfd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        other => other?,
    };
    if !crate::capture::processes::is_alive(key) {
        return Ok(None);
    }
    shut();
    match pidfd_send_signal(&pidfd, Signal::KILL) {
        Err(rustix::io::Errno::SRCH) => Ok(None),
        other => other.map(|()| Some(pidfd)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Date;
    use std::process::{Child, Command};

    fn policy() -> Policy {
        Policy::default_policy(Date::constant(2026, 11, 24))
    }

    fn process_of(child: &Child, exe: &str) -> Process {
        let pid = child.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks: u64 =
            stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
        Process {
            key: ProcessKey { pid, start_ns: ticks * 10_000_000 },
            parent_pid: 1,
            exe: exe.into(),
            cmdline: String::new(),
            comm: String::new(),
            uid: 0,
            cgroup: String::new(),
            unit: None,
        }
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn outcome(attempt: Attempt) -> (Outcome, String) {
        match attempt {
            Attempt::Sent(_) => (Outcome::Killed, String::new()),
            Attempt::Not(outcome, reason) => (outcome, reason.unwrap_or_default()),
        }
    }

    #[test]
    fn the_process_dies_and_one_with_its_pid_but_another_start_does_not() {
        let mut child = sleeper();
        let mut killer = Killer::new(false, 1);
        let mut other = process_of(&child, "/usr/bin/sleep");
        other.key.start_ns += 50_000_000;
        assert_eq!(outcome(killer.kill(&other, &policy(), 1, || {})).0, Outcome::Gone);
        assert!(child.try_wait().unwrap().is_none());
        let process = process_of(&child, "/usr/bin/sleep");
        assert_eq!(outcome(killer.kill(&process, &policy(), 1, || {})).0, Outcome::Killed);
        assert!(!child.wait().unwrap().success());
        assert_eq!(outcome(killer.kill(&process, &policy(), 1, || {})).0, Outcome::Gone);
    }

    #[test]
    fn protected_processes_and_those_beyond_the_limit_live() {
        let mut child = sleeper();
        let mut killer = Killer::new(false, 1);
        let sshd = process_of(&child, "/usr/sbin/sshd");
        assert_eq!(
            outcome(killer.kill(&sshd, &policy(), 1, || {})),
            (Outcome::Refused, "protected: built in: sshd".into())
        );
        let process = process_of(&child, "/usr/bin/sleep");
        let mut none = policy();
        none.settings.kills_per_minute_max = 0;
        assert_eq!(
            outcome(killer.kill(&process, &none, 1, || {})),
            (Outcome::Refused, "limit of 0 kills per minute reached, alert only".into())
        );
        assert!(killer.is_tripped());
        let mut dry = Killer::new(true, 1);
        assert_eq!(outcome(dry.kill(&process, &policy(), 1, || {})).0, Outcome::WouldKill);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_limit_falls_back_after_a_minute() {
        let mut killer = Killer::new(true, 1);
        for at in 0..3 {
            assert!(killer.within_limit(3, at));
            killer.recent_ns.push_back(at);
        }
        assert!(!killer.within_limit(3, 4));
        assert!(killer.within_limit(3, MINUTE_NS + 1));
        assert!(!killer.is_tripped());
    }
}
