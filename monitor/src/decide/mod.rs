//! Decides what a message's findings come to: which rules match, which exceptions let through,
//! which thresholds are reached. It keeps the sliding windows of thresholds and nothing else, takes
//! the time from the event, and does not act: whether a process may be killed at all is
//! [`Policy::protection`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Endpoint, Finding, Process, Transport};
use crate::policy::{Date, Policy, Rule};

#[cfg(test)]
mod tests;
mod window;

pub use crate::policy::Action;
pub use window::Reached;
use window::Windows;

/// The findings of one message, and who sent it where.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// When it was sent, nanoseconds since boot.
    pub at_ns: u64,
    /// Sender.
    pub process: &'a Process,
    /// Remote end, `None` where the kernel could not tell.
    pub destination: Option<Endpoint>,
    /// What carried it.
    pub transport: Transport,
    /// What was found in it.
    pub findings: &'a [Finding],
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Index into [`Policy::rules`].
    pub rule: usize,
    /// What the rule asks for.
    pub action: Action,
    /// Indexes of the event's findings that the rule is about, exceptions aside; at least one.
    pub findings: Vec<usize>,
    /// What the rule's threshold had gathered, this event included; `None` where it has none.
    pub window: Option<Reached>,
}

/// What was not decided, counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Findings that an exception let through, once per rule that asked for them.
    pub findings_excepted: u64,
    /// Thresholds that began anew because there was no room for all, and may be reached late.
    pub windows_evicted: u64,
}

/// Holds a policy against events.
#[derive(Debug)]
pub struct Decider {
    policy: Arc<Policy>,
    today: Date,
    windows: Windows,
    findings_excepted: u64,
}

impl Decider {
    /// A decider that has seen nothing yet. Exceptions expire by the day on which the policy was
    /// read, until [`Decider::set_today`].
    pub fn new(policy: Arc<Policy>) -> Self {
        let today = policy.today;
        Self { policy, today, windows: Windows::default(), findings_excepted: 0 }
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Tells the day, so that exceptions expire under a monitor that runs for months.
    pub fn set_today(&mut self, today: Date) {
        self.today = today;
    }

    /// What was not decided, since the start.
    pub fn counters(&self) -> Counters {
        Counters {
            findings_excepted: self.findings_excepted,
            windows_evicted: self.windows.evicted(),
        }
    }

    /// Puts into `out` what `event` comes to, one decision for each rule that acts, in the order
    /// of the policy. What `out` held before is gone.
    pub fn decide(&mut self, event: &Event<'_>, out: &mut Vec<Decision>) {
        out.clear();
        let policy = Arc::clone(&self.policy);
        for (index, rule) in policy.rules.iter().enumerate() {
            if !rule.applies(event.process, event.destination, event.transport) {
                continue;
            }
            let findings = self.matched(rule, event);
            if findings.is_empty() {
                continue;
            }
            let window = match &rule.threshold {
                None => None,
                Some(threshold) => {
                    let matched = findings.iter().filter_map(|&at| event.findings.get(at));
                    let key = (index, event.process.key);
                    match self.windows.add(key, threshold, event.at_ns, matched) {
                        None => continue,
                        reached => reached,
                    }
                }
            };
            out.push(Decision { rule: index, action: rule.action, findings, window });
        }
    }

    /// Indexes of the findings that the rule is about and no exception lets through.
    fn matched(&mut self, rule: &Rule, event: &Event<'_>) -> Vec<usize> {
        let exceptions: Vec<_> = rule
            .exceptions
            .iter()
            .filter(|exception| exception.in_force(self.today))
            .filter(|exception| exception.applies(event.process, event.destination))
            .collect();
        let mut matched = Vec::new();
        for (index, finding) in event.findings.iter().enumerate() {
            if !rule.asks_for(finding) {
                continue;
            }
            if exceptions.iter().any(|exception| exception.covers(finding)) {
                self.findings_excepted = self.findings_excepted.saturating_add(1);
            } else {
                matched.push(index);
            }
        }
        matched
    }

    /// Puts another policy in force. A threshold goes on from where it was if the new policy has a
    /// rule of the same id with the same threshold.
    pub fn replace(&mut self, policy: Arc<Policy>) {
        let kept: HashMap<usize, usize> = {
            let new: HashMap<&str, (usize, &Rule)> = policy
                .rules
                .iter()
                .enumerate()
                .map(|(at, rule)| (rule.id.as_str(), (at, rule)))
                .collect();
            self.policy
                .rules
                .iter()
                .enumerate()
                .filter_map(|(old, rule)| {
                    let &(index, same) = new.get(rule.id.as_str())?;
                    (rule.threshold == same.threshold).then_some((old, index))
                })
                .collect()
        };
        self.windows.renumber(&kept);
        self.today = self.today.max(policy.today);
        self.policy = policy;
    }
}
