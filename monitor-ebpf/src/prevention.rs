//! What the kernel needs of the policy to decide by itself: clauses in the order of the policy, each rule
//! behind its exceptions, and the networks that they name. Two whole tables take turns, so that none is
//! ever read half written.

use crate::proof::PROOFS_MAX;
use crate::record::ProcessId;

/// Clauses of one policy at most: rules that prevent, and their exceptions.
pub const CLAUSES_MAX: usize = 63;
/// Room for them: a power of two.
pub const CLAUSE_SLOTS: usize = 64;
/// Rows of networks, all clauses together.
pub const NETWORKS_MAX: usize = 128;
/// Spans of ports of one clause.
pub const PORTS_MAX: usize = 8;
/// Spans of uids of one clause.
pub const UIDS_MAX: usize = 4;
/// What a threshold may ask for at most.
pub const THRESHOLD_MAX: usize = 16;
/// Processes whose thresholds are kept; the one idle for longest makes room.
pub const THRESHOLDS_MAX: u32 = 4_096;
/// Processes of which is known which clauses they are in; likewise.
pub const SCOPES_MAX: u32 = 16_384;
/// Executables whose actions are counted; likewise.
pub const EXECUTABLES_MAX: u32 = 1_024;
/// Bytes of the ring that tells of programs that start; a power of two and whole pages.
pub const STARTED_RING_BYTES: u32 = 64 * 1024;

/// [`Clause::kind`]: lets through what the rule behind it would stop.
pub const KIND_EXCEPTION: u32 = 1;
/// A rule.
pub const KIND_RULE: u32 = 2;

/// [`Clause::action`]: the send is stopped.
pub const ACTION_BLOCK: u32 = 1;
/// And the process killed.
pub const ACTION_KILL: u32 = 2;

/// [`Clause::transports`]: a bit for each, as the policy orders them.
pub const TRANSPORT_TCP: u32 = 1;
/// UDP.
pub const TRANSPORT_UDP: u32 = 2;
/// Handed to a TLS library.
pub const TRANSPORT_TLS: u32 = 4;
/// Unix sockets.
pub const TRANSPORT_UNIX: u32 = 8;
/// Packet sockets.
pub const TRANSPORT_PACKET: u32 = 16;
/// Others.
pub const TRANSPORT_OTHER: u32 = 32;

/// [`Network::kind`]: addresses with a common prefix.
pub const NETWORK_CIDR: u32 = 0;
/// Whatever is not among the first rows, which are the networks that are loopback or private.
pub const NETWORK_PUBLIC: u32 = 1;
/// A destination that is not known.
pub const NETWORK_UNKNOWN: u32 = 2;
/// As [`NETWORK_CIDR`], of IPv6: no address of IPv4 lies in it.
pub const NETWORK_CIDR_V6: u32 = 3;

/// [`Prevention::flags`]: decisions are told and not carried out.
pub const PREVENTION_DRY_RUN: u32 = 1;

/// [`Scope::clauses`]: the process is protected.
pub const SCOPE_PROTECTED: u64 = 1 << 63;
const _: () = assert!(CLAUSES_MAX < 64);

/// A network: those addresses that are `address` where `mask` has bits. IPv4 is in ::ffff:0:0/96
/// (RFC 4291, 2.5.5.2).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Network {
    /// The address, in network order.
    pub address: [u64; 2],
    /// Bits that count.
    pub mask: [u64; 2],
    /// One of `NETWORK_*`.
    pub kind: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// A rule, or an exception of the rule that follows.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clause {
    /// How far back a threshold looks, nanoseconds.
    pub within_ns: u64,
    /// One of `KIND_*`.
    pub kind: u32,
    /// Index of the rule in the policy.
    pub rule: u32,
    /// One of `ACTION_*`.
    pub action: u32,
    /// Bits of `TRANSPORT_*`; 0 for any.
    pub transports: u32,
    /// Classes that count, at each confidence. Of an exception, which all are let through.
    pub wants: [u32; 3],
    /// What a threshold asks for; 0 where it does not.
    pub count: u32,
    /// Likewise, different values.
    pub distinct: u32,
    /// Rows of networks of which one must hold: the first, and how many; 0 for any.
    pub networks: [u32; 2],
    /// Of which none may.
    pub not_networks: [u32; 2],
    /// Spans of ports; 0 for any.
    pub port_count: u32,
    /// Spans of uids; 0 for any.
    pub uid_count: u32,
    /// Whether it is about certain processes, those whose [`Scope`] says so.
    pub scoped: u32,
    /// First and last port.
    pub ports: [[u32; 2]; PORTS_MAX],
    /// First and last uid.
    pub uids: [[u32; 2]; UIDS_MAX],
}

/// What is in force.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Prevention {
    /// How many clauses there are.
    pub clause_count: u32,
    /// Bits of `PREVENTION_*`.
    pub flags: u32,
    /// Actions within a minute after which is only told.
    pub actions_per_minute_max: u32,
    /// Likewise, of one executable.
    pub actions_per_executable_max: u32,
    /// Rows of networks that are loopback or private.
    pub local_networks: u32,
    /// Which table it is: a [`Scope`] of another is not known.
    pub generation: u32,
    /// The clauses.
    pub clauses: [Clause; CLAUSE_SLOTS],
    /// The networks.
    pub networks: [Network; NETWORKS_MAX],
}

/// `USER_HZ` of what the kernel tells programs, as nanoseconds (include/asm-generic/param.h).
pub const TICK_NS: u64 = 10_000_000;

/// Which clauses a process is in, as the daemon found out at its start.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    /// A bit for each clause, and [`SCOPE_PROTECTED`].
    pub clauses: u64,
    /// Names its executable; 0 where it is not known.
    pub executable: u64,
    /// When it began, in ticks of [`TICK_NS`] since boot, as proc(5) has it: what has its pid later is
    /// another.
    pub start_ticks: u64,
    /// [`Prevention::generation`] that it is for.
    pub generation: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// Of which process and rule a threshold is kept.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThresholdKey {
    /// Who.
    pub process: ProcessId,
    /// [`Prevention::generation`].
    pub generation: u32,
    /// Index of the clause.
    pub clause: u32,
}

/// What was seen of late.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    /// When, nanoseconds since boot; 0 for none.
    pub at_ns: [u64; THRESHOLD_MAX],
    /// Which value.
    pub hash: [u32; THRESHOLD_MAX],
    /// Where the next goes.
    pub next: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// Actions of a minute.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Minute {
    /// Which, since boot.
    pub minute: u32,
    /// How many.
    pub actions: u32,
}

/// [`crate::record::SampleHead::verdict`]: index of the rule and one, 0 for no verdict.
pub const VERDICT_RULE_MASK: u32 = 0xffff;
/// One of `ACTION_*` from this bit on.
pub const VERDICT_ACTION_SHIFT: u32 = 16;
/// It was not carried out: a dry run.
pub const VERDICT_DRY_RUN: u32 = 1 << 24;
/// Nor: the limit of actions is reached.
pub const VERDICT_LIMITED: u32 = 1 << 25;
/// Nor: the process is protected.
pub const VERDICT_PROTECTED: u32 = 1 << 26;
/// Nor: the socket is none that can be shut.
pub const VERDICT_UNABLE: u32 = 1 << 27;

const _: () = assert!(core::mem::size_of::<Clause>() == 8 + 16 * 4 + PORTS_MAX * 8 + UIDS_MAX * 8);
const _: () = assert!(core::mem::size_of::<Network>() == 40);
const _: () = assert!(core::mem::size_of::<Scope>() == 32);
const _: () = assert!(PROOFS_MAX <= THRESHOLD_MAX);
