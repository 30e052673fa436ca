//! The daemon's life: start, signals, another instance, a sudden death, rights that are missing,
//! files that cannot be made, and what it tells systemd.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Output, Stdio};

use nix::pty::openpty;
use nix::sys::signal::Signal;
use support::monitor::binary;
use support::net::V4;
use support::program::{hex, with_data};
use support::wait::{BOUND, wait_for};
use support::{Monitor, Receiver, Running, Start, needs, python, tool};

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

/// Code and standard error of a daemon that does not come up.
#[track_caller]
fn refused(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().expect("the binary runs");
    (status.code().unwrap_or(-1), String::from_utf8_lossy(&stderr).into_owned())
}

/// A process that sends a card.
#[track_caller]
fn send_a_card(monitor: &Monitor, receiver: &Receiver) -> Running {
    let mut sender = Command::new(SENDER);
    with_data(&mut sender, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(sender.arg("once"));
    sender.finish();
    sender
}

#[test]
fn the_line_with_armed_names_taps_and_gates() {
    needs!();
    let monitor = Monitor::start();
    let said = monitor.stderr();
    let line = said.lines().find(|line| line.contains("armed in ")).expect("it is armed");
    for part in ["taps tls (", ", socket (", "gates packet (", "policy built in, 1 rules"] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
}

#[test]
fn sigterm_and_sigint_detach_and_print_a_summary() {
    needs!();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
        let sender = send_a_card(&monitor, &receiver);
        monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
        let summary = monitor.end(signal);
        for part in [" bytes sent in packets", "beyond sample_bytes_max", " alerts written, "] {
            assert!(summary.contains(part), "no {part:?} in {summary}");
        }
        assert!(!monitor.dir().join("run/control.sock").exists() || ask(&monitor).is_none());
    }
}

fn ask(monitor: &Monitor) -> Option<()> {
    let path = monitor.dir().join("run/control.sock");
    UnixStream::connect(path).ok().map(|_| ())
}

/// What was sent up to the signal has its alert, although nobody waited for it.
#[test]
fn alerts_that_are_on_their_way_at_the_end_are_written() {
    needs!();
    let (mut monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    monitor.signal(Signal::SIGSTOP);
    let pids: Vec<u32> = (0..20).map(|_| send_a_card(&monitor, &receiver).pid()).collect();
    monitor.signal(Signal::SIGTERM);
    monitor.signal(Signal::SIGCONT);
    assert!(monitor.wait().success());
    let alerts = monitor.alerts();
    for pid in pids {
        assert!(alerts.iter().any(|alert| alert.pid() == pid), "no alert of {pid}");
    }
}

#[test]
fn a_second_daemon_ends_with_75_and_the_first_goes_on() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let mut second = Command::new(binary());
    second.args(["run", "--alerts", "/dev/null"]);
    second.arg("--runtime-dir").arg(monitor.dir().join("run"));
    second.arg("--state-dir").arg(monitor.dir().join("state"));
    let (code, said) = refused(&mut second);
    assert_eq!(code, 75, "{said}");
    let expected = format!("another instance is running (pid {},", monitor.pid());
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("stop it first"), "{said}");
    let sender = send_a_card(&monitor, &receiver);
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
}

/// Ids of the programs that a process holds: proc(5), fdinfo.
fn held(pid: u32) -> Vec<u64> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process is there");
    let infos = open.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let mut ids: Vec<u64> = infos
        .filter_map(|info| {
            let id = info.lines().find_map(|line| line.strip_prefix("prog_id:"))?;
            id.trim().parse().ok()
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Ids of all programs that the kernel has.
fn loaded() -> Vec<u64> {
    let mut bpftool = Command::new(tool("bpftool").expect("it is there"));
    let listed = bpftool.args(["-j", "prog", "list"]).output().expect("bpftool runs");
    let programs: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let programs = programs.as_array().expect("a list");
    programs.iter().filter_map(|program| program["id"].as_u64()).collect()
}

#[test]
fn nothing_stays_in_the_kernel_of_a_daemon_that_was_stopped_or_killed() {
    needs!("bpftool");
    for sudden in [false, true] {
        let mut monitor = Monitor::start();
        let ids = held(monitor.pid());
        let all = loaded();
        assert!(ids.len() >= 5, "the daemon holds {ids:?}");
        assert!(ids.iter().all(|id| all.contains(id)), "{ids:?} in {all:?}");
        if sudden {
            monitor.kill();
        } else {
            monitor.end(Signal::SIGTERM);
        }
        wait_for("the kernel to let go of the programs", || {
            let left = loaded();
            (!ids.iter().any(|id| left.contains(id))).then_some(())
        });
    }
}

#[test]
fn sends_go_on_when_the_daemon_is_killed_and_another_starts_at_once() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let mut monitor = Monitor::start();
    let code = "
s = tcp(); say('ready')
while True: s.sendall(take()); say('sent')";
    let mut sender = Running::start(&mut python(code, receiver.address, &[""]));
    assert_eq!(sender.line(), "ready");
    let mut send = |text: &str| {
        sender.say(&hex(text));
        assert_eq!(sender.line(), "sent");
        sender.pid()
    };
    let pid = send(&format!("card {} ", monitor.data.card()));
    monitor.found(pid, "CREDIT_CARD", receiver.address);
    monitor.kill();
    send("nobody sees this ");
    let second = Start::new().dir_of(&monitor).run();
    second.data.note(support::Kind::Card, &monitor.data.compact()[0]);
    send(&format!("card {} ", second.data.card()));
    let both = second.of(pid);
    assert_eq!(both.len(), 2, "the alerts of both daemons are in one file: {both:#?}");
}

#[test]
fn a_daemon_without_root_ends_with_77() {
    needs!("setpriv");
    let start = Start::new();
    // Where any user may execute it.
    let copy = std::env::temp_dir().join(format!("egress-monitor-{}", std::process::id()));
    std::fs::copy(binary(), &copy).expect("a copy of the binary");
    let mut command = Command::new(tool("setpriv").expect("it is there"));
    command.args(["--reuid", "65534", "--clear-groups"]).arg(&copy).arg("run");
    let (code, said) = refused(command.arg("--runtime-dir").arg(start.dir().join("run")));
    let _ = std::fs::remove_file(&copy);
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("root"), "{said}");
}

#[test]
fn an_alert_file_in_a_directory_that_is_not_there_ends_with_73() {
    needs!();
    let start = Start::new().alerts("/no/such/directory/alerts.jsonl");
    let (code, said) = refused(&mut start.command());
    assert_eq!(code, 73, "{said}");
    assert!(said.contains("/no/such/directory/alerts.jsonl"), "{said}");
}

#[test]
fn a_runtime_directory_that_cannot_be_made_ends_with_73() {
    needs!();
    let mut command = Command::new(binary());
    let (code, said) = refused(command.args(["run", "--runtime-dir", "/proc/egress-monitor"]));
    assert_eq!(code, 73, "{said}");
    assert!(said.contains("/proc/egress-monitor"), "{said}");
    assert!(said.contains("choose another --runtime-dir"), "{said}");
}

#[test]
fn a_key_that_is_none_ends_with_78_and_is_left_alone() {
    needs!();
    let start = Start::new();
    let key = start.dir().join("state/fingerprint.key");
    std::fs::create_dir(start.dir().join("state")).expect("a directory");
    std::fs::write(&key, "short").expect("a file");
    let (code, said) = refused(&mut start.command());
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("fingerprint.key is 5 bytes"), "{said}");
    assert_eq!(std::fs::read(&key).expect("the file is there"), b"short");
}

#[test]
fn an_alert_file_that_cannot_be_opened_anew_goes_on_as_it_was() {
    needs!();
    let start = Start::new();
    let (before, after) = (start.dir().join("log"), start.dir().join("log.moved"));
    std::fs::create_dir(&before).expect("a directory");
    let start = start.alerts(&before.join("alerts.jsonl").display().to_string());
    let (mut monitor, receiver) = (start.run(), Receiver::tcp(V4));
    std::fs::rename(&before, &after).expect("both are in one directory");
    monitor.signal(Signal::SIGHUP);
    let sender = send_a_card(&monitor, &receiver);
    monitor.wait_said("alert file cannot be opened anew; the old one goes on");
    wait_for("the alert in the old file", || {
        let text = std::fs::read_to_string(after.join("alerts.jsonl")).ok()?;
        let alerts = support::alert::parse(&text);
        alerts.iter().any(|alert| alert.pid() == sender.pid()).then_some(())
    });
}

#[test]
fn alerts_to_standard_output_are_json_lines() {
    needs!();
    let start = Start::new().alerts("-");
    let path = start.dir().join("stdout");
    let (monitor, receiver) = (start.run(), Receiver::tcp(V4));
    let sender = send_a_card(&monitor, &receiver);
    let alert = wait_for("an alert on standard output", || {
        let text = std::fs::read_to_string(&path).ok()?;
        support::alert::parse(&text).into_iter().find(|alert| alert.pid() == sender.pid())
    });
    assert_eq!(alert.entities(), ["CREDIT_CARD"]);
}

/// Where a person looks on, an alert is a line to read.
#[test]
fn alerts_to_a_terminal_are_lines_for_people() {
    needs!();
    let terminal = openpty(None, None).expect("a terminal");
    let start = Start::new().alerts("-").stdout(Stdio::from(terminal.slave));
    let (monitor, receiver) = (start.run(), Receiver::tcp(V4));
    let card = monitor.data.card();
    let mut sender = Command::new(SENDER);
    with_data(&mut sender, receiver.address, &[&format!("card {card}")]);
    let mut sender = Running::start(sender.arg("once"));
    sender.finish();
    let mut lines = BufReader::new(File::from(terminal.master)).lines();
    let own = format!("sender[{}]", sender.pid());
    let line = wait_for("a line about the sender", || {
        lines.next()?.ok().filter(|line| line.contains(&own))
    });
    let masked = format!("sent CREDIT_CARD 4***********{}", &card[12..]);
    let to = format!("to {} -> alerted", receiver.address);
    for part in ["MEDIUM personal-data: ", &masked, &to] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
}

/// The programs' own lines are there for whoever asks for them.
#[test]
fn the_programs_say_what_they_do_when_asked() {
    needs!();
    for asked in [true, false] {
        let start = if asked { Start::new().args(&["--kernel-log"]) } else { Start::new() };
        let (mut monitor, receiver) = (start.run(), Receiver::tcp(V4));
        send_a_card(&monitor, &receiver);
        monitor.settle();
        if asked {
            monitor.wait_said("monitor_ebpf");
        } else {
            assert!(!monitor.stderr().contains("monitor_ebpf"), "{}", monitor.stderr());
        }
    }
}

#[test]
fn an_unknown_command_on_the_control_socket_is_told_so_and_only_root_has_the_socket() {
    needs!();
    let monitor = Monitor::start();
    let path = monitor.dir().join("run/control.sock");
    for said in [&b"stop please\n"[..], &[0xff; 4096], b""] {
        let mut stream = UnixStream::connect(&path).expect("the daemon listens");
        // It may have closed the connection after the bytes that a command may have.
        let _ = stream.write_all(said);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.contains("unknown command") || said.len() != 12, "{answer}");
    }
    assert_eq!(monitor.status()["pid"], monitor.pid());
    let mode = std::fs::metadata(&path).expect("the socket is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Many clients that ask nothing hold nobody up for longer than their time.
#[test]
fn clients_that_say_nothing_do_not_keep_others_from_the_status() {
    needs!();
    let monitor = Monitor::start();
    let path = monitor.dir().join("run/control.sock");
    let connect = || UnixStream::connect(&path).expect("the daemon listens");
    let _silent: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    assert_eq!(monitor.status()["pid"], monitor.pid());
}

/// The reader of the alerts is gone: they are counted as lost, and the daemon goes on.
#[test]
fn a_standard_output_that_nobody_reads_costs_alerts_and_not_the_daemon() {
    needs!();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let start = Start::new().alerts("-").stdout(Stdio::from(writer));
    let (mut monitor, receiver) = (start.run(), Receiver::tcp(V4));
    drop(reader);
    send_a_card(&monitor, &receiver);
    send_a_card(&monitor, &receiver);
    wait_for("two lost alerts", || {
        (monitor.status()["daemon"]["alerts_lost_write"].as_u64() >= Some(2)).then_some(())
    });
    monitor.wait_said("alert cannot be written and is lost");
    let summary = monitor.stop();
    assert!(!summary.contains("alerts written, 0 lost"), "{summary}");
}

#[test]
fn a_daemon_without_standard_streams_works() {
    needs!("sh");
    let start = Start::new().wrapper(&["sh", "-c", "exec \"$@\" <&- >&-", "sh"]);
    let (monitor, receiver) = (start.run(), Receiver::tcp(V4));
    let sender = send_a_card(&monitor, &receiver);
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
}

#[test]
fn systemd_is_told_ready_reloading_and_stopping() {
    needs!();
    let start = Start::new();
    let path = start.dir().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket in the temporary directory");
    socket.set_read_timeout(Some(BOUND)).expect("a socket takes a timeout");
    let hear = || {
        let mut buffer = [0; 4096];
        let bytes = socket.recv(&mut buffer).expect("the daemon tells");
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    };
    let start = start.environment("NOTIFY_SOCKET", &path.display().to_string());
    let monitor = start.run();
    assert!(hear().lines().any(|line| line == "READY=1"));
    monitor.signal(Signal::SIGHUP);
    let reloading = hear();
    assert!(reloading.lines().any(|line| line == "RELOADING=1"), "{reloading}");
    // systemd.service(5), Type=notify-reload.
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert!(hear().lines().any(|line| line == "READY=1"));
    monitor.stop();
    assert!(hear().lines().any(|line| line == "STOPPING=1"));
}

/// The key outlives the daemon, so the same value has the same fingerprint after a restart, and
/// another on a host with another key.
#[test]
fn fingerprints_stay_over_a_restart_and_differ_between_hosts() {
    needs!();
    let receiver = Receiver::tcp(V4);
    let mut monitor = Monitor::start();
    let card = monitor.data.card();
    let send = |monitor: &Monitor| {
        let mut sender = Command::new(SENDER);
        with_data(&mut sender, receiver.address, &[&format!("card {card}")]);
        let mut sender = Running::start(sender.arg("once"));
        sender.finish();
        monitor.found(sender.pid(), "CREDIT_CARD", receiver.address).fingerprints()
    };
    let first = send(&monitor);
    monitor.end(Signal::SIGTERM);
    let second = Start::new().dir_of(&monitor).run();
    second.data.note(support::Kind::Card, &card);
    assert_eq!(send(&second), first);
    let other = Monitor::start();
    other.data.note(support::Kind::Card, &card);
    assert_ne!(send(&other), first);
}
