//! What the daemon answers to decisions: alerts that go out at once, and kills whose alerts wait
//! until it is known what came of them.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::wait::readable;
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use monitor_ebpf::prevention::{
    ACTION_KILL, VERDICT_ACTION_SHIFT, VERDICT_DRY_RUN, VERDICT_LIMITED, VERDICT_PROTECTED,
    VERDICT_RULE_MASK, VERDICT_UNABLE,
};
use monitor_ebpf::record::{FLOW_GATE_POSITION, ProcessId};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::warden::{Wanted, Warden};
use crate::act::{Attempt, Killer, Outcome};
use crate::capture::host::boot_ns;
use crate::capture::prevention::end_connection;
use crate::capture::programs::Programs;
use crate::decide::Decision;
use crate::limits::{
    ALERTS_WAITING_MAX, DEATH_WAIT_MS, DEATHS_WATCHED_MAX, FINDINGS_PER_ALERT_MAX, KILLED_KNOWN_MAX,
};
use crate::model::{Finding, Process, ProcessKey, SampleHead, Tap, Transport};
use crate::policy::{Action, CoverageFloor, Policy, Rule};
use crate::redact::Redactor;
use crate::report::alert::{Alert, AlertProcess, DecidedBy, Particulars, Shown};
use crate::report::coverage::Ledger;
use crate::report::coverage_alert::CoverageAlert;
use crate::report::sink::{Counters as SinkCounters, Sink};

/// How long it is taken for granted that a quarantine was not released.
const QUARANTINE_ASKED_NS: u64 = 1_000_000_000;

/// A sample about which rules decided.
pub struct Decided<'a> {
    /// Of whom, when, where to.
    pub head: &'a SampleHead,
    /// What was found in it.
    pub findings: &'a [Finding],
    /// What the rules say to that.
    pub decisions: &'a [Decision],
    /// What the kernel had decided, before anything left.
    pub verdict: Option<Verdict>,
    /// Sequence number of the sample's own first byte, without the text of earlier sends before it.
    pub position: u32,
    /// Bytes of the sample itself, and of its send that are not in it.
    pub bytes: u64,
}

/// What the kernel decided on a send.
#[derive(Debug, Clone, Copy)]
pub struct Verdict(pub u32);

impl Verdict {
    /// Index of the rule.
    pub fn rule(self) -> usize {
        (self.0 & VERDICT_RULE_MASK).saturating_sub(1) as usize
    }
    /// Whether it killed the process, or tried to.
    fn kills(self) -> bool {
        (self.0 >> VERDICT_ACTION_SHIFT) & 0xff == ACTION_KILL
    }
    /// Why it did nothing.
    fn refusal(self, policy: &Policy) -> Option<(Outcome, String)> {
        let is = |bit: u32| self.0 & bit != 0;
        if is(VERDICT_DRY_RUN) {
            let outcome = if self.kills() { Outcome::WouldKill } else { Outcome::WouldBlock };
            return Some((outcome, "dry run".into()));
        }
        let reason = if is(VERDICT_PROTECTED) {
            "protected".into()
        } else if is(VERDICT_LIMITED) {
            format!(
                "limit of {} stopped sends per minute, or {} of one executable, reached: alert only",
                policy.settings.blocks_per_minute_max, policy.settings.blocks_per_executable_max
            )
        } else if is(VERDICT_UNABLE) {
            "its socket is none that can be shut".into()
        } else {
            return None;
        };
        Some((Outcome::Refused, reason))
    }
}

/// A process that was sent SIGKILL, and when it was seen to be gone, nanoseconds since boot.
pub struct Death {
    process: ProcessKey,
    at_ns: Option<u64>,
}

/// An alert that waits for a death.
struct Waiting {
    alert: Alert,
    sent_ns: u64,
}

/// What was done, since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Processes killed.
    pub kills: u64,
    /// Processes put in quarantine.
    pub quarantines: u64,
    /// Kills that a rule asked for and that were not done.
    pub kills_refused: u64,
    /// Sends that were stopped, by the kernel or after it.
    pub blocks: u64,
    /// Sockets that could not be shut.
    pub shuts_failed: u64,
    /// Alerts raised: written, lost or still on their way.
    pub alerts: u64,
}

/// Alerts and kills.
pub struct Answer {
    /// Kills whose end is awaited.
    pub deaths: JoinSet<Death>,
    waiting: HashMap<ProcessKey, Vec<Waiting>>,
    /// In all of those lists.
    waiting_alerts: usize,
    killed: LruCache<ProcessKey, u64>,
    /// By process and rule: its number, and when that was asked last, nanoseconds since boot.
    quarantined: LruCache<(ProcessKey, String), (u32, u64)>,
    killer: Killer,
    warden: Option<Warden>,
    sink: Sink,
    /// For what the detectors of the policy find in command lines.
    own: Option<Arc<Redactor>>,
    shown: Shown,
    counters: Counters,
}

impl Answer {
    /// Nothing was decided yet.
    pub fn new(killer: Killer, sink: Sink, warden: Option<Warden>, policy: &Policy) -> Answer {
        let room = NonZeroUsize::new(KILLED_KNOWN_MAX).unwrap_or(NonZeroUsize::MIN);
        Answer {
            deaths: JoinSet::new(),
            waiting: HashMap::new(),
            waiting_alerts: 0,
            killed: LruCache::new(room),
            quarantined: LruCache::new(room),
            killer,
            warden,
            sink,
            own: own(policy),
            shown: Shown::default(),
            counters: Counters::default(),
        }
    }

    /// Whether it can put processes in quarantine.
    pub fn has_warden(&self) -> bool {
        self.warden.is_some()
    }

    /// Knows the detectors of another policy.
    pub fn follow(&mut self, policy: &Policy) {
        self.own = own(policy);
        self.shown = Shown::default();
    }

    /// What strikes out what only the detectors of the policy know.
    pub fn own(&self) -> Option<Arc<Redactor>> {
        self.own.clone()
    }

    /// What was done.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What became of alerts.
    pub fn alerts(&self) -> &SinkCounters {
        self.sink.counters()
    }

    /// Whether the limit of kills holds kills back now.
    pub fn kills_tripped(&self) -> bool {
        self.killer.is_tripped()
    }

    /// Opens the alert file anew.
    pub fn reopen_alerts(&self) {
        self.sink.reopen();
    }

    /// Does what was decided. Kills come first: telling can wait, dying cannot.
    pub fn to(&mut self, decided: &Decided<'_>, policy: &Policy, programs: &mut Programs) {
        let verdict = decided.verdict.filter(|it| it.refusal(policy).is_none());
        let asks = |action| decided.decisions.iter().any(|decision| decision.action == action);
        let kills = asks(Action::Kill).then(|| {
            self.kill(decided.head, policy, programs, verdict.is_some_and(Verdict::kills))
        });
        let stopped = asks(Action::Block)
            .then(|| self.block(decided.head, policy, programs, verdict.is_some()));
        // Behind it nothing more leaves.
        let leaked = leaked(decided, programs);
        for decision in decided.decisions {
            let Some(mut alert) = self.alert(decided, decision, policy, programs) else { continue };
            let sent_ns = decided.head.at_ns;
            let by_kernel = decided.verdict.filter(|it| it.rule() == decision.rule);
            if by_kernel.is_some() {
                alert.decided_by = DecidedBy::Kernel;
            }
            if let Some((outcome, reason)) = by_kernel.and_then(|it| it.refusal(policy)) {
                alert.outcome = outcome;
                alert.outcome_reason = Some(reason);
                self.sink.send(alert, sent_ns);
                continue;
            }
            if decision.action != Action::Alert {
                alert.bytes_leaked = leaked;
            }
            match (decision.action, &kills) {
                (Action::Block, _) => {
                    if let Some((outcome, reason)) = &stopped {
                        alert.outcome = *outcome;
                        alert.outcome_reason.clone_from(reason);
                    }
                    self.sink.send(alert, sent_ns);
                }
                (Action::Kill, Some(Fate::Known(outcome, reason))) => {
                    alert.outcome = *outcome;
                    alert.outcome_reason.clone_from(reason);
                    self.sink.send(alert, sent_ns);
                }
                (Action::Kill, Some(Fate::Died(at_ns))) => self.tell_death(alert, sent_ns, *at_ns),
                (Action::Kill, Some(Fate::Dying)) => self.wait(decided.head, alert),
                (Action::Quarantine, _) => {
                    self.quarantine(&mut alert, decided.head, decision.rule, policy);
                    self.sink.send(alert, sent_ns);
                }
                _ => self.sink.send(alert, sent_ns),
            }
        }
    }

    /// Ends the connection of a send, or sees to it that the process learns that the kernel has shut it.
    fn block(
        &mut self,
        head: &SampleHead,
        policy: &Policy,
        programs: &mut Programs,
        by_kernel: bool,
    ) -> (Outcome, Option<String>) {
        let is_stream = matches!(head.transport, Transport::Tcp | Transport::Tls);
        if by_kernel {
            self.counters.blocks += 1;
            if is_stream {
                end_connection(head.process.key, head.socket);
            }
            return (Outcome::Blocked, None);
        }
        if !is_stream || head.socket == 0 {
            let reason = match head.transport {
                Transport::Udp => "a datagram that has left cannot be stopped",
                _ => "its socket is none that can be shut, or is not known",
            };
            return (Outcome::Refused, Some(reason.into()));
        }
        match self.killer.may_block(&head.process, policy, boot_ns()) {
            Err((outcome, reason)) => (outcome, Some(reason)),
            Ok(()) => match programs.shut(head.socket) {
                Err(error) => {
                    self.counters.shuts_failed += 1;
                    (Outcome::Refused, Some(error.to_string()))
                }
                Ok(()) => {
                    self.counters.blocks += 1;
                    end_connection(head.process.key, head.socket);
                    (Outcome::Blocked, None)
                }
            },
        }
    }

    /// A process that the kernel has killed: its end is waited for, unless it has come.
    fn killed_by_kernel(&mut self, key: ProcessKey, programs: &Programs) -> Option<Fate> {
        if self.waiting.contains_key(&key) || self.killed.contains(&key) {
            return None;
        }
        self.counters.kills += 1;
        match Killer::killed_by_kernel(key) {
            Some(pidfd) if self.deaths.len() < DEATHS_WATCHED_MAX => {
                self.waiting.insert(key, Vec::new());
                self.deaths.spawn(watch(key, pidfd));
                Some(Fate::Dying)
            }
            Some(_) => None,
            None => {
                let id = ProcessId { start_ns: key.start_ns, tgid: key.pid, reserved: 0 };
                let exited_ns = programs.process(id).map(|info| info.exited_ns);
                let at_ns = exited_ns.filter(|&at| at != 0).unwrap_or_else(boot_ns);
                self.killed.put(key, at_ns);
                Some(Fate::Died(at_ns))
            }
        }
    }

    fn kill(
        &mut self,
        head: &SampleHead,
        policy: &Policy,
        programs: &mut Programs,
        by_kernel: bool,
    ) -> Fate {
        let key = head.process.key;
        if by_kernel && let Some(fate) = self.killed_by_kernel(key, programs) {
            return fate;
        }
        let shuts_failed = &mut self.counters.shuts_failed;
        let mut shut = || {
            // Without a cookie the gate cannot tell it from others.
            let shut = head.socket != 0 && programs.shut(head.socket).is_ok();
            *shuts_failed += u64::from(!shut);
        };
        if let Some(&at_ns) = self.killed.get(&key) {
            shut();
            return Fate::Died(at_ns);
        }
        if self.waiting.contains_key(&key) {
            shut();
            return Fate::Dying;
        }
        match self.killer.kill(&head.process, policy, boot_ns(), shut) {
            Attempt::Not(outcome, reason) => {
                self.counters.kills_refused += u64::from(outcome == Outcome::Refused);
                Fate::Known(outcome, reason)
            }
            Attempt::Sent(pidfd) => {
                self.counters.kills += 1;
                if self.deaths.len() >= DEATHS_WATCHED_MAX {
                    let reason = format!("{DEATHS_WATCHED_MAX} deaths are watched already");
                    return Fate::Known(Outcome::Signalled, Some(reason));
                }
                self.waiting.insert(key, Vec::new());
                self.deaths.spawn(watch(key, pidfd));
                Fate::Dying
            }
        }
    }

    /// Puts the process of an alert in quarantine, and notes in it what came of that.
    fn quarantine(&mut self, alert: &mut Alert, head: &SampleHead, rule: usize, policy: &Policy) {
        let key = (head.process.key, alert.rule.clone());
        let now_ns = boot_ns();
        let known = self.quarantined.get(&key).copied();
        let shut = match known {
            // Whoever goes on trying is not asked after each time.
            Some((id, asked_ns)) if now_ns < asked_ns + QUARANTINE_ASKED_NS => Ok((id, asked_ns)),
            known => {
                let rule = policy.rules.get(rule);
                let known = known.and_then(|_| self.shut(alert, head, rule, policy, true).ok());
                let shut = known.map_or_else(
                    || {
                        self.killer.may_quarantine(&head.process, policy, now_ns)?;
                        self.shut(alert, head, rule, policy, false)
                    },
                    Ok,
                );
                shut.map(|id| (id, boot_ns()))
            }
        };
        match shut {
            Ok((id, asked_ns)) => {
                self.counters.quarantines += u64::from(known.is_none_or(|(known, _)| known != id));
                self.quarantined.put(key, (id, asked_ns));
                alert.outcome = Outcome::Quarantined;
                alert.quarantine = Some(id);
            }
            Err((outcome, why)) => {
                self.quarantined.pop(&key);
                self.counters.kills_refused += u64::from(outcome == Outcome::Refused);
                alert.outcome = outcome;
                alert.outcome_reason = Some(why);
            }
        }
    }

    fn shut(
        &self,
        alert: &Alert,
        head: &SampleHead,
        rule: Option<&Rule>,
        policy: &Policy,
        only_known: bool,
    ) -> Result<u32, (Outcome, String)> {
        let clause = rule.and_then(|rule| rule.clause.as_ref());
        let clause = clause.map_or_else(String::new, |clause| format!(" [{clause}]"));
        let none = "quarantine holds from the next start";
        let warden = self.warden.as_ref().ok_or((Outcome::Refused, none.to_owned()))?;
        warden.shut(Wanted {
            process: head.process.key,
            exe: alert.process.exe.clone(),
            reason: format!("rule {}{clause}", alert.rule),
            allow: policy.allow.clone(),
            for_s: rule.and_then(|rule| rule.quarantine_for).map(|time| time.as_secs()),
            only_known,
        })
    }

    fn wait(&mut self, head: &SampleHead, mut alert: Alert) {
        match self.waiting.get_mut(&head.process.key) {
            Some(waiting) if self.waiting_alerts < ALERTS_WAITING_MAX => {
                self.waiting_alerts += 1;
                waiting.push(Waiting { alert, sent_ns: head.at_ns });
            }
            _ => {
                alert.outcome = Outcome::Signalled;
                alert.outcome_reason = Some("too many alerts wait for its end".into());
                self.sink.send(alert, head.at_ns);
            }
        }
    }

    fn alert(
        &mut self,
        decided: &Decided<'_>,
        decision: &Decision,
        policy: &Policy,
        programs: &Programs,
    ) -> Option<Alert> {
        let rule = policy.rules.get(decision.rule)?;
        let head = decided.head;
        let findings = decision.findings.iter().filter_map(|&at| decided.findings.get(at));
        let flow = programs.flow(head.socket);
        let process = self.shown.of(&head.process, self.own.as_deref());
        let (now, id) = self.next_alert();
        let ago = SignedDuration::from_nanos(boot_ns().saturating_sub(head.at_ns) as i64);
        let time = now.checked_sub(ago).unwrap_or(now);
        Some(Alert::new(
            rule,
            head,
            Particulars {
                time: format!("{time:.6}"),
                id,
                findings: findings.take(FINDINGS_PER_ALERT_MAX).cloned().collect(),
                findings_more: decision.findings.len().saturating_sub(FINDINGS_PER_ALERT_MAX),
                bytes: flow.map_or((0, 0), |flow| (flow.sent_bytes, flow.examined_bytes)),
                process,
            },
        ))
    }

    /// Counts one more alert: the moment, and its id.
    fn next_alert(&mut self) -> (Timestamp, String) {
        self.counters.alerts += 1;
        let now = Timestamp::now();
        (now, format!("{:011x}-{:06x}", now.as_millisecond(), self.counters.alerts))
    }

    /// Tells that too little of what a process sends is examined.
    pub fn tell_coverage(&mut self, process: &Process, ledger: Ledger, floor: &CoverageFloor) {
        let (now, id) = self.next_alert();
        let process = AlertProcess::new(process, self.own.as_deref());
        self.sink.send_coverage(CoverageAlert::new(
            format!("{now:.6}"),
            id,
            process,
            ledger,
            floor,
        ));
    }

    /// A watch ended: tells what came of the kill.
    pub fn settle(&mut self, death: Result<Death, JoinError>, programs: &Programs) {
        let Ok(death) = death else { return };
        let key = death.process;
        let waiting = self.waiting.remove(&key).unwrap_or_default();
        self.waiting_alerts -= waiting.len();
        let Some(seen_ns) = death.at_ns else {
            for Waiting { mut alert, sent_ns } in waiting {
                alert.outcome = Outcome::Signalled;
                alert.outcome_reason = Some(format!("not gone after {DEATH_WAIT_MS} ms"));
                self.sink.send(alert, sent_ns);
            }
            return;
        };
        // The kernel noted the moment itself where it followed the process from its start.
        let id = ProcessId { start_ns: key.start_ns, tgid: key.pid, reserved: 0 };
        // A main thread may have ended before the others: then it is not the process's end.
        let sent_ns = waiting.iter().map(|waiting| waiting.sent_ns).min().unwrap_or(u64::MAX);
        let exited_ns = programs.process(id).map(|info| info.exited_ns).filter(|&at| at > sent_ns);
        let at_ns = exited_ns.map_or(seen_ns, |at| at.min(seen_ns));
        self.killed.put(key, at_ns);
        for Waiting { alert, sent_ns } in waiting {
            self.tell_death(alert, sent_ns, at_ns);
        }
    }

    fn tell_death(&self, mut alert: Alert, sent_ns: u64, at_ns: u64) {
        alert.outcome = Outcome::Killed;
        alert.death_us = Some(at_ns.saturating_sub(sent_ns) / 1_000);
        self.sink.send(alert, sent_ns);
    }

    /// Waits for every watch, each of which has a bound of its own, and writes what is queued.
    pub async fn close(&mut self, programs: &Programs) {
        while let Some(death) = self.deaths.join_next().await {
            self.settle(death, programs);
        }
        self.sink.close();
    }
}

/// Payload bytes of a sample that have left by now: of TCP those before which the packet gate stands; of
/// what is written to TLS none, where the kernel decided first, else nobody knows.
fn leaked(decided: &Decided<'_>, programs: &Programs) -> Option<u64> {
    let head = decided.head;
    let stopped_first = decided.verdict.is_some_and(|it| it.0 >> 24 == 0);
    match head.transport {
        // The gate has dropped the packet itself.
        _ if stopped_first && head.tap == Tap::Packet => Some(0),
        Transport::Tcp => {
            let flow = programs.flow(head.socket)?;
            if flow.flags & FLOW_GATE_POSITION == 0 {
                return Some(0);
            }
            let left = flow.gate_position.wrapping_sub(decided.position) as i32;
            Some(u64::try_from(left).unwrap_or(0).min(decided.bytes))
        }
        _ if stopped_first => Some(0),
        Transport::Udp => Some(decided.bytes),
        _ => None,
    }
}

fn own(policy: &Policy) -> Option<Arc<Redactor>> {
    policy.own_engine().map(Redactor::partly).map(Arc::new)
}

/// What became of a process that a rule wants dead.
enum Fate {
    Known(Outcome, Option<String>),
    Died(u64),
    Dying,
}

/// A pidfd is readable when its process has ended (pidfd_open(2)).
async fn watch(process: ProcessKey, pidfd: OwnedFd) -> Death {
    let at_ns = match readable(pidfd) {
        Err(_) => None,
        Ok(pidfd) => {
            let gone = timeout(Duration::from_millis(DEATH_WAIT_MS), pidfd.readable()).await;
            matches!(gone, Ok(Ok(_))).then(boot_ns)
        }
    };
    Death { process, at_ns }
}
