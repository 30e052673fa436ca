//! The nouns that the stages hand to each other. No behaviour beyond what a noun owes its reader:
//! parsing from text, printing, comparing. No I/O.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A process that no other process will ever be: a pid alone is reused, a pid with its start time
/// is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// `task_struct.start_boottime` of the group leader: nanoseconds since boot, suspend included.
    pub start_ns: u64,
}

/// Who sent. What could not be learned is empty or `None`, never guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Which process.
    pub key: ProcessKey,
    /// Parent's thread group id, 0 where unknown.
    pub parent_pid: u32,
    /// Absolute path of the executable, or the path that was handed to `execve` where the process
    /// was gone before its link could be read.
    pub exe: String,
    /// Command line, arguments joined by one space. Raw: it must pass the masking of
    /// [`crate::report`] before it is written anywhere.
    pub cmdline: String,
    /// `comm` of the sending thread, at most 15 bytes.
    pub comm: String,
    /// Real uid at the time of the send.
    pub uid: u32,
    /// Path in the cgroup v2 hierarchy, beginning with `/`; empty where unknown.
    pub cgroup: String,
    /// systemd unit read out of the cgroup path, such as `nginx.service`.
    pub unit: Option<String>,
}

/// Where bytes were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tap {
    /// What a process hands to a socket.
    Socket,
    /// What a process hands to a TLS library.
    Tls,
}

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A stream of bytes in order.
    Tcp,
    /// Datagrams, each a message of its own.
    Udp,
    /// TLS over a stream, read before it is encrypted.
    Tls,
    /// Any other socket (raw, ping, SCTP, …), each send a message of its own.
    Other,
}

impl Transport {
    /// Whether consecutive sends are one run of bytes.
    pub fn is_stream(self) -> bool {
        matches!(self, Transport::Tcp | Transport::Tls)
    }
}

/// An address and a port. Addresses of IPv4 in IPv6 (`::ffff:a.b.c.d`) are held as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// IPv4 or IPv6.
    pub address: IpAddr,
    /// In host order; 0 where the transport has none.
    pub port: u16,
}

/// The flow a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Socket cookie (`bpf_get_socket_cookie`), unique per boot.
    pub cookie: u64,
    /// Tells the plaintext of a TLS session from the ciphertext of the socket under it.
    pub tls: bool,
}

/// What is known of a sample beside its bytes.
#[derive(Debug, Clone)]
pub struct SampleHead {
    /// When the send was found worth a sample, within microseconds of its entry; nanoseconds since
    /// boot (`CLOCK_BOOTTIME`).
    pub at_ns: u64,
    /// Flow.
    pub flow: FlowKey,
    /// Where it was read.
    pub tap: Tap,
    /// What carries it.
    pub transport: Transport,
    /// Sender.
    pub process: Arc<Process>,
    /// Local end; port 0 where not bound yet.
    pub source: Endpoint,
    /// Remote end, `None` where the kernel could not tell.
    pub destination: Option<Endpoint>,
    /// Stream position of the first byte of the sample, modulo 2^32 (the TCP sequence number).
    /// Two samples of a flow overlap or leave a gap by the difference. 0 for datagrams.
    pub position: u32,
    /// Bytes of this send that were not copied and follow the sample directly.
    pub omitted_bytes: u64,
}

/// An entity type that a detector recognises. Names are Microsoft Presidio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Entity {
    /// Payment card number (PAN), ISO/IEC 7812-1.
    CreditCard,
    /// E-mail address, RFC 5321 section 4.1.2.
    EmailAddress,
    /// International bank account number, ISO 13616-1.
    IbanCode,
    /// Telephone number in international form, ITU-T E.164.
    PhoneNumber,
    /// United States social security number (SSA, randomised since 2011).
    UsSsn,
}

impl Entity {
    /// Every entity, in the order of their names.
    pub const ALL: [Entity; 5] = [
        Entity::CreditCard,
        Entity::EmailAddress,
        Entity::IbanCode,
        Entity::PhoneNumber,
        Entity::UsSsn,
    ];

    /// The name in policies, alerts and docs.
    pub fn name(self) -> &'static str {
        match self {
            Entity::CreditCard => "CREDIT_CARD",
            Entity::EmailAddress => "EMAIL_ADDRESS",
            Entity::IbanCode => "IBAN_CODE",
            Entity::PhoneNumber => "PHONE_NUMBER",
            Entity::UsSsn => "US_SSN",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Entity {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Entity::ALL.into_iter().find(|entity| entity.name() == text).ok_or(())
    }
}

/// How sure a detector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The shape fits and nothing else speaks for it.
    Low,
    /// A checksum or the context speaks for it.
    Medium,
    /// A distinctive shape and a checksum, or a checksum and the context.
    High,
}

/// How bad a rule says a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look at it when there is time.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Wake somebody.
    Critical,
}

/// A detector's hits of one entity and one value in one message; never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub entity: Entity,
    /// How sure, the highest of the hits.
    pub confidence: Confidence,
    /// How many times the same value stands in the message.
    pub count: u32,
    /// The value with what identifies it struck out, such as `4*** **** **** 1111`.
    pub masked: String,
    /// 16 hex digits of an HMAC-SHA-256 of the normalised value, under a key of this host: the same
    /// value gives the same fingerprint, and the fingerprint does not give the value.
    pub fingerprint: String,
    /// Where in the message: `http.request.body card.number`, `text`, …; letters of key names
    /// only, never a value.
    pub place: String,
    /// Whether the value is one of the published test values of its kind.
    pub test_data: bool,
}
