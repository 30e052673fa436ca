//! The ways to hook a send and to stop one, best first, and whether each is used and why.

use serde::Serialize;

/// A way to hook the socket tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapWay {
    /// Trampolines on the transports: every send comes by, whatever call or ring it was made with.
    Fentry,
    /// The LSM hook `socket_sendmsg`: the same, but for the later messages of a `sendmmsg`.
    Lsm,
    /// Syscall tracepoints, which any kernel has.
    Tracepoints,
}

impl TapWay {
    /// All of them, best first.
    pub const ALL: [TapWay; 3] = [TapWay::Fentry, TapWay::Lsm, TapWay::Tracepoints];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            TapWay::Fentry => "fentry",
            TapWay::Lsm => "lsm",
            TapWay::Tracepoints => "tracepoints",
        }
    }

    fn way(self) -> &'static str {
        match self {
            TapWay::Fentry => "fentry on the transports' sendmsg",
            TapWay::Lsm => "LSM socket_sendmsg",
            TapWay::Tracepoints => {
                "tracepoints on write, writev, pwritev2, sendto, sendmsg, sendmmsg"
            }
        }
    }
}

/// Which ways may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TapChoice {
    /// The best that the kernel takes.
    #[default]
    Best,
    /// This one, or none.
    Only(TapWay),
}

impl TapChoice {
    /// All of them, the one that is taken unless another is named first.
    pub const ALL: [TapChoice; 4] = [
        TapChoice::Best,
        TapChoice::Only(TapWay::Fentry),
        TapChoice::Only(TapWay::Lsm),
        TapChoice::Only(TapWay::Tracepoints),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            TapChoice::Best => "best",
            TapChoice::Only(way) => way.name(),
        }
    }

    /// Whether a way may be taken.
    pub fn may_be(self, way: TapWay) -> bool {
        self == TapChoice::Best || self == TapChoice::Only(way)
    }
}

/// What a hook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Bytes are read there.
    Tap,
    /// Bytes are stopped there.
    Gate,
}

/// A way to hook, and whether it is used.
#[derive(Debug, Clone, Serialize)]
pub struct Hook {
    /// Reads or stops.
    pub purpose: Purpose,
    /// `socket`, `send` or `packet`.
    pub place: &'static str,
    /// The kernel's name for the way.
    pub way: &'static str,
    /// Whether the monitor uses it on this kernel.
    pub used: bool,
    /// Why, or why not.
    pub why: String,
}

impl Hook {
    /// A way of the socket tap.
    pub fn tap(way: TapWay, used: bool, why: String) -> Hook {
        Hook { purpose: Purpose::Tap, place: "socket", way: way.way(), used, why }
    }

    /// The TLS tap.
    pub fn tls_tap(used: bool, why: String) -> Hook {
        Hook { purpose: Purpose::Tap, place: "tls", way: "uprobes on TLS libraries", used, why }
    }

    /// The send gate.
    pub fn send_gate(used: bool, why: String) -> Hook {
        let way = "LSM socket_sendmsg, -EPERM";
        Hook { purpose: Purpose::Gate, place: "send", way, used, why }
    }

    /// The packet gate, without which nothing starts. It reads too: what no tap has seen.
    pub fn packet_gate() -> Hook {
        let why = "the kernel takes it; it reads what no tap has seen".into();
        let way = "cgroup_skb egress";
        Hook { purpose: Purpose::Gate, place: "packet", way, used: true, why }
    }

    /// In one line: where it is and the kernel's name for it.
    pub fn line(&self) -> String {
        format!("{} ({})", self.place, self.way)
    }
}

/// Those in use of a purpose, a line each.
pub fn in_use(hooks: &[Hook], purpose: Purpose) -> Vec<String> {
    hooks.iter().filter(|hook| hook.used && hook.purpose == purpose).map(Hook::line).collect()
}
