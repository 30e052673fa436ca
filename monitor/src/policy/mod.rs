//! The policy: which findings matter, for which processes and destinations, at which threshold,
//! under which clause of the contract, and what to do. [`Policy::parse`] reads it and finds every
//! error in one pass; the rest answers whether a rule applies. It keeps no state between messages
//! (that is [`crate::decide`]) and reads neither file nor clock.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globset::GlobSet;
use serde::{Deserialize, Serialize};

mod access;
mod parse;
mod prevention;
mod problem;
mod protect;
mod read;
mod scope;
#[cfg(test)]
mod tests;
mod words;

pub use access::{Access, Principal};
pub use jiff::civil::Date;
pub use problem::{Level, Problem};
pub use protect::{Protect, Protection};
pub use scope::{Destination, Network, Processes};
pub(crate) use words::suggest;

use crate::capture::allow::Allow;
use crate::capture::prefilter::{Needs, Shape};
use crate::detect::{Custom, Engine};
use crate::limits::{OPAQUE_FLOW_BYTES_PER_S, OPAQUE_HOST_BYTES_PER_S, POLICY_BYTES_MAX};
use crate::model::{Confidence, Endpoint, Entity, Finding, Process, Severity, Transport};
use problem::Problems;

/// The policy that holds where the operator wrote none: every entity, every destination, alerts
/// only.
pub const DEFAULT_TEXT: &str = include_str!("default.toml");

/// Gives the bytes of a file by its path as the policy names it, or says why there are none.
pub type Files<'f> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'f;

/// A policy that holds.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Sizes and limits of the monitor.
    pub settings: Settings,
    /// What is never killed besides what is built in; ask [`Policy::protection`].
    pub protect: Protect,
    /// What of TLS libraries is read.
    pub tls: Tls,
    /// How much of what a process sends must be examined; `None`: nobody is told.
    pub coverage: Option<CoverageFloor>,
    /// Where a kill-switch or a quarantine lets sends go.
    pub allow: Vec<Allow>,
    /// Who may ask and tell the daemon what, besides root.
    pub access: Access,
    /// The detectors that it brings along, in the order of the file.
    pub detectors: Vec<Arc<Custom>>,
    /// In the order of the file, at least one.
    pub rules: Vec<Rule>,
    /// What the author should know and the policy holds without.
    pub warnings: Vec<Problem>,
    /// The day on which it was read.
    pub today: Date,
}

/// Sizes and limits of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of one send that are copied to user space at most.
    pub sample_bytes_max: u32,
    /// Bytes of the ring buffer between kernel and daemon, a power of two.
    pub ring_bytes: u32,
    /// Kills per minute after which the monitor only alerts; 0 never kills.
    pub kills_per_minute_max: u32,
    /// Sends that the kernel stops within a minute, after which it only tells; 0 stops none.
    pub blocks_per_minute_max: u32,
    /// Likewise, of one executable.
    pub blocks_per_executable_max: u32,
    /// Alerts that wait to be delivered; more are counted as lost.
    pub alerts_queue_max: u32,
    /// Bytes of content that is compressed, binary or encoded that are examined of one flow within a
    /// second.
    pub opaque_flow_bytes_per_s: u32,
    /// And of all flows together.
    pub opaque_host_bytes_per_s: u32,
    /// Whether sends on Unix sockets are looked at too.
    pub unix_sockets: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sample_bytes_max: 16_384,
            ring_bytes: 8 << 20,
            kills_per_minute_max: 10,
            blocks_per_minute_max: 600,
            blocks_per_executable_max: 300,
            alerts_queue_max: 1_024,
            opaque_flow_bytes_per_s: OPAQUE_FLOW_BYTES_PER_S,
            opaque_host_bytes_per_s: OPAQUE_HOST_BYTES_PER_S,
            unix_sockets: false,
        }
    }
}

/// `[tls]`: what is read before it is encrypted.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Whether TLS libraries are hooked at all.
    pub enabled: bool,
    /// Executables and libraries that are never hooked, by path in the mount namespace of the process.
    pub exclude: GlobSet,
}

impl Default for Tls {
    fn default() -> Self {
        Self { enabled: true, exclude: GlobSet::empty() }
    }
}

/// What the alerts of `[coverage]` have where others have the id of a rule.
pub const COVERAGE_RULE: &str = "coverage";

/// `[coverage]`: how much of what a process sends must be examined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoverageFloor {
    /// Share below which an alert is raised, above 0 and up to 1.
    pub alert_below: f64,
    /// Bytes that a process must have sent before it is looked at.
    pub min_bytes: u64,
    /// How often processes are looked at.
    pub every: Duration,
    /// How bad it is.
    pub severity: Severity,
}

/// What a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Tell the security team.
    Alert,
    /// Stop the send, and what its connection sends behind it, and tell.
    Block,
    /// Kill the process, and tell.
    Kill,
    /// Shut what the process sends, and tell.
    Quarantine,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Action::Alert => "alert",
            Action::Block => "block",
            Action::Kill => "kill",
            Action::Quarantine => "quarantine",
        })
    }
}

/// One `[[rule]]`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique in the policy, `[a-z0-9-]{1,64}`.
    pub id: String,
    /// Clause of the contract.
    pub clause: Option<String>,
    /// What the rule is for, in the author's words.
    pub description: Option<String>,
    /// How bad a match is.
    pub severity: Severity,
    /// What to do.
    pub action: Action,
    /// Whether the kernel does it by itself where it can prove what is sent, before anything of it leaves.
    pub prevent: bool,
    /// For how long, where that is to quarantine; `None`: until it is released.
    pub quarantine_for: Option<Duration>,
    /// Which findings, each with the confidence that it takes.
    pub entities: Entities,
    /// To where; `None`: anywhere.
    pub destination: Option<Destination>,
    /// From which processes; `None`: any.
    pub process: Option<Processes>,
    /// Carried by what; empty: anything.
    pub transport: Vec<Transport>,
    /// Whether published test values count.
    pub counts_test_data: bool,
    /// How much it takes; `None`: one finding.
    pub threshold: Option<Threshold>,
    /// What is let through, expired ones included: ask [`Exception::in_force`].
    pub exceptions: Vec<Exception>,
}

/// How much within which time it takes until a rule acts. Every part that is given must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Hits, repeated values included.
    pub count: Option<u64>,
    /// Different values.
    pub distinct: Option<u64>,
    /// How far to look back.
    pub within: Duration,
}

/// One `[[rule.exception]]`: what somebody answers for until a day.
#[derive(Debug, Clone)]
pub struct Exception {
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it is in force.
    pub expires: Date,
    /// Which findings; `None`: all of the rule.
    pub entities: Option<Entities>,
    /// To where; `None`: anywhere.
    pub destination: Option<Destination>,
    /// From which processes; `None`: any.
    pub process: Option<Processes>,
}

/// Entities, each with the least confidence that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entities(Vec<(Entity, Confidence)>);

impl Entities {
    /// Whether `finding` is one of them.
    pub fn contains(&self, finding: &Finding) -> bool {
        self.0
            .iter()
            .any(|(entity, floor)| *entity == finding.entity && finding.confidence >= *floor)
    }

    /// Each with the least confidence that counts.
    pub fn iter(&self) -> impl Iterator<Item = (&Entity, Confidence)> {
        self.0.iter().map(|(entity, floor)| (entity, *floor))
    }
}

impl Policy {
    /// Reads a policy that names no file. `today` is the day against which exceptions expire.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, warnings included, in the order of the file; at most
    /// [`crate::limits::POLICY_ERRORS_MAX`] and one that says how many more there are.
    pub fn parse(text: &str, today: Date) -> Result<Policy, Vec<Problem>> {
        Policy::parse_text(text, today, &mut |_| Err("no file is read here".to_owned()))
    }

    fn parse_text(text: &str, today: Date, files: &mut Files<'_>) -> Result<Policy, Vec<Problem>> {
        fits(text.as_bytes())?;
        let mut problems = Problems::new();
        let policy = parse::policy(text, today, files, &mut problems);
        let holds = !problems.has_errors();
        let problems = problems.finish(text);
        if holds { Ok(Policy { warnings: problems, ..policy }) } else { Err(problems) }
    }

    /// Reads a policy as it stands in a file; `files` has those that it names.
    ///
    /// # Errors
    ///
    /// As [`Policy::parse`]; bytes that are no UTF-8 are an error with their place.
    pub fn parse_bytes(
        bytes: &[u8],
        today: Date,
        files: &mut Files<'_>,
    ) -> Result<Policy, Vec<Problem>> {
        fits(bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Policy::parse_text(text, today, files),
            Err(error) => {
                let until = error.valid_up_to();
                let valid = bytes.get(..until).unwrap_or_default();
                let mut problems = Problems::new();
                problems.error(until..until, "not UTF-8", "save the file as UTF-8");
                Err(problems.finish(&String::from_utf8_lossy(valid)))
            }
        }
    }

    /// `[kill_switch] allow` of a policy, and nothing else of it, so that it is there in a moment.
    ///
    /// # Errors
    ///
    /// What is wrong with that section, or with the syntax of the whole.
    pub fn kill_switch_allow(bytes: &[u8]) -> Result<Vec<Allow>, Vec<Problem>> {
        fits(bytes)?;
        let text = String::from_utf8_lossy(bytes);
        let mut problems = Problems::new();
        let allow = parse::kill_switch_alone(&text, &mut problems);
        if problems.has_errors() { Err(problems.finish(&text)) } else { Ok(allow) }
    }

    /// The policy of [`DEFAULT_TEXT`].
    pub fn default_policy(today: Date) -> Policy {
        Policy::parse(DEFAULT_TEXT, today).expect("the built-in policy holds, as a test shows")
    }

    /// Every entity that a rule asks for, in order.
    pub fn entities(&self) -> Vec<Entity> {
        let asked = self.rules.iter().flat_map(|rule| rule.entities.iter());
        asked.map(|(entity, _)| entity.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// An engine that finds what the rules ask for, and nothing that the kernel's prefilter for this
    /// policy does not let through.
    pub fn engine(&self) -> Engine {
        let asked: HashSet<Entity> = self.entities().into_iter().collect();
        let customs = self.detectors.iter().filter(|custom| asked.contains(&custom.entity));
        let customs: Vec<Arc<Custom>> = customs.cloned().collect();
        let needs = Needs::of(&asked);
        let wide = needs.is_all() || needs.has(Shape::Digits);
        Engine::reaching(|row| asked.contains(&Entity::of(row.entity)), &customs, wide)
    }

    /// An engine of all detectors that it brings along; `None` where there are none.
    pub fn own_engine(&self) -> Option<Engine> {
        (!self.detectors.is_empty()).then(|| Engine::with(|_| false, &self.detectors))
    }

    /// Why `process` must not be killed, whatever the rules say; `None` where it may be. `own_pid`
    /// is the monitor's.
    pub fn protection(&self, process: &Process, own_pid: u32) -> Option<Protection> {
        self.protect.protection(process, own_pid)
    }
}

/// Whether a policy is small enough to be read at all.
fn fits(bytes: &[u8]) -> Result<(), Vec<Problem>> {
    if bytes.len() <= POLICY_BYTES_MAX {
        return Ok(());
    }
    let mut problems = Problems::new();
    let wrong = format!("policy is larger than {POLICY_BYTES_MAX} bytes (limits.policy_bytes_max)");
    problems.error(0..0, wrong, "split or shorten it");
    Err(problems.finish(""))
}

impl Rule {
    /// Whether the rule is about what this process sends there. An unknown destination is only in
    /// a `cidr` that names `unknown`.
    pub fn applies(
        &self,
        process: &Process,
        destination: Option<Endpoint>,
        transport: Transport,
    ) -> bool {
        (self.transport.is_empty() || self.transport.contains(&transport))
            && self.destination.as_ref().is_none_or(|set| set.contains(destination))
            && self.process.as_ref().is_none_or(|set| set.contains(process))
    }

    /// Whether the rule is about this finding, exceptions aside.
    pub fn asks_for(&self, finding: &Finding) -> bool {
        self.entities.contains(finding) && (self.counts_test_data || !finding.test_data)
    }
}

impl Exception {
    /// Whether it still holds on `today`.
    pub fn in_force(&self, today: Date) -> bool {
        today <= self.expires
    }

    /// Whether what this process sends there is let through. Where the destination is unknown and
    /// the exception names one, it is not, unless the exception names `unknown`: nobody answered
    /// for it.
    pub fn applies(&self, process: &Process, destination: Option<Endpoint>) -> bool {
        let answered_for = |set: &Destination| {
            set.contains(destination)
                && (destination.is_some() || set.cidr.contains(&Network::Unknown))
        };
        self.destination.as_ref().is_none_or(answered_for)
            && self.process.as_ref().is_none_or(|set| set.contains(process))
    }

    /// Whether it is about this finding.
    pub fn covers(&self, finding: &Finding) -> bool {
        self.entities.as_ref().is_none_or(|entities| entities.contains(finding))
    }
}
