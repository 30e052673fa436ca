//! The contract between the programs in the kernel and the daemon: record layouts, map names,
//! limits, fault codes, and the scan of the prefilter, which both sides run.
//!
//! No program is here and nothing here does I/O: this builds on any host, without `std`, so that
//! the daemon, its tests and the programs read one text. What ships together is built together;
//! there is no negotiation between versions.
#![no_std]

pub mod claim;
pub mod encoded;
pub mod prefilter;
pub mod prevention;
pub mod proof;
pub mod quarantine;
pub mod record;
pub mod switch;

/// Bytes of one sample's own text: how much of a send is copied and examined at a time.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// The most that a policy can ask to examine of one send (`sample_bytes_max`).
pub const SAMPLE_BYTES_MAX: usize = 256 * 1024;
/// The least that a policy can ask for: below it a head of HTTP would not fit.
pub const SAMPLE_BYTES_MIN: usize = 256;
/// Bytes of a flow's earlier sends that the kernel keeps, to hand them over when a later send
/// completes what they began. A card number with each digit and separator escaped as `\u0034` is
/// 222 bytes.
pub const TAIL_BYTES: usize = 256;
/// Buffers of one `writev` or `sendmsg` that are read: the kernel's own limit
/// (`UIO_MAXIOV`, include/uapi/linux/uio.h).
pub const SEGMENTS_MAX: u32 = 1024;
/// Bytes of one send at most: the kernel cuts what is longer (`MAX_RW_COUNT`, include/linux/fs.h).
pub const SEND_BYTES_MAX: u64 = 0x7fff_f000;
/// Messages of one `sendmmsg` that are read: the kernel's own limit, likewise.
pub const MESSAGES_MAX: u32 = 1024;
/// Flows that the kernel keeps account of; the one idle for longest makes room.
pub const FLOWS_MAX: u32 = 32_768;
/// Processes whose identity and coverage the kernel keeps; likewise.
pub const PROCESSES_MAX: u32 = 8_192;
/// Sockets that can be shut at once.
pub const SHUT_MAX: u32 = 16_384;
/// Bytes of the path of an executable.
pub const EXE_BYTES: usize = 256;
/// Bytes of a command line.
pub const ARGS_BYTES: usize = 512;
/// Bytes of a `struct sock` that are read at once; its `sock_common` is 136 (x86_64, 6.18).
pub const SOCK_COMMON_BYTES: usize = 192;
/// Work areas of a CPU: one for the socket tap, one for the gate, which softirqs run above a tap, and
/// two for the TLS tap, whose programs can be preempted in the middle of a write.
pub const AREAS_PER_CPU: u32 = 4;
/// TLS sessions that the kernel keeps account of; the one idle for longest makes room.
pub const SESSIONS_MAX: u32 = 16_384;
/// Threads of which is kept for which session they work; likewise.
pub const THREADS_MAX: u32 = 16_384;
/// Executable files that were told of; likewise. One that is forgotten is told of again.
pub const FILES_MAX: u32 = 16_384;
/// Bytes of the ring that tells of them; a power of two and whole pages.
pub const FILES_RING_BYTES: u32 = 256 * 1024;
/// Chunks of one packet that the gate looks at: a packet of 64 KiB, the most without BIG TCP.
pub const PACKET_CHUNKS_MAX: u32 = 4;
/// Entries of the prefilter's table: rows of states times the stride, 16-bit indices.
pub const TABLE_ENTRIES: usize = 65_536;
/// Bytes of the sample ring unless the policy says otherwise; a power of two and whole pages.
pub const RING_BYTES: u32 = 8 * 1024 * 1024;

const _: () = assert!(SAMPLE_BYTES_MAX.is_multiple_of(CHUNK_BYTES));
const _: () = assert!(CHUNK_BYTES.is_power_of_two() && CHUNK_BYTES > TAIL_BYTES);
const _: () = assert!(TAIL_BYTES.is_multiple_of(8) && TAIL_BYTES > record::SAMPLE_HEAD_BYTES);
const _: () = assert!(RING_BYTES.is_power_of_two());

/// Names of maps, as the object spells them.
pub mod map {
    /// Ring buffer of samples.
    pub const SAMPLES: &str = "SAMPLES";
    /// Per-CPU counters, one `u64` per [`crate::Counter`].
    pub const COUNTERS: &str = "COUNTERS";
    /// Socket cookie to [`crate::record::Flow`].
    pub const FLOWS: &str = "FLOWS";
    /// [`crate::record::ProcessId`] to [`crate::record::ProcessInfo`].
    pub const PROCESSES: &str = "PROCESSES";
    /// [`crate::record::ProcessId`] to [`crate::record::Coverage`].
    pub const COVERAGE: &str = "COVERAGE";
    /// Socket cookies that may send no more, with the bytes that were stopped.
    pub const SHUT: &str = "SHUT";
    /// Whether any socket was ever shut: while none was, no packet is looked up in [`SHUT`].
    pub const SHUT_ANY: &str = "SHUT_ANY";
    /// The prefilter's automaton.
    pub const PREFILTER: &str = "PREFILTER";
    /// Opaque bytes of the host's current second.
    pub const OPAQUE: &str = "OPAQUE";
    /// [`crate::record::SessionKey`] to [`crate::record::Session`].
    pub const SESSIONS: &str = "SESSIONS";
    /// Executable files that were told of: [`crate::record::FileId`] to nothing.
    pub const FILES_KNOWN: &str = "FILES_KNOWN";
    /// Ring buffer of [`crate::record::FileSeen`].
    pub const FILES_SEEN: &str = "FILES_SEEN";
    /// Two of [`crate::prevention::Prevention`], which take turns.
    pub const PREVENTION: &str = "PREVENTION";
    /// Which of them is in force and one; 0 for none.
    pub const PREVENTS: &str = "PREVENTS";
    /// [`crate::proof::Tables`].
    pub const PROOF_TABLES: &str = "PROOF_TABLES";
    /// Thread group id to [`crate::prevention::Scope`].
    pub const SCOPES: &str = "SCOPES";
    /// Ring buffer of [`crate::record::ProcessId`]s: programs that start while something is prevented.
    pub const STARTED: &str = "STARTED";
    /// [`crate::AREAS_PER_CPU`] work areas per possible CPU.
    pub const SCRATCH: &str = "SCRATCH";
}

/// How a function of a TLS library that is hooked takes its arguments, which is what an attachment of the
/// TLS tap carries as its cookie, in the lower byte. The upper ones name the function, so that two that go
/// on to each other are told from one that is called twice.
pub mod call {
    /// Where the name of the function begins.
    pub const FUNCTION_SHIFT: u32 = 8;
    /// The way of taking arguments.
    pub const MASK: u64 = 0xff;
    /// Session, buffer, number of bytes, by the C ABI.
    pub const WRITE: u64 = 0;
    /// Likewise, where the session may be any file of NSPR.
    pub const WRITE_NSPR: u64 = 1;
    /// `crypto/tls.(*Conn).Write(c, b)`, as Go passes arguments since 1.17: RAX, RBX, RCX
    /// (src/cmd/compile/abi-internal.md).
    pub const WRITE_GO: u64 = 2;
    /// The same before: on the stack, behind the address of the caller.
    pub const WRITE_GO_STACK: u64 = 3;
    /// `<rustls::conn::connection::Writer as std::io::Write>::write(self, pointer, length)`: what `self`
    /// points to begins with a pointer to the connection.
    pub const WRITE_RUSTLS: u64 = 4;
    /// `write_vectored` of the same: self, pointer to `struct iovec`, how many.
    pub const WRITE_RUSTLS_VECTORED: u64 = 5;
    /// Works for its first argument, a session.
    pub const ENTER: u64 = 6;
    /// Frees its first argument, a session.
    pub const END: u64 = 7;
    /// `SSL_sendfile(session, fd, offset, bytes, flags)`
    pub const SEND_FILE: u64 = 8;
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What the kernel side counts, each in a slot of the per-CPU array `COUNTERS`.
        #[repr(u32)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Counter { $($(#[doc = $doc])+ $variant,)+ }

        impl Counter {
            /// All of them, in the order of their slots.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)+];
            /// The name in `doctor --json` and the summary.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)+ }
            }
        }
    };
}

counters! {
    /// Sends on internet sockets that a tap saw (each message of a `sendmmsg` is one).
    SendsSeen = "sends_seen",
    /// Bytes that those sends asked to send.
    BytesSeen = "bytes_seen",
    /// Bytes that the prefilter read and that cannot hold a finding.
    BytesCleared = "bytes_cleared",
    /// Bytes handed over in samples.
    BytesSampled = "bytes_sampled",
    /// Samples that the prefilter wanted in user space: delivered + lost.
    SamplesSeen = "samples_seen",
    /// Samples that went into the ring.
    SamplesDelivered = "samples_delivered",
    /// Samples lost because the ring was full.
    SamplesLostRing = "samples_lost_ring_full",
    /// Bytes of those.
    BytesLostRing = "bytes_lost_ring_full",
    /// Bytes beyond `sample_bytes_max` of a send.
    BytesOverMax = "bytes_over_sample_max",
    /// Bytes that could not be read: not mapped, or paged out.
    BytesUnreadable = "bytes_unreadable",
    /// Bytes of opaque texts for which the budget of their flow or of the host was used up.
    BytesOverOpaque = "bytes_over_opaque_budget",
    /// Bytes of opaque texts that were handed over: a part of the sampled ones.
    BytesOpaque = "bytes_opaque",
    /// Bytes of TLS records at sockets that no session of the TLS tap is known to be on.
    BytesTls = "bytes_tls",
    /// Bytes of TLS records whose text the TLS tap has read.
    BytesTlsRead = "bytes_tls_read",
    /// Writes to TLS libraries that the TLS tap saw.
    TlsWrites = "tls_writes_seen",
    /// Bytes that those writes asked to send.
    TlsBytes = "tls_bytes_seen",
    /// Writes that were tried again, of which nothing new was to be seen.
    TlsRepeated = "tls_writes_repeated",
    /// Bytes of writes for which no work area was free.
    TlsBusy = "tls_bytes_busy",
    /// Bytes that `SSL_sendfile` was asked to send, which the kernel reads and encrypts.
    TlsFileBytes = "tls_bytes_from_files",
    /// TLS sessions for which no room could be made in `SESSIONS`.
    SessionsFull = "tls_sessions_full",
    /// Executable files told of at their first mapping.
    FilesSeen = "files_seen",
    /// Executable files that could not be told of: found by the walk that follows.
    FilesLost = "files_lost",
    /// Bytes of flows for which no room could be made in `FLOWS`.
    BytesFlowsFull = "bytes_flows_full",
    /// Bytes of packets that no tap had seen, and that the gate looked at.
    BytesAtGate = "bytes_examined_at_gate",
    /// Bytes of packets that no tap had seen, and that came while the gate was looking at another.
    BytesGateBusy = "bytes_gate_busy",
    /// Bytes of packets that no tap had seen, beyond what the gate looks at in one.
    BytesPacketOverMax = "bytes_over_packet_max",
    /// Sends from memory that is shared with a packet socket, which no call names the bytes of.
    SendsPacketRing = "sends_packet_ring",
    /// Sends of which what says where their bytes are could not be read.
    SendsUnreadable = "sends_unreadable",
    /// Sends whose descriptor could not be followed to its socket.
    SendsUnresolved = "sends_unresolved",
    /// Flows for which no room could be made in `FLOWS`.
    FlowsFull = "flows_full",
    /// Bytes of payload that left through the packet gate.
    BytesSent = "bytes_sent",
    /// Of those, bytes on sockets of which no process is known: accepted, and not seen at a tap yet.
    BytesUnattributed = "bytes_sent_unattributed",
    /// Bytes of payload that the packet gate dropped.
    BytesDropped = "bytes_dropped",
    /// Bytes of sends that the send gate refused.
    BytesRefused = "bytes_refused",
    /// Values that the kernel proved while something was prevented.
    Proofs = "proofs",
    /// Sends that it decided to stop, whether it did or not.
    Verdicts = "verdicts",
    /// Sends that it stopped.
    Blocks = "blocks",
    /// Processes that it killed.
    KillsInKernel = "kills_in_kernel",
    /// Sends that it would have stopped, but for the limit of actions.
    VerdictsLimited = "verdicts_limited",
    /// Sends that it would have stopped, but for protection.
    VerdictsProtected = "verdicts_protected",
    /// Sends that it cannot stop: packet sockets, Unix sockets, sockets without a cookie.
    VerdictsUnable = "verdicts_unable",
    /// Programs whose start could not be told of: which clauses they are in is not known.
    StartsLost = "starts_lost",
    /// Program starts followed.
    Execs = "execs",
    /// Process starts followed.
    Forks = "forks",
    /// Process ends followed.
    Exits = "exits",
    /// Process starts that found no room in `PROCESSES`.
    ProcessesFull = "processes_full",
}

/// Slots of the array `COUNTERS`.
pub const COUNTER_SLOTS: u32 = Counter::ALL.len() as u32;

/// Where fields stand in this kernel's structures, in bytes, from its BTF. Rust has no CO-RE: the
/// daemon reads them and hands them over as a read-only global before load.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.files`
    pub task_files: u32,
    /// `task_struct.group_leader`
    pub task_group_leader: u32,
    /// `task_struct.start_boottime` (`real_start_time` before 5.5)
    pub task_start_boottime: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.real_parent`
    pub task_real_parent: u32,
    /// `task_struct.mm`
    pub task_mm: u32,
    /// `mm_struct.arg_start`
    pub mm_arg_start: u32,
    /// `mm_struct.arg_end`
    pub mm_arg_end: u32,
    /// `linux_binprm.interp`
    pub binprm_interp: u32,
    /// `linux_binprm.file`
    pub binprm_file: u32,
    /// `files_struct.fdt`
    pub files_fdt: u32,
    /// `fdtable.max_fds`
    pub fdtable_max_fds: u32,
    /// `fdtable.fd`
    pub fdtable_fd: u32,
    /// `file.f_inode`
    pub file_inode: u32,
    /// `file.private_data`
    pub file_private_data: u32,
    /// `inode.i_mode`
    pub inode_mode: u32,
    /// `inode.i_ino`
    pub inode_number: u32,
    /// `inode.i_sb`
    pub inode_super: u32,
    /// `inode.i_generation`
    pub inode_generation: u32,
    /// `super_block.s_dev`
    pub super_device: u32,
    /// `pt_regs.sp`
    pub regs_sp: u32,
    /// `socket.sk`
    pub socket_sk: u32,
    /// `sock_common.skc_family`
    pub sock_family: u32,
    /// `sock_common.skc_daddr`
    pub sock_daddr: u32,
    /// `sock_common.skc_rcv_saddr`
    pub sock_saddr: u32,
    /// `sock_common.skc_dport`, network order
    pub sock_dport: u32,
    /// `sock_common.skc_num`, host order
    pub sock_num: u32,
    /// `sock_common.skc_v6_daddr`
    pub sock_v6_daddr: u32,
    /// `sock_common.skc_v6_rcv_saddr`
    pub sock_v6_saddr: u32,
    /// `sock_common.skc_cookie`
    pub sock_cookie: u32,
    /// `sock_common.skc_state`, one byte
    pub sock_state: u32,
    /// `sock.sk_protocol`, 16 bits since 5.6
    pub sock_protocol: u32,
    /// `sock.sk_socket`; [`ABSENT`] where only the quarantine would need it.
    pub sock_socket: u32,
    /// `sock.sk_lock.owned`; likewise.
    pub sock_lock_owned: u32,
    /// `socket.file`; likewise.
    pub socket_file: u32,
    /// `cgroup.kn`; likewise.
    pub cgroup_node: u32,
    /// `cgroup.root`; likewise.
    pub cgroup_root: u32,
    /// `cgroup_root.hierarchy_id`; likewise.
    pub root_hierarchy: u32,
    /// `kernfs_node.id`; likewise.
    pub node_id: u32,
    /// `tcp_sock.write_seq`
    pub tcp_write_seq: u32,
    /// `mptcp_sock.first`, the subflow that a connection began with; [`ABSENT`] without MPTCP.
    pub mptcp_first: u32,
    /// `io_kiocb.opcode`; [`ABSENT`] without io_uring.
    pub io_kiocb_opcode: u32,
    /// `io_kiocb.flags`; likewise.
    pub io_kiocb_flags: u32,
    /// `io_kiocb.cqe`; likewise, and before 5.19.
    pub io_kiocb_cqe: u32,
    /// `io_cqe.fd`; likewise.
    pub io_cqe_fd: u32,
    /// `msghdr.msg_iter`
    pub msghdr_iter: u32,
    /// `msghdr.msg_name`
    pub msghdr_name: u32,
    /// `msghdr.msg_namelen`
    pub msghdr_namelen: u32,
    /// `iov_iter.iter_type`, one byte since 5.14
    pub iter_type: u32,
    /// `iov_iter.iov_offset`
    pub iter_offset: u32,
    /// `iov_iter.count`
    pub iter_count: u32,
    /// `iov_iter.__iov` (`iov` before 6.4)
    pub iter_iov: u32,
    /// `iov_iter.nr_segs`
    pub iter_segments: u32,
    /// `iov_iter.ubuf`; [`ABSENT`] before 6.0
    pub iter_ubuf: u32,
    /// Value of `ITER_IOVEC`: they are numbered anew now and then.
    pub iter_is_iovec: u32,
    /// Value of `ITER_KVEC`.
    pub iter_is_kvec: u32,
    /// Value of `ITER_UBUF`; [`ABSENT`] before 6.0.
    pub iter_is_ubuf: u32,
}

/// Stands for the offset of a field that this kernel does not have and that can be done without.
pub const ABSENT: u32 = u32::MAX;

impl Offsets {
    /// Those into `sock_common`.
    pub fn sock_common(&self) -> [u32; 9] {
        [
            self.sock_family,
            self.sock_daddr,
            self.sock_saddr,
            self.sock_dport,
            self.sock_num,
            self.sock_v6_daddr,
            self.sock_v6_saddr,
            self.sock_cookie,
            self.sock_state,
        ]
    }
}

/// What the daemon tells the programs before load.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// The daemon's own thread group: its sends are not looked at, or an alert would raise alerts.
    pub self_tgid: u32,
    /// Bytes of a send that are examined.
    pub sample_bytes_max: u32,
    /// A power of two that covers all possible CPUs; `SCRATCH` has [`AREAS_PER_CPU`] areas for each.
    pub scratch_slots: u32,
    /// Bits of `SETTING_*`.
    pub flags: u32,
}

/// [`Settings::flags`]: sends on Unix sockets are looked at too.
pub const SETTING_UNIX: u32 = 1;
/// [`Settings::flags`]: executable files are told of, for the TLS tap.
pub const SETTING_TLS: u32 = 2;
