//! That the fields of a flow's protobuf messages, which have numbers and no names, become context by
//! what they have held: of that flow, whatever pieces it comes in, and not where they held other things.

use std::net::Ipv4Addr;
use std::sync::Arc;

use egress_monitor::detect::Key;
use egress_monitor::model::{
    Confidence, Endpoint, Finding, FlowKey, Process, ProcessKey, SampleHead, Tap, Transport,
};
use egress_monitor::pipeline::Pipeline;
use egress_monitor::policy::{Date, Policy};

fn head(cookie: u64, position: u32) -> SampleHead {
    let end = Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: 80 };
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
    SampleHead {
        at_ns: 1,
        flow: FlowKey { cookie, tls: false },
        socket: 0,
        tap: Tap::Socket,
        transport: Transport::Tcp,
        process: Arc::new(process),
        source: end,
        destination: Some(end),
        position,
        omitted_bytes: 0,
    }
}

fn pipeline() -> Pipeline {
    let policy =
        "version = 1\n[[rule]]\nid = \"all\"\nentities = [\"CREDIT_CARD\", \"IBAN_CODE\"]\n";
    let policy = Policy::parse(policy, Date::constant(2026, 1, 1)).expect("it holds");
    Pipeline::new(Arc::new(policy), Key::from_bytes([7; 32]))
}

/// Digits of a card with its check digit (ISO/IEC 7812-1), the `number`th.
fn card(number: u64) -> String {
    let body = format!("453957{:09}", 314_159_265 + number * 7_919);
    let sum: u32 = body
        .bytes()
        .rev()
        .zip([2, 1].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn printed(number: u64) -> String {
    let digits = card(number);
    [0, 4, 8, 12].map(|at| digits[at..at + 4].to_owned()).join(" ")
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).expect("it is short")], bytes].concat()
}

/// `{2: "state of the order", 1: {4: 1, 3: value}}`
fn message(value: &str) -> Vec<u8> {
    let inner = [vec![4 << 3, 1], field(3, value.as_bytes())].concat();
    [field(2, b"state of the order"), field(1, &inner)].concat()
}

/// What is found in messages that are sent one by one.
fn send(pipeline: &mut Pipeline, cookie: u64, values: &[String]) -> Vec<Vec<Finding>> {
    let mut position = 0;
    let send = |value: &String| {
        let bytes = message(value);
        let findings = pipeline.sample(&head(cookie, position), &bytes).0.to_vec();
        position += u32::try_from(bytes.len()).expect("it is short");
        findings
    };
    values.iter().map(send).collect()
}

fn confidence(findings: &[Finding]) -> Option<Confidence> {
    findings.first().map(|finding| finding.confidence)
}

const SAID: &str = "field 1.3 has held CREDIT_CARD before";

fn is_told(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.reasons.iter().any(|reason| reason == SAID))
}

#[test]
fn a_field_that_held_cards_speaks_for_one_without_separators() {
    let mut pipeline = pipeline();
    let values = [printed(1), card(2), printed(3), printed(4), card(5)];
    let found = send(&mut pipeline, 1, &values);
    assert_eq!(confidence(&found[0]), Some(Confidence::High));
    assert!(confidence(&found[1]) < Some(Confidence::High) && !is_told(&found[1]));
    assert_eq!(confidence(&found[4]), Some(Confidence::High), "{:?}", found[4]);
    assert!(is_told(&found[4]), "{:?}", found[4]);
    // Of another flow nothing is known.
    let found = send(&mut pipeline, 2, &[card(6)]);
    assert!(confidence(&found[0]) < Some(Confidence::High) && !is_told(&found[0]));
}

#[test]
fn a_field_that_held_other_things_speaks_for_none() {
    let other = "DE89 3704 0044 0532 0130 00".to_owned();
    for spoils in [vec![other], (0..9).map(|at| format!("note no. {at}")).collect()] {
        let mut values = vec![printed(1), printed(2)];
        values.extend(spoils);
        values.extend([printed(3), printed(4), card(5)]);
        let found = send(&mut pipeline(), 1, &values);
        let last = found.last().expect("there is one");
        assert!(confidence(last) < Some(Confidence::High) && !is_told(last), "{last:?}");
    }
}

#[test]
fn what_is_learned_does_not_depend_on_how_messages_are_sent() {
    let values = [printed(1), printed(2), card(3), printed(4), card(5), card(6)];
    let mut told: Vec<(String, Confidence, Vec<String>)> =
        send(&mut pipeline(), 1, &values).concat().into_iter().map(known).collect();
    let together: Vec<u8> = values.iter().flat_map(|value| message(value)).collect();
    let mut pipeline = pipeline();
    let (findings, _) = pipeline.sample(&head(1, 0), &together);
    let mut whole: Vec<_> = findings.iter().cloned().map(known).collect();
    told.sort();
    whole.sort();
    assert_eq!(told.iter().filter(|(.., reasons)| reasons.iter().any(|r| r == SAID)).count(), 2);
    assert_eq!(told, whole);
}

fn known(finding: Finding) -> (String, Confidence, Vec<String>) {
    let reasons = finding.reasons.into_iter().filter(|reason| reason != "may be cut").collect();
    (finding.fingerprint, finding.confidence, reasons)
}
