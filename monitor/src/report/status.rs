//! The status of a running daemon: counters and coverage, over a Unix socket that only root opens,
//! and as the summary at the end.

use std::collections::BTreeMap;
use std::io::{self, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::coverage::ProcessCoverage;
use crate::capture::tls;
use crate::limits::STATUS_BYTES_MAX;

/// Name of the socket in the runtime directory.
pub const SOCKET: &str = "control.sock";

/// What whoever may not ask is answered, whatever they ask.
pub const REFUSAL: &[u8] = b"{\"error\":\"[access] of the policy does not let you\"}\n";

/// How long a client waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What a daemon says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it was armed.
    pub armed_s: u64,
    /// File of the policy in force; `null` for the embedded one.
    pub policy: Option<String>,
    /// Rules in force.
    pub rules: usize,
    /// Whether it only says what it would do.
    pub dry_run: bool,
    /// Whether the limit of kills holds kills back now.
    pub kills_tripped: bool,
    /// Taps in use.
    pub taps: Vec<String>,
    /// Gates in use.
    pub gates: Vec<String>,
    /// TLS libraries that are read; `null` where the TLS tap is off.
    pub tls: Option<tls::Report>,
    /// Programs that are loaded, and how many instructions the verifier walked to accept each.
    pub programs: BTreeMap<String, u32>,
    /// What the kernel side counted.
    pub kernel: BTreeMap<String, u64>,
    /// What the user side counted.
    pub daemon: BTreeMap<String, u64>,
    /// Bytes sent against bytes examined, of the processes that sent most.
    pub coverage: Vec<ProcessCoverage>,
}

/// Asks the daemon that runs in a runtime directory. `None` where none answers.
pub fn ask(runtime_dir: &Path) -> Option<Status> {
    serde_json::from_slice(&answer(runtime_dir, "status").ok()?).ok()
}

/// What the daemon that runs in a runtime directory answers to a command.
///
/// # Errors
///
/// No daemon listens there, it lets this user not connect, or it does not answer in time.
pub fn answer(runtime_dir: &Path, command: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(runtime_dir.join(SOCKET))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let mut answer = Vec::new();
    let asked = stream.write_all(format!("{command}\n").as_bytes());
    let read = asked.and_then(|()| stream.take(STATUS_BYTES_MAX).read_to_end(&mut answer));
    // Whoever is refused may be so before they have asked.
    let is_gone = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
    };
    match read {
        Ok(_) if answer != REFUSAL => Ok(answer),
        Err(error) if !is_gone(&error) => Err(error),
        _ => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it does not let you")),
    }
}

impl Status {
    /// Several lines for a person. Of a daemon that still runs, samples may be in the ring: delivered,
    /// and not received yet.
    pub fn summary(&self, running: bool) -> String {
        let kernel = |name: &str| self.kernel.get(name).copied().unwrap_or(0);
        let daemon = |name: &str| self.daemon.get(name).copied().unwrap_or(0);
        let lost = kernel("samples_lost_ring_full");
        let unsaid = kernel("samples_seen").saturating_sub(kernel("samples_delivered") + lost);
        let mut text = format!(
            "{} sends with {} bytes seen; {} bytes sent in packets\n\
             {} bytes cannot hold a finding, {} were examined in {} samples\n\
             not examined: {} bytes beyond sample_bytes_max, {} unreadable, {} in {} samples lost to a full ring\n\
             not examined: {} bytes beyond the opaque budget, {} in TLS records that nobody read\n\
             {} writes to TLS libraries with {} bytes seen\n\
             {} findings, {} alerts written, {} lost; {} processes killed\n",
            kernel("sends_seen"),
            kernel("bytes_seen"),
            kernel("bytes_sent"),
            kernel("bytes_cleared"),
            kernel("bytes_sampled"),
            daemon("samples_received"),
            kernel("bytes_over_sample_max"),
            kernel("bytes_unreadable"),
            kernel("bytes_lost_ring_full"),
            lost,
            kernel("bytes_over_opaque_budget"),
            kernel("bytes_tls"),
            kernel("tls_writes_seen"),
            kernel("tls_bytes_seen"),
            daemon("hits"),
            daemon("alerts_written"),
            daemon("alerts_lost_queue_full") + daemon("alerts_lost_write"),
            daemon("kills"),
        );
        let (delivered, received) = (kernel("samples_delivered"), daemon("samples_received"));
        let all = if running { delivered >= received } else { delivered == received };
        if unsaid != 0 || !all {
            text.push_str("the samples do not add up: please report this as a bug\n");
        }
        text
    }
}
