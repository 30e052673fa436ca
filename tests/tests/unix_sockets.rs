//! Unix sockets: looked at where the policy asks for it, and the daemon's own never.

use std::net::SocketAddr;

use serde_json::Value;
use support::{Monitor, Running, Start, needs, python, skip};

/// Rules on cards by what carried them; the sender of the test's own is left to its rule.
const RULES: &str = "[[rule]]\nid = \"unix\"\nentities = [\"CREDIT_CARD\"]\ntransport = [\"unix\"]\n\
                     [[rule]]\nid = \"any\"\nentities = [\"CREDIT_CARD\"]\n";

fn policy(unix_sockets: bool) -> String {
    format!("[settings]\nunix_sockets = {unix_sockets}\n{RULES}")
}

/// Every way to hook that this kernel may have; `best` is one of them.
const TAPS: [&str; 4] = ["best", "fentry", "lsm", "tracepoints"];

/// A way of its own to send `D[0]` on a pair of Unix sockets.
const SENDS: [(&str, &str); 5] = [
    ("stream, sendall", "near, far = pair(socket.SOCK_STREAM); near.sendall(D[0])"),
    ("stream, write", "near, far = pair(socket.SOCK_STREAM); os.write(near.fileno(), D[0])"),
    ("stream, writev", "near, far = pair(socket.SOCK_STREAM); os.writev(near.fileno(), [D[0][:9], D[0][9:]])"),
    ("datagram, sendmsg", "near, far = pair(socket.SOCK_DGRAM); near.sendmsg([D[0]])"),
    (
        "datagram, sendto",
        "far = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); far.bind(b'\\0' + os.urandom(12).hex().encode())
near = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); near.sendto(D[0], far.getsockname())",
    ),
];

/// The process sends the text, and the other end gets it.
fn sender(monitor: &Monitor, code: &str) -> Running {
    let text = format!("card {} end", monitor.data.card());
    let code = format!(
        "def pair(kind): return socket.socketpair(socket.AF_UNIX, kind)\n{code}\nassert far.recv(4096) == D[0]"
    );
    let nowhere: SocketAddr = ([127, 0, 0, 1], 9).into();
    let mut sender = Running::start(&mut python(&code, nowhere, &[&text]));
    sender.finish();
    sender
}

/// Started with a way to hook, where this kernel has it.
fn start(policy: &str, tap: &str) -> Option<Monitor> {
    let probe = support::monitor::run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&probe.stdout).expect("one JSON object");
    let hooks = report["hooks"].as_array().expect("hooks");
    let has = |hook: &Value| {
        let way = hook["way"].as_str().unwrap_or_default().to_lowercase();
        hook["place"] == "socket" && hook["used"] == true && way.starts_with(tap)
    };
    // Tracepoints are everywhere; another is only known to be there where it is the best.
    let there = tap == "best" || tap == "tracepoints" || hooks.iter().any(has);
    if !there {
        skip::say(&format!("Unix sockets under {tap}: not the best way that this kernel takes"));
        return None;
    }
    Some(Start::new().policy(policy).args(&["--tap", tap]).run())
}

#[test]
fn streams_and_datagrams_are_found_where_the_policy_asks_for_them() {
    needs!("python3");
    for tap in TAPS {
        let Some(monitor) = start(&policy(true), tap) else { continue };
        for (what, code) in SENDS {
            let sender = sender(&monitor, code);
            let alerts = monitor.of(sender.pid());
            let met: Vec<&str> = alerts.iter().map(|alert| alert.text("/rule")).collect();
            assert_eq!(met, ["unix", "any"], "{what} under {tap}: {alerts:#?}");
            for alert in &alerts {
                assert_eq!(alert.entities(), ["CREDIT_CARD"], "{what} under {tap}");
                assert_eq!((alert.text("/transport"), alert.text("/tap")), ("unix", "socket"));
                assert_eq!(alert.0["destination"], Value::Null, "{what} under {tap}");
                assert!(alert.text("/process/exe").contains("python"), "{alert:?}");
            }
            let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
            assert!(
                coverage["bytes_examined"].as_u64() > Some(0),
                "{what} under {tap}: {coverage}"
            );
            assert_eq!(coverage["gaps"], serde_json::json!({}), "{what} under {tap}");
        }
    }
}

#[test]
fn nothing_is_found_where_it_does_not() {
    needs!("python3");
    for policy in [policy(false), RULES.to_owned()] {
        for tap in TAPS {
            let Some(monitor) = start(&policy, tap) else { continue };
            for (what, code) in SENDS {
                let sender = sender(&monitor, code);
                assert!(monitor.of(sender.pid()).is_empty(), "{what} under {tap}");
                assert_eq!(monitor.coverage(sender.pid()), None, "{what} under {tap}");
            }
        }
    }
}

/// What the daemon answers on its control socket, and writes to a socket that stands for its
/// output, it does not look at: or each answer would count, and each alert raise another.
#[test]
fn the_daemon_does_not_look_at_what_it_sends_itself() {
    needs!("python3");
    let (near, far) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    // Alerts of the policy's own detector hold the name of a thing that it looks for.
    let policy = format!(
        "[settings]\nunix_sockets = true\n[[detector]]\nname = \"ALERTS\"\nliterals = [\"masked\"]\n\
         [[rule]]\nid = \"alerts\"\nentities = [\"ALERTS\"]\n{RULES}"
    );
    let start =
        Start::new().policy(&policy).alerts("-").stdout(std::os::fd::OwnedFd::from(near).into());
    let monitor = start.run();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(far));
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("the daemon writes");
        serde_json::from_str(&line).expect("an alert")
    };
    let sender = sender(&monitor, "near, far = pair(socket.SOCK_STREAM); near.sendall(D[0])");
    assert_eq!(next()["rule"], "unix");
    assert_eq!(next()["rule"], "any");
    for _ in 0..50 {
        monitor.status();
        assert!(monitor.ask("coverage", &["--json"]).status.success());
    }
    assert!(monitor.coverage(sender.pid()).is_some());
    assert_eq!(monitor.coverage(monitor.pid()), None, "its own sends are counted");
    // Another's send of the same word is found, and nothing was before it.
    let code = "near, far = socket.socketpair(); near.sendall(b'masked'); D[0] = b'masked'";
    let other = self::sender(&monitor, code);
    let alert = next();
    assert_eq!((&alert["rule"], &alert["process"]["pid"]), (&"alerts".into(), &other.pid().into()));
    assert_eq!(monitor.status()["daemon"]["alerts"], 3);
}

/// Told to look at them while it runs, it says from when on it will.
#[test]
fn the_setting_holds_from_the_next_start() {
    needs!("python3");
    let mut monitor = Monitor::under(&policy(false));
    monitor.put_policy(&policy(true));
    monitor.signal(nix::sys::signal::Signal::SIGHUP);
    monitor.wait_said("is in force");
    assert!(monitor.stderr().contains("unix_sockets hold from the next start"));
    let sender = sender(&monitor, SENDS[0].1);
    assert!(monitor.of(sender.pid()).is_empty());
}
