//! The nouns that the stages hand to each other. No behaviour beyond what a noun owes its reader:
//! parsing from text, printing, comparing. No I/O.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
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
    /// What leaves in a packet, of which no other tap has seen the bytes.
    Packet,
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
    /// A Unix socket, each send a message of its own; its far end has no address.
    Unix,
    /// A packet socket, each send a whole frame.
    Packet,
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
    /// Socket cookie (`bpf_get_socket_cookie`), or the number of a TLS session; unique per boot.
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
    /// Cookie of the socket that it leaves on; 0 where that is not known.
    pub socket: u64,
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

/// The name of an entity type that a detector recognises, such as `CREDIT_CARD`: Microsoft
/// Presidio's name where it has one, and for a detector of the policy the name that the policy
/// gives it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entity(Cow<'static, str>);

impl Entity {
    /// Payment card number (PAN), ISO/IEC 7812-1.
    pub const CREDIT_CARD: Entity = Entity::of("CREDIT_CARD");
    /// E-mail address, RFC 5321 section 4.1.2.
    pub const EMAIL_ADDRESS: Entity = Entity::of("EMAIL_ADDRESS");
    /// International bank account number, ISO 13616-1.
    pub const IBAN_CODE: Entity = Entity::of("IBAN_CODE");
    /// Telephone number, ITU-T E.164.
    pub const PHONE_NUMBER: Entity = Entity::of("PHONE_NUMBER");
    /// United States social security number (SSA, randomised since 2011).
    pub const US_SSN: Entity = Entity::of("US_SSN");

    /// The entity of a built-in detector.
    pub const fn of(name: &'static str) -> Entity {
        Entity(Cow::Borrowed(name))
    }

    /// An entity that a policy names.
    pub fn named(name: &str) -> Entity {
        Entity(Cow::Owned(name.to_owned()))
    }

    /// The name in policies, alerts and docs.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
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

/// A regulation, or a kind of data, that a detector's findings fall under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Tag {
    /// Payment Card Industry Data Security Standard.
    PciDss,
    /// United States, Health Insurance Portability and Accountability Act.
    Hipaa,
    /// European Union, regulation 2016/679.
    Gdpr,
    /// United Kingdom, Data Protection Act 2018.
    UkGdpr,
    /// California Consumer Privacy Act and the laws of other US states.
    Ccpa,
    /// United States, Gramm-Leach-Bliley Act.
    Glba,
    /// Brazil, law 13.709/2018.
    Lgpd,
    /// India, Digital Personal Data Protection Act 2023.
    Dpdp,
    /// Japan, Act on the Protection of Personal Information.
    Appi,
    /// South Korea, Personal Information Protection Act.
    Pipa,
    /// China, Personal Information Protection Law.
    Pipl,
    /// Singapore, Thailand and others, Personal Data Protection Act.
    Pdpa,
    /// South Africa, Protection of Personal Information Act.
    Popia,
    /// Canada, Personal Information Protection and Electronic Documents Act.
    Pipeda,
    /// Switzerland, Federal Act on Data Protection.
    Fadp,
    /// Turkey, law 6698.
    Kvkk,
    /// Australia, Privacy Act 1988; New Zealand, Privacy Act 2020.
    PrivacyAct,
    /// Mexico, federal law on personal data held by private parties.
    Lfpdppp,
    /// Israel, Protection of Privacy Law.
    Ppl,
    /// Nigeria, Data Protection Act 2023.
    Ndpa,
    /// Philippines, Data Privacy Act 2012.
    Dpa,
    /// Gives access to something: a key, a password, a token.
    Secret,
}

impl Tag {
    /// Every tag with its name in policies, alerts and docs.
    pub const NAMES: [(&'static str, Tag); 22] = [
        ("PCI-DSS", Tag::PciDss),
        ("HIPAA", Tag::Hipaa),
        ("GDPR", Tag::Gdpr),
        ("UK-GDPR", Tag::UkGdpr),
        ("CCPA", Tag::Ccpa),
        ("GLBA", Tag::Glba),
        ("LGPD", Tag::Lgpd),
        ("DPDP", Tag::Dpdp),
        ("APPI", Tag::Appi),
        ("PIPA", Tag::Pipa),
        ("PIPL", Tag::Pipl),
        ("PDPA", Tag::Pdpa),
        ("POPIA", Tag::Popia),
        ("PIPEDA", Tag::Pipeda),
        ("FADP", Tag::Fadp),
        ("KVKK", Tag::Kvkk),
        ("PRIVACY-ACT", Tag::PrivacyAct),
        ("LFPDPPP", Tag::Lfpdppp),
        ("PPL", Tag::Ppl),
        ("NDPA", Tag::Ndpa),
        ("DPA-PH", Tag::Dpa),
        ("SECRET", Tag::Secret),
    ];

    /// The name in policies, alerts and docs.
    pub fn name(self) -> &'static str {
        Tag::NAMES.iter().find(|(_, tag)| *tag == self).map_or("", |(name, _)| name)
    }

    /// The tag of a name.
    pub fn from_name(name: &str) -> Option<Tag> {
        Tag::NAMES.iter().find(|(known, _)| *known == name).map(|(_, tag)| *tag)
    }
}

/// A set of tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags(u32);

impl Tags {
    /// The set of `tags`.
    pub const fn of(tags: &[Tag]) -> Tags {
        let (mut set, mut at) = (0, 0);
        while at < tags.len() {
            set |= 1 << tags[at] as u8;
            at += 1;
        }
        Tags(set)
    }

    /// Whether `tag` is in the set.
    pub fn contains(self, tag: Tag) -> bool {
        self.0 & (1 << tag as u8) != 0
    }

    /// Whether the sets have a tag in common.
    pub fn meets(self, other: Tags) -> bool {
        self.0 & other.0 != 0
    }

    /// The tags in the order of [`Tag::NAMES`].
    pub fn iter(self) -> impl Iterator<Item = Tag> {
        Tag::NAMES.into_iter().map(|(_, tag)| tag).filter(move |tag| self.contains(*tag))
    }
}

impl Serialize for Tags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Tag::name))
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let tags = names.iter().filter_map(|name| Tag::from_name(name));
        Ok(Tags::of(&tags.collect::<Vec<_>>()))
    }
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
    /// The regulations that it falls under.
    pub tags: Tags,
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
    /// Whether it is cut off where the bytes end, and may go on beyond them.
    pub partial: bool,
    /// What spoke for and against it.
    pub reasons: Vec<String>,
}
