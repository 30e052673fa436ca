//! Every way to hook a send or to stop one that the design knows, best first, and what this kernel
//! says to each. It loads probes of a few instructions and attaches none of ours.

use aya::programs::{LsmAttachType, ProgramType};
use aya::sys::is_program_supported;
use serde::Serialize;

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

/// This version has no programs for it.
const NOT_YET: &str = "the kernel can; this version of egress-monitor has no programs for it yet";

/// What the kernel says to a type of program, in words; `Ok` where it takes it.
fn kernel_takes(kind: ProgramType) -> Result<(), String> {
    match is_program_supported(kind) {
        Ok(true) => Ok(()),
        Ok(false) => Err("this kernel does not know it or cannot attach it".into()),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            let chain = std::iter::successors(Some(error), |e| e.source());
            // The innermost is what the kernel said.
            let said = chain.last().map(ToString::to_string).unwrap_or_default();
            Err(format!("this kernel refuses it: {said}"))
        }
    }
}

fn unused(place: &'static str, purpose: Purpose, way: &'static str, kind: ProgramType) -> Hook {
    let why = kernel_takes(kind).map_or_else(|refusal| refusal, |()| NOT_YET.into());
    Hook { purpose, place, way, used: false, why }
}

fn used(place: &'static str, purpose: Purpose, way: &'static str, kind: ProgramType) -> Hook {
    match kernel_takes(kind) {
        Ok(()) => Hook { purpose, place, way, used: true, why: "the kernel takes it".into() },
        Err(refusal) => Hook { purpose, place, way, used: false, why: refusal },
    }
}

/// All of them, best first within a purpose. Needs the rights of the daemon.
pub fn all() -> Vec<Hook> {
    use Purpose::{Gate, Tap};
    let lsm = ProgramType::Lsm(LsmAttachType::Mac);
    vec![
        unused("socket", Tap, "LSM socket_sendmsg", lsm),
        unused("socket", Tap, "fentry on the transports' sendmsg", ProgramType::Tracing),
        used("socket", Tap, SYSCALLS, ProgramType::TracePoint),
        unused("send", Gate, "LSM socket_sendmsg, -EPERM", lsm),
        used("packet", Gate, "cgroup_skb egress", ProgramType::CgroupSkb),
    ]
}

/// The way of the socket tap that is in use.
const SYSCALLS: &str = "tracepoints on write, writev, sendto, sendmsg, sendmmsg";

/// Taps in use once armed.
pub fn taps() -> Vec<String> {
    vec![format!("socket ({SYSCALLS})")]
}

/// Gates in use once armed.
pub fn gates() -> Vec<String> {
    vec!["packet (cgroup_skb egress)".into()]
}
