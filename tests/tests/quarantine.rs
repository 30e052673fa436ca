//! The quarantine, with real sockets over loopback: the receiver says what left. Each test shuts processes
//! of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde_json::Value;
use support::cgroup::Cgroup;
use support::monitor::binary;
use support::net::V4;
use support::wait::wait_for;
use support::{Monitor, Receiver, needs, skip};
use tempfile::TempDir;

/// Opens sockets and sends on them, as it is told by lines. Answers each with a line.
const SENDER: &str = r#"
import errno, os, socket, sys
socks = {}
def connect(word, ip, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if word == 'tcp' else socket.SOCK_DGRAM)
    s.settimeout(1)
    s.connect((ip, int(port)))
    return s
def child(work):
    pid = os.fork()
    if pid == 0:
        try: work()
        except OSError as e: os._exit(e.errno or 1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
for line in sys.stdin:
    word, name, *rest = line.split()
    try:
        answer = ''
        if word in ('tcp', 'udp'): socks[name] = connect(word, *rest)
        elif word == 'send': socks[name].sendall(' '.join(rest).encode())
        elif word == 'listen':
            socks[name] = s = socket.create_server(('127.0.0.1', 0))
            s.settimeout(5)
            answer = s.getsockname()[1]
        elif word == 'accept': socks[name] = socks[rest[0]].accept()[0]
        elif word == 'child': answer = child(lambda: connect('udp', *rest).send(b'child'))
        elif word == 'inherit': answer = child(lambda: socks[name].sendall(b'child'))
        elif word == 'take':
            u = socket.socket(socket.AF_UNIX); u.connect(rest[0])
            fd = socket.recv_fds(u, 16, 1)[1][0]
            socks[name] = socket.socket(fileno=fd)
        elif word == 'close': socks.pop(name).close()
        print('ok', answer, flush=True)
    except OSError as e:
        print('error', errno.errorcode.get(e.errno, 'timeout'), flush=True)
"#;

/// A process that sends what it is told to.
struct Sender {
    child: Child,
    says: BufReader<ChildStdout>,
    asks: ChildStdin,
}

impl Sender {
    fn start() -> Sender {
        Sender::with(Command::new("python3").args(["-uc", SENDER]))
    }

    /// In a cgroup from its start.
    fn within(cgroup: &Path) -> Sender {
        let code = r#"echo 0 >"$0/cgroup.procs" && exec python3 -uc "$1""#;
        Sender::with(Command::new("sh").args(["-c", code]).arg(cgroup).arg(SENDER))
    }

    fn with(command: &mut Command) -> Sender {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let says = BufReader::new(child.stdout.take().expect("a pipe"));
        let asks = child.stdin.take().expect("a pipe");
        Sender { child, says, asks }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Asks for something; what it answered.
    #[track_caller]
    fn ask(&mut self, line: &str) -> String {
        writeln!(self.asks, "{line}").expect("the sender listens");
        let mut answer = String::new();
        self.says.read_line(&mut answer).expect("the sender answers");
        answer.trim().into()
    }

    /// The same, which goes well.
    #[track_caller]
    fn ok(&mut self, line: &str) -> String {
        let answer = self.ask(line);
        assert!(answer.starts_with("ok"), "{line}: {answer}");
        answer.trim_start_matches("ok").trim().into()
    }

    /// A connection that stands.
    #[track_caller]
    fn connect(&mut self, name: &str, to: &Receiver) {
        self.ok(&format!("tcp {name} 127.0.0.1 {}", to.address.port()));
        let before = to.bytes();
        self.ok(&format!("send {name} begin"));
        to.wait_bytes(before + 5);
    }

    /// Whether a datagram on a new socket leaves.
    #[track_caller]
    fn sends(&mut self, to: &Receiver) -> bool {
        let before = to.bytes();
        self.ok(&format!("udp probe 127.0.0.1 {}", to.address.port()));
        let answer = self.ask("send probe hello");
        if answer == "error EPERM" {
            assert_eq!(to.bytes(), before);
            return false;
        }
        assert_eq!(answer, "ok");
        to.wait_bytes(before + 5);
        true
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, with an audit trail of its own.
struct Desk {
    state: TempDir,
    ids: std::cell::RefCell<Vec<u64>>,
    _others: Others,
}

/// Whichever command comes first finds what has ended, and writes that into its own trail.
static DESKS: RwLock<()> = RwLock::new(());

/// Whether tests beside it may run commands meanwhile.
enum Others {
    May { _guard: RwLockReadGuard<'static, ()> },
    MayNot { _guard: RwLockWriteGuard<'static, ()> },
}

impl Desk {
    fn new() -> Desk {
        let guard = DESKS.read().unwrap_or_else(PoisonError::into_inner);
        Desk::beside(Others::May { _guard: guard })
    }

    fn alone() -> Desk {
        let guard = DESKS.write().unwrap_or_else(PoisonError::into_inner);
        Desk::beside(Others::MayNot { _guard: guard })
    }

    fn beside(others: Others) -> Desk {
        let state = TempDir::new().expect("a temporary directory");
        Desk { state, ids: Default::default(), _others: others }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.arg("quarantine").args(args);
        command.arg("--state-dir").arg(self.state.path());
        command.output().expect("the binary runs")
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into()
    }

    /// Shuts something; its number.
    #[track_caller]
    fn shut(&self, args: &[&str]) -> u64 {
        let said = self.ok(&[args, &["--reason", "a test"]].concat());
        let id = said.strip_prefix("quarantine ").and_then(|said| said.split(':').next());
        let id = id.and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        self.ids.borrow_mut().push(id);
        id
    }

    #[track_caller]
    fn release(&self, id: u64) -> String {
        self.ids.borrow_mut().retain(|known| *known != id);
        self.ok(&["release", &id.to_string()])
    }

    /// What `list` has of one.
    #[track_caller]
    fn one(&self, id: u64) -> Option<Value> {
        let all: Value = serde_json::from_str(&self.ok(&["list", "--json"])).expect("JSON");
        let all = all["quarantines"].as_array().expect("a list");
        all.iter().find(|one| one["id"] == id).cloned()
    }

    #[track_caller]
    fn stopped(&self, id: u64) -> u64 {
        self.one(id).expect("it is in force")["packets_stopped"].as_u64().expect("a number")
    }

    /// Waits until more was stopped than before.
    #[track_caller]
    fn wait_stopped(&self, id: u64, beyond: u64) -> u64 {
        wait_for("packets that are stopped", || {
            Some(self.stopped(id)).filter(|stopped| *stopped > beyond)
        })
    }

    fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.state.path().join("audit.jsonl"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for id in self.ids.borrow().iter() {
            self.run(&["release", &id.to_string()]);
        }
    }
}

#[test]
fn whatever_a_process_sends_is_shut_and_nobody_beside_it_is() {
    needs!("python3");
    let (desk, mut sender, mut beside) = (Desk::new(), Sender::start(), Sender::start());
    let [old, new, datagrams, passed, other] = [
        Receiver::tcp(V4),
        Receiver::tcp(V4),
        Receiver::udp(V4),
        Receiver::tcp(V4),
        Receiver::tcp(V4),
    ];
    sender.connect("old", &old);
    beside.connect("other", &other);
    let port: u16 = sender.ok("listen door").parse().expect("a port");
    let mut early = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    sender.ok("accept early door");
    // One that waits to be accepted, and one whose socket comes from a process beside.
    let mut waiting = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let path = desk.state.path().join("socket");
    let giver = give(&path, TcpStream::connect(passed.address).expect("it listens"));

    let id = desk.shut(&["--pid", &sender.pid()]);
    let mut stopped = desk.stopped(id);
    let mut is_stopped = |what: &str| {
        stopped = desk.wait_stopped(id, stopped);
        eprintln!("{what}: {stopped} packets were stopped");
    };
    sender.ok("send old after");
    is_stopped("a connection that was there");
    assert_eq!(sender.ask(&format!("tcp new 127.0.0.1 {}", new.address.port())), "error timeout");
    is_stopped("a new connection");
    assert!(!sender.sends(&datagrams));
    is_stopped("a datagram");
    sender.ok("send early after");
    is_stopped("a connection that it accepted before");
    sender.ok("accept waiting door");
    sender.ok("send waiting after");
    is_stopped("a connection that waited to be accepted");
    sender.ok(&format!("take passed {}", path.display()));
    giver.join().expect("it is given");
    sender.ok("send passed after");
    is_stopped("a socket that was passed on");
    // EPERM is 1.
    assert_eq!(sender.ok(&format!("child x 127.0.0.1 {}", datagrams.address.port())), "1");
    is_stopped("a child");
    sender.ok("inherit old");
    sender.ok("close old");

    // The neighbour goes on, and so does what comes in.
    beside.ok("send other after");
    other.wait_bytes(10);
    assert!(beside.sends(&datagrams));
    let late =
        TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(300));
    assert!(late.is_err(), "its listener does not answer");
    for stream in [&mut early, &mut waiting] {
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
        let read = std::io::Read::read(stream, &mut [0; 16]);
        assert!(read.is_err(), "nothing came back: {read:?}");
    }
    assert_eq!((old.bytes(), new.bytes(), passed.bytes()), (5, 0, 0));
    assert_eq!(datagrams.bytes(), 5, "that of the neighbour");

    let said = desk.release(id);
    assert!(said.contains("sends again; it was shut since 2"), "{said}");
    old.wait_bytes(5 + 5 + 5);
    assert!(sender.sends(&datagrams));
    assert!(desk.one(id).is_none());
}

/// Hands a socket to whoever connects to a path.
fn give(path: &Path, stream: TcpStream) -> std::thread::JoinHandle<()> {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd as _;
    let listener = std::os::unix::net::UnixListener::bind(path).expect("a path");
    std::thread::spawn(move || {
        let (to, _) = listener.accept().expect("somebody comes");
        let fds = [stream.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&fds)];
        let text = [std::io::IoSlice::new(b"x")];
        sendmsg::<()>(to.as_raw_fd(), &text, &control, MsgFlags::empty(), None).expect("it goes");
    })
}

#[test]
fn it_ends_by_itself_and_the_audit_trail_says_so() {
    needs!("python3");
    let (desk, mut sender, to) = (Desk::alone(), Sender::start(), Receiver::udp(V4));
    let id = desk.shut(&["--pid", &sender.pid(), "--for", "2s"]);
    assert!(!sender.sends(&to));
    assert!(desk.one(id).expect("it is in force")["until"].is_string());
    wait_for("its end", || sender.sends(&to).then_some(()));
    assert!(desk.one(id).is_none());
    let lines = desk.audit();
    let seen: Vec<_> = lines.iter().map(|line| (&line["action"], &line["id"])).collect();
    let id = Value::from(id);
    assert_eq!(seen, [(&"quarantine".into(), &id), (&"expired".into(), &id)]);
    assert!(lines[1]["packets_stopped"].as_u64() >= Some(1), "{lines:?}");
}

#[test]
fn it_outlives_the_daemon() {
    needs!("python3");
    let (desk, mut sender, to) = (Desk::new(), Sender::start(), Receiver::udp(V4));
    let mut daemon = Monitor::start();
    let id = desk.shut(&["--pid", &sender.pid()]);
    daemon.kill();
    assert!(!sender.sends(&to));
    let daemon = Monitor::start();
    assert!(!sender.sends(&to));
    daemon.stop();
    assert!(!sender.sends(&to));
    desk.release(id);
    assert!(sender.sends(&to));
}

#[test]
fn what_the_command_and_the_policy_allow_passes_and_nothing_beside_it() {
    needs!("python3");
    let (desk, mut sender) = (Desk::new(), Sender::start());
    let [named, of_policy, other] = [Receiver::udp(V4), Receiver::udp(V4), Receiver::udp(V4)];
    let policy = desk.state.path().join("policy.toml");
    let port = of_policy.address.port();
    let text = format!("[kill_switch]\nallow = [\"127.0.0.0/8:{port}\"]\n");
    std::fs::write(&policy, text).expect("a file");
    let allow = format!("127.0.0.1:{}", named.address.port());
    let policy = policy.to_str().expect("a path of ASCII");
    let id = desk.shut(&["--pid", &sender.pid(), "--policy", policy, "--allow", &allow]);
    assert!(sender.sends(&named));
    assert!(sender.sends(&of_policy));
    assert!(!sender.sends(&other));
    // What one allows does not pass another.
    let second = desk.shut(&["--pid", &sender.pid(), "--policy", "/nonexistent"]);
    assert!(!sender.sends(&named));
    desk.release(second);
    assert!(sender.sends(&named));
    assert!(!sender.sends(&other));
    desk.release(id);
    assert!(sender.sends(&other));
}

#[test]
fn a_cgroup_is_shut_with_whoever_is_in_it_and_when_it_is_made_anew() {
    needs!("python3", "sh");
    let Some(cgroup) = Cgroup::make(&format!("q-{}", std::process::id())) else {
        skip!("no cgroup v2");
    };
    let (desk, to, old) = (Desk::new(), Receiver::udp(V4), Receiver::tcp(V4));
    let (mut within, mut beside) = (Sender::within(cgroup.path()), Sender::start());
    // A socket from before its process came into the cgroup is another cgroup's.
    let mut moved = Sender::start();
    moved.connect("old", &old);
    std::fs::write(cgroup.path().join("cgroup.procs"), moved.pid()).expect("root may");
    let below = cgroup.path().join("below");
    std::fs::create_dir(&below).expect("root may");
    let mut deep = Sender::within(&below);
    assert!(deep.sends(&to));

    let id = desk.shut(&["--cgroup", cgroup.path().to_str().expect("a path of ASCII")]);
    for sender in [&mut within, &mut deep, &mut moved] {
        assert!(!sender.sends(&to));
    }
    let stopped = desk.stopped(id);
    moved.ok("send old after");
    desk.wait_stopped(id, stopped);
    assert_eq!(old.bytes(), 5);
    assert!(beside.sends(&to));
    // Whoever comes into it later.
    let mut later = Sender::within(cgroup.path());
    assert!(!later.sends(&to));

    drop((within, deep, moved, later));
    let path = cgroup.path().to_owned();
    let gone = |path: &Path| wait_for("the cgroup's end", || std::fs::remove_dir(path).ok());
    gone(&below);
    gone(&path);
    let said = desk.ok(&["list"]);
    assert!(
        said.contains("the cgroup is gone; one of its path that is made again is shut"),
        "{said}"
    );
    std::fs::create_dir(&path).expect("root may");
    let mut again = Sender::within(&path);
    assert!(!again.sends(&to), "it has the old path");
    drop(again);
    gone(&path);
    let said = desk.ok(&["release", "--cgroup", path.to_str().expect("a path of ASCII")]);
    assert!(said.contains(&format!("quarantine {id} is released")), "{said}");
    std::fs::create_dir(&path).expect("root may");
    let mut free = Sender::within(&path);
    assert!(free.sends(&to));
}

#[test]
fn who_gets_the_pid_of_one_that_has_ended_is_not_shut() {
    needs!("python3");
    let (desk, mut sender, to) = (Desk::new(), Sender::start(), Receiver::udp(V4));
    let pid = sender.pid();
    let id = desk.shut(&["--pid", &pid]);
    assert!(!sender.sends(&to));
    drop(sender);
    // clone3(2) makes a process with a pid of one's choice.
    let again = format!(
        r#"
import ctypes, os, sys
class Args(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in
        'flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup'.split()]
pids = (ctypes.c_int32 * 1)({pid})
args = Args(exit_signal=17, set_tid=ctypes.addressof(pids), set_tid_size=1)
pid = ctypes.CDLL(None, use_errno=True).syscall(435, ctypes.byref(args), ctypes.sizeof(args))
if pid < 0: sys.exit('clone3: ' + os.strerror(ctypes.get_errno()))
if pid == 0: os.execvp('python3', ['python3', '-uc', {SENDER:?}])
os.waitpid(pid, 0)
"#
    );
    let mut other = Sender::with(Command::new("python3").args(["-uc", &again]));
    assert!(other.sends(&to));
    let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).expect("it has the pid");
    assert!(cmdline.starts_with(b"python3\0-uc"), "{cmdline:?}");
    assert!(desk.ok(&["list"]).contains("nobody: it has ended"));
    desk.release(id);
}

#[test]
fn several_quarantines_of_one_process_hold_each_by_itself() {
    needs!("python3");
    let (desk, mut sender, to) = (Desk::new(), Sender::start(), Receiver::tcp(V4));
    sender.connect("old", &to);
    let ids: Vec<u64> = (0..4).map(|_| desk.shut(&["--pid", &sender.pid()])).collect();
    let output = desk.run(&["--pid", &sender.pid(), "--reason", "x"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("it is in 4 quarantines already, limit is 4; release one"), "{told}");
    sender.ok("send old after");
    for id in &ids[..3] {
        desk.release(*id);
        assert_eq!(
            sender.ask(&format!("tcp new 127.0.0.1 {}", to.address.port())),
            "error timeout"
        );
    }
    desk.wait_stopped(ids[3], 0);
    assert_eq!(to.bytes(), 5);
    // A number that is over makes room for another.
    let again = desk.shut(&["--pid", &sender.pid()]);
    desk.release(ids[3]);
    assert_eq!(sender.ask(&format!("tcp new 127.0.0.1 {}", to.address.port())), "error timeout");
    assert_eq!(to.bytes(), 5);
    desk.release(again);
    to.wait_bytes(10);
}

#[test]
fn a_unit_of_systemd_is_shut_by_its_name() {
    needs!("python3", "systemctl", "systemd-run");
    let state = Command::new("systemctl").arg("is-system-running").output().expect("it runs");
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    if !["running", "degraded"].contains(&state.as_str()) {
        skip!("systemd does not run here: {state:?}");
    }
    let (desk, to) = (Desk::new(), Receiver::udp(V4));
    let unit = format!("q-{}", std::process::id());
    let mut command = Command::new("systemd-run");
    command.args(["--pipe", "--quiet", &format!("--unit={unit}"), "python3", "-uc", SENDER]);
    let mut sender = Sender::with(&mut command);
    assert!(sender.sends(&to));
    let id = desk.shut(&["--unit", &unit]);
    assert!(!sender.sends(&to));
    desk.ok(&["release", "--unit", &unit]);
    assert!(sender.sends(&to));
    assert!(desk.one(id).is_none());
}

#[test]
fn list_and_audit_trail_say_who_when_why_and_what_was_stopped() {
    needs!("python3");
    let (desk, mut sender, to) = (Desk::new(), Sender::start(), Receiver::udp(V4));
    let id = desk.shut(&["--pid", &sender.pid(), "--allow", "192.0.2.7:22"]);
    assert!(!sender.sends(&to));
    let said = desk.ok(&["list"]);
    let head = format!("{id}  process {} (", sender.pid());
    let of_it = said.split(&head).nth(1).unwrap_or_else(|| panic!("{said}"));
    for line in ["   since    2", ", by ", "   reason   a test\n", "   allowed  192.0.2.7:22\n"] {
        assert!(of_it.contains(line), "{said}");
    }
    // A datagram of 5 bytes with its headers.
    assert!(of_it.contains("   stopped  1 packets, 33 bytes, the last 0 s ago\n"), "{said}");
    let one = desk.one(id).expect("it is in force");
    assert_eq!(one["target_pid"].to_string(), sender.pid());
    assert_eq!(one["bytes_stopped"], 33);
    desk.ok(&["release", "--pid", &sender.pid(), "--reason", "done"]);
    desk.run(&["release", "999999999"]);
    let lines = desk.audit();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2]["error"].as_str().is_some_and(|why| why.contains("999999999")), "{lines:?}");
    assert_eq!(lines[0]["action"], "quarantine");
    assert_eq!(lines[0]["allow"], serde_json::json!(["192.0.2.7:22"]));
    assert!(lines[0]["uid"].is_u64() && lines[0]["time"].is_string());
    assert_eq!((&lines[1]["action"], &lines[1]["reason"]), (&"release".into(), &"done".into()));
    assert_eq!(lines[1]["bytes_stopped"], 33);
}

#[test]
fn what_would_harm_the_host_is_refused_and_told() {
    needs!();
    let desk = Desk::new();
    let own = std::process::id().to_string();
    for (args, code, what) in [
        (&["--pid", "1"][..], 1, "process 1 ("),
        (&["--pid", "1", "--force"], 1, "process 1 ("),
        (
            &["--pid", &own],
            1,
            "is what this is typed in, or came from; --force shuts it all the same",
        ),
        (&["--pid", "4194304"], 1, "there is no process 4194304"),
        (&["--cgroup", "/"], 1, "kill-switch on` shuts the host"),
        (&["--cgroup", "/nowhere"], 1, "there is no such cgroup of version 2"),
        (&["--unit", "nowhere-at-all"], 1, "no cgroup has the name of this unit"),
    ] {
        let output = desk.run(&[args, &["--reason", "x"]].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(what), "{args:?}: {told}");
    }
    assert!(desk.audit().iter().any(|line| line["error"].is_string()), "{:?}", desk.audit());
    for (args, what) in [
        (&["--pid", "7"][..], "--reason <TEXT>"),
        (&["--reason", "x"], "name one of --pid, --cgroup and --unit"),
        (&["--pid", "7", "--unit", "x", "--reason", "x"], "name one of --pid, --cgroup and --unit"),
        (&["--pid", "7", "--reason", "x", "--for", "2 weeks"], "write 1s to 365d"),
        (&["--pid", "7", "--reason", "x", "--allow", "::1:443"], "[2001:db8::/32]:53"),
    ] {
        let output = desk.run(args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(what), "{args:?}: {told}");
    }
    needs!("setpriv");
    for action in ["--pid 7 --reason x", "list", "release 1"] {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(binary()).arg("quarantine");
        let output = command.args(action.split(' ')).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(77), "{action}: {told}");
        assert!(told.contains("missing CAP_BPF") && told.contains("run as root"), "{told}");
    }
}
