//! `egress-monitor redact` as a filter between real programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread;

use support::monitor::binary;
use support::{Data, needs};
use tempfile::TempDir;

const DOCS: &str = include_str!("../../docs/redact.md");

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.arg("redact").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// What comes out for what goes in. The two go on at once: a pipe is smaller than either.
fn redact(args: &[&str], input: &[u8]) -> Output {
    let mut child = start(args);
    let mut stdin: ChildStdin = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        scope.spawn(move || {
            // One that has enough closes early.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("it ends")
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn trouble(args: &[&str], says: &str) {
    let output = redact(args, b"");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(says), "no {says:?} in {said}");
}

fn key_file(dir: &TempDir, bytes: usize, mode: u32) -> String {
    let path = dir.path().join("redact.key");
    std::fs::write(&path, vec![b'k'; bytes]).expect("a file in the temporary directory");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("it is ours");
    path.to_str().expect("UTF-8").to_owned()
}

/// Blocks of `console` in the docs: commands after `$ `, and what they print.
fn examples() -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in DOCS.lines() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => inside = line == "```console",
            Some(command) if inside => examples.push((command.into(), String::new())),
            _ if inside => {
                let (_, printed) = examples.last_mut().expect("a command first");
                *printed += line;
                *printed += "\n";
            }
            _ => {}
        }
    }
    examples
}

#[test]
fn the_examples_of_the_docs_print_what_the_docs_say() {
    needs!("gzip");
    let dir = TempDir::new().expect("a temporary directory");
    let bin = binary();
    let bin = bin.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let examples = examples();
    assert!(examples.len() >= 8, "{} examples", examples.len());
    for (command, printed) in examples {
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("PATH", &path).current_dir(dir.path());
        let output = shell.output().expect("sh runs");
        let both = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(both, printed, "$ {command}");
    }
}

#[test]
fn a_line_comes_out_before_the_next_goes_in() {
    let data = Data::new();
    let mut child = start(&["--line-buffered"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    for line in 0..3 {
        let card = data.card();
        writeln!(stdin, "line {line} card {card}").expect("it reads");
        let mut out = String::new();
        stdout.read_line(&mut out).expect("a line");
        assert_eq!(out, format!("line {line} card {}\n", "*".repeat(16)));
    }
    // What is no whole line yet comes out at the end, redacted too.
    write!(stdin, "card {}", data.card()).expect("it reads");
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, format!("card {}", "*".repeat(16)));
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_signal_ends_it_and_loses_no_line_that_is_out() {
    let mut child = start(&["--line-buffered"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    writeln!(stdin, "a line").expect("it reads");
    let mut out = String::new();
    stdout.read_line(&mut out).expect("a line");
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    // Not SIGINT, which a shell has what it starts in the background ignore.
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it is ours");
    assert_eq!(child.wait().expect("it ends").signal(), Some(15));
    assert_eq!(out, "a line\n");
}

#[test]
fn who_reads_no_further_is_no_trouble() {
    let mut child = start(&[]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("a pipe");
    let line = b"a line that nobody reads\n".repeat(1_000);
    while stdin.write_all(&line).is_ok() {}
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

/// Kibibytes of memory that a process had at most.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// 200 MB, of lines or of one line, of which it holds no more than a window.
#[test]
fn memory_is_bounded_whatever_comes() {
    const MIB_MAX: u64 = 64;
    let data = Data::new();
    for (args, end) in [(&["--mode", "remove"][..], "\n"), (&["--line-buffered"], " ")] {
        let mut child = start(args);
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut stdout = child.stdout.take().expect("a pipe");
        let read = thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let filler = "nothing to see here".repeat(500);
        let piece = format!("card {} {filler}{end}", data.card()).repeat(100);
        let mut sent = 0;
        while sent < 200_000_000 {
            stdin.write_all(piece.as_bytes()).expect("it reads");
            sent += piece.len();
        }
        let peak = peak_kib(child.id());
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
        let out = read.join().expect("no panic").expect("it was read");
        assert!(out > 190_000_000, "{out} bytes");
        assert!(peak < MIB_MAX << 10, "{peak} KiB");
    }
}

fn piped(tool: &str, arg: &str, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(tool);
    command.arg(arg).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("it reads"));
        child.wait_with_output().expect("it ends").stdout
    })
}

#[test]
fn gzip_goes_in_and_gzip_comes_out() {
    needs!("gzip");
    let data = Data::new();
    let plain = format!("card {} and {}\n", data.card(), data.iban()).repeat(10_000);
    // Two members one after the other are one file (RFC 1952 section 2.2).
    let packed = piped("gzip", "-c", plain.as_bytes()).repeat(2);
    let output = redact(&["--gzip"], &packed);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let unpacked = text(&piped("gzip", "-dc", &output.stdout));
    assert_eq!(unpacked.len(), 2 * plain.len());
    assert!(data.compact().iter().all(|value| !unpacked.contains(value)));

    let cut = redact(&["--gzip"], packed.get(..packed.len() / 4).expect("it is longer"));
    assert_eq!(cut.status.code(), Some(2));
    assert!(text(&cut.stderr).contains("-: "), "{}", text(&cut.stderr));
    assert!(text(&piped("gzip", "-dc", &cut.stdout)).starts_with("card ****"));
}

#[test]
fn files_are_read_one_after_the_other_and_none_that_is_not_there() {
    let data = Data::new();
    let dir = TempDir::new().expect("a temporary directory");
    let file = dir.path().join("a.log");
    std::fs::write(&file, format!("card {}\n", data.card())).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let output = redact(&[file, "-", file], b"between\n");
    let card = "card ****************\n";
    assert_eq!(text(&output.stdout), format!("{card}between\n{card}"));
    trouble(&["/nowhere/a.log"], "/nowhere/a.log: ");
    trouble(&["/"], "/: ");
}

#[test]
fn what_is_said_holds_numbers_and_no_value() {
    let data = Data::new();
    let input = format!("card {} {} ssn {}\n", data.card(), data.card_grouped(" "), data.ssn());
    let output = redact(&["--stats", "--mode", "token"], input.as_bytes());
    let said = text(&output.stderr);
    assert!(said.contains("no --key-file"), "{said}");
    assert!(said.contains("3 values taken out"), "{said}");
    assert!(said.contains("CREDIT_CARD") && said.contains("US_SSN"), "{said}");
    for value in data.spellings() {
        assert!(!said.contains(&value) && !text(&output.stdout).contains(&value));
    }
}

#[test]
fn tokens_under_one_key_are_the_same_in_every_run() {
    let data = Data::new();
    let dir = TempDir::new().expect("a temporary directory");
    let key = key_file(&dir, 32, 0o600);
    let card = data.card();
    let token = |args: &[&str], input: &str| text(&redact(args, input.as_bytes()).stdout);
    let with_key = ["--mode", "token", "--key-file", &key];
    let one = token(&with_key, &format!("card {card}"));
    let other = token(&with_key, &format!("card {}", support::data::grouped(&card, &[4; 4], "-")));
    assert_eq!(one, other);
    assert!(one.starts_with("card CREDIT_CARD_"), "{one}");
    assert_ne!(one, token(&["--mode", "token"], &format!("card {card}")));
    let hash = token(&["--mode", "hash", "--key-file", &key], &format!("card {card}"));
    let fingerprint = one.trim_start_matches("card CREDIT_CARD_");
    assert!(hash.starts_with(&format!("card {fingerprint}")), "{hash}");
}

#[test]
fn a_key_that_is_none_is_refused() {
    let dir = TempDir::new().expect("a temporary directory");
    trouble(&["--key-file", "/nowhere/key"], "/nowhere/key: ");
    trouble(&["--key-file", &key_file(&dir, 31, 0o600)], "a key of 31 bytes is too short");
    let output = redact(&["--key-file", &key_file(&dir, 40, 0o644)], b"");
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("anybody can read this key"));
}

#[test]
fn only_what_is_asked_for_is_taken_out() {
    let data = Data::new();
    let (card, iban) = (data.card(), data.iban());
    let input = format!("card {card} iban {iban}\n");
    let output = redact(&["--entities", "IBAN_CODE"], input.as_bytes());
    assert_eq!(text(&output.stdout), format!("card {card} iban {}\n", "*".repeat(iban.len())));
    let published = "card 4111111111111111\n";
    let output = redact(&["--keep-test-data"], published.as_bytes());
    assert_eq!(text(&output.stdout), published);
    trouble(&["--entities", "CREDITCARD"], "did you mean \"CREDIT_CARD\"?");
}

#[test]
fn detectors_of_a_policy_are_taken_out_too() {
    let dir = TempDir::new().expect("a temporary directory");
    let policy = dir.path().join("policy.toml");
    let content = "version = 1\n[[detector]]\nname = \"STAFF_ID\"\nregex = 'EMP-[0-9]{6}'\n\
                   [[rule]]\nid = \"ours\"\nentities = [\"STAFF_ID\"]\n";
    std::fs::write(&policy, content).expect("a file");
    let policy = policy.to_str().expect("UTF-8");
    let (card, mode) = (Data::new().card(), ["--policy", policy, "--mode", "remove"]);
    let line = format!("card number: {card} of EMP-204417\n");
    let all = redact(&mode, line.as_bytes());
    assert_eq!(text(&all.stdout), "card number: [CREDIT_CARD] of [STAFF_ID]\n");
    let own = redact(&[&mode[..], &["--entities", "STAFF_ID"]].concat(), line.as_bytes());
    assert_eq!(text(&own.stdout), format!("card number: {card} of [STAFF_ID]\n"));
    std::fs::write(policy, content.replace("regex", "regexp")).expect("a file");
    trouble(&["--policy", policy], "does not hold: ");
}
