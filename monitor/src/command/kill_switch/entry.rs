//! What the audit trail has of each time that the switch was turned on or off.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{State, stopped};
use crate::capture::switch::InForce;
use crate::command::audit::{self, Who};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    time: String,
    /// `on` or `off`.
    action: String,
    /// Whether it was on before.
    was_on: bool,
    #[serde(flatten)]
    who: Who,
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packets_stopped: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes_stopped: Option<u64>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Entry {
    /// It was turned on.
    pub fn on(state: &State, was_on: bool) -> Entry {
        Entry {
            time: state.changed.clone(),
            action: "on".into(),
            was_on,
            who: state.who.clone(),
            reason: Some(state.reason.clone()),
            allow: state.allow.clone(),
            session: state.session.clone(),
            packets_stopped: None,
            bytes_stopped: None,
            error: None,
        }
    }

    /// It was turned off.
    pub fn off(who: Who, reason: Option<&str>, was_on: bool, before: &[InForce]) -> Entry {
        let (packets, bytes) = stopped(before);
        Entry {
            time: format!("{:.3}", Timestamp::now()),
            action: "off".into(),
            was_on,
            who,
            reason: reason.map(Into::into),
            allow: Vec::new(),
            session: None,
            packets_stopped: Some(packets),
            bytes_stopped: Some(bytes),
            error: None,
        }
    }

    /// Unless something went wrong.
    pub fn failed(self, error: Option<String>) -> Entry {
        Entry { error, ..self }
    }
}

/// Bytes of a line at most, twice over.
const LAST_BYTES: i64 = 256 * 1024;

/// When it was turned on, if by the last word of the trail it still is.
pub fn left_on(state_dir: &Path) -> Option<String> {
    let mut file = File::open(state_dir.join(audit::FILE)).ok()?;
    if file.seek(SeekFrom::End(-LAST_BYTES)).is_err() {
        file.rewind().ok()?;
    }
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    // Lines of other commands lack what an entry has.
    let last = lines.filter_map(|line| serde_json::from_str::<Entry>(&line).ok()).last()?;
    (last.action == "on" || last.error.is_some()).then_some(last.time)
}
