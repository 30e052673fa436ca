//! What events come to, as tables; thresholds against a plain model of them.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::limits::{THRESHOLD_VALUES_MAX, THRESHOLD_WINDOWS_MAX, THRESHOLDS_VALUES_MAX};
use crate::model::{Confidence, Entity, ProcessKey, Tags};
use crate::policy::Threshold;

const TODAY: Date = Date::constant(2026, 11, 24);
const SECOND_NS: u64 = 1_000_000_000;

fn policy(text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(&format!("version = 1\n{text}"), TODAY).expect("policy of a test"))
}

/// A rule about everything, with `text` in it.
fn rule(id: &str, text: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\nentities = \"*\"\n{text}\n")
}

fn process(pid: u32) -> Process {
    Process {
        key: ProcessKey { pid, start_ns: 7 },
        parent_pid: 1,
        exe: "/usr/bin/curl".to_owned(),
        cmdline: String::new(),
        comm: "curl".to_owned(),
        uid: 33,
        cgroup: String::new(),
        unit: None,
    }
}

/// `count` hits of the value numbered `value`.
fn finding(entity: Entity, value: u64, count: u32) -> Finding {
    Finding {
        entity,
        confidence: Confidence::High,
        tags: Tags::default(),
        count,
        masked: "***".to_owned(),
        fingerprint: format!("{value:016x}"),
        place: "text".to_owned(),
        test_data: false,
        partial: false,
        reasons: Vec::new(),
    }
}

fn card(value: u64) -> Finding {
    finding(Entity::CREDIT_CARD, value, 1)
}

fn send(decider: &mut Decider, at_ns: u64, pid: u32, findings: &[Finding]) -> Vec<Decision> {
    let destination = Some(Endpoint { address: IpAddr::from([203, 0, 113, 9]), port: 443 });
    let process = process(pid);
    let transport = Transport::Tcp;
    let mut out = Vec::new();
    decider.decide(&Event { at_ns, process: &process, destination, transport, findings }, &mut out);
    out
}

#[test]
fn each_rule_that_matches_decides_about_its_own_findings() {
    let mut decider = Decider::new(policy(
        r#"
        [[rule]]
        id = "cards"
        action = "kill"
        entities = ["CREDIT_CARD"]
        process = { uid = [33] }
        [[rule]]
        id = "elsewhere"
        entities = "*"
        destination = { cidr = ["private"] }
        [[rule]]
        id = "all"
        entities = "*"
        "#,
    ));
    let findings = [finding(Entity::US_SSN, 1, 1), card(2), card(3)];
    let decisions = send(&mut decider, 0, 1, &findings);
    let expected = [
        Decision { rule: 0, action: Action::Kill, findings: vec![1, 2], window: None },
        Decision { rule: 2, action: Action::Alert, findings: vec![0, 1, 2], window: None },
    ];
    assert_eq!(decisions, expected);
    assert!(send(&mut decider, 0, 1, &[]).is_empty());
}

#[test]
fn what_out_held_before_is_gone() {
    let mut decider = Decider::new(policy(&rule("a", "")));
    let findings = [card(1)];
    let process = process(1);
    let event = Event {
        at_ns: 0,
        process: &process,
        destination: None,
        transport: Transport::Udp,
        findings: &findings,
    };
    let mut out = Vec::new();
    decider.decide(&event, &mut out);
    decider.decide(&event, &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn exceptions_let_findings_through_and_count_them() {
    let exception = r#"
        [[rule.exception]]
        owner = "o"
        reason = "r"
        expires = 2026-11-24
        entities = ["CREDIT_CARD"]
        process = { exe = ["/usr/bin/curl"] }
    "#;
    let mut decider = Decider::new(policy(&rule("a", exception)));
    let findings = [card(1), finding(Entity::US_SSN, 2, 1)];
    assert_eq!(send(&mut decider, 0, 1, &findings)[0].findings, [1]);
    assert!(send(&mut decider, 0, 1, &findings[..1]).is_empty());
    assert_eq!(decider.counters().findings_excepted, 2);

    decider.set_today(Date::constant(2026, 11, 25));
    assert_eq!(send(&mut decider, 0, 1, &findings)[0].findings, [0, 1]);
    assert_eq!(decider.counters().findings_excepted, 2);
}

/// Sends of one process, each a second and the values in it, and whether the rule acts.
#[track_caller]
fn check_threshold(threshold: &str, sends: &[(u64, &[u64], bool)]) {
    let mut decider = Decider::new(policy(&rule("a", &format!("threshold = {{ {threshold} }}"))));
    for (index, &(second, values, expected)) in sends.iter().enumerate() {
        let findings: Vec<Finding> = values.iter().map(|&value| card(value)).collect();
        let acts = !send(&mut decider, second * SECOND_NS, 1, &findings).is_empty();
        assert_eq!(acts, expected, "send {index} of {threshold}");
    }
}

#[test]
fn thresholds_act_when_reached_and_begin_anew() {
    let count = r#"count = 3, within = "10s""#;
    check_threshold(
        count,
        &[
            (0, &[1], false),
            (1, &[1], false),
            (2, &[1], true),
            (3, &[1], false),
            (4, &[1], false),
            (5, &[1], true),
        ],
    );
    // The first has left the window when the third comes.
    check_threshold(
        count,
        &[(0, &[1], false), (5, &[1], false), (10, &[1], false), (11, &[1], true)],
    );
    check_threshold(count, &[(0, &[1, 2, 3, 4, 5], true), (1, &[1, 2], false), (1, &[3], true)]);
    let distinct = r#"distinct = 3, within = "10s""#;
    check_threshold(
        distinct,
        &[
            (0, &[1], false),
            (1, &[1, 1], false),
            (2, &[2], false),
            (3, &[3], true),
            (4, &[3], false),
        ],
    );
    // Seen again, a value stays.
    check_threshold(distinct, &[(0, &[1], false), (9, &[1, 2], false), (12, &[3], true)]);
    check_threshold(distinct, &[(0, &[1], false), (9, &[2], false), (12, &[3], false)]);
    check_threshold(
        r#"count = 4, distinct = 2, within = "10s""#,
        &[(0, &[1, 1, 1, 1, 1], false), (1, &[2], true)],
    );
    check_threshold(
        r#"count = 4, distinct = 2, within = "10s""#,
        &[(0, &[1], false), (1, &[2], false), (2, &[2], false), (3, &[1], true)],
    );
    // Late samples do not turn the clock back.
    check_threshold(count, &[(5, &[1], false), (4, &[1], false), (5, &[1], true)]);
}

#[test]
fn a_decision_says_what_was_gathered() {
    let text = r#"threshold = { count = 5, distinct = 2, within = "10s" }"#;
    let mut decider = Decider::new(policy(&rule("a", text)));
    assert!(send(&mut decider, 0, 1, &[finding(Entity::CREDIT_CARD, 1, 4)]).is_empty());
    let decisions = send(&mut decider, 1, 1, &[finding(Entity::CREDIT_CARD, 2, 3)]);
    assert_eq!(decisions[0].window, Some(Reached { count: Some(7), distinct: Some(2) }));
    assert_eq!(decisions[0].findings, [0]);

    let text = r#"threshold = { distinct = 2, within = "10s" }"#;
    let mut decider = Decider::new(policy(&rule("a", text)));
    let decisions = send(&mut decider, 1, 1, &[card(1), card(1), card(2)]);
    assert_eq!(decisions[0].window, Some(Reached { count: None, distinct: Some(2) }));
}

#[test]
fn thresholds_are_kept_apart_by_process_and_rule() {
    let threshold = r#"threshold = { count = 2, within = "10s" }"#;
    let only_cards = "[[rule]]\nid = \"b\"\nentities = [\"CREDIT_CARD\"]\n";
    let text = format!("{}{only_cards}{threshold}\n", rule("a", threshold));
    let mut decider = Decider::new(policy(&text));
    let ssn = [finding(Entity::US_SSN, 1, 1)];
    assert!(send(&mut decider, 0, 1, &ssn).is_empty());
    assert!(send(&mut decider, 0, 2, &ssn).is_empty());
    let rules = |decisions: Vec<Decision>| -> Vec<usize> {
        decisions.iter().map(|decision| decision.rule).collect()
    };
    assert_eq!(rules(send(&mut decider, 0, 1, &[card(2)])), [0]);
    assert_eq!(rules(send(&mut decider, 0, 1, &[card(2)])), [1]);
}

#[test]
fn excepted_findings_reach_no_threshold() {
    let text = r#"
        threshold = { count = 2, within = "10s" }
        [[rule.exception]]
        owner = "o"
        reason = "r"
        expires = 2027-01-31
        entities = ["CREDIT_CARD"]
    "#;
    let mut decider = Decider::new(policy(&rule("a", text)));
    for _ in 0..5 {
        assert!(send(&mut decider, 0, 1, &[card(1)]).is_empty());
    }
    assert!(send(&mut decider, 0, 1, &[finding(Entity::US_SSN, 1, 1)]).is_empty());
}

#[test]
fn thresholds_survive_another_policy_by_id() {
    let two = r#"threshold = { count = 2, within = "10s" }"#;
    let three = r#"threshold = { count = 3, within = "10s" }"#;
    for (text, expected) in [
        (rule("a", two), vec![0]),
        (format!("{}{}", rule("new", three), rule("a", two)), vec![1]),
        (rule("a", three), vec![]),
        (rule("b", two), vec![]),
        (rule("a", ""), vec![0]),
    ] {
        let mut decider = Decider::new(policy(&rule("a", two)));
        assert!(send(&mut decider, 0, 1, &[card(1)]).is_empty());
        decider.replace(policy(&text));
        let decisions = send(&mut decider, 1, 1, &[card(1)]);
        let rules: Vec<usize> = decisions.iter().map(|decision| decision.rule).collect();
        assert_eq!(rules, expected, "{text}");
    }
}

#[test]
fn windows_beyond_the_limit_make_room_and_are_counted() {
    let text = r#"threshold = { count = 2, within = "10s" }"#;
    let mut decider = Decider::new(policy(&rule("a", text)));
    let windows_max = u64::try_from(THRESHOLD_WINDOWS_MAX).unwrap();
    for at in 0..=windows_max {
        send(&mut decider, at, u32::try_from(at).unwrap(), &[card(1)]);
    }
    assert_eq!(decider.windows.len(), THRESHOLD_WINDOWS_MAX);
    assert_eq!(decider.counters().windows_evicted, 1);
    // The one idle for longest began anew, the one after it did not.
    assert_eq!(send(&mut decider, windows_max, 1, &[card(1)]).len(), 1);
    assert!(send(&mut decider, windows_max, 0, &[card(1)]).is_empty());

    // Windows that have ended make room without a loss.
    for pid in 0..10 {
        send(&mut decider, 60 * SECOND_NS, 1_000_000 + pid, &[card(1)]);
    }
    assert_eq!(decider.counters().windows_evicted, 1);
    assert_eq!(decider.windows.len(), 10);
}

#[test]
fn values_beyond_the_limit_make_room() {
    let text = format!("threshold = {{ distinct = {THRESHOLD_VALUES_MAX}, within = \"1h\" }}");
    let mut decider = Decider::new(policy(&rule("a", &text)));
    let values = u64::try_from(THRESHOLD_VALUES_MAX).unwrap() - 1;
    let findings: Vec<Finding> = (0..values).map(card).collect();
    let fit = THRESHOLDS_VALUES_MAX / findings.len();
    for pid in 0..fit + 3 {
        send(&mut decider, 0, u32::try_from(pid).unwrap(), &findings);
    }
    assert_eq!(decider.windows.len(), fit);
    assert_eq!(decider.counters().windows_evicted, 3);
}

proptest! {
    /// A window that forgets what is superfluous comes to what one comes to that forgets nothing.
    #[test]
    fn thresholds_agree_with_their_definition(
        count in prop::option::of(1_u64..8),
        distinct in prop::option::of(1_u64..5),
        sends in prop::collection::vec((0_u64..6, prop::collection::vec((0_u64..6, 1_u32..3), 1..4)), 1..60),
    ) {
        prop_assume!(count.is_some() || distinct.is_some());
        let threshold =
            Threshold { count, distinct, within: std::time::Duration::from_secs(10) };
        let mut windows = Windows::default();
        let mut log: Vec<(u64, u64, u32)> = Vec::new();
        let mut now = 0;
        for (pause, values) in sends {
            now += pause * SECOND_NS;
            let findings: Vec<Finding> = values
                .iter()
                .map(|&(value, count)| finding(Entity::CREDIT_CARD, value, count))
                .collect();
            log.extend(values.iter().map(|&(value, count)| (now, value, count)));
            let within: Vec<_> =
                log.iter().filter(|&&(at, ..)| now - at < 10 * SECOND_NS).collect();
            let hits: u64 = within.iter().map(|&&(_, _, count)| u64::from(count)).sum();
            let mut seen: Vec<u64> = within.iter().map(|&&(_, value, _)| value).collect();
            seen.sort_unstable();
            seen.dedup();
            let seen = u64::try_from(seen.len()).unwrap();
            let expected = count.is_none_or(|count| hits >= count)
                && distinct.is_none_or(|distinct| seen >= distinct);
            let key = (0, ProcessKey { pid: 1, start_ns: 1 });
            let reached = windows.add(key, &threshold, now, findings.iter());
            prop_assert_eq!(reached.is_some(), expected);
            if expected {
                log.clear();
            }
            let values_max = count.unwrap_or(0) + count.unwrap_or(0).max(distinct.unwrap_or(0));
            prop_assert!(u64::try_from(windows.values()).unwrap() <= values_max);
        }
    }
}
