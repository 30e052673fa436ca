//! `coverage`: what a daemon did not see, per process and by reason, with names.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::monitor::run;
use support::net::V4;
use support::program::{hex, with_data};
use support::{Alert, Monitor, Receiver, Running, needs, python, tool};

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

/// What the command prints for machines.
#[track_caller]
fn report(monitor: &Monitor, args: &[&str]) -> Value {
    let output = monitor.ask("coverage", &[&["--json"], args].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// What the command prints for people.
#[track_caller]
fn table(monitor: &Monitor) -> String {
    let output = monitor.ask("coverage", &[]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn process(report: &Value, pid: u32) -> Value {
    let processes = report["processes"].as_array().expect("processes");
    match processes.iter().find(|process| process["pid"] == pid) {
        Some(process) => process.clone(),
        None => panic!("no process {pid} in {report}"),
    }
}

/// The line of a process in the table, its columns apart.
#[track_caller]
fn line(table: &str, pid: u32) -> Vec<String> {
    let pid = pid.to_string();
    let columns = |line: &str| -> Vec<String> {
        line.split("  ")
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    let found = table.lines().map(columns).find(|cells| cells.first() == Some(&pid));
    found.unwrap_or_else(|| panic!("no process {pid} in:\n{table}"))
}

#[test]
fn a_process_that_runs_and_one_that_ended_are_named_with_what_was_not_examined() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = "x".repeat(30_000);
    let code = "s = tcp(); assert s.send(D[0]) == len(D[0]); say('sent'); take()";
    let mut runs = Running::start(&mut python(code, receiver.address, &[&text]));
    assert_eq!(runs.line(), "sent");
    let mut ended = Command::new(SENDER);
    with_data(&mut ended, receiver.address, &["nothing in this one"]);
    let mut ended = Running::start(ended.arg("once"));
    ended.finish();
    receiver.wait_bytes(30_000 + 19);

    let report = report(&monitor, &[]);
    assert_eq!(report["pid"], monitor.pid());
    let of_running = process(&report, runs.pid());
    let python = tool("python3").expect("it is there").display().to_string();
    assert_eq!((&of_running["exe"], &of_running["running"]), (&json!(python), &json!(true)));
    // 30,000 bytes at once are more than the 16,384 that are looked at.
    assert_eq!(of_running["bytes_sent"], 30_000, "{of_running}");
    assert_eq!(of_running["bytes_examined"], 16_384);
    assert_eq!(of_running["share_examined"], 0.546_133);
    assert_eq!(of_running["gaps"], json!({"over_sample_max": 30_000 - 16_384}));
    let of_ended = process(&report, ended.pid());
    let sender = std::fs::canonicalize(SENDER).expect("it is there").display().to_string();
    assert_eq!((&of_ended["exe"], &of_ended["running"]), (&json!(sender), &json!(false)));
    assert_eq!((&of_ended["share_examined"], &of_ended["gaps"]), (&json!(1.0), &json!({})));
    let sent = report["total"]["bytes_sent"].as_u64().expect("a number");
    assert!(sent >= 30_019, "{report}");

    let table = table(&monitor);
    let told = line(&table, runs.pid());
    assert_eq!(told[1..4], ["29.3 KiB", "16.0 KiB", "54.6 %"], "{table}");
    assert_eq!(told[5], "over_sample_max 13.3 KiB", "{table}");
    let told = line(&table, ended.pid());
    assert!(told[4].ends_with("sender (ended)"), "{table}");
    assert!(table.contains("\ntotal") || table.contains(" total "), "{table}");
    assert!(table.contains("\nover_sample_max: beyond sample_bytes_max"), "{table}");
    runs.say(&hex("end"));
    runs.finish();
}

/// What is queued on a socket from before the start, and leaves after it.
#[test]
fn what_nobody_is_known_to_have_sent_is_told_in_words() {
    needs!("python3");
    let code = "
server = socket.create_server((HOST, 0)); client = socket.create_connection(server.getsockname())
peer, _ = server.accept(); client.setblocking(False); queued = 0
try:
    while True: queued += client.send(b'x' * 4096)
except BlockingIOError: pass
say(queued); take(); got = 0
while got < queued: got += len(peer.recv(1 << 20))
say(got); take()";
    let mut sender = Running::start(&mut python(code, Receiver::tcp(V4).address, &[""]));
    let queued: u64 = sender.line().parse().expect("a number");
    let monitor = Monitor::start();
    sender.say(&hex("go on"));
    assert_eq!(sender.line(), queued.to_string());
    let of_nobody = process(&report(&monitor, &[]), 0);
    assert_eq!((&of_nobody["exe"], &of_nobody["running"]), (&Value::Null, &json!(false)));
    assert!(of_nobody["bytes_sent"].as_u64() > Some(0), "{of_nobody}");
    let table = table(&monitor);
    assert_eq!(line(&table, 0)[4], "(nobody is known to have sent it)", "{table}");
}

#[test]
fn all_lists_those_that_are_counted_otherwise() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let pids: Vec<u32> = (0..40)
        .map(|_| {
            let mut sender = Command::new(SENDER);
            with_data(&mut sender, receiver.address, &["nothing in this one"]);
            let mut sender = Running::start(sender.arg("once"));
            sender.finish();
            sender.pid()
        })
        .collect();
    let listed = |report: &Value| report["processes"].as_array().map_or(0, Vec::len);
    let few = report(&monitor, &[]);
    let more = few["processes_more"].as_u64().expect("a number") as usize;
    assert_eq!(listed(&few), 32);
    assert!(more >= 8, "{few}");
    let all = report(&monitor, &["--all"]);
    assert_eq!(all["processes_more"], 0);
    for pid in pids {
        let process = process(&all, pid);
        assert!(process["exe"].as_str().is_some_and(|exe| exe.ends_with("/sender")), "{process}");
    }
    let table = table(&monitor);
    assert!(table.contains("more are in the total and not listed"), "{table}");
}

#[test]
fn the_status_has_the_same_numbers() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = "x".repeat(30_000);
    let code = "s = tcp(); assert s.send(D[0]) == len(D[0])";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.finish();
    receiver.wait_bytes(30_000);
    let status = monitor.coverage(sender.pid()).expect("the sender is known");
    let of_report = process(&report(&monitor, &[]), sender.pid());
    let names =
        ["sends", "bytes_sent", "bytes_examined", "share_examined", "gaps", "unknown_sends"];
    for name in names {
        assert_eq!(status[name], of_report[name], "{name}");
        assert!(!status[name].is_null(), "{name}");
    }
}

/// Exit code and what is said, where no daemon answers.
#[test]
fn without_a_daemon_it_says_where_it_asked_and_ends_with_69() {
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let path = dir.path().display().to_string();
    for args in
        [&["coverage", "--runtime-dir", &path][..], &["coverage", "--json", "--runtime-dir", &path]]
    {
        let output = run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(&format!("no daemon answers on {path}/control.sock: ")), "{said}");
        assert!(said.contains("start one with `egress-monitor run`"), "{said}");
    }
}

/// A policy that looks at coverage every second.
fn watching(more: &str) -> String {
    format!("[coverage]\nalert_below = 0.99\nevery_s = 1\n{more}\n")
}

fn of_coverage(alerts: &[Alert], pid: u32) -> Vec<Alert> {
    let of = |alert: &&Alert| alert.text("/rule") == "coverage" && alert.pid() == pid;
    alerts.iter().filter(of).cloned().collect()
}

/// A process that sends what it is told to: so many bytes at a time, `TLS` or nothing special.
const TOLD: &str = "
s = tcp()
def tls(n): return b'\\x17\\x03\\x03\\x3f\\xfb' + os.urandom(16379)
while True:
    words = sys.stdin.readline().split()
    if not words: break
    for _ in range(int(words[1])):
        s.sendall(tls(0) if words[0] == 'tls' else b'x' * 16384)
    say('done')";

#[test]
fn an_alert_comes_once_and_again_when_the_gap_has_doubled_or_it_had_recovered() {
    needs!("python3");
    // A look between two sends raises nothing: it takes all of them.
    let record = 16_384;
    let policy = watching(&format!("severity = \"high\"\nmin_bytes = {}", 10 * record));
    let (monitor, receiver) = (Monitor::under(&policy), Receiver::tcp(V4));
    let mut sender = Running::start(&mut python(TOLD, receiver.address, &[""]));
    let tell = |sender: &mut Running, what: &str| {
        sender.say(what);
        assert_eq!(sender.line(), "done");
    };
    let pid = sender.pid();
    let wait = |count: usize| {
        monitor.wait_for("alert about coverage", |alerts| {
            let all = of_coverage(alerts, pid);
            (all.len() >= count).then_some(all)
        })
    };
    // A second process is told of a look later: the looks between them told nothing of the first.
    let look_again = || {
        let mut other = Running::start(&mut python(TOLD, receiver.address, &[""]));
        tell(&mut other, "tls 10");
        let other_pid = other.pid();
        monitor.wait_for("alert of another look", |alerts| {
            (!of_coverage(alerts, other_pid).is_empty()).then_some(())
        });
    };
    tell(&mut sender, "tls 10");
    let [alert] = &wait(1)[..] else { panic!("one alert") };
    assert_eq!(alert.0["gaps"], json!({"tls": 10 * record}), "{alert:?}");
    assert_eq!((alert.number("/bytes_sent"), alert.number("/bytes_examined")), (10 * record, 0));
    assert_eq!((alert.text("/severity"), alert.text("/outcome")), ("high", "alerted"));
    assert!(alert.text("/process/exe").contains("python"), "{alert:?}");
    assert!(alert.text("/process/cmdline").contains("-I -c"), "{alert:?}");
    assert_eq!(alert.0["alert_below"], json!(0.99));
    // More, and not twice as much.
    tell(&mut sender, "tls 9");
    look_again();
    assert_eq!(wait(1).len(), 1);
    tell(&mut sender, "tls 1");
    let alerts = wait(2);
    assert_eq!(alerts[1].0["gaps"], json!({"tls": 20 * record}), "{alerts:?}");
    // It recovers, which one look sees, and falls again by less than it did before.
    tell(&mut sender, "plain 2100");
    look_again();
    tell(&mut sender, "tls 2");
    let alerts = wait(3);
    assert_eq!(alerts[2].0["gaps"], json!({"tls": 22 * record}), "{alerts:?}");
    assert!(alerts[2].0["share_examined"].as_f64() < Some(0.99), "{alerts:?}");
    let ids: std::collections::HashSet<&str> =
        alerts.iter().map(|alert| alert.text("/id")).collect();
    assert_eq!(ids.len(), 3);
}

/// Of one that has ended, right before the end of the daemon; of one that sent little, nothing.
#[test]
fn the_last_look_is_right_before_the_end() {
    needs!("python3");
    let policy = "[coverage]\nalert_below = 0.99\nevery_s = 3600\n";
    let (mut monitor, receiver) = (Monitor::under(policy), Receiver::tcp(V4));
    let mut pids = Vec::new();
    for records in ["tls 4", "tls 3", "plain 40"] {
        let mut sender = Running::start(&mut python(TOLD, receiver.address, &[""]));
        sender.say(records);
        assert_eq!(sender.line(), "done");
        sender.close_input();
        sender.finish();
        pids.push(sender.pid());
    }
    monitor.settle();
    assert!(pids.iter().all(|&pid| of_coverage(&monitor.alerts(), pid).is_empty()));
    let status = monitor.end(Signal::SIGTERM);
    assert!(status.contains("in TLS records"), "{status}");
    let told: Vec<usize> =
        pids.iter().map(|&pid| of_coverage(&monitor.alerts(), pid).len()).collect();
    assert_eq!(told, [1, 0, 0]);
    let alert = &of_coverage(&monitor.alerts(), pids[0])[0];
    assert!(alert.text("/process/exe").contains("python"), "{alert:?}");
}

/// What is looked at, and how often, follows the policy that is in force.
#[test]
fn a_policy_that_is_read_again_begins_and_ends_the_watch() {
    needs!("python3");
    let (mut monitor, receiver) = (Monitor::under(""), Receiver::tcp(V4));
    let mut sender = Running::start(&mut python(TOLD, receiver.address, &[""]));
    sender.say("tls 10");
    assert_eq!(sender.line(), "done");
    monitor.put_policy(&watching(""));
    monitor.signal(Signal::SIGHUP);
    let pid = sender.pid();
    monitor.wait_for("alert about coverage", |alerts| {
        (!of_coverage(alerts, pid).is_empty()).then_some(())
    });
    monitor.put_policy("");
    let before = monitor.stderr().matches("is in force").count();
    monitor.signal(Signal::SIGHUP);
    support::wait::wait_for("the policy to be in force", || {
        (monitor.stderr().matches("is in force").count() > before).then_some(())
    });
    sender.say("tls 50");
    assert_eq!(sender.line(), "done");
    monitor.end(Signal::SIGTERM);
    assert_eq!(of_coverage(&monitor.alerts(), pid).len(), 1);
}
