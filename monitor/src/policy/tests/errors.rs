//! The exact text of every error and warning.

use super::{check, check_rule};

#[track_caller]
fn check_entities(text: &str, expected: &[&str]) {
    check(&format!("version = 1\n[[rule]]\nid = \"a\"\nentities = {text}"), expected);
}

#[test]
fn unknown_keys_are_errors_everywhere() {
    check(
        r#"version = 1
[setings]
[[rule]]
id = "a"
entities = "*"
"#,
        &[
            r#"2:2: unknown key "setings" in the policy; did you mean "settings"? keys: version, settings, protect, tls, coverage, kill_switch, access, detector, rule"#,
        ],
    );
    check_rule(
        r#"severty = "high"
the key = 1"#,
        &[
            r#"5:1: unknown key "severty" in [[rule]]; did you mean "severity"? keys: id, clause, description, severity, action, prevent, for, entities, tags, confidence, destination, process, transport, test_data, threshold, exception"#,
            "6:5: TOML syntax: key with no value, expected `=`",
        ],
    );
    check_rule(
        r#"severty = "high""#,
        &[
            r#"5:1: unknown key "severty" in [[rule]]; did you mean "severity"? keys: id, clause, description, severity, action, prevent, for, entities, tags, confidence, destination, process, transport, test_data, threshold, exception"#,
        ],
    );
    check_rule(
        r#"[settings]
sample_bytes = 1"#,
        &[
            r#"6:1: unknown key "sample_bytes" in [settings]; did you mean "sample_bytes_max"? keys: sample_bytes_max, ring_bytes, kills_per_minute_max, blocks_per_minute_max, blocks_per_executable_max, alerts_queue_max, opaque_flow_bytes_per_s, opaque_host_bytes_per_s, unix_sockets"#,
        ],
    );
    check_rule(
        r#"[protect]
uid = [1]"#,
        &[r#"6:1: unknown key "uid" in [protect]; keys: exe, unit"#],
    );
    check_rule(
        r#"destination = { cidr = ["public"], ports = [1] }"#,
        &[
            r#"5:36: unknown key "ports" in destination; did you mean "port"? keys: cidr, not_cidr, port"#,
        ],
    );
    check_rule(
        r#"process = { uid = [1], user = ["x"] }"#,
        &[r#"5:24: unknown key "user" in process; keys: exe, uid, cgroup, unit"#],
    );
    check_rule(
        r#"threshold = { count = 1, within = "1s", 
 unique = 1 }"#,
        &[r#"6:2: unknown key "unique" in threshold; keys: count, distinct, within"#],
    );
    check_rule(
        r#"[[rule.exception]]
owner = "x"
reason = "y"
expires = 2027-01-31
entities = "*"
expired = 1"#,
        &[
            r#"10:1: unknown key "expired" in [[rule.exception]]; did you mean "expires"? keys: owner, reason, expires, entities, destination, process"#,
        ],
    );
    check_entities(
        r#"[{ name = "US_SSN", confidnce = "low" }]"#,
        &[
            r#"4:32: unknown key "confidnce" in entity; did you mean "confidence"? keys: name, confidence"#,
        ],
    );
}

#[test]
fn what_must_be_there_is_asked_for() {
    check(
        "",
        &[
            "1:1: the policy has no version; add version = 1",
            "1:1: the policy has no rule; add a [[rule]]: without one nothing is found",
        ],
    );
    check(
        r#"version = 1
rule = []"#,
        &["2:8: rule is empty; write [[rule]]"],
    );
    check(
        r#"version = 1
[[rule]]"#,
        &[
            r#"2:1: [[rule]] has no id; add id = "cards-out", or another that no rule has"#,
            r#"2:1: [[rule]] has no entities; add entities = ["CREDIT_CARD"], entities = "*" or tags = ["PCI-DSS"]"#,
        ],
    );
    check_rule(
        "threshold = { }",
        &[
            "5:13: threshold has no count and no distinct; add count = 5 (hits), distinct = 3 (different values) or both",
            r#"5:13: threshold has no within; add within = "60s""#,
        ],
    );
    check_rule(
        "[[rule.exception]]",
        &[
            r#"5:1: [[rule.exception]] has no owner; add owner = "…": who answers for it"#,
            r#"5:1: [[rule.exception]] has no reason; add reason = "…""#,
            "5:1: [[rule.exception]] has no expires; add expires = 2027-01-31",
            "5:1: [[rule.exception]] lets everything through; name process, destination or entities",
        ],
    );
    check_entities(
        r#"[{ confidence = "low" }]"#,
        &[r#"4:13: entity has no name; add name = "CREDIT_CARD""#],
    );
    check_rule(
        r#"destination = {}
process = {}"#,
        &[
            "5:15: destination names nothing; name cidr, not_cidr or port, or leave destination out",
            "6:11: process names nothing; name exe, uid, cgroup or unit, or leave process out",
        ],
    );
}

#[test]
fn tables_are_told_from_values() {
    check(
        r#"version = "1"
rule = 3"#,
        &[
            "1:11: version is a string, not a whole number; write 1",
            "2:8: rule is a whole number, not a list of tables; write [[rule]] above each",
        ],
    );
    check(
        r#"version = 2
rule = [1]
settings = 3"#,
        &[
            "1:11: version is 2; write 1",
            "2:9: [[rule]] is a whole number, not a table; keys: id, clause, description, severity, action, prevent, for, entities, tags, confidence, destination, process, transport, test_data, threshold, exception",
            "3:12: [settings] is a whole number, not a table; keys: sample_bytes_max, ring_bytes, kills_per_minute_max, blocks_per_minute_max, blocks_per_executable_max, alerts_queue_max, opaque_flow_bytes_per_s, opaque_host_bytes_per_s, unix_sockets",
        ],
    );
    check(
        r#"version = 1
[rule]
id = "a""#,
        &["2:1: rule is a table, not a list of tables; write [[rule]] above each"],
    );
    check_rule(
        r#"threshold = 5
destination = "public"
process = ["a"]"#,
        &[
            "5:13: threshold is a whole number, not a table; keys: count, distinct, within",
            "6:15: destination is a string, not a table; keys: cidr, not_cidr, port",
            "7:11: process is a list, not a table; keys: exe, uid, cgroup, unit",
        ],
    );
    check_rule(
        r#"[rule.exception]
owner = "x""#,
        &[
            "5:1: rule.exception is a table, not a list of tables; write [[rule.exception]] above each",
        ],
    );
}

#[test]
fn tls_says_whether_and_what_not() {
    check_rule(
        r#"[tls]
enabled = "no"
exclude = ["libssl.so"]
include = []"#,
        &[
            "6:11: enabled is a string, not a boolean; write true or false, without quotes",
            r#"7:12: exclude "libssl.so" never matches; it begins with no /; write "**/libssl.so""#,
            r#"8:1: unknown key "include" in [tls]; did you mean "exclude"? keys: enabled, exclude"#,
        ],
    );
}

#[test]
fn settings_are_bounded() {
    check_rule(
        r#"[settings]
sample_bytes_max = 255
ring_bytes = 3000000
kills_per_minute_max = -1
alerts_queue_max = 1.5
unix_sockets = 1"#,
        &[
            "6:20: sample_bytes_max is 255; write 256 to 262144",
            "7:14: ring_bytes is 3000000, which is no power of two; write 2097152 or 4194304",
            "8:24: kills_per_minute_max is -1; write 0 to 1000",
            "9:20: alerts_queue_max is a fraction, not a whole number; write 16 to 65536",
            "10:16: unix_sockets is a whole number, not a boolean; write true or false, without quotes",
        ],
    );
    check_rule(
        r#"[settings]
sample_bytes_max = 262145
ring_bytes = 0x800_0000
kills_per_minute_max = 99999999999999999999"#,
        &[
            "6:20: sample_bytes_max is 262145; write 256 to 262144",
            "7:14: ring_bytes is 0x8000000; write 1048576 to 67108864",
            "8:24: kills_per_minute_max is 99999999999999999999; write 0 to 1000",
        ],
    );
}

#[test]
fn ids_are_plain_and_unique() {
    check(
        r#"version = 1
[[rule]]
id = "Cards out"
entities = "*"
[[rule]]
id = ""
entities = "*"
[[rule]]
id = 3
entities = "*"
[[rule]]
id = "a"
entities = "*"
[[rule]]
id = "a"
entities = "*""#,
        &[
            r#"3:6: id "Cards out" is not 1 to 64 of a-z, 0-9, -; write "cards-out""#,
            r#"6:6: id "" is not 1 to 64 of a-z, 0-9, -; write "cards-out""#,
            r#"9:6: id is a whole number, not a string; write id = "cards-out""#,
            r#"15:6: id "a" stands on two rules; give each rule an id of its own"#,
        ],
    );
}

#[test]
fn words_are_suggested() {
    check_rule(
        r#"severity = "hi"
action = "shoot"
confidence = "highest"
test_data = false
transport = ["TCP", "tls", "http"]"#,
        &[
            r#"5:12: unknown severity "hi"; severities: info, low, medium, high, critical"#,
            r#"6:10: unknown action "shoot"; actions: alert, block, kill, quarantine"#,
            r#"7:14: unknown confidence "highest"; did you mean "high"? confidences: low, medium, high"#,
            "8:13: test_data is a boolean, not a string; words: count, ignore",
            r#"9:14: unknown transport "TCP"; did you mean "tcp"? transports: tcp, udp, tls, unix, packet, other"#,
            r#"9:28: unknown transport "http"; transports: tcp, udp, tls, unix, packet, other"#,
        ],
    );
    check_entities(
        r#"["CREDITCARD", "EMAIL", "US_SSM", "TELEGRAM", "Iban-Code"]"#,
        &[
            r#"4:13: unknown entity "CREDITCARD"; did you mean "CREDIT_CARD"? `egress-monitor entities` lists them"#,
            r#"4:27: unknown entity "EMAIL"; did you mean "EMAIL_ADDRESS"? `egress-monitor entities` lists them"#,
            r#"4:36: unknown entity "US_SSM"; did you mean "US_SSN"? `egress-monitor entities` lists them"#,
            r#"4:46: unknown entity "TELEGRAM"; `egress-monitor entities` lists them"#,
            r#"4:58: unknown entity "Iban-Code"; did you mean "IBAN_CODE"? `egress-monitor entities` lists them"#,
        ],
    );
}

#[test]
fn what_the_kernel_cannot_do_alone_is_told() {
    check_rule(
        "prevent = true",
        &[
            "5:11: the kernel cannot alert by itself; prevent with action = \"block\" or \"kill\"",
            "5:11: the kernel cannot prove EMAIL_ADDRESS and 125 more before it is sent; prevent with CREDIT_CARD, IBAN_CODE, US_SSN; give the rest a rule of its own",
        ],
    );
}

#[test]
fn entities_are_a_list_or_a_star() {
    check_entities(
        "3",
        &[
            r#"4:12: entities is a whole number, not a list; write entities = ["CREDIT_CARD"], or "*" for all"#,
        ],
    );
    check_entities(
        "[]",
        &[r#"4:12: entities is empty; write entities = ["CREDIT_CARD"], or "*" for all"#],
    );
    check_entities(
        r#"{ name = "CREDIT_CARD" }"#,
        &[
            r#"4:12: entities is a table, not a list; write entities = ["CREDIT_CARD"], or "*" for all"#,
        ],
    );
    check_entities(
        r#""CREDIT_CARD""#,
        &[
            r#"4:12: entities is a string, not a list; write entities = ["CREDIT_CARD"], or "*" for all"#,
        ],
    );
    check_entities(
        r#"["*"]"#,
        &[r#"4:13: "*" stands in a list; write entities = "*", and confidence = "…" beside it"#],
    );
    check_entities(
        r#"["CREDIT_CARD", { name = "CREDIT_CARD" }, 3, { name = 4, confidence = "hgh" }]"#,
        &[
            r#"4:28: entity "CREDIT_CARD" stands twice in the list; leave one of them out"#,
            "4:54: entity is a whole number, not a string; `egress-monitor entities` lists them",
            "4:66: entity is a whole number, not a string; `egress-monitor entities` lists them",
            r#"4:82: unknown confidence "hgh"; did you mean "high"? confidences: low, medium, high"#,
        ],
    );
}

#[test]
fn free_text_is_short_and_printable() {
    check_rule(
        r#"clause = ""
description = "a\tb""#,
        &[
            r#"5:10: clause is empty; write clause = "…""#,
            "6:15: description holds a control character; write it on one line, without tabs",
        ],
    );
    check_rule(
        r#"clause = 4.2
description = " ""#,
        &[
            r#"5:10: clause is a fraction, not a string; write clause = "…""#,
            r#"6:15: description is empty; write description = "…""#,
        ],
    );
}

#[test]
fn networks_are_cidrs_or_words() {
    check_rule(
        r#"[rule.destination]
cidr = [
 "10.0.0.0/33",
 "10.1.2.3/8",
 "::ffff:10.0.0.0/104",
 "Loopback",
 "internal",
 "",
 7,
]
not_cidr = "public""#,
        &[
            r#"7:2: cidr "10.0.0.0/33" is neither CIDR nor word; write address/prefix length, such as 10.0.0.0/8 or 2001:db8::/32"#,
            r#"8:2: cidr "10.1.2.3/8" has bits beyond its prefix; write "10.0.0.0/8", or "10.1.2.3/32" for the one address"#,
            r#"9:2: cidr "::ffff:10.0.0.0/104" is IPv4 in IPv6 and never matches; write "10.0.0.0/8""#,
            r#"10:2: cidr "Loopback" is neither CIDR nor word; did you mean "loopback"? words: loopback, private, public, unknown; or a CIDR such as 10.0.0.0/8"#,
            r#"11:2: cidr "internal" is neither CIDR nor word; words: loopback, private, public, unknown; or a CIDR such as 10.0.0.0/8"#,
            r#"12:2: cidr "" is neither CIDR nor word; write address/prefix length, such as 10.0.0.0/8 or 2001:db8::/32"#,
            r#"13:2: cidr is a whole number, not a string; write "10.0.0.0/8""#,
            r#"15:12: not_cidr is a string, not a list; write not_cidr = ["10.0.0.0/8"]"#,
        ],
    );
}

#[test]
fn ports_and_uids_are_numbers_and_spans() {
    check_rule(
        r#"[rule.destination]
port = [
 0,
 65536,
 "443",
 "9-8",
 "8000 - 8999",
 "1-70000",
 "https",
]
[rule.process]
uid = ["www-data", -1]"#,
        &[
            "7:2: port is 0; write 1 to 65535",
            "8:2: port is 65536; write 1 to 65535",
            r#"9:2: port "443" is no span of 1 to 65535; write a number without quotes or a span, as in [443, "8000-8999"]"#,
            r#"10:2: port "9-8" runs backwards; write "8-9""#,
            r#"12:2: port "1-70000" is no span of 1 to 65535; write a number without quotes or a span, as in [443, "8000-8999"]"#,
            r#"13:2: port "https" is no span of 1 to 65535; write a number without quotes or a span, as in [443, "8000-8999"]"#,
            r#"16:8: uid "www-data" is no span of 0 to 4294967295; write a number without quotes or a span, as in [33, "1000-1999"]"#,
            "16:20: uid is -1; write 0 to 4294967295",
        ],
    );
}

#[test]
fn globs_that_never_match_are_errors() {
    check_rule(
        r#"[rule.process]
exe = ["nginx", "*/nginx", "/a[", "", 3]
cgroup = ["system.slice"]
unit = ["/lib/a.service", "{a"]
[protect]
exe = ["postgres"]
unit = []"#,
        &[
            r#"6:8: exe "nginx" never matches; it begins with no /; write "**/nginx""#,
            r#"6:17: exe "*/nginx" never matches; it begins with no /; write "**/nginx""#,
            "6:28: exe \"/a[\" is no glob: unclosed character class; missing ']'; globs know *, **, ?, [abc], {a,b}; put \\ before one to mean it",
            r#"6:35: exe "" never matches; write what it is to match, or leave it out"#,
            r#"6:39: exe is a whole number, not a string; write strings, as in ["/usr/bin/python3*"]"#,
            r#"7:11: cgroup "system.slice" never matches; it begins with no /; write "**/system.slice""#,
            r#"8:9: unit "/lib/a.service" never matches; a unit has no /; write "a.service""#,
            "8:27: unit \"{a\" is no glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?); globs know *, **, ?, [abc], {a,b}; put \\ before one to mean it",
            r#"10:8: exe "postgres" never matches; it begins with no /; write "**/postgres""#,
            r#"11:8: unit is empty; write unit = ["nginx.service"]"#,
        ],
    );
}

#[test]
fn thresholds_are_bounded() {
    check_rule(
        r#"threshold = { count = 0, distinct = 5000, within = "60" }"#,
        &[
            "5:23: count is 0; write 1 to 4096",
            "5:37: distinct is 5000; write 1 to 4096",
            r#"5:52: within is "60"; write 1s to 24h, such as "60s", "5m" or "1h""#,
        ],
    );
    check_rule(
        "threshold = { count = 3, within = 60 }",
        &[r#"5:35: within is a whole number, not a string; write "60s""#],
    );
    check_rule(
        r#"threshold = { count = 3, within = "25h" }"#,
        &[r#"5:35: within is "25h"; write 1s to 24h, such as "60s", "5m" or "1h""#],
    );
    check_rule(
        r#"threshold = { count = 3, within = "é" }"#,
        &[r#"5:35: within is "é"; write 1s to 24h, such as "60s", "5m" or "1h""#],
    );
    check_rule(
        r#"threshold = { count = 3, within = "0s" }"#,
        &[r#"5:35: within is "0s"; write 1s to 24h, such as "60s", "5m" or "1h""#],
    );
    check_rule(
        r#"threshold = { count = 3, within = "99999999999999999999h" }"#,
        &[
            r#"5:35: within is "99999999999999999999h"; write 1s to 24h, such as "60s", "5m" or "1h""#,
        ],
    );
}

#[test]
fn exceptions_expire_on_a_day() {
    check_rule(
        r#"[[rule.exception]]
owner = ""
reason = 1
expires = "2027-01-31"
process = { uid = [1] }"#,
        &[
            r#"6:9: owner is empty; write owner = "…""#,
            r#"7:10: reason is a whole number, not a string; write reason = "…""#,
            "8:11: expires is a string, not a date; write expires = 2027-01-31, without quotes",
        ],
    );
    check_rule(
        r#"[[rule.exception]]
owner = "x"
reason = "y"
expires = 2027-01-31T00:00:00Z
entities = "*""#,
        &["8:11: expires is not a day; write expires = 2027-01-31, without quotes"],
    );
    check_rule(
        r#"[[rule.exception]]
owner = "x"
reason = "y"
expires = "soon"
entities = "*""#,
        &["8:11: expires is a string, not a date; write expires = 2027-01-31, without quotes"],
    );
}

#[test]
fn warnings_leave_the_policy_in_force() {
    check_rule(
        r#"action = "kill""#,
        &[
            "5:10: warning: one finding kills any process that sends it anywhere; name a threshold, a destination or a process",
        ],
    );
    check_rule(
        r#"action = "kill"
process = { uid = [33] }"#,
        &[],
    );
    check_rule(
        "action = \"quarantine\"\nfor = \"30m\"",
        &[
            "5:10: warning: one finding shuts any process that sends it anywhere; name a threshold, a destination or a process",
        ],
    );
    check_rule(
        "for = \"30\"",
        &[
            "5:7: for stands beside no action = \"quarantine\"; leave it out, or quarantine",
            "5:7: for is \"30\"; write 1s to 24h, such as \"60s\", \"5m\" or \"1h\"",
        ],
    );
    check_rule(
        r#"action = "kill"
threshold = { count = 3, distinct = 3, within = "60s" }"#,
        &["6:23: warning: count = 3 adds nothing to distinct = 3; leave count out, or raise it"],
    );
    check_rule(
        r#"[[rule.exception]]
owner = "x"
reason = "y"
expires = 2026-11-23
entities = "*""#,
        &[
            "8:11: warning: exception expired on 2026-11-23, it is not in force; leave it out, or have its owner renew it",
        ],
    );
    check_rule(
        r#"[[rule.exception]]
owner = "x"
reason = "y"
expires = 2026-11-24
entities = "*""#,
        &[],
    );
}

#[test]
fn syntax_errors_have_a_place_and_hide_no_others() {
    check_rule(
        r#"id = "b"
severity = high
clause = "é" x
[[rule]]
id = "a
zzz = 1"#,
        &[
            "5:1: TOML syntax: duplicate key",
            "6:12: TOML syntax: string values must be quoted, expected literal string",
            "7:14: TOML syntax: unexpected key or value, expected newline, `#`",
            r#"9:8: TOML syntax: invalid basic string, expected `"`"#,
            r#"10:1: unknown key "zzz" in [[rule]]; keys: id, clause, description, severity, action, prevent, for, entities, tags, confidence, destination, process, transport, test_data, threshold, exception"#,
        ],
    );
    check_rule(
        r#"transport = [
  "tcp"
  "udp"
"#,
        &["7:3: TOML syntax: missing comma between array elements, expected `,`"],
    );
    check_rule(
        r#"severty = 1
destination = { cidr = ["10.0.0.0/8" }
threshold = { count = 1 }"#,
        &[
            r#"5:1: unknown key "severty" in [[rule]]; did you mean "severity"? keys: id, clause, description, severity, action, prevent, for, entities, tags, confidence, destination, process, transport, test_data, threshold, exception"#,
            "6:38: TOML syntax: missing comma between array elements, expected `,`",
            "7:1: TOML syntax: missing comma between array elements, expected `,`",
        ],
    );
    check_rule(
        r#"[[rule.exception]]
expires = 2026-02-30"#,
        &["6:11: TOML syntax: invalid date, expected day between 01 and 28"],
    );
    check(
        "\u{feff}version = one",
        &["1:11: TOML syntax: string values must be quoted, expected literal string"],
    );
    check(
        "\u{feff}versions = 1\r\n[[rule]]\r\nid = \"a\"\r\nentities = \"x\"",
        &[
            r#"1:1: unknown key "versions" in the policy; did you mean "version"? keys: version, settings, protect, tls, coverage, kill_switch, access, detector, rule"#,
            "1:1: the policy has no version; add version = 1",
            r#"4:12: entities is a string, not a list; write entities = ["CREDIT_CARD"], or "*" for all"#,
        ],
    );
}
