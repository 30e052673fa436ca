//! What is not seen is counted, whatever goes wrong: a full ring, sends beyond what is looked at,
//! memory that is not there, floods, a full disk.
//!
//! One test at a time: what fills the ring of one daemon fills that of another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use support::net::V4;
use support::program::with_data;
use support::wait::wait_for;
use support::{Monitor, Receiver, Running, Start, needs, python};

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A rule about what is sent to the receiver, and nothing else that the host sends meanwhile.
fn rule(receiver: &Receiver) -> String {
    let port = receiver.address.port();
    format!(
        "[[rule]]\nid = \"cards\"\nentities = [\"CREDIT_CARD\"]\n\
         destination = {{ port = [{port}] }}\n"
    )
}

/// The sender of many datagrams, and how many they were.
fn flood(monitor: &Monitor, receiver: &Receiver, count: u64) -> (Running, Command, usize) {
    let text = format!("card {}", monitor.data.card());
    let mut sender = Command::new(SENDER);
    with_data(&mut sender, receiver.address, &[&text]);
    sender.args(["count", &count.to_string()]);
    (Running::start(&mut sender), sender, text.len())
}

#[track_caller]
fn count(status: &Value, side: &str, name: &str) -> u64 {
    match status[side][name].as_u64() {
        Some(count) => count,
        None => panic!("no counter {side}.{name} in {status}"),
    }
}

/// Waits until the daemon has taken in all that is in the ring; its status then.
#[track_caller]
fn drained(monitor: &Monitor) -> Value {
    wait_for("the daemon to empty the ring", || {
        let status = monitor.status();
        let delivered = count(&status, "kernel", "samples_delivered");
        (count(&status, "daemon", "samples_received") == delivered).then_some(status)
    })
}

/// Samples seen are delivered or lost; alerts raised are written or lost, once all are through.
#[track_caller]
fn adds_up(monitor: &Monitor) -> Value {
    drained(monitor);
    wait_for("the numbers to add up", || {
        let status = monitor.status();
        let kernel = |name| count(&status, "kernel", name);
        let daemon = |name| count(&status, "daemon", name);
        let samples = kernel("samples_delivered") + kernel("samples_lost_ring_full");
        let alerts = daemon("alerts_written")
            + daemon("alerts_lost_write")
            + daemon("alerts_lost_queue_full");
        let add_up = kernel("samples_seen") == samples && daemon("alerts") == alerts;
        add_up.then_some(status)
    })
}

#[test]
fn a_full_ring_loses_what_it_counts() {
    needs!();
    let _alone = alone();
    let receiver = Receiver::udp(V4);
    let settings = "[settings]\nring_bytes = 1048576\nalerts_queue_max = 65536\n";
    let monitor = Monitor::under(&format!("{settings}{}", rule(&receiver)));
    monitor.signal(Signal::SIGSTOP);
    let sends = 10_000;
    let (mut sender, _, bytes) = flood(&monitor, &receiver, sends);
    sender.finish();
    monitor.signal(Signal::SIGCONT);
    let status = adds_up(&monitor);
    let lost = count(&status, "kernel", "samples_lost_ring_full");
    assert!(lost > 0, "{status}");
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["sends"], sends);
    let lost_bytes = coverage["gaps"]["ring_full"].as_u64().expect("the gap is told");
    let examined = coverage["bytes_examined"].as_u64().expect("a number");
    assert_eq!(lost_bytes + examined, sends * bytes as u64, "{coverage}");
    assert_eq!(lost_bytes % bytes as u64, 0);
    // Each sample that was delivered has its alert.
    let lost_of_sender = lost_bytes / bytes as u64;
    let alerts = monitor.of(sender.pid()).len() as u64;
    assert_eq!(alerts + lost_of_sender, sends);
    let text = String::from_utf8_lossy(&monitor.doctor(&[]).stdout).into_owned();
    let told = format!("in {lost} samples lost to a full ring");
    assert!(text.contains(&told), "no {told:?} in:\n{text}");
    let summary = monitor.stop();
    assert!(summary.contains(&told), "no {told:?} in:\n{summary}");
}

/// As fast as one process sends, each send with a finding: the daemon lives, answers, and the
/// numbers add up.
#[test]
fn a_flood_of_findings_is_carried_or_counted() {
    needs!();
    let _alone = alone();
    let receiver = Receiver::udp(V4);
    let monitor = Monitor::under(&rule(&receiver));
    let sends = 200_000;
    let begun = Instant::now();
    let (mut sender, _, bytes) = flood(&monitor, &receiver, sends);
    let mut slowest = Duration::ZERO;
    while sender.ended().is_none() {
        let asked = Instant::now();
        monitor.status();
        slowest = slowest.max(asked.elapsed());
    }
    let rate = sends as f64 / begun.elapsed().as_secs_f64();
    eprintln!("{rate:.0} sends a second, slowest status {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "a status took {slowest:?}");
    let status = adds_up(&monitor);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["sends"], sends);
    let lost = coverage["gaps"]["ring_full"].as_u64().unwrap_or(0);
    let examined = coverage["bytes_examined"].as_u64().unwrap_or(0);
    assert_eq!(lost + examined, sends * bytes as u64, "{coverage}");
    let daemon = |name| count(&status, "daemon", name);
    let alerts = monitor.of(sender.pid()).len() as u64;
    let lost_alerts = daemon("alerts_lost_queue_full") + daemon("alerts_lost_write");
    assert!(alerts + lost_alerts >= examined / bytes as u64, "{alerts} alerts: {status}");
}

/// One send of 200,000 bytes with a card at each of these places.
fn places_found(sample_bytes_max: u64, places: &[usize]) -> (usize, Value) {
    let receiver = Receiver::tcp(V4);
    let settings = format!("[settings]\nsample_bytes_max = {sample_bytes_max}\n");
    let monitor = Monitor::under(&format!("{settings}{}", rule(&receiver)));
    let mut text = "lorem ipsum ".repeat(20_000);
    text.truncate(200_000);
    for &place in places {
        let card = format!(" card {} ", monitor.data.card());
        text.replace_range(place..place + card.len(), &card);
    }
    // Too long for the environment.
    let file = monitor
        .dir()
        .parent()
        .expect("a directory")
        .join(format!("egress-monitor-body-{}-{sample_bytes_max}", std::process::id()));
    fs::write(&file, &text).expect("a file");
    let code = "text = open(D[0], 'rb').read(); assert tcp().send(text) == len(text)";
    let path = file.display().to_string();
    let mut sender = Running::start(&mut python(code, receiver.address, &[&path]));
    sender.finish();
    let _ = fs::remove_file(&file);
    let alerts = monitor.of(sender.pid());
    let found: usize = alerts.iter().map(|alert| alert.findings().len()).sum();
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    receiver.wait_bytes(200_000);
    assert_eq!(coverage["bytes_sent"], 200_000);
    (found, coverage)
}

#[test]
fn what_lies_beyond_sample_bytes_max_is_counted_as_not_examined() {
    needs!("python3");
    let _alone = alone();
    let (found, coverage) = places_found(4_096, &[100, 100_000]);
    assert_eq!(found, 1);
    assert_eq!(coverage["gaps"]["over_sample_max"], 200_000 - 4_096);
    assert_eq!(coverage["bytes_examined"], 4_096);
}

#[test]
fn a_send_of_many_chunks_is_examined_to_its_end() {
    needs!("python3");
    let _alone = alone();
    // One of them lies over the edge of two chunks.
    let (found, coverage) = places_found(262_144, &[100, 16_384 - 12, 100_000, 199_970]);
    assert_eq!(found, 4);
    assert_eq!(coverage["gaps"], serde_json::json!({}));
    assert_eq!(coverage["bytes_examined"], 200_000);
}

#[test]
fn sends_of_no_bytes_are_sends() {
    needs!("python3");
    let _alone = alone();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = format!("card {}", monitor.data.card());
    let code = "
s = tcp(); s.send(b''); s.send(D[0][:9]); s.send(b''); os.writev(s.fileno(), [b'', b''])
s.send(D[0][9:])
u = udp(); u.connect(TO); u.send(b'')";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.finish();
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!((&coverage["sends"], &coverage["bytes_examined"]), (&6.into(), &text.len().into()));
}

/// A gigabyte of zeroes in one call, a card at its begin and one far behind: the socket takes some
/// of it, and what is sent afterwards is found again.
#[test]
fn a_send_of_a_gibibyte_costs_no_more_than_its_beginning() {
    needs!("python3");
    let _alone = alone();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let texts: Vec<String> = (0..3).map(|_| format!(" card {} ", monitor.data.card())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = "
import mmap
big = mmap.mmap(-1, 1 << 30); big[:1 << 15] = D[0].ljust(1 << 15, b'-'); big[1 << 29:(1 << 29) + len(D[1])] = D[1]
s = tcp(); s.setblocking(False); sent = s.send(big); assert 0 < sent < 1 << 29
s.setblocking(True); s.sendall(D[2]); say(sent)";
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    let sent: u64 = sender.line().parse().expect("the sender says how much it sent");
    sender.finish();
    receiver.wait_bytes(sent + texts[2].len() as u64);
    let alerts = monitor.of(sender.pid());
    assert_eq!(alerts.len(), 2, "{alerts:#?}");
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["bytes_sent"], sent + texts[2].len() as u64);
    assert_eq!(coverage["gaps"]["over_sample_max"], (1u64 << 30) - 16_384);
}

#[test]
fn a_send_from_memory_that_is_not_mapped_is_counted_as_unreadable() {
    needs!("python3");
    let _alone = alone();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = format!("card {}", monitor.data.card());
    let code = "
import errno
libc = ctypes.CDLL(None, use_errno=True); s = tcp()
address = ctypes.c_void_p(0x10)
assert libc.send(s.fileno(), address, ctypes.c_size_t(100), 0) == -1
assert ctypes.get_errno() == errno.EFAULT
assert libc.write(s.fileno(), address, ctypes.c_size_t(11)) == -1
assert libc.writev(s.fileno(), address, 3) == -1 and ctypes.get_errno() == errno.EFAULT
assert libc.sendmsg(s.fileno(), address, 0) == -1 and ctypes.get_errno() == errno.EFAULT
assert libc.sendmmsg(s.fileno(), address, 2, 0) == -1 and ctypes.get_errno() == errno.EFAULT
s.sendall(D[0])";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.finish();
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    assert_eq!(coverage["gaps"]["unreadable"], 111, "{coverage}");
    assert_eq!(coverage["bytes_examined"], text.len());
}

/// A send out of a file that is mapped and that nobody has touched: its pages are not there yet.
/// Tracing programs cannot fault them in, so it is found or counted.
#[test]
fn a_send_of_pages_that_are_not_there_yet_is_found_or_counted() {
    needs!("python3");
    let _alone = alone();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = format!("card {} end", monitor.data.card());
    let code = "
import mmap, tempfile
file = tempfile.TemporaryFile(); file.write(D[0]); file.flush()
page = mmap.mmap(file.fileno(), len(D[0]), access=mmap.ACCESS_READ); tcp().sendall(page)";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.finish();
    receiver.wait_bytes(text.len() as u64);
    let alerts = monitor.of(sender.pid());
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    let unreadable = coverage["gaps"]["unreadable"].as_u64().unwrap_or(0);
    let whole = text.len() as u64;
    assert!(
        (alerts.len(), unreadable) == (1, 0) || (alerts.len(), unreadable) == (0, whole),
        "{alerts:#?}, {coverage}"
    );
}

/// The buffer ends where memory ends: what is mapped leaves, and is found or counted.
#[test]
fn a_send_that_runs_into_memory_that_is_not_mapped_is_found_or_counted() {
    needs!("python3");
    let _alone = alone();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = format!("card {} end", monitor.data.card());
    let code = "
libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
at = libc.mmap(None, 8192, 3, 0x22, -1, 0); libc.munmap(at + 4096, 4096)
start = at + 4096 - len(D[0]); ctypes.memmove(start, D[0], len(D[0])); s = tcp()
say(libc.send(s.fileno(), ctypes.c_void_p(start), ctypes.c_size_t(len(D[0]) + 500), 0))";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.line();
    sender.finish();
    let alerts = monitor.of(sender.pid());
    let coverage = monitor.coverage(sender.pid()).expect("the sender is known");
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (unreadable, examined) =
        (number(&coverage["gaps"]["unreadable"]), number(&coverage["bytes_examined"]));
    assert_eq!(unreadable + examined, text.len() as u64 + 500, "{coverage}");
    assert!(alerts.len() == 1 || unreadable == text.len() as u64 + 500, "{coverage}");
}

/// The alert file lies on a file system of 64 KiB, in a mount namespace of the daemon's own.
#[test]
fn a_full_disk_costs_alerts_that_are_counted_until_there_is_room_again() {
    needs!("unshare", "sh");
    let _alone = alone();
    let start = Start::new();
    let small = start.dir().join("small");
    fs::create_dir(&small).expect("a directory");
    let file = small.join("alerts.jsonl").display().to_string();
    let mount = format!(
        "mount -t tmpfs -o size=64k none '{0}' && head -c 32768 /dev/zero >'{0}/ballast' && \
         exec \"$@\"",
        small.display()
    );
    let wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &mount, "sh"];
    let receiver = Receiver::udp(V4);
    let mut monitor = start.policy(&rule(&receiver)).wrapper(&wrapper).alerts(&file).run();
    let seen = |path: &str| -> PathBuf {
        let root = format!("/proc/{}/root", monitor.pid());
        PathBuf::from(format!("{root}{}", small.join(path).display()))
    };
    let (alerts_file, ballast) = (seen("alerts.jsonl"), seen("ballast"));
    flood(&monitor, &receiver, 200).0.finish();
    let status = adds_up(&monitor);
    let lost = count(&status, "daemon", "alerts_lost_write");
    assert!(lost > 0, "{status}");
    monitor.wait_said("alert cannot be written and is lost");
    fs::remove_file(ballast).expect("the ballast is there");
    flood(&monitor, &receiver, 1).0.finish();
    let status = adds_up(&monitor);
    monitor.wait_said("alerts can be written again");
    let written = count(&status, "daemon", "alerts_written");
    assert_eq!(count(&status, "daemon", "alerts_lost_write"), lost, "{status}");
    let text = fs::read_to_string(alerts_file).expect("the alert file is there");
    assert!(text.ends_with('\n'), "the last line is whole");
    let whole = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
    let good = text.lines().filter(whole).count() as u64;
    let cut = text.lines().count() as u64 - good;
    assert_eq!(good, written, "{status}");
    assert!(cut <= 1, "{cut} lines are cut");
    // So that it is looked through like everything else.
    fs::write(monitor.dir().join("alerts-copy"), text).expect("a file");
    let summary = monitor.stop();
    assert!(summary.contains(&format!("{written} alerts written, {lost} lost")), "{summary}");
}

#[test]
fn a_card_before_a_page_that_is_not_there_yet_is_found() {
    needs!("python3");
    let _alone = alone();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = format!("card {} end", monitor.data.card());
    let code = "
import mmap
big = mmap.mmap(-1, 1 << 16); big[:len(D[0])] = D[0]; tcp().sendall(big)";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&text]));
    sender.finish();
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
}
