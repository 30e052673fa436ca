//! `egress-monitor quarantine`: shuts what one process, cgroup or unit sends, opens it again, and lists
//! what is shut. It asks no daemon and needs none: what it puts into the kernel stays there when it ends.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use monitor_ebpf::quarantine::ALLOW_EACH_MAX;
use serde_json::json;

use super::allowed::AllowArgs;
use super::asked::{self, Demand};
use super::audit::{TrailArgs, note, reason, warn};
use super::exit::{self, Exit};
use crate::capture::host::{self, HostError};
use crate::capture::processes;
use crate::capture::quarantine::{
    Cgroup, Held, InForce, Order, QuarantineError, Quarantines, Target,
};

mod entry;
mod guard;
mod state;

pub(super) use entry::Entry;
pub(super) use state::{State, Subject};

const EXAMPLES: &str = "Examples:
  egress-monitor quarantine --pid 812 --reason 'incident 42'
      nothing leaves from process 812 and the children that it makes, over loopback neither
  egress-monitor quarantine --unit shop --reason 'incident 42' --for 30m --allow '10.0.0.0/8:5432'
      nothing leaves from shop.service for half an hour but to the database
  egress-monitor quarantine --cgroup /kubepods.slice/x --reason 'incident 42'
  egress-monitor quarantine list
  egress-monitor quarantine release 3 --reason 'incident 42 is closed'

docs/quarantine.md says what it does not stop.

Exits with 0 when it is done, 1 when there is no such process, cgroup or quarantine, or it is protected,
2 for wrong arguments, 69 when the kernel refuses, 77 without rights.";

const EXAMPLES_RELEASE: &str = "Examples:
  egress-monitor quarantine release 3
  egress-monitor quarantine release --pid 812 --reason 'incident 42 is closed'
  egress-monitor quarantine release --all";

const EXAMPLES_LIST: &str = "Examples:
  egress-monitor quarantine list
  egress-monitor quarantine list --json | jq '.quarantines[].bytes_stopped'";

/// Arguments of `egress-monitor quarantine`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    add: AddArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Let something send again
    #[command(after_help = EXAMPLES_RELEASE)]
    Release(ReleaseArgs),
    /// Say what is shut, since when, by whom and why, and how much was stopped
    #[command(after_help = EXAMPLES_LIST)]
    List(ListArgs),
}

/// By what something is named.
#[derive(Debug, clap::Args)]
struct Named {
    /// A process, and the children that it makes from now on
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// A cgroup of version 2, with those below it: its directory, or its path below the root
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,
    /// A systemd unit that runs
    #[arg(long, value_name = "NAME")]
    unit: Option<String>,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    #[command(flatten)]
    named: Named,
    /// Why; list and audit trail show it
    #[arg(long, value_name = "TEXT", value_parser = reason, required = true)]
    reason: Option<String>,
    /// For how long, such as 90s, 30m or 2h; until it is released unless given
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    for_s: Option<u64>,
    #[command(flatten)]
    allow: AllowArgs,
    /// Shut it even if it is protected, or this session goes through it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    trail: TrailArgs,
}

#[derive(Debug, clap::Args)]
struct ReleaseArgs {
    /// Numbers of quarantines, as `list` has them
    #[arg(value_name = "ID")]
    ids: Vec<u32>,
    #[command(flatten)]
    named: Named,
    /// All of them
    #[arg(long)]
    all: bool,
    /// Why; the audit trail shows it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    trail: TrailArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Print one JSON object to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trail: TrailArgs,
}

impl QuarantineArgs {
    fn trail(&self) -> &TrailArgs {
        match &self.action {
            None => &self.add.trail,
            Some(Action::Release(args)) => &args.trail,
            Some(Action::List(args)) => &args.trail,
        }
    }

    /// What it takes to have a daemon do it.
    ///
    /// # Errors
    ///
    /// Only root may say that.
    pub fn demand(&self) -> Result<Demand, &'static str> {
        if !self.trail().is_default() {
            return Err("--state-dir is for root");
        }
        match &self.action {
            Some(Action::List(_)) => Ok(Demand::View),
            Some(Action::Release(_)) => Ok(Demand::Operate),
            None if self.add.force => Err("--force is for root"),
            None => self.add.allow.demand().map(|()| Demand::Operate),
        }
    }
}

/// Longest time of a quarantine that ends by itself: a year.
const FOR_S_MAX: u64 = 365 * 86_400;

/// `90s`, `30m`, `2h` or `7d`, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let unit_s = match text.bytes().last() {
        Some(b's') => Some(1),
        Some(b'm') => Some(60),
        Some(b'h') => Some(3_600),
        Some(b'd') => Some(86_400),
        _ => None,
    };
    let digits = text.get(..text.len().saturating_sub(1)).unwrap_or("");
    let number = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = number.and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(unit_s?));
    seconds
        .filter(|seconds| (1..=FOR_S_MAX).contains(seconds))
        .ok_or_else(|| String::from("write 1s to 365d, such as 90s, 30m, 2h or 7d"))
}

/// Does what is asked.
///
/// # Errors
///
/// An [`Exit`] with its code; standard output cannot be written.
pub fn run(args: &QuarantineArgs) -> anyhow::Result<ExitCode> {
    if let Some(code) = asked::of_daemon(args.trail(), Vec::new())? {
        return Ok(code);
    }
    match &args.action {
        None => add(&args.add),
        Some(Action::Release(args)) => release(args),
        Some(Action::List(args)) => list(args),
    }
}

/// What is to be shut, found on the host.
enum Found {
    Process(Held),
    Cgroup(Cgroup),
}

impl Found {
    fn by(named: &Named) -> Result<(Found, Subject), Exit> {
        match named {
            Named { pid: Some(pid), cgroup: None, unit: None } => {
                let held = Held::of(*pid).map_err(refused)?;
                let exe = processes::living(*pid).map(|process| process.exe).unwrap_or_default();
                Ok((Found::Process(held), Subject::Process { target_pid: *pid, exe }))
            }
            Named { pid: None, cgroup: Some(path), unit: None } => {
                Ok(Found::cgroup(Cgroup::at(path).map_err(refused)?, None))
            }
            Named { pid: None, cgroup: None, unit: Some(unit) } => {
                let cgroup = Cgroup::of_unit(unit).map_err(refused)?;
                let name = cgroup.path.rsplit('/').next().map(Into::into);
                Ok(Found::cgroup(cgroup, name))
            }
            _ => Err(Exit::new(2, "name one of --pid, --cgroup and --unit")),
        }
    }

    fn cgroup(cgroup: Cgroup, unit: Option<String>) -> (Found, Subject) {
        let subject = Subject::Cgroup { cgroup: cgroup.path.clone(), cgroup_id: cgroup.id, unit };
        (Found::Cgroup(cgroup), subject)
    }

    fn pids(&self) -> Vec<u32> {
        match self {
            Found::Process(held) => vec![held.pid],
            Found::Cgroup(cgroup) => cgroup.processes(),
        }
    }

    fn target(&self) -> Target<'_> {
        match self {
            Found::Process(held) => Target::Process(held),
            Found::Cgroup(cgroup) => Target::Cgroup(cgroup),
        }
    }
}

fn add(args: &AddArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let limit = ALLOW_EACH_MAX as usize;
    let given = args.allow.allow.len();
    if given > limit {
        let what = format!("--allow names {given} networks, limit is {limit}; name wider ones");
        return Err(Exit::new(2, what).into());
    }
    let missing = host::capabilities_missing();
    if !missing.is_empty() {
        return Err(refused(HostError::Capabilities(missing).into()).into());
    }
    let (found, subject) = Found::by(&args.named)?;
    let allow = args.allow.all(limit);
    let why = args.reason.as_deref().unwrap_or_default();
    let state = State::new(args.trail.who(), why, subject, &allow, args.for_s);
    let harm = guard::harm(&guard::protect(&args.allow.policy), &found.pids());
    if let Some(harm) = harm.filter(|_| !args.force || found.pids() == [1]) {
        note(&args.trail.state_dir, &Entry::shut(&state, &Err(harm.clone())));
        let what = format!("{harm}; --force shuts it all the same");
        return Err(Exit::new(1, what).into());
    }
    let text = serde_json::to_string(&state)?;
    let expires_ns = args.for_s.map_or(0, |seconds| host::boot_ns() + seconds * 1_000_000_000);
    let mut mounted = false;
    let mut past = Vec::new();
    let shut = Quarantines::find_or_make().and_then(|(mut quarantines, is_new)| {
        mounted = is_new;
        past = quarantines.expire();
        let order = Order { allow: &allow, expires_ns, state: &text };
        let id = quarantines.add(&found.target(), &order);
        if id.is_err() {
            let _ = quarantines.close();
        }
        id
    });
    let took = started.elapsed();
    note_past(&args.trail.state_dir, &past);
    let came_of = shut.as_ref().map(|id| *id).map_err(ToString::to_string);
    note(&args.trail.state_dir, &Entry::shut(&state, &came_of));
    let id = shut.map_err(refused)?;

    let shut = state.subject.text();
    let mut said =
        format!("quarantine {id}: nothing leaves from {shut} but to what is named here\n");
    said.push_str(&state.terms(""));
    let _ = writeln!(said, "took     {:.1} ms", took.as_secs_f64() * 1000.0);
    let _ = writeln!(said, "lift it  egress-monitor quarantine release {id}");
    print(&said)?;
    if mounted {
        warn("/sys/fs/bpf was not mounted: it is now, and stays, since quarantines are kept there");
    }
    Ok(ExitCode::SUCCESS)
}

fn release(args: &ReleaseArgs) -> anyhow::Result<ExitCode> {
    let refuse = |id, error: QuarantineError| {
        let why = error.to_string();
        let entry = Entry::not_released(args.trail.who(), args.reason.as_deref(), id, &why);
        note(&args.trail.state_dir, &entry);
        refused(error)
    };
    let Some(mut quarantines) = Quarantines::find().map_err(refused)? else {
        let ids = wanted(args, &[])?;
        print("nothing is in quarantine\n")?;
        let failed = ids.into_iter().map(|id| refuse(id, QuarantineError::None(id))).next_back();
        return failed.map_or(Ok(ExitCode::SUCCESS), |exit| Err(exit.into()));
    };
    note_past(&args.trail.state_dir, &quarantines.expire());
    let wanted = wanted(args, &quarantines.in_force());
    let mut said = String::new();
    let mut failed =
        wanted.as_ref().err().map(|error| Exit::new(error.code, error.message.clone()));
    for id in wanted.unwrap_or_default() {
        match quarantines.release(id) {
            Ok(one) => {
                note(
                    &args.trail.state_dir,
                    &Entry::released(args.trail.who(), args.reason.as_deref(), &one),
                );
                said.push_str(&released(&one));
            }
            Err(error) => failed = Some(refuse(id, error)),
        }
    }
    if let Err(error) = quarantines.close() {
        warn(&format!("{error}: nothing is shut any more, and the programs stay"));
    }
    print(&said)?;
    failed.map_or(Ok(ExitCode::SUCCESS), |exit| Err(exit.into()))
}

/// The numbers of what is to be released.
fn wanted(args: &ReleaseArgs, in_force: &[InForce]) -> Result<Vec<u32>, Exit> {
    let Named { pid, cgroup, unit } = &args.named;
    let by_name = pid.is_some() || cgroup.is_some() || unit.is_some();
    let ways = [args.all, by_name, !args.ids.is_empty()];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        return Err(Exit::new(2, "name what to release: ID, --pid, --cgroup, --unit or --all"));
    }
    if !args.ids.is_empty() {
        return Ok(args.ids.clone());
    }
    // What was shut may be gone, so it is compared by what was said then.
    let path = cgroup.as_deref().map(Cgroup::path_of);
    let is_meant = |subject: &Subject| match subject {
        Subject::Process { target_pid, .. } => *pid == Some(*target_pid),
        Subject::Cgroup { cgroup, unit: of, .. } => {
            let named = of.as_deref();
            path.as_ref() == Some(cgroup)
                || unit.as_ref().is_some_and(|unit| {
                    named == Some(unit) || named == Some(&format!("{unit}.service"))
                })
        }
    };
    let meant = in_force
        .iter()
        .filter(|one| args.all || State::of(one).is_some_and(|state| is_meant(&state.subject)));
    let ids: Vec<u32> = meant.map(|one| one.id).collect();
    if ids.is_empty() && !args.all {
        let what = "that is in no quarantine; `egress-monitor quarantine list` lists what is";
        return Err(Exit::new(1, what));
    }
    Ok(ids)
}

fn released(one: &InForce) -> String {
    let state = State::of(one);
    let what = state.as_ref().map_or_else(|| "it".into(), |state| state.subject.text());
    let since = state.map_or_else(String::new, |state| {
        format!("; it was shut since {}, by {}", state.since, state.who)
    });
    format!(
        "quarantine {} is released: {what} sends again{since}\nstopped  {} packets, {} bytes\n",
        one.id, one.packets, one.bytes
    )
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let (mut in_force, mut lost) = (Vec::new(), 0);
    if let Some(mut quarantines) = Quarantines::find().map_err(refused)? {
        note_past(&args.trail.state_dir, &quarantines.expire());
        in_force = quarantines.in_force();
        lost = quarantines.lost();
        let _ = quarantines.close();
    }
    if args.json {
        let all: Vec<_> = in_force.iter().map(state::report).collect();
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(
            &mut out,
            &json!({ "quarantines": all, "not_followed": lost }),
        )?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut said: String = in_force.iter().map(state::text).collect();
    if in_force.is_empty() {
        said.push_str("nothing is in quarantine\n");
    }
    if lost != 0 {
        let _ = writeln!(
            said,
            "besides  {lost} children or cgroups could not be followed, for want of room: what they send leaves"
        );
    }
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}

fn note_past(state_dir: &Path, past: &[InForce]) {
    for one in past {
        note(state_dir, &Entry::expired(one));
    }
}

fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Who reads it is gone; what was asked for is done.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn refused(error: QuarantineError) -> Exit {
    let code = match &error {
        QuarantineError::Host(HostError::Capabilities(_)) => exit::NO_PERMISSION,
        QuarantineError::NoProcess(_)
        | QuarantineError::Thread(_)
        | QuarantineError::Cgroup(..)
        | QuarantineError::None(_)
        | QuarantineError::Limit(..)
        | QuarantineError::Busy => 1,
        _ => exit::UNAVAILABLE,
    };
    Exit::new(code, error.to_string())
}
