//! `[access]`: what others than root may have a daemon do.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::monitor::binary;
use support::net::V4;
use support::{Monitor, Receiver, Running, needs, python};

/// Numbers that nobody has here.
const OPERATOR: &str = "61001";
const VIEWER: &str = "61002";
const STRANGER: &str = "61003";

fn rules(operators: &str) -> String {
    format!(
        "[access]\noperators = [{operators}]\nviewers = [{VIEWER}]\n\
         [[rule]]\nid = \"a\"\nentities = [\"CREDIT_CARD\"]\ndestination = {{ port = [9] }}\n"
    )
}

/// Sends what it is told to, and says whether it could.
const SENDER: &str = "
s = tcp(); say('ready')
while True: s.sendall(take()); say('sent')";

/// A daemon that others reach, and the binary where they can execute it.
struct Lab {
    monitor: Monitor,
}

impl Lab {
    fn under(rules: &str) -> Lab {
        let monitor = Monitor::under(rules);
        let dir = monitor.dir().to_owned();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711)).expect("root may");
        std::fs::copy(binary(), dir.join("bin")).expect("there is room");
        Lab { monitor }
    }

    /// Runs a command as somebody else.
    fn run(&self, uid: &str, args: &[&str]) -> Output {
        let dir = self.monitor.dir();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", uid, "--regid", uid, "--clear-groups"]).arg(dir.join("bin"));
        command.args(args).arg("--runtime-dir").arg(dir.join("run")).env_remove("SSH_CONNECTION");
        command.output().expect("setpriv runs")
    }

    #[track_caller]
    fn check(&self, uid: &str, args: &[&str], code: i32, said: &str) -> String {
        let output = self.run(uid, args);
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{uid} {args:?}: {told}");
        assert!(told.contains(said), "{uid} {args:?}: {told}");
        told
    }

    fn audit(&self) -> Vec<Value> {
        let path = self.monitor.dir().join("state/audit.jsonl");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

#[test]
fn operators_shut_and_open_viewers_ask_and_others_do_neither() {
    needs!("python3", "setpriv");
    let lab = Lab::under(&rules(OPERATOR));
    let receiver = Receiver::tcp(V4);
    let mut sender = Running::start(&mut python(SENDER, receiver.address, &[""]));
    assert_eq!(sender.line(), "ready");
    let pid = sender.pid().to_string();
    let shut = ["quarantine", "--pid", &pid, "--reason", "a test"];

    lab.check(VIEWER, &shut, 77, "operators of [access] of the policy shut and open; viewers ask");
    lab.check(STRANGER, &shut, 77, "[access] of its policy does not let you ask it");
    lab.check(
        STRANGER,
        &["coverage"],
        69,
        "it answers root, and whom [access] of its policy names",
    );
    lab.check(VIEWER, &["coverage"], 0, "");
    lab.check(OPERATOR, &[&shut[..], &["--force"]].concat(), 2, "--force is for root");
    lab.check(
        OPERATOR,
        &[&shut[..], &["--policy", "/etc/shadow"]].concat(),
        2,
        "--policy is for root",
    );
    lab.check(OPERATOR, &["quarantine", "--pid", "1", "--reason", "x"], 1, "process 1 (");

    let said = lab.check(OPERATOR, &shut, 0, "nothing leaves from process ");
    let id = said.trim_start_matches("quarantine ").split(':').next().expect("a number").to_owned();
    sender.say(&support::program::hex("hello"));
    assert_eq!(sender.line(), "sent");
    for uid in [OPERATOR, VIEWER] {
        lab.check(uid, &["quarantine", "list"], 0, &format!("by uid ({OPERATOR})"));
    }
    lab.check(VIEWER, &["quarantine", "release", &id], 77, "viewers ask");
    assert_eq!(receiver.bytes(), 0);
    lab.check(OPERATOR, &["quarantine", "release", &id, "--reason", "done"], 0, "sends again");
    receiver.wait_bytes(5);

    let lines = lab.audit();
    let of =
        |action: &str| lines.iter().filter(|line| line["action"] == action).collect::<Vec<_>>();
    let uid = |line: &Value| line["uid"].to_string();
    assert!(of("quarantine").iter().all(|line| uid(line) == OPERATOR), "{lines:?}");
    assert!(of("quarantine").iter().any(|line| line["reason"] == "a test"), "{lines:?}");
    assert_eq!(of("release").iter().map(|line| uid(line)).collect::<Vec<_>>(), [OPERATOR]);
    let refused: Vec<String> = of("refused").iter().map(|line| uid(line)).collect();
    assert!(refused.contains(&VIEWER.into()) && refused.contains(&STRANGER.into()), "{lines:?}");
    assert!(refused.len() <= 10, "{lines:?}");
}

#[test]
fn the_kill_switch_is_turned_by_operators() {
    needs!("setpriv");
    let lab = Lab::under(&rules(OPERATOR));
    if lab.run(VIEWER, &["kill-switch", "status"]).status.code() == Some(0) {
        support::skip!("this host is shut");
    }
    let all = ["--allow", "0.0.0.0/0:*", "[::/0]:*"];
    let on = [&["kill-switch", "on", "--no-session", "--reason", "x"][..], &all].concat();
    lab.check(VIEWER, &on, 77, "viewers ask");
    let cgroup = ["--cgroup", "/sys/fs/cgroup"];
    lab.check(OPERATOR, &[&on[..], &cgroup].concat(), 2, "are for root");
    lab.check(OPERATOR, &on, 0, "egress is shut: ");
    lab.check(VIEWER, &["kill-switch", "status"], 0, &format!("by uid ({OPERATOR})"));
    lab.check(OPERATOR, &["kill-switch", "off"], 0, "egress is open again");
    lab.check(VIEWER, &["kill-switch", "status"], 3, "off: whatever is sent leaves");
}

#[test]
fn the_socket_is_roots_alone_where_the_policy_names_nobody() {
    needs!("setpriv");
    let mode = |at: &Path| std::fs::metadata(at).expect("it is there").permissions().mode() & 0o777;
    let rule = "[[rule]]\nid = \"a\"\nentities = [\"CREDIT_CARD\"]\ndestination = { port = [9] }\n";
    let lab = Lab::under(rule);
    let socket = lab.monitor.dir().join("run/control.sock");
    assert_eq!(mode(&socket), 0o600);
    lab.check(OPERATOR, &["quarantine", "list"], 77, "missing CAP_BPF");
    // Another policy lets them ask, and takes that back.
    lab.monitor.put_policy(&rules(OPERATOR));
    lab.monitor.signal(nix::sys::signal::Signal::SIGHUP);
    support::wait::wait_for("the socket's mode", || (mode(&socket) == 0o666).then_some(()));
    lab.check(VIEWER, &["coverage"], 0, "");
    lab.monitor.put_policy(&rules("61009"));
    lab.monitor.signal(nix::sys::signal::Signal::SIGHUP);
    support::wait::wait_for("the end of it", || {
        (lab.run(OPERATOR, &["coverage"]).status.code() == Some(69)).then_some(())
    });
}

#[test]
fn hostile_bytes_get_an_error_and_harm_nobody() {
    needs!();
    let lab = Lab::under(&rules(OPERATOR));
    let ask = |bytes: &[u8]| {
        let socket = lab.monitor.dir().join("run/control.sock");
        let mut stream = UnixStream::connect(socket).expect("root may");
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    for args in ["{}", "[1]", "[\"run\"]", "[\"quarantine\", \"--pid\", \"7\"]", "[\"\\u0000\"]"] {
        let answer = ask(format!("do {args}\n").as_bytes());
        let done: Value =
            serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{args}: {answer}"));
        assert_eq!(done["code"], 2, "{args}: {answer}");
    }
    assert!(ask(b"nothing\n").contains("unknown command"));
    ask(&[0xff; 100]);
    ask(&vec![b'x'; 1 << 20]);
    assert_eq!(lab.monitor.status()["pid"], lab.monitor.pid());
}
