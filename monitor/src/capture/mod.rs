//! capture: loads the programs into the kernel, attaches them, reads what they hand over, and says
//! who sent it. The only stage that touches the kernel's side; it decides nothing.

mod attach;
pub mod allow;
pub mod bpffs;
pub mod btf;
pub mod hooks;
pub mod host;
mod multi;
pub mod prefilter;
pub mod prevention;
pub mod processes;
pub mod programs;
pub mod quarantine;
mod sockets;
pub mod switch;
pub mod tls;
pub mod wait;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use monitor_ebpf::record::{FLAG_DESTINATION, FLAG_PACKET, FLAG_TLS, SampleHead as Record};
use nix::sys::utsname::uname;
use thiserror::Error;

use crate::model::{Endpoint, FlowKey, Process, SampleHead, Tap, Transport};
use hooks::Hook;
use host::Host;
use prefilter::Prefilter;
use programs::{LoadOptions, Programs};
use tls::TlsTap;

/// Why the monitor cannot be armed.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// Rights or mounts.
    #[error(transparent)]
    Host(#[from] host::HostError),
    /// Offsets.
    #[error(transparent)]
    Btf(#[from] btf::BtfError),
    /// The automaton.
    #[error(transparent)]
    Prefilter(#[from] prefilter::PrefilterError),
    /// The kernel refused a part.
    #[error(transparent)]
    Load(#[from] programs::LoadError),
    /// A kernel that lacks a helper of the programs.
    #[error("Linux {0} is too old: programs need bpf_loop, which came with 5.17")]
    TooOld(String),
    /// The root of cgroup v2.
    #[error("cannot open {0}: {1}")]
    Cgroup(String, std::io::Error),
}

/// The monitor's hooks, all in place.
pub struct Armed {
    /// The programs and their maps.
    pub programs: Programs,
    /// The TLS tap, unless it is off.
    pub tls: Option<TlsTap>,
    /// What was found on the host.
    pub host: Host,
    /// Ways to hook, and whether each is used and why.
    pub hooks: Vec<Hook>,
    /// What is less than it could be, in sentences.
    pub shortfalls: Vec<String>,
}

/// The first kernel that has `bpf_loop`: include/uapi/linux/bpf.h.
const LINUX_MIN: (u32, u32) = (5, 17);

impl CaptureError {
    /// What the kernel said to the programs, in the light of which it is. One that is older and has
    /// the helper all the same, as distributions make them, never comes here.
    fn on(self, release: &str) -> CaptureError {
        match (&self, linux_version(release)) {
            (CaptureError::Load(_) | CaptureError::Btf(_), Some(version))
                if version < LINUX_MIN =>
            {
                CaptureError::TooOld(format!("{}.{}", version.0, version.1))
            }
            _ => self,
        }
    }
}

/// Major and minor of a release such as `5.10.0-32-cloud-amd64`.
fn linux_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Puts every hook in place.
///
/// # Errors
///
/// What the host lacks, or the kernel refuses; of a kernel that is too old, that it is.
pub fn arm(options: LoadOptions) -> Result<Armed, CaptureError> {
    attach_all(options).map_err(|error| {
        let release = uname().ok();
        let release = release.as_ref().map(|name| name.release().to_string_lossy());
        error.on(release.as_deref().unwrap_or_default())
    })
}

/// Puts every hook in place: processes first, so that no send is seen of an unknown one, then the
/// gate and its cookies, then the tap. Between the last two, what is sent is read at the gate.
fn attach_all(options: LoadOptions) -> Result<Armed, CaptureError> {
    let host = host::prepare()?;
    std::thread::scope(|scope| {
        // The automaton takes as long as all before the tap, which alone needs it.
        let prefilter = scope.spawn(|| Prefilter::new(&options.needs, options.opaque));
        let kernel = btf::read(Path::new(btf::VMLINUX))?;
        let mut programs = Programs::load(kernel.offsets, &options)?;
        programs.attach_processes()?;
        let root = File::open(&host.cgroup_root)
            .map_err(|error| CaptureError::Cgroup(host.cgroup_root.display().to_string(), error))?;
        programs.load_gate(options.tap, options.tls.is_some())?;
        let prefilter = prefilter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let prefilter = prefilter?;
        // The gate runs it too.
        programs.put_prefilter(&prefilter)?;
        programs.attach_packet_gate(&root)?;
        let mut shortfalls = Vec::new();
        // Some kernels let an iterator look at sockets and not name them (6.18.44: "R1
        // type=untrusted_ptr_ expected=sock_common").
        if programs.name_open_sockets(&kernel).is_err() {
            sockets::name_all();
        }
        if let Some(why) = prefilter.fallback() {
            shortfalls.push(format!("every send is handed over, none is cleared: {why}"));
        }
        let mut hooks = programs.attach_socket_tap(&kernel, options.tap, options.prevents)?;
        hooks.extend(programs.attach_send_gate(&kernel)?);
        let (tls, why) = start_tls_tap(&mut programs, options.tls.clone());
        hooks.insert(0, Hook::tls_tap(tls.is_some(), why));
        Ok(Armed { programs, tls, host, hooks, shortfalls })
    })
}

/// Starts the TLS tap, without which the rest goes on; says why it is used or not.
fn start_tls_tap(
    programs: &mut Programs,
    options: Option<tls::Options>,
) -> (Option<TlsTap>, String) {
    let Some(options) = options else {
        return (None, "the policy does not want it (tls.enabled)".into());
    };
    match programs.attach_tls_tap(options) {
        Ok(tap) => {
            let hooked = tap.report().files.len();
            let plural = if hooked == 1 { "file" } else { "files" };
            let how = match &programs.multi {
                Ok(_) => "a link to a file".into(),
                Err(why) => format!("a link to each function, which takes long to let go: {why}"),
            };
            (Some(tap), format!("the kernel takes it, {how}; {hooked} {plural} hooked so far"))
        }
        Err(error) => (None, error.to_string()),
    }
}

/// IPPROTO_TCP, IPPROTO_UDP: include/uapi/linux/in.h.
const TCP: u16 = 6;
const UDP: u16 = 17;
/// AF_INET: include/linux/socket.h.
const AF_INET: u16 = 2;
/// AF_UNIX.
const AF_UNIX: u16 = 1;
/// AF_PACKET.
const AF_PACKET: u16 = 17;

fn address(family: u16, bytes: [u8; 16]) -> IpAddr {
    if family == AF_INET {
        let [a, b, c, d, ..] = bytes;
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
}

/// A record of the kernel in the model's words. `position` is that of the first byte handed on:
/// the text of earlier sends comes first.
pub fn sample_head(record: &Record, process: Arc<Process>) -> SampleHead {
    let tls = record.flags & FLAG_TLS != 0;
    let transport = match (record.family, record.protocol) {
        _ if tls => Transport::Tls,
        (AF_UNIX, _) => Transport::Unix,
        (AF_PACKET, _) => Transport::Packet,
        (_, TCP) => Transport::Tcp,
        (_, UDP) => Transport::Udp,
        _ => Transport::Other,
    };
    let tap = match record.flags & FLAG_PACKET {
        _ if tls => Tap::Tls,
        0 => Tap::Socket,
        _ => Tap::Packet,
    };
    SampleHead {
        at_ns: record.at_ns,
        flow: FlowKey { cookie: record.cookie, tls },
        socket: if tls { record.socket } else { record.cookie },
        tap,
        transport,
        process,
        source: Endpoint {
            address: address(record.family, record.source),
            port: record.source_port,
        },
        destination: (record.flags & FLAG_DESTINATION != 0).then(|| Endpoint {
            address: address(record.family, record.destination),
            port: record.destination_port,
        }),
        position: record.position.wrapping_sub(record.tail_bytes),
        omitted_bytes: record.omitted_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use programs::LoadError;

    #[track_caller]
    fn check(error: CaptureError, release: &str, expected: &str) {
        assert_eq!(error.on(release).to_string(), expected, "{release}");
    }

    #[test]
    fn an_old_kernel_is_named_and_a_newer_one_says_what_it_refused() {
        let refused = || {
            let reason = "unknown func bpf_loop#181".into();
            CaptureError::Load(LoadError::Program { hook: "enter_write", reason })
        };
        let old = "Linux 5.10 is too old: programs need bpf_loop, which came with 5.17";
        check(refused(), "5.10.0-32-cloud-amd64", old);
        check(refused(), "5.10", old);
        check(refused(), "4.19.0", &old.replace("5.10", "4.19"));
        check(refused(), "5.16.20+", &old.replace("5.10", "5.16"));
        let said = "enter_write was refused by the kernel: unknown func bpf_loop#181";
        for release in ["5.17.0", "5.100.1", "6.1.0-13-amd64", "", "linux", "99999999999.1"] {
            check(refused(), release, said);
        }
        let rights = || CaptureError::Cgroup("/x".into(), std::io::ErrorKind::NotFound.into());
        check(rights(), "5.10.0", &rights().to_string());
    }
}
