//! What docs/scan.md and docs/ci promise: their commands run, the hook stops a commit, every option is
//! told.

use std::path::Path;
use std::process::{Command, Output};

use support::monitor::{binary, run};
use support::scan::Tree;
use support::tool;

const DOCS: &str = include_str!("../../docs/scan.md");
const HOOK: &str = include_str!("../../docs/ci/pre-commit");
const FRAMEWORK: &str = include_str!("../../docs/ci/pre-commit-hooks.yaml");
const WORKFLOW: &str = include_str!("../../docs/ci/github.yml");

/// Runs something in a tree that finds the binary by its name.
#[track_caller]
fn within(tree: &Tree, mut command: Command) -> Output {
    let folder = binary().parent().map(Path::to_path_buf).expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path)));
    command.env("PATH", path.expect("a path")).current_dir(tree.path());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GITHUB_BASE_REF", "main");
    for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        command.env(format!("{who}_NAME"), "test").env(format!("{who}_EMAIL"), "test@localhost");
    }
    command.output().expect("it runs")
}

#[track_caller]
fn git(tree: &Tree, args: &[&str]) -> Output {
    let mut git = Command::new("git");
    git.args(args);
    within(tree, git)
}

/// What stands in blocks of this kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let begin = format!("```{kind}\n");
    let rest = DOCS.split(&begin[..]).skip(1);
    rest.filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn every_command_of_the_docs_runs() {
    if tool("git").is_none() {
        support::skip!("git is not installed");
    }
    let tree = Tree::new();
    for path in ["src/a.txt", "dump.sql.gz", "backup.tar", "app.log"] {
        tree.put_card(path);
    }
    tree.put("policy.toml", "version = 1\n[[rule]]\nid = \"a\"\nentities = [\"US_SSN\"]\n");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["commit", "-q", "-m", "x"],
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    ] {
        assert!(git(&tree, args).status.success(), "{args:?}");
    }
    let workflow = WORKFLOW
        .lines()
        .chain(FRAMEWORK.lines())
        .map(str::trim)
        .filter_map(|line| line.strip_prefix("run: ").or_else(|| line.strip_prefix("entry: ")));
    let help = String::from_utf8_lossy(&run(&["scan", "--help"]).stdout).into_owned();
    let help: Vec<&str> = help.lines().map(str::trim).collect();
    let examples = help.iter().copied().filter(|line| line.starts_with("egress-monitor "));
    let examples = examples.filter_map(|line| line.split("   ").next());
    let commands: Vec<&str> =
        blocks("sh").into_iter().flat_map(str::lines).chain(workflow).chain(examples).collect();
    assert!(commands.len() >= 14, "{commands:?}");
    for line in commands {
        if line.contains("cargo install") || line.contains("kubectl") {
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        // The example of the help makes what the docs have made.
        let _ = std::fs::remove_file(tree.at("baseline.json"))
            .ok()
            .filter(|()| line.contains("--write-baseline"));
        if line.contains("--baseline baseline.json") {
            let key =
                if line.contains("--key-file") { &["--key-file", "scan.key"][..] } else { &[] };
            tree.scan(&[key, &["--write-baseline", "baseline.json"]].concat());
        }
        let output = within(&tree, shell);
        let code = output.status.code();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(code == Some(0) || code == Some(1), "{line}: {code:?}\n{said}");
        if code == Some(1) {
            assert!(said.contains("finding") || line.contains("--quiet"), "{line}:\n{said}");
        }
    }
}

#[test]
fn the_docs_name_every_option_and_key() {
    let help = String::from_utf8_lossy(&run(&["scan", "--help"]).stdout).into_owned();
    let options = help.split_whitespace().filter(|word| word.starts_with("--")).map(|word| {
        word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
    });
    for option in options.filter(|option| *option != "--help") {
        assert!(DOCS.contains(option), "docs/scan.md says nothing of {option}");
    }
    let tree = Tree::new();
    tree.put_card("x");
    let line = tree.scan(&["--format", "json", "x"]).lines().remove(0);
    let [example] = blocks("json")[..] else { panic!("one example of JSON") };
    let example: serde_json::Value = serde_json::from_str(example).expect("it is JSON");
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(keys(&example), keys(&line));
    for key in keys(&line) {
        assert!(DOCS.contains(&format!("`{key}`")), "docs/scan.md says nothing of {key}");
    }
}

#[test]
fn the_hook_stops_a_commit_of_what_is_staged() {
    if tool("git").is_none() {
        support::skip!("git is not installed");
    }
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new();
    assert!(git(&tree, &["init", "-q"]).status.success());
    tree.put(".git/hooks/pre-commit", HOOK);
    let hook = tree.at(".git/hooks/pre-commit");
    std::fs::set_permissions(hook, PermissionsExt::from_mode(0o755)).expect("ours");
    let commit = || {
        let ran = tree.judge(&git(&tree, &["commit", "-q", "-m", "x"]));
        (ran.code, ran.out + &ran.err)
    };
    tree.put_card("a b.txt");
    assert!(git(&tree, &["add", "-A"]).status.success());
    // It is what is staged that counts.
    tree.put("a b.txt", "cleaned up, and not staged\n");
    let (code, said) = commit();
    assert!(code == 1 && said.contains("a b.txt:1:14: CREDIT_CARD"), "{code}\n{said}");
    assert!(git(&tree, &["add", "-A"]).status.success());
    let (code, said) = commit();
    assert_eq!(code, 0, "{said}");
    // And what the baseline knows goes.
    tree.put_card("known.txt");
    tree.scan(&["--write-baseline", ".egress-baseline.json"]);
    assert!(git(&tree, &["add", "known.txt"]).status.success());
    let (code, said) = commit();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn entities_are_listed_shown_and_printed_as_json() {
    let said = |args: &[&str]| {
        let output = run(&[&["entities"], args].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, table, _) = said(&[]);
    assert_eq!(code, Some(0));
    let (_, json, _) = said(&["--json"]);
    assert_eq!(json.lines().count(), table.lines().count());
    for line in json.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in ["entity", "title", "standard", "example"] {
            let value = line[key].as_str().unwrap_or_default();
            let value = value.replace('\r', "\\r").replace('\n', "\\n");
            assert!(!value.is_empty() && table.contains(&value), "{key} of {line}");
        }
        assert!(line["tier"].is_string() && line["tags"].is_array(), "{line}");
    }
    let (code, one, _) = said(&["credit_card"]);
    assert_eq!(code, Some(0));
    assert!(one.contains("CREDIT_CARD") && one.contains("ISO/IEC 7812-1"), "{one}");
    let (code, _, wrong) = said(&["CREDITCARD"]);
    assert!(code == Some(2) && wrong.contains("did you mean \"CREDIT_CARD\""), "{wrong}");
}
