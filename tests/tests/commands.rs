//! The command line: help, version, completions, wrong arguments, and the demo.

use support::monitor::{binary, run};
use support::needs;

/// Every command there is, as the help lists them.
fn commands() -> Vec<Vec<&'static str>> {
    let names = [
        "run",
        "demo",
        "doctor",
        "coverage",
        "scan",
        "entities",
        "redact",
        "explain",
        "completions",
        "policy",
        "policy check",
        "kill-switch",
        "kill-switch on",
        "kill-switch off",
        "kill-switch status",
        "quarantine",
        "quarantine list",
        "quarantine release",
    ];
    names.iter().map(|name| name.split(' ').collect()).collect()
}

#[track_caller]
fn help(command: &[&str]) -> String {
    let output = run(&[command, &["--help"]].concat());
    assert!(output.status.success(), "{command:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_help_of_every_command_shows_examples() {
    for command in commands() {
        let help = help(&command);
        assert!(help.contains("Example"), "no example of {command:?}:\n{help}");
        assert!(help.contains(&format!("egress-monitor {}", command.join(" "))), "{help}");
    }
}

#[test]
fn the_help_lists_every_command_and_exit_code() {
    let help = help(&[]);
    for command in commands().iter().filter(|command| command.len() == 1) {
        let listed = help.lines().any(|line| line.trim_start().starts_with(command[0]));
        assert!(listed, "no {command:?}:\n{help}");
    }
    let listed: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    let known: Vec<&str> = commands().iter().map(|command| command[0]).collect();
    assert!(listed.iter().all(|name| known.contains(name)), "{listed:?} has one that is not here");
    for code in ["66", "69", "73", "75", "77", "78"] {
        assert!(help.contains(&format!("{code} ")), "no exit code {code}:\n{help}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = run(&["--version"]);
    let version = concat!("egress-monitor ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

#[test]
fn completions_are_a_script_that_the_shell_takes() {
    needs!("bash");
    let output = run(&["completions", "bash"]);
    assert!(output.status.success());
    let script = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(script.contains("complete -F _egress"), "{script}");
    let mut bash = std::process::Command::new("bash");
    assert!(bash.args(["-n", "-c", &script]).status().expect("bash runs").success());
}

#[test]
fn wrong_arguments_end_with_2_and_say_what_is_right() {
    let output = run(&["run", "--polcy", "x"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--policy"), "{said}");
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    needs!();
    let output = run(&["run", "--log", "loud"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error, warn, info, debug"), "{said}");
}

#[test]
fn the_demo_shows_an_alert_and_a_kill_and_leaves_nothing_behind() {
    needs!();
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let mut demo = std::process::Command::new(binary());
    let output = demo.arg("demo").env("TMPDIR", dir.path()).output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}\n{said}");
    for part in ["CREDIT_CARD", "US_SSN", "alerted", "killed", "µs", "bytes"] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0);
}

/// However early it is interrupted, what it made goes with it.
#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    needs!();
    for millis in [10, 40, 80, 160, 320] {
        let dir = tempfile::TempDir::new().expect("a temporary directory");
        let mut demo = std::process::Command::new(binary());
        demo.arg("demo").env("TMPDIR", dir.path());
        demo.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut demo = demo.spawn().expect("the binary runs");
        std::thread::sleep(std::time::Duration::from_millis(millis));
        let pid = nix::unistd::Pid::from_raw(demo.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it is ours");
        demo.wait().expect("it ends");
        let left = std::fs::read_dir(dir.path()).expect("a directory").count();
        assert_eq!(left, 0, "interrupted after {millis} ms");
    }
}
