//! An alert: one JSON object a line, documented in docs/alerts.md, or one line for a person.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use serde::{Deserialize, Serialize};

use crate::act::Outcome;
use crate::limits::{CMDLINE_BYTES_MAX, PROCESSES_SHOWN_MAX};
use crate::model::{Endpoint, Finding, Process, ProcessKey, SampleHead, Severity, Tap, Transport};
use crate::policy::{Action, Rule};
use crate::redact::{Redactor, partly};

/// What a rule came to for one message, and what was done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alert {
    /// When the process sent, RFC 3339 in UTC with microseconds.
    pub time: String,
    /// Unique on this host: milliseconds since 1970 and a count, in hex.
    pub id: String,
    /// Rule of the policy.
    pub rule: String,
    /// Clause of the contract that the rule stands for.
    pub clause: Option<String>,
    /// How bad.
    pub severity: Severity,
    /// What the rule asks for.
    pub action: Action,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, where the outcome is not what the rule asks for.
    pub outcome_reason: Option<String>,
    /// From the send to the death of the process, where it was killed, in microseconds.
    pub death_us: Option<u64>,
    /// Who decided: the kernel before anything left, or the daemon after it.
    pub decided_by: DecidedBy,
    /// Payload bytes of the send that had left when it was stopped; `null` where it was not to be, or
    /// nobody knows.
    pub bytes_leaked: Option<u64>,
    /// Number of the quarantine that the process is in by this rule.
    pub quarantine: Option<u32>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Findings beyond the bound of an alert.
    pub findings_more: usize,
    /// Payload bytes of the flow that were sent in packets so far.
    pub bytes_sent: u64,
    /// Bytes of the flow that were examined so far.
    pub bytes_examined: u64,
    /// Where the bytes were read.
    pub tap: Tap,
    /// What carried them.
    pub transport: Transport,
    /// Who sent.
    pub process: AlertProcess,
    /// Where to; `null` where the kernel could not tell.
    pub destination: Option<AlertEndpoint>,
    /// From the send to this line, in microseconds.
    pub latency_us: u64,
}

/// Where it was decided what is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecidedBy {
    /// In the kernel, in the send itself.
    Kernel,
    /// In the daemon, which sees a sample of what was sent.
    Daemon,
}

/// Who sent, for the outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AlertProcess {
    /// Process id in the host's namespace.
    pub pid: u32,
    /// When it started, nanoseconds since boot: with the pid, unique until the next boot.
    pub start_ns: u64,
    /// Parent's process id, 0 where unknown.
    pub parent_pid: u32,
    /// Executable.
    pub exe: String,
    /// Command line, what detectors find in it struck out.
    pub cmdline: String,
    /// Real uid.
    pub uid: u32,
    /// cgroup v2 path.
    pub cgroup: String,
    /// systemd unit.
    pub unit: Option<String>,
}

/// An end of a flow, for the outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AlertEndpoint {
    /// IPv4 or IPv6.
    pub address: String,
    /// 0 where there is none.
    pub port: u16,
}

/// Processes as alerts show them, those that were told of last: the words of each are searched once.
/// It is for the detectors of one policy.
pub struct Shown(LruCache<ProcessKey, (Arc<Process>, AlertProcess)>);

impl Default for Shown {
    fn default() -> Self {
        Shown(LruCache::new(NonZeroUsize::new(PROCESSES_SHOWN_MAX).unwrap_or(NonZeroUsize::MIN)))
    }
}

impl Shown {
    /// A process, see [`AlertProcess::new`].
    pub fn of(&mut self, process: &Arc<Process>, own: Option<&Redactor>) -> AlertProcess {
        match self.0.get(&process.key) {
            Some((known, shown)) if Arc::ptr_eq(known, process) => shown.clone(),
            _ => {
                let shown = AlertProcess::new(process, own);
                self.0.put(process.key, (Arc::clone(process), shown.clone()));
                shown
            }
        }
    }
}

impl AlertProcess {
    /// A process without what detectors find in its words; `own` has those of the policy.
    pub fn new(process: &Process, own: Option<&Redactor>) -> Self {
        let partly = |text: &str| without_values(text, own);
        Self {
            pid: process.key.pid,
            start_ns: process.key.start_ns,
            parent_pid: process.parent_pid,
            exe: partly(&process.exe),
            cmdline: shown(&process.cmdline, own),
            uid: process.uid,
            cgroup: partly(&process.cgroup),
            unit: process.unit.as_deref().map(partly),
        }
    }
}

impl From<Endpoint> for AlertEndpoint {
    fn from(endpoint: Endpoint) -> Self {
        Self { address: endpoint.address.to_string(), port: endpoint.port }
    }
}

/// A command line as an alert shows it. The kernel notes so many bytes of it and no more: what may
/// be the beginning of a value that it cut there is left out, because no detector recognises it.
fn shown(cmdline: &str, own: Option<&Redactor>) -> String {
    let is_cut = cmdline.len() + 1 >= CMDLINE_BYTES_MAX;
    let mut text = without_values(if is_cut { whole_words(cmdline) } else { cmdline }, own);
    if text.len() > CMDLINE_BYTES_MAX {
        let end = (0..=CMDLINE_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
    }
    if is_cut {
        text.push('…');
    }
    text
}

/// A text without what detectors find in it; `own` has those of the policy.
pub fn without_values(text: &str, own: Option<&Redactor>) -> String {
    own.map_or_else(|| partly(text), |own| partly(&own.strike(text)))
}

fn whole_words(cmdline: &str) -> &str {
    let words = cmdline.rfind(char::is_whitespace).and_then(|end| cmdline.get(..end));
    let in_value = |c: char| c.is_ascii_digit() || c.is_whitespace() || "-.+%".contains(c);
    words.unwrap_or_default().trim_end_matches(in_value)
}

/// What an alert needs besides the rule and the sample.
pub struct Particulars {
    /// [`Alert::time`].
    pub time: String,
    /// [`Alert::id`].
    pub id: String,
    /// Findings that the rule is about, cut to the bound of an alert.
    pub findings: Vec<Finding>,
    /// How many were cut.
    pub findings_more: usize,
    /// Sent and examined bytes of the flow.
    pub bytes: (u64, u64),
    /// [`Alert::process`].
    pub process: AlertProcess,
}

impl Alert {
    /// An alert of which the outcome is not known yet.
    pub fn new(rule: &Rule, head: &SampleHead, particulars: Particulars) -> Alert {
        Alert {
            time: particulars.time,
            id: particulars.id,
            rule: rule.id.clone(),
            clause: rule.clause.clone(),
            severity: rule.severity,
            action: rule.action,
            outcome: Outcome::Alerted,
            outcome_reason: None,
            death_us: None,
            decided_by: DecidedBy::Daemon,
            bytes_leaked: None,
            quarantine: None,
            findings: particulars.findings,
            findings_more: particulars.findings_more,
            bytes_sent: particulars.bytes.0,
            bytes_examined: particulars.bytes.1,
            tap: head.tap,
            transport: head.transport,
            process: particulars.process,
            destination: head.destination.map(AlertEndpoint::from),
            latency_us: 0,
        }
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let mut line = format!("{} {:?} ", self.time, self.severity).to_uppercase();
        let _ = write!(line, "{}", self.rule);
        if let Some(clause) = &self.clause {
            let _ = write!(line, " [{clause}]");
        }
        let file_name = self.process.exe.rsplit('/').next().unwrap_or_default();
        let _ = write!(line, ": {file_name}[{}] sent ", self.process.pid);
        for (index, finding) in self.findings.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(line, "{comma}{} {}", finding.entity, finding.masked);
            if finding.count > 1 {
                let _ = write!(line, " ×{}", finding.count);
            }
        }
        if self.findings_more > 0 {
            let _ = write!(line, " and {} more", self.findings_more);
        }
        if let Some(to) = &self.destination {
            let address = &to.address;
            let bracketed =
                if address.contains(':') { format!("[{address}]") } else { address.clone() };
            let _ = write!(line, " to {bracketed}:{}", to.port);
        }
        let _ = write!(line, " -> {}", self.outcome.name());
        if let Some(reason) = &self.outcome_reason {
            let _ = write!(line, " ({reason})");
        }
        if let Some(death_us) = self.death_us {
            let _ = write!(line, " {death_us} µs after the send");
        }
        if let Some(leaked) = self.bytes_leaked {
            let _ = write!(line, ", {leaked} bytes had left");
        }
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const DOC: &str = include_str!("../../../docs/alerts.md");

    fn example() -> Value {
        let (_, rest) = DOC.split_once("```json\n").unwrap();
        serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
    }

    /// Every key of an object and of those in it.
    fn keys(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                found.push(key.clone());
                keys(value, found);
            }),
            Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_example_in_the_docs_is_an_alert_key_for_key() {
        let alert: Alert = serde_json::from_value(example()).unwrap();
        assert_eq!(serde_json::to_value(&alert).unwrap(), example());
        let mut names = Vec::new();
        keys(&example(), &mut names);
        for name in names {
            assert!(
                DOC.contains(&format!("`{name}`")) || name == "address" || name == "port",
                "{name}"
            );
        }
    }

    #[test]
    fn every_outcome_is_in_the_docs() {
        use Outcome::{
            Alerted, Blocked, Gone, Killed, Quarantined, Refused, Signalled, WouldBlock, WouldKill,
            WouldQuarantine,
        };
        let done = [Alerted, Blocked, Killed, Signalled, Refused, Gone, WouldBlock, WouldKill];
        for outcome in done.into_iter().chain([Quarantined, WouldQuarantine]) {
            assert!(DOC.contains(&format!("| `{}` |", outcome.name())), "{outcome:?}");
        }
    }

    #[test]
    fn a_line_for_people_holds_no_control_characters() {
        let mut alert: Alert = serde_json::from_value(example()).unwrap();
        alert.process.exe = "/tmp/\x1b[31mevil\nname".into();
        let line = alert.line();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(
            line.ends_with(
                "to 203.0.113.9:443 -> killed 374 µs after the send, 4096 bytes had left"
            ),
            "{line}"
        );
    }
}
