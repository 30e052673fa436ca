//! The daemon under test. Whatever it wrote by its end is looked through for the values that were
//! sent: that is done for each daemon of each test, when it is stopped or dropped.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::alert::{self, Alert};
use crate::data::Data;
use crate::net::{Receiver, V4};
use crate::wait::{BOUND, poll, wait_for};

/// How long arming may take, on a kernel that is emulated.
const ARMING_BOUND: Duration = Duration::from_secs(300);

/// Names another binary than the one that `cargo build --release` makes.
const BINARY: &str = "EGRESS_MONITOR";

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}

/// A program that is built with the tests.
pub fn built(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// The binary under test.
#[track_caller]
pub fn binary() -> PathBuf {
    let path = std::env::var_os(BINARY).map_or_else(|| built("egress-monitor"), PathBuf::from);
    match path.canonicalize() {
        Ok(path) => path,
        Err(error) => panic!(
            "{}: {error}; build it with `cargo build --release`, or set {BINARY}",
            path.display()
        ),
    }
}

/// Runs the binary to its end.
#[track_caller]
pub fn run(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().expect("the binary runs")
}

/// A daemon that is about to be started.
pub struct Start {
    dir: Rc<TempDir>,
    policy: Option<String>,
    alerts: String,
    wrapper: Vec<String>,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    stdout: Option<Stdio>,
    binary: Option<PathBuf>,
}

impl Default for Start {
    fn default() -> Self {
        Self::new()
    }
}

impl Start {
    /// With the embedded policy and directories of its own.
    pub fn new() -> Start {
        let dir = TempDir::with_prefix("egress-monitor-test-").expect("a temporary directory");
        let dir = Rc::new(dir);
        let alerts = dir.path().join("alerts.jsonl").display().to_string();
        let (wrapper, args, environment) = Default::default();
        Start { dir, policy: None, alerts, wrapper, args, environment, stdout: None, binary: None }
    }

    /// Under a policy; see [`Monitor::put_policy`].
    pub fn policy(mut self, rules: &str) -> Start {
        self.policy = Some(rules.into());
        self
    }

    /// With more arguments.
    pub fn args(mut self, args: &[&str]) -> Start {
        self.args.extend(args.iter().map(ToString::to_string));
        self
    }

    /// With alerts elsewhere.
    pub fn alerts(mut self, path: &str) -> Start {
        self.alerts = path.into();
        self
    }

    /// Started by another program, which executes what follows its own arguments.
    pub fn wrapper(mut self, wrapper: &[&str]) -> Start {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// With a variable in its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Start {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With a standard output of the test's.
    pub fn stdout(mut self, stdout: Stdio) -> Start {
        self.stdout = Some(stdout);
        self
    }

    /// Another binary than the one that was built.
    pub fn binary(mut self, binary: &Path) -> Start {
        self.binary = Some(binary.to_owned());
        self
    }

    /// With the directories of one that has ended.
    pub fn dir_of(mut self, monitor: &Monitor) -> Start {
        self.dir = Rc::clone(&monitor.start.dir);
        self.alerts = monitor.start.alerts.clone();
        self
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The command, which another [`Start`] may use once more.
    pub fn command(&self) -> Command {
        let binary = self.binary.clone().unwrap_or_else(binary).display().to_string();
        let mut words = self.wrapper.clone();
        words.push(binary);
        let mut command = Command::new(&words[0]);
        let at = |name: &str| self.dir.path().join(name);
        command.args(&words[1..]).arg("run").args(["--alerts", &self.alerts]);
        command.arg("--runtime-dir").arg(at("run")).arg("--state-dir").arg(at("state"));
        if let Some(policy) = &self.policy {
            write_policy(&at("policy.toml"), policy);
            command.arg("--policy").arg(at("policy.toml"));
        }
        command.args(&self.args);
        command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM");
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Starts it and waits until it is armed.
    #[track_caller]
    pub fn run(self) -> Monitor {
        match self.try_run() {
            Ok(monitor) => monitor,
            Err(said) => panic!("the daemon was not armed:\n{said}"),
        }
    }

    /// The same, or what it said where it ended instead. A kernel that is emulated takes minutes.
    #[track_caller]
    pub fn try_run(mut self) -> Result<Monitor, String> {
        let file = |name: &str| {
            let path = self.dir.path().join(name);
            std::fs::File::create(path).expect("a file in the temporary directory")
        };
        let mut command = self.command();
        command.stdin(Stdio::null()).stderr(file("stderr"));
        command.stdout(self.stdout.take().unwrap_or_else(|| file("stdout").into()));
        let child = command.spawn().expect("the daemon starts");
        let mut monitor = Monitor {
            command: format!("{command:?}"),
            alerts: self.alerts.clone().into(),
            start: self,
            child,
            ended: None,
            data: Data::new(),
            said: RefCell::default(),
            sentinels: RefCell::default(),
        };
        let begun = Instant::now();
        while begun.elapsed() < ARMING_BOUND {
            if let Some(ended) = poll(|| monitor.armed_or_ended()) {
                return if ended { Err(monitor.stderr()) } else { Ok(monitor) };
            }
        }
        panic!("the daemon is not armed:\n{}", monitor.stderr())
    }
}

/// Rules of a test, and the rule that [`Monitor::settle`] lives by.
fn write_policy(path: &Path, rules: &str) {
    let own = std::env::current_exe().expect("the test has a path");
    let own = own.canonicalize().expect("the test has a path");
    let text = format!(
        "version = 1\n{rules}\n\n[[rule]]\nid = \"sentinel\"\nentities = [\"CREDIT_CARD\"]\n\
         transport = [\"udp\"]\nprocess = {{ exe = [{:?}] }}\n",
        own.display().to_string()
    );
    std::fs::write(path, text).expect("a file in the temporary directory");
}

/// A daemon that is armed.
pub struct Monitor {
    command: String,
    alerts: PathBuf,
    start: Start,
    child: Child,
    ended: Option<ExitStatus>,
    /// Values that senders of this test get.
    pub data: Data,
    /// Whatever it answered to anyone.
    said: RefCell<Vec<String>>,
    sentinels: RefCell<Vec<Receiver>>,
}

impl Monitor {
    /// With the embedded policy.
    #[track_caller]
    pub fn start() -> Monitor {
        Start::new().run()
    }

    /// Under a policy.
    #[track_caller]
    pub fn under(rules: &str) -> Monitor {
        Start::new().policy(rules).run()
    }

    /// `false` once it is armed, `true` once it has ended.
    fn armed_or_ended(&mut self) -> Option<bool> {
        if self.stderr().contains("armed in ") {
            return Some(false);
        }
        self.ended = self.child.try_wait().expect("a child of the test");
        self.ended.map(|_| true)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.start.dir()
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir().join("stderr")).unwrap_or_default()
    }

    /// Waits until it wrote something to standard error.
    #[track_caller]
    pub fn wait_said(&mut self, what: &str) {
        let told = poll(|| {
            if self.stderr().contains(what) {
                return Some(true);
            }
            let ended = self.child.try_wait().expect("a child of the test");
            ended.map(|_| self.stderr().contains(what))
        });
        assert!(told == Some(true), "the daemon did not say {what:?}:\n{}", self.stderr());
    }

    /// Writes another policy into its file. `version` and a rule for sentinels are added.
    pub fn put_policy(&self, rules: &str) {
        write_policy(&self.dir().join("policy.toml"), rules);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).expect("the daemon is there");
    }

    /// Its alerts so far.
    #[track_caller]
    pub fn alerts(&self) -> Vec<Alert> {
        alert::parse(&std::fs::read_to_string(&self.alerts).unwrap_or_default())
    }

    /// Waits until its alerts are as `look` wants them.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&[Alert]) -> Option<T>) -> T {
        match poll(|| look(&self.alerts())) {
            Some(seen) => seen,
            None => panic!("no {what} among the alerts:\n{:#?}", self.alerts()),
        }
    }

    /// Waits until the daemon has dealt with everything that was sent before: a finding that is
    /// sent now, through the same ring and the same file, has its alert.
    #[track_caller]
    pub fn settle(&self) {
        let receiver = Receiver::udp(V4);
        let text = format!("card {}", self.data.card());
        let socket = UdpSocket::bind((V4, 0)).expect("a port on loopback");
        // A policy may stop it; it is told of all the same.
        if let Err(error) = socket.send_to(text.as_bytes(), receiver.address) {
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
        }
        let here = (receiver.address.ip().to_string(), receiver.address.port());
        self.wait_for("alert of a sentinel", |alerts| {
            let mut all = alerts.iter();
            all.any(|alert| alert.destination().as_ref() == Some(&here)).then_some(())
        });
        // What was written to a TLS session may wait for its socket, while others go by.
        wait_for("samples that wait", || {
            let status = self.status();
            let count = |of: &str, name: &str| status[of][name].as_u64();
            let delivered = count("kernel", "samples_delivered");
            (count("daemon", "samples_received") == delivered).then_some(())
        });
        // Its port is not to be used again while this daemon runs.
        self.sentinels.borrow_mut().push(receiver);
    }

    /// All alerts of a process, once the daemon has dealt with all that was sent so far.
    #[track_caller]
    pub fn of(&self, pid: u32) -> Vec<Alert> {
        self.settle();
        self.alerts().into_iter().filter(|alert| alert.pid() == pid).collect()
    }

    /// The one alert of a process, once the daemon has dealt with all that was sent so far.
    #[track_caller]
    pub fn the_alert_of(&self, pid: u32) -> Alert {
        match &self.of(pid)[..] {
            [alert] => alert.clone(),
            others => panic!("one alert expected, there are {}: {others:#?}", others.len()),
        }
    }

    /// The one alert of a process: it found this one entity on the way to this address.
    #[track_caller]
    pub fn found(&self, pid: u32, entity: &str, to: SocketAddr) -> Alert {
        let alert = self.the_alert_of(pid);
        assert_eq!(alert.entities(), [entity], "{alert:?}");
        assert_eq!(alert.destination(), Some((to.ip().to_string(), to.port())), "{alert:?}");
        alert
    }

    /// Its answer to `status` on the control socket.
    #[track_caller]
    pub fn status(&self) -> Value {
        let ask = || {
            let mut stream = UnixStream::connect(self.dir().join("run/control.sock"))?;
            stream.set_read_timeout(Some(BOUND))?;
            stream.write_all(b"status\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        let answer = ask().expect("the daemon answers");
        let status = serde_json::from_str(&answer).expect("the status is JSON");
        self.said.borrow_mut().push(answer);
        status
    }

    /// Runs `doctor` on it.
    #[track_caller]
    pub fn doctor(&self, args: &[&str]) -> Output {
        self.ask("doctor", args)
    }

    /// Runs a command that asks it.
    #[track_caller]
    pub fn ask(&self, name: &str, args: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.arg(name).arg("--runtime-dir").arg(self.dir().join("run")).args(args);
        let output = command.output().expect("the binary runs");
        self.said.borrow_mut().push(String::from_utf8_lossy(&output.stdout).into());
        output
    }

    /// Coverage of a process as the status has it.
    #[track_caller]
    pub fn coverage(&self, pid: u32) -> Option<Value> {
        let status = self.status();
        let processes = status["coverage"].as_array().expect("the status has coverage");
        processes.iter().find(|process| process["pid"] == pid).cloned()
    }

    /// Ends it by SIGTERM; what it said at its end.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.end(Signal::SIGTERM)
    }

    /// Ends it by a signal; what it said at its end. It must end well.
    #[track_caller]
    pub fn end(&mut self, signal: Signal) -> String {
        self.signal(signal);
        let status = self.wait();
        assert!(status.success(), "the daemon ended with {status}:\n{}", self.stderr());
        let said = self.stderr();
        let summary = said.split_once("detached\n").map(|(_, summary)| summary.to_owned());
        let summary = summary.unwrap_or_else(|| panic!("no summary at the end:\n{said}"));
        assert!(!summary.contains("report this as a bug"), "{summary}");
        self.look_for_values();
        summary
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status =
            wait_for("the daemon's end", || child.try_wait().expect("a child of the test"));
        self.ended = Some(status);
        status
    }

    /// Kills it as nothing else can.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.ended = self.child.wait().ok();
    }

    /// No value that was sent stands in anything that the daemon wrote, in no spelling.
    #[track_caller]
    fn look_for_values(&self) {
        let mut written = self.said.borrow().clone();
        read_all(self.dir(), &mut written);
        let (spellings, compact) = (self.data.spellings(), self.data.compact());
        for text in written {
            for spelling in &spellings {
                assert!(!text.contains(spelling), "{spelling} was written:\n{text}");
            }
            let squeezed: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            for value in &compact {
                assert!(!squeezed.contains(value), "{value} was written, in pieces:\n{text}");
            }
        }
    }
}

fn read_all(dir: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            into.push(String::from_utf8_lossy(&bytes).into());
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            let stderr = self.stderr();
            eprintln!("the daemon was {}\nit said:\n{stderr}", self.command);
        } else if self.ended.is_none() {
            self.end(Signal::SIGTERM);
        }
    }
}
