//! Programs that send: found, started, waited for, and gone with the test.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::wait_for;

/// Where a tool is, without the links that lead to it.
pub fn tool(name: &str) -> Option<PathBuf> {
    if name == "python3" {
        return interpreter();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    known.map(|dir: PathBuf| dir.join(name)).find(|at| at.is_file())?.canonicalize().ok()
}

/// The interpreter itself: `python3` may be a script that finds it.
fn interpreter() -> Option<PathBuf> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    let ask = || {
        let code = "import os, sys; print(os.path.realpath(sys.executable), end='')";
        let said = Command::new("python3").args(["-c", code]).output().ok()?;
        let path = PathBuf::from(String::from_utf8(said.stdout).ok()?);
        path.is_file().then_some(path)
    };
    PATH.get_or_init(ask).clone()
}

/// A process of the test; killed when dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it, its standard input and output in the test's hands.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => panic!("{command:?} cannot be started: {error}"),
        };
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Running { child, stdin, stdout }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Hands it a line.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("the program reads its input");
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its next line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line of the program");
        line.trim_end().into()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of the test")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the program's end", || self.ended())
    }

    /// Waits for its end, which must be a good one.
    #[track_caller]
    pub fn finish(&mut self) {
        let status = self.wait();
        assert!(status.success(), "the sender ended with {status}");
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).expect("the process is there");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What every Python sender begins with: `D`, the texts that it is to send, and a way to the
/// receiver. The texts come by the environment, so that they stand on no command line.
const PREAMBLE: &str = "
import ctypes, os, socket, sys, time
D = [bytes.fromhex(text) for text in os.environ['DATA'].split(',')]
HOST, PORT = os.environ['TO'].split()
TO = (HOST, int(PORT))
FAMILY = socket.AF_INET6 if ':' in HOST else socket.AF_INET
def tcp(): return socket.create_connection(TO)
def udp(): return socket.socket(FAMILY, socket.SOCK_DGRAM)
def take(): return bytes.fromhex(sys.stdin.readline())
def say(what): print(what, flush=True)
";

/// A Python program of these lines that is to send `texts` to `to`.
pub fn python(code: &str, to: SocketAddr, texts: &[&str]) -> Command {
    let mut command = Command::new(interpreter().unwrap_or_else(|| "python3".into()));
    command.args(["-I", "-c", &format!("{PREAMBLE}{code}")]);
    with_data(&mut command, to, texts);
    command
}

/// Hands texts and receiver to a program by its environment.
pub fn with_data(command: &mut Command, to: SocketAddr, texts: &[&str]) {
    let texts: Vec<String> = texts.iter().map(|text| hex(text)).collect();
    command.env("DATA", texts.join(","));
    command.env("TO", format!("{} {}", to.ip(), to.port()));
}

/// A text as hexadecimal digits.
pub fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let listed = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
