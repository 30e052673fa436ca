//! The audit trail: a line of JSON for each command that shut or opened something, or was refused. It is
//! appended to and never rotated here; its lines are as few as incidents.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::run::{RUNTIME_DIR, STATE_DIR};

mod who;

pub use who::Who;

/// Below the state directory.
pub const FILE: &str = "audit.jsonl";

/// Bytes of a reason: a line or two.
const REASON_BYTES_MAX: usize = 1024;

/// What every command takes whose line is in the trail.
#[derive(Debug, clap::Args)]
pub struct TrailArgs {
    /// Where the audit trail is, audit.jsonl
    #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
    pub state_dir: PathBuf,
    /// Where the daemon's control socket is, which does it for operators that are not root
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    pub runtime_dir: PathBuf,
    /// Whom a daemon does it for
    #[arg(long, hide = true)]
    asked_by: Option<u32>,
}

impl TrailArgs {
    /// Who wants it.
    pub fn who(&self) -> Who {
        self.asked_by.map_or_else(Who::own, Who::asked)
    }

    /// Whether it says nothing that only root may say.
    pub fn is_default(&self) -> bool {
        self.state_dir == Path::new(STATE_DIR) && self.asked_by.is_none()
    }
}

/// Appends a line, and waits until it is on the disk.
///
/// # Errors
///
/// The directory or the file cannot be made or written.
pub fn append(state_dir: &Path, entry: &impl Serialize) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let path = state_dir.join(FILE);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    // In one call, so that lines of two commands do not mix.
    file.write_all(&line)?;
    file.sync_all()?;
    if is_new { File::open(state_dir)?.sync_all() } else { Ok(()) }
}

/// The same; that it fails is told and changes nothing.
pub fn note(state_dir: &Path, entry: &impl Serialize) {
    if let Err(error) = append(state_dir, entry) {
        let path = state_dir.join(FILE);
        warn(&format!("cannot write {}: {error}; note it elsewhere", path.display()));
    }
}

/// Tells something beside what is printed.
pub fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "egress-monitor: {text}");
}

/// A reason as it is typed.
///
/// # Errors
///
/// What is wrong with it.
pub fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; write why, for who reads it at night".into());
    }
    if text.len() > REASON_BYTES_MAX {
        return Err(format!("it is {} bytes, limit is {REASON_BYTES_MAX}; be brief", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("it has control characters; write it in one line".into());
    }
    Ok(text.into())
}
