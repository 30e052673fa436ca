//! `action = "kill"`: who dies, who does not, and what the alert says of it. Every policy here names
//! the receiver of its own test, so that no process of anybody else is ever killed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::Signal;
use support::net::V4;
use support::program::{hex, with_data};
use support::wait::wait_for;
use support::{Alert, Monitor, Receiver, Running, Start, needs, python};

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

/// A rule that kills whoever sends a card to the receiver.
fn kill_rule(receiver: &Receiver) -> String {
    let port = receiver.address.port();
    format!(
        "[[rule]]\nid = \"no-cards\"\nclause = \"DPA 4.2\"\nseverity = \"critical\"\n\
         action = \"kill\"\nentities = [\"CREDIT_CARD\"]\ndestination = {{ port = [{port}] }}\n"
    )
}

/// Sends a card when told to, then text until somebody stops it.
const LEAK: &str = "
s = tcp(); say('ready'); s.sendall(take())
while True: s.sendall(b'more ' * 200); time.sleep(0.0001)";

fn leaking(receiver: &Receiver) -> Running {
    let mut sender = Running::start(&mut python(LEAK, receiver.address, &[""]));
    assert_eq!(sender.line(), "ready");
    sender
}

#[track_caller]
fn outcome_of(monitor: &Monitor, pid: u32) -> Alert {
    monitor.wait_for("alert of the sender", |alerts| {
        alerts.iter().find(|alert| alert.pid() == pid).cloned()
    })
}

#[test]
fn the_process_dies_and_its_socket_sends_no_more() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&kill_rule(&receiver));
    let mut sender = leaking(&receiver);
    let text = format!("card {}", monitor.data.card());
    sender.say(&hex(&text));
    let status = sender.wait();
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    let alert = outcome_of(&monitor, sender.pid());
    assert_eq!((alert.text("/action"), alert.text("/outcome")), ("kill", "killed"), "{alert:?}");
    assert_eq!(alert.text("/clause"), "DPA 4.2");
    assert_eq!(alert.text("/severity"), "critical");
    assert!(alert.number("/death_us") < 1_000_000, "{alert:?}");
    assert!(alert.number("/latency_us") >= alert.number("/death_us"), "{alert:?}");
    // What the host sent is what the receiver got: nothing trickles in behind the death.
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    receiver.wait_bytes(coverage["bytes_sent"].as_u64().unwrap_or(0));
    monitor.settle();
    let after = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(after["bytes_sent"].as_u64(), Some(receiver.bytes()));
    assert_eq!(monitor.status()["daemon"]["kills"], 1);
    assert!(monitor.stop().contains("1 processes killed"));
}

#[test]
fn a_protected_process_lives_and_the_alert_says_why() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let exe = support::tool("python3").expect("it is there").display().to_string();
    let rules = format!("[protect]\nexe = [\"{exe}\"]\n{}", kill_rule(&receiver));
    let monitor = Monitor::under(&rules);
    let mut sender = leaking(&receiver);
    sender.say(&hex(&format!("card {}", monitor.data.card())));
    let alert = outcome_of(&monitor, sender.pid());
    assert_eq!(alert.text("/outcome"), "refused");
    assert!(alert.text("/outcome_reason").contains("protect.exe of the policy"), "{alert:?}");
    receiver.wait_bytes(receiver.bytes() + 10_000);
    assert_eq!(sender.ended(), None);
    assert_eq!(monitor.status()["daemon"]["kills_refused"], 1);
}

#[test]
fn beyond_the_limit_of_kills_per_minute_processes_live() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let rules = format!("[settings]\nkills_per_minute_max = 2\n{}", kill_rule(&receiver));
    let mut monitor = Monitor::under(&rules);
    let mut senders: Vec<Running> = (0..3).map(|_| leaking(&receiver)).collect();
    for sender in &mut senders {
        sender.say(&hex(&format!("card {}", monitor.data.card())));
        outcome_of(&monitor, sender.pid());
    }
    let outcomes: Vec<String> = senders
        .iter()
        .map(|sender| outcome_of(&monitor, sender.pid()).text("/outcome").to_owned())
        .collect();
    assert_eq!(outcomes, ["killed", "killed", "refused"]);
    let alert = outcome_of(&monitor, senders[2].pid());
    assert!(alert.text("/outcome_reason").contains("limit of 2 kills per minute"), "{alert:?}");
    assert_eq!(senders[2].ended(), None);
    assert_eq!(monitor.status()["kills_tripped"], true);
    monitor.wait_said("limit of kills per minute reached");
}

#[test]
fn a_dry_run_kills_nobody_and_says_whom_it_would_have() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Start::new().policy(&kill_rule(&receiver)).args(&["--dry-run"]).run();
    assert!(monitor.stderr().contains("dry run"), "it says so at its start");
    let mut sender = leaking(&receiver);
    sender.say(&hex(&format!("card {}", monitor.data.card())));
    let alert = outcome_of(&monitor, sender.pid());
    assert_eq!(alert.text("/outcome"), "would-kill");
    receiver.wait_bytes(receiver.bytes() + 10_000);
    assert_eq!(sender.ended(), None);
    assert_eq!(monitor.status()["daemon"]["kills"], 0);
}

#[test]
fn a_threshold_kills_at_the_finding_that_reaches_it() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let threshold = "threshold = { distinct = 3, within = \"60s\" }\n";
    let monitor = Monitor::under(&(kill_rule(&receiver) + threshold));
    let code = "s = tcp()\nwhile True: s.sendall(take()); say('sent')";
    let mut sender = Running::start(&mut python(code, receiver.address, &[""]));
    let mut cards: Vec<String> = (0..3).map(|_| monitor.data.card()).collect();
    cards.insert(1, cards[0].clone());
    let third = cards.pop().expect("there are four");
    for card in cards {
        sender.say(&hex(&format!("card {card}\n")));
        assert_eq!(sender.line(), "sent");
        assert!(monitor.of(sender.pid()).is_empty());
    }
    assert_eq!(sender.ended(), None);
    sender.say(&hex(&format!("card {third}\n")));
    assert_eq!(sender.wait().signal(), Some(Signal::SIGKILL as i32));
    assert_eq!(outcome_of(&monitor, sender.pid()).text("/outcome"), "killed");
}

/// It ends by itself right after its send: whether the signal still meets it is a race, and the
/// alert says truly which it was.
#[test]
fn a_process_that_is_gone_by_itself_is_told_as_gone_or_killed() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&kill_rule(&receiver));
    for _ in 0..8 {
        let mut sender = Command::new(SENDER);
        sender.arg("once");
        with_data(&mut sender, receiver.address, &[&format!("card {}", monitor.data.card())]);
        let mut sender = Running::start(&mut sender);
        let status = sender.wait();
        let alert = outcome_of(&monitor, sender.pid());
        match alert.text("/outcome") {
            "killed" => assert!(alert.0["death_us"].is_u64(), "{alert:?}"),
            "gone" => assert!(status.success() && alert.0["death_us"].is_null(), "{alert:?}"),
            other => panic!("{other}: {alert:?}"),
        }
    }
}

/// Stopped for the time between send and kill, the process is gone before the daemon looks.
#[test]
fn a_process_that_died_before_the_daemon_read_its_send_is_told_as_gone() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&kill_rule(&receiver));
    monitor.signal(Signal::SIGSTOP);
    let mut sender = Command::new(SENDER);
    sender.arg("once");
    with_data(&mut sender, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(&mut sender);
    sender.finish();
    monitor.signal(Signal::SIGCONT);
    let alert = outcome_of(&monitor, sender.pid());
    assert_eq!(alert.text("/outcome"), "gone");
    assert_eq!(alert.text("/process/cmdline"), format!("{SENDER} once"));
    assert_eq!(monitor.status()["daemon"]["kills"], 0);
}

/// The child leaks on the socket that it has from its parent: it dies, the parent does not, and
/// what the child had sent on that socket goes no further.
#[test]
fn a_child_that_leaks_on_an_inherited_socket_dies_alone() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&kill_rule(&receiver));
    let code = "
s = tcp(); child = os.fork()
if child == 0:
    s.sendall(D[0]); time.sleep(60); os._exit(0)
say(child); _, status = os.waitpid(child, 0); say(os.WTERMSIG(status)); take()";
    let text = format!("card {}", monitor.data.card());
    let mut parent = Running::start(&mut python(code, receiver.address, &[&text]));
    let child: u32 = parent.line().parse().expect("the parent says its child");
    assert_eq!(parent.line(), "9");
    let alert = outcome_of(&monitor, child);
    assert_eq!(alert.text("/outcome"), "killed");
    assert_eq!(alert.number("/process/parent_pid"), u64::from(parent.pid()));
    assert_eq!(parent.ended(), None);
}

/// Two rules match one message: one asks to kill, one to alert; each says what is its own.
#[test]
fn a_rule_that_alerts_beside_one_that_kills_says_alerted() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let port = receiver.address.port();
    let rules = format!(
        "{}\n[[rule]]\nid = \"tell\"\nentities = \"*\"\ndestination = {{ port = [{port}] }}\n",
        kill_rule(&receiver)
    );
    let monitor = Monitor::under(&rules);
    let mut sender = leaking(&receiver);
    sender.say(&hex(&format!("card {}", monitor.data.card())));
    sender.wait();
    let mut outcomes = wait_for("both alerts", || {
        let alerts = monitor.alerts();
        let own = alerts.iter().filter(|alert| alert.pid() == sender.pid());
        let outcomes: Vec<(String, String)> = own
            .map(|alert| (alert.text("/rule").to_owned(), alert.text("/outcome").to_owned()))
            .collect();
        (outcomes.len() == 2).then_some(outcomes)
    });
    outcomes.sort();
    let expected = [("no-cards", "killed"), ("tell", "alerted")];
    assert_eq!(outcomes, expected.map(|(rule, outcome)| (rule.to_owned(), outcome.to_owned())));
}
