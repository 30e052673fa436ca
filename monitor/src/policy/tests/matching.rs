//! What a rule, an exception and the protected processes match, each dimension both ways.

use std::net::IpAddr;

use super::{Date, TODAY, parsed, with_rule};
use crate::model::{Confidence, Endpoint, Entity, Finding, Process, ProcessKey, Tags, Transport};
use crate::policy::{Policy, Protection, Settings};

fn process() -> Process {
    Process {
        key: ProcessKey { pid: 4_711, start_ns: 1 },
        parent_pid: 1,
        exe: "/usr/bin/python3.12".to_owned(),
        cmdline: String::new(),
        comm: "python3".to_owned(),
        uid: 33,
        cgroup: "/system.slice/shop-1.service".to_owned(),
        unit: Some("shop-1.service".to_owned()),
    }
}

fn endpoint(address: &str, port: u16) -> Endpoint {
    Endpoint { address: address.parse::<IpAddr>().unwrap(), port }
}

fn finding(entity: Entity, confidence: Confidence) -> Finding {
    Finding {
        entity,
        confidence,
        tags: Tags::default(),
        count: 1,
        masked: "***".to_owned(),
        fingerprint: "00000000000000ff".to_owned(),
        place: "text".to_owned(),
        test_data: false,
        partial: false,
        reasons: Vec::new(),
    }
}

/// Whether the rule `text` is about a send to each of the addresses, `-` being an unknown one.
#[track_caller]
fn check_destination(text: &str, within: &[&str], beyond: &[&str]) {
    let policy = parsed(&with_rule(text));
    for (places, expected) in [(within, true), (beyond, false)] {
        for place in places {
            let destination = match *place {
                "-" => None,
                place => {
                    let (address, port) = place.split_once(' ').unwrap_or((place, "443"));
                    Some(endpoint(address, port.parse().unwrap()))
                }
            };
            let applies = policy.rules[0].applies(&process(), destination, Transport::Tcp);
            assert_eq!(applies, expected, "{place} of {text}");
        }
    }
}

#[test]
fn destinations_hold_by_network_and_port() {
    let cases: [(&str, &[&str], &[&str]); 10] = [
        ("", &["8.8.8.8", "127.0.0.1", "::1", "-"], &[]),
        (
            r#"destination = { cidr = ["loopback"] }"#,
            &["127.0.0.1", "127.255.0.9", "::1"],
            &["128.0.0.1", "10.0.0.1", "::2", "-"],
        ),
        (
            r#"destination = { cidr = ["private"] }"#,
            &[
                "10.255.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "100.127.255.255",
                "169.254.169.254",
                "fc00::1",
                "fdff::1",
                "fe80::1",
                "febf::1",
            ],
            &[
                "9.255.255.255",
                "11.0.0.1",
                "172.15.255.255",
                "172.32.0.1",
                "192.169.0.1",
                "100.63.255.255",
                "100.128.0.1",
                "169.253.0.1",
                "127.0.0.1",
                "::1",
                "fec0::1",
                "2001:db8::1",
                "-",
            ],
        ),
        (
            r#"destination = { cidr = ["public"] }"#,
            &["8.8.8.8", "2001:db8::1", "172.32.0.1", "224.0.0.1", "0.0.0.0", "fec0::1"],
            &["127.0.0.1", "::1", "10.0.0.1", "fe80::1", "fd00::1", "-"],
        ),
        (r#"destination = { cidr = ["unknown"] }"#, &["-"], &["8.8.8.8", "127.0.0.1", "::1"]),
        (
            r#"destination = { cidr = ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"] }"#,
            &["203.0.113.255", "2001:db8:ffff::1", "198.51.100.7"],
            &["203.0.114.0", "2001:db9::1", "198.51.100.8", "-"],
        ),
        (
            r#"destination = { not_cidr = ["loopback", "private", "203.0.113.0/24"] }"#,
            &["8.8.8.8", "203.0.114.0", "-"],
            &["127.0.0.1", "10.0.0.1", "203.0.113.1"],
        ),
        (
            r#"destination = { cidr = ["public"], not_cidr = ["8.8.8.0/24", "unknown"] }"#,
            &["8.8.9.8"],
            &["8.8.8.8", "10.0.0.1", "-"],
        ),
        (
            r#"destination = { port = [443, "8000-8999"] }"#,
            &["8.8.8.8 443", "::1 8000", "::1 8999"],
            &["8.8.8.8 444", "::1 7999", "::1 9000", "::1 0", "-"],
        ),
        (
            r#"destination = { cidr = ["private"], port = [25] }"#,
            &["10.0.0.1 25"],
            &["10.0.0.1 26", "8.8.8.8 25"],
        ),
    ];
    for (text, within, beyond) in cases {
        check_destination(text, within, beyond);
    }
}

/// Whether the rule is about a process that `change` makes out of that of the tests.
#[track_caller]
fn check_process(text: &str, change: impl Fn(&mut Process), expected: bool) {
    let mut process = process();
    change(&mut process);
    let policy = parsed(&with_rule(text));
    assert_eq!(policy.rules[0].applies(&process, None, Transport::Tcp), expected, "{text}");
}

#[test]
fn processes_hold_by_exe() {
    for (glob, expected) in [
        ("/usr/bin/python3.12", true),
        ("/usr/bin/python3*", true),
        ("/usr/bin/python3.1[0-9]", true),
        ("/usr/{bin,sbin}/python*", true),
        ("**/python3.12", true),
        ("/usr/**", true),
        ("/usr/*", false),
        ("/usr/bin/python3", false),
        ("/usr/bin/Python3*", false),
        ("/bin/python3.12", false),
    ] {
        let text = format!("process = {{ exe = [\"/nowhere\", \"{glob}\"] }}");
        check_process(&text, |_| {}, expected);
        check_process(&text, |process| process.exe.push_str(" (deleted)"), expected);
        check_process(&text, |process| process.exe.clear(), false);
    }
    check_process(r#"process = { exe = ["**/leak"] }"#, |p| p.exe = "./leak".to_owned(), true);
}

#[test]
fn processes_hold_by_uid_cgroup_and_unit() {
    for (text, expected) in [
        ("uid = [33]", true),
        ("uid = [0, \"30-40\"]", true),
        ("uid = [0, \"34-40\"]", false),
        (r#"cgroup = ["/system.slice/*"]"#, true),
        (r#"cgroup = ["/**"]"#, true),
        (r#"cgroup = ["/user.slice/**"]"#, false),
        (r#"cgroup = ["/*"]"#, false),
        (r#"unit = ["shop-*.service"]"#, true),
        (r#"unit = ["shop.service"]"#, false),
        (r#"uid = [33], unit = ["shop-1.service"], exe = ["/usr/bin/*"]"#, true),
        (r#"uid = [34], unit = ["shop-1.service"], exe = ["/usr/bin/*"]"#, false),
    ] {
        check_process(&format!("process = {{ {text} }}"), |_| {}, expected);
    }
    check_process(r#"process = { cgroup = ["/**"] }"#, |p| p.cgroup.clear(), false);
    check_process(r#"process = { unit = ["*"] }"#, |p| p.unit = None, false);
}

#[test]
fn transports_hold_by_name() {
    let policy = parsed(&with_rule(r#"transport = ["udp", "tls"]"#));
    for (transport, expected) in [
        (Transport::Tcp, false),
        (Transport::Udp, true),
        (Transport::Tls, true),
        (Transport::Other, false),
    ] {
        assert_eq!(policy.rules[0].applies(&process(), None, transport), expected, "{transport:?}");
    }
}

#[test]
fn entities_count_from_their_confidence() {
    let policy = parsed(
        r#"
        version = 1
        [[rule]]
        id = "a"
        confidence = "high"
        entities = ["CREDIT_CARD", { name = "EMAIL_ADDRESS", confidence = "low" }]
        [[rule]]
        id = "b"
        entities = "*"
        [[rule]]
        id = "c"
        entities = "*"
        confidence = "low"
        "#,
    );
    for (entity, confidence, expected) in [
        (Entity::CREDIT_CARD, Confidence::High, [true, true, true]),
        (Entity::CREDIT_CARD, Confidence::Medium, [false, true, true]),
        (Entity::CREDIT_CARD, Confidence::Low, [false, false, true]),
        (Entity::EMAIL_ADDRESS, Confidence::Low, [true, false, true]),
        (Entity::US_SSN, Confidence::High, [false, true, true]),
    ] {
        let asked: Vec<bool> = policy
            .rules
            .iter()
            .map(|rule| rule.asks_for(&finding(entity.clone(), confidence)))
            .collect();
        assert_eq!(asked, expected, "{entity} {confidence:?}");
    }
}

#[test]
fn test_data_counts_unless_the_rule_ignores_it() {
    let card = Finding { test_data: true, ..finding(Entity::CREDIT_CARD, Confidence::High) };
    for (text, expected) in
        [("", true), (r#"test_data = "count""#, true), (r#"test_data = "ignore""#, false)]
    {
        assert_eq!(parsed(&with_rule(text)).rules[0].asks_for(&card), expected, "{text}");
    }
    let ignoring = parsed(&with_rule(r#"test_data = "ignore""#));
    assert!(ignoring.rules[0].asks_for(&finding(Entity::CREDIT_CARD, Confidence::High)));
}

#[test]
fn exceptions_hold_through_their_last_day() {
    let text = "[[rule.exception]]\nowner = \"o\"\nreason = \"r\"\nexpires = 2026-11-24\nprocess = { uid = [33] }";
    let policy = parsed(&with_rule(text));
    let exception = &policy.rules[0].exceptions[0];
    assert!(exception.in_force(TODAY));
    assert!(!exception.in_force(Date::constant(2026, 11, 25)));
}

#[test]
fn exceptions_need_a_known_destination_or_the_word() {
    for (scope, destination, expected) in [
        ("destination = { not_cidr = [\"public\"] }", None, false),
        ("destination = { not_cidr = [\"public\"] }", Some(endpoint("10.0.0.1", 1)), true),
        ("destination = { cidr = [\"unknown\"] }", None, true),
        ("destination = { cidr = [\"private\"] }", Some(endpoint("10.0.0.1", 1)), true),
        ("destination = { cidr = [\"private\"] }", Some(endpoint("8.8.8.8", 1)), false),
        ("process = { uid = [33] }", None, true),
        ("process = { uid = [34] }", None, false),
        ("entities = [\"US_SSN\"]", None, true),
    ] {
        let text = format!(
            "[[rule.exception]]\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-31\n{scope}"
        );
        let policy = parsed(&with_rule(&text));
        let exception = &policy.rules[0].exceptions[0];
        assert_eq!(exception.applies(&process(), destination), expected, "{scope}");
    }
}

#[test]
fn exceptions_cover_the_entities_they_name_at_any_confidence() {
    let text = "[[rule.exception]]\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-31\nentities = [\"US_SSN\"]";
    let policy = parsed(&with_rule(text));
    let exception = &policy.rules[0].exceptions[0];
    assert!(exception.covers(&finding(Entity::US_SSN, Confidence::Low)));
    assert!(exception.covers(&finding(Entity::US_SSN, Confidence::High)));
    assert!(!exception.covers(&finding(Entity::CREDIT_CARD, Confidence::High)));
}

#[test]
fn what_a_host_needs_is_protected() {
    let text = "[protect]\nexe = [\"/opt/*/postgres\"]\nunit = [\"backup-*.service\"]";
    let policy = parsed(&with_rule(text));
    let cases: [(&str, Option<Protection>); 17] = [
        ("/usr/sbin/sshd", Some(Protection::BuiltIn("sshd"))),
        ("/usr/sbin/sshd (deleted)", Some(Protection::BuiltIn("sshd"))),
        ("/usr/lib/openssh/sshd-session", Some(Protection::BuiltIn("sshd-*"))),
        ("/usr/lib/systemd/systemd-journald", Some(Protection::BuiltIn("systemd*"))),
        ("/usr/bin/containerd-shim-runc-v2", Some(Protection::BuiltIn("containerd*"))),
        ("/usr/bin/dockerd", Some(Protection::BuiltIn("dockerd"))),
        ("/usr/bin/kubelet", Some(Protection::BuiltIn("kubelet"))),
        ("runc", Some(Protection::BuiltIn("runc"))),
        ("", Some(Protection::NoExecutable)),
        ("/opt/16/postgres", Some(Protection::Exe)),
        ("/opt/16/bin/postgres", None),
        ("/usr/bin/ssh", None),
        ("/usr/bin/sshdump", None),
        ("/usr/bin/docker", None),
        ("/usr/bin/kubelet2", None),
        ("/sshd/leak", None),
        ("/usr/bin/runcible", None),
    ];
    for (exe, expected) in cases {
        let process = Process { exe: exe.to_owned(), ..process() };
        assert_eq!(policy.protection(&process, 99), expected, "{exe}");
    }
    let pid = |pid| Process { key: ProcessKey { pid, start_ns: 1 }, ..process() };
    assert_eq!(policy.protection(&pid(1), 99), Some(Protection::Init));
    assert_eq!(policy.protection(&pid(99), 99), Some(Protection::Monitor));
    let backup = Process { unit: Some("backup-1.service".to_owned()), ..process() };
    assert_eq!(policy.protection(&backup, 99), Some(Protection::Unit));
    assert_eq!(Protection::BuiltIn("sshd").to_string(), "built in: sshd");
}

#[test]
fn settings_have_defaults_and_take_what_is_given() {
    assert_eq!(Policy::default_policy(TODAY).settings, Settings::default());
    let text = "[settings]\nsample_bytes_max = 256\nring_bytes = 0x10_0000\nkills_per_minute_max = 0\nblocks_per_minute_max = 5\nblocks_per_executable_max = 4\nalerts_queue_max = 16\nopaque_flow_bytes_per_s = 0\nopaque_host_bytes_per_s = 4096\nunix_sockets = true";
    let expected = Settings {
        sample_bytes_max: 256,
        ring_bytes: 1 << 20,
        kills_per_minute_max: 0,
        blocks_per_minute_max: 5,
        blocks_per_executable_max: 4,
        alerts_queue_max: 16,
        opaque_flow_bytes_per_s: 0,
        opaque_host_bytes_per_s: 4_096,
        unix_sockets: true,
    };
    assert_eq!(parsed(&with_rule(text)).settings, expected);
}

#[test]
fn tls_is_read_unless_it_is_turned_off_or_excluded() {
    let tls = Policy::default_policy(TODAY).tls;
    assert!(tls.enabled && tls.exclude.is_empty());
    let text = "[tls]\nenabled = false\nexclude = [\"/opt/vendor/**\"]";
    let tls = parsed(&with_rule(text)).tls;
    assert!(!tls.enabled);
    assert!(tls.exclude.is_match("/opt/vendor/lib/libssl.so.3"));
    assert!(!tls.exclude.is_match("/usr/lib/libssl.so.3"));
}
