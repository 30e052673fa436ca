//! `egress-monitor scan` over files: what is found and where, in every format; what is left out; exit
//! codes; and no value anywhere.

use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;
use support::scan::{Ran, Tree};
use support::tool;

/// A tree with what the formats have to tell apart.
fn tree() -> Tree {
    let tree = Tree::new();
    let (first, second) = (tree.data.card(), tree.data.card());
    tree.put("a/é, 100%: x.txt", format!("name\nä card number: {first}\n"));
    tree.put("b.py", format!("card = \"{second}\"  # egress-monitor:allow made up\n"));
    tree.put("c.md", "card 4111 1111 1111 1111 is Visa's test number\n");
    tree.put("d.txt", "nothing\n");
    tree.put("e.bin", b"\x7fELF\0\0\0");
    tree.put("f.rs", "// egress-monitor:allow\n");
    tree
}

#[test]
fn text_is_a_line_for_each_and_a_summary() {
    let tree = tree();
    let ran = tree.scan(&["."]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(
        lines[0].starts_with("a/é, 100%: x.txt:2:16: CREDIT_CARD high 4***********"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("c.md:1:6: CREDIT_CARD"), "{lines:?}");
    assert!(lines[1].contains("a published test value"), "{lines:?}");
    assert_eq!(lines.len(), 2);
    for part in [
        "1 finding in 1 file: CREDIT_CARD 1; 1 of test data; 1 allowed by comments",
        "5 files looked through",
        "skipped as binary: 1 (e.bin)",
        "f.rs:1:4: warning: egress-monitor:allow allows nothing without a reason",
    ] {
        assert!(ran.err.contains(part), "no {part:?} in:\n{}", ran.err);
    }
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "no colour into a pipe");
}

#[test]
fn json_has_offsets_of_the_encoded_form() {
    let tree = Tree::new();
    let card = tree.data.card();
    let text = format!("{{\"é\": 1,\n \"card\": \"{card}\", \"mail\": \"jo\\u0040host.org\"}}");
    tree.put("x.json", &text);
    let ran = tree.scan(&["--format", "json", "x.json"]);
    let lines = ran.lines();
    assert_eq!((ran.code, lines.len()), (1, 2), "{}", ran.out);
    for (line, value, entity) in [
        (&lines[0], card.as_str(), "CREDIT_CARD"),
        (&lines[1], "jo\\u0040host.org", "EMAIL_ADDRESS"),
    ] {
        let at = text.find(value).expect("it was put there");
        let column = text[..at].chars().rev().take_while(|letter| *letter != '\n').count() + 1;
        assert_eq!(line["entity"], entity);
        assert_eq!((&line["start"], &line["end"]), (&at.into(), &(at + value.len()).into()));
        assert_eq!((&line["line"], &line["column"]), (&2.into(), &column.into()));
        assert_eq!((&line["path"], &line["partial"]), (&"x.json".into(), &false.into()));
        assert_eq!(line["fingerprint"].as_str().map(str::len), Some(16));
        assert!(line["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{line}");
        assert!(line["reasons"].is_array() && line["confidence"].is_string(), "{line}");
    }
    assert_eq!((&lines[0]["encoding"], &lines[0]["test_data"]), (&"plain".into(), &false.into()));
    assert_ne!(lines[1]["encoding"], "plain");
}

#[track_caller]
fn sarif(tree: &Tree, args: &[&str]) -> Value {
    let ran = tree.scan(&[&["--format", "sarif"], args].concat());
    let log: Value = serde_json::from_str(&ran.out).expect("SARIF is JSON");
    let schema = include_str!("sarif/sarif-schema-2.1.0.json");
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let validator = jsonschema::draft4::options().should_validate_formats(true).build(&schema);
    let validator = validator.expect("a schema of draft 4");
    let errors: Vec<String> = validator
        .iter_errors(&log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    log["runs"][0].clone()
}

#[test]
fn sarif_holds_to_the_schema_and_its_regions_to_the_file() {
    let tree = tree();
    let run = sarif(&tree, &["."]);
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 4, "{results:#?}");
    let text = std::fs::read(tree.at("a/é, 100%: x.txt")).expect("it was put there");
    let found = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(found["artifactLocation"]["uri"], "a/%C3%A9,%20100%25:%20x.txt");
    let region = |key: &str| found["region"][key].as_u64().expect("a number") as usize;
    let bytes = &text[region("byteOffset")..][..region("byteLength")];
    assert_eq!(bytes, tree.data.compact()[0].as_bytes());
    let letters: String = String::from_utf8_lossy(&text)
        .chars()
        .skip(region("charOffset"))
        .take(region("charLength"))
        .collect();
    assert_eq!(letters.as_bytes(), bytes);
    assert_eq!((region("startLine"), region("startColumn"), region("endColumn")), (2, 16, 32));
    let allowed = &results[1]["suppressions"][0];
    assert_eq!(
        (&allowed["kind"], &allowed["justification"]),
        (&"inSource".into(), &"made up".into())
    );
    assert_eq!((&results[2]["level"], &results[0]["level"]), (&"note".into(), &"error".into()));
    assert_eq!(results[3]["ruleId"], "ALLOW_WITHOUT_EFFECT");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    assert!(rules[0]["help"]["text"].is_string() && rules[0]["properties"]["tags"].is_array());
}

#[test]
fn sarif_without_findings_with_trouble_and_with_members_holds_to_the_schema() {
    let tree = Tree::new();
    assert_eq!(sarif(&tree, &["."])["results"], Value::Array(Vec::new()));
    let run = sarif(&tree, &["no/such: file"]);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(format!("card {}\n", tree.data.card()).as_bytes()).expect("memory");
    tree.put("x.gz", gz.finish().expect("memory"));
    assert_eq!(sarif(&tree, &["."])["results"][0]["ruleId"], "CREDIT_CARD");
}

#[test]
fn fingerprints_in_sarif_are_the_same_when_lines_move() {
    let tree = Tree::new();
    let (card, other) = (tree.data.card(), tree.data.card());
    let fingerprints = |text: String| {
        tree.put("x.txt", text);
        let run = sarif(&tree, &["x.txt"]);
        let results = run["results"].as_array().expect("results").clone();
        let one = |result: &Value| result["partialFingerprints"]["findingPlace/v1"].clone();
        results.iter().map(one).collect::<Vec<Value>>()
    };
    let before = fingerprints(format!("card {card}\ncard {other}\n"));
    let after = fingerprints(format!("new\n\ncard {card}\nnew\ncard {other}\n"));
    assert_eq!(before, after);
    assert_ne!(before[0], before[1]);
}

#[test]
fn junit_is_xml_with_a_case_for_each() {
    let tree = tree();
    let ran = tree.scan(&["--format", "junit", "."]);
    assert_eq!(ran.code, 1);
    for part in [
        "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\"",
        "<testsuite name=\"a/é, 100%: x.txt\" tests=\"1\" failures=\"1\"",
        "<failure type=\"CREDIT_CARD\"",
        "<skipped message=\"made up\"/>",
    ] {
        assert!(ran.out.contains(part), "no {part:?} in:\n{}", ran.out);
    }
    tree.put("<&\"\u{1}.txt", format!("card {}", tree.data.card()));
    let ran = tree.scan(&["--format", "junit", "."]);
    assert!(ran.out.contains("&lt;&amp;&quot;\u{fffd}.txt"), "{}", ran.out);
    if tool("python3").is_none() {
        support::skip!("python3 is not installed, which reads the XML");
    }
    let code = "import sys, xml.etree.ElementTree as E; print(len(E.parse(sys.stdin).findall('*/testcase')))";
    let mut python = std::process::Command::new("python3");
    let python = python.args(["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = python.expect("python3 runs");
    python.stdin.take().expect("a pipe").write_all(ran.out.as_bytes()).expect("it reads");
    let said = python.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "4\n");
}

#[test]
fn github_gets_workflow_commands_that_nothing_breaks_out_of() {
    let tree = tree();
    tree.put("x\n::error::y.txt", format!("card {}", tree.data.card()));
    let ran = tree.scan(&["--format", "github", "."]);
    assert_eq!(ran.code, 1);
    let first =
        "::error file=a/é%2C 100%25%3A x.txt,line=2,col=16,endColumn=32,title=CREDIT_CARD::";
    assert!(ran.out.starts_with(first), "{}", ran.out);
    assert!(ran.out.contains("\n::notice file=c.md,line=1,"), "{}", ran.out);
    assert!(ran.out.contains("\n::warning file=f.rs,line=1,col=4::"), "{}", ran.out);
    assert!(ran.out.contains("file=x%0A%3A%3Aerror%3A%3Ay.txt,"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.starts_with("::")), "{}", ran.out);
}

#[track_caller]
fn check(args: &[&str], code: i32, said: &str) -> Ran {
    let tree = tree();
    let ran = tree.scan(args);
    assert_eq!(ran.code, code, "{args:?}:\n{}{}", ran.out, ran.err);
    assert!(ran.err.contains(said), "no {said:?} in:\n{}", ran.err);
    ran
}

#[test]
fn wrong_arguments_end_with_2_and_say_what_is_right() {
    check(&["--entities", "CREDITCARD"], 2, "did you mean \"CREDIT_CARD\"");
    check(&["--tags", "PCI"], 2, "did you mean \"PCI-DSS\"");
    check(&["--entities", "US_SSN", "--tags", "PCI-DSS"], 2, "nothing to look for");
    check(&["--format", "xml"], 2, "text, json, sarif, junit, github");
    check(&["--min-confidence", "certain"], 2, "low, medium, high");
    check(&["--exclude", "a[b"], 2, "is no glob");
    check(&["--baseline", "none.json"], 2, "--write-baseline");
    check(&["--baseline", "c.md"], 2, "c.md:1:1: no baseline");
    check(&["--key-file", "c.md"], 2, "is no key");
    check(&["--update-baseline"], 2, "--baseline");
    check(&["--changed-since", "HEAD"], 2, "is in no git repository");
    check(&["--changed-since", "HEAD", "-"], 2, "standard input");
    check(&["--polcy"], 2, "--help");
    check(&["--threads", "0"], 2, "--threads");
}

#[test]
fn values_are_shown_on_no_pipe() {
    check(&["--show-values"], 2, "on a terminal and as text only");
}

/// In a terminal that `script` makes; the value is looked for, so nothing judges what was printed.
#[test]
fn values_are_shown_on_a_terminal() {
    if tool("script").is_none() {
        support::skip!("script is not installed, which makes a terminal");
    }
    let tree = Tree::new();
    tree.put_card("x.txt");
    let shell = format!("{} scan --show-values x.txt", support::monitor::binary().display());
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &shell, "/dev/null"]).current_dir(tree.path()).stdin(Stdio::null());
    let output = script.env("TERM", "xterm").env_remove("NO_COLOR").output().expect("script runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&tree.data.compact()[0]), "{said}");
    assert!(said.contains("\u{1b}["), "a terminal has colours: {said:?}");
}

#[test]
fn findings_are_selected_by_entity_tag_and_confidence() {
    let tree = Tree::new();
    let (card, iban) = (tree.data.card(), tree.data.iban());
    tree.put("x.txt", format!("card {card}\niban {iban}\nx jo@host.org\n"));
    let entities = |args: &[&str]| -> Vec<String> {
        let found = tree.found(args);
        found.iter().map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(entities(&[]), ["CREDIT_CARD", "IBAN_CODE", "EMAIL_ADDRESS"]);
    assert_eq!(
        entities(&["--entities", "IBAN_CODE,EMAIL_ADDRESS"]),
        ["IBAN_CODE", "EMAIL_ADDRESS"]
    );
    assert_eq!(entities(&["--tags", "pci-dss"]), ["CREDIT_CARD"]);
    assert_eq!(entities(&["--min-confidence", "high"]), ["CREDIT_CARD", "IBAN_CODE"]);
}

#[test]
fn test_data_fails_only_where_that_is_asked() {
    let tree = Tree::new();
    tree.put("x.txt", "card 4111 1111 1111 1111\n");
    let ran = tree.scan(&["x.txt"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.err);
    assert_eq!(tree.scan(&["--fail-on-test-data", "x.txt"]).code, 1);
}

#[test]
fn ignore_files_hidden_files_and_globs_leave_out() {
    let tree = Tree::new();
    for path in ["in.txt", "out/x.txt", ".hidden", ".git/x", "sub/keep.log", "sub/drop.log", "v/x"]
    {
        tree.put_card(path);
    }
    tree.put(".gitignore", "/out/\n*.log\n!keep.log\n");
    let paths = |args: &[&str]| -> Vec<String> {
        let found = tree.found(args);
        found.iter().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(paths(&[]), ["in.txt", "sub/keep.log", "v/x"]);
    assert_eq!(paths(&["--hidden"]), [".hidden", "in.txt", "sub/keep.log", "v/x"]);
    assert_eq!(
        paths(&["--no-ignore"]),
        ["in.txt", "out/x.txt", "sub/drop.log", "sub/keep.log", "v/x"]
    );
    assert_eq!(paths(&["--exclude", "sub", "--exclude", "v/**"]), ["in.txt"]);
    // What is named is meant, unless it is excluded.
    assert_eq!(paths(&["out/x.txt", ".hidden"]), ["out/x.txt", ".hidden"]);
    assert_eq!(paths(&["out/x.txt", ".hidden", "--exclude", "out/**"]), [".hidden"]);
}

#[test]
fn the_order_is_always_the_same() {
    let tree = Tree::new();
    for n in 0..300 {
        tree.put_card(&format!("{}/{n:03}.txt", n % 7));
    }
    let once = tree.scan(&["--threads", "1"]);
    assert_eq!(once.out.lines().count(), 300);
    for _ in 0..3 {
        assert_eq!(tree.scan(&["--threads", "8"]).out, once.out);
    }
}

#[test]
fn standard_input_is_read() {
    let tree = Tree::new();
    let card = tree.data.card();
    let mut child = tree.command(&["-"]);
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the binary runs");
    let text = format!("one\ncard {card}");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let ran = tree.judge(&child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("-:2:6: CREDIT_CARD high"), "{}", ran.out);
}

#[test]
fn trouble_ends_with_2_unless_there_are_findings_and_both_are_told() {
    let tree = Tree::new();
    tree.put("clean.txt", "nothing\n");
    let ran = tree.scan(&["gone.txt", "clean.txt"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("gone.txt: unreadable: no such file"), "{}", ran.err);
    tree.put_card("x.txt");
    let ran = tree.scan(&["gone.txt", "x.txt"]);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 1));
    assert!(ran.err.contains("gone.txt: unreadable"), "{}", ran.err);
    // A folder cannot be read as a file: a link to itself cannot even be followed.
    std::os::unix::fs::symlink("loop", tree.at("loop")).expect("a link");
    assert_eq!(tree.scan(&["loop"]).code, 2);
}

#[test]
fn a_file_that_may_not_be_read_is_trouble() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new();
    tree.put_card("secret.txt");
    std::fs::set_permissions(tree.at("secret.txt"), PermissionsExt::from_mode(0o000))
        .expect("ours");
    std::fs::set_permissions(tree.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let mut command = tree.command(&["secret.txt"]);
    if nix::unistd::geteuid().is_root() {
        // Root may read anything. Nobody may execute what is in a home of root's, though.
        let copy = tree.at("egress-monitor");
        std::fs::copy(support::monitor::binary(), &copy).expect("a copy");
        let mut nobody = std::process::Command::new(&copy);
        std::os::unix::process::CommandExt::uid(&mut nobody, 65_534);
        nobody.args(["scan", "secret.txt"]).current_dir(tree.path()).stdin(Stdio::null());
        command = nobody;
    }
    let ran = tree.judge(&command.output().expect("the binary runs"));
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("secret.txt: unreadable: permission denied"), "{}", ran.err);
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let tree = Tree::new();
    for n in 0..2_000 {
        tree.put_card(&format!("{n}.txt"));
    }
    let mut child = tree.command(&["--format", "json"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the binary runs");
    let mut first = [0; 100];
    let mut out = child.stdout.take().expect("a pipe");
    out.read_exact(&mut first).expect("findings");
    drop(out);
    let ran = tree.judge(&child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(!ran.err.contains("roken pipe") && !ran.err.contains("panic"), "{}", ran.err);
}

#[test]
fn quiet_says_only_what_was_found_and_what_went_wrong() {
    let tree = tree();
    let ran = tree.scan(&["--quiet", "."]);
    assert_eq!((ran.code, ran.out.lines().count(), ran.err.as_str()), (1, 2, ""));
    assert!(tree.scan(&["-q", "gone"]).err.contains("gone: unreadable"));
}

#[test]
fn findings_beyond_the_maximum_are_counted() {
    let tree = Tree::new();
    let lines: String = (0..20).map(|_| format!("card {}\n", tree.data.card())).collect();
    tree.put("x.txt", lines);
    let ran = tree.scan(&["--max-findings", "5", "."]);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 5));
    assert!(ran.err.contains("20 findings in 1 file"), "{}", ran.err);
    assert!(ran.err.contains("15 counted and not listed"), "{}", ran.err);
}

/// Larger than a piece: each card is found once, at its place, also where pieces meet.
#[test]
fn a_file_larger_than_a_piece_is_searched_as_if_whole() {
    let tree = Tree::new();
    let (piece, mut text, mut expected) = (4 << 20, String::new(), Vec::new());
    let filler = "the quick brown fox jumps over the lazy dog, and nobody counts how often\n";
    // Around the end of the first piece, and far into the second.
    for at in [100, piece - 70_000, piece - 32_768, piece - 9, piece + 40_000, piece + (2 << 20)] {
        while text.len() < at {
            text.push_str(filler);
        }
        let line = text.matches('\n').count() + 1;
        expected.push(format!("x.txt:{line}:14 CREDIT_CARD"));
        text.push_str(&format!("card number: {}\n", tree.data.card()));
    }
    tree.put("x.txt", &text);
    assert_eq!(tree.found(&["x.txt"]), expected);
}

#[test]
fn a_comment_allows_its_entity_and_with_no_allow_nothing() {
    let tree = Tree::new();
    let (card, iban) = (tree.data.card(), tree.data.iban());
    tree.put(
        "x.txt",
        format!("# egress-monitor:allow[IBAN_CODE] from the docs\ncard {card} iban {iban}\n"),
    );
    assert_eq!(tree.found(&["x.txt"]), ["x.txt:2:6 CREDIT_CARD"]);
    assert_eq!(tree.found(&["--no-allow", "x.txt"]).len(), 2);
    tree.put("x.txt", format!("card {card} # egress-monitor:allow[CREDITCARD] typo\n"));
    let ran = tree.scan(&["x.txt"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("x.txt:1:25: warning:") && ran.err.contains("CREDITCARD"),
        "{}",
        ran.err
    );
}

/// A policy with two detectors of its own.
const POLICY: &str = r#"
version = 1

[[detector]]
name = "STAFF_ID"
regex = '\bEMP-[0-9]{6}\b'
tags = ["GDPR"]

[[detector]]
name = "PROJECT"
literals = ["Project Falcon"]
confidence = "high"

[[rule]]
id = "ours"
entities = ["STAFF_ID", "PROJECT"]
"#;

#[test]
fn detectors_of_a_policy_are_looked_for_beside_the_others() {
    let tree = Tree::new();
    tree.put("policy.toml", POLICY);
    let card = tree.data.card();
    let staff = "staff EMP-204417 of Project Falcon # egress-monitor:allow[STAFF_ID] made up";
    tree.put("x/a.txt", format!("{staff}\ncard number: {card}\nEMP-000001\n"));
    let entities = |args: &[&str]| -> Vec<String> {
        let ran = tree.scan(&[&["--format", "json"], args, &["x"]].concat());
        assert_eq!(ran.code, 1, "{}", ran.err);
        let name = |line: &Value| line["entity"].as_str().expect("a name").to_owned();
        ran.lines().iter().map(name).collect()
    };
    assert_eq!(entities(&[]), ["CREDIT_CARD"]);
    let policy = ["--policy", "policy.toml"];
    assert_eq!(entities(&policy), ["PROJECT", "CREDIT_CARD", "STAFF_ID"]);
    assert_eq!(entities(&[&policy[..], &["--entities", "PROJECT"]].concat()), ["PROJECT"]);
    let tagged = [&policy[..], &["--tags", "GDPR"]].concat();
    assert_eq!(entities(&tagged), ["CREDIT_CARD", "STAFF_ID"]);
    // Its rules in SARIF, and what it accepts in a baseline.
    let ran = tree.scan(&[&policy[..], &["--format", "sarif", "x"]].concat());
    assert!(ran.out.contains(r#""id":"STAFF_ID""#), "{}", ran.out);
    tree.scan(&[&policy[..], &["--write-baseline", "known.json", "x"]].concat());
    let ran = tree.scan(&[&policy[..], &["--baseline", "known.json", "x"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn a_policy_that_does_not_hold_is_trouble_and_says_all_of_it() {
    let tree = Tree::new();
    tree.put("policy.toml", POLICY.replace("{6}", "{6").replace("\"high\"", "\"sure\""));
    tree.put_card("x");
    let ran = tree.scan(&["--policy", "policy.toml", "x"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let checked = support::monitor::run(&[
        "policy",
        "check",
        tree.at("policy.toml").to_str().expect("UTF-8"),
    ]);
    let checked = String::from_utf8_lossy(&checked.stderr).into_owned();
    let folder = format!("{}/", tree.path().display());
    for line in checked.replace(&folder, "").lines() {
        assert!(ran.err.contains(line), "no {line:?} in:\n{}", ran.err);
    }
    for (args, says) in [
        (&["--policy", "none.toml", "x"][..], "none.toml: cannot be read"),
        (&["--entities", "STAFF_IDS", "x"], "no entity"),
    ] {
        let ran = tree.scan(args);
        assert!(ran.code == 2 && ran.err.contains(says), "{args:?}: {}", ran.err);
    }
    tree.put("policy.toml", POLICY);
    let ran = tree.scan(&["--policy", "policy.toml", "--entities", "STAFF_IDS", "x"]);
    assert!(ran.code == 2 && ran.err.contains("STAFF_ID"), "{}", ran.err);
}
