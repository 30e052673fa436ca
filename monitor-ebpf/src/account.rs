//! The maps, the counters and the only writes to the ring. A record that finds no room is counted
//! as lost in the same breath.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
    macros::map,
    maps::{Array, LruHashMap, PerCpuArray, RingBuf},
};
use monitor_ebpf::{
    COUNTER_SLOTS, Counter, FLOWS_MAX, PROCESSES_MAX, RING_BYTES, SHUT_MAX,
    prefilter::{SECOND_SHIFT, Table},
    record::{Coverage, Flow, ProcessId, ProcessInfo},
};

use crate::{kernel, say::say_flows_full, work::Work};

#[map]
static SAMPLES: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);
#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_SLOTS, 0);
#[map]
static FLOWS: LruHashMap<u64, Flow> = LruHashMap::with_max_entries(FLOWS_MAX, 0);
#[map]
static PROCESSES: LruHashMap<ProcessId, ProcessInfo> =
    LruHashMap::with_max_entries(PROCESSES_MAX, 0);
#[map]
static COVERAGE: LruHashMap<ProcessId, Coverage> = LruHashMap::with_max_entries(PROCESSES_MAX, 0);
#[map]
static SHUT: LruHashMap<u64, u64> = LruHashMap::with_max_entries(SHUT_MAX, 0);
#[map]
static SHUT_ANY: Array<u32> = Array::with_max_entries(1, 0);
#[map]
static PREFILTER: Array<Table> = Array::with_max_entries(1, 0);
#[map]
static OPAQUE: Array<Second> = Array::with_max_entries(1, 0);
// A per-CPU array would do, but its values end at 32 KiB (PCPU_MIN_UNIT_SIZE,
// include/linux/percpu.h), so this is an array with slots for each CPU; the daemon sets how many.
#[map]
static SCRATCH: Array<Work> = Array::with_max_entries(1, 0);

/// What a process forked or executed is put together in, before it goes into `PROCESSES`: too
/// large for a stack of 512 bytes. One slot per hook.
#[map]
static PROCESS_SCRATCH: PerCpuArray<ProcessInfo> = PerCpuArray::with_max_entries(2, 0);

/// Opaque bytes of one second, of all flows.
#[repr(C)]
pub struct Second {
    second: u32,
    bytes: u32,
}

/// Whether so many bytes of an opaque text may be handed over; counts them where they may. A text
/// that begins within the budget is handed over whole.
#[inline(always)]
pub fn opaque_allowed(flow: &mut Flow, bytes: u32) -> bool {
    let Some(table) = table() else { return false };
    let Some(host) = OPAQUE.get_ptr_mut(0) else { return false };
    // SAFETY: integers of a map that other CPUs write as well: a budget may be off by what two of
    // them add at once, and no total depends on it.
    let host = unsafe { &mut *host };
    // SAFETY: a helper without arguments that always answers.
    let second = (unsafe { bpf_ktime_get_boot_ns() } >> SECOND_SHIFT) as u32;
    if host.second != second {
        host.second = second;
        host.bytes = 0;
    }
    if flow.opaque_second != second {
        flow.opaque_second = second;
        flow.opaque_bytes = 0;
    }
    if flow.opaque_bytes >= table.opaque_flow_bytes_max || host.bytes >= table.opaque_host_bytes_max
    {
        return false;
    }
    flow.opaque_bytes += bytes;
    host.bytes += bytes;
    true
}

/// Adds to a counter of this CPU.
#[inline(always)]
pub fn count(counter: Counter, by: u64) {
    if let Some(slot) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: the slot is this CPU's own; a program that interrupts this one on it can at
        // worst lose one addition, and tracing programs do not nest on a CPU.
        unsafe { *slot += by };
    }
}

/// Adds to an account that other CPUs add to as well.
#[inline(always)]
pub fn add(to: &mut u64, by: u64) {
    // Most of what is added is nothing, and that costs a comparison.
    if by != 0 {
        // SAFETY: an aligned integer of a map's memory.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(to, by) };
    }
}

/// Number of this CPU, less than the number of areas for taps.
#[inline(always)]
pub fn cpu() -> u32 {
    // SAFETY: the helper has no arguments and always answers.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    cpu & kernel::scratch_slots().wrapping_sub(1)
}

/// A work area: those for taps come first, then those for the gate.
#[inline(always)]
pub fn area(slot: u32) -> Option<*mut Work> {
    SCRATCH.get_ptr_mut(slot)
}

/// The automaton of the prefilter.
#[inline(always)]
pub fn table() -> Option<&'static Table> {
    // SAFETY: the daemon replaces it with care, see `Programs::set_prefilter`; all values are
    // integers, and no place in memory follows from one without a check.
    PREFILTER.get_ptr(0).map(|table| unsafe { &*table })
}

/// The record of a flow, made where there is none. Two sends on one socket at a time may both
/// write to it; all its fields are integers and bytes, so the worst is a count that is off or a
/// tail that is mixed, which the bounds below do not trust.
#[inline(always)]
pub fn flow(cookie: u64) -> Option<&'static mut Flow> {
    if let Some(flow) = FLOWS.get_ptr_mut(cookie) {
        // SAFETY: as said above; an LRU slot that is given away under us is another flow's bytes,
        // never other memory.
        return Some(unsafe { &mut *flow });
    }
    // 344 bytes of zeroes are too much for the stack beside the rest: they come from the object.
    if FLOWS.insert(cookie, &NEW_FLOW, BPF_NOEXIST as u64).is_err()
        && FLOWS.get_ptr(cookie).is_none()
    {
        count(Counter::FlowsFull, 1);
        say_flows_full(cookie);
    }
    // SAFETY: as above.
    FLOWS.get_ptr_mut(cookie).map(|flow| unsafe { &mut *flow })
}

static NEW_FLOW: Flow = Flow::NEW;

/// The coverage of a process, made where there is none.
#[inline(always)]
pub fn coverage(process: &ProcessId) -> Option<&'static mut Coverage> {
    if let Some(coverage) = COVERAGE.get_ptr_mut(process) {
        // SAFETY: integers that other CPUs add to as well, see `add`.
        return Some(unsafe { &mut *coverage });
    }
    let _ = COVERAGE.insert(process, &NEW_COVERAGE, BPF_NOEXIST as u64);
    // SAFETY: as above.
    COVERAGE.get_ptr_mut(process).map(|coverage| unsafe { &mut *coverage })
}

static NEW_COVERAGE: Coverage = {
    // SAFETY: all fields are u64, for which all-zero bytes are a value.
    unsafe { core::mem::zeroed() }
};

/// Adds the accounts of a work area to the coverage of whoever sent, which it hands on: so many
/// sends.
#[inline(always)]
pub fn settle(work: &Work, sends: u64) -> Option<&'static mut Coverage> {
    let coverage = coverage(&work.process)?;
    add(&mut coverage.sends, sends);
    add(&mut coverage.seen_bytes, work.head.send_bytes);
    add(&mut coverage.examined_bytes, work.examined);
    add(&mut coverage.over_max_bytes, work.over_max);
    add(&mut coverage.unreadable_bytes, work.unreadable);
    add(&mut coverage.ring_full_bytes, work.ring_full);
    add(&mut coverage.opaque_bytes, work.over_opaque);
    add(&mut coverage.tls_bytes, work.tls_bytes);
    add(&mut coverage.flows_full_bytes, work.flows_full);
    Some(coverage)
}

/// Whether any socket was ever shut.
#[inline(always)]
pub fn any_shut() -> bool {
    // SAFETY: an integer of a map that the daemon sets before it shuts the first socket.
    SHUT_ANY.get_ptr(0).is_some_and(|any| unsafe { *any } != 0)
}

/// Lets a socket send no more.
#[inline(always)]
pub fn shut(cookie: u64) {
    let _ = SHUT.insert(cookie, 0, BPF_NOEXIST as u64);
    if let Some(any) = SHUT_ANY.get_ptr_mut(0) {
        // SAFETY: an integer of a map that only ever becomes 1.
        unsafe { *any = 1 };
    }
}

/// Whether a socket may send no more; counts what it is refused.
#[inline(always)]
pub fn is_shut(cookie: u64, bytes: u64) -> bool {
    let Some(stopped) = SHUT.get_ptr_mut(cookie) else { return false };
    // SAFETY: an integer of a map; additions from two CPUs at once may lose one.
    unsafe { *stopped += bytes };
    true
}

/// Hands a record to user space, or counts it as lost.
#[inline(always)]
pub fn submit(record: &[u8], text_bytes: u64) -> bool {
    count(Counter::SamplesSeen, 1);
    if SAMPLES.output::<[u8]>(record, 0).is_ok() {
        count(Counter::SamplesDelivered, 1);
        count(Counter::BytesSampled, text_bytes);
        true
    } else {
        count(Counter::SamplesLostRing, 1);
        count(Counter::BytesLostRing, text_bytes);
        false
    }
}

/// Memory to put a process together in: 0 for fork, 1 for exec.
#[inline(always)]
pub fn process_scratch(hook: u32) -> Option<&'static mut ProcessInfo> {
    // SAFETY: a program does not nest with itself on a CPU (`bpf_prog.active`), and each hook has
    // its own slot.
    PROCESS_SCRATCH.get_ptr_mut(hook).map(|info| unsafe { &mut *info })
}

/// What is known of a process.
#[inline(always)]
pub fn process(id: &ProcessId) -> Option<&'static mut ProcessInfo> {
    // SAFETY: as for `flow`.
    PROCESSES.get_ptr_mut(id).map(|info| unsafe { &mut *info })
}

/// Keeps what is known of a process.
#[inline(always)]
pub fn keep_process(id: &ProcessId, info: &ProcessInfo) {
    if PROCESSES.insert(id, info, 0).is_err() {
        count(Counter::ProcessesFull, 1);
    }
}
