//! Decides on what was proven, before any of it has left: which rule of the policy it meets, whether its
//! threshold is reached and its limit is not, and then shuts the socket, or marks the datagram, or kills.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::map,
    maps::{Array, LruHashMap, RingBuf},
};
use monitor_ebpf::{
    Counter,
    prevention::{
        ACTION_BLOCK, ACTION_KILL, CLAUSE_SLOTS, CLAUSES_MAX, Clause, EXECUTABLES_MAX,
        KIND_EXCEPTION, Minute, NETWORK_CIDR_V6, NETWORK_PUBLIC, NETWORK_UNKNOWN, NETWORKS_MAX,
        PORTS_MAX, PREVENTION_DRY_RUN, Prevention, SCOPE_PROTECTED, SCOPES_MAX, STARTED_RING_BYTES,
        Scope, THRESHOLD_MAX, THRESHOLDS_MAX, TICK_NS, TRANSPORT_OTHER, TRANSPORT_PACKET,
        TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_UDP, TRANSPORT_UNIX, Threshold, ThresholdKey,
        UIDS_MAX, VERDICT_ACTION_SHIFT, VERDICT_DRY_RUN, VERDICT_LIMITED, VERDICT_PROTECTED,
        VERDICT_UNABLE,
    },
    proof::PROOFS_MAX,
    record::{FLAG_DESTINATION, ProcessId},
};

use crate::{
    account::{count, flow, shut},
    kernel::{AF_INET, AF_PACKET, AF_UNIX, IPPROTO_TCP},
    say::say_verdict,
    session::block_session,
    work::{Work, work},
};

#[map]
static PREVENTION: Array<Prevention> = Array::with_max_entries(2, 0);
#[map]
static PREVENTS: Array<u32> = Array::with_max_entries(1, 0);
#[map]
static SCOPES: LruHashMap<u32, Scope> = LruHashMap::with_max_entries(SCOPES_MAX, 0);
#[map]
static THRESHOLDS: LruHashMap<ThresholdKey, Threshold> =
    LruHashMap::with_max_entries(THRESHOLDS_MAX, 0);
#[map]
static ACTIONS: Array<Minute> = Array::with_max_entries(1, 0);
#[map]
static ACTIONS_OF: LruHashMap<u64, Minute> = LruHashMap::with_max_entries(EXECUTABLES_MAX, 0);
#[map]
static STARTED: RingBuf = RingBuf::with_byte_size(STARTED_RING_BYTES, 0);

/// IPPROTO_UDP and IPPROTO_UDPLITE, include/uapi/linux/in.h.
const IPPROTO_UDP: u16 = 17;
const IPPROTO_UDPLITE: u16 = 136;
/// A minute, about: nanoseconds since boot, shifted by so many bits (68.7 s).
const MINUTE_SHIFT: u32 = 36;

/// What is being decided on a send. It lies in the work area.
#[repr(C)]
pub struct Deciding {
    /// Where it goes, IPv4 in ::ffff:0:0/96.
    address: [u64; 2],
    /// Clauses that the process is in.
    scope: u64,
    executable: u64,
    /// Classes that the exceptions so far let through.
    excepted: u32,
    transport: u32,
    /// Index of the rule and one.
    rule: u32,
    /// What it asks for.
    action: u32,
    /// Whether the destination is known.
    known: u32,
    port: u32,
    /// Whether the address is loopback or private.
    local: u32,
    uid: u32,
    /// Whether a datagram of the send is to be dropped, or the send refused.
    pub block: u32,
    /// Hits of the rule that is weighed.
    hits: u32,
    /// Different values of them.
    values: u32,
    /// Whether it is known which clauses the process is in.
    classified: u32,
}

/// What is in force; `None` where nothing is prevented.
#[inline(always)]
pub fn prevention() -> Option<&'static Prevention> {
    // SAFETY: the daemon writes a whole table before it says so here, and then leaves it alone.
    let which = PREVENTS.get_ptr(0).map(|which| unsafe { *which })?;
    if which == 0 {
        return None;
    }
    // SAFETY: likewise; integers, of which each index is checked.
    PREVENTION.get_ptr(which - 1).map(|prevention| unsafe { &*prevention })
}

/// A program was started: the daemon is to find out which clauses it is in. What it was before it is not
/// any more.
#[inline(always)]
pub fn tell_started(process: &ProcessId) {
    if prevention().is_none() {
        return;
    }
    let _ = SCOPES.remove(process.tgid);
    if STARTED.output::<ProcessId>(process, 0).is_err() {
        count(Counter::StartsLost, 1);
    }
}

/// A child is what its parent is, until it executes another program.
#[inline(always)]
pub fn inherit(parent: &ProcessId, child: &ProcessId) {
    if prevention().is_none() {
        return;
    }
    if let Some(scope) = SCOPES.get_ptr(parent.tgid) {
        // SAFETY: a value of a map, of integers.
        let scope = unsafe { *scope };
        if scope.start_ticks == parent.start_ns / TICK_NS {
            let scope = Scope { start_ticks: child.start_ns / TICK_NS, ..scope };
            let _ = SCOPES.insert(child.tgid, &scope, 0);
        }
    }
}

/// Decides on the proofs in an area; [`ACTION_KILL`] where whoever runs is to die.
#[inline(always)]
pub fn decide(slot: u32) -> u32 {
    if weigh_clauses(slot) == 0 {
        return 0;
    }
    carry_out(slot)
}

/// Holds the clauses against a send; 0 where none of the rules is met.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn weigh_clauses(slot: u32) -> u32 {
    let clauses = {
        let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
        begin(work, prevention);
        prevention.clause_count
    };
    let mut index = 0;
    while index < CLAUSES_MAX as u32 {
        if index >= clauses {
            break;
        }
        weigh_clause(slot, index);
        index += 1;
    }
    let Some(work) = work(slot) else { return 0 };
    work.deciding.rule
}

#[inline(always)]
fn begin(work: &mut Work, prevention: &Prevention) {
    let head = &work.head;
    let deciding = &mut work.deciding;
    deciding.excepted = 0;
    deciding.rule = 0;
    deciding.action = 0;
    deciding.uid = head.uid;
    deciding.known = (head.flags & FLAG_DESTINATION != 0) as u32;
    deciding.port = head.destination_port as u32;
    deciding.address = address(head.family, &head.destination);
    deciding.transport = if work.head.session != 0 {
        TRANSPORT_TLS
    } else if head.family == AF_UNIX {
        TRANSPORT_UNIX
    } else if head.family == AF_PACKET {
        TRANSPORT_PACKET
    } else if head.protocol == IPPROTO_TCP {
        TRANSPORT_TCP
    } else if head.protocol == IPPROTO_UDP {
        TRANSPORT_UDP
    } else {
        TRANSPORT_OTHER
    };
    // Of who has just begun it is not known yet in what he is: rules for certain processes do not hold.
    deciding.classified = 0;
    let (mut scope, mut executable) = (0, 0);
    if let Some(known) = SCOPES.get_ptr(work.process.tgid) {
        // SAFETY: a value of a map, of integers.
        let known = unsafe { *known };
        if known.generation == prevention.generation
            && known.start_ticks == work.process.start_ns / TICK_NS
        {
            (scope, executable) = (known.clauses, known.executable);
            deciding.classified = 1;
        }
    }
    deciding.scope = scope;
    deciding.executable = executable;
    deciding.local = 0;
    let mut row = 0;
    while row < LOCAL_MAX {
        if row < prevention.local_networks as usize
            && lies_in(&deciding.address, &prevention.networks[row])
        {
            deciding.local = 1;
        }
        row += 1;
    }
}

/// What stands before an IPv4 address, as this host reads it.
const MAPPED: u32 = 0xffff_0000;

/// Networks that are loopback or private, at most.
const LOCAL_MAX: usize = 16;
const _: () = assert!(LOCAL_MAX <= NETWORKS_MAX);

#[inline(always)]
fn lies_in(address: &[u64; 2], network: &monitor_ebpf::prevention::Network) -> bool {
    (address[0] ^ network.address[0]) & network.mask[0] == 0
        && (address[1] ^ network.address[1]) & network.mask[1] == 0
}

#[inline(always)]
fn address(family: u16, address: &[u8; 16]) -> [u64; 2] {
    // SAFETY: an array of 16 bytes, read as two integers wherever it lies.
    let words = unsafe { address.as_ptr().cast::<[u64; 2]>().read_unaligned() };
    if family == AF_INET {
        // ::ffff:a.b.c.d, in network order.
        return [0, (words[0] as u32 as u64) << 32 | MAPPED as u64];
    }
    words
}

/// Weighs one. Calls go eight deep at most, and this one is the sixth of a `sendmmsg`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn weigh_clause(slot: u32, index: u32) -> u32 {
    let Some(prevention) = prevention() else { return 0 };
    let clause = &prevention.clauses[(index & (CLAUSE_SLOTS as u32 - 1)) as usize];
    let holds = holds(slot, index) != 0;
    let Some(work) = work(slot) else { return 0 };
    if clause.kind == KIND_EXCEPTION {
        // Of who has just begun it is not known whether he is let through: then he is.
        if holds || (clause.scoped != 0 && work.deciding.classified == 0) {
            work.deciding.excepted |= clause.wants[0];
        }
        return 0;
    }
    // A rule that kills goes before one that blocks, else the first.
    let better = work.deciding.rule == 0
        || (clause.action == ACTION_KILL && work.deciding.action == ACTION_BLOCK);
    if holds && reaches(slot, index) != 0 && better {
        work.deciding.rule = clause.rule + 1;
        work.deciding.action = clause.action;
    }
    work.deciding.excepted = 0;
    0
}

/// Whether a clause is about who sends what where, whatever it is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn holds(slot: u32, index: u32) -> u32 {
    let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
    let deciding = &work.deciding;
    let index = index & (CLAUSE_SLOTS as u32 - 1);
    let clause = &prevention.clauses[index as usize];
    if clause.scoped != 0 && deciding.scope >> index & 1 == 0 {
        return 0;
    }
    if clause.transports != 0 && clause.transports & deciding.transport == 0 {
        return 0;
    }
    if !(in_spans(deciding.uid, &clause.uids, clause.uid_count)
        && (clause.port_count == 0 || deciding.known != 0)
        && in_spans(deciding.port, &clause.ports, clause.port_count))
    {
        return 0;
    }
    let [first, rows] = clause.networks;
    let [not_first, not_rows] = clause.not_networks;
    if not_rows != 0 && within(slot, not_first, not_rows) != 0 {
        return 0;
    }
    (rows == 0 || within(slot, first, rows) != 0) as u32
}

#[inline(always)]
fn in_spans<const N: usize>(value: u32, spans: &[[u32; 2]; N], count: u32) -> bool {
    let mut within = count == 0;
    let mut at = 0;
    while at < N {
        let [first, last] = spans[at];
        if (at as u32) < count && value >= first && value <= last {
            within = true;
        }
        at += 1;
    }
    within
}
const _: () = assert!(PORTS_MAX <= 16 && UIDS_MAX <= 16);

/// Whether the destination lies in one of some rows of networks.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn within(slot: u32, first: u32, rows: u32) -> u32 {
    let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
    let deciding = &work.deciding;
    let is_ipv4 = deciding.address[0] == 0 && deciding.address[1] as u32 == MAPPED;
    let mut row = 0;
    while row < NETWORKS_MAX as u32 {
        if row >= rows {
            break;
        }
        let at = first.wrapping_add(row) & (NETWORKS_MAX as u32 - 1);
        let network = &prevention.networks[at as usize];
        let known = deciding.known != 0;
        let lies = match network.kind {
            NETWORK_UNKNOWN => !known,
            NETWORK_PUBLIC => known && deciding.local == 0,
            NETWORK_CIDR_V6 => known && !is_ipv4 && lies_in(&deciding.address, network),
            _ => known && lies_in(&deciding.address, network),
        };
        if lies {
            return 1;
        }
        row += 1;
    }
    0
}

/// Whether a rule is about some of the proofs, and its threshold is reached by them.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reaches(slot: u32, index: u32) -> u32 {
    let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
    let clause = &prevention.clauses[(index & (CLAUSE_SLOTS as u32 - 1)) as usize];
    let wanted = clause.count | clause.distinct != 0;
    work.deciding.hits = 0;
    let mut at = 0;
    while at < PROOFS_MAX {
        if is_wanted(work, clause, at) {
            if wanted {
                note_hit(slot, index, at as u32);
            }
            add_one(&mut work.deciding.hits);
        }
        at += 1;
    }
    if work.deciding.hits == 0 {
        return 0;
    }
    if !wanted { 1 } else { is_reached(slot, index) }
}

#[inline(always)]
fn is_wanted(work: &Work, clause: &Clause, at: usize) -> bool {
    let search = &work.proving.search;
    if at as u32 >= search.found {
        return false;
    }
    let proof = &search.proofs[at];
    let confidence = if proof.confidence > 2 { 2 } else { proof.confidence };
    let wants = clause.wants[confidence as usize] & !work.deciding.excepted;
    wants >> (proof.class & 31) & 1 != 0
}

#[inline(always)]
fn threshold(work: &Work, prevention: &Prevention, index: u32) -> Option<&'static mut Threshold> {
    let key =
        ThresholdKey { process: work.process, generation: prevention.generation, clause: index };
    if let Some(threshold) = THRESHOLDS.get_ptr_mut(&key) {
        // SAFETY: integers that another CPU may write as well: a hit may be counted late.
        return Some(unsafe { &mut *threshold });
    }
    let _ = THRESHOLDS.insert(&key, &NEW_THRESHOLD, BPF_NOEXIST as u64);
    // SAFETY: as above.
    THRESHOLDS.get_ptr_mut(&key).map(|threshold| unsafe { &mut *threshold })
}

static NEW_THRESHOLD: Threshold =
    Threshold { at_ns: [0; THRESHOLD_MAX], hash: [0; THRESHOLD_MAX], next: 0, reserved: 0 };

/// Notes a proof in the threshold of a rule.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_hit(slot: u32, index: u32, proof: u32) -> u32 {
    let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
    let Some(threshold) = threshold(work, prevention, index) else { return 0 };
    let at = (threshold.next & (THRESHOLD_MAX as u32 - 1)) as usize;
    threshold.at_ns[at] = work.head.at_ns;
    threshold.hash[at] =
        work.proving.search.proofs[(proof & (PROOFS_MAX as u32 - 1)) as usize].hash;
    threshold.next = threshold.next.wrapping_add(1);
    0
}

/// Whether enough was seen within the time of a rule; then it begins anew.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_reached(slot: u32, index: u32) -> u32 {
    let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
    let clause = &prevention.clauses[(index & (CLAUSE_SLOTS as u32 - 1)) as usize];
    let Some(threshold) = threshold(work, prevention, index) else { return 0 };
    let now = work.head.at_ns;
    // Counted in memory: of numbers that it knows the verifier follows each by itself.
    work.deciding.hits = 0;
    work.deciding.values = 0;
    let mut at = 0;
    while at < THRESHOLD_MAX {
        let seen = threshold.at_ns[at];
        if seen != 0 && now.wrapping_sub(seen) < clause.within_ns {
            add_one(&mut work.deciding.hits);
            if is_new(threshold, at, now, clause.within_ns) {
                add_one(&mut work.deciding.values);
            }
        }
        at += 1;
    }
    if work.deciding.hits < clause.count || work.deciding.values < clause.distinct {
        return 0;
    }
    let mut at = 0;
    while at < THRESHOLD_MAX {
        // SAFETY: an element of the array, volatile so that it is no call of a function that fills memory.
        unsafe { (&raw mut threshold.at_ns[at]).write_volatile(0) };
        at += 1;
    }
    1
}

/// Whether none of the hits before one is of the same value.
#[inline(always)]
fn is_new(threshold: &Threshold, at: usize, now: u64, within_ns: u64) -> bool {
    let mut before = 0;
    while before < at {
        if threshold.at_ns[before] != 0
            && now.wrapping_sub(threshold.at_ns[before]) < within_ns
            && threshold.hash[before] == threshold.hash[at]
        {
            return false;
        }
        before += 1;
    }
    true
}

/// Adds one to a field of a work area.
#[inline(always)]
fn add_one(to: &mut u32) {
    let to = &raw mut *to;
    // SAFETY: a field that is at hand, volatile so that the compiler does not keep it in a register.
    unsafe { to.write_volatile(to.read_volatile().wrapping_add(1)) };
}

/// Carries out what was decided, unless something forbids it, and notes both in the sample.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn carry_out(slot: u32) -> u32 {
    let (Some(work), Some(prevention)) = (work(slot), prevention()) else { return 0 };
    let action = work.deciding.action;
    let mut verdict = work.deciding.rule | action << VERDICT_ACTION_SHIFT;
    count(Counter::Verdicts, 1);
    if prevention.flags & PREVENTION_DRY_RUN != 0 {
        verdict |= VERDICT_DRY_RUN;
    } else if work.deciding.scope & SCOPE_PROTECTED != 0 {
        count(Counter::VerdictsProtected, 1);
        verdict |= VERDICT_PROTECTED;
    } else if !is_within_limits(prevention, work.deciding.executable) {
        count(Counter::VerdictsLimited, 1);
        verdict |= VERDICT_LIMITED;
    } else if !stop(work) && action != ACTION_KILL {
        count(Counter::VerdictsUnable, 1);
        verdict |= VERDICT_UNABLE;
    }
    work.head.verdict = verdict;
    say_verdict(work.head.tgid, verdict);
    let carried_out = verdict >> 24 == 0;
    if carried_out {
        count(Counter::Blocks, 1);
    }
    if carried_out && action == ACTION_KILL { ACTION_KILL } else { 0 }
}

/// Sees to it that the send does not leave; `false` where that cannot be.
#[inline(always)]
fn stop(work: &mut Work) -> bool {
    if work.is_session() {
        if work.head.socket != 0 {
            shut(work.head.socket);
        }
        // Its socket may be another by then, or not be known yet.
        block_session(work.head.session, work.head.tgid);
        return true;
    }
    if work.head.cookie == 0 {
        return false;
    }
    work.deciding.block = 1;
    // A datagram can go and leave the others; what is a stream ends with what is missing.
    if work.head.protocol != IPPROTO_UDP && work.head.protocol != IPPROTO_UDPLITE {
        shut(work.head.cookie);
    }
    true
}

/// The send is at its end: what of it is datagrams is dropped where it leaves, and so is what was to be
/// sent before it and has not left.
#[inline(always)]
pub fn block_datagrams(work: &mut Work) {
    if work.deciding.block == 0 {
        return;
    }
    if (work.head.protocol == IPPROTO_UDP || work.head.protocol == IPPROTO_UDPLITE)
        && let Some(flow) = flow(work.head.cookie)
    {
        flow.block_bytes = flow.claimed_bytes;
    }
}

/// Forgets what was decided on another send in an area.
#[inline(always)]
pub fn forget(slot: u32) {
    if let Some(work) = work(slot) {
        work.deciding.block = 0;
    }
}

/// Whether the send in an area is to be refused by whoever asks, before anything of it is copied.
#[inline(always)]
pub fn is_stopped(slot: u32) -> bool {
    let Some(work) = work(slot) else { return false };
    if work.deciding.block == 0 {
        return false;
    }
    // Nothing of it will come to the packet gate.
    if let Some(flow) = flow(work.head.cookie) {
        flow.block_bytes = 0;
        flow.claimed_bytes = 0;
    }
    true
}

#[inline(always)]
fn is_within_limits(prevention: &Prevention, executable: u64) -> bool {
    // SAFETY: a helper without arguments that always answers.
    let minute = (unsafe { bpf_ktime_get_boot_ns() } >> MINUTE_SHIFT) as u32;
    let Some(all) = ACTIONS.get_ptr_mut(0) else { return false };
    // SAFETY: integers of a map: two CPUs at once may lose one.
    if !take(unsafe { &mut *all }, minute, prevention.actions_per_minute_max) {
        return false;
    }
    if ACTIONS_OF.get_ptr(&executable).is_none() {
        let _ = ACTIONS_OF.insert(&executable, &Minute { minute, actions: 0 }, 0);
    }
    let Some(own) = ACTIONS_OF.get_ptr_mut(&executable) else { return true };
    // SAFETY: as above.
    take(unsafe { &mut *own }, minute, prevention.actions_per_executable_max)
}

#[inline(always)]
fn take(of: &mut Minute, minute: u32, most: u32) -> bool {
    if of.minute != minute {
        of.minute = minute;
        of.actions = 0;
    }
    if of.actions >= most {
        return false;
    }
    of.actions += 1;
    true
}
