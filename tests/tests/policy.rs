//! The policy at work: who is meant, where to, how much, until when; and a policy that does not
//! hold, at the start, while the daemon runs, and under `policy check`.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use support::cgroup::Cgroup;
use support::monitor::run;
use support::net::{V4, V6};
use support::program::with_data;
use support::{Alert, Monitor, Receiver, Running, Start, needs, python};
use tempfile::TempDir;

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

/// Rules that a sent card meets, by the id of those that acted on it.
#[track_caller]
fn rules_met(monitor: &Monitor, receiver: &Receiver) -> Vec<String> {
    let text = format!("card {}", monitor.data.card());
    let mut sender = Command::new(SENDER);
    sender.arg("once");
    with_data(&mut sender, receiver.address, &[&text]);
    let mut sender = Running::start(&mut sender);
    sender.finish();
    rules_of(&monitor.of(sender.pid()))
}

fn rules_of(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(|alert| alert.text("/rule").to_owned()).collect()
}

/// A rule on cards with one scope.
fn rule(id: &str, scope: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\nentities = [\"CREDIT_CARD\"]\n{scope}\n")
}

#[test]
fn destinations_by_word_network_and_port() {
    needs!();
    let (v4, v6) = (Receiver::tcp(V4), Receiver::tcp(V6));
    let port = v4.address.port();
    let rules = [
        rule("loopback", "destination = { cidr = [\"loopback\"] }"),
        rule("not-loopback", "destination = { not_cidr = [\"loopback\"] }"),
        rule("private", "destination = { cidr = [\"private\"] }"),
        rule("public", "destination = { cidr = [\"public\", \"unknown\"] }"),
        rule("network", "destination = { cidr = [\"127.0.0.0/30\"] }"),
        rule("other-network", "destination = { cidr = [\"127.1.0.0/16\", \"2001:db8::/32\"] }"),
        rule("v6", "destination = { cidr = [\"::1\"] }"),
        rule("port", &format!("destination = {{ port = [{port}] }}")),
        rule("span", &format!("destination = {{ port = [\"{}-{port}\"] }}", port - 1)),
        rule("other-port", &format!("destination = {{ port = [{}] }}", port ^ 1)),
    ];
    let monitor = Monitor::under(&rules.concat());
    assert_eq!(rules_met(&monitor, &v4), ["loopback", "network", "port", "span"]);
    let of_v6 = rules_met(&monitor, &v6);
    assert!(of_v6.starts_with(&["loopback".into(), "v6".into()]), "{of_v6:?}");
    assert!(!of_v6.iter().any(|rule| rule == "network" || rule == "public"), "{of_v6:?}");
}

/// The words for networks that are not loopback, in a network namespace of the test: a card goes
/// to an address of a network that is private and of one that is not.
#[test]
fn private_and_public_destinations_in_a_network_of_the_test() {
    needs!("python3", "unshare", "ip");
    let rules = [
        rule("loopback", "destination = { cidr = [\"loopback\"] }"),
        rule("private", "destination = { cidr = [\"private\"] }"),
        rule("public", "destination = { cidr = [\"public\"] }"),
    ];
    let monitor = Monitor::under(&rules.concat());
    let code = "
import subprocess
def ip(words): subprocess.run(['ip', *words.split()], check=True)
ip('link set lo up'); ip('addr add 10.11.12.7/32 dev lo'); ip('addr add 198.51.100.7/32 dev lo')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(D[0], ('10.11.12.7', 4000)); s.sendto(D[1], ('198.51.100.7', 4000))
s.sendto(D[2], ('127.0.0.1', 4000))";
    let texts: Vec<String> = (0..3).map(|_| format!("card {}", monitor.data.card())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let inner = python(code, Receiver::udp(V4).address, &texts);
    let mut command = Command::new(support::tool("unshare").expect("it is there"));
    command.arg("--net").arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut sender = Running::start(&mut command);
    sender.finish();
    let met: Vec<(String, String)> = monitor
        .of(sender.pid())
        .iter()
        .map(|alert| (alert.text("/rule").into(), alert.text("/destination/address").into()))
        .collect();
    let expected =
        [("private", "10.11.12.7"), ("public", "198.51.100.7"), ("loopback", "127.0.0.1")];
    assert_eq!(met, expected.map(|(rule, to)| (rule.to_owned(), to.to_owned())));
}

#[test]
fn processes_by_executable_and_uid_and_transports() {
    needs!();
    let exe = std::path::Path::new(SENDER).canonicalize().expect("it was built");
    let dir = exe.parent().expect("a file is in a directory").display();
    let rules = [
        rule("exe", &format!("process = {{ exe = [\"{dir}/send*\"] }}")),
        rule("exe-anywhere", "process = { exe = [\"**/sender\"] }"),
        rule("other-exe", "process = { exe = [\"/usr/bin/curl\"] }"),
        rule("root", "process = { uid = [0] }"),
        rule("users", "process = { uid = [\"4000-5000\"] }"),
        rule("tcp", "transport = [\"tcp\"]"),
        rule("udp", "transport = [\"udp\", \"tls\"]"),
    ];
    let monitor = Monitor::under(&rules.concat());
    let receiver = Receiver::tcp(V4);
    assert_eq!(rules_met(&monitor, &receiver), ["exe", "exe-anywhere", "root", "tcp"]);
    let copy = std::env::temp_dir().join(format!("sender-{}", std::process::id()));
    std::fs::copy(SENDER, &copy).expect("a copy that any user may execute");
    let mut sender = Command::new(&copy);
    with_data(&mut sender, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(sender.arg("once").uid(4444));
    sender.finish();
    let _ = std::fs::remove_file(&copy);
    assert_eq!(rules_of(&monitor.of(sender.pid())), ["users", "tcp"]);
}

#[test]
fn processes_by_cgroup_and_unit() {
    needs!("sh");
    let unit = format!("egress-monitor-policy-{}.service", std::process::id());
    let Some(cgroup) = Cgroup::make(&unit) else { support::skip!("no cgroup v2 to write to") };
    let rules = [
        rule("unit", &format!("process = {{ unit = [\"{unit}\"] }}")),
        rule("units", "process = { unit = [\"egress-monitor-policy-*.service\"] }"),
        rule("cgroup", &format!("process = {{ cgroup = [\"/**/{unit}\"] }}")),
        rule("other-unit", "process = { unit = [\"nginx.service\"] }"),
        rule("other-cgroup", "process = { cgroup = [\"/system.slice/nginx.service\"] }"),
    ];
    let (monitor, receiver) = (Monitor::under(&rules.concat()), Receiver::tcp(V4));
    let mut shell = Command::new("sh");
    let code = "echo $$ >\"$1/cgroup.procs\" && exec \"$2\" once";
    shell.args(["-c", code, "sh"]).arg(cgroup.path()).arg(SENDER);
    with_data(&mut shell, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(&mut shell);
    sender.finish();
    assert_eq!(rules_of(&monitor.of(sender.pid())), ["unit", "units", "cgroup"]);
    assert_eq!(rules_met(&monitor, &receiver), Vec::<String>::new());
}

/// One process sends five cards, the second of them twice.
#[test]
fn thresholds_by_count_and_distinct_values() {
    needs!("python3");
    let rules = [
        rule("three", "threshold = { count = 3, within = \"60s\" }"),
        rule("four-distinct", "threshold = { distinct = 4, within = \"60s\" }"),
        rule("five-distinct", "threshold = { distinct = 5, within = \"60s\" }"),
        rule("six", "threshold = { count = 6, within = \"60s\" }"),
    ];
    let (monitor, receiver) = (Monitor::under(&rules.concat()), Receiver::tcp(V4));
    let mut texts: Vec<String> =
        (0..4).map(|_| format!("card {}\n", monitor.data.card())).collect();
    texts.insert(2, texts[1].clone());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = "s = tcp()\nfor text in D: s.sendall(text)";
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    assert_eq!(rules_of(&monitor.of(sender.pid())), ["three", "four-distinct"]);
}

#[test]
fn what_was_sent_before_the_span_of_a_threshold_does_not_count() {
    needs!("python3");
    let rules = [
        rule("short", "threshold = { count = 2, within = \"1s\" }"),
        rule("long", "threshold = { count = 2, within = \"1h\" }"),
    ];
    let (monitor, receiver) = (Monitor::under(&rules.concat()), Receiver::tcp(V4));
    let texts: Vec<String> = (0..2).map(|_| format!("card {}\n", monitor.data.card())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = "s = tcp(); s.sendall(D[0]); time.sleep(1.2); s.sendall(D[1])";
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    assert_eq!(rules_of(&monitor.of(sender.pid())), ["long"]);
}

fn exception(expires: &str, what: &str) -> String {
    format!(
        "[[rule.exception]]\nowner = \"payments\"\nreason = \"old processor\"\n\
         expires = {expires}\n{what}\n"
    )
}

#[test]
fn an_exception_lets_through_until_its_day() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let to = format!("destination = {{ port = [{}] }}", receiver.address.port());
    let elsewhere = format!("destination = {{ port = [{}] }}", receiver.address.port() ^ 1);
    let rules = [
        rule("excepted", "") + &exception("2999-12-31", &to),
        rule("expired", "") + &exception("2020-01-01", &to),
        rule("elsewhere", "") + &exception("2999-12-31", &elsewhere),
    ];
    let mut monitor = Monitor::under(&rules.concat());
    monitor.wait_said("expired on 2020-01-01");
    assert_eq!(rules_met(&monitor, &receiver), ["expired", "elsewhere"]);
    assert_eq!(monitor.status()["daemon"]["findings_excepted"], 1);
}

#[test]
fn clause_and_severity_stand_in_the_alert_and_published_test_values_can_be_ignored() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let rules = [
        rule("counts", "clause = \"DPA 4.2\"\nseverity = \"low\""),
        rule("ignores", "test_data = \"ignore\""),
    ];
    let monitor = Monitor::under(&rules.concat());
    let mut sender = Command::new(SENDER);
    let published = "4111 1111 1111 1111";
    with_data(&mut sender, receiver.address, &[&format!("card {published}")]);
    let mut sender = Running::start(sender.arg("once"));
    sender.finish();
    let alert = monitor.the_alert_of(sender.pid());
    assert_eq!((alert.text("/rule"), alert.text("/clause")), ("counts", "DPA 4.2"));
    assert_eq!(alert.text("/severity"), "low");
    assert_eq!(rules_met(&monitor, &receiver), ["counts", "ignores"]);
}

#[test]
fn a_reload_puts_new_rules_in_force() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let mut monitor = Monitor::under(&rule("old", ""));
    assert_eq!(rules_met(&monitor, &receiver), ["old"]);
    monitor.put_policy(&(rule("new", "clause = \"A 1\"") + &rule("newer", "")));
    monitor.signal(Signal::SIGHUP);
    monitor.wait_said("is in force, 3 rules");
    assert_eq!(rules_met(&monitor, &receiver), ["new", "newer"]);
}

/// Literals, names of a dictionary and a regex of the policy, sent as any program sends. The `@` is
/// what a prefilter that only knows built-in entities lets through.
#[test]
fn detectors_of_the_policy_find_what_is_sent() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let detectors = "
[[detector]]
name = \"PROJECT\"
literals = [\"Falcon\"]
tags = [\"SECRET\"]
[[detector]]
name = \"CUSTOMER\"
dictionary = \"customers.txt\"
tags = [\"GDPR\"]
[[rule]]
id = \"ours\"
entities = [\"PROJECT\", \"CUSTOMER\"]
";
    let start = Start::new().policy(detectors);
    let names = start.dir().join("customers.txt");
    std::fs::write(&names, "# made up\nJane Roe\n").expect("a file");
    let mut monitor = start.run();
    let send = |text: &str| {
        let mut sender = Command::new(SENDER);
        with_data(sender.arg("once"), receiver.address, &[text]);
        let mut sender = Running::start(&mut sender);
        sender.finish();
        sender.pid()
    };
    let alert = monitor.the_alert_of(send("hello@: jane roe leads Falcon, and John Doe does not"));
    assert_eq!(alert.findings(), [("CUSTOMER", "********", 1), ("PROJECT", "******", 1)]);
    assert_eq!(alert.0["findings"][0]["tags"], serde_json::json!(["GDPR"]));
    let written = alert.0.to_string();
    assert!(["jane", "roe", "Falcon"].iter().all(|part| !written.contains(part)), "{written}");

    std::fs::write(&names, "John Doe\n").expect("a file");
    monitor.signal(Signal::SIGHUP);
    monitor.wait_said("is in force, 2 rules");
    let alert = monitor.the_alert_of(send("hello@: Jane Roe and John Doe"));
    assert_eq!(alert.findings(), [("CUSTOMER", "********", 1)]);

    std::fs::remove_file(&names).expect("it is there");
    monitor.signal(Signal::SIGHUP);
    monitor.wait_said("the old one stays in force");
    let said = monitor.stderr();
    assert!(
        said.contains("policy.toml:9:14: dictionary \"customers.txt\" cannot be read"),
        "{said}"
    );
    let alert = monitor.the_alert_of(send("hello@: it is John Doe"));
    assert_eq!(alert.entities(), ["CUSTOMER"]);
}

#[test]
fn a_reload_of_a_policy_that_does_not_hold_leaves_the_old_one_in_force() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let mut monitor = Monitor::under(&rule("old", ""));
    monitor.put_policy(&rule("new", "colour = \"red\""));
    monitor.signal(Signal::SIGHUP);
    monitor.wait_said("the old one stays in force");
    let said = monitor.stderr();
    assert!(said.contains("policy.toml:5:1: unknown key \"colour\""), "{said}");
    assert_eq!(rules_met(&monitor, &receiver), ["old"]);
    std::fs::remove_file(monitor.dir().join("policy.toml")).expect("it is there");
    monitor.signal(Signal::SIGHUP);
    monitor.wait_said("cannot read the policy");
    assert_eq!(rules_met(&monitor, &receiver), ["old"]);
}

/// The embedded policy is in force without a file; SIGHUP then only opens the alert file anew.
#[test]
fn a_rotated_alert_file_is_opened_anew() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let mut monitor = Monitor::start();
    assert_eq!(rules_met(&monitor, &receiver), ["personal-data"]);
    let (file, rotated) =
        (monitor.dir().join("alerts.jsonl"), monitor.dir().join("alerts.jsonl.1"));
    std::fs::rename(&file, &rotated).expect("both are in one directory");
    monitor.signal(Signal::SIGHUP);
    monitor.wait_said("alert file opened anew");
    let before = std::fs::read(&rotated).expect("it was rotated");
    // Only alerts of the new file are looked at here.
    assert_eq!(rules_met(&monitor, &receiver), ["personal-data"]);
    assert_eq!(std::fs::read(&rotated).expect("it was rotated"), before);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&file).expect("the new file is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "only root reads alerts");
}

/// Runs `policy check` on a text.
fn check(text: &str, args: &[&str]) -> (i32, String, String) {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("policy.toml");
    std::fs::write(&path, text).expect("a file");
    let path = path.display().to_string();
    told(run(&[&["policy", "check"], args, &[path.as_str()]].concat()))
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_says_that_a_policy_holds() {
    let (code, out, err) = check(&format!("version = 1\n{}", rule("a", "")), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("policy.toml holds: 1 rule"), "{out}");
}

#[test]
fn check_says_what_is_wrong_where_and_what_to_write() {
    let text = "version = 1\n[[rule]]\nid = \"a\"\nentities = [\"CREDITCARD\"]\ncolour = 1\n";
    let (code, _, err) = check(text, &[]);
    assert_eq!(code, 78);
    assert!(err.contains("policy.toml:4:13: unknown entity \"CREDITCARD\""), "{err}");
    assert!(err.contains("did you mean \"CREDIT_CARD\""), "{err}");
    assert!(err.contains("policy.toml:5:1: unknown key \"colour\""), "{err}");
}

#[test]
fn check_shows_all_of_a_hundred_errors() {
    let rules: String = (0..100).map(|n| rule(&format!("rule-{n}"), "colour = 1")).collect();
    let (code, _, err) = check(&format!("version = 1\n{rules}"), &[]);
    assert_eq!(code, 78);
    for n in 0..100 {
        let place = format!("policy.toml:{}:1: unknown key \"colour\"", 5 + 4 * n);
        assert!(err.contains(&place), "{place} is missing from:\n{err}");
    }
    let (code, out, _) = check(&format!("version = 1\n{rules}"), &["--json"]);
    assert_eq!(code, 78);
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines.len(), 101);
    assert_eq!((&lines[100]["errors"], &lines[100]["holds"]), (&100.into(), &false.into()));
}

#[test]
fn check_of_no_such_file_ends_with_66() {
    let (code, _, err) = told(run(&["policy", "check", "/no/such/policy.toml"]));
    assert_eq!(code, 66);
    assert!(err.contains("/no/such/policy.toml"), "{err}");
}

/// Before anything is attached: no runtime directory is made.
#[test]
fn the_daemon_does_not_start_under_a_policy_that_does_not_hold() {
    needs!();
    let start = Start::new().policy("[[rule]]\nid = \"a\"\nentities = [\"CREDITCARD\"]");
    let (code, _, err) = told(start.command().output().expect("the binary runs"));
    assert_eq!(code, 78);
    assert!(err.contains("policy.toml:4:13: unknown entity"), "{err}");
    assert!(err.contains("did you mean \"CREDIT_CARD\""), "{err}");
    assert!(!start.dir().join("run").exists());
}

#[test]
fn the_daemon_does_not_start_without_the_policy_that_it_was_given() {
    needs!();
    let start = Start::new().args(&["--policy", "/no/such/policy.toml"]);
    let (code, _, err) = told(start.command().output().expect("the binary runs"));
    assert_eq!(code, 66);
    assert!(err.contains("cannot read the policy /no/such/policy.toml"), "{err}");
}
