//! Programs as people have them: curl, python's http.client, nc, nginx; processes that are short,
//! many, or no longer root.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use support::cgroup::{Cgroup, own};
use support::net::{V4, V6};
use support::nginx::Nginx;
use support::program::with_data;
use support::wait::wait_for;
use support::{Monitor, Receiver, Running, needs, python, tool};
use tempfile::TempDir;

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

fn curl(arguments: &[&str]) -> Running {
    let mut curl = Command::new(tool("curl").expect("curl is there"));
    Running::start(curl.args(["--silent", "--show-error", "--noproxy", "*"]).args(arguments))
}

#[test]
fn curl_posts_a_card_that_stands_on_its_command_line() {
    needs!("curl");
    let (monitor, receiver) = (Monitor::start(), Receiver::http(V4));
    let card = monitor.data.card_grouped(" ");
    let body = format!("{{\"name\":\"Erika Example\",\"card_number\":\"{card}\"}}");
    let url = format!("http://{}/orders", receiver.address);
    let mut curl = curl(&["--header", "Content-Type: application/json", "--data", &body, &url]);
    curl.finish();
    let alert = monitor.found(curl.pid(), "CREDIT_CARD", receiver.address);
    let (_, masked, count) = alert.findings()[0];
    assert_eq!((masked, count), (&*format!("4*** **** **** {}", &card[15..]), 1));
    assert_eq!(alert.text("/findings/0/place"), "http.request.body card_number");
    assert_eq!(alert.text("/process/exe"), tool("curl").unwrap().display().to_string());
    assert!(alert.text("/process/cmdline").contains(masked), "{alert:?}");
    assert_eq!(alert.number("/process/parent_pid"), u64::from(std::process::id()));
}

#[test]
fn curl_gets_with_form_encoding() {
    needs!("curl");
    let (monitor, receiver) = (Monitor::start(), Receiver::http(V4));
    let card = format!("card={}", monitor.data.card_grouped(" "));
    let url = format!("http://{}/pay", receiver.address);
    let mut curl = curl(&["--get", "--data-urlencode", &card, &url]);
    curl.finish();
    let sent = String::from_utf8_lossy(&receiver.text()).into_owned();
    assert!(sent.contains("card=") && !sent.contains(&card), "curl encoded it: {sent}");
    let alert = monitor.found(curl.pid(), "CREDIT_CARD", receiver.address);
    assert!(alert.text("/findings/0/place").starts_with("http.request"), "{alert:?}");
}

/// What a percent-encoded command line shows is masked as well.
#[test]
fn a_command_line_that_is_percent_encoded_is_masked() {
    needs!("curl");
    let (monitor, receiver) = (Monitor::start(), Receiver::http(V4));
    let card = monitor.data.card_grouped("%20");
    let url = format!("http://{}/pay?card={card}", receiver.address);
    let mut curl = curl(&[&url]);
    curl.finish();
    monitor.found(curl.pid(), "CREDIT_CARD", receiver.address);
}

/// The kernel notes 512 bytes of a command line: half a value at its end is not shown either.
#[test]
fn a_value_that_the_bound_of_a_command_line_cuts_is_not_shown() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    for shown in [5, 12, 15, 18] {
        let card = monitor.data.card_grouped(" ");
        let mut sender = Command::new(SENDER);
        let filler = "x".repeat(512 - SENDER.len() - "  once  ".len() + 1 - shown);
        sender.args(["once", &filler, &card]);
        with_data(&mut sender, receiver.address, &[&format!("card {card}")]);
        let mut sender = Running::start(&mut sender);
        sender.finish();
        let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
        let cmdline = alert.text("/process/cmdline");
        assert!(cmdline.contains("once xxx"), "{cmdline}");
        assert!(!cmdline.contains(&card[..4]), "{shown} characters are there: {cmdline}");
    }
}

#[test]
fn curl_over_ipv6_uploads_a_multipart_form() {
    needs!("curl");
    let (monitor, receiver) = (Monitor::start(), Receiver::http(V6));
    let form = format!("ssn={}", monitor.data.ssn());
    let mut curl = curl(&["--form", &form, &format!("http://{}/form", receiver.address)]);
    curl.finish();
    monitor.found(curl.pid(), "US_SSN", receiver.address);
}

#[test]
fn python_http_client_posts_an_iban() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::http(V4));
    let body = format!("iban={}&amount=12", monitor.data.iban());
    let code = "
import http.client
connection = http.client.HTTPConnection(*TO)
headers = {'Content-Type': 'application/x-www-form-urlencoded'}
connection.request('POST', '/transfer', D[0], headers); connection.getresponse().read()";
    let mut client = Running::start(&mut python(code, receiver.address, &[&body]));
    client.finish();
    monitor.found(client.pid(), "IBAN_CODE", receiver.address);
}

#[test]
fn nc_sends_what_it_reads() {
    needs!("nc");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let port = receiver.address.port().to_string();
    let mut nc = Command::new(tool("nc").unwrap());
    let mut nc = Running::start(nc.args(["-N", "127.0.0.1", &port]));
    nc.say(&format!("card {}", monitor.data.card()));
    nc.close_input();
    nc.finish();
    let alert = monitor.found(nc.pid(), "CREDIT_CARD", receiver.address);
    assert_eq!(alert.text("/process/exe"), tool("nc").unwrap().display().to_string());
}

#[test]
fn nginx_serves_a_page_and_its_worker_is_named() {
    needs!("nginx", "curl");
    let monitor = Monitor::start();
    let page = format!("<p>card {}</p>\n", monitor.data.card_grouped(" "));
    let nginx = Nginx::start("", &page);
    let mut curl = curl(&[&format!("http://{}/page.html", nginx.address)]);
    curl.finish();
    let alert = monitor.the_alert_of(nginx.worker());
    assert_eq!(alert.entities(), ["CREDIT_CARD"]);
    assert_eq!(alert.text("/process/exe"), tool("nginx").unwrap().display().to_string());
    assert_eq!(alert.number("/process/parent_pid"), u64::from(nginx.master.pid()));
    assert!(alert.text("/findings/0/place").starts_with("http.response"), "{alert:?}");
    assert!(monitor.of(curl.pid()).is_empty());
}

#[test]
fn nginx_keep_alive_finds_the_value_in_the_third_answer_only() {
    needs!("nginx");
    let monitor = Monitor::start();
    let page = format!("<p>ssn {}</p>\n", monitor.data.ssn());
    let nginx = Nginx::start("", &page);
    let mut client = TcpStream::connect(nginx.address).expect("nginx listens");
    for name in ["other", "other", "page", "other"] {
        let close = if name == "page" { "" } else { "X-Nothing: 1\r\n" };
        let request = format!("GET /{name}.html HTTP/1.1\r\nHost: test\r\n{close}\r\n");
        client.write_all(request.as_bytes()).expect("nginx reads");
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.ends_with(b"\n") || !contains(&answer, b"\r\n\r\n") {
            let bytes = client.read(&mut buffer).expect("nginx answers");
            answer.extend_from_slice(&buffer[..bytes]);
        }
    }
    let alert = monitor.the_alert_of(nginx.worker());
    assert_eq!(alert.entities(), ["US_SSN"]);
    let here = client.local_addr().expect("an address");
    assert_eq!(alert.destination(), Some((here.ip().to_string(), here.port())));
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// `sendfile` names no bytes: they are read where they leave.
#[test]
fn what_nginx_sends_by_sendfile_is_found() {
    needs!("nginx", "curl");
    let monitor = Monitor::start();
    let page = format!("{}card {}\n", "a line of the page\n".repeat(5_000), monitor.data.card());
    let nginx = Nginx::start("sendfile on;", &page);
    let mut curl = curl(&["--output", "/dev/null", &format!("http://{}/page.html", nginx.address)]);
    curl.finish();
    let alert = monitor.the_alert_of(nginx.worker());
    assert_eq!((alert.entities().as_slice(), alert.text("/tap")), (&["CREDIT_CARD"][..], "packet"));
    let coverage = monitor.coverage(nginx.worker()).expect("the worker sent");
    assert_eq!(coverage["bytes_sent"], coverage["bytes_examined"], "{coverage}");
    assert_eq!(coverage["gaps"], serde_json::json!({}), "{coverage}");
}

/// Server-side includes take the length away, so the answer is chunked.
#[test]
fn nginx_serves_a_page_in_chunks() {
    needs!("nginx", "curl");
    let monitor = Monitor::start();
    let page = format!("<p>card</p><p>{}</p><!--# echo var=\"none\" -->\n", monitor.data.card());
    let nginx = Nginx::start("ssi on;", &page);
    let mut curl = curl(&["--include", &format!("http://{}/page.html", nginx.address)]);
    wait_for("a chunked answer", || {
        curl.line().to_lowercase().contains("transfer-encoding: chunked").then_some(())
    });
    let worker = nginx.worker();
    assert_eq!(monitor.the_alert_of(worker).entities(), ["CREDIT_CARD"]);
}

#[test]
fn a_program_that_is_gone_at_once_is_named() {
    needs!();
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let text = format!("card {}", monitor.data.card());
    let mut sender = Command::new(SENDER);
    sender.arg("once");
    with_data(&mut sender, receiver.address, &[&text]);
    let mut sender = Running::start(&mut sender);
    sender.finish();
    let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    let exe = Path::new(SENDER).canonicalize().expect("it was built");
    assert_eq!(alert.text("/process/exe"), exe.display().to_string());
    assert_eq!(alert.text("/process/cmdline"), format!("{SENDER} once"));
    assert_eq!(alert.number("/process/uid"), 0);
    assert_eq!(alert.number("/process/parent_pid"), u64::from(std::process::id()));
    assert_eq!(alert.text("/process/cgroup"), own());
    assert!(alert.number("/process/start_ns") > 0);
}

#[test]
fn the_cgroup_and_unit_of_a_program_that_is_gone_are_named() {
    needs!("sh");
    let name = format!("egress-monitor-test-{}.service", std::process::id());
    let Some(cgroup) = Cgroup::make(&name) else { support::skip!("no cgroup v2 to write to") };
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let mut shell = Command::new("sh");
    let code = "echo $$ >\"$1/cgroup.procs\" && exec \"$2\" once";
    shell.args(["-c", code, "sh"]).arg(cgroup.path()).arg(SENDER);
    with_data(&mut shell, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(&mut shell);
    sender.finish();
    let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    assert_eq!(alert.text("/process/unit"), name);
    assert!(alert.text("/process/cgroup").ends_with(&name), "{alert:?}");
}

#[test]
fn a_shell_that_sends_and_exits_at_once_is_named() {
    needs!("bash");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let mut shell = Command::new(tool("bash").unwrap());
    let code = "echo \"card $CARD\" >\"/dev/tcp/127.0.0.1/$PORT\"";
    shell.args(["-c", code]).env("CARD", monitor.data.card());
    let mut shell = Running::start(shell.env("PORT", receiver.address.port().to_string()));
    shell.finish();
    let alert = monitor.found(shell.pid(), "CREDIT_CARD", receiver.address);
    assert_eq!(alert.text("/process/exe"), tool("bash").unwrap().display().to_string());
}

/// Whoever starts a process chooses its arguments: an alert stays one line of JSON, and a line for
/// people shows no control characters.
#[test]
fn a_command_line_made_to_deceive_stays_in_its_line() {
    needs!("bash");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let mut shell = Command::new(tool("bash").unwrap());
    let code = r#"exec -a $'\e[2J\n{"outcome":"none"}\xff' "$1" once $'\n\r\t"' "#;
    shell.args(["-c", code, "bash", SENDER]);
    with_data(&mut shell, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(&mut shell);
    sender.finish();
    let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    assert!(alert.text("/process/cmdline").contains("{\"outcome\":\"none\"}"), "{alert:?}");
    assert_eq!(alert.text("/outcome"), "alerted");
}

#[test]
fn a_process_that_gave_up_root_is_told_with_its_uid() {
    needs!("setpriv");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let mut setpriv = Command::new(tool("setpriv").unwrap());
    // The program is copied to where any user may execute it.
    let dir = TempDir::new().expect("a temporary directory");
    let open = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open()).expect("our own directory");
    let copy = dir.path().join("sender");
    std::fs::copy(SENDER, &copy).expect("a copy");
    setpriv.args(["--reuid", "4711", "--regid", "4711", "--clear-groups"]).arg(&copy).arg("once");
    with_data(&mut setpriv, receiver.address, &[&format!("card {}", monitor.data.card())]);
    let mut sender = Running::start(&mut setpriv);
    sender.finish();
    let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    assert_eq!(alert.number("/process/uid"), 4711);
    assert_eq!(alert.text("/process/exe"), copy.display().to_string());
}

#[test]
fn a_process_that_gives_up_root_between_two_sends_is_told_as_it_was_at_each() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let texts: Vec<String> = (0..2).map(|_| format!("card {}", monitor.data.card())).collect();
    let code = "s = tcp(); s.sendall(D[0]); os.setuid(4712); s.sendall(D[1])";
    let texts = [texts[0].as_str(), texts[1].as_str()];
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    let alerts = monitor.of(sender.pid());
    let uids: Vec<u64> = alerts.iter().map(|alert| alert.number("/process/uid")).collect();
    assert_eq!(uids, [0, 4712]);
}

#[test]
fn sixty_four_processes_at_once_are_each_found_once() {
    needs!();
    let monitor = Monitor::start();
    let receivers: Vec<Receiver> = (0..8).map(|_| Receiver::tcp(V4)).collect();
    let mut senders: Vec<(Running, &Receiver, String)> = (0..64)
        .map(|n| {
            let receiver = &receivers[n % receivers.len()];
            let card = monitor.data.card();
            let mut sender = Command::new(SENDER);
            sender.arg("wait");
            with_data(&mut sender, receiver.address, &[&format!("card {card}")]);
            (Running::start(&mut sender), receiver, card)
        })
        .collect();
    for (sender, _, _) in &mut senders {
        assert_eq!(sender.line(), "ready");
    }
    senders.iter_mut().for_each(|(sender, _, _)| sender.close_input());
    senders.iter_mut().for_each(|(sender, _, _)| sender.finish());
    for (sender, receiver, card) in &senders {
        let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
        let (_, masked, _) = alert.findings()[0];
        assert!(masked.ends_with(&card[12..]), "{masked} for a card of another process");
    }
}
