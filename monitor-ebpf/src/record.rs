//! Layouts of what crosses between kernel and daemon. Explicit sizes, no implicit padding; the
//! daemon parses them field by field and never casts bytes from outside to a type.

use crate::{ARGS_BYTES, EXE_BYTES, TAIL_BYTES};

/// Bytes of a [`SampleHead`].
pub const SAMPLE_HEAD_BYTES: usize = 152;

/// [`SampleHead::flags`]: text of earlier sends stands before the sample's own, right-aligned in
/// [`TAIL_BYTES`] bytes, `tail_bytes` of it meant.
pub const FLAG_TAIL: u32 = 1;
/// [`SampleHead::flags`]: the destination is the socket's peer or was named by the call.
pub const FLAG_DESTINATION: u32 = 2;
/// [`SampleHead::flags`]: read out of a packet, which no tap has seen the bytes of. Whoever runs need
/// not be who sent it: `tgid` and `start_ns` are the flow's owner, `tid` is 0, `comm` is empty, and
/// `uid` is the socket's.
pub const FLAG_PACKET: u32 = 4;
/// [`SampleHead::flags`]: handed to a TLS library. `cookie` is the session's [`Session::id`], and the
/// ends are those of the socket under it where that is known.
pub const FLAG_TLS: u32 = 8;

/// Goes before the bytes of a sample in the ring. The text of earlier sends follows where
/// [`FLAG_TAIL`] says so, then the sample's own text, to the end of the record.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleHead {
    /// When the send was found to be worth a sample, a microsecond or two after the process entered it.
    pub at_ns: u64,
    /// Start of the sending process: `start_boottime` of its group leader.
    pub start_ns: u64,
    /// Socket cookie; 0 where the socket had none yet. Of a TLS session its id.
    pub cookie: u64,
    /// cgroup v2 id of the sender.
    pub cgroup_id: u64,
    /// Bytes that the send asked for.
    pub send_bytes: u64,
    /// Bytes of the send that follow the sample and were not copied.
    pub omitted_bytes: u64,
    /// Thread group id.
    pub tgid: u32,
    /// Thread id.
    pub tid: u32,
    /// Real uid.
    pub uid: u32,
    /// Bits of `FLAG_*`.
    pub flags: u32,
    /// Sequence number of the sample's own first byte (TCP), else 0.
    pub position: u32,
    /// Bytes of earlier sends that come with it.
    pub tail_bytes: u32,
    /// Bytes of the sample's own text.
    pub text_bytes: u32,
    /// IP protocol.
    pub protocol: u16,
    /// AF_INET or AF_INET6.
    pub family: u16,
    /// Local port, host order.
    pub source_port: u16,
    /// Remote port, host order.
    pub destination_port: u16,
    /// What the kernel decided on it: bits of `prevention::VERDICT_*`.
    pub verdict: u32,
    /// Local address, the first 4 bytes for AF_INET.
    pub source: [u8; 16],
    /// Remote address, likewise.
    pub destination: [u8; 16],
    /// `comm` of the thread.
    pub comm: [u8; 16],
    /// Address of the TLS session in its process, else 0.
    pub session: u64,
    /// Cookie of the socket under the session; 0 where that is not known yet.
    pub socket: u64,
}

/// What the kernel keeps of a flow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Flow {
    /// Payload bytes that left through the packet gate, retransmissions not counted again.
    pub sent_bytes: u64,
    /// Bytes that sends asked for at a tap.
    pub seen_bytes: u64,
    /// Bytes that the prefilter cleared or that were handed over.
    pub examined_bytes: u64,
    /// Start of the process that sent last.
    pub owner_start_ns: u64,
    /// Its thread group.
    pub owner_tgid: u32,
    /// The prefilter's state behind the last byte seen.
    pub state: u32,
    /// Sequence number that the next send begins at unless bytes were not taken.
    pub next_position: u32,
    /// Of `tail`, how many bytes at its end were seen but not handed over.
    pub tail_bytes: u32,
    /// Sequence number behind the last byte that left through the gate.
    pub gate_position: u32,
    /// Bits of `FLOW_*`.
    pub flags: u32,
    /// Bytes that follow of the TLS record that the last text ended in.
    pub tls_left: u32,
    /// The second in which `opaque_bytes` were handed over.
    pub opaque_second: u32,
    /// Opaque bytes of that second.
    pub opaque_bytes: u32,
    /// Sequence number behind the last byte that a tap has seen, see [`crate::claim`].
    pub claimed: u32,
    /// Before `claimed`, the bytes that no tap has seen: from this sequence number on,
    pub hole_from: u32,
    /// to this.
    pub hole_to: u32,
    /// Bytes that a tap has seen and the gate has not, where there is no sequence number.
    pub claimed_bytes: u32,
    /// Bytes of TLS records that were counted as unread: a handshake, until the session is known.
    pub tls_unread: u32,
    /// Bytes of datagrams that are to be dropped where they leave.
    pub block_bytes: u32,
    /// Reserved, 0.
    pub reserved: u32,
    /// The last bytes seen, right-aligned.
    pub tail: [u8; TAIL_BYTES],
}

impl Flow {
    /// One of which nothing was seen.
    pub const NEW: Flow = Flow {
        sent_bytes: 0,
        seen_bytes: 0,
        examined_bytes: 0,
        owner_start_ns: 0,
        owner_tgid: 0,
        state: 0,
        next_position: 0,
        tail_bytes: 0,
        gate_position: 0,
        flags: 0,
        tls_left: 0,
        opaque_second: 0,
        opaque_bytes: 0,
        claimed: 0,
        hole_from: 0,
        hole_to: 0,
        claimed_bytes: 0,
        tls_unread: 0,
        block_bytes: 0,
        reserved: 0,
        tail: [0; TAIL_BYTES],
    };
}

/// [`Flow::flags`]: `gate_position` holds.
pub const FLOW_GATE_POSITION: u32 = 1;
/// [`Flow::flags`]: the last chunk was handed over, so the scan of the next begins in its tail.
pub const FLOW_HOT: u32 = 2;
/// [`Flow::flags`]: the last text was TLS records.
pub const FLOW_TLS: u32 = 4;
/// [`Flow::flags`]: `claimed` holds.
pub const FLOW_CLAIMED: u32 = 8;
/// [`Flow::flags`]: `hole_from` and `hole_to` hold.
pub const FLOW_HOLE: u32 = 16;

/// [`Flow::flags`]: of a socket, whose TLS records are of a session that the TLS tap reads.
pub const FLOW_READ: u32 = 32;

/// Key of a TLS session: the address of the library's structure, in a process.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Address of `SSL`, `gnutls_session_t`, `PRFileDesc`, `tls.Conn`.
    pub address: u64,
    /// Thread group id.
    pub tgid: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// What the kernel keeps of a TLS session.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Names the session as a cookie names a socket, and is none: its upper bit is set.
    pub id: u64,
    /// Start of its process: an address is used again.
    pub start_ns: u64,
    /// Cookie of the socket that its records leave on; 0 where none was seen to.
    pub cookie: u64,
    /// Address of that one's `struct sock`.
    pub sock: u64,
    /// Of the last write, where its buffer begins.
    pub base: u64,
    /// Where it ends.
    pub end: u64,
    /// What of it was to be read ends here.
    pub read_end: u64,
    /// The function that it was made by ([`crate::call`]).
    pub function: u64,
    /// How it begins.
    pub begin: [u64; 4],
    /// Sum of the first write's text, by which it is known when a handshake stood in its way; else 0.
    pub first_sum: u64,
    /// The socket's sequence number when it began.
    pub socket_position: u32,
    /// Bytes of the session so far, modulo 2^32.
    pub position: u32,
    /// Local address, as in [`SampleHead`].
    pub source: [u8; 16],
    /// Remote address.
    pub destination: [u8; 16],
    /// Local port.
    pub source_port: u16,
    /// Remote port; 0 where no socket is known.
    pub destination_port: u16,
    /// AF_INET or AF_INET6.
    pub family: u16,
    /// Times that the first write came again.
    pub repeats: u16,
    /// Whether what it is written may not leave: its socket is shut once it is known.
    pub blocked: u64,
}

impl Session {
    /// One of which nothing was seen.
    pub const NEW: Session = Session {
        id: 0,
        start_ns: 0,
        cookie: 0,
        sock: 0,
        base: 0,
        end: 0,
        read_end: 0,
        function: 0,
        begin: [0; 4],
        first_sum: 0,
        socket_position: 0,
        position: 0,
        source: [0; 16],
        destination: [0; 16],
        source_port: 0,
        destination_port: 0,
        family: 0,
        repeats: 0,
        blocked: 0,
    };
}

/// For which session a thread works.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Address of the session.
    pub address: u64,
    /// Since when, nanoseconds since boot; 0 once its records were seen to leave.
    pub at_ns: u64,
    /// The thread's stack pointer at the call: what it sends with a lower one it sends within the call.
    pub stack: u64,
    /// Whether another session was worked for since records were last seen to leave.
    pub mixed: u64,
    /// The socket that the session was known to be on by then; 0 if none.
    pub cookie: u64,
}

/// An executable file, as its file system and the kernel name it. Inode numbers are used again, with
/// another generation where the file system has any.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Inode number.
    pub inode: u64,
    /// Device, as the kernel has it: major number from bit 20 on (include/linux/kdev_t.h).
    pub device: u32,
    /// `inode.i_generation`; 0 where it is not known.
    pub generation: u32,
}

/// A process maps a file to execute it that was not told of before.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSeen {
    /// Which.
    pub file: FileId,
    /// When, nanoseconds since boot.
    pub at_ns: u64,
    /// Thread group id.
    pub tgid: u32,
    /// Descriptor that it is mapped from; [`FileSeen::EXECUTED`] of a program that is executed.
    pub fd: u32,
}

/// Key of a process: a pid is used again, a pid with its start time is not.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// `start_boottime` of the group leader.
    pub start_ns: u64,
    /// Thread group id.
    pub tgid: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// What is known of a process that began while the programs ran.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ProcessInfo {
    /// Start of the parent.
    pub parent_start_ns: u64,
    /// When it ended, 0 while it runs.
    pub exited_ns: u64,
    /// cgroup v2 id at exec or fork.
    pub cgroup_id: u64,
    /// Thread group of the parent.
    pub parent_tgid: u32,
    /// Real uid at exec or fork.
    pub uid: u32,
    /// Bytes of `exe` that hold; 0 where the process was forked by one that was there before.
    pub exe_bytes: u32,
    /// Bytes of `args` that hold.
    pub args_bytes: u32,
    /// Path that was executed (the interpreter for a script), as handed to `execve`.
    pub exe: [u8; EXE_BYTES],
    /// Arguments, each ended by NUL.
    pub args: [u8; ARGS_BYTES],
}

/// What one process sent against what of it was examined, in bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Sends at the taps.
    pub sends: u64,
    /// Payload that left through the packet gate on its flows.
    pub sent_bytes: u64,
    /// Asked for at the taps.
    pub seen_bytes: u64,
    /// Cleared by the prefilter or handed over.
    pub examined_bytes: u64,
    /// Beyond `sample_bytes_max`.
    pub over_max_bytes: u64,
    /// Not readable.
    pub unreadable_bytes: u64,
    /// Lost because the ring was full.
    pub ring_full_bytes: u64,
    /// Opaque, and beyond the budget.
    pub opaque_bytes: u64,
    /// TLS records of which no tap has read the text.
    pub tls_bytes: u64,
    /// In flows for which there was no room.
    pub flows_full_bytes: u64,
    /// In packets that came while the gate was looking at another one.
    pub gate_busy_bytes: u64,
    /// Beyond what the gate looks at in one packet.
    pub packet_over_max_bytes: u64,
    /// Sends, and not bytes, of which it could not be read where their bytes are.
    pub unreadable_sends: u64,
    /// Sends, likewise, from memory that is shared with a packet socket (`PACKET_TX_RING`).
    pub packet_ring_sends: u64,
    /// In writes to TLS libraries for which no work area was free.
    pub tls_busy_bytes: u64,
    /// From files that a TLS library had the kernel encrypt (`SSL_sendfile`).
    pub tls_file_bytes: u64,
}

const _: () = assert!(core::mem::size_of::<SampleHead>() == SAMPLE_HEAD_BYTES);
const _: () = assert!(SAMPLE_HEAD_BYTES.is_multiple_of(8));
const _: () = assert!(core::mem::size_of::<Flow>() == 96 + TAIL_BYTES);
const _: () = assert!(core::mem::size_of::<ProcessId>() == 16);
const _: () = assert!(core::mem::size_of::<ProcessInfo>() == 40 + EXE_BYTES + ARGS_BYTES);
const _: () = assert!(core::mem::size_of::<Coverage>() == 128);
const _: () = assert!(core::mem::size_of::<SessionKey>() == 16);
const _: () = assert!(core::mem::size_of::<Session>() == 160);
const _: () = assert!(core::mem::size_of::<FileSeen>() == 32);

/// Reads little- or big-endian fields, as the host has them, off a slice that may be too short.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }
    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_ne_bytes)
    }
}

impl ProcessId {
    /// Parses the fields in their order.
    pub fn parse(record: &[u8]) -> Option<ProcessId> {
        let mut at = Fields(record);
        Some(ProcessId { start_ns: at.u64()?, tgid: at.u32()?, reserved: at.u32()? })
    }
}

impl FileSeen {
    /// No descriptor.
    pub const EXECUTED: u32 = u32::MAX;

    /// Parses the fields in their order.
    pub fn parse(record: &[u8]) -> Option<FileSeen> {
        let mut at = Fields(record);
        let file = FileId { inode: at.u64()?, device: at.u32()?, generation: at.u32()? };
        Some(FileSeen { file, at_ns: at.u64()?, tgid: at.u32()?, fd: at.u32()? })
    }
}

/// A record of the sample ring, parsed.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// Who, where, how much.
    pub head: SampleHead,
    /// Text of earlier sends of the flow, `head.tail_bytes` of it, then the sample's own text.
    pub bytes: &'a [u8],
}

impl SampleHead {
    /// Parses the fields in their order.
    pub fn parse(record: &[u8]) -> Option<SampleHead> {
        let mut at = Fields(record);
        Some(SampleHead {
            at_ns: at.u64()?,
            start_ns: at.u64()?,
            cookie: at.u64()?,
            cgroup_id: at.u64()?,
            send_bytes: at.u64()?,
            omitted_bytes: at.u64()?,
            tgid: at.u32()?,
            tid: at.u32()?,
            uid: at.u32()?,
            flags: at.u32()?,
            position: at.u32()?,
            tail_bytes: at.u32()?,
            text_bytes: at.u32()?,
            protocol: at.u16()?,
            family: at.u16()?,
            source_port: at.u16()?,
            destination_port: at.u16()?,
            verdict: at.u32()?,
            source: at.array()?,
            destination: at.array()?,
            comm: at.array()?,
            session: at.u64()?,
            socket: at.u64()?,
        })
    }
}

impl<'a> Sample<'a> {
    /// Parses a record; `None` where its lengths do not fit each other.
    pub fn parse(record: &'a [u8]) -> Option<Sample<'a>> {
        let head = SampleHead::parse(record)?;
        let rest = record.get(SAMPLE_HEAD_BYTES..)?;
        let own_at = if head.flags & FLAG_TAIL != 0 { TAIL_BYTES } else { 0 };
        let tail_bytes = if own_at != 0 { head.tail_bytes as usize } else { 0 };
        let from = own_at.checked_sub(tail_bytes)?;
        let to = own_at.checked_add(head.text_bytes as usize)?;
        Some(Sample { head, bytes: rest.get(from..to)? })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn parse_reads_each_field_where_the_layout_has_it() {
        let mut record = vec![0u8; SAMPLE_HEAD_BYTES + 5];
        for (index, byte) in record.iter_mut().enumerate() {
            *byte = index as u8;
        }
        let head = SampleHead::parse(&record).unwrap();
        let at = |offset: usize| record[offset];
        macro_rules! stands_at {
            ($($field:ident),*) => {$(
                assert_eq!(head.$field.to_ne_bytes()[0], at(core::mem::offset_of!(SampleHead, $field)));
            )*};
        }
        stands_at!(at_ns, start_ns, cookie, cgroup_id, send_bytes, omitted_bytes, tgid, tid, uid);
        stands_at!(flags, position, tail_bytes, text_bytes, protocol, family, source_port);
        stands_at!(destination_port, session, socket);
        assert_eq!(head.source[0], at(core::mem::offset_of!(SampleHead, source)));
        assert_eq!(head.destination[0], at(core::mem::offset_of!(SampleHead, destination)));
        assert_eq!(head.comm[0], at(core::mem::offset_of!(SampleHead, comm)));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut record = vec![0u8; SAMPLE_HEAD_BYTES + 8];
        let text_at = core::mem::offset_of!(SampleHead, text_bytes);
        record[text_at] = 8;
        assert_eq!(Sample::parse(&record).unwrap().bytes.len(), 8);
        record[text_at] = 9;
        assert!(Sample::parse(&record).is_none());
        record[text_at] = 0;
        record[core::mem::offset_of!(SampleHead, flags)] = FLAG_TAIL as u8;
        assert!(Sample::parse(&record).is_none());
        assert!(Sample::parse(&record[..40]).is_none());
    }
}
