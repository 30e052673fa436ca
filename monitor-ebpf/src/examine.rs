//! What becomes of a chunk: it passes the prefilter behind the last bytes of its flow, and what may
//! hold a finding is handed over. The taps' chunks come from [`crate::gather`], those of packets from
//! the gate.

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_uid_gid,
    bpf_ktime_get_boot_ns, bpf_probe_read_kernel, bpf_send_signal,
};
use monitor_ebpf::{
    CHUNK_BYTES, Counter, TAIL_BYTES,
    encoded::ENCODED_WORDS,
    prefilter::{BASE, FILL_WORD, LOOK_BACK_WORDS},
    prevention::ACTION_KILL,
    record::{
        FLAG_TAIL, FLOW_HOLE, FLOW_HOT, FLOW_READ, FLOW_TLS, Flow, SAMPLE_HEAD_BYTES, SampleHead,
    },
};

use crate::{
    account::{count, flow, opaque_allowed, submit},
    kernel::IPPROTO_TCP,
    prove::prove,
    say::say_lost,
    scan::{HIT, OPAQUE, scan_text},
    session::bind,
    tls::{begins_record, tls_text},
    verdict::{decide, prevention},
    work::{Work, work},
};

/// Notes of a send that is worth a sample when it was and who sent it: of most it need not be known.
#[inline(always)]
fn identify(head: &mut SampleHead) {
    if head.at_ns != 0 {
        return;
    }
    // SAFETY: helpers without arguments that always answer; `comm` is an array of the length given.
    unsafe {
        head.at_ns = bpf_ktime_get_boot_ns();
        head.uid = bpf_get_current_uid_gid() as u32;
        head.cgroup_id = bpf_get_current_cgroup_id();
        bpf_get_current_comm(head.comm.as_mut_ptr().cast(), 16);
    }
}

/// Passes a chunk of a tap's through the prefilter and hands it over where it may hold a finding.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn flush(slot: u32) -> u32 {
    flush_of::<false>(slot)
}

/// The same for a chunk of a packet: what tells who runs is not there, and would not tell who sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn flush_packet(slot: u32) -> u32 {
    flush_of::<true>(slot)
}

#[inline(always)]
fn flush_of<const PACKET: bool>(slot: u32) -> u32 {
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
    if !PACKET && !work.is_session() {
        claim(work, flow, filled);
    }
    // Without a cookie it is the record of all such sockets.
    let known = stream && work.head.cookie != 0;
    if known && filled != 0 && (flow.flags & FLOW_TLS != 0 || begins_record(work)) {
        if tls_text(slot, filled) != 0 {
            if !PACKET && !work.is_session() {
                bind(slot, flow.flags & FLOW_READ);
            }
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
        // What has no positions is never kept: only what the scan looks back at matters.
        clear_tail(work, if stream { 0 } else { TAIL_BYTES / 8 - SEEN_BACK_WORDS });
    }
    // What is needed behind the scan is kept in the area: on the stack it would be too much for kernels
    // before 6.13, which add up those of all that call each other.
    work.joins = joins as u32;
    work.pending = pending;
    let scanned = scan_text(slot, first, filled, state);
    let murky = scanned == OPAQUE || (scanned != HIT && work.scan.encoded != 0);
    let passes = scanned == HIT || (murky && opaque_allowed(flow, filled));
    // A scan that ended early begins in its tail the next time.
    let hot = passes || scanned == OPAQUE;
    let (pending, stream) = (work.pending, work.head.protocol == IPPROTO_TCP);
    keep(work, flow, Kept { passes, hot, pending, state: scanned, filled, stream });
    if passes && prevention().is_some() {
        prevent::<PACKET>(slot, work, filled);
    }
    if passes {
        if murky {
            count(Counter::BytesOpaque, filled as u64);
        }
        if hand_over::<PACKET>(work, work.pending, filled) {
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
    let stream = work.head.protocol == IPPROTO_TCP;
    work.head.position = if stream { work.head.position.wrapping_add(passed) } else { 0 };
    work.filled = 0;
    work.hole = 0;
    0
}

/// Decides whether a text may leave, and sees to it that it does not. Where whoever runs sends it, he is
/// killed before he does, if it comes to that; the daemon kills him otherwise.
#[inline(always)]
fn prevent<const PACKET: bool>(slot: u32, work: &mut Work, filled: u32) {
    if prove(slot, work.joins, filled) == 0 {
        return;
    }
    if !PACKET {
        identify(&mut work.head);
    }
    let action = decide(slot);
    if !PACKET && action == ACTION_KILL {
        // SAFETY: a helper that sends a signal to the thread group that runs.
        let failed = unsafe { bpf_send_signal(SIGKILL) };
        count(Counter::KillsInKernel, (failed == 0) as u64);
    }
}

/// include/uapi/asm-generic/signal.h
const SIGKILL: u32 = 9;

/// Notes that these bytes need not be looked at where they leave, but for those that could not be read.
#[inline(always)]
pub fn claim(work: &Work, flow: &mut Flow, filled: u32) {
    let (hole, rest) = (work.hole as u32, if work.done != 0 { work.over_max as u32 } else { 0 });
    if work.numbered != 0 {
        let read = work.head.position.wrapping_add(filled);
        let behind = read.wrapping_add(hole);
        flow.claim(work.head.position, behind.wrapping_add(rest));
        if hole != 0 {
            flow.leave_out(read, behind);
        }
    } else {
        flow.claim_bytes(filled + rest);
        if hole != 0 {
            flow.flags |= FLOW_HOLE;
        }
    }
}

/// Words of the tail that a scan which begins behind it may look at.
const SEEN_BACK_WORDS: usize = 4;
const _: () = assert!(SEEN_BACK_WORDS > LOOK_BACK_WORDS && SEEN_BACK_WORDS > ENCODED_WORDS / 2);

/// Fills the tail from a word on, by words: as an array it becomes a call that does it by bytes.
#[inline(always)]
fn clear_tail(work: &mut Work, from: usize) {
    let words = work.tail.as_mut_ptr().cast::<u64>();
    for at in 0..TAIL_BYTES / 8 {
        if at < from {
            continue;
        }
        // SAFETY: within the tail, which is aligned to 8 (asserted below); volatile so that it
        // stays what it is.
        unsafe { words.add(at).write_volatile(FILL_WORD) };
    }
}

/// Keeps account of a text that is TLS records, of which nothing is examined.
#[inline(always)]
pub fn keep_tls(work: &mut Work, flow: &mut Flow, filled: u32) {
    if flow.flags & FLOW_READ != 0 {
        count(Counter::BytesTlsRead, filled as u64);
        work.examined += filled as u64;
        flow.examined_bytes += filled as u64;
    } else {
        count(Counter::BytesTls, filled as u64);
        work.tls_bytes += filled as u64;
        flow.tls_unread = flow.tls_unread.saturating_add(filled);
    }
    flow.owner_start_ns = work.head.start_ns;
    flow.owner_tgid = work.head.tgid;
    flow.seen_bytes += filled as u64;
    if work.done != 0 {
        flow.seen_bytes += work.over_max + work.unreadable;
    }
    flow.next_position = work.head.position.wrapping_add(filled);
    flow.flags = flow.flags & !FLOW_HOT | FLOW_TLS;
    work.remember_tls();
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
fn hand_over<const PACKET: bool>(work: &mut Work, pending: u32, filled: u32) -> bool {
    let pending = if pending > TAIL_BYTES as u32 { TAIL_BYTES as u32 } else { pending };
    let head = &mut work.head;
    if !PACKET {
        identify(head);
    }
    head.text_bytes = filled;
    head.tail_bytes = pending;
    head.omitted_bytes = work.hole + if work.done != 0 { work.over_max } else { 0 };
    // Of a send in several chunks the one that it was decided on tells of it.
    let verdict = head.verdict;
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
    if verdict != 0 {
        work.head.verdict = 0;
    }
    if submitted {
        work.examined += filled as u64;
    } else {
        work.ring_full += filled as u64;
        say_lost(work.head.cookie, filled as u64);
    }
    submitted
}
