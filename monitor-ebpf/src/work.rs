//! The work areas: what one send, or one packet, is put together and looked at in. Two for each CPU,
//! since softirqs run the gate above a tap.

use core::intrinsics::{AtomicOrdering, atomic_xchg};

use monitor_ebpf::{
    CHUNK_BYTES, TAIL_BYTES,
    record::{FLAG_TLS, ProcessId, SAMPLE_HEAD_BYTES, SampleHead},
};

use crate::{
    account::{area, cpu},
    kernel::{self, SockCommon},
    prove::Proving,
    scan::{Scan, opaque},
    verdict::Deciding,
};

/// A power of two.
const TLS_REMEMBERED: usize = 128;

/// One work area. `head`, `tail` and `text` lie as a record does.
#[repr(C)]
pub struct Work {
    /// 1 while somebody works in it.
    busy: u64,
    /// Whether the buffers are in the kernel's memory and not in the process's.
    pub kernel_text: u32,
    /// Whether the `struct iovec` are.
    pub kernel_iovec: u32,
    /// Whether `head.position` is a number that the bytes leave with.
    pub numbered: u32,
    /// Address of the next `struct iovec`.
    pub iovec: u64,
    /// Of the current buffer, what is left to read: address.
    pub base: u64,
    /// Bytes.
    pub left: u64,
    /// Bytes of the buffers ahead that were sent already.
    pub skip: u64,
    /// Bytes of the send that its buffers that follow hold at most.
    pub room: u64,
    /// Buffers that follow.
    pub segments: u32,
    /// Bytes in `text`.
    pub filled: u32,
    /// Bytes of the send that may still be read (`sample_bytes_max`).
    pub budget: u32,
    /// Whether the send was fed to its end.
    pub done: u32,
    /// Of the text, whether the tail before it is of its flow.
    pub joins: u32,
    /// And how much of that was not handed over.
    pub pending: u32,
    /// Bytes of the send that were not copied for `sample_bytes_max`.
    pub over_max: u64,
    /// Bytes that could not be read.
    pub unreadable: u64,
    /// Of those, the ones that directly follow what is in `text`.
    pub hole: u64,
    /// Bytes that were cleared or handed over.
    pub examined: u64,
    /// Bytes lost because the ring was full.
    pub ring_full: u64,
    /// Bytes of opaque texts beyond the budget.
    pub over_opaque: u64,
    /// Bytes of TLS records.
    pub tls_bytes: u64,
    /// Bytes of a flow for which there is no room.
    pub flows_full: u64,
    /// Address of the socket's `struct sock`; of no use for a write to a TLS library.
    pub sock: u64,
    /// Of such a write, the function ([`monitor_ebpf::call`]).
    pub function: u64,
    /// The stack pointer at its call.
    pub stack: u64,
    /// Sockets on which TLS records were sent, by the last bits of their cookies. It spares a look at the
    /// flows of all others.
    tls: [u64; TLS_REMEMBERED],
    pub process: ProcessId,
    /// Of the socket that the send is on.
    pub common: SockCommon,
    pub scan: Scan,
    pub proving: Proving,
    pub deciding: Deciding,
    pub head: SampleHead,
    pub tail: [u8; TAIL_BYTES],
    // Twice a chunk: the verifier sees `filled + n` only as the sum of two bounds.
    pub text: [u8; CHUNK_BYTES * 2],
}

/// The area of this CPU for a tap on syscall tracepoints. Those run with preemption off and do not
/// nest (`bpf_prog_active`, kernel/trace/bpf_trace.c), so it is theirs until they end.
#[inline(always)]
pub fn tap() -> u32 {
    cpu()
}

/// Takes an area where others may run in between: a trampoline's program can be preempted, and a
/// softirq sends in the middle of a packet of the process. `None` where somebody is at work in it.
#[inline(always)]
fn take(slot: u32) -> Option<u32> {
    let busy = &raw mut work(slot)?.busy;
    // The target is said to have no compare-and-swap, so `AtomicU64` has no exchange; the kernel has
    // one since 5.12 (BPF_XCHG).
    // SAFETY: an aligned integer of a map's memory.
    let before = unsafe { atomic_xchg::<u64, { AtomicOrdering::Relaxed }>(busy, 1) };
    (before == 0).then_some(slot)
}

/// Takes this CPU's area for a tap, see [`give`].
#[inline(always)]
pub fn take_tap() -> Option<u32> {
    take(cpu())
}

/// Takes this CPU's area for the gate, see [`give`].
#[inline(always)]
pub fn take_gate() -> Option<u32> {
    take(kernel::scratch_slots().wrapping_add(cpu()))
}

/// Takes an area for the TLS tap, see [`give`]: one of this CPU, else one of its neighbour's.
#[inline(always)]
pub fn take_session() -> Option<u32> {
    let (slots, cpu) = (kernel::scratch_slots(), cpu());
    let first = slots.wrapping_mul(2);
    let next = (cpu + 1) & slots.wrapping_sub(1);
    take(first.wrapping_add(cpu))
        .or_else(|| take(first.wrapping_add(slots).wrapping_add(cpu)))
        .or_else(|| take(first.wrapping_add(next)))
        .or_else(|| take(first.wrapping_add(slots).wrapping_add(next)))
}

/// Gives back what was taken.
#[inline(always)]
pub fn give(slot: u32) {
    if let Some(work) = work(slot) {
        // SAFETY: an integer of ours, volatile so that it comes after all else.
        unsafe { (&raw mut work.busy).write_volatile(0) };
    }
}

/// An area. It is that of whoever has its slot from above, until they give it back or end.
#[inline(always)]
pub fn work(slot: u32) -> Option<&'static mut Work> {
    // SAFETY: the map's memory outlives the program, and see above for who else writes to it: nobody
    // but to `busy`.
    area(slot).map(|work| unsafe { &mut *work })
}

impl Work {
    /// Whether it is of a write to a TLS library.
    #[inline(always)]
    pub fn is_session(&self) -> bool {
        self.head.flags & FLAG_TLS != 0
    }
    /// Whether TLS records may have been sent on its socket before, out of buffers of the process's.
    #[inline(always)]
    pub fn may_be_tls(&self) -> bool {
        let cookie = self.head.cookie;
        let at = opaque(cookie as u32) & (TLS_REMEMBERED as u32 - 1);
        // SAFETY: the mask keeps it within; volatile as in `scan`, so that the mask stays.
        let known = unsafe { self.tls.as_ptr().add(at as usize).read_volatile() };
        known == cookie && self.numbered != 0 && self.kernel_text == 0 && !self.is_session()
    }
    /// Notes that they were.
    #[inline(always)]
    pub fn remember_tls(&mut self) {
        let at = opaque(self.head.cookie as u32) & (TLS_REMEMBERED as u32 - 1);
        // SAFETY: as above.
        unsafe { self.tls.as_mut_ptr().add(at as usize).write_volatile(self.head.cookie) };
    }
    /// Makes the accounts those of a new send.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.filled = 0;
        self.done = 0;
        self.budget = kernel::sample_bytes_max();
        self.over_max = 0;
        self.unreadable = 0;
        self.hole = 0;
        self.examined = 0;
        self.ring_full = 0;
        self.over_opaque = 0;
        self.tls_bytes = 0;
        self.flows_full = 0;
        self.deciding.block = 0;
        self.head.verdict = 0;
    }
}

const _: () = assert!(
    core::mem::offset_of!(Work, tail) == core::mem::offset_of!(Work, head) + SAMPLE_HEAD_BYTES
);
const _: () =
    assert!(core::mem::offset_of!(Work, text) == core::mem::offset_of!(Work, tail) + TAIL_BYTES);
const _: () = assert!(core::mem::offset_of!(Work, tail).is_multiple_of(8));
