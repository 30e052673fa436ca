//! What leaves over TLS is read where it is handed to the library: every client and server once,
//! each with a value of its own that must be found once. The rig is proven by the other side, which
//! must have got the value.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use support::net::V4;
use support::nginx::{Nginx, free_port};
use support::program::hex;
use support::tls::own::wait_hooked;
use support::tls::postgres::Postgres;
use support::tls::{Authority, Site, alone, client, found, go};
use support::wait::wait_for;
use support::{Alert, Monitor, Running, needs, python, skip, tool};
use tempfile::TempDir;

/// Runs a client of the table without the daemon and with it.
#[track_caller]
fn check(name: &str) {
    let client = client::named(name);
    if let Some(reason) = client.missing() {
        skip!("{reason}");
    }
    let _alone = alone();
    let site = Site::of(client.serves);
    let without = match (client.call)(&site, "nothing") {
        Ok(call) => site.run(call),
        Err(reason) => skip!("{reason}"),
    };
    let monitor = Monitor::start();
    let run = || {
        let card = monitor.data.card();
        let call = (client.call)(&site, &card).expect("it could be called before");
        let (exe, by_child) = (call.exe.clone(), call.by_child);
        let ran = site.run(call);
        assert_eq!(ran.status, without.status, "with and without the daemon: {}", ran.said);
        site.wait_received(&card);
        (card, exe, by_child, ran)
    };
    let concerns = |alert: &Alert, pid: u32| site.concerns(alert) || alert.pid() == pid;
    let (mut card, exe, by_child, mut ran) = run();
    monitor.settle();
    // A program that is the first to use a file, and sends within milliseconds, may not be read that
    // once (docs/tls.md); on a crowded machine it is so now and then.
    if !monitor.alerts().iter().any(|alert| concerns(alert, ran.pid)) {
        eprintln!("{name}: the first request was sent before its library was hooked");
        (card, _, _, ran) = run();
    }
    let alert = found(&monitor, &card, |alert| concerns(alert, ran.pid));
    assert!(by_child || alert.pid() == ran.pid, "{alert:?}");
    let to = (site.address.ip().to_string(), site.address.port());
    assert_eq!(alert.destination(), Some(to), "{alert:?}");
    let told = alert.text("/process/exe");
    assert!(Path::new(told).ends_with(&exe), "{} and not {}", told, exe.display());
}

#[test]
fn curl_over_http_1() {
    check("curl, HTTP/1.1");
}

#[test]
fn curl_over_ipv6() {
    check("curl, IPv6");
}

#[test]
fn curl_with_tls_1_2() {
    check("curl, TLS 1.2");
}

#[test]
fn curl_over_http_2_with_a_body() {
    check("curl, HTTP/2 body");
}

#[test]
fn curl_over_http_2_with_a_field_of_the_head() {
    check("curl, HTTP/2 head");
}

#[test]
fn curl_with_gnutls() {
    check("curl with GnuTLS");
}

#[test]
fn wget_posts() {
    check("wget");
}

#[test]
fn git_asks_with_a_field_of_its_users() {
    check("git");
}

#[test]
fn python_http_client_over_tls() {
    check("python http.client");
}

#[test]
fn python_requests() {
    check("python requests");
}

#[test]
fn python_asyncio_encrypts_into_memory() {
    check("python asyncio");
}

#[test]
fn node_https() {
    check("node https");
}

#[test]
fn node_fetch() {
    check("node fetch");
}

#[test]
fn a_go_program() {
    check("go");
}

#[test]
fn a_go_program_without_symbols() {
    check("go, stripped");
}

#[test]
fn a_go_program_that_is_position_independent() {
    check("go, PIE");
}

#[test]
fn a_go_program_over_http_2() {
    check("go, HTTP/2");
}

#[test]
fn openssl_s_client_sends_what_it_reads() {
    check("openssl s_client");
}

#[test]
fn gnutls_cli_sends_what_it_reads() {
    check("gnutls-cli");
}

#[test]
fn tstclnt_of_nss_sends_what_a_file_has() {
    check("tstclnt");
}

/// Its whole table of symbols is searched, behind those of other programs: it is hooked seconds after it
/// was first run.
#[test]
fn a_program_with_rustls_inside() {
    let client = client::named("rustls");
    if let Some(reason) = client.missing() {
        skip!("{reason}");
    }
    let _alone = alone();
    let (site, monitor) = (Site::of(client.serves), Monitor::start());
    let call = |value: &str| (client.call)(&site, value).expect("it is built with the tests");
    let first = call("nothing");
    let exe = first.exe.clone();
    assert!(site.run(first).status.success());
    wait_hooked(&monitor, &exe, true);
    let card = monitor.data.card();
    let ran = site.run(call(&card));
    assert!(ran.status.success(), "{}", ran.said);
    site.wait_received(&card);
    let alert = found(&monitor, &card, |alert| site.concerns(alert) || alert.pid() == ran.pid);
    let to = (site.address.ip().to_string(), site.address.port());
    assert_eq!((alert.pid(), alert.destination()), (ran.pid, Some(to)), "{alert:?}");
    assert_eq!(alert.text("/process/exe"), exe.display().to_string());
}

#[test]
fn a_copy_of_curl_and_its_library() {
    check("a copied curl and libssl");
}

#[test]
fn curl_in_another_root_and_mount_namespace() {
    check("curl in another root and mount namespace");
}

/// A client that was connected before the daemon came, and what it waits for on its input.
#[track_caller]
fn held(site: &Site, mut client: Running, line: impl Fn(&str) -> String) {
    let monitor = Monitor::start();
    let card = monitor.data.card();
    client.say(&line(&format!("card {card}")));
    site.wait_received(&card);
    let alert = found(&monitor, &card, |alert| site.concerns(alert) || alert.pid() == client.pid());
    assert_eq!(alert.pid(), client.pid());
    let to = (site.address.ip().to_string(), site.address.port());
    assert_eq!(alert.destination(), Some(to), "{alert:?}");
    client.close_input();
}

#[test]
fn a_connection_of_openssl_that_was_there_before() {
    needs!("openssl", "python3");
    let _alone = alone();
    let site = Site::start();
    let mut client = Running::start(&mut client::openssl_client(&site));
    client.say("nothing yet");
    site.wait_received("nothing yet");
    held(&site, client, str::to_owned);
}

#[test]
fn a_connection_of_python_that_was_there_before() {
    needs!("openssl", "python3");
    let _alone = alone();
    let site = Site::start();
    let mut client = Running::start(&mut client::python_held(&site));
    assert_eq!(client.line(), "connected");
    held(&site, client, hex);
}

/// curl gets a page over TLS; the port that it got it at.
#[track_caller]
fn get(authority: &Authority, url: &str, card: &str, arguments: &[&str]) -> u16 {
    let mut curl = Command::new(tool("curl").expect("curl is there"));
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]).arg(authority.ca());
    curl.args(arguments).args(["--write-out", "\n%{local_port}", url]);
    let output = curl.output().expect("curl runs");
    let got = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && got.contains(card), "{output:?}");
    eprintln!("the client has got the card");
    got.lines().last().and_then(|port| port.parse().ok()).expect("a port")
}

/// The one alert of a server, which answered to a port.
#[track_caller]
fn answered(monitor: &Monitor, card: &str, server: u32, port: u16) -> Alert {
    let to = Some((V4.to_string(), port));
    let alert = found(monitor, card, |alert| alert.pid() == server || alert.destination() == to);
    assert_eq!((alert.pid(), alert.destination()), (server, to), "{alert:?}");
    alert
}

#[track_caller]
fn nginx_serves(arguments: &[&str]) {
    let _alone = alone();
    let (monitor, authority) = (Monitor::start(), Authority::make());
    let card = monitor.data.card();
    let nginx = Nginx::tls(&authority, &format!("<p>card {card}</p>\n"));
    let url = format!("https://{}/page.html", nginx.address);
    let port = get(&authority, &url, &card, arguments);
    let alert = answered(&monitor, &card, nginx.worker(), port);
    assert_eq!(alert.text("/process/exe"), tool("nginx").unwrap().display().to_string());
    assert!(alert.text("/findings/0/place").starts_with("http.response"), "{alert:?}");
}

#[test]
fn nginx_serves_a_page_over_http_1() {
    needs!("openssl", "nginx", "curl");
    nginx_serves(&["--http1.1"]);
}

#[test]
fn nginx_serves_a_page_over_http_2() {
    needs!("openssl", "nginx", "curl");
    nginx_serves(&["--http2"]);
}

#[test]
fn a_go_server_answers() {
    needs!("openssl", "go", "curl");
    let _alone = alone();
    let (monitor, authority) = (Monitor::start(), Authority::make());
    let (card, dir) = (monitor.data.card(), TempDir::new().expect("a temporary directory"));
    let mut server = Command::new(go::build(go::SERVER, go::PLAIN, dir.path()));
    server.arg(authority.certificate()).arg(authority.key()).env("CARD", &card);
    let mut server = Running::start(&mut server);
    let url = format!("https://{}/", server.line());
    let port = get(&authority, &url, &card, &["--http1.1"]);
    answered(&monitor, &card, server.pid(), port);
}

/// The server of openssl(1) or GnuTLS, with its port.
fn serve(name: &str, arguments: &[&str]) -> (Running, u16) {
    let port = free_port();
    let mut server = Command::new(tool(name).expect("it is there"));
    server.args(arguments).arg(port.to_string()).stderr(Stdio::null());
    let server = Running::start(&mut server);
    wait_for("the server to listen", || TcpStream::connect((V4, port)).ok());
    (server, port)
}

#[test]
fn openssl_s_server_sends_what_it_reads() {
    needs!("openssl", "python3");
    let _alone = alone();
    let (monitor, authority) = (Monitor::start(), Authority::make());
    let (certificate, key) = (authority.certificate(), authority.key());
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let arguments = ["s_server", "-key", &key, "-cert", &certificate, "-accept"];
    let (mut server, port) = serve("openssl", &arguments);
    let mut client = client_that_reads(&authority, port);
    let here: u16 = client.line().parse().expect("its port");
    let card = monitor.data.card();
    server.say(&format!("card {card}"));
    assert_eq!(client.line(), format!("card {card}"));
    answered(&monitor, &card, server.pid(), here);
}

/// It sends back what it got, so both sides have a finding.
#[test]
fn gnutls_serv_sends_back_what_it_got() {
    needs!("openssl", "python3", "gnutls-serv");
    let _alone = alone();
    let (monitor, authority) = (Monitor::start(), Authority::make());
    let (certificate, key) = (authority.certificate(), authority.key());
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let files = ["--x509certfile", &certificate, "--x509keyfile", &key];
    let arguments = [&["--echo"][..], &files, &["--port"]].concat();
    let (server, port) = serve("gnutls-serv", &arguments);
    let mut client = client_that_reads(&authority, port);
    let here: u16 = client.line().parse().expect("its port");
    let card = monitor.data.card();
    client.say(&format!("card {card}"));
    assert_eq!(client.line(), format!("card {card}"));
    let to_client = |alert: &Alert| alert.destination() == Some((V4.to_string(), here));
    assert_eq!(found(&monitor, &card, to_client).pid(), server.pid());
    let to_server = |alert: &Alert| alert.destination() == Some((V4.to_string(), port));
    assert_eq!(found(&monitor, &card, to_server).pid(), client.pid());
}

/// A client that says its port, sends its lines and prints what it gets.
fn client_that_reads(authority: &Authority, port: u16) -> Running {
    let code = "
import ssl, threading
context = ssl.create_default_context(cafile=D[0].decode())
stream = context.wrap_socket(tcp(), server_hostname='localhost')
say(stream.getsockname()[1])
def read():
    while part := stream.recv(4096): sys.stdout.write(part.decode()); sys.stdout.flush()
threading.Thread(target=read, daemon=True).start()
for line in sys.stdin: stream.sendall(line.encode())";
    let ca = authority.ca().display().to_string();
    Running::start(&mut python(code, (V4, port).into(), &[&ca]))
}

#[test]
fn psql_hands_a_value_to_postgresql() {
    needs!("openssl");
    let _alone = alone();
    let authority = Authority::make();
    let Some(postgres) = Postgres::start(&authority) else {
        skip!("no PostgreSQL server and client are installed");
    };
    let monitor = Monitor::start();
    let card = monitor.data.card();
    let statement = format!("CREATE TABLE orders AS SELECT '{card}' AS card");
    let mut psql = Running::start(&mut postgres.psql(&authority, &statement));
    psql.finish();
    let kept = postgres.local("SELECT card FROM orders").expect("psql runs");
    assert_eq!(String::from_utf8_lossy(&kept.stdout).trim(), card);
    eprintln!("the server has got the card");
    let to = Some((V4.to_string(), postgres.address.port()));
    let of_it = |alert: &Alert| alert.pid() == psql.pid() || alert.destination() == to;
    let alert = found(&monitor, &card, of_it);
    assert_eq!((alert.pid(), alert.destination()), (psql.pid(), to), "{alert:?}");
}

#[test]
fn postgresql_answers_with_a_value() {
    needs!("openssl");
    let _alone = alone();
    let authority = Authority::make();
    let Some(postgres) = Postgres::start(&authority) else {
        skip!("no PostgreSQL server and client are installed");
    };
    let monitor = Monitor::start();
    let card = monitor.data.card();
    let statement = format!("CREATE TABLE orders AS SELECT '{card}' AS card");
    assert!(postgres.local(&statement).expect("psql runs").status.success());
    let statement = "SELECT pg_backend_pid(), inet_client_port(), card FROM orders";
    let output = postgres.psql(&authority, statement).output().expect("psql runs");
    let row = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let fields: Vec<&str> = row.split('|').collect();
    let [pid, port, got] = fields[..] else { panic!("{output:?}") };
    assert_eq!(got, card);
    eprintln!("the client has got the card");
    let (pid, port) = (pid.parse().expect("a pid"), port.parse().expect("a port"));
    let alert = answered(&monitor, &card, pid, port);
    assert!(alert.text("/process/exe").ends_with("/postgres"), "{alert:?}");
}
