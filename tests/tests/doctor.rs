//! `doctor`, without a daemon and about one that runs: its counters are what was really sent.

use std::process::Command;

use serde_json::Value;
use support::monitor::{binary, run};
use support::net::V4;
use support::program::with_data;
use support::{Monitor, Receiver, Running, needs, python, tool};
use tempfile::TempDir;

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

/// A runtime directory in which no daemon is.
fn nowhere() -> (TempDir, String) {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().display().to_string();
    (dir, path)
}

#[test]
fn without_a_daemon_it_tells_what_this_kernel_can_do() {
    needs!();
    let (_dir, path) = nowhere();
    let output = run(&["doctor", "--runtime-dir", &path]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    for part in
        ["rights", "BTF", "cgroup v2", "tracefs", "socket tap", "packet gate", "armed in a trial"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert!(text.contains(&format!("no daemon answers in {path}")), "{text}");
}

#[test]
fn for_machines_it_is_one_json_object() {
    needs!();
    let (_dir, path) = nowhere();
    let output = run(&["doctor", "--json", "--runtime-dir", &path]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["daemon"], Value::Null);
    assert_eq!(report["trial"]["armed"], true);
    let hooks = report["hooks"].as_array().expect("hooks");
    let used = |purpose: &str| hooks.iter().any(|h| h["purpose"] == purpose && h["used"] == true);
    assert!(used("tap") && used("gate"), "{hooks:?}");
    let reasons = hooks.iter().all(|hook| hook["why"].as_str().is_some_and(|why| !why.is_empty()));
    assert!(reasons, "each hook says why: {hooks:?}");
}

#[test]
fn without_rights_it_says_so_and_ends_with_77() {
    needs!("setpriv");
    let copy = std::env::temp_dir().join(format!("egress-monitor-doctor-{}", std::process::id()));
    std::fs::copy(binary(), &copy).expect("a copy that any user may execute");
    let mut command = Command::new(tool("setpriv").expect("it is there"));
    let output = command
        .args(["--reuid", "65534", "--clear-groups"])
        .arg(&copy)
        .arg("doctor")
        .output()
        .expect("setpriv runs");
    let _ = std::fs::remove_file(&copy);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(77), "{text}");
    assert!(text.contains("- rights") && text.contains("run as root"), "{text}");
}

#[test]
fn of_a_running_daemon_it_tells_the_counters() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let mut sender = Command::new(SENDER);
    with_data(&mut sender, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(sender.arg("once"));
    sender.finish();
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    let output = monitor.doctor(&["--json"]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let daemon = &report["daemon"];
    assert_eq!(daemon["pid"], monitor.pid());
    assert_eq!(daemon["policy"], Value::Null);
    let kernel = |name: &str| match daemon["kernel"][name].as_u64() {
        Some(count) => count,
        None => panic!("no counter {name} in {daemon}"),
    };
    assert!(kernel("sends_seen") >= 2 && kernel("bytes_seen") > 40 && kernel("execs") >= 1);
    let delivered = kernel("samples_delivered") + kernel("samples_lost_ring_full");
    assert_eq!(kernel("samples_seen"), delivered);
    let text = String::from_utf8_lossy(&monitor.doctor(&[]).stdout).into_owned();
    assert!(text.contains(&format!("(pid {}) armed for", monitor.pid())), "{text}");
    assert!(text.contains("of the built-in policy"), "{text}");
}

/// What the taps saw, what left by the gate and what the receiver got are one number; the process
/// has gone by then.
#[test]
fn coverage_of_a_process_is_what_it_sent() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let texts = [
        "nothing in this one. ".repeat(40),
        format!("card {} ", monitor.data.card()),
        "x".repeat(30_000),
        "the last".into(),
    ];
    let sent: usize = texts.iter().map(String::len).sum();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = "s = tcp()\nfor text in D: assert s.send(text) == len(text)";
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    receiver.wait_bytes(sent as u64);
    assert_eq!(receiver.bytes(), sent as u64);
    let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["start_ns"], alert.0["process"]["start_ns"]);
    assert_eq!(coverage["sends"], 4);
    assert_eq!(coverage["bytes_sent"], sent);
    // 30,000 bytes at once are more than the 16,384 that are looked at.
    let gap = 30_000 - 16_384;
    assert_eq!(coverage["gaps"]["over_sample_max"], gap, "{coverage}");
    assert_eq!(coverage["bytes_examined"], sent - gap);
}

/// Datagrams too, over IPv6, and from several sockets of one process.
#[test]
fn coverage_adds_up_over_the_sockets_of_a_process() {
    needs!("python3");
    let monitor = Monitor::start();
    let (tcp, udp) = (Receiver::tcp(support::net::V6), Receiver::udp(support::net::V6));
    let texts = ["some text without anything".to_owned(), udp.address.port().to_string()];
    let code = "
for _ in range(3): tcp().sendall(D[0])
s = udp()
for _ in range(5): s.sendto(D[0], (HOST, int(D[1])))";
    let texts = [texts[0].as_str(), texts[1].as_str()];
    let mut sender = Running::start(&mut python(code, tcp.address, &texts));
    sender.finish();
    tcp.wait_bytes(3 * texts[0].len() as u64);
    udp.wait_bytes(5 * texts[0].len() as u64);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    let bytes = 8 * texts[0].len();
    assert_eq!((&coverage["sends"], &coverage["bytes_sent"]), (&8.into(), &bytes.into()));
    assert_eq!(
        (&coverage["bytes_examined"], &coverage["gaps"]),
        (&bytes.into(), &serde_json::json!({}))
    );
}

/// No tap reads what `sendfile` sends; the packet gate does, and it is in the coverage of its process.
#[test]
fn bytes_that_no_tap_reads_are_in_the_coverage_of_their_process() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = "no tap reads this. ".repeat(100);
    let code = "
import tempfile
file = tempfile.TemporaryFile(); file.write(D[0]); file.flush(); s = tcp()
assert os.sendfile(s.fileno(), file.fileno(), 0, len(D[0])) == len(D[0])";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.finish();
    receiver.wait_bytes(text.len() as u64);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["bytes_sent"], text.len(), "{coverage}");
    assert_eq!(coverage["bytes_examined"], text.len(), "{coverage}");
    assert_eq!(coverage["sends"], 0, "{coverage}");
}
