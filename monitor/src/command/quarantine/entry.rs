//! What the audit trail has of quarantines.

use jiff::Timestamp;
use serde::Serialize;

use super::state::{State, Subject};
use crate::capture::quarantine::InForce;
use crate::command::audit::Who;

/// A line.
#[derive(Debug, Serialize)]
pub struct Entry {
    time: String,
    /// `quarantine`, `release` or `expired`.
    action: &'static str,
    /// Its number; none where it came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    #[serde(flatten)]
    who: Who,
    reason: Option<String>,
    #[serde(flatten)]
    subject: Option<Subject>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_stopped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_stopped: Option<u64>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Entry {
    /// Something was shut, or was not.
    pub fn shut(state: &State, came_of: &Result<u32, String>) -> Entry {
        Entry {
            time: state.since.clone(),
            action: "quarantine",
            id: came_of.as_ref().ok().copied(),
            who: state.who.clone(),
            reason: Some(state.reason.clone()),
            subject: Some(state.subject.clone()),
            allow: state.allow.clone(),
            until: state.until.clone(),
            packets_stopped: None,
            bytes_stopped: None,
            error: came_of.as_ref().err().cloned(),
        }
    }

    /// One was released.
    pub fn released(who: Who, reason: Option<&str>, one: &InForce) -> Entry {
        Entry { who, reason: reason.map(Into::into), ..Entry::over("release", one) }
    }

    /// One came to its end by itself, some time before.
    pub fn expired(one: &InForce) -> Entry {
        Entry::over("expired", one)
    }

    /// Of one that could not be released.
    pub fn not_released(who: Who, reason: Option<&str>, id: u32, error: &str) -> Entry {
        Entry {
            time: now(),
            action: "release",
            id: Some(id),
            who,
            reason: reason.map(Into::into),
            subject: None,
            allow: Vec::new(),
            until: None,
            packets_stopped: None,
            bytes_stopped: None,
            error: Some(error.into()),
        }
    }

    fn over(action: &'static str, one: &InForce) -> Entry {
        let state = State::of(one);
        Entry {
            time: now(),
            action,
            id: Some(one.id),
            who: state.as_ref().map_or_else(Who::own, |state| state.who.clone()),
            reason: state.as_ref().map(|state| state.reason.clone()),
            subject: state.as_ref().map(|state| state.subject.clone()),
            allow: Vec::new(),
            until: state.and_then(|state| state.until),
            packets_stopped: Some(one.packets),
            bytes_stopped: Some(one.bytes),
            error: None,
        }
    }
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
