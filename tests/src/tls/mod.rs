//! TLS: an authority of the test's own, servers that keep what came, clients as people have them,
//! and what is asked of the one alert of a value that left over it.
//!
//! What a server keeps proves that the value went over TLS. No server sends back what it got: the
//! monitor sees its answers as well.

pub mod client;
pub mod fresh;
pub mod go;
pub mod own;
pub mod postgres;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::net::V4;
use crate::nginx::Nginx;
use crate::wait::wait_for;
use crate::{Alert, Monitor, Running, tool};

/// Held by a test for as long as its daemon runs: a host has one daemon, and of two that hook and unhook
/// the same files one may come late to a program's first request.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed has ended its daemon before it let go.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An authority and a certificate for loopback, made with openssl(1), which the tests need
/// anyway.
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    /// Makes keys and certificates.
    #[track_caller]
    pub fn make() -> Authority {
        let dir = TempDir::new().expect("a temporary directory");
        let made = Authority { dir };
        made.sign("CN=authority of a test", "authority", &["basicConstraints=critical,CA:TRUE"]);
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";
        made.sign("CN=localhost", "certificate", &[names, "basicConstraints=critical,CA:FALSE"]);
        made
    }

    #[track_caller]
    fn sign(&self, subject: &str, name: &str, extensions: &[&str]) {
        let mut request = Command::new(tool("openssl").expect("openssl is there"));
        request.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        request.args(["-nodes", "-days", "2", "-subj", &format!("/{subject}")]);
        for extension in extensions {
            request.args(["-addext", extension]);
        }
        request.arg("-keyout").arg(self.at(&format!("{name}.key")));
        request.arg("-out").arg(self.at(&format!("{name}.pem")));
        if name != "authority" {
            request.arg("-CA").arg(self.ca()).arg("-CAkey").arg(self.at("authority.key"));
        }
        let output = request.output().expect("openssl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{request:?}: {said}");
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What clients are to trust.
    pub fn ca(&self) -> PathBuf {
        self.at("authority.pem")
    }

    /// The certificate of localhost and both loopback addresses.
    pub fn certificate(&self) -> PathBuf {
        self.at("certificate.pem")
    }

    /// Its key.
    pub fn key(&self) -> PathBuf {
        self.at("certificate.key")
    }
}

/// Which server a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Python's, which answers HTTP/1.1 and keeps whatever comes.
    Anything(IpAddr),
    /// nginx with HTTP/2, which keeps what is put.
    Http2,
}

enum Process {
    Python(Running),
    Nginx(Nginx),
}

/// A server with its authority, and a directory for what its client needs.
pub struct Site {
    /// Who signed its certificate.
    pub authority: Authority,
    /// Where it listens.
    pub address: SocketAddr,
    /// For files of the client; gone with it.
    pub dir: TempDir,
    kept: PathBuf,
    process: Process,
}

/// How a program ended.
pub struct Ran {
    /// Its process id.
    pub pid: u32,
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub said: String,
}

impl Site {
    /// Over IPv4, with HTTP/1.1.
    pub fn start() -> Site {
        Self::of(Serves::Anything(V4))
    }

    /// A server of this kind.
    #[track_caller]
    pub fn of(serves: Serves) -> Site {
        let (authority, dir) = (Authority::make(), TempDir::new().expect("a temporary directory"));
        let (address, kept, process) = match serves {
            Serves::Anything(ip) => {
                let kept = dir.path().join("kept");
                let mut server = Command::new(tool("python3").expect("python3 is there"));
                server.args(["-I", "-c", include_str!("server.py"), &ip.to_string()]);
                server.arg(authority.certificate()).arg(authority.key()).arg(&kept);
                let mut server = Running::start(&mut server);
                let port = server.line().parse().expect("the server says its port");
                (SocketAddr::new(ip, port), kept, Process::Python(server))
            }
            Serves::Http2 => {
                let nginx = Nginx::tls(&authority, "nothing\n");
                (nginx.address, nginx.kept(), Process::Nginx(nginx))
            }
        };
        Site { authority, address, dir, kept, process }
    }

    /// URL of a path there.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.address)
    }

    /// What came, as text.
    pub fn received(&self) -> String {
        let files: Vec<PathBuf> = match std::fs::read_dir(&self.kept) {
            Ok(dir) => dir.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![self.kept.clone()],
        };
        let texts = files.iter().filter_map(|file| std::fs::read(file).ok());
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }

    /// Waits until a value came, and says so: what fails behind it is not the rig.
    #[track_caller]
    pub fn wait_received(&self, value: &str) {
        wait_for("the value at the server", || self.received().contains(value).then_some(()));
        eprintln!("the server has got the value");
    }

    /// Whether an alert is of the server, or of something that was sent to it.
    pub fn concerns(&self, alert: &Alert) -> bool {
        let pid = match &self.process {
            Process::Python(server) => server.pid(),
            Process::Nginx(nginx) => nginx.worker(),
        };
        alert.pid() == pid
            || alert.destination() == Some((self.address.ip().to_string(), self.address.port()))
    }

    /// Runs a client to its end.
    #[track_caller]
    pub fn run(&self, call: client::Call) -> Ran {
        self.run_with(call.command, call.input.as_deref())
    }

    /// Runs a program that reads nothing to its end.
    #[track_caller]
    pub fn run_command(&self, command: Command) -> Ran {
        self.run_with(command, None)
    }

    #[track_caller]
    fn run_with(&self, mut command: Command, input: Option<&str>) -> Ran {
        let said = self.dir.path().join("stderr");
        let file = std::fs::File::create(&said).expect("a file in the temporary directory");
        let mut client = Running::start(command.stderr(Stdio::from(file)));
        if let Some(input) = input {
            client.say(input);
        }
        client.close_input();
        let (pid, status) = (client.pid(), client.wait());
        Ran { pid, status, said: std::fs::read_to_string(said).unwrap_or_default() }
    }
}

/// The one alert among those that `concerns` picks: this card, once, on its way into TLS.
#[track_caller]
pub fn found(monitor: &Monitor, card: &str, concerns: impl Fn(&Alert) -> bool) -> Alert {
    monitor.settle();
    let alerts: Vec<Alert> = monitor.alerts().into_iter().filter(|alert| concerns(alert)).collect();
    let [alert] = &alerts[..] else {
        let status = monitor.status();
        let (kernel, tls) = (&status["kernel"], &status["tls"]);
        panic!("one alert expected, there are {}: {alerts:#?}; {kernel} {tls}", alerts.len());
    };
    is_of(alert, card);
    alert.clone()
}

/// Asserts that an alert is of this card, once, on its way into TLS.
#[track_caller]
pub fn is_of(alert: &Alert, card: &str) {
    let findings = alert.findings();
    let [(entity, masked, count)] = findings[..] else {
        panic!("one finding expected: {alert:?}");
    };
    assert_eq!((entity, count), ("CREDIT_CARD", 1), "{alert:?}");
    assert!(masked.ends_with(&card[card.len() - 4..]), "{alert:?}");
    assert_eq!((alert.text("/tap"), alert.text("/transport")), ("tls", "tls"), "{alert:?}");
}
