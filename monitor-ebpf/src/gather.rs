//! Gathers a send: from which socket it goes where, and its bytes chunk by chunk, out of the buffers
//! that the call names. Every hook of the socket tap ends here; what becomes of a chunk is
//! [`crate::examine`]'s.

use core::ffi::{c_long, c_void};

use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_loop, bpf_probe_read_kernel, bpf_probe_read_user,
};
use monitor_ebpf::{
    CHUNK_BYTES, Counter, SEGMENTS_MAX, SEND_BYTES_MAX,
    record::{FLAG_DESTINATION, ProcessId},
};

use crate::{
    account::{add, count, coverage, flow, settle},
    examine::flush,
    kernel::{
        self, AF_INET, AF_INET6, AF_PACKET, AF_UNIX, Current, IPPROTO_TCP, Iter, Memory, Message,
        Socket, is_internet,
    },
    say::say_unresolved,
    scan::opaque,
    tls::pass_records,
    verdict::block_datagrams,
    work::{Work, work},
};

/// include/linux/socket.h
const AF_UNSPEC: u16 = 0;
/// Steps that gather a send: a segment takes one, one more for each chunk it fills, and one more
/// for each page where one is not there.
const STEPS_MAX: u32 = SEGMENTS_MAX
    + 1
    + 2 * (monitor_ebpf::SAMPLE_BYTES_MAX / CHUNK_BYTES) as u32
    + 2 * (monitor_ebpf::SAMPLE_BYTES_MAX as u64 / PAGE_BYTES) as u32;
/// The smallest page of any host: what is readable at one byte is to the end of it.
const PAGE_BYTES: u64 = 4096;

/// Who is about to send on a socket.
#[derive(Clone, Copy)]
struct Sender {
    pid_tgid: u64,
    task: Current,
}

impl Sender {
    /// Who runs.
    #[inline(always)]
    fn get() -> Sender {
        // SAFETY: no arguments, always answers.
        Sender { pid_tgid: unsafe { bpf_get_current_pid_tgid() }, task: Current::get() }
    }
    /// Whether it is the monitor, whose sends are not looked at: an alert would raise alerts.
    #[inline(always)]
    fn is_monitor(self) -> bool {
        self.tgid() == kernel::self_tgid()
    }
    #[inline(always)]
    fn tgid(self) -> u32 {
        (self.pid_tgid >> 32) as u32
    }
    /// The socket behind a descriptor.
    #[inline(always)]
    fn socket(self, fd: u32) -> Option<Socket> {
        let socket = self.task.socket(fd);
        if socket.is_err() {
            count(Counter::SendsUnresolved, 1);
            say_unresolved(self.tgid(), fd);
        }
        socket.ok()?
    }
}

/// Follows a descriptor to its socket and notes in an area who sends from where to where. `None`
/// where it is no socket that is looked at, or the sender is the monitor.
#[inline(always)]
pub fn begin(slot: u32, fd: u32) -> Option<u32> {
    // Kernels before 6.13 add the stacks of all that call each other ("combined stack size of 7
    // calls is 528. Too large"): what this one needs is given back before the send is read. The same
    // goes for the other global functions here.
    (note_descriptor(slot, fd) != 0).then_some(slot)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_descriptor(slot: u32, fd: u32) -> u32 {
    let noted = || {
        let sender = Sender::get();
        note(slot, sender, sender.socket(fd)?)
    };
    noted().is_some() as u32
}

/// The same for a socket that is at hand, by the address of its `struct sock`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_socket(slot: u32, sock: u64) -> u32 {
    let noted = || note(slot, Sender::get(), Socket::at(sock));
    noted().is_some() as u32
}

#[inline(always)]
fn note(slot: u32, sender: Sender, socket: Socket) -> Option<()> {
    if sender.is_monitor() {
        // Its socket may be one that it was given: from here on it is the monitor's, at the gate too.
        unclaim_on(sender, socket);
        return None;
    }
    let work = work(slot)?;
    let (socket, mut protocol) = socket.carrier()?;
    socket.copy_common(&mut work.common)?;
    let family = work.common.family();
    let internet = is_internet(family);
    if !internet {
        if family != AF_PACKET && !(family == AF_UNIX && kernel::looks_at_unix()) {
            return None;
        }
        protocol = 0;
    }
    let head = &mut work.head;
    work.common.ends(family, head);
    head.family = family;
    head.protocol = protocol;
    head.session = 0;
    head.socket = 0;
    work.sock = socket.address();
    // The gate knows no other sockets.
    head.cookie = if internet { work.common.cookie() } else { 0 };
    head.position = if protocol == IPPROTO_TCP { socket.write_position()? } else { 0 };
    head.flags = if head.destination_port != 0 { FLAG_DESTINATION } else { 0 };
    work.numbered = (protocol == IPPROTO_TCP && head.destination_port != 0) as u32;
    head.tgid = sender.tgid();
    head.tid = sender.pid_tgid as u32;
    head.start_ns = sender.task.start_ns();
    head.at_ns = 0;
    work.process = ProcessId { start_ns: head.start_ns, tgid: head.tgid, reserved: 0 };
    work.kernel_text = 0;
    work.kernel_iovec = 0;
    work.skip = 0;
    work.room = SEND_BYTES_MAX;
    Some(())
}

/// A call sends bytes on this socket that no tap reads: the gate is to look at them.
#[inline(always)]
pub fn unclaim(fd: u32) -> Option<()> {
    let sender = Sender::get();
    unclaim_on(sender, sender.socket(fd)?)
}

/// The same for a socket that is at hand, by the address of its `struct sock`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn unclaim_socket(sock: u64) -> u32 {
    let unclaimed = || unclaim_on(Sender::get(), Socket::at(sock));
    unclaimed().is_some() as u32
}

#[inline(always)]
fn unclaim_on(sender: Sender, socket: Socket) -> Option<()> {
    let (socket, protocol) = socket.carrier()?;
    if !is_internet(socket.family()?) {
        return None;
    }
    let stream = protocol == IPPROTO_TCP;
    let position = if stream { socket.write_position()? } else { 0 };
    let flow = flow(socket.cookie()?)?;
    flow.unclaim(position, stream);
    flow.owner_start_ns = sender.task.start_ns();
    flow.owner_tgid = sender.tgid();
    Some(())
}

/// Examines what a `struct msghdr` of the kernel sends on a socket, both by address.
#[inline(always)]
pub fn message(slot: u32, sock: u64, message: u64) {
    {
        // By way of memory they become numbers: the verifier hands a function no pointer for one.
        let Some(work) = work(slot) else { return };
        work.base = sock;
        work.iovec = message;
    }
    match locate(slot) {
        BUFFER => {
            let Some(work) = work(slot) else { return };
            let (base, bytes) = (work.base, work.left);
            buffer(slot, base, bytes);
        }
        SEGMENTS => {
            let Some(work) = work(slot) else { return };
            let (iovec, count) = (work.iovec, work.left);
            segments(slot, iovec, count);
        }
        _ => {}
    }
}

/// What [`locate`] has found.
const BUFFER: u32 = 1;
const SEGMENTS: u32 = 2;

/// Takes the addresses of the socket in `base` and of the message in `iovec`, and notes who sends and
/// where the bytes are: of [`BUFFER`] in `base` and `left`, of [`SEGMENTS`] in
/// `iovec` and, how many, in `left`. 0 where there is nothing to look at.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn locate(slot: u32) -> u32 {
    let (sock, message) = match work(slot) {
        Some(work) => (work.base, Message::at(work.iovec)),
        None => return 0,
    };
    let Some(iter) = message.iter() else {
        // Pages, which are read where they leave.
        unclaim_socket(sock);
        return 0;
    };
    if note_socket(slot, sock) == 0 {
        return 0;
    }
    if let Some(name) = message.name() {
        name_destination(slot, name, 1);
    }
    let Some(work) = work(slot) else { return 0 };
    match iter {
        Iter::Buffer { base, bytes } => {
            work.base = base;
            work.left = bytes;
            BUFFER
        }
        Iter::Segments { iovec, count, skip, bytes, text } => {
            work.kernel_iovec = 1;
            work.kernel_text = (text == Memory::Kernel) as u32;
            work.skip = skip;
            work.room = if bytes > SEND_BYTES_MAX { SEND_BYTES_MAX } else { bytes };
            work.iovec = iovec;
            work.left = count;
            SEGMENTS
        }
    }
}

/// Takes the destination that a call names, where the socket is not connected. Once it is, TCP does
/// not look at the name; before, it opens the connection with what is sent (RFC 7413).
/// `kernel` says that the name is in the kernel's memory.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn name_destination(slot: u32, address: u64, kernel: u32) -> u32 {
    try_name_destination(slot, address, if kernel != 0 { Memory::Kernel } else { Memory::User });
    0
}

#[inline(always)]
fn try_name_destination(slot: u32, address: u64, memory: Memory) {
    let Some(work) = work(slot) else { return };
    if !is_internet(work.head.family) {
        return;
    }
    let head = &mut work.head;
    // The message before, of a `sendmmsg`, may have named another.
    work.common.ends(head.family, head);
    head.flags &= !FLAG_DESTINATION;
    if head.destination_port != 0 {
        head.flags |= FLAG_DESTINATION;
        if head.protocol == IPPROTO_TCP {
            return;
        }
    }
    if address == 0 {
        return;
    }
    let connected = head.flags;
    head.flags &= !FLAG_DESTINATION;
    // struct sockaddr_in and sockaddr_in6, include/uapi/linux/in.h and in6.h: family, port, then
    // the address (after the flow label for IPv6). An IPv6 socket may be given an IPv4 name.
    let Some(start) = kernel::read_from::<[u8; 8]>(memory, address) else { return };
    let family = u16::from_ne_bytes([start[0], start[1]]);
    // IPv4 takes a name without a family for its own (`udp_sendmsg`, net/ipv4/udp.c).
    if family == AF_INET || (family == AF_UNSPEC && head.family == AF_INET) {
        head.destination = [0; 16];
        if head.family == AF_INET6 {
            head.destination[10] = 0xff;
            head.destination[11] = 0xff;
            head.destination[12] = start[4];
            head.destination[13] = start[5];
            head.destination[14] = start[6];
            head.destination[15] = start[7];
        } else {
            head.destination[0] = start[4];
            head.destination[1] = start[5];
            head.destination[2] = start[6];
            head.destination[3] = start[7];
        }
    } else if family == AF_INET6 {
        let Some(name) = kernel::read_from::<[u8; 16]>(memory, address + 8) else { return };
        head.destination = name;
    } else {
        // IPv6 goes to its peer then; anything else is refused.
        head.flags = connected;
        return;
    }
    head.destination_port = u16::from_be_bytes([start[2], start[3]]);
    head.flags |= FLAG_DESTINATION;
}

/// Examines a send of one buffer.
#[inline(always)]
pub fn buffer(slot: u32, base: u64, bytes: u64) {
    let Some(work) = work(slot) else { return };
    work.segments = 0;
    work.base = base;
    let bytes = if bytes > SEND_BYTES_MAX { SEND_BYTES_MAX } else { bytes };
    work.left = bytes;
    work.head.send_bytes = bytes;
    if work.may_be_tls() && pass_records(slot) != 0 {
        finish(slot);
        return;
    }
    run(slot);
}

/// Examines a send of several buffers: `count` of `struct iovec` at `iovec`.
#[inline(always)]
pub fn segments(slot: u32, iovec: u64, segments: u64) {
    let Some(work) = work(slot) else { return };
    work.iovec = iovec;
    work.segments = if segments > SEGMENTS_MAX as u64 { SEGMENTS_MAX } else { segments as u32 };
    work.left = 0;
    work.head.send_bytes = 0;
    run(slot);
}

/// Feeds a send to its end and keeps account of it.
#[inline(always)]
fn run(slot: u32) {
    {
        let Some(work) = work(slot) else { return };
        work.clear();
    }
    let mut index = slot;
    // SAFETY: the callback takes what it is given here, a slot on this stack.
    unsafe { bpf_loop(STEPS_MAX, step as *mut c_void, (&raw mut index).cast(), 0) };
    finish(slot);
}

/// Keeps account of a send that was fed to its end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn finish(slot: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    block_datagrams(work);
    if work.over_max != 0 {
        count(Counter::BytesOverMax, work.over_max);
    }
    if work.unreadable != 0 {
        count(Counter::BytesUnreadable, work.unreadable);
    }
    if work.is_session() {
        // What was examined of it is counted where its records leave.
        count(Counter::TlsWrites, 1);
        count(Counter::TlsBytes, work.head.send_bytes);
        work.examined = 0;
        // Records in records: the outer ones are counted.
        work.tls_bytes = 0;
        work.head.send_bytes = 0;
        settle(work, 0);
        return 0;
    }
    count(Counter::SendsSeen, 1);
    count(Counter::BytesSeen, work.head.send_bytes);
    let coverage = settle(work, 1);
    // Frames go out of memory that is shared with the socket.
    if work.head.send_bytes == 0 && work.head.family == AF_PACKET {
        count(Counter::SendsPacketRing, 1);
        if let Some(coverage) = coverage {
            add(&mut coverage.packet_ring_sends, 1);
        }
    }
    0
}

/// Where the bytes of a send are could not be read.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn unreadable(slot: u32) -> u32 {
    count(Counter::SendsUnreadable, 1);
    let Some(work) = work(slot) else { return 0 };
    if let Some(coverage) = coverage(&work.process) {
        add(&mut coverage.unreadable_sends, 1);
    }
    0
}

/// One step of gathering: takes the next buffer where the last is used up, copies what has room,
/// and flushes a chunk that is full or the last.
unsafe extern "C" fn step(_index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `run` hands over a u32 of its stack.
    let slot = unsafe { *context.cast::<u32>() };
    let Some(work) = work(slot) else { return 1 };
    if work.left == 0 && work.segments != 0 {
        // struct iovec, and struct kvec likewise: address, length.
        let memory = if work.kernel_iovec != 0 { Memory::Kernel } else { Memory::User };
        let Some([base, bytes]) = kernel::read_from::<[u64; 2]>(memory, work.iovec) else {
            work.segments = 0;
            unreadable(slot);
            return 0;
        };
        let skip = if work.skip < bytes { work.skip } else { bytes };
        let bytes = bytes - skip;
        let bytes = if bytes > work.room { work.room } else { bytes };
        work.iovec += 16;
        work.segments -= 1;
        work.skip -= skip;
        work.room -= bytes;
        work.base = base + skip;
        work.left = bytes;
        work.head.send_bytes += bytes;
    }
    if work.left != 0 && work.budget == 0 {
        work.over_max += work.left;
        work.left = 0;
    }
    if work.left != 0 {
        copy(work);
    }
    let ended = work.left == 0 && work.segments == 0;
    if ended || work.hole != 0 || (work.filled >= CHUNK_BYTES as u32 && work.budget != 0) {
        work.done = ended as u32;
        flush(slot);
    }
    ended as c_long
}

/// Copies from the current buffer into the chunk, as much as there is room for.
#[inline(always)]
fn copy(work: &mut Work) {
    let filled = work.filled;
    if filled >= CHUNK_BYTES as u32 {
        return;
    }
    let mut take = CHUNK_BYTES as u32 - filled;
    if work.left < take as u64 {
        take = work.left as u32;
    }
    if work.budget < take {
        take = work.budget;
    }
    if read_text(work, take) {
        return;
    }
    // A page of it is not there: not mapped, or mapped and not read from disk yet. Page by page,
    // what is there is examined; what is not is a hole, and nothing behind it joins.
    let page = (PAGE_BYTES - (work.base & (PAGE_BYTES - 1))) as u32;
    if take > page && read_text(work, page) {
        return;
    }
    let mut hole = page;
    if work.left < hole as u64 {
        hole = work.left as u32;
    }
    work.hole += hole as u64;
    work.unreadable += hole as u64;
    work.base += hole as u64;
    work.left -= hole as u64;
    work.budget -= if work.budget < hole { work.budget } else { hole };
}

/// Reads so many bytes behind what is in `text`; `false` where they are not all readable.
#[inline(always)]
fn read_text(work: &mut Work, bytes: u32) -> bool {
    if bytes == 0 {
        return false;
    }
    let filled = opaque(work.filled);
    let bytes = opaque(bytes);
    // The verifier forgets these bounds once the values are spilled: say them again. Zero is asked
    // for apart and above: of both ends LLVM makes one comparison of a difference, of which kernels
    // before 6.11 learn nothing ("R2 unbounded memory access").
    if filled >= CHUNK_BYTES as u32 || bytes > CHUNK_BYTES as u32 {
        return false;
    }
    // SAFETY: `filled` and `bytes` are both at most a chunk and `text` is two; the helper refuses a
    // source that is not readable.
    let failed = unsafe {
        let to = work.text.as_mut_ptr().add(filled as usize).cast();
        let from = work.base as *const c_void;
        if work.kernel_text != 0 {
            bpf_probe_read_kernel(to, bytes, from)
        } else {
            bpf_probe_read_user(to, bytes, from)
        }
    };
    if failed != 0 {
        return false;
    }
    work.filled = filled + bytes;
    work.base += bytes as u64;
    work.left -= bytes as u64;
    work.budget -= bytes;
    true
}
