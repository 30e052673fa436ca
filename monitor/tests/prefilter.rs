//! Holds the kernel's prefilter to its word: whatever the stages behind it find in what a process
//! sent, it lets through, however the sender wrote, framed and cut it.
//!
//! The scan is the prefilter's own; what the kernel keeps of a flow between two sends is modelled
//! here as `monitor-ebpf/src/examine.rs` does it.

#[path = "payload/encoded.rs"]
mod encoded;
mod payload;
mod skip;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use egress_monitor::capture::prefilter::{
    Needs, OpaqueBudget, Prefilter, Shape, Verdict, shape_of,
};
use egress_monitor::capture::{self, hooks::TapChoice, programs::LoadOptions};
use egress_monitor::detect::Key;
use egress_monitor::model::{
    Endpoint, Entity, FlowKey, Process, ProcessKey, SampleHead, Tap, Transport,
};
use egress_monitor::pipeline::Pipeline;
use egress_monitor::policy::{Date, Policy};
use monitor_ebpf::TAIL_BYTES;
use monitor_ebpf::prefilter::{BASE, FILL};
use monitor_ebpf::record::Sample;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use encoded::{Encoded, encoded};
use payload::{payload, pieces};

static PREFILTER: LazyLock<Prefilter> =
    LazyLock::new(|| Prefilter::new(&needs(), OpaqueBudget::default()).unwrap());

fn needs() -> Needs {
    Needs::of_shapes(Shape::NARROW)
}

/// What the kernel keeps of a flow.
#[derive(Default)]
struct Flow {
    state: u16,
    tail: Vec<u8>,
    pending: usize,
    hot: bool,
}

impl Flow {
    /// One send: gives the bytes before it that are handed over with it, `None` where it is cleared.
    fn send(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let joined = [self.tail.as_slice(), text].concat();
        let (verdict, state) = if self.hot {
            // The kernel's tail is always whole, filled up before what there was.
            let padded = [&vec![FILL; TAIL_BYTES - self.tail.len()], joined.as_slice()].concat();
            PREFILTER.scan(self.state, &[], &padded)
        } else {
            PREFILTER.scan(self.state, &self.tail, text)
        };
        let hit = verdict != Verdict::Clear;
        let pending = self.tail.len() - self.pending.min(self.tail.len());
        let before = self.tail.split_off(pending);
        self.pending = if hit { 0 } else { (self.pending + text.len()).min(TAIL_BYTES) };
        self.state = if hit { BASE } else { state };
        self.hot = hit;
        self.tail = joined[joined.len().saturating_sub(TAIL_BYTES)..].to_vec();
        hit.then_some(before)
    }
}

type Found = BTreeSet<(Entity, String)>;

/// The stages behind capture, on one flow.
struct Stages {
    pipeline: Pipeline,
    process: Arc<Process>,
}

impl Stages {
    fn new() -> Stages {
        let policy = Policy::parse(
            "version = 1\n[[rule]]\nid = \"all\"\naction = \"alert\"\nentities = [\"CREDIT_CARD\", \"EMAIL_ADDRESS\", \"IBAN_CODE\", \"PHONE_NUMBER\", \"US_SSN\"]\nconfidence = \"low\"\n",
            Date::constant(2026, 1, 1),
        );
        let process = Process {
            key: ProcessKey { pid: 1, start_ns: 1 },
            parent_pid: 0,
            exe: String::new(),
            cmdline: String::new(),
            comm: String::new(),
            uid: 0,
            cgroup: String::new(),
            unit: None,
        };
        let pipeline = Pipeline::new(Arc::new(policy.unwrap()), Key::from_bytes([7; 32]));
        Stages { pipeline, process: Arc::new(process) }
    }

    fn find(&mut self, position: usize, bytes: &[u8]) -> Found {
        let end = Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: 80 };
        let head = SampleHead {
            at_ns: 1,
            flow: FlowKey { cookie: 1, tls: false },
            socket: 0,
            tap: Tap::Socket,
            transport: Transport::Tcp,
            process: Arc::clone(&self.process),
            source: end,
            destination: Some(end),
            position: position as u32,
            omitted_bytes: 0,
        };
        let (findings, _) = self.pipeline.sample(&head, bytes);
        findings
            .iter()
            .map(|finding| (finding.entity.clone(), finding.fingerprint.to_string()))
            .collect()
    }
}

/// Sends of one flow: wherever the stages find something when they see all of it, the prefilter
/// lets the send through that they find it in, and they find it in what was let through alone.
/// Gives whether anything was found.
fn hold(sends: &[Vec<u8>]) -> Result<bool, TestCaseError> {
    let (mut all, mut some, mut flow) = (Stages::new(), Stages::new(), Flow::default());
    let (mut there, mut found, mut position) = (Found::new(), Found::new(), 0);
    let shown: Vec<_> = sends.iter().map(|send| String::from_utf8_lossy(send)).collect();
    for (index, send) in sends.iter().enumerate() {
        let here = all.find(position, send);
        let passed = flow.send(send);
        if let Some(before) = &passed {
            let record = [before.as_slice(), send].concat();
            found.extend(some.find(position - before.len(), &record));
        }
        position += send.len();
        let held = passed.is_some() || here.is_empty();
        prop_assert!(held, "send {} was cleared, but {:?} is in {:?}", index, here, shown);
        there.extend(here);
    }
    let lost = there.difference(&found).collect::<Vec<_>>();
    prop_assert!(lost.is_empty(), "{:?} was let through and not found in {:?}", lost, shown);
    Ok(!there.is_empty())
}

#[test]
fn what_is_found_was_let_through() {
    let (cases, found) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(4096, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&payload(), |payload| {
        cases.set(cases.get() + 1);
        found.set(found.get() + u32::from(hold(&payload.sends())?));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Were nothing found, nothing would have been shown.
    let (cases, found) = (cases.get(), found.get());
    println!("something was found in {found} of {cases} payloads");
    assert!(found * 2 > cases, "something was found in {found} of {cases} payloads");
}

#[track_caller]
fn check(sends: &[&str]) {
    let sends: Vec<Vec<u8>> = sends.iter().map(|send| send.as_bytes().to_vec()).collect();
    match hold(&sends) {
        Ok(found) => assert!(found, "nothing is found in it"),
        Err(error) => panic!("{error}"),
    }
}

/// Two chunks, the second of a size that is written without a digit and with an extension.
fn chunks(first: &str, second: &str, extension: &str) -> String {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (size, rest) = (first.len(), "x".repeat(0xaa - second.len()));
    format!("{head}{size:x}\r\n{first}\r\naa;{extension}\r\n{second}{rest}\r\n0\r\n\r\n")
}

#[test]
fn an_iban_cut_in_two_by_a_chunk_with_an_extension_is_let_through() {
    // The filler moves the cut over the words that the scan looks at.
    for filler in (24..32).map(|bytes| "x".repeat(bytes)) {
        for value in ["MT84MALT011000012345MTLCAST001S ", "MT84 MALT 0110 0001 2345 MTLC AST0 01S "]
        {
            for (first, second) in (0..value.len()).map(|cut| value.split_at(cut)) {
                check(&[&chunks(&format!("{filler} iban: {first}"), second, &filler)]);
            }
        }
    }
}

#[test]
fn what_was_once_missed_is_let_through() {
    for sends in [
        &["phone: +1 (415%29 555-2671 "][..],
        &["iban=MT20+AAAA+0000+0000+N000+0000+0000+0B0 "],
        &["{\"mail\":\"bob\\u002540firma.de\"}"],
        &["mail=bob%5Cu0040firma.de"],
    ] {
        check(sends);
    }
}

/// Whatever is encoded is let through where it stands, cut as it may be: all of it, or all but what
/// came before the last 256 bytes that the kernel keeps.
fn hold_encoded(case: &Encoded) -> Result<(), TestCaseError> {
    // Not all that people write for a number is found, and what is not ASCII or short has no rhythm.
    if !PREFILTER.passes(case.text.as_bytes())
        || (case.encoding.has_rhythm() && (!case.text.is_ascii() || case.written.len() < 24))
    {
        return Ok(());
    }
    let sent = [case.before.as_bytes(), &case.written, case.after.as_bytes()].concat();
    let value = case.before.len()..case.before.len() + case.written.len();
    let (mut flow, mut position, mut seen) = (Flow::default(), 0, 0);
    let cuts = if case.written.len() > TAIL_BYTES { &[] } else { case.cuts.as_slice() };
    for send in pieces(&sent, cuts, 0..sent.len()) {
        if let Some(before) = flow.send(&send) {
            let (from, to) = (position - before.len(), position + send.len());
            seen += to.min(value.end).saturating_sub(from.max(value.start));
        }
        position += send.len();
    }
    let all = seen == value.len();
    // Letters and separators at the ends of an escaped text need not be escaped.
    prop_assert!(all || seen > 0 && !cuts.is_empty(), "{} of {:?} seen", seen, case);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]
    #[test]
    fn what_is_encoded_is_let_through(case in encoded()) {
        hold_encoded(&case)?;
    }
}

/// One automaton for each shape.
#[test]
fn the_example_of_each_entity_passes_where_the_policy_asks_for_it_alone() {
    let mut built = std::collections::BTreeMap::new();
    for detector in egress_monitor::detect::detectors() {
        let shape = shape_of(detector.entity);
        let prefilter = built.entry(shape).or_insert_with(|| {
            Prefilter::new(&Needs::of([detector.entity]), OpaqueBudget::default()).unwrap()
        });
        let passes = prefilter.passes(detector.example.as_bytes());
        assert!(passes, "{} is cleared as {}", detector.example, shape.name());
    }
}

proptest! {
    #[test]
    fn documents_of_words_small_numbers_and_dates_are_cleared(
        fields in prop::collection::vec(
            ("[a-z_]{1,12}", "[0-9]{1,6}|\"[A-Za-z ,.]{0,30}\"|\"20[0-9]{2}-[0-9]{2}-[0-9]{2}\"|true"),
            0..40,
        ),
        cut: prop::sample::Index,
    ) {
        let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let body = format!("{{{}}}", fields.join(","));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let sent = head + &body;
        let (first, second) = sent.split_at(cut.index(sent.len() + 1));
        let mut flow = Flow::default();
        for send in [first, second] {
            prop_assert!(flow.send(send.as_bytes()).is_none(), "{:?} was handed over", sent);
        }
    }
}

/// Connects once for each line, which holds a port, and sends in hexadecimal.
const SENDER: &str = "
import socket, sys
for line in sys.stdin:
    port, *sends = line.split()
    with socket.create_connection(('127.0.0.1', int(port))) as s:
        for send in sends:
            s.sendall(bytes.fromhex(send))
";

/// Sends flows from another process; gives what `taken` gives of its process after each.
fn send<T>(flows: &[Vec<Vec<u8>>], mut taken: impl FnMut(u32) -> T) -> Vec<T> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let python = Command::new("python3").args(["-c", SENDER]).stdin(Stdio::piped()).spawn();
    let mut python = python.expect("python3 is installed");
    let hex = |send: &Vec<u8>| send.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut stdin = python.stdin.take().unwrap();
    let taken = flows.iter().map(|sends| {
        let sends: Vec<String> = sends.iter().map(hex).collect();
        writeln!(stdin, "{port} {}", sends.join(" ")).unwrap();
        // Its end comes after the last send.
        std::io::copy(&mut listener.accept().unwrap().0, &mut std::io::sink()).unwrap();
        taken(python.id())
    });
    let taken = taken.collect();
    drop(stdin);
    assert!(python.wait().unwrap().success());
    taken
}

#[test]
fn the_kernel_lets_through_what_the_model_does() {
    let missing = capture::host::capabilities_missing();
    if !missing.is_empty() {
        return skip::skip(&format!("missing {}", missing.join(", ")));
    }
    if Command::new("python3").arg("--version").output().is_err() {
        return skip::skip("python3 is not installed");
    }
    let options = LoadOptions {
        sample_bytes_max: 16 << 10,
        ring_bytes: 8 << 20,
        needs: needs(),
        opaque: OpaqueBudget { flow_bytes_per_s: u32::MAX, host_bytes_per_s: u32::MAX },
        tap: TapChoice::Best,
        prevents: false,
        unix_sockets: false,
        tls: None,
        debug: false,
    };
    let mut armed = capture::arm(options).unwrap();
    let mut ring = armed.programs.take_samples().unwrap();
    let mut runner = TestRunner::deterministic();
    let flows: Vec<_> =
        (0..500).map(|_| payload().new_tree(&mut runner).unwrap().current().sends()).collect();
    let seen = send(&flows, |pid| {
        let mut seen = Vec::new();
        while let Some(record) = ring.next() {
            let sample = Sample::parse(&record).unwrap();
            if sample.head.tgid == pid {
                let (tail, text) = sample.bytes.split_at(sample.head.tail_bytes as usize);
                seen.push((tail.to_vec(), text.to_vec()));
            }
        }
        seen
    });
    let mut cleared = 0;
    for (sends, seen) in flows.iter().zip(seen) {
        let mut flow = Flow::default();
        let passed = sends.iter().filter_map(|send| Some((flow.send(send)?, send.clone())));
        let passed = passed.collect::<Vec<_>>();
        cleared += sends.len() - passed.len();
        assert!(seen == passed, "{seen:?} of {sends:?}, not {passed:?}");
    }
    assert!(cleared > 100, "only {cleared} sends were cleared");
}
