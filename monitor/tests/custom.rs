//! A detector of the policy from the sample to the alert: what the alert says of it, and that the
//! value is not in it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use egress_monitor::detect::Key;
use egress_monitor::model::{Endpoint, FlowKey, Process, ProcessKey, SampleHead, Tap, Transport};
use egress_monitor::pipeline::Pipeline;
use egress_monitor::policy::{Date, Policy};
use egress_monitor::redact::Redactor;
use egress_monitor::report::alert::{Alert, AlertProcess, Particulars};

const POLICY: &str = r#"
version = 1
[[detector]]
name = "STAFF_ID"
regex = 'EMP-[0-9]{6}'
words = ["staff"]
tags = ["GDPR", "CCPA"]
[[detector]]
name = "CUSTOMER"
dictionary = "customers.txt"
tags = ["GDPR"]
[[rule]]
id = "ours"
tags = ["GDPR"]
"#;

fn head() -> SampleHead {
    let end = Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: 80 };
    let process = Process {
        key: ProcessKey { pid: 1, start_ns: 1 },
        parent_pid: 0,
        exe: String::new(),
        cmdline: "send EMP-204417 --of=Jane_Roe EMP-204418".to_owned(),
        comm: String::new(),
        uid: 0,
        cgroup: String::new(),
        unit: None,
    };
    SampleHead {
        at_ns: 1,
        flow: FlowKey { cookie: 1, tls: false },
        socket: 0,
        tap: Tap::Socket,
        transport: Transport::Tcp,
        process: Arc::new(process),
        source: end,
        destination: Some(end),
        position: 0,
        omitted_bytes: 0,
    }
}

fn policy() -> Arc<Policy> {
    let mut files = |_: &str| Ok(b"Jane Roe\n".to_vec());
    let policy = Policy::parse_bytes(POLICY.as_bytes(), Date::constant(2026, 1, 1), &mut files);
    Arc::new(policy.expect("it holds"))
}

#[test]
fn an_alert_of_a_custom_detector_has_name_tags_and_mask_and_no_value() {
    let policy = policy();
    let mut pipeline = Pipeline::new(Arc::clone(&policy), Key::from_bytes([7; 32]));
    let head = head();
    let (findings, decisions) = pipeline.sample(&head, b"staff: EMP-204417 is Jane Roe \n");
    assert_eq!(decisions.len(), 1);
    let own = policy.own_engine().map(Redactor::partly);
    let particulars = Particulars {
        time: String::new(),
        id: String::new(),
        findings: findings.to_vec(),
        findings_more: 0,
        bytes: (0, 0),
        process: AlertProcess::new(&head.process, own.as_ref()),
    };
    let alert = Alert::new(&policy.rules[0], &head, particulars);
    let json = serde_json::to_value(&alert).expect("an alert is JSON");
    let told: Vec<(&str, &str)> = json["findings"]
        .as_array()
        .expect("findings are a list")
        .iter()
        .map(|f| (f["entity"].as_str().unwrap(), f["masked"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("STAFF_ID", "**********"), ("CUSTOMER", "********")]);
    assert_eq!(json["findings"][0]["tags"], serde_json::json!(["GDPR", "CCPA"]));
    for said in [json.to_string(), alert.line()] {
        let said = said.to_lowercase();
        assert!(["20441", "emp-", "jane", "roe"].iter().all(|part| !said.contains(part)), "{said}");
    }
}

#[test]
fn another_policy_brings_other_detectors() {
    let mut pipeline = Pipeline::new(policy(), Key::from_bytes([7; 32]));
    let text = POLICY.replace("dictionary = \"customers.txt\"", "literals = [\"Falcon\"]");
    let other = Policy::parse(&text, Date::constant(2026, 1, 1)).expect("it holds");
    pipeline.replace_policy(Arc::new(other));
    let (findings, _) = pipeline.sample(&head(), b"Jane Roe leads Falcon \n");
    let names: Vec<&str> = findings.iter().map(|finding| finding.entity.name()).collect();
    assert_eq!(names, ["CUSTOMER"]);
}
