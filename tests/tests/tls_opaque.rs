//! TLS that no tap reads: its ciphertext is no finding, and coverage says that it left unread.

use std::process::Command;

use support::tls::{Site, client, fresh};
use support::{Alert, Monitor, Running, needs, python, skip, tool};
use tempfile::TempDir;

/// Bytes of a process that were counted as TLS and not examined.
fn unread(monitor: &Monitor, pid: u32) -> u64 {
    let coverage = monitor.coverage(pid);
    coverage.and_then(|process| process["gaps"]["tls"].as_u64()).unwrap_or(0)
}

/// A relay has no keys: what it forwards is ciphertext to it.
const RELAY: &str = "
import threading
def copy(of, to):
    while part := of.recv(65536): to.sendall(part)
    to.shutdown(socket.SHUT_WR)
listener = socket.create_server(('127.0.0.1', 0)); say(listener.getsockname()[1])
near, _ = listener.accept(); far = tcp()
threading.Thread(target=copy, args=[far, near]).start(); copy(near, far)";

#[test]
fn ciphertext_that_is_forwarded_is_no_finding_and_a_gap() {
    needs!("openssl", "python3", "curl");
    let (site, monitor) = (Site::start(), Monitor::start());
    let mut relay = Running::start(&mut python(RELAY, site.address, &[""]));
    let url = format!("https://127.0.0.1:{}/x", relay.line());
    let card = monitor.data.card();
    let form = format!("card={card}");
    let ran = site.run_command(client::curl(&site, &["--http1.1", "--data", &form, &url]));
    assert!(ran.status.success(), "{}", ran.said);
    site.wait_received(&card);
    relay.finish();
    assert!(monitor.of(relay.pid()).is_empty(), "{:#?}", monitor.alerts());
    let (unread, coverage) = (unread(&monitor, relay.pid()), monitor.coverage(relay.pid()));
    assert!(unread > card.len() as u64, "{coverage:?}");
}

/// A client with a TLS library linked into it, and no symbol that would say where.
#[test]
fn a_program_whose_library_has_no_symbols_is_found_or_a_gap() {
    needs!("openssl", "python3", "gcc");
    let (site, dir) = (Site::start(), TempDir::new().expect("a temporary directory"));
    if fresh::library("libssl.a").is_none() {
        skip!("libssl.a is not installed");
    }
    let (source, program) = (dir.path().join("main.c"), dir.path().join("program"));
    std::fs::write(&source, include_str!("../src/tls/client.c")).expect("a file");
    let mut gcc = Command::new(tool("gcc").expect("gcc is there"));
    gcc.args(["-static", "-s", "-w", "-o"]).arg(&program).arg(&source);
    let built = gcc.args(["-lssl", "-lcrypto"]).output().expect("gcc runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let monitor = Monitor::start();
    let card = monitor.data.card();
    let mut client = Command::new(&program);
    client.arg(site.address.to_string()).arg(site.authority.ca()).env("CARD", &card);
    let ran = site.run_command(client);
    assert!(ran.status.success(), "{} {}", ran.status, ran.said);
    site.wait_received(&card);
    let alerts: Vec<Alert> = monitor.of(ran.pid);
    let unread = unread(&monitor, ran.pid);
    eprintln!("{} alerts, {unread} bytes of TLS unread", alerts.len());
    match &alerts[..] {
        [] => assert!(unread > card.len() as u64, "{:?}", monitor.coverage(ran.pid)),
        [alert] => support::tls::is_of(alert, &card),
        more => panic!("{more:#?}"),
    }
}
