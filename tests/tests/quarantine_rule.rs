//! `action = "quarantine"`: whom a rule shuts, whom it does not, and what the alert says of it.

use std::process::Command;

use serde_json::Value;
use support::monitor::binary;
use support::net::V4;
use support::program::hex;
use support::wait::wait_for;
use support::{Alert, Monitor, Receiver, Running, Start, needs, python};

/// A rule that shuts whoever sends a card to the receiver.
fn rule(receiver: &Receiver, more: &str) -> String {
    let port = receiver.address.port();
    format!(
        "[[rule]]\nid = \"no-cards\"\nclause = \"DPA 4.2\"\naction = \"quarantine\"\n{more}\n\
         entities = [\"CREDIT_CARD\"]\ndestination = {{ port = [{port}] }}\n"
    )
}

/// Sends what it is told to, and says when it has.
const LEAK: &str = "
s = tcp(); say('ready')
while True: s.sendall(take()); say('sent')";

fn sender(receiver: &Receiver) -> Running {
    let mut sender = Running::start(&mut python(LEAK, receiver.address, &[""]));
    assert_eq!(sender.line(), "ready");
    sender
}

#[track_caller]
fn send(sender: &mut Running, text: &str) {
    sender.say(&hex(text));
    assert_eq!(sender.line(), "sent");
}

#[track_caller]
fn alert_of(monitor: &Monitor, pid: u32) -> Alert {
    monitor.wait_for("alert of the sender", |alerts| {
        alerts.iter().find(|alert| alert.pid() == pid).cloned()
    })
}

fn list(args: &[&str]) -> Value {
    let mut command = Command::new(binary());
    let output = command.arg("quarantine").args(args).output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn in_force(pid: u32) -> Vec<Value> {
    let all = list(&["list", "--json", "--state-dir", "/proc/nowhere"]);
    let all = all["quarantines"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|one| one["target_pid"] == pid).collect()
}

#[test]
fn the_process_lives_and_sends_no_more_until_it_is_released() {
    needs!("python3");
    let (receiver, other) = (Receiver::tcp(V4), Receiver::tcp(V4));
    let monitor = Monitor::under(&rule(&receiver, ""));
    let (mut bad, mut good) = (sender(&receiver), sender(&other));
    send(&mut bad, &format!("card {}", monitor.data.card()));
    let alert = alert_of(&monitor, bad.pid());
    assert_eq!(alert.text("/action"), "quarantine");
    assert_eq!(alert.text("/outcome"), "quarantined", "{alert:?}");
    let id = alert.number("/quarantine");
    let before = receiver.bytes();
    send(&mut bad, &format!("and another card {}", monitor.data.card()));
    let alerts = monitor.of(bad.pid());
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert_eq!(alerts[1].number("/quarantine"), id, "it is in it already");
    wait_for("bytes that are stopped", || {
        in_force(bad.pid()).iter().any(|one| one["bytes_stopped"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(receiver.bytes(), before);
    send(&mut good, "hello");
    other.wait_bytes(5);
    let one = in_force(bad.pid());
    assert_eq!(one.len(), 1, "{one:?}");
    assert_eq!(one[0]["reason"], "rule no-cards [DPA 4.2]");
    assert_eq!(one[0]["user"], "egress-monitor");
    assert_eq!(monitor.status()["daemon"]["quarantines"], 1);
    let trail = std::fs::read_to_string(monitor.dir().join("state/audit.jsonl")).expect("a trail");
    assert_eq!(trail.lines().count(), 1, "{trail}");

    // It outlives the daemon, and ends by hand.
    monitor.stop();
    assert_eq!(in_force(bad.pid()).len(), 1);
    assert_eq!(receiver.bytes(), before);
    let id = id.to_string();
    list(&["release", &id, "--state-dir", "/proc/nowhere"]);
    receiver.wait_bytes(before + 1);
}

#[test]
fn it_ends_by_itself_when_the_rule_says_so() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&rule(&receiver, "for = \"2s\""));
    let mut bad = sender(&receiver);
    send(&mut bad, &format!("card {}", monitor.data.card()));
    assert_eq!(alert_of(&monitor, bad.pid()).text("/outcome"), "quarantined");
    let before = receiver.bytes();
    send(&mut bad, "hello");
    receiver.wait_bytes(before + 5);
}

#[test]
fn whom_protection_limit_and_dry_run_spare_sends_on() {
    needs!("python3");
    #[track_caller]
    fn check(rules: &str, args: &[&str], receiver: &Receiver, outcome: &str, why: &str) {
        let monitor = Start::new().policy(rules).args(args).run();
        let mut spared = sender(receiver);
        send(&mut spared, &format!("card {}", monitor.data.card()));
        let alert = alert_of(&monitor, spared.pid());
        assert_eq!(alert.text("/outcome"), outcome, "{alert:?}");
        assert!(alert.text("/outcome_reason").contains(why), "{alert:?}");
        assert!(alert.0["quarantine"].is_null());
        let before = receiver.bytes();
        send(&mut spared, "hello");
        receiver.wait_bytes(before + 5);
        assert!(in_force(spared.pid()).is_empty());
    }
    let receiver = Receiver::tcp(V4);
    let rule = rule(&receiver, "");
    let exe = support::tool("python3").expect("it is there").display().to_string();
    let protected = format!("[protect]\nexe = [\"{exe}\"]\n{rule}");
    check(&protected, &[], &receiver, "refused", "protect.exe of the policy");
    let none = format!("[settings]\nkills_per_minute_max = 0\n{rule}");
    check(&none, &[], &receiver, "refused", "limit of 0 kills per minute");
    check(&rule, &["--dry-run"], &receiver, "would-quarantine", "dry run");
}
