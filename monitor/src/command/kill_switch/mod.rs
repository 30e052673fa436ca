//! `egress-monitor kill-switch`: shuts the egress of the host, opens it again, and says how it stands.
//! It asks no daemon and needs none: what it puts into the kernel stays there when it ends.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::allowed::AllowArgs;
use super::asked::{self, Demand};
use super::audit::{TrailArgs, note, reason, warn};
use super::exit::{self, Exit};
use crate::capture::host::{self, HostError};
use crate::capture::switch::{InForce, Place, Session, SwitchError};
use entry::Entry;
use state::State;

mod entry;
mod session;
mod state;

const EXAMPLES: &str = "Examples:
  egress-monitor kill-switch on --reason 'incident 42' --allow 10.0.0.0/8:443
      nothing leaves but over loopback, to port 443 of 10.0.0.0/8, and for this SSH session
  egress-monitor kill-switch on --reason 'incident 42' --allow '10.0.0.0/8:443' '[2001:db8::/32]:*'
      another allow-list; nothing leaves in between
  egress-monitor kill-switch status
  egress-monitor kill-switch off --reason 'incident 42 is closed'

docs/kill-switch.md says what passes all the same, and what it does not stop.

Exits with 0 when it is done, 2 for wrong arguments, 69 when the kernel refuses, 77 without rights.
status: 0 when it is on, 3 when it is off.";

const EXAMPLES_ON: &str = "Examples:
  egress-monitor kill-switch on --reason 'incident 42'
  egress-monitor kill-switch on --reason 'incident 42' --allow 10.0.0.0/8:443 --allow '[2001:db8::/32]:53'

It names destinations by the port of the far side: whoever logs in by SSH after it needs ADDRESS:*.";

const EXAMPLES_OFF: &str =
    "Example: egress-monitor kill-switch off --reason 'incident 42 is closed'";

const EXAMPLES_STATUS: &str = "Examples:
  egress-monitor kill-switch status
  egress-monitor kill-switch status --json | jq .packets_stopped

Exits with 0 when it is on, 3 when it is off.";

/// `kill-switch status` where it is off, as of a service that does not run (LSB, systemctl(1)).
const OFF: u8 = 3;

/// Arguments of `egress-monitor kill-switch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct KillSwitchArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Let nothing leave this host
    #[command(after_help = EXAMPLES_ON)]
    On(OnArgs),
    /// Let everything leave again
    #[command(after_help = EXAMPLES_OFF)]
    Off(OffArgs),
    /// Say whether it is on, since when, by whom and why, and what it stopped
    #[command(after_help = EXAMPLES_STATUS)]
    Status(StatusArgs),
}

/// What all of them take.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    trail: TrailArgs,
    /// Shut this cgroup, and not the host; for tests
    #[arg(long, value_name = "PATH", hide = true)]
    cgroup: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct OnArgs {
    /// Why; status and audit trail show it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    #[command(flatten)]
    allow: AllowArgs,
    /// Shut the SSH session that this is typed in too
    #[arg(long)]
    no_session: bool,
    /// The session of who has a daemon do it, as SSH_CONNECTION has it
    #[arg(long, hide = true, conflicts_with = "no_session")]
    session: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct OffArgs {
    /// Why; the audit trail shows it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// Print one JSON object to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

impl KillSwitchArgs {
    /// What it takes to have a daemon do it.
    ///
    /// # Errors
    ///
    /// Only root may say that.
    pub fn demand(&self) -> Result<Demand, &'static str> {
        let (common, demand) = match &self.action {
            Action::On(args) => {
                args.allow.demand()?;
                (&args.common, Demand::Operate)
            }
            Action::Off(args) => (&args.common, Demand::Operate),
            Action::Status(args) => (&args.common, Demand::View),
        };
        match common.cgroup.is_none() && common.trail.is_default() {
            true => Ok(demand),
            false => Err("--cgroup and --state-dir are for root"),
        }
    }
}

/// Does what is asked.
///
/// # Errors
///
/// An [`Exit`] with its code; standard output cannot be written.
pub fn run(args: &KillSwitchArgs) -> anyhow::Result<ExitCode> {
    let (trail, session) = match &args.action {
        Action::On(on) if on.no_session => (&on.common.trail, None),
        Action::On(on) => (&on.common.trail, session::text()),
        Action::Off(off) => (&off.common.trail, None),
        Action::Status(status) => (&status.common.trail, None),
    };
    let more = session.into_iter().flat_map(|session| ["--session".to_owned(), session]).collect();
    if let Some(code) = asked::of_daemon(trail, more)? {
        return Ok(code);
    }
    match &args.action {
        Action::On(args) => on(args),
        Action::Off(args) => off(args),
        Action::Status(args) => status(args),
    }
}

fn on(args: &OnArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    host::hurry_shutting();
    let limit = monitor_ebpf::switch::ALLOW_MAX as usize;
    let given = args.allow.allow.len();
    if given > limit {
        let what = format!("--allow names {given} networks, limit is {limit}; name wider ones");
        return Err(Exit::new(2, what).into());
    }
    let allow = args.allow.all(limit);
    let place = Place::of(args.common.cgroup.as_deref()).map_err(refused)?;
    let session = match &args.session {
        Some(text) => session::named(text),
        None if args.no_session => Ok(None),
        None => session::own(),
    };
    let kept = session.as_ref().ok().copied().flatten();
    // What cannot be read is no reason not to shut.
    let (before, unread) = match place.in_force() {
        Ok(before) => (before, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let who = args.common.trail.who();
    let state = State::new(who, &args.reason, &allow, kept, &before);
    let sessions: Vec<Session> = kept.into_iter().collect();
    let text = serde_json::to_string(&state)?;
    let mounted = place.shut(&allow, &sessions, &text).map_err(refused)?;
    let took = started.elapsed();
    let older = place.drop_older(&before);
    // Before anything is said: where the terminal goes with the network, the command may end there.
    note(&args.common.trail.state_dir, &Entry::on(&state, !before.is_empty()));

    let mut said = if before.is_empty() {
        String::from("egress is shut: nothing leaves but what is named here, and over loopback\n")
    } else {
        let was = State::latest(&before).map_or_else(String::new, |state| state.by());
        format!("egress was shut already{was}: it is now shut as named here\n")
    };
    said.push_str(&state.terms());
    let _ = writeln!(said, "took     {:.1} ms", took.as_secs_f64() * 1000.0);
    said.push_str("lift it  egress-monitor kill-switch off\n");
    print(&said)?;

    if mounted {
        warn("/sys/fs/bpf was not mounted: it is now, and stays, since the switch is kept there");
    }
    match session {
        Err(why) => warn(&format!("no session is kept: {why}")),
        Ok(Some(session)) if !session::is_open(&session) => {
            let far = session.theirs;
            warn(&format!(
                "the session from {far} is not open here: yours may be cut; log in at the console, or allow your address with --allow ADDRESS:*"
            ));
        }
        Ok(_) => {}
    }
    if let Some(error) = unread {
        warn(&format!("{error}: an older switch may be in force too, and forbids more"));
    }
    if let Err(error) = older {
        warn(&format!("{error}: the older one is in force too; turn it off and on"));
    }
    Ok(ExitCode::SUCCESS)
}

fn off(args: &OffArgs) -> anyhow::Result<ExitCode> {
    let place = Place::of(args.common.cgroup.as_deref()).map_err(refused)?;
    // What is removed need not be readable.
    let before = place.in_force();
    let was_on = before.as_ref().map_or(true, |before| !before.is_empty());
    let before = before.unwrap_or_default();
    let opened = place.open();
    let who = args.common.trail.who();
    let entry = Entry::off(who, args.reason.as_deref(), was_on, &before);
    let entry = entry.failed(opened.as_ref().err().map(ToString::to_string));
    note(&args.common.trail.state_dir, &entry);
    opened.map_err(refused)?;
    if !was_on {
        print("it was off already: nothing was shut\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let (packets, bytes) = state::stopped(&before);
    let was = State::latest(&before).map_or_else(String::new, |state| state.by());
    let mut said = format!("egress is open again; it was shut{was}\n");
    let _ = writeln!(said, "stopped  {packets} packets, {bytes} bytes");
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}

fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let place = Place::of(args.common.cgroup.as_deref()).map_err(refused)?;
    let in_force = place.in_force().map_err(refused)?;
    let lost =
        if in_force.is_empty() { entry::left_on(&args.common.trail.state_dir) } else { None };
    if args.json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &state::report(&in_force, lost.as_deref()))?;
        writeln!(out)?;
    } else {
        print(&text(&in_force, lost.as_deref()))?;
    }
    Ok(if in_force.is_empty() { ExitCode::from(OFF) } else { ExitCode::SUCCESS })
}

fn text(in_force: &[InForce], lost: Option<&str>) -> String {
    if in_force.is_empty() {
        let mut text = String::from("off: whatever is sent leaves\n");
        if let Some(when) = lost {
            let _ = writeln!(
                text,
                "it was turned on at {when}, and not off: a restart of the host, or somebody who removed its pin, lifted it"
            );
        }
        return text;
    }
    let mut text = match State::latest(in_force) {
        Some(state) => format!("on{}\n{}", state.by(), state.terms()),
        None => String::from("on; by whom cannot be read\n"),
    };
    let (packets, bytes) = state::stopped(in_force);
    let _ = write!(text, "stopped  {packets} packets, {bytes} bytes");
    let last_ns = in_force.iter().map(|switch| switch.last_ns).max().unwrap_or(0);
    if last_ns != 0 {
        let ago_s = host::boot_ns().saturating_sub(last_ns) / 1_000_000_000;
        let _ = write!(text, ", the last {ago_s} s ago");
    }
    text.push('\n');
    if in_force.len() > 1 {
        let more = in_force.len() - 1;
        let _ = writeln!(
            text,
            "besides  {more} older, of an `on` that was killed half-way: what it forbids is forbidden too; the next `on` or `off` removes it"
        );
    }
    text
}

fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Who reads it is gone; what was asked for is done.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn refused(error: SwitchError) -> Exit {
    let code = match &error {
        SwitchError::Host(HostError::Capabilities(_)) => exit::NO_PERMISSION,
        SwitchError::State(_) => 2,
        _ => exit::UNAVAILABLE,
    };
    Exit::new(code, error.to_string())
}
