//! Every way to send, as a table: each is tried by a process of its own, under a way to hook, and
//! comes to a finding, a gap in coverage with its reason, or is missed, which no path may be.
//!
//! [`send`] is the sending side, which runs in that process; here is the judging one.

mod packet;
mod ring;
mod send;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitStatus};

use serde_json::{Value, json};

use crate::net::{Receiver, V4, V6};
use crate::program::with_data;
use crate::wait::poll;
use crate::{Monitor, Running, Start};

pub use send::{CANNOT, run as run_sender};

/// What carries a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
    /// MPTCP over IPv4.
    Mptcp,
    /// A raw socket of IPv4.
    Raw4,
    /// A raw socket of IPv6.
    Raw6,
    /// A ping socket of IPv4.
    Ping4,
    /// A ping socket of IPv6.
    Ping6,
    /// A packet socket on the loopback interface.
    Packet,
}

impl Over {
    /// All of them.
    pub const ALL: [Over; 10] = [
        Over::Tcp4,
        Over::Tcp6,
        Over::Udp4,
        Over::Udp6,
        Over::Mptcp,
        Over::Raw4,
        Over::Raw6,
        Over::Ping4,
        Over::Ping6,
        Over::Packet,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Over::Tcp4 => "tcp4",
            Over::Tcp6 => "tcp6",
            Over::Udp4 => "udp4",
            Over::Udp6 => "udp6",
            Over::Mptcp => "mptcp",
            Over::Raw4 => "raw4",
            Over::Raw6 => "raw6",
            Over::Ping4 => "ping4",
            Over::Ping6 => "ping6",
            Over::Packet => "packet",
        }
    }

    fn ip(self) -> IpAddr {
        if matches!(self, Over::Tcp6 | Over::Udp6 | Over::Raw6 | Over::Ping6) { V6 } else { V4 }
    }

    fn receiver(self) -> std::io::Result<Option<Receiver>> {
        Ok(match self {
            Over::Tcp4 | Over::Tcp6 => Some(Receiver::tcp(self.ip())),
            Over::Udp4 | Over::Udp6 => Some(Receiver::udp(self.ip())),
            Over::Mptcp => Some(Receiver::mptcp(self.ip())?),
            Over::Raw4 | Over::Raw6 | Over::Ping4 | Over::Ping6 | Over::Packet => None,
        })
    }
}

/// What a path is to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Found,
    /// A gap of this reason.
    Gap(&'static str),
}

/// A row of the table.
struct Way {
    name: &'static str,
    over: &'static [Over],
    wanted: Wanted,
}

const STREAMS: &[Over] = &[Over::Tcp4, Over::Tcp6];
const DATAGRAMS: &[Over] = &[Over::Udp4, Over::Udp6];
const BOTH: &[Over] = &[Over::Tcp4, Over::Tcp6, Over::Udp4, Over::Udp6];
const MOST: &[Over] = &[Over::Tcp4, Over::Tcp6, Over::Udp4, Over::Udp6, Over::Mptcp];
const ALL: &[Over] = &Over::ALL;

const fn found(name: &'static str, over: &'static [Over]) -> Way {
    Way { name, over, wanted: Wanted::Found }
}

const TABLE: &[Way] = &[
    found("write", MOST),
    found("writev", BOTH),
    found("pwritev2", BOTH),
    found("send", MOST),
    found("sendto", ALL),
    found("sendmsg of one buffer", ALL),
    found("sendmsg of 64 buffers", BOTH),
    found("sendmmsg, second message", BOTH),
    found("sendmmsg, second message to one address", DATAGRAMS),
    found("sendfile", MOST),
    found("splice", MOST),
    found("vmsplice and splice", BOTH),
    found("send with MSG_ZEROCOPY", BOTH),
    found("sendfile behind a send with MSG_MORE", STREAMS),
    found("io_uring send", MOST),
    found("io_uring sendmsg", BOTH),
    found("io_uring write", BOTH),
    found("io_uring writev", BOTH),
    found("io_uring send, zero copy", BOTH),
    found("io_uring sendmsg, zero copy", BOTH),
    found("io_uring write of a registered buffer", BOTH),
    found("io_uring write to a registered descriptor", BOTH),
    found("io_uring send, kernel thread polls", MOST),
    found("io_submit", BOTH),
    found("a descriptor that was passed on", BOTH),
    found("a child on its parent's socket", BOTH),
    found("a socket that was open before", BOTH),
    found("write of a 32-bit call", BOTH),
    found("sendto of a 32-bit call", BOTH),
    found("connecting with data", STREAMS),
    found("memory that is not there yet", BOTH),
    found(TLS, STREAMS),
    Way {
        name: "a ring shared with the kernel",
        over: &[Over::Packet],
        wanted: Wanted::Gap("packet_ring_sends"),
    },
];

/// The path over TLS, of a function that stands in this program's table of symbols.
const TLS: &str = "SSL_write of a TLS library";

/// The path whose socket is there before the monitor.
const BEFORE: &str = "a socket that was open before";

/// What to try.
pub struct Wants<'a> {
    /// The binary under test.
    pub monitor: &'a Path,
    /// Ways to hook, as `--tap` has them; none stands for each that the kernel takes.
    pub taps: Vec<String>,
    /// Only paths whose name or transport has this in it.
    pub only: Option<String>,
    /// Whether the kernel is to stop all of it.
    pub prevent: bool,
}

/// A rule by which nothing with a card in it leaves.
const PREVENT: &str = "[settings]\nblocks_per_minute_max = 100000\n\
    blocks_per_executable_max = 100000\n[[rule]]\nid = \"none\"\nentities = [\"CREDIT_CARD\"]\n\
    action = \"block\"\nprevent = true\ndestination = { cidr = [\"loopback\", \"unknown\"] }\n";

/// Tries all paths, and [`SHUT`], under all ways to hook, and hands each row on as it comes; whether none is missed.
pub fn run(wants: &Wants<'_>, mut row: impl FnMut(&Value)) -> bool {
    let taps = match wants.taps.as_slice() {
        [] => vec!["fentry".to_owned(), "lsm".into(), "tracepoints".into()],
        taps => taps.to_vec(),
    };
    let mut missed = false;
    for tap in taps {
        let early: Vec<(Over, Option<Receiver>, Running)> = paths(wants)
            .filter(|(path, _)| path.name == BEFORE)
            .filter_map(|(_, over)| {
                let receiver = over.receiver().ok()?;
                let mut sender = sender(BEFORE, over, receiver.as_ref(), &["nothing yet"]);
                let ready = sender.line() == "ready";
                ready.then_some((over, receiver, sender))
            })
            .collect();
        let mut start = Start::new().binary(wants.monitor).args(&["--tap", &tap]);
        if wants.prevent {
            start = start.policy(PREVENT);
        }
        let monitor = match start.try_run() {
            Ok(monitor) => monitor,
            Err(why) => {
                let why = why.lines().find(|line| line.contains("refused")).unwrap_or(&why);
                row(
                    &json!({"tap": tap, "path": "", "transport": "", "outcome": "skipped", "why": why}),
                );
                continue;
            }
        };
        programs(&monitor, &tap, &mut row);
        let mut early = early.into_iter();
        for (path, over) in paths(wants) {
            if path.name == TLS {
                // Whole tables of symbols are searched one file after the other. Not hooked, it is missed.
                let _ = poll(|| is_hooked(&monitor).then_some(()));
            }
            let tried = if path.name == BEFORE {
                early.next().map(|(_, receiver, sender)| Tried::go(&monitor, sender, receiver))
            } else {
                Tried::start(&monitor, path.name, over)
            };
            let (outcome, why) = match tried {
                Some(mut tried) if wants.prevent => tried.judge_prevented(path.wanted),
                Some(mut tried) => tried.judge(path.wanted),
                None => ("skipped", "no receiver".into()),
            };
            missed |= outcome == "missed";
            row(&json!({
                "tap": tap,
                "path": path.name,
                "transport": over.name(),
                "outcome": outcome,
                "why": why,
            }));
        }
        drop(monitor);
        if !wants.prevent && SHUT.contains(wants.only.as_deref().unwrap_or_default()) {
            let (outcome, why) = shut(wants.monitor, &tap);
            missed |= outcome == "missed";
            row(&json!({
                "tap": tap, "path": SHUT, "transport": "tcp4", "outcome": outcome, "why": why,
            }));
        }
    }
    !missed
}

/// Tells how many instructions the verifier walked for each program.
fn programs(monitor: &Monitor, tap: &str, row: &mut impl FnMut(&Value)) {
    let status = monitor.status();
    for (program, count) in status["programs"].as_object().into_iter().flatten() {
        row(&json!({
            "tap": tap,
            "path": program,
            "transport": "",
            "outcome": "verified",
            "why": count.to_string(),
        }));
    }
}

/// The path that is none: a process is killed for what it sent, and another that shares its socket
/// sends on.
const SHUT: &str = "a send on a socket that is shut";

/// Bytes that a send on a socket that is shut tries to send.
pub(crate) const SENT_ON: &[u8] = b"and so on\n";

fn shut(monitor: &Path, tap: &str) -> (&'static str, String) {
    let rules = "[[rule]]\nid = \"stop\"\nentities = [\"CREDIT_CARD\"]\naction = \"kill\"\n\
                 transport = [\"tcp\"]\n";
    let start = Start::new().binary(monitor).policy(rules).args(&["--tap", tap]);
    let monitor = match start.try_run() {
        Ok(monitor) => monitor,
        Err(why) => return ("skipped", why),
    };
    let receiver = Receiver::tcp(V4);
    let mut sender = sender(SHUT, Over::Tcp4, Some(&receiver), &[&text(&monitor)]);
    let said = sender.line();
    let ended = sender.wait();
    let gates = monitor.status()["gates"].to_string();
    let came = receiver.text().windows(SENT_ON.len()).any(|window| window == SENT_ON);
    if came {
        return ("missed", "what was sent on a socket that is shut came".into());
    }
    match (said.as_str(), gates.contains("send (")) {
        ("1", true) => ("refused", "with EPERM".into()),
        ("taken", false) => ("dropped", "by the packet gate".into()),
        _ => ("missed", format!("{said:?}, the sender {ended}, gates {gates}")),
    }
}

/// Whether the monitor has hooked this program.
fn is_hooked(monitor: &Monitor) -> bool {
    let own = std::env::current_exe().expect("the program has a path");
    let status = monitor.status();
    let files = status["tls"]["files"].as_array();
    files.into_iter().flatten().any(|file| file["path"].as_str().map(Path::new) == Some(&own))
}

fn paths<'a>(wants: &'a Wants<'_>) -> impl Iterator<Item = (&'static Way, Over)> + 'a {
    let all = TABLE.iter().flat_map(|path| path.over.iter().map(move |over| (path, *over)));
    all.filter(|(path, over)| {
        let only = wants.only.as_deref().unwrap_or_default();
        path.name.contains(only) || over.name().contains(only)
    })
}

fn sender(name: &str, over: Over, receiver: Option<&Receiver>, texts: &[&str]) -> Running {
    let own = std::env::current_exe().expect("the program has a path");
    let mut command = Command::new(own);
    let address = receiver.map_or(SocketAddr::new(over.ip(), 0), |receiver| receiver.address);
    with_data(&mut command, address, texts);
    Running::start(command.args(["send", name, over.name()]))
}

/// A path that is being tried.
struct Tried<'a> {
    monitor: &'a Monitor,
    sender: Running,
    receiver: Option<Receiver>,
    text: String,
    /// Alerts that were there before: a port may be another path's again.
    alerts_before: usize,
}

impl<'a> Tried<'a> {
    fn start(monitor: &'a Monitor, name: &str, over: Over) -> Option<Tried<'a>> {
        let receiver = over.receiver().ok()?;
        let (text, alerts_before) = (text(monitor), monitor.alerts().len());
        let sender = sender(name, over, receiver.as_ref(), &[&text]);
        Some(Tried { monitor, sender, receiver, text, alerts_before })
    }

    /// The sender waits, with its socket open, for what to send.
    fn go(monitor: &'a Monitor, mut sender: Running, receiver: Option<Receiver>) -> Tried<'a> {
        let (text, alerts_before) = (text(monitor), monitor.alerts().len());
        sender.say(&crate::program::hex(&text));
        Tried { monitor, sender, receiver, text, alerts_before }
    }

    /// Who sent, what the sender said last, and how it ended.
    fn end(&mut self) -> (u32, String, ExitStatus) {
        let mut pid = self.sender.pid();
        let mut why = String::new();
        loop {
            let line = self.sender.line();
            if let Some(other) = line.strip_prefix("pid ") {
                pid = other.parse().unwrap_or(pid);
            } else if line.is_empty() {
                break;
            } else {
                why = line;
            }
        }
        (pid, why, self.sender.wait())
    }

    /// Whether nothing of the value came, and it is told that the kernel saw to that.
    fn judge_prevented(&mut self, wanted: Wanted) -> (&'static str, String) {
        let (pid, why, ended) = self.end();
        if ended.code() == Some(CANNOT) {
            return ("skipped", why);
        }
        self.monitor.settle();
        let mut alerts = self.monitor.alerts();
        alerts.drain(..self.alerts_before);
        let there = self.receiver.as_ref().map(|receiver| receiver.address);
        let there = there.map(|there| (there.ip().to_string(), there.port()));
        alerts.retain(|alert| {
            alert.pid() == pid || (there.is_some() && alert.destination() == there)
        });
        let came = self.receiver.as_ref().map(Receiver::text).unwrap_or_default();
        let digits =
            self.text.as_bytes().windows(6).filter(|part| part.iter().all(u8::is_ascii_digit));
        let leaked = digits.filter(|part| came.windows(6).any(|there| there == *part)).count();
        if leaked != 0 {
            return (
                "missed",
                format!("{leaked} parts of the value came; {} alerts", alerts.len()),
            );
        }
        let Some(alert) = alerts.first() else {
            return match wanted {
                Wanted::Gap(reason) => ("gap", reason.into()),
                Wanted::Found => ("missed", "no alert".into()),
            };
        };
        let told = |pointer: &str| alert.text(pointer).to_owned();
        let (outcome, reason) = (told("/outcome"), told("/outcome_reason"));
        if told("/decided_by") != "kernel" {
            return ("missed", format!("decided by the daemon: {outcome} {reason}"));
        }
        match outcome.as_str() {
            "blocked" if alert.0["bytes_leaked"] == 0 => {
                ("prevented", format!("by the {} tap; the sender {ended} {why}", told("/tap")))
            }
            // What goes over a packet socket passes no gate.
            "refused" if self.receiver.is_none() => ("refused", reason),
            _ => ("missed", format!("{outcome} {reason}, leaked {}", alert.0["bytes_leaked"])),
        }
    }

    fn judge(&mut self, wanted: Wanted) -> (&'static str, String) {
        let (pid, why, ended) = self.end();
        if ended.code() == Some(CANNOT) {
            return ("skipped", why);
        }
        if !ended.success() {
            return ("missed", format!("the sender ended with {ended}: {why}"));
        }
        if let Some(receiver) = &self.receiver {
            receiver.wait_bytes(self.text.len() as u64);
        }
        self.monitor.settle();
        let there = self.receiver.as_ref().map(|receiver| receiver.address);
        let there = there.map(|there| (there.ip().to_string(), there.port()));
        // Once, and not once more under nobody's name.
        let mut alerts = self.monitor.alerts();
        alerts.drain(..self.alerts_before);
        alerts.retain(|alert| {
            alert.pid() == pid || (there.is_some() && alert.destination() == there)
        });
        let coverage = self.monitor.coverage(pid).unwrap_or_default();
        match (wanted, alerts.as_slice()) {
            (Wanted::Found, [alert]) => {
                let to = alert.destination();
                let gaps = coverage["gaps"].as_object().is_some_and(|gaps| !gaps.is_empty());
                if alert.pid() != pid {
                    return ("missed", format!("found, as of process {}", alert.pid()));
                }
                if alert.entities() != ["CREDIT_CARD"] || (there.is_some() && to != there) {
                    return (
                        "missed",
                        format!("{} on the way to {to:?}", alert.entities().join(" ")),
                    );
                }
                if gaps {
                    return ("missed", format!("found, with gaps: {}", coverage["gaps"]));
                }
                ("found", format!("by the {} tap", alert.text("/tap")))
            }
            (Wanted::Gap(reason), []) => {
                let known = |of: &str| coverage[of][reason].as_u64().is_some_and(|gap| gap > 0);
                if known("gaps") || known("unknown_sends") {
                    ("gap", reason.into())
                } else {
                    ("missed", format!("no gap {reason} in {coverage}"))
                }
            }
            (_, alerts) => ("missed", format!("{} alerts; coverage {coverage}", alerts.len())),
        }
    }
}

fn text(monitor: &Monitor) -> String {
    format!("a card is {} here", monitor.data.card())
}
