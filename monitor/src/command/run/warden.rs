//! The thread that puts processes in quarantine when a rule says so, and does what operators ask for. It
//! keeps the rights that this takes, which the daemon gives up, and sees no sample.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use monitor_ebpf::quarantine::{ALLOW_EACH_MAX, TICK_NS};
use tokio::sync::oneshot;

use crate::act::Outcome;
use crate::capture::allow::Allow;
use crate::capture::host;
use crate::capture::quarantine::{Held, Order, QuarantineError, Quarantines, Target};
use crate::command::asked::Done;
use crate::command::audit::{self, Who};
use crate::command::exit;
use crate::command::quarantine::{Entry, State, Subject};
use crate::limits::{WARDEN_ORDERS_MAX, WARDEN_WAIT_MS};
use crate::model::ProcessKey;
use crate::policy::{Action, Policy};

/// What the audit trail and the list have for a name.
const NAME: &str = "egress-monitor";

/// A process that a rule wants shut.
pub struct Wanted {
    /// Which.
    pub process: ProcessKey,
    /// What it executes, without what detectors find in it.
    pub exe: String,
    /// Why: the rule, in words.
    pub reason: String,
    /// Where it may send to.
    pub allow: Vec<Allow>,
    /// For how long; until it is released, if not given.
    pub for_s: Option<u64>,
    /// Only say whether it is in it already.
    pub only_known: bool,
}

/// What there is to do.
enum Task {
    /// Put a process in quarantine.
    Shut(Wanted, SyncSender<Result<u32, QuarantineError>>),
    /// Run a command for somebody.
    Command(Vec<String>, u32, oneshot::Sender<Done>),
}

/// Takes orders, as long as it lives.
#[derive(Clone)]
pub struct Warden(SyncSender<Task>);

impl Warden {
    /// Whether a policy needs one.
    pub fn is_needed(policy: &Policy) -> bool {
        !policy.access.is_empty()
            || policy.rules.iter().any(|rule| rule.action == Action::Quarantine)
    }

    /// Starts it. The rights of the thread that calls go on to it, as far as it needs them.
    ///
    /// # Errors
    ///
    /// There can be no thread.
    pub fn start(state_dir: PathBuf, policy: Option<PathBuf>) -> std::io::Result<Warden> {
        let (orders, received) = sync_channel(WARDEN_ORDERS_MAX);
        let work = move || work(&received, &state_dir, policy.as_deref());
        std::thread::Builder::new().name("warden".into()).spawn(work)?;
        Ok(Warden(orders))
    }

    /// Runs a command for somebody, whose number it is; what it comes to follows.
    ///
    /// # Errors
    ///
    /// There is too much to do.
    pub fn command(
        &self,
        args: Vec<String>,
        uid: u32,
    ) -> Result<oneshot::Receiver<Done>, &'static str> {
        let (answer, answered) = oneshot::channel();
        let ordered = self.0.try_send(Task::Command(args, uid, answer));
        ordered.map(|()| answered).map_err(|_| "too much is asked for at once; try again")
    }

    /// Puts a process in quarantine, and returns the number; that of the one that it is in already, if
    /// this rule has put it there.
    ///
    /// # Errors
    ///
    /// What came of it instead, and why.
    pub fn shut(&self, wanted: Wanted) -> Result<u32, (Outcome, String)> {
        let (answer, answered) = sync_channel(1);
        let refused = |why: &str| (Outcome::Refused, why.to_owned());
        let ordered = self.0.try_send(Task::Shut(wanted, answer));
        ordered.map_err(|_| refused("too much is to be put in quarantine at once"))?;
        match answered.recv_timeout(Duration::from_millis(WARDEN_WAIT_MS)) {
            Ok(Ok(id)) => Ok(id),
            Ok(Err(QuarantineError::NoProcess(_))) => Err((Outcome::Gone, "it had ended".into())),
            Ok(Err(error)) => Err((Outcome::Refused, error.to_string())),
            Err(_) => Err(refused("it takes too long; `egress-monitor quarantine list` tells")),
        }
    }
}

fn work(orders: &Receiver<Task>, state_dir: &Path, policy: Option<&Path>) {
    if let Err(error) = host::keep_rights_of_warden() {
        tracing::warn!("the thread that shuts keeps rights that it does not need: {error}");
    }
    for task in orders {
        match task {
            Task::Shut(wanted, answer) => shut_and_note(wanted, &answer, state_dir),
            Task::Command(args, uid, answer) => {
                // Whoever asked may be gone.
                let _ = answer.send(command(&args, uid, state_dir, policy));
            }
        }
    }
}

/// Runs this program for somebody else, with the rights of this thread: root that executes has no others
/// than its bounding set allows. The arguments were looked at before.
fn command(args: &[String], uid: u32, state_dir: &Path, policy: Option<&Path>) -> Done {
    let mut command = Command::new("/proc/self/exe");
    command.args(args).arg("--state-dir").arg(state_dir).arg(format!("--asked-by={uid}"));
    let reads_policy = args.iter().any(|arg| arg == "--reason")
        && !args.iter().any(|arg| arg == "release" || arg == "off");
    if let Some(policy) = policy.filter(|_| reads_policy) {
        command.arg("--policy").arg(policy);
    }
    match command.env_clear().current_dir("/").stdin(Stdio::null()).output() {
        Ok(output) => Done {
            code: output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
            out: String::from_utf8_lossy(&output.stdout).into(),
            err: String::from_utf8_lossy(&output.stderr).into(),
        },
        Err(error) => Done {
            code: exit::UNAVAILABLE,
            out: String::new(),
            err: format!("egress-monitor: the daemon cannot run itself: {error}\n"),
        },
    }
}

fn shut_and_note(
    wanted: Wanted,
    answer: &SyncSender<Result<u32, QuarantineError>>,
    state_dir: &Path,
) {
    let (state, came_of) = shut(wanted);
    let noted = came_of.as_ref().map(|(id, _)| *id).map_err(ToString::to_string);
    let is_new = match &came_of {
        Ok((_, is_new)) => *is_new,
        Err(error) => !matches!(error, QuarantineError::None(_)),
    };
    // Whoever asked waits no longer than it must.
    let _ = answer.send(came_of.map(|(id, _)| id));
    if is_new && let Err(error) = audit::append(state_dir, &Entry::shut(&state, &noted)) {
        tracing::error!("cannot write the audit trail in {}: {error}", state_dir.display());
    }
}

/// What is said of it, its number, and whether it is new.
fn shut(wanted: Wanted) -> (State, Result<(u32, bool), QuarantineError>) {
    let Wanted { process, exe, reason, allow, for_s, only_known } = wanted;
    let who = Who::named(NAME);
    let subject = Subject::Process { target_pid: process.pid, exe };
    let state = State::new(who, &reason, subject, &allow, for_s);
    let came_of = known(process, &state).and_then(|known| match known {
        Some(id) => Ok((id, false)),
        None if only_known => Err(QuarantineError::None(0)),
        None => put(process, &state, &allow, for_s).map(|id| (id, true)),
    });
    (state, came_of)
}

/// The number of the quarantine that a process is in for the same reason.
fn known(process: ProcessKey, state: &State) -> Result<Option<u32>, QuarantineError> {
    let Some(quarantines) = Quarantines::find()? else { return Ok(None) };
    let known = quarantines.in_force().into_iter().find(|one| {
        one.processes.contains(&process.pid)
            && State::of(one).is_some_and(|known| {
                known.who.user == state.who.user && known.reason == state.reason
            })
    });
    Ok(known.map(|known| known.id))
}

fn put(
    process: ProcessKey,
    state: &State,
    allow: &[Allow],
    for_s: Option<u64>,
) -> Result<u32, QuarantineError> {
    let held = Held::of(process.pid)?;
    if held.start_ns / TICK_NS != process.start_ns / TICK_NS {
        return Err(QuarantineError::NoProcess(process.pid));
    }
    let (mut quarantines, _) = Quarantines::find_or_make()?;
    let text = serde_json::to_string(state).unwrap_or_default();
    let allow = allow.get(..ALLOW_EACH_MAX as usize).unwrap_or(allow);
    let expires_ns = for_s.map_or(0, |seconds| host::boot_ns() + seconds * 1_000_000_000);
    let order = Order { allow, expires_ns, state: &text };
    let id = quarantines.add(&Target::Process(&held), &order);
    if id.is_err() {
        let _ = quarantines.close();
    }
    id
}
