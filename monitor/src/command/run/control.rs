//! The control socket: one command a connection, one answer, as JSON. Root may connect, and whom `[access]`
//! of the policy names; nothing of a peer is trusted but what the kernel says of it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::gate::Gate;
use super::warden::Warden;
use crate::command::asked::{self, Demand, Done};
use crate::command::audit::{self, Who};
use crate::command::exit;
use crate::limits::{
    CONTROL_CLIENTS_MAX, CONTROL_COMMAND_BYTES_MAX, CONTROL_WAIT_MS, COVERAGE_LISTED_MAX,
    COVERAGE_PROCESSES_MAX, REFUSALS_NOTED_PER_MINUTE_MAX, REFUSED_CHARS_MAX,
};
use crate::report::status::{REFUSAL, SOCKET};

/// What somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Counters, and coverage in numbers.
    Status,
    /// Coverage with names, of so many processes at most.
    Coverage(usize),
}

/// Every command.
const COMMANDS: [(&str, Ask); 3] = [
    ("status", Ask::Status),
    ("coverage", Ask::Coverage(COVERAGE_LISTED_MAX)),
    ("coverage all", Ask::Coverage(COVERAGE_PROCESSES_MAX)),
];

/// Somebody wants to know something.
pub struct Request {
    /// What.
    pub ask: Ask,
    /// Takes the answer.
    pub answer: oneshot::Sender<Vec<u8>>,
}

const WAIT: Duration = Duration::from_millis(CONTROL_WAIT_MS);

/// Who may connect, and who does what they ask for. It changes with the policy.
pub struct Desk {
    /// Whom the policy names.
    pub gate: Gate,
    /// Does what operators ask for; without one there are none.
    pub warden: Option<Warden>,
    /// Where refusals are noted.
    pub state_dir: PathBuf,
    refused: Refused,
}

/// How many were refused lately: who may not connect shall not fill the disk.
#[derive(Default)]
struct Refused {
    since: Option<Instant>,
    count: u32,
}

impl Desk {
    /// Nobody was refused yet.
    pub fn new(gate: Gate, warden: Option<Warden>, state_dir: PathBuf) -> Desk {
        Desk { gate, warden, state_dir, refused: Refused::default() }
    }

    /// Notes in the audit trail that somebody was refused, so many a minute.
    fn refuse(&mut self, uid: u32, what: &str) {
        let refused = &mut self.refused;
        if refused.since.is_none_or(|since| since.elapsed() > Duration::from_secs(60)) {
            *refused = Refused { since: Some(Instant::now()), count: 0 };
        }
        refused.count += 1;
        if refused.count > REFUSALS_NOTED_PER_MINUTE_MAX {
            return;
        }
        let what: String = what.chars().take(REFUSED_CHARS_MAX).collect();
        let line = json!({
            "time": format!("{:.3}", Timestamp::now()),
            "action": "refused",
            "uid": uid,
            "user": Who::asked(uid).user,
            "command": what,
            "error": "[access] of the policy does not let them",
        });
        if let Err(error) = audit::append(&self.state_dir, &line) {
            tracing::error!("cannot write the audit trail: {error}");
        }
    }
}

/// Shared between the daemon and those who are served, in one thread.
pub type Shared = Arc<Mutex<Desk>>;

/// Locked; a panic elsewhere changes nothing of it.
pub fn locked(desk: &Shared) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens in the runtime directory, whose lock the caller holds.
pub fn listen(
    runtime_dir: &Path,
    desk: Shared,
    is_open: bool,
) -> io::Result<mpsc::Receiver<Request>> {
    let path = runtime_dir.join(SOCKET);
    // What a daemon left that was killed.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    open_to_others(runtime_dir, is_open)?;
    let (requests, received) = mpsc::channel(CONTROL_CLIENTS_MAX);
    tokio::spawn(accept(listener, requests, desk));
    Ok(received)
}

/// Lets others than root reach the socket, where the policy names any: who they are is asked then. The
/// directory lets them through, and lists nothing.
pub fn open_to_others(runtime_dir: &Path, is_open: bool) -> io::Result<()> {
    let set =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    set(&runtime_dir.join(SOCKET), if is_open { 0o666 } else { 0o600 })?;
    let mode = std::fs::metadata(runtime_dir)?.permissions().mode();
    if is_open && mode & 0o011 != 0o011 { set(runtime_dir, mode | 0o011) } else { Ok(()) }
}

async fn accept(listener: UnixListener, requests: mpsc::Sender<Request>, desk: Shared) {
    let room = Arc::new(Semaphore::new(CONTROL_CLIENTS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Whoever may not ask takes nobody's place.
                let Some(peer) = admitted(&stream, &desk) else { continue };
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                let (requests, desk) = (requests.clone(), Arc::clone(&desk));
                tokio::spawn(async move {
                    let _ = timeout(WAIT, serve(stream, peer, requests, desk)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("control socket: {error}");
                tokio::time::sleep(WAIT).await;
            }
        }
    }
}

/// Who connected, by the kernel's word (SO_PEERCRED, socket(7)).
#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: u32,
    gid: u32,
}

fn admitted(stream: &UnixStream, desk: &Shared) -> Option<Peer> {
    let cred = stream.peer_cred().ok()?;
    let peer = Peer { uid: cred.uid(), gid: cred.gid() };
    let mut desk = locked(desk);
    let may = desk.gate.may_view(peer.uid, peer.gid);
    if !may {
        desk.refuse(peer.uid, "to connect");
        let _ = stream.try_write(REFUSAL);
    }
    may.then_some(peer)
}

async fn serve(
    mut stream: UnixStream,
    peer: Peer,
    requests: mpsc::Sender<Request>,
    desk: Shared,
) -> Option<()> {
    let (reader, mut writer) = stream.split();
    let mut command = String::new();
    let mut reader = BufReader::new(reader.take(CONTROL_COMMAND_BYTES_MAX as u64));
    reader.read_line(&mut command).await.ok()?;
    let command = command.trim_end();
    let known = COMMANDS.iter().find(|(name, _)| *name == command);
    let answer = if let Some(&(_, ask)) = known {
        let (answer, answered) = oneshot::channel();
        requests.send(Request { ask, answer }).await.ok()?;
        answered.await.ok()?
    } else if let Some(args) = command.strip_prefix(asked::WORD) {
        let done = match ordered(args, peer, &desk) {
            Ok(done) => done.await.ok()?,
            Err(done) => done,
        };
        let mut answer = serde_json::to_vec(&done).ok()?;
        answer.push(b'\n');
        answer
    } else {
        let known = COMMANDS.map(|(name, _)| name).join(", ");
        format!("{{\"error\":\"unknown command; known: {known}\"}}\n").into_bytes()
    };
    writer.write_all(&answer).await.ok()?;
    writer.shutdown().await.ok()
}

/// Has a command done, if the peer may have that; else what it came to.
fn ordered(args: &str, peer: Peer, desk: &Shared) -> Result<oneshot::Receiver<Done>, Done> {
    let done = |code, err: &str| Done {
        code,
        out: String::new(),
        err: format!("egress-monitor: {}\n", err.trim_end()),
    };
    let (args, demand) = asked::read(args).map_err(|error| done(2, &error))?;
    let mut desk = locked(desk);
    if demand == Demand::Operate && !desk.gate.may_operate(peer.uid, peer.gid) {
        desk.refuse(peer.uid, &args.join(" "));
        let why = "operators of [access] of the policy shut and open; viewers ask";
        return Err(done(exit::NO_PERMISSION, why));
    }
    let Some(warden) = &desk.warden else {
        let why = "the policy had no [access] when the daemon was started: restart it";
        return Err(done(exit::UNAVAILABLE, why));
    };
    warden.command(args, peer.uid).map_err(|why| done(exit::BUSY, why))
}
