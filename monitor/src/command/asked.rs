//! Commands that a daemon does for somebody who is not root: how they are asked for, and what may be. What
//! comes over the socket is a stranger's: it is bounded, and read by the same parser as a command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use serde::{Deserialize, Serialize};

use super::audit::{TrailArgs, warn};
use super::kill_switch::KillSwitchArgs;
use super::quarantine::QuarantineArgs;
use crate::capture::host;
use crate::report::status;

/// What somebody must be allowed to, for a command to be done for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// To ask.
    View,
    /// To shut and open.
    Operate,
}

/// What a command came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// Its exit code.
    pub code: u8,
    /// What it printed.
    pub out: String,
    /// And to standard error.
    pub err: String,
}

/// The word before the arguments, which are a list in JSON.
pub const WORD: &str = "do ";

/// Commands that a daemon does.
#[derive(Debug, clap::Parser)]
#[command(name = "egress-monitor", disable_help_flag = true, disable_help_subcommand = true)]
enum Asked {
    KillSwitch(KillSwitchArgs),
    Quarantine(QuarantineArgs),
}

/// Arguments as they came, and what they take.
///
/// # Errors
///
/// They are none, or only root may say that.
pub fn read(text: &str) -> Result<(Vec<String>, Demand), String> {
    let args: Vec<String> =
        serde_json::from_str(text).map_err(|_| String::from("the arguments are no list"))?;
    let words = std::iter::once("egress-monitor").chain(args.iter().map(String::as_str));
    let demand = match Asked::try_parse_from(words).map_err(|error| error.to_string())? {
        Asked::KillSwitch(args) => args.demand(),
        Asked::Quarantine(args) => args.demand(),
    };
    Ok((args, demand?))
}

/// Has the daemon do this command where this process lacks the rights. `None` where it has them, or
/// nobody answers.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn of_daemon(trail: &TrailArgs, more: Vec<String>) -> anyhow::Result<Option<ExitCode>> {
    if host::capabilities_missing().is_empty() || !trail.is_default() {
        return Ok(None);
    }
    let mut args = Vec::new();
    let mut typed = std::env::args().skip(1);
    while let Some(arg) = typed.next() {
        match arg.as_str() {
            "--runtime-dir" => drop(typed.next()),
            arg if arg.starts_with("--runtime-dir=") => {}
            _ => args.push(arg),
        }
    }
    args.extend(more);
    let command = format!("{WORD}{}", serde_json::to_string(&args)?);
    let answer = match status::answer(&trail.runtime_dir, &command) {
        Ok(answer) => answer,
        Err(error) => {
            if error.kind() == io::ErrorKind::PermissionDenied {
                warn("a daemon runs, and [access] of its policy does not let you ask it");
            }
            return Ok(None);
        }
    };
    let Ok(done) = serde_json::from_slice::<Done>(&answer) else {
        warn(
            "the daemon gave no answer in time: what was asked may be done; look before you ask again",
        );
        return Ok(Some(ExitCode::from(super::exit::BUSY)));
    };
    let _ = io::stderr().write_all(done.err.as_bytes());
    io::stdout().write_all(done.out.as_bytes())?;
    Ok(Some(ExitCode::from(done.code)))
}
