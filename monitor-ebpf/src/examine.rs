//! The way of one send through the kernel side: its buffers are gathered into chunks, each chunk
//! passes the prefilter behind the last bytes of its flow, and what may hold a finding is handed
//! over. Every hook of the socket tap ends here.

use core::ffi::{c_long, c_void};

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid,
    bpf_get_current_uid_gid, bpf_ktime_get_boot_ns, bpf_loop, bpf_probe_read_kernel,
    bpf_probe_read_user,
};
use monitor_ebpf::{
    CHUNK_BYTES, Counter, SEGMENTS_MAX, SEND_BYTES_MAX, TAIL_BYTES,
    prefilter::{BASE, FILL_WORD},
    record::{
        FLAG_DESTINATION, FLAG_TAIL, FLOW_HOT, FLOW_TLS, Flow, ProcessId, SAMPLE_HEAD_BYTES,
        SampleHead,
    },
};

use crate::{
    account::{count, coverage, flow, opaque_allowed, slot, submit, work},
    kernel::{self, AF_INET, AF_INET6, Current, IPPROTO_TCP, SockCommon},
    say::{say_lost, say_unresolved},
    scan::{HIT, OPAQUE, Scan, opaque, scan_text},
    tls::{begins_record, tls_text},
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

/// One CPU's work area. `head`, `tail` and `text` lie as a record does.
#[repr(C)]
pub struct Work {
    /// Address of the next `struct iovec`.
    iovec: u64,
    /// Of the current buffer, what is left to read: address.
    base: u64,
    /// Bytes.
    left: u64,
    /// Buffers that follow.
    segments: u32,
    /// Bytes in `text`.
    filled: u32,
    /// Bytes of the send that may still be read (`sample_bytes_max`).
    budget: u32,
    /// Whether the send was fed to its end.
    done: u32,
    /// Bytes of the send that were not copied for `sample_bytes_max`.
    over_max: u64,
    /// Bytes that could not be read.
    unreadable: u64,
    /// Of those, the ones that directly follow what is in `text`.
    hole: u64,
    /// Bytes that were cleared or handed over.
    examined: u64,
    /// Bytes lost because the ring was full.
    ring_full: u64,
    /// Bytes of opaque texts beyond the budget.
    over_opaque: u64,
    /// Bytes of TLS records.
    tls: u64,
    /// Bytes of a flow for which there is no room.
    flows_full: u64,
    process: ProcessId,
    /// Of the socket that the send is on.
    common: SockCommon,
    pub(crate) scan: Scan,
    pub(crate) head: SampleHead,
    pub(crate) tail: [u8; TAIL_BYTES],
    // Twice a chunk: the verifier sees `filled + n` only as the sum of two bounds.
    pub(crate) text: [u8; CHUNK_BYTES * 2],
}

/// Follows a descriptor to its socket and notes who sends from where to where. `false` where it is
/// no internet socket, or the sender is the monitor.
#[inline(always)]
pub fn begin(fd: u32) -> Option<u32> {
    // SAFETY: no arguments, always answers.
    let pid_tgid = unsafe { bpf_get_current_pid_tgid() };
    let tgid = (pid_tgid >> 32) as u32;
    if tgid == kernel::self_tgid() {
        return None;
    }
    let task = Current::get();
    let socket = match task.socket(fd) {
        Ok(socket) => socket?,
        Err(()) => {
            count(Counter::SendsUnresolved, 1);
            say_unresolved(tgid, fd);
            return None;
        }
    };
    let slot = slot();
    let work = work(slot)?;
    socket.copy_common(&mut work.common)?;
    let family = work.common.family();
    if family != AF_INET && family != AF_INET6 {
        return None;
    }
    let head = &mut work.head;
    work.common.ends(family, head);
    head.family = family;
    head.protocol = socket.protocol()?;
    head.cookie = work.common.cookie();
    head.position = if head.protocol == IPPROTO_TCP { socket.write_position()? } else { 0 };
    head.flags = if head.destination_port != 0 { FLAG_DESTINATION } else { 0 };
    head.tgid = tgid;
    head.tid = pid_tgid as u32;
    head.start_ns = task.start_ns();
    head.at_ns = 0;
    work.process = ProcessId { start_ns: head.start_ns, tgid, reserved: 0 };
    Some(slot)
}

/// Notes of a send that is worth a sample when it was and who sent it: of most it need not be known.
#[inline(always)]
fn identify(head: &mut SampleHead) {
    if head.at_ns != 0 {
        return;
    }
    head.reserved = 0;
    head.reserved2 = [0; 16];
    // SAFETY: helpers without arguments that always answer; `comm` is an array of the length given.
    unsafe {
        head.at_ns = bpf_ktime_get_boot_ns();
        head.uid = bpf_get_current_uid_gid() as u32;
        head.cgroup_id = bpf_get_current_cgroup_id();
        bpf_get_current_comm(head.comm.as_mut_ptr().cast(), 16);
    }
}

/// Takes the destination that a call names, where the socket is not connected. Once it is, TCP does
/// not look at the name; before, it opens the connection with what is sent (RFC 7413).
#[inline(always)]
pub fn name_destination(slot: u32, address: u64) {
    let Some(work) = work(slot) else { return };
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
    let Some(start) = kernel::read_user::<[u8; 8]>(address) else { return };
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
        let Some(name) = kernel::read_user::<[u8; 16]>(address + 8) else { return };
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
        work.filled = 0;
        work.done = 0;
        work.budget = kernel::sample_bytes_max();
        work.over_max = 0;
        work.unreadable = 0;
        work.hole = 0;
        work.examined = 0;
        work.ring_full = 0;
        work.over_opaque = 0;
        work.tls = 0;
        work.flows_full = 0;
    }
    let mut index = slot;
    // SAFETY: the callback takes what it is given here, a slot on this stack.
    unsafe { bpf_loop(STEPS_MAX, step as *mut c_void, (&raw mut index).cast(), 0) };
    let Some(work) = work(slot) else { return };
    count(Counter::SendsSeen, 1);
    count(Counter::BytesSeen, work.head.send_bytes);
    if work.over_max != 0 {
        count(Counter::BytesOverMax, work.over_max);
    }
    if work.unreadable != 0 {
        count(Counter::BytesUnreadable, work.unreadable);
    }
    if let Some(coverage) = coverage(&work.process) {
        coverage.sends += 1;
        coverage.seen_bytes += work.head.send_bytes;
        coverage.examined_bytes += work.examined;
        coverage.over_max_bytes += work.over_max;
        coverage.unreadable_bytes += work.unreadable;
        coverage.ring_full_bytes += work.ring_full;
        coverage.opaque_bytes += work.over_opaque;
        coverage.tls_bytes += work.tls;
        coverage.flows_full_bytes += work.flows_full;
    }
}

/// One step of gathering: takes the next buffer where the last is used up, copies what has room,
/// and flushes a chunk that is full or the last.
unsafe extern "C" fn step(_index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `run` hands over a u32 of its stack.
    let slot = unsafe { *context.cast::<u32>() };
    let Some(work) = work(slot) else { return 1 };
    if work.left == 0 && work.segments != 0 {
        // struct iovec: address, length.
        let Some([base, bytes]) = kernel::read_user::<[u64; 2]>(work.iovec) else {
            work.segments = 0;
            count(Counter::SendsUnreadable, 1);
            return 0;
        };
        let room = SEND_BYTES_MAX.saturating_sub(work.head.send_bytes);
        let bytes = if bytes > room { room } else { bytes };
        work.iovec += 16;
        work.segments -= 1;
        work.base = base;
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
    let filled = opaque(work.filled);
    let bytes = opaque(bytes);
    // The verifier forgets these bounds once the values are spilled: say them again.
    if filled >= CHUNK_BYTES as u32 || bytes == 0 || bytes > CHUNK_BYTES as u32 {
        return false;
    }
    // SAFETY: `filled` and `bytes` are both at most a chunk and `text` is two; the helper refuses a
    // source that is not readable.
    let failed = unsafe {
        bpf_probe_read_user(
            work.text.as_mut_ptr().add(filled as usize).cast(),
            bytes,
            work.base as *const c_void,
        )
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

/// Passes the chunk through the prefilter and hands it over where it may hold a finding.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn flush(slot: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let filled = work.filled;
    if filled > CHUNK_BYTES as u32 {
        return 0;
    }
    let Some(flow) = flow(work.head.cookie) else {
        count(Counter::BytesFlowsFull, filled as u64);
        work.flows_full += filled as u64;
        work.filled = 0;
        work.hole = 0;
        return 0;
    };
    let stream = work.head.protocol == IPPROTO_TCP;
    // Without a cookie it is the record of all such sockets.
    let known = stream && work.head.cookie != 0;
    if known && filled != 0 && (flow.flags & FLOW_TLS != 0 || begins_record(work)) {
        if tls_text(slot, filled) != 0 {
            keep_tls(work, flow, filled);
            return 0;
        }
        flow.flags &= !FLOW_TLS;
        flow.seen_bytes = 0;
    }
    let joins = known && flow.next_position == work.head.position && flow.seen_bytes != 0;
    let (mut state, mut first, mut pending) = (BASE as u32, (TAIL_BYTES / 8) as u32, 0);
    if joins {
        // SAFETY: both are `TAIL_BYTES` long.
        unsafe {
            bpf_probe_read_kernel(
                work.tail.as_mut_ptr().cast(),
                TAIL_BYTES as u32,
                flow.tail.as_ptr().cast(),
            )
        };
        pending = flow.tail_bytes;
        state = flow.state;
        if flow.flags & FLOW_HOT != 0 {
            first = 0;
        }
    } else {
        clear_tail(work);
    }
    let scanned = scan_text(slot, first, filled, state);
    let murky = scanned == OPAQUE || (scanned != HIT && work.scan.encoded != 0);
    let passes = scanned == HIT || (murky && opaque_allowed(flow, filled));
    // A scan that ended early begins in its tail the next time.
    let hot = passes || scanned == OPAQUE;
    keep(work, flow, Kept { passes, hot, pending, state: scanned, filled, stream });
    if passes {
        if murky {
            count(Counter::BytesOpaque, filled as u64);
        }
        if hand_over(work, pending, filled) {
            flow.examined_bytes += filled as u64;
        }
    } else if murky {
        work.over_opaque += filled as u64;
        count(Counter::BytesOverOpaque, filled as u64);
    } else {
        work.examined += filled as u64;
        flow.examined_bytes += filled as u64;
        count(Counter::BytesCleared, filled as u64);
    }
    let passed = filled.wrapping_add(work.hole as u32);
    work.head.position = if stream { work.head.position.wrapping_add(passed) } else { 0 };
    work.filled = 0;
    work.hole = 0;
    0
}

/// Fills the tail, by words: as an array it becomes a call that does it by bytes.
#[inline(always)]
fn clear_tail(work: &mut Work) {
    let words = work.tail.as_mut_ptr().cast::<u64>();
    for at in 0..TAIL_BYTES / 8 {
        // SAFETY: within the tail, which is aligned to 8 (asserted below); volatile so that it
        // stays what it is.
        unsafe { words.add(at).write_volatile(FILL_WORD) };
    }
}

/// Keeps account of a text that is TLS records, of which nothing is examined.
#[inline(always)]
fn keep_tls(work: &mut Work, flow: &mut Flow, filled: u32) {
    count(Counter::BytesTls, filled as u64);
    work.tls += filled as u64;
    flow.owner_start_ns = work.head.start_ns;
    flow.owner_tgid = work.head.tgid;
    flow.seen_bytes += filled as u64;
    if work.done != 0 {
        flow.seen_bytes += work.over_max + work.unreadable;
    }
    flow.next_position = work.head.position.wrapping_add(filled);
    flow.flags = flow.flags & !FLOW_HOT | FLOW_TLS;
    flow.tail_bytes = 0;
    flow.state = BASE as u32;
    let passed = filled.wrapping_add(work.hole as u32);
    work.head.position = work.head.position.wrapping_add(passed);
    work.filled = 0;
    work.hole = 0;
}

/// What became of a text.
struct Kept {
    /// Whether it is handed over.
    passes: bool,
    /// Whether the scan of the next begins in its tail.
    hot: bool,
    pending: u32,
    state: u32,
    filled: u32,
    stream: bool,
}

/// Keeps what the next send of the flow needs to know of this one.
#[inline(always)]
fn keep(work: &mut Work, flow: &mut Flow, kept: Kept) {
    let Kept { passes, hot, pending, state, filled, stream } = kept;
    flow.owner_start_ns = work.head.start_ns;
    flow.owner_tgid = work.head.tgid;
    flow.seen_bytes += filled as u64;
    if work.done != 0 {
        flow.seen_bytes += work.over_max + work.unreadable;
    }
    if !stream {
        return;
    }
    let pending = if passes { 0 } else { pending + filled };
    flow.tail_bytes = if pending > TAIL_BYTES as u32 { TAIL_BYTES as u32 } else { pending };
    flow.state = if hot { BASE as u32 } else { state };
    flow.flags = if hot { flow.flags | FLOW_HOT } else { flow.flags & !FLOW_HOT };
    flow.next_position = work.head.position.wrapping_add(filled);
    // The last bytes of tail and text together are the flow's new tail.
    // SAFETY: `filled` is at most a chunk, so the source ends inside `text`.
    unsafe {
        bpf_probe_read_kernel(
            flow.tail.as_mut_ptr().cast(),
            TAIL_BYTES as u32,
            work.tail.as_ptr().add(filled as usize).cast(),
        )
    };
}

/// Writes the record, with the pending bytes before it where there are any; whether it had room.
#[inline(always)]
fn hand_over(work: &mut Work, pending: u32, filled: u32) -> bool {
    let pending = if pending > TAIL_BYTES as u32 { TAIL_BYTES as u32 } else { pending };
    let head = &mut work.head;
    identify(head);
    head.text_bytes = filled;
    head.tail_bytes = pending;
    head.omitted_bytes = work.hole + if work.done != 0 { work.over_max } else { 0 };
    let filled = filled as usize & (2 * CHUNK_BYTES - 1);
    let submitted = if pending != 0 {
        head.flags |= FLAG_TAIL;
        let bytes = SAMPLE_HEAD_BYTES + TAIL_BYTES + filled;
        // SAFETY: `head`, `tail` and `text` lie one behind the other without padding (asserted
        // below), and `filled` is less than `text` is long.
        submit(
            unsafe { core::slice::from_raw_parts((&raw const work.head).cast::<u8>(), bytes) },
            filled as u64,
        )
    } else {
        head.flags &= !FLAG_TAIL;
        // The tail is not needed any more: the head goes to its end, right before the text.
        // SAFETY: the tail is longer than a head (asserted in the contract) and aligned to 8, and
        // the rest as above.
        let record = unsafe {
            let at = work.tail.as_mut_ptr().add(TAIL_BYTES - SAMPLE_HEAD_BYTES);
            at.cast::<SampleHead>().write(work.head);
            core::slice::from_raw_parts(at.cast_const(), SAMPLE_HEAD_BYTES + filled)
        };
        submit(record, filled as u64)
    };
    if submitted {
        work.examined += filled as u64;
    } else {
        work.ring_full += filled as u64;
        say_lost(work.head.cookie, filled as u64);
    }
    submitted
}

const _: () = assert!(
    core::mem::offset_of!(Work, tail) == core::mem::offset_of!(Work, head) + SAMPLE_HEAD_BYTES
);
const _: () =
    assert!(core::mem::offset_of!(Work, text) == core::mem::offset_of!(Work, tail) + TAIL_BYTES);
const _: () = assert!(core::mem::offset_of!(Work, tail).is_multiple_of(8));
