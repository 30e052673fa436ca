//! `prevent = true`: the kernel decides in the send itself. The proof is what comes at the receiver. Every
//! policy here names loopback and a port of its own test, so that nobody else is ever stopped.

use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt as _;
use support::net::V4;
use support::program::hex;
use support::tls::{Site, alone, client};
use support::wait::wait_for;
use support::{Alert, Monitor, Receiver, Running, Start, needs, python};

/// A rule that stops cards on their way to a receiver, with more keys.
fn rule(receiver: &Receiver, more: &str) -> String {
    let port = receiver.address.port();
    format!(
        "[[rule]]\nid = \"no-cards\"\nentities = [\"CREDIT_CARD\", \"IBAN_CODE\", \"US_SSN\"]\n\
         prevent = true\ndestination = {{ cidr = [\"loopback\"], port = [{port}] }}\n{more}\n"
    )
}

const BLOCK: &str = "action = \"block\"";
const KILL: &str = "action = \"kill\"";

/// Sends each line that it is handed, and says what came of it, with a pause behind each in which a
/// connection that is shut is ended.
const SENDER: &str = "
s = tcp(); say('ready')
for line in sys.stdin:
    try: s.sendall(bytes.fromhex(line)); time.sleep(0.1); say('sent')
    except OSError as error: say(error.errno)";

/// The same with datagrams.
const DATAGRAMS: &str = "
s = udp(); s.connect(TO); say('ready')
for line in sys.stdin:
    try: s.send(bytes.fromhex(line)); say('sent')
    except OSError as error: say(error.errno)";

fn sender(code: &str, receiver: &Receiver) -> Running {
    let mut sender = Running::start(&mut python(code, receiver.address, &[""]));
    assert_eq!(sender.line(), "ready");
    sender
}

/// Has a line sent; what came of it.
fn send(sender: &mut Running, text: &str) -> String {
    sender.say(&hex(text));
    sender.line()
}

fn came(receiver: &Receiver, value: &str) -> bool {
    String::from_utf8_lossy(&receiver.text()).contains(value)
}

/// The only alert of a process.
#[track_caller]
fn alert_of(monitor: &Monitor, pid: u32) -> Alert {
    // That of a kill waits for the death, while others go by.
    monitor.wait_for("its alert", |alerts| {
        alerts.iter().any(|alert| alert.pid() == pid).then_some(())
    });
    let alerts = monitor.of(pid);
    let [alert] = &alerts[..] else { panic!("one alert expected: {alerts:#?}") };
    alert.clone()
}

#[track_caller]
fn is_told(alert: &Alert, outcome: &str, by: &str) {
    let told = (alert.text("/outcome"), alert.text("/decided_by"));
    assert_eq!(told, (outcome, by), "{alert:?}");
}

#[test]
fn a_send_is_stopped_and_its_connection_reset() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&rule(&receiver, BLOCK));
    let mut sender = sender(SENDER, &receiver);
    assert_eq!(send(&mut sender, "hello"), "sent");
    let card = monitor.data.card_grouped(" ");
    // Taken by the kernel, or refused by it where LSM programs run.
    let first = send(&mut sender, &format!("a {card} b"));
    assert!(first == "sent" || first == "1", "{first}");
    // The process learns of it, and does not wait for an answer.
    let second = send(&mut sender, "and more");
    assert!(["104", "32", "103", "1"].contains(&second.as_str()), "{second}");
    assert_eq!(sender.ended(), None, "it lives");
    let alert = alert_of(&monitor, sender.pid());
    is_told(&alert, "blocked", "kernel");
    assert_eq!(alert.number("/bytes_leaked"), 0);
    assert_eq!(receiver.text(), b"hello");
}

#[test]
fn what_another_connection_sends_is_not_disturbed() {
    needs!("python3");
    let (receiver, other) = (Receiver::tcp(V4), Receiver::tcp(V4));
    let monitor = Monitor::under(&rule(&receiver, BLOCK));
    let mut stopped = sender(SENDER, &receiver);
    let mut beside = sender(SENDER, &receiver);
    let mut elsewhere = sender(SENDER, &other);
    let card = monitor.data.card_grouped(" ");
    send(&mut stopped, &format!("a {card} b"));
    assert_eq!(send(&mut beside, "beside"), "sent");
    assert_eq!(send(&mut elsewhere, &format!("a {card} b")), "sent");
    other.wait_bytes(20);
    assert_eq!(receiver.text(), b"beside");
    assert!(came(&other, &card), "the rule is about the other port");
}

#[test]
fn a_value_in_two_sends_is_stopped_at_the_second() {
    needs!("python3");
    for cut in [1, 8, 15] {
        let receiver = Receiver::tcp(V4);
        let monitor = Monitor::under(&rule(&receiver, BLOCK));
        let mut sender = sender(SENDER, &receiver);
        let card = monitor.data.card();
        let (first, second) = card.split_at(cut);
        let first = format!("{{\"card\":\"{first}");
        assert_eq!(send(&mut sender, &first), "sent");
        send(&mut sender, &format!("{second}\",\"x\":1}}"));
        is_told(&alert_of(&monitor, sender.pid()), "blocked", "kernel");
        assert_eq!(receiver.text(), first.as_bytes(), "cut at {cut}");
    }
}

#[test]
fn datagrams_are_stopped_one_by_one() {
    needs!("python3");
    let receiver = Receiver::udp(V4);
    let monitor = Monitor::under(&rule(&receiver, BLOCK));
    let mut sender = sender(DATAGRAMS, &receiver);
    assert_eq!(send(&mut sender, "one,"), "sent");
    assert_eq!(send(&mut sender, &format!("to {} end", monitor.data.iban())), "1", "EPERM");
    assert_eq!(send(&mut sender, "two,"), "sent");
    assert_eq!(send(&mut sender, &format!("is {} ok", monitor.data.ssn())), "1", "EPERM");
    assert_eq!(send(&mut sender, "three"), "sent");
    receiver.wait_bytes(13);
    assert_eq!(receiver.text(), b"one,two,three");
    for alert in monitor.of(sender.pid()) {
        is_told(&alert, "blocked", "kernel");
        assert_eq!(alert.number("/bytes_leaked"), 0);
    }
}

#[test]
fn a_process_is_dead_before_anything_has_left() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&rule(&receiver, KILL));
    let mut sender = sender(SENDER, &receiver);
    let card = monitor.data.card_grouped("-");
    sender.say(&hex(&format!("a {card} b")));
    assert_eq!(sender.wait().signal(), Some(Signal::SIGKILL as i32));
    let alert = alert_of(&monitor, sender.pid());
    is_told(&alert, "killed", "kernel");
    assert_eq!(alert.number("/bytes_leaked"), 0);
    assert!(alert.number("/death_us") < 1_000_000, "{alert:?}");
    assert_eq!(receiver.bytes(), 0);
}

#[test]
fn what_the_kernel_cannot_prove_is_stopped_after_it_and_told_with_what_had_left() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let monitor = Monitor::under(&rule(&receiver, BLOCK));
    let mut sender = sender(SENDER, &receiver);
    // A key that only the detectors know to be one.
    let text = format!("{{\"primary account number\":\"{}\"}}", monitor.data.card());
    assert_eq!(send(&mut sender, &text), "sent");
    let second = send(&mut sender, "and more");
    assert!(["104", "32", "103", "1"].contains(&second.as_str()), "{second}");
    let alert = alert_of(&monitor, sender.pid());
    is_told(&alert, "blocked", "daemon");
    // All of it, unless the sender had to wait for a processor.
    assert_eq!(alert.number("/bytes_leaked"), receiver.bytes());
    assert!([0, text.len() as u64].contains(&receiver.bytes()));
}

#[test]
fn the_third_value_within_a_minute_is_stopped() {
    needs!("python3");
    for threshold in ["count = 3", "distinct = 3"] {
        let receiver = Receiver::tcp(V4);
        let more = format!("{BLOCK}\nthreshold = {{ {threshold}, within = \"60s\" }}");
        let monitor = Monitor::under(&rule(&receiver, &more));
        let mut sender = sender(SENDER, &receiver);
        let cards: Vec<String> = (0..3).map(|_| monitor.data.card_grouped(" ")).collect();
        for card in [&cards[0], &cards[1], &cards[2]] {
            if threshold.starts_with("distinct") && card == &cards[1] {
                // Once more the same is nothing new.
                assert_eq!(send(&mut sender, &format!("a {} b", cards[0])), "sent");
            }
            send(&mut sender, &format!("a {card} b"));
        }
        is_told(&alert_of(&monitor, sender.pid()), "blocked", "kernel");
        assert!(came(&receiver, &cards[1]) && !came(&receiver, &cards[2]), "{threshold}");
    }
}

#[test]
fn exceptions_and_processes_hold_in_the_kernel() {
    needs!("python3");
    let exe = support::tool("python3").expect("it is there").canonicalize().expect("a path");
    let excepted = format!(
        "{BLOCK}\n[[rule.exception]]\nowner = \"o\"\nreason = \"r\"\nexpires = 2999-01-31\n\
         process = {{ exe = [\"{}\"] }}",
        exe.display()
    );
    let others = format!("{BLOCK}\nprocess = {{ exe = [\"/nowhere/*\"] }}");
    let own = format!("{BLOCK}\nprocess = {{ exe = [\"{}\"], uid = [0] }}", exe.display());
    for (more, stops) in [(excepted, false), (others, false), (own, true)] {
        let receiver = Receiver::tcp(V4);
        let monitor = Monitor::under(&rule(&receiver, &more));
        let mut sender = sender(SENDER, &receiver);
        // Which rules a program is in is known a moment after its start.
        monitor.settle();
        let card = monitor.data.card_grouped(" ");
        send(&mut sender, &format!("a {card} b"));
        monitor.settle();
        if stops {
            is_told(&alert_of(&monitor, sender.pid()), "blocked", "kernel");
        } else {
            assert!(monitor.of(sender.pid()).is_empty());
        }
        assert_eq!(came(&receiver, &card), !stops, "{more}");
    }
}

#[test]
fn a_protected_process_is_not_stopped() {
    needs!("python3");
    let exe = support::tool("python3").expect("it is there").canonicalize().expect("a path");
    for action in [BLOCK, KILL] {
        let receiver = Receiver::tcp(V4);
        let protect = format!("[protect]\nexe = [\"{}\"]\n", exe.display());
        let monitor = Monitor::under(&(protect + &rule(&receiver, action)));
        let mut sender = sender(SENDER, &receiver);
        monitor.settle();
        let card = monitor.data.card_grouped(" ");
        assert_eq!(send(&mut sender, &format!("a {card} b")), "sent");
        is_told(&alert_of(&monitor, sender.pid()), "refused", "kernel");
        assert_eq!(send(&mut sender, "and more"), "sent");
        assert!(came(&receiver, &card));
        assert_eq!(monitor.status()["kernel"]["verdicts_protected"], 1);
    }
}

#[test]
fn beyond_the_limit_it_is_only_told() {
    needs!("python3");
    for limit in ["blocks_per_minute_max = 2", "blocks_per_executable_max = 2"] {
        let receiver = Receiver::udp(V4);
        let rules = format!("[settings]\n{limit}\n{}", rule(&receiver, BLOCK));
        let monitor = Monitor::under(&rules);
        let mut sender = sender(DATAGRAMS, &receiver);
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            let text = format!("a {} b", monitor.data.card_grouped(" "));
            outcomes.push(send(&mut sender, &text));
        }
        assert_eq!(outcomes, ["1", "1", "sent"], "{limit}");
        let alerts = monitor.of(sender.pid());
        let last = alerts.last().expect("three alerts");
        is_told(last, "refused", "kernel");
        assert!(last.text("/outcome_reason").contains("limit of"), "{last:?}");
        assert_eq!(monitor.status()["kernel"]["verdicts_limited"], 1);
    }
}

#[test]
fn a_dry_run_stops_nothing_and_says_what_it_would_have() {
    needs!("python3");
    for (action, outcome) in [(BLOCK, "would-block"), (KILL, "would-kill")] {
        let receiver = Receiver::tcp(V4);
        let start = Start::new().policy(&rule(&receiver, action)).args(&["--dry-run"]);
        let monitor = start.run();
        let mut sender = sender(SENDER, &receiver);
        let card = monitor.data.card_grouped(" ");
        assert_eq!(send(&mut sender, &format!("a {card} b")), "sent");
        assert_eq!(send(&mut sender, "and more"), "sent");
        is_told(&alert_of(&monitor, sender.pid()), outcome, "kernel");
        assert!(came(&receiver, &card));
        let kernel = &monitor.status()["kernel"];
        assert_eq!((&kernel["verdicts"], &kernel["blocks"]), (&1.into(), &0.into()));
    }
}

#[test]
fn sighup_puts_it_in_force_and_takes_it_back() {
    needs!("python3");
    let receiver = Receiver::udp(V4);
    let (with, without) = (rule(&receiver, BLOCK), rule(&receiver, "action = \"alert\""));
    let without = without.replace("prevent = true\n", "");
    let monitor = Monitor::under(&without);
    let mut sender = sender(DATAGRAMS, &receiver);
    for (turn, (rules, expected)) in
        [(&without, "sent"), (&with, "1"), (&without, "sent"), (&with, "1")].into_iter().enumerate()
    {
        monitor.put_policy(rules);
        monitor.signal(Signal::SIGHUP);
        wait_for("the policy", || {
            (monitor.stderr().matches("is in force").count() > turn).then_some(())
        });
        let text = format!("a {} b", monitor.data.card_grouped(" "));
        assert_eq!(send(&mut sender, &text), expected);
    }
}

/// The table that the detectors are held to as well, by real sends.
#[test]
fn the_kernel_agrees_with_the_table_of_cases() {
    needs!("python3");
    let receiver = Receiver::udp(V4);
    let monitor = Monitor::under(&rule(&receiver, BLOCK));
    let mut sender = sender(DATAGRAMS, &receiver);
    let cases = include_str!("../cases/proof.txt").lines();
    let cases = cases.filter_map(|line| line.split_once('\t'));
    let mut tried = 0;
    for (expected, case) in cases {
        let stops = ["medium", "high"].contains(&expected);
        let escaped = |card: &str| -> String {
            card.bytes().map(|byte| format!("\\u00{byte:02x}")).collect()
        };
        let text = case
            .replace("{card}", &monitor.data.card())
            .replace("{card4}", &monitor.data.card_grouped(" "))
            .replace("{card4-}", &monitor.data.card_grouped("-"))
            .replace("{card4+}", &monitor.data.card_grouped("+"))
            .replace("{card%}", &monitor.data.card_grouped("%20"))
            .replace("{cardu}", &escaped(&monitor.data.card()))
            .replace("{iban}", &monitor.data.iban())
            .replace("{iban4}", &monitor.data.iban_grouped())
            .replace("{ssn}", &monitor.data.ssn());
        let came = send(&mut sender, &text);
        assert_eq!(came, if stops { "1" } else { "sent" }, "{expected}: {case}");
        tried += 1;
    }
    assert!(tried > 30, "{tried} cases");
}

#[test]
fn what_is_handed_to_a_tls_library_is_stopped_before_it_is_encrypted() {
    needs!("openssl", "python3", "curl");
    let _alone = alone();
    let site = Site::start();
    let port = site.address.port();
    for (action, outcome) in [(BLOCK, "blocked"), (KILL, "killed")] {
        let rules = format!(
            "[[rule]]\nid = \"no-cards\"\nentities = [\"CREDIT_CARD\"]\nprevent = true\n\
             transport = [\"tls\"]\ndestination = {{ cidr = [\"loopback\", \"unknown\"] }}\n{action}\n"
        );
        let monitor = Monitor::under(&rules);
        // The first to use a library may come before its hooks.
        site.run_command(client::curl(&site, &["--http1.1", "--data", "x=1", &site.url("first")]));
        monitor.settle();
        let card = monitor.data.card();
        let form = format!("card={card}&x=1");
        let arguments = ["--http1.1", "--max-time", "5", "--data", &form, &site.url("second")];
        let ran = site.run_command(client::curl(&site, &arguments));
        assert!(!ran.status.success(), "{action}: {}", ran.said);
        if action == KILL {
            assert_eq!(ran.status.signal(), Some(Signal::SIGKILL as i32), "{}", ran.said);
        }
        let alert = alert_of(&monitor, ran.pid);
        is_told(&alert, outcome, "kernel");
        assert_eq!(alert.number("/bytes_leaked"), 0);
        let to = alert.destination().map(|(_, port)| port);
        assert_eq!(to, Some(port));
        assert!(!site.received().contains(&card), "{action}: it came");
    }
}
