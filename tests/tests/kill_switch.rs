//! The kill-switch, with real sockets between two network namespaces. It shuts a cgroup of the test, and
//! the root of the host only with everything allowed.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use serde_json::Value;
use support::cgroup::Cgroup;
use support::monitor::binary;
use support::wait::{poll, wait_for};
use support::{Monitor, Receiver, needs, skip};
use tempfile::TempDir;

/// Far beyond what it takes: two cores are shared with other tests.
const SHUT_BOUND: Duration = Duration::from_millis(500);
/// What is aimed for, and holds for the fastest of a few.
const SHUT_AIM: Duration = Duration::from_millis(10);

const OURS: &str = "10.77.0.1";
const THEIRS: &str = "10.77.0.2";
const THEIRS_V6: &str = "fd77::2";

/// Opens sockets and sends on them, as it is told by lines: `tcp NAME ADDRESS PORT`, `udp NAME ADDRESS PORT
/// [OWN PORT]`, `send NAME TEXT`, `pour NAME`. Answers each with a line.
const SENDER: &str = r#"
import errno, socket, sys, threading
socks = {}
def pour(s):
    while True:
        try: s.send(b'x' * 64)
        except OSError: pass
for line in sys.stdin:
    word, name, *rest = line.split()
    try:
        if word in ('tcp', 'udp'):
            family = socket.AF_INET6 if ':' in rest[0] else socket.AF_INET
            s = socket.socket(family, socket.SOCK_STREAM if word == 'tcp' else socket.SOCK_DGRAM)
            s.settimeout(2)
            if len(rest) > 2: s.bind(('', int(rest[2])))
            s.connect((rest[0], int(rest[1])))
            socks[name] = s
            print('ok', s.getsockname()[1], flush=True)
        elif word == 'send':
            socks[name].sendall(' '.join(rest).encode())
            print('ok', flush=True)
        elif word == 'pour':
            threading.Thread(target=pour, args=(socks[name],), daemon=True).start()
            print('ok', flush=True)
    except OSError as e:
        print('error', errno.errorcode.get(e.errno, 'timeout'), flush=True)
"#;

/// Two namespaces joined by a pair of devices: in one, and in a cgroup of its own, is the sender.
struct Lab {
    sender: Child,
    says: BufReader<ChildStdout>,
    asks: ChildStdin,
    far: Child,
    cgroup: Cgroup,
    state: TempDir,
}

#[track_caller]
fn sh(code: &str) {
    let output = Command::new("sh").args(["-ec", code]).output().expect("sh runs");
    assert!(output.status.success(), "{code}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn namespace(of: &Child) -> String {
    format!("/proc/{}/ns/net", of.id())
}

impl Lab {
    fn make(name: &str) -> Option<Lab> {
        let name = format!("ks-{name}-{}", std::process::id());
        let cgroup = Cgroup::make(&name)?;
        let mut far = Command::new("unshare");
        let far = far.args(["--net", "sleep", "600"]).spawn().expect("unshare runs");
        let mut sender = Command::new("sh");
        sender.args(["-c", r#"echo 0 >"$0/cgroup.procs" && exec unshare --net python3 -uc "$1""#]);
        sender.arg(cgroup.path()).arg(SENDER);
        let mut sender =
            sender.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh runs");
        let own = std::fs::read_link("/proc/self/ns/net").expect("procfs");
        for child in [&far, &sender] {
            wait_for("a namespace", || {
                std::fs::read_link(namespace(child)).ok().filter(|link| *link != own)
            });
        }
        let (a, b) = (sender.id(), far.id());
        let inside = |pid: u32, rest: &str| format!("nsenter --net=/proc/{pid}/ns/net ip {rest}\n");
        let mut code = inside(a, &format!("link add ks0 type veth peer name ks0 netns {b}"));
        for (pid, host) in [(a, 1), (b, 2)] {
            code += &inside(pid, "link set lo up");
            code += &inside(pid, &format!("addr add 10.77.0.{host}/24 dev ks0"));
            code += &inside(pid, &format!("addr add fd77::{host}/64 dev ks0 nodad"));
            code += &inside(pid, "link set ks0 up");
        }
        sh(&code);
        let says = BufReader::new(sender.stdout.take().expect("a pipe"));
        let asks = sender.stdin.take().expect("a pipe");
        let state = TempDir::new().expect("a temporary directory");
        Some(Lab { sender, says, asks, far, cgroup, state })
    }

    /// Asks the sender for something; what it answered.
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

    /// Makes something in the far namespace: a socket stays there.
    fn far<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(namespace(&self.far)).expect("it is there");
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                setns(file, CloneFlags::CLONE_NEWNET).expect("root may");
                make()
            });
            made.join().expect("it is made")
        })
    }

    fn receiver(&self, ip: &str) -> Receiver {
        let ip: IpAddr = ip.parse().expect("an address");
        self.far(|| Receiver::tcp(ip))
    }

    /// The command for this cgroup.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("kill-switch").args(args).arg("--cgroup").arg(self.cgroup.path());
        command.arg("--state-dir").arg(self.state.path()).env_remove("SSH_CONNECTION");
        command
    }

    /// Runs it, and it goes well; what it said.
    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("the binary runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into()
    }

    fn on(&self, args: &[&str]) -> String {
        self.run(&[&["on", "--no-session", "--reason", "a test"], args].concat())
    }

    fn status(&self) -> (Option<i32>, Value) {
        let output = self.command(&["status", "--json"]).output().expect("the binary runs");
        let json = serde_json::from_slice(&output.stdout);
        (output.status.code(), json.unwrap_or_else(|_| panic!("{output:?}")))
    }

    /// Waits until packets were stopped beyond so many.
    #[track_caller]
    fn wait_stopped(&self, beyond: u64) -> u64 {
        wait_for("packets that are stopped", || {
            let (_, status) = self.status();
            status["packets_stopped"].as_u64().filter(|packets| *packets > beyond)
        })
    }

    /// Whether a datagram gets through: one that is sent until it does, or until it is refused.
    #[track_caller]
    fn udp(&mut self, ip: &str, port: u16, own: &str) -> bool {
        let ip: IpAddr = ip.parse().expect("an address");
        let socket = self.far(|| UdpSocket::bind((ip, port))).expect("a port");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
        let port = socket.local_addr().expect("an address").port();
        self.ok(&format!("udp probe {ip} {port} {own}"));
        let answer = self.ask("send probe hello");
        if answer.starts_with("error") {
            assert_eq!(answer, "error EPERM");
            return false;
        }
        // A wait with a bound is not taken up again by itself.
        loop {
            match socket.recv(&mut [0; 16]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                came => return came.is_ok(),
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.command(&["off"]).output();
        for child in [&mut self.sender, &mut self.far] {
            let _ = child.kill();
            let _ = child.wait();
        }
        // The cgroup can go once the kernel has seen them off.
        poll(|| {
            let procs = std::fs::read_to_string(self.cgroup.path().join("cgroup.procs"));
            procs.map_or(true, |procs| procs.is_empty()).then_some(())
        });
    }
}

macro_rules! lab {
    ($name:literal) => {{
        needs!("ip", "nsenter", "unshare", "python3", "sh");
        match Lab::make($name) {
            Some(lab) => lab,
            None => skip!("no cgroup v2"),
        }
    }};
}

#[test]
fn what_is_open_and_what_is_new_is_shut_and_goes_on_after_it() {
    let mut lab = lab!("all");
    let old = lab.receiver(THEIRS);
    let new = lab.receiver(THEIRS);
    lab.ok(&format!("tcp old {THEIRS} {}", old.address.port()));
    lab.ok("send old before");
    old.wait_bytes(6);

    let said = lab.on(&[]);
    assert!(said.starts_with("egress is shut: "), "{said}");
    lab.ok("send old after");
    let packets = lab.wait_stopped(0);
    assert_eq!(lab.ask(&format!("tcp new {THEIRS} {}", new.address.port())), "error timeout");
    assert!(!lab.udp(THEIRS, 0, ""));
    assert!(!lab.udp(THEIRS_V6, 0, ""));
    lab.wait_stopped(packets);
    assert_eq!((old.bytes(), new.bytes()), (6, 0));

    // Loopback is not egress.
    let own = lab.ok("udp own 127.0.0.1 9");
    lab.ok(&format!("udp to-own 127.0.0.1 {own}"));
    lab.ok("send to-own hello");

    let said = lab.run(&["off", "--reason", "done"]);
    assert!(said.starts_with("egress is open again; it was shut since 2"), "{said}");
    old.wait_bytes(11);
    assert_eq!(old.text(), b"beforeafter");
    assert!(lab.run(&["off"]).starts_with("it was off already"));
}

#[test]
fn it_is_shut_within_milliseconds_of_the_command() {
    let mut lab = lab!("time");
    let ip: IpAddr = THEIRS.parse().expect("an address");
    let socket = lab.far(|| UdpSocket::bind((ip, 0))).expect("a port");
    let port = socket.local_addr().expect("an address").port();
    let last = Arc::new(Mutex::new(Instant::now()));
    let seen = Arc::clone(&last);
    std::thread::spawn(move || {
        while socket.recv(&mut [0; 128]).is_ok() {
            *seen.lock().unwrap() = Instant::now();
        }
    });
    lab.ok(&format!("udp flood {THEIRS} {port}"));
    lab.ok("pour flood");
    let mut times = Vec::new();
    for _ in 0..7 {
        let before = *last.lock().unwrap();
        wait_for("datagrams", || (*last.lock().unwrap() > before).then_some(()));
        let started = Instant::now();
        lab.on(&[]);
        let (_, status) = lab.status();
        let shut = status["packets_stopped"].as_u64().expect("a number");
        lab.wait_stopped(shut);
        times.push(last.lock().unwrap().saturating_duration_since(started));
        lab.run(&["off"]);
    }
    times.sort();
    eprintln!("from the start of the command to the last datagram: {times:?}");
    assert!(times[0] < SHUT_AIM, "{times:?}");
    assert!(times[times.len() - 1] < SHUT_BOUND, "{times:?}");
}

#[test]
fn what_is_allowed_by_network_and_port_passes_and_nothing_beside_it() {
    let mut lab = lab!("allow");
    lab.on(&["--allow", "10.77.0.0/24:7001", "[fd77::/64]:7002", "[fd77::2]:7003"]);
    assert!(lab.udp(THEIRS, 7001, ""));
    assert!(!lab.udp(THEIRS, 7002, ""));
    assert!(lab.udp(THEIRS_V6, 7002, ""));
    assert!(lab.udp(THEIRS_V6, 7003, ""));
    assert!(!lab.udp(THEIRS_V6, 7001, ""));

    // Another list; a network with one port does not hide a wider one with another.
    let said = lab.on(&["--allow", "10.0.0.0/8:7002", "--allow", "10.77.0.0/24:7004"]);
    assert!(said.starts_with("egress was shut already since 2"), "{said}");
    assert!(!lab.udp(THEIRS, 7001, ""));
    assert!(lab.udp(THEIRS, 7002, ""));
    assert!(!lab.udp(THEIRS_V6, 7002, ""));

    lab.on(&["--allow", "10.77.0.2:*"]);
    let receiver = lab.receiver(THEIRS);
    lab.ok(&format!("tcp any {THEIRS} {}", receiver.address.port()));
    lab.ok("send any hello");
    receiver.wait_bytes(5);
    assert!(!lab.udp(THEIRS_V6, 7003, ""));
}

#[test]
fn what_the_policy_allows_passes_too_and_one_that_cannot_be_read_keeps_nobody_from_shutting() {
    let mut lab = lab!("policy");
    let policy = lab.state.path().join("policy.toml");
    let path = policy.to_str().expect("a path of ASCII").to_owned();
    let rule = "version = 1\n[[rule]]\nid = \"a\"\nentities = \"*\"\n";
    let put = |rest: &str| std::fs::write(&policy, format!("{rule}{rest}")).expect("a file");
    put("[kill_switch]\nallow = [\"10.77.0.0/24:7001\"]\n");
    let said = lab.on(&["--policy", &path, "--allow", "10.77.0.0/24:7002"]);
    assert!(said.contains("allowed  10.77.0.0/24:7002\nallowed  10.77.0.0/24:7001\n"), "{said}");
    assert!(lab.udp(THEIRS, 7001, ""));
    assert!(lab.udp(THEIRS, 7002, ""));
    assert!(!lab.udp(THEIRS, 7003, ""));

    let mut shut = |what: &str| {
        let args = ["on", "--no-session", "--reason", "x", "--policy", &path];
        let args = [&args[..], &["--allow", "10.77.0.0/24:7002"]].concat();
        let output = lab.command(&args).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && told.contains(what), "{output:?}");
        assert!(told.contains("only what the command names may be sent to"), "{told}");
        assert!(!lab.udp(THEIRS, 7001, ""));
        assert!(lab.udp(THEIRS, 7002, ""));
    };
    put("[kill_switch]\nallow = [\"10.77.0.0/24:7001\", \"x\"]\n");
    shut("policy.toml:6:31: allow \"x\": it is no network and port");
    std::fs::remove_file(&policy).expect("it is there");
    shut("cannot read the policy");
    nix::unistd::mkfifo(&policy, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    shut("it is no regular file");
}

#[test]
fn a_host_keeps_its_neighbours_and_its_lease() {
    let mut lab = lab!("link");
    lab.on(&["--allow", "[fd77::/64]:7002"]);
    let pid = lab.sender.id();
    sh(&format!("nsenter --net=/proc/{pid}/ns/net ip -6 neigh flush dev ks0"));
    assert!(lab.udp(THEIRS_V6, 7002, ""), "the neighbour is found");
    assert!(lab.udp(THEIRS, 67, "68"), "a lease is renewed");
    assert!(!lab.udp(THEIRS, 67, ""), "who is no DHCP client is not");
}

#[test]
fn the_session_that_it_is_typed_in_goes_on_and_no_other() {
    let mut lab = lab!("session");
    let far = lab.receiver(THEIRS);
    let port = far.address.port();
    let ours = lab.ok(&format!("tcp kept {THEIRS} {port}"));
    lab.ok(&format!("tcp other {THEIRS} {port}"));
    let connection = format!("{THEIRS} {port} {OURS} {ours}");
    let on = |args: &[&str]| {
        let mut command = lab.command(&[&["on", "--reason", "x"], args].concat());
        let output = command.env("SSH_CONNECTION", &connection).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = on(&[]);
    assert!(
        said.contains(&format!("session  {THEIRS}:{port} to {OURS}:{ours}, goes on")),
        "{said}"
    );
    // As by sudo, which keeps the variable from the command.
    let mut sudo = Command::new("sh");
    let code = r#"env -u SSH_CONNECTION "$@"; exit $?"#;
    sudo.args(["-c", code, "sh"]).arg(binary()).args(["kill-switch", "on", "--reason", "y"]);
    sudo.arg("--cgroup").arg(lab.cgroup.path()).arg("--state-dir").arg(lab.state.path());
    let output = sudo.env("SSH_CONNECTION", &connection).output().expect("sh runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("goes on"), "{output:?}");

    lab.ok("send other lost");
    lab.wait_stopped(0);
    lab.ok("send kept hello");
    far.wait_bytes(5);
    assert_eq!(far.text(), b"hello");
    let mut command = lab.command(&["on", "--reason", "x", "--no-session"]);
    command.env("SSH_CONNECTION", &connection);
    let stopped = lab.status().1["packets_stopped"].as_u64().expect("a number");
    assert!(command.status().expect("it runs").success());
    lab.ok("send kept lost");
    lab.wait_stopped(stopped);
    assert_eq!(far.text(), b"hello");
}

#[test]
fn it_outlives_the_daemon_and_a_command_that_is_killed_anywhere() {
    let mut lab = lab!("kill");
    let mut daemon = Monitor::start();
    lab.on(&[]);
    daemon.kill();
    assert!(!lab.udp(THEIRS, 0, ""));
    lab.run(&["off"]);
    let (mut on, mut off) = (0, 0);
    for step in 0..60 {
        let mut command = lab.command(&["on", "--reason", "x", "--no-session"]);
        let mut child = command.stdout(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_micros(200 * step));
        let _ = child.kill();
        child.wait().expect("it ends");
        let (code, status) = lab.status();
        let shut = !lab.udp(THEIRS, 0, "");
        assert_eq!(code, Some(if shut { 0 } else { 3 }), "{status}");
        assert_eq!(status["on"], shut);
        *if shut { &mut on } else { &mut off } += 1;
        if step % 2 == 0 {
            // Half of them come to one that is on: it stays on.
            lab.run(&["off"]);
            assert!(lab.udp(THEIRS, 0, ""));
            assert_eq!(lab.status().0, Some(3));
        }
    }
    eprintln!("killed after 0 to 12 ms: {on} times it was on, {off} times off");
}

#[test]
fn status_says_who_when_why_and_what_was_stopped() {
    let mut lab = lab!("status");
    let text = |output: Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let output = lab.command(&["status"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(text(output), "off: whatever is sent leaves\n");

    lab.on(&["--allow", "192.0.2.7:22"]);
    assert!(!lab.udp(THEIRS, 0, ""));
    let said = lab.run(&["status"]);
    assert!(said.starts_with("on since 2") && said.contains(", by "), "{said}");
    for line in ["reason   a test\n", "allowed  192.0.2.7:22\n", "session  none is kept\n"] {
        assert!(said.contains(line), "{said}");
    }
    // A datagram of 5 bytes with its headers.
    assert!(said.contains("stopped  1 packets, 33 bytes, the last 0 s ago\n"), "{said}");

    lab.on(&[]);
    let (code, status) = lab.status();
    assert_eq!(code, Some(0));
    assert_eq!(status["on"], true);
    assert_eq!(status["reason"], "a test");
    assert_eq!(status["allow"], serde_json::json!([]));
    assert_eq!(status["packets_stopped"], 1, "what the one before it stopped counts");
    assert_eq!(status["bytes_stopped"], 33);
    assert!(status["uid"].is_u64() && status["since"].as_str() < status["changed"].as_str());
    lab.run(&["off", "--reason", "done"]);

    let audit = lab.state.path().join("audit.jsonl");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&audit).expect("it is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let lines = std::fs::read_to_string(&audit).expect("it is there");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let seen: Vec<_> = lines.iter().map(|line| (&line["action"], &line["was_on"])).collect();
    assert_eq!(
        seen,
        [
            (&"on".into(), &false.into()),
            (&"on".into(), &true.into()),
            (&"off".into(), &true.into())
        ]
    );
    assert_eq!(lines[0]["allow"], serde_json::json!(["192.0.2.7:22"]));
    assert_eq!(lines[2]["reason"], "done");
    assert_eq!(lines[2]["packets_stopped"], 1);
}

#[test]
fn an_audit_trail_that_cannot_be_written_does_not_keep_it_from_shutting() {
    let mut lab = lab!("audit");
    let mut command = Command::new(binary());
    command.args(["kill-switch", "on", "--reason", "x", "--no-session", "--cgroup"]);
    command.arg(lab.cgroup.path()).args(["--state-dir", "/proc/nowhere"]);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot write /proc/nowhere/audit.jsonl: "), "{said}");
    assert!(!lab.udp(THEIRS, 0, ""));
}

#[test]
fn a_cgroup_that_is_gone_leaves_no_switch() {
    needs!();
    let Some(cgroup) = Cgroup::make(&format!("ks-gone-{}", std::process::id())) else {
        skip!("no cgroup v2");
    };
    let state = TempDir::new().expect("a temporary directory");
    let run = |action: &[&str], at: &Path| {
        let mut command = Command::new(binary());
        command.arg("kill-switch").args(action).arg("--cgroup").arg(at);
        let output = command.arg("--state-dir").arg(state.path()).output();
        output.expect("it runs")
    };
    let path: PathBuf = cgroup.path().into();
    let inode = std::os::unix::fs::MetadataExt::ino(&path.metadata().expect("it is there"));
    let pins = format!("/sys/fs/bpf/egress-monitor/kill-switch-{inode}");
    assert!(run(&["on", "--reason", "x"], &path).status.success());
    assert!(Path::new(&pins).exists());
    drop(cgroup);
    let output = run(&["status"], &path);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    // Whoever looks next removes what is left of it.
    let other = Cgroup::make(&format!("ks-other-{}", std::process::id())).expect("as before");
    wait_for("the pins' end", || {
        assert_eq!(run(&["status"], other.path()).status.code(), Some(3));
        (!Path::new(&pins).exists()).then_some(())
    });
}

#[test]
fn wrong_arguments_and_missing_rights_are_told_with_what_to_do() {
    let run = |args: &[&str]| {
        let output = Command::new(binary()).arg("kill-switch").args(args).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (args, said) in [
        (&["on"][..], "--reason <TEXT>"),
        (&["on", "--reason", " "], "write why"),
        (&["on", "--reason", "x", "--allow", "10.0.0.0/8"], "write 10.0.0.0/8:443"),
        (&["on", "--reason", "x", "--allow", "::1:443"], "[2001:db8::/32]:53"),
    ] {
        let (code, told) = run(args);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(said), "{told}");
    }
    needs!("setpriv");
    for action in ["on --reason x", "off", "status"] {
        let mut command = Command::new("setpriv");
        // Its folders are another's; the binary has to be within reach.
        command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(binary()).arg("kill-switch");
        let output = command.args(action.split(' ')).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(77), "{action}: {told}");
        assert!(told.contains("missing CAP_BPF") && told.contains("run as root"), "{told}");
    }
}

/// On the host itself: with everything allowed, so that nothing is cut.
#[test]
fn at_the_root_of_the_host_it_is_attached_pinned_and_taken_off() {
    needs!();
    let state = TempDir::new().expect("a temporary directory");
    let run = |args: &[&str]| {
        let mut command = Command::new(binary());
        command.arg("kill-switch").args(args).arg("--state-dir").arg(state.path());
        command.output().expect("it runs")
    };
    if run(&["status"]).status.code() == Some(0) {
        skip!("this host is shut");
    }
    let all = ["--allow", "0.0.0.0/0:*", "[::/0]:*"];
    let output = run(&[&["on", "--reason", "a test that allows everything"][..], &all].concat());
    assert!(output.status.success(), "{output:?}");
    let pins = Path::new("/sys/fs/bpf/egress-monitor/kill-switch");
    let folders: Vec<_> = std::fs::read_dir(pins).expect("pins").flatten().collect();
    assert_eq!(folders.len(), 1);
    assert!(folders[0].path().join("link").exists());
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let to: SocketAddr = socket.local_addr().expect("an address");
    socket.send_to(b"hello", to).expect("it passes");
    let output = run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = run(&["off"]);
    assert!(output.status.success(), "{output:?}");
    assert!(!pins.exists());
    assert_eq!(run(&["status"]).status.code(), Some(3));
}
