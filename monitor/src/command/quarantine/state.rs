//! What a quarantine says of itself: kept in the kernel beside it, so it lasts as long.

use std::fmt::Write as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::capture::allow::{self, Allow};
use crate::capture::host;
use crate::capture::quarantine::{Cgroup, InForce};
use crate::command::audit::Who;

/// What is shut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Subject {
    /// A process and its later children.
    Process {
        /// Its number.
        target_pid: u32,
        /// What it executes.
        exe: String,
    },
    /// A cgroup.
    Cgroup {
        /// Its path below the root.
        cgroup: String,
        /// Its number when it was shut.
        cgroup_id: u64,
        /// The unit by whose name it was named.
        unit: Option<String>,
    },
}

impl Subject {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Subject::Process { target_pid, exe } if exe.is_empty() => {
                format!("process {target_pid}")
            }
            Subject::Process { target_pid, exe } => format!("process {target_pid} ({exe})"),
            Subject::Cgroup { cgroup, unit: None, .. } => format!("cgroup {cgroup}"),
            Subject::Cgroup { cgroup, unit: Some(unit), .. } => format!("unit {unit} ({cgroup})"),
        }
    }
}

/// Kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Since when nothing leaves, RFC 3339.
    pub since: String,
    /// Until when; for ever, if not given.
    pub until: Option<String>,
    /// Who did it.
    #[serde(flatten)]
    pub who: Who,
    /// Why.
    pub reason: String,
    /// What is shut.
    #[serde(flatten)]
    pub subject: Subject,
    /// What may be sent to, as typed.
    pub allow: Vec<String>,
}

impl State {
    /// Of one that begins now.
    pub fn new(
        who: Who,
        reason: &str,
        subject: Subject,
        allow: &[Allow],
        for_s: Option<u64>,
    ) -> State {
        let now = Timestamp::now();
        let until = |seconds| now.checked_add(SignedDuration::from_secs(seconds as i64)).ok();
        State {
            since: format!("{now:.3}"),
            until: for_s.and_then(until).map(|until| format!("{until:.0}")),
            who,
            reason: reason.into(),
            subject,
            allow: allow.iter().map(allow::text).collect(),
        }
    }

    /// As it is kept.
    pub fn of(one: &InForce) -> Option<State> {
        serde_json::from_str(&one.state).ok()
    }

    /// Why, and what passes.
    pub fn terms(&self, indent: &str) -> String {
        let mut text = format!("{indent}reason   {}\n", self.reason);
        for allow in &self.allow {
            let _ = writeln!(text, "{indent}allowed  {allow}");
        }
        if let Some(until) = &self.until {
            let _ = writeln!(text, "{indent}until    {until}");
        }
        text
    }
}

/// One as `list` shows it.
pub fn text(one: &InForce) -> String {
    let Some(state) = State::of(one) else {
        return format!("{}  by whom and of what cannot be read\n{}", one.id, stopped(one));
    };
    let mut text = format!("{}  {}\n", one.id, state.subject.text());
    let _ = writeln!(text, "   since    {}, by {}", state.since, state.who);
    text.push_str(&state.terms("   "));
    let _ = match (&state.subject, one.processes.len()) {
        (Subject::Process { .. }, 0) => writeln!(text, "   in it    nobody: it has ended"),
        (Subject::Cgroup { .. }, _) if !is_there(&state.subject) => writeln!(
            text,
            "   in it    the cgroup is gone; one of its path that is made again is shut"
        ),
        (Subject::Process { .. }, 1) => Ok(()),
        (_, count) => writeln!(text, "   in it    {count} processes are followed"),
    };
    text.push_str(&stopped(one));
    text
}

fn stopped(one: &InForce) -> String {
    let mut text = format!("   stopped  {} packets, {} bytes", one.packets, one.bytes);
    if one.last_ns != 0 {
        let ago_s = host::boot_ns().saturating_sub(one.last_ns) / 1_000_000_000;
        let _ = write!(text, ", the last {ago_s} s ago");
    }
    text.push('\n');
    text
}

fn is_there(subject: &Subject) -> bool {
    let Subject::Cgroup { cgroup, cgroup_id, .. } = subject else { return true };
    Cgroup::at(Path::new(cgroup)).is_ok_and(|found| found.id == *cgroup_id)
}

/// One as `list --json` has it.
pub fn report(one: &InForce) -> Value {
    let mut report = State::of(one).and_then(|state| serde_json::to_value(state).ok());
    let report_or = report.get_or_insert_with(|| json!({}));
    report_or["id"] = one.id.into();
    report_or["packets_stopped"] = one.packets.into();
    report_or["bytes_stopped"] = one.bytes.into();
    report_or["processes"] = one.processes.clone().into();
    report.unwrap_or_default()
}
