//! What a switch that is on says of itself: kept in the kernel beside it, so it lasts as long.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::capture::allow::{self, Allow};
use crate::capture::switch::{InForce, Session};
use crate::command::audit::Who;

/// Kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Since when nothing leaves, RFC 3339: of one that was changed, since the first.
    pub since: String,
    /// When this one was turned on.
    pub changed: String,
    /// Who did.
    #[serde(flatten)]
    pub who: Who,
    /// Why.
    pub reason: String,
    /// What may be sent to, as typed.
    pub allow: Vec<String>,
    /// What goes on.
    pub session: Option<String>,
    /// What those before it stopped.
    pub packets_before: u64,
    /// Bytes of that.
    pub bytes_before: u64,
}

impl State {
    /// Of one that is to be turned on now, in the place of those in force.
    pub fn new(
        who: Who,
        reason: &str,
        allow: &[Allow],
        session: Option<Session>,
        before: &[InForce],
    ) -> State {
        let changed = format!("{:.3}", Timestamp::now());
        let (packets_before, bytes_before) = stopped(before);
        State {
            since: State::latest(before).map_or_else(|| changed.clone(), |state| state.since),
            changed,
            who,
            reason: reason.into(),
            allow: allow.iter().map(allow::text).collect(),
            session: session.map(|session| format!("{} to {}", session.theirs, session.ours)),
            packets_before,
            bytes_before,
        }
    }

    /// That of the latest of them.
    pub fn latest(in_force: &[InForce]) -> Option<State> {
        serde_json::from_str(&in_force.last()?.state).ok()
    }

    /// Since when and by whom, to go on a sentence.
    pub fn by(&self) -> String {
        format!(" since {}, by {}", self.since, self.who)
    }

    /// Why, and what passes.
    pub fn terms(&self) -> String {
        let mut text = format!("reason   {}\n", self.reason);
        if self.changed != self.since {
            let _ = writeln!(text, "changed  {}", self.changed);
        }
        for allow in &self.allow {
            let _ = writeln!(text, "allowed  {allow}");
        }
        match &self.session {
            Some(session) => writeln!(text, "session  {session}, goes on"),
            None => writeln!(text, "session  none is kept"),
        }
        .unwrap_or_default();
        text
    }
}

/// Packets and bytes that were stopped since it was turned on first. One that is in force beside an older
/// one counts the same packets, so the latest is asked.
pub fn stopped(in_force: &[InForce]) -> (u64, u64) {
    let Some(last) = in_force.last() else { return (0, 0) };
    let before = State::latest(in_force).map_or((0, 0), |s| (s.packets_before, s.bytes_before));
    (before.0 + last.packets, before.1 + last.bytes)
}

/// `status --json`.
pub fn report(in_force: &[InForce], lost: Option<&str>) -> Value {
    let (packets, bytes) = stopped(in_force);
    let state = State::latest(in_force);
    let mut report = json!({
        "on": !in_force.is_empty(),
        "packets_stopped": packets,
        "bytes_stopped": bytes,
        "switches": in_force.len(),
    });
    if let Some(when) = lost {
        report["lifted_unasked_since"] = when.into();
    }
    let Some(state) = state else { return report };
    report["since"] = state.since.into();
    report["changed"] = state.changed.into();
    report["uid"] = state.who.uid.into();
    report["user"] = state.who.user.into();
    report["terminal"] = state.who.terminal.into();
    report["pid"] = state.who.pid.into();
    report["reason"] = state.reason.into();
    report["allow"] = state.allow.into();
    report["session"] = state.session.into();
    report
}
