//! Bad luck: crowds at the start, sockets that come and go, descriptors with somebody else's number,
//! buffers that change while they are read, and an alert stream that is a socket itself. Nothing may
//! crash or wait, and nothing may be told of the wrong one.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::net::V4;
use support::program::with_data;
use support::wait::wait_for;
use support::{Monitor, Receiver, Running, Start, needs};

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

fn sender(words: &[&str], to: SocketAddr, texts: &[&str]) -> Command {
    let mut command = Command::new(SENDER);
    with_data(&mut command, to, texts);
    command.args(words);
    command
}

/// As many as a busy host has.
const CROWD: &str = "10000";
/// Far more than it takes, far less than anybody would wait.
const ARMED_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_sockets_and_processes_are_there_at_the_start() {
    needs!("prlimit");
    let receiver = Receiver::tcp(V4);
    let data = support::Data::new();
    let text = format!("card {}", data.card());
    // As root it may; the limit is inherited from whoever runs the tests.
    let mut crowd = Command::new(support::tool("prlimit").expect("it is there"));
    with_data(&mut crowd, receiver.address, &[&text]);
    let mut crowd = Running::start(crowd.args(["--nofile=20000", SENDER, "crowd", CROWD, CROWD]));
    assert_eq!(crowd.line(), "ready");
    let begun = Instant::now();
    let monitor = Monitor::start();
    let took = begun.elapsed();
    assert!(took < ARMED_WITHIN, "armed after {took:?}");
    crowd.close_input();
    wait_for("the card", || (receiver.bytes() == text.len() as u64).then_some(()));
    monitor.found(crowd.pid(), "CREDIT_CARD", receiver.address);
    crowd.finish();
}

/// More sockets, one after the other, than the kernel keeps flows.
#[test]
fn a_process_opens_and_closes_forty_thousand_sockets() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::udp(V4));
    let text = format!("card {}", monitor.data.card());
    let mut sender = Running::start(&mut sender(&["churn", "40000"], receiver.address, &[&text]));
    sender.finish();
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    let status = monitor.status();
    assert_eq!(status["kernel"]["flows_full"], 0, "{}", status["kernel"]);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["bytes_sent"], coverage["bytes_examined"], "{coverage}");
}

#[test]
fn what_is_sent_on_a_number_used_again_is_told_of_its_own_socket() {
    needs!();
    let (cards, ibans) = (Receiver::tcp(V4), Receiver::tcp(V4));
    let monitor = Monitor::start();
    let texts =
        [format!("card {} ", monitor.data.card()), format!("iban {} ", monitor.data.iban())];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut command = sender(&["reuse", "8", "100"], cards.address, &texts);
    command.env("OTHER", ibans.address.port().to_string());
    let mut sender = Running::start(&mut command);
    sender.finish();
    for (receiver, text) in [(&cards, texts[0]), (&ibans, texts[1])] {
        receiver.wait_bytes(400 * text.len() as u64);
    }
    let alerts = monitor.of(sender.pid());
    for (receiver, entity) in [(&cards, "CREDIT_CARD"), (&ibans, "IBAN_CODE")] {
        let here = (receiver.address.ip().to_string(), receiver.address.port());
        let told = alerts.iter().filter(|alert| alert.destination().as_ref() == Some(&here));
        let told: Vec<_> = told.collect();
        assert_eq!(told.len(), 400, "alerts of what went to the receiver of {entity}");
        assert!(told.iter().all(|alert| alert.entities() == [entity]), "{entity}: {told:#?}");
    }
    assert_eq!(alerts.len(), 800);
}

/// What is found need not be what was sent: the tap reads before the kernel does. The accounts hold.
#[test]
fn a_buffer_changes_while_it_is_sent() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let card = format!("card {} here", monitor.data.card());
    let texts = [card.as_str(), &"-".repeat(card.len())];
    let mut sender = Running::start(&mut sender(&["change", "20000"], receiver.address, &texts));
    sender.finish();
    let bytes = 20_000 * card.len() as u64;
    receiver.wait_bytes(bytes);
    monitor.settle();
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["bytes_sent"], bytes, "{coverage}");
    let lost = coverage["gaps"]["ring_full"].as_u64().unwrap_or(0);
    assert_eq!(coverage["bytes_examined"], bytes - lost, "{coverage}");
}

/// The alerts go out on a connection that somebody else has opened.
#[test]
fn what_the_monitor_sends_is_not_looked_at() {
    needs!();
    let listener = TcpListener::bind((V4, 0)).expect("a port on loopback");
    let stream =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    let (mut reader, _) = listener.accept().expect("a connection");
    let start = Start::new().alerts("-").stdout(OwnedFd::from(stream).into());
    let (monitor, receiver) = (start.run(), Receiver::tcp(V4));
    // Other tests send too, and whoever waits for room would wait for this one.
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
            keep.lock().expect("nobody panics").extend_from_slice(&buffer[..bytes]);
        }
    });
    let text = format!("card {}", monitor.data.card());
    let mut sender = Running::start(&mut sender(&["once"], receiver.address, &[&text]));
    sender.finish();
    wait_for("its alert", || {
        let text = String::from_utf8_lossy(&kept.lock().expect("nobody panics")).into_owned();
        support::alert::parse(&text).iter().any(|alert| alert.pid() == sender.pid()).then_some(())
    });
    let status = monitor.status();
    let own = [monitor.pid(), std::process::id()];
    // Other tests of this process send a few bytes too; an alert has hundreds.
    let looked_at = status["coverage"].as_array().into_iter().flatten().find(|process| {
        own.iter().any(|pid| process["pid"] == *pid)
            && process["bytes_examined"].as_u64() > Some(256)
    });
    assert_eq!(looked_at, None, "its own alerts");
}
