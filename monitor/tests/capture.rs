//! The kernel side on this very kernel, through `capture` alone: its debug lines, and what is left
//! of it when it is detached. Needs root; says so and does nothing without.

mod skip;

use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use egress_monitor::capture::hooks::TapChoice;
use egress_monitor::capture::prefilter::{Needs, OpaqueBudget, Shape};
use egress_monitor::capture::programs::{LoadOptions, Programs};
use egress_monitor::capture::{Armed, arm, host};
use monitor_ebpf::Counter;
use monitor_ebpf::record::Sample;

/// Lines that the programs wrote.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

/// Arms the monitor for one test at a time; `None` where that takes rights that are not there.
fn armed(debug: bool) -> Option<(MutexGuard<'static, ()>, Armed)> {
    static TURN: Mutex<()> = Mutex::new(());
    let missing = host::capabilities_missing();
    if !missing.is_empty() {
        skip::skip(&format!("missing {}", missing.join(", ")));
        return None;
    }
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let options = LoadOptions {
        sample_bytes_max: 16 << 10,
        ring_bytes: 1 << 20,
        needs: Needs::of_shapes(Shape::NARROW),
        opaque: OpaqueBudget::default(),
        tap: TapChoice::Best,
        prevents: false,
        unix_sockets: false,
        tls: None,
        debug,
    };
    let armed = arm(options).unwrap();
    assert!(armed.shortfalls.is_empty(), "{:?}", armed.shortfalls);
    Some((turn, armed))
}

#[track_caller]
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < until, "not within 10 s: {what}");
        std::thread::yield_now();
    }
}

/// Another process sends a text to us; gives what arrived.
fn send(text: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("printf '%s' '{text}' > /dev/tcp/127.0.0.1/{port}");
    let mut child = Command::new("bash").args(["-c", &script]).spawn().unwrap();
    let mut received = String::new();
    listener.accept().unwrap().0.read_to_string(&mut received).unwrap();
    assert!(child.wait().unwrap().success());
    received
}

fn samples_seen(programs: &Programs) -> u64 {
    programs.counter(Counter::SamplesSeen)
}

#[test]
fn debug_lines_of_the_programs_arrive() {
    log::set_logger(&Lines).unwrap();
    let Some((_turn, mut armed)) = armed(true) else { return };
    let mut log = armed.programs.take_log().unwrap();
    let child = Command::new("true").spawn().unwrap();
    let begins = format!("process {} of cgroup ", child.id());
    child.wait_with_output().unwrap();
    wait("line of the exec", || {
        log.flush();
        LINES.lock().unwrap().iter().any(|line| line.starts_with(&begins))
    });
}

#[test]
fn what_was_seen_can_be_read_once_detached() {
    let Some((_turn, mut armed)) = armed(false) else { return };
    let programs = &mut armed.programs;
    let mut ring = programs.take_samples().unwrap();
    assert_eq!(send("4111111111111111"), "4111111111111111");
    wait("sample", || samples_seen(programs) > 0);
    programs.detach().unwrap();
    let seen = samples_seen(programs);
    assert_eq!(send("5555555555554444"), "5555555555554444");
    assert_eq!(samples_seen(programs), seen, "seen after the end");
    let mut texts = Vec::new();
    while let Some(record) = ring.next() {
        let sample = Sample::parse(&record).unwrap();
        assert!(programs.flow(sample.head.cookie).is_some());
        texts.push(sample.bytes.to_vec());
    }
    assert!(texts.contains(&b"4111111111111111".to_vec()), "{}", texts.len());
    assert_eq!(texts.len() as u64, programs.counter(Counter::SamplesDelivered));
    programs.detach().unwrap();
}
