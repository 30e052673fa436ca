//! nginx with one worker, under wrk, over loopback: two pages that hold no finding, of prose and full
//! of numbers, which are what the aim is about, and one where each response is worth an alert.
//!
//! nginx logs each request, as it does where nobody told it not to, and sends without `sendfile`, so
//! that the pages pass the tap as the heads do.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::machine::{field, first_number};
use super::table::{Aim, Row, Unit};
use super::tls::Certificate;
use super::{Bench, child, made_up, turns};

/// How long nginx may take to listen, and to stop.
const WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether it listens.
const POLL: Duration = Duration::from_millis(5);
/// Connections that wrk keeps.
const CONNECTIONS: &str = "16";
/// Items of a page; about 4 KiB.
const ITEMS: u64 = 34;

/// Names of the pages, and what a row calls them.
pub const PAGES: [(&str, &str); 3] = [
    ("index.html", "nginx under wrk, 600 B of HTML: requests a second"),
    ("catalogue.json", "nginx under wrk, 4 KiB of JSON without findings: requests a second"),
    ("customer.json", "nginx under wrk, 4 KiB of JSON with a card number, each an alert"),
];

/// A page such as a server has when it is new.
const HTML: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<title>It works</title>
<style>
  body { max-width: 35em; margin: 0 auto; font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>It works</h1>
<p>If you see this page, the web server is installed and runs. Nothing is served yet: put a site in
place, and name it in the configuration.</p>
<p>The manual tells how, from the first page to many servers behind one name. Questions are answered
on the mailing list.</p>
<p><em>Thank you for trying it.</em></p>
</body>
</html>
";

/// A row for each page.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    for tool in ["nginx", "wrk"] {
        ensure!(is_installed(tool), "install {tool}");
    }
    let nginx = Nginx::start(&bench.folder.0.join("nginx"))?;
    let seconds = bench.pick(2, 1);
    // Once unmeasured, so that the first round finds what the others find.
    nginx.requests_per_second(PAGES[0].0, 1)?;
    let turns = turns::take(bench, bench.pick(9, 3), |_| {
        Ok([
            nginx.requests_per_second(PAGES[0].0, seconds)?,
            nginx.requests_per_second(PAGES[1].0, 1)?,
            nginx.requests_per_second(PAGES[2].0, 1)?,
        ])
    })?;
    nginx.stop()?;
    let rows = PAGES.iter().zip(&turns).map(|((_, name), turns)| {
        let (without, with) = turns.medians();
        let note = format!(
            "{} without, {} with the monitor",
            Unit::PerSecond.show(without),
            Unit::PerSecond.show(with)
        );
        Row::new(*name, with / without, Unit::Ratio)
            .spread(turns.range_of(|without, with| with / without))
            .note(note)
    });
    // The aim is about what holds no finding.
    let aimed = |(at, row): (usize, Row)| if at < 2 { row.aim(Aim::AtLeast(0.97)) } else { row };
    Ok(rows.enumerate().map(aimed).collect())
}

/// Whether it is in a folder of PATH. Administrators' tools may be where PATH does not say.
pub fn is_installed(tool: &str) -> bool {
    let known = Command::new(tool).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(known, Err(error) if error.kind() == ErrorKind::NotFound)
}

/// A server. Killed when dropped.
pub struct Nginx {
    master: Child,
    scheme: &'static str,
    port: u16,
}

impl Nginx {
    /// Starts it in a folder that is made, and waits until it listens.
    pub fn start(folder: &Path) -> Result<Nginx> {
        Nginx::serve(folder, None)
    }

    /// The same over TLS.
    pub fn start_tls(folder: &Path, certificate: &Certificate) -> Result<Nginx> {
        Nginx::serve(folder, Some(certificate))
    }

    fn serve(folder: &Path, certificate: Option<&Certificate>) -> Result<Nginx> {
        fs::create_dir(folder)?;
        fs::write(folder.join(PAGES[0].0), HTML)?;
        fs::write(folder.join(PAGES[1].0), page(None))?;
        fs::write(folder.join(PAGES[2].0), page(Some(made_up::card(1))))?;
        let port = free_port()?;
        let config = folder.join("nginx.conf");
        fs::write(&config, config_for(port, certificate))?;
        let log = folder.join("error.log");
        let master = Command::new("nginx")
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(&log)
            .stdin(Stdio::null())
            .spawn()
            .context("nginx cannot be started")?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let nginx = Nginx { master, scheme, port };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(started.elapsed() < WAIT, "nginx does not listen; it says: {}", said());
            thread::sleep(POLL);
        }
        Ok(nginx)
    }

    /// The rate under wrk, over so many seconds, of a page.
    pub fn requests_per_second(&self, page: &str, seconds: u32) -> Result<f64> {
        self.wrk(page, seconds, &[])
    }

    /// The same with a connection for each request.
    pub fn connections_per_second(&self, page: &str, seconds: u32) -> Result<f64> {
        self.wrk(page, seconds, &["-H", "Connection: close"])
    }

    /// Where a page is.
    pub fn url(&self, page: &str) -> String {
        format!("{}://127.0.0.1:{}/{page}", self.scheme, self.port)
    }

    fn wrk(&self, page: &str, seconds: u32, more: &[&str]) -> Result<f64> {
        let output = Command::new("wrk")
            .args(["-t1", "-c", CONNECTIONS, "-d", &format!("{seconds}s")])
            .args(more)
            .arg(self.url(page))
            .output()
            .context("wrk cannot be started")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk ended with {}: {said}", output.status);
        rate_of(&said)
    }

    /// Stops it, as a service manager would.
    pub fn stop(mut self) -> Result<()> {
        child::end(&mut self.master, "nginx", Signal::SIGTERM, WAIT).map(drop)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A master that is killed would leave its worker. Gone already, it cannot be signalled.
        if matches!(self.master.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.master.id().cast_signed()), Signal::SIGTERM);
            let _ = self.master.wait();
        }
    }
}

/// What wrk says of the rate, unless it says of errors.
fn rate_of(said: &str) -> Result<f64> {
    for trouble in ["Socket errors", "Non-2xx or 3xx responses"] {
        ensure!(field(said, trouble).is_none(), "wrk had trouble: {said}");
    }
    field(said, "Requests/sec").and_then(first_number).ok_or_else(|| anyhow!("wrk said: {said}"))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn config_for(port: u16, certificate: Option<&Certificate>) -> String {
    let (ssl, certificate) = certificate.map_or_else(Default::default, |made| {
        // Each answer is another: one that is the same to the last byte may be a write that is tried
        // again, and is not read.
        let lines = format!(
            "ssl_certificate {}; ssl_certificate_key {};\n  ssl_session_tickets off; \
             add_header Request-Number $connection_requests;",
            made.certificate.display(),
            made.key.display()
        );
        (" ssl", lines)
    });
    format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n  access_log access.log;\n  sendfile off;\n  keepalive_requests 1000000000;\n  \
         server {{ listen 127.0.0.1:{port}{ssl}; root .; default_type application/json;\n  {certificate} }}\n}}\n"
    )
}

/// JSON as a shop would serve it, numbers and dates included; the last item has a card number or
/// something of the same length.
fn page(card: Option<[u8; 16]>) -> Vec<u8> {
    let mut text = String::from("{\"items\":[\n");
    for item in 0..ITEMS {
        let cents = item * 37 % 100;
        text.push_str(&format!(
            "{{\"id\":{},\"name\":\"Garden chair no. {item}\",\"price\":{}.{cents:02},\
             \"currency\":\"EUR\",\"stock\":{},\"since\":\"2031-0{}-1{}\",\"rating\":4.{}}},\n",
            1000 + item * 7,
            10 + item * 3,
            item * 13 % 50,
            1 + item % 9,
            item % 10,
            item % 10,
        ));
    }
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"{\"paid_with\":\"");
    bytes.extend_from_slice(&card.unwrap_or(*b"bank transfer---"));
    bytes.extend_from_slice(b"\"}\n]}\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_unless_there_were_errors() {
        let said = "  2 threads\nRequests/sec:  31850.65\nTransfer/sec:     10.1MB\n";
        assert_eq!(rate_of(said).unwrap(), 31_850.65);
        assert!(rate_of(&format!("  Socket errors: connect 0, read 3\n{said}")).is_err());
        assert!(rate_of(&format!("  Non-2xx or 3xx responses: 12\n{said}")).is_err());
        assert!(rate_of("unable to connect").is_err());
    }

    #[test]
    fn the_pages_differ_in_the_card_alone() {
        let (without, with) = (page(None), page(Some(made_up::card(1))));
        assert_eq!(without.len(), with.len());
        assert!((3_800..4_400).contains(&with.len()), "{}", with.len());
        assert_eq!(without.iter().zip(&with).filter(|(a, b)| a != b).count(), 16);
    }
}
