//! The quarantine: nothing leaves from a process or a cgroup but to what is allowed. Loopback is no
//! exception, or what may not leave would leave through a neighbour.
//!
//! It goes by socket. A socket is marked when a process in quarantine has it at the beginning, makes it,
//! or sends on it, and a connection that is accepted has its listener's marks: so what leaves later, in
//! softirq or again, is known by its socket whoever runs then. What is in a cgroup is known by that.
//! Minimum kernel version: 5.11, for the task that runs.
#![no_std]
#![no_main]

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::{
    EbpfContext as _,
    bindings::{__sk_buff, BPF_F_CLONE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE, bpf_sock},
    helpers::generated::{
        bpf_get_current_task_btf, bpf_ktime_get_boot_ns, bpf_probe_read_kernel,
        bpf_probe_read_kernel_str, bpf_sk_fullsock, bpf_sk_storage_get, bpf_skb_ancestor_cgroup_id,
    },
    macros::{btf_map, cgroup_skb, cgroup_sock, map, raw_tracepoint},
    maps::{Array, HashMap, LpmTrie, PerCpuArray, PerCpuHashMap, lpm_trie::Key},
    programs::{RawTracePointContext, SkBuffContext, SockContext},
};
use monitor_ebpf::{
    Offsets,
    quarantine::{
        ALLOW_MAX, CGROUPS_MAX, Ids, KEY_BYTES, LEVELS_MAX, Member, PATH_BYTES, PATHS_MAX,
        PROCESSES_MAX, QUARANTINES_MAX, STATE_BYTES, TICK_NS, Terms, key, slot,
    },
    switch::Stopped,
};

#[path = "shared/packet.rs"]
mod packet;

use packet::Packet;

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[unsafe(no_mangle)]
static OFFSETS: Offsets = {
    // SAFETY: all fields are u32, for which all-zero bytes are a value.
    unsafe { core::mem::zeroed() }
};

macro_rules! offset {
    ($field:ident) => {{
        // SAFETY: a static of the object, aligned; volatile because its value is written before load,
        // which the compiler cannot know.
        unsafe { core::ptr::read_volatile(&raw const OFFSETS.$field) }
    }};
}

#[map]
static ALLOW: LpmTrie<[u8; KEY_BYTES], u8> =
    LpmTrie::with_max_entries(ALLOW_MAX, BPF_F_NO_PREALLOC);
#[map]
static QUARANTINES: HashMap<u32, Terms> = HashMap::with_max_entries(QUARANTINES_MAX, 0);
#[map]
static PROCESSES: HashMap<u32, Member> = HashMap::with_max_entries(PROCESSES_MAX, 0);
#[map]
static CGROUPS: HashMap<u64, Ids> = HashMap::with_max_entries(CGROUPS_MAX, BPF_F_NO_PREALLOC);
#[map]
static PATHS: HashMap<[u8; PATH_BYTES], Ids> =
    HashMap::with_max_entries(PATHS_MAX, BPF_F_NO_PREALLOC);
#[map]
static NUMBERS: Array<u32> = Array::with_max_entries(slot::COUNT, 0);
#[map]
static STOPPED: PerCpuHashMap<u32, Stopped> = PerCpuHashMap::with_max_entries(QUARANTINES_MAX, 0);
#[map]
static STATES: HashMap<u32, [u8; STATE_BYTES]> =
    HashMap::with_max_entries(QUARANTINES_MAX, BPF_F_NO_PREALLOC);
#[map]
static PATH: PerCpuArray<[u8; PATH_BYTES]> = PerCpuArray::with_max_entries(1, 0);

/// `BPF_MAP_TYPE_SK_STORAGE`, whose entries live and end with their socket. As `aya_ebpf::btf_maps`
/// defines it, with one flag more: a connection that is accepted has its listener's entry
/// (`bpf_sk_storage_clone`, net/core/bpf_sk_storage.c, since 5.4).
#[repr(C)]
struct Marks {
    r#type: *const [i32; 24],
    key: *const i32,
    value: *const Ids,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize],
}

// SAFETY: placeholders that the loader replaces; nobody follows them.
unsafe impl Sync for Marks {}

#[btf_map]
static SOCKETS: Marks = Marks {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

/// Whether a packet is dropped or passed.
const DROP: i32 = 0;
const PASS: i32 = 1;

/// Follows a pointer whose type the verifier knows, as `kernel.rs` of the other object does.
macro_rules! follow {
    ($base:expr, $field:ident) => {{
        let at = $base.cast::<u8>().wrapping_add(offset!($field) as usize);
        // SAFETY: the kernel catches a load from such a pointer that faults
        // (`PROBE_MEM`, arch/x86/net/bpf_jit_comp.c); all bits are a value of what is read.
        unsafe { core::ptr::read_volatile(at.cast()) }
    }};
}

/// Reads a value of kernel memory.
#[inline(always)]
fn read<T: Copy>(base: u64, offset: u32) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the destination is `T` on our stack with its size; the helper refuses a source that is not
    // readable kernel memory. `T` is an integer at each call.
    unsafe {
        let from = (base + offset as u64) as *const c_void;
        let failed = bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from);
        if failed != 0 { None } else { Some(value.assume_init()) }
    }
}

/// Who sends, if that is a process in quarantine.
#[inline(always)]
fn current() -> Option<&'static Member> {
    // SAFETY: the helper has no arguments and always answers.
    let task = unsafe { bpf_get_current_task_btf() };
    member(task.cast())
}

/// The entry of a task's process.
#[inline(always)]
fn member(task: *mut u8) -> Option<&'static Member> {
    let tgid: u32 = follow!(task, task_tgid);
    // SAFETY: whoever writes to it meanwhile writes integers.
    let member = unsafe { PROCESSES.get(&tgid) }?;
    let leader: *mut u8 = follow!(task, task_group_leader);
    is_it(member, follow!(leader, task_start_boottime)).then_some(member)
}

/// Whether an entry is that of the process that was started then. `/proc` tells that in ticks.
#[inline(always)]
fn is_it(member: &Member, start_ns: u64) -> bool {
    start_ns.wrapping_sub(member.start_ns) < TICK_NS
}

/// Whether a quarantine is in force.
#[inline(always)]
fn in_force(id: u32) -> bool {
    // SAFETY: one number is read of it.
    let Some(terms) = (unsafe { QUARANTINES.get(&id) }) else { return false };
    // SAFETY: a helper without arguments that always answers.
    terms.expires_ns == 0 || unsafe { bpf_ktime_get_boot_ns() } < terms.expires_ns
}

/// Adds marks to a socket's: where there is room, or one that is not in force any more.
#[inline(always)]
fn merge(marks: &mut Ids, ids: &Ids) {
    for id in *ids {
        if id == 0 || marks[0] == id || marks[1] == id || marks[2] == id || marks[3] == id {
            continue;
        }
        for mark in &mut *marks {
            if *mark == 0 || !in_force(*mark) {
                *mark = id;
                break;
            }
        }
    }
}

/// Marks of a socket, by a pointer that the verifier knows to be one.
///
/// # Safety
///
/// `sock` is such a pointer.
#[inline(always)]
unsafe fn marks(sock: *mut c_void, new: *const Ids) -> Option<&'static mut Ids> {
    let map = (&raw const SOCKETS).cast_mut().cast();
    let flags = if new.is_null() { 0 } else { BPF_SK_STORAGE_GET_F_CREATE as u64 };
    // SAFETY: the caller has a socket, and the entry is as large as `Ids`.
    unsafe { bpf_sk_storage_get(map, sock, new.cast_mut().cast(), flags).cast::<Ids>().as_mut() }
}

/// Marks a socket.
///
/// # Safety
///
/// As of [`marks`].
#[inline(always)]
unsafe fn mark(sock: *mut c_void, member: &Member) {
    let ids = member.ids;
    // SAFETY: as the caller says.
    if let Some(marks) = unsafe { marks(sock, &raw const ids) } {
        merge(marks, &ids);
    }
}

/// Each packet that a process of the host sends.
#[cgroup_skb(egress)]
fn quarantine_egress(context: SkBuffContext) -> i32 {
    try_egress(&context).unwrap_or(PASS)
}

#[inline(always)]
fn try_egress(context: &SkBuffContext) -> Option<i32> {
    let skb = context.skb.skb;
    if by_cgroup(skb) == DROP {
        return Some(DROP);
    }
    // SAFETY: the context is this program's own; the verifier turns this into a load of its socket.
    let sock: *mut bpf_sock = unsafe { (*skb).__bindgen_anon_2.sk };
    if sock.is_null() {
        return None;
    }
    // SAFETY: the helper takes what the context holds, which is not null.
    let sock = unsafe { bpf_sk_fullsock(sock) };
    if sock.is_null() {
        return None;
    }
    if let Some(member) = current()
        && is_of_current(sock)
    {
        // A datagram is always sent by who is at work; its socket may be another's.
        // SAFETY: a whole socket.
        if is_stream(unsafe { (*sock).type_ }) {
            // SAFETY: as above.
            unsafe { mark(sock.cast(), member) };
        }
        if judge_all(skb, &member.ids) == DROP {
            return Some(DROP);
        }
    }
    // SAFETY: as above.
    let marks = unsafe { marks(sock.cast(), core::ptr::null()) }?;
    Some(judge_all(skb, marks))
}

/// SOCK_STREAM, SOCK_SEQPACKET and SOCK_DCCP, include/linux/net.h: what they send may leave later.
#[inline(always)]
fn is_stream(kind: u32) -> bool {
    kind == 1 || kind == 5 || kind == 6
}

/// Whether who runs is who sends, and was not interrupted by what does. A stream has its lock taken by
/// who sends on it, while softirqs leave one alone whose lock is (`sock_owned_by_user`,
/// include/net/sock.h). Other sockets send only as they are told to; those of the kernel, which answers
/// pings and resets in softirq, have no file.
#[inline(always)]
fn is_of_current(sock: *mut bpf_sock) -> bool {
    let Some(address) = address(sock) else { return false };
    // SAFETY: a whole socket.
    if is_stream(unsafe { (*sock).type_ }) {
        return read::<u32>(address, offset!(sock_lock_owned)).unwrap_or(0) != 0;
    }
    let socket: u64 = read(address, offset!(sock_socket)).unwrap_or(0);
    socket != 0 && read::<u64>(socket, offset!(socket_file)).unwrap_or(0) != 0
}

/// The address of a socket as a number: the verifier allows no arithmetic on the pointer ("pointer
/// arithmetic on sock prohibited"), so it is read from where it is kept.
#[inline(always)]
fn address(sock: *mut bpf_sock) -> Option<u64> {
    let mut kept = MaybeUninit::<*mut bpf_sock>::uninit();
    // SAFETY: our stack; volatile so that it is there when the helper reads it.
    unsafe { core::ptr::write_volatile(kept.as_mut_ptr(), sock) };
    read(kept.as_ptr() as u64, 0)
}

/// By the cgroup of the packet's socket, and those above it.
#[inline(always)]
fn by_cgroup(skb: *mut __sk_buff) -> i32 {
    let Some(levels) = NUMBERS.get(slot::LEVELS).copied() else { return PASS };
    if levels == 0 {
        return PASS;
    }
    for level in 0..LEVELS_MAX {
        if levels & (1 << level) == 0 {
            continue;
        }
        // SAFETY: a helper on this program's own context.
        let cgroup = unsafe { bpf_skb_ancestor_cgroup_id(skb, level as i32) };
        if cgroup == 0 {
            break;
        }
        // SAFETY: integers are read.
        if let Some(ids) = unsafe { CGROUPS.get(&cgroup) }
            && judge_all(skb, ids) == DROP
        {
            return DROP;
        }
    }
    PASS
}

#[inline(always)]
fn judge_all(skb: *mut __sk_buff, ids: &Ids) -> i32 {
    for id in *ids {
        if id != 0 && judge(skb, id) == 0 {
            return DROP;
        }
    }
    PASS
}

/// Whether a quarantine lets a packet pass: 0 where not. Global, so that it is verified once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn judge(skb: *mut __sk_buff, id: u32) -> u32 {
    if !in_force(id) {
        return 1;
    }
    let context = SkBuffContext::new(skb);
    if is_allowed(&context, id).unwrap_or(false) {
        return 1;
    }
    count(id, context.len() as u64);
    0
}

#[inline(always)]
fn is_allowed(context: &SkBuffContext, id: u32) -> Option<bool> {
    let packet = Packet::of(context)?;
    let mut wanted = key(id, packet.version, [0, 0], &packet.destination);
    let bits = KEY_BYTES as u32 * 8;
    if ALLOW.get(Key::new(bits, wanted)).is_some() {
        return Some(true);
    }
    let ports = packet.ports?;
    // The key of port 0 is that of every port.
    if ports[2] == 0 && ports[3] == 0 {
        return None;
    }
    wanted[5] = ports[2];
    wanted[6] = ports[3];
    Some(ALLOW.get(Key::new(bits, wanted)).is_some())
}

#[inline(always)]
fn count(id: u32, bytes: u64) {
    let Some(stopped) = STOPPED.get_ptr_mut(&id) else { return };
    // SAFETY: the entry is this CPU's; a softirq in between at worst counts one packet for two.
    unsafe {
        (*stopped)[0] += 1;
        (*stopped)[1] += bytes;
        (*stopped)[2] = bpf_ktime_get_boot_ns();
    }
}

/// A socket is made.
#[cgroup_sock(sock_create)]
fn quarantine_create(context: SockContext) -> i32 {
    if let Some(member) = current() {
        // SAFETY: the context is a socket.
        unsafe { mark(context.as_ptr(), member) };
    }
    1
}

#[inline(always)]
fn lost() {
    if let Some(lost) = NUMBERS.get_ptr_mut(slot::LOST) {
        // SAFETY: a number; two at once count one, which is more than none.
        unsafe { *lost += 1 };
    }
}

/// `sched_process_fork(parent, child)`, in the parent, before the child runs (`kernel_clone`,
/// kernel/fork.c).
#[raw_tracepoint(tracepoint = "sched_process_fork")]
fn quarantine_fork(context: RawTracePointContext) -> i32 {
    let _ = try_fork(context.arg(1));
    0
}

#[inline(always)]
fn try_fork(child: u64) -> Option<()> {
    let ids = current()?.ids;
    let tgid: u32 = read(child, offset!(task_tgid))?;
    // A thread is its process.
    if tgid != read(child, offset!(task_pid))? {
        return None;
    }
    let start_ns = read(child, offset!(task_start_boottime))?;
    if PROCESSES.insert(&tgid, &Member { start_ns, ids }, 0).is_err() {
        lost();
    }
    Some(())
}

/// `sched_process_free(task)`: nothing of it is left, its last thread came last.
#[raw_tracepoint(tracepoint = "sched_process_free")]
fn quarantine_free(context: RawTracePointContext) -> i32 {
    let _ = try_free(context.arg(0));
    0
}

#[inline(always)]
fn try_free(task: u64) -> Option<()> {
    let tgid: u32 = read(task, offset!(task_tgid))?;
    // SAFETY: integers are read.
    let member = unsafe { PROCESSES.get(&tgid) }?;
    let start_ns: u64 = read(task, offset!(task_start_boottime))?;
    if tgid == read(task, offset!(task_pid))? && is_it(member, start_ns) {
        let _ = PROCESSES.remove(&tgid);
    }
    Some(())
}

/// `cgroup_mkdir(cgroup, path)`: a unit that is started again has a cgroup of the old path and a new id.
/// Nobody is in it yet.
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
fn quarantine_mkdir(context: RawTracePointContext) -> i32 {
    let _ = try_mkdir(context.arg(0), context.arg(1));
    0
}

#[inline(always)]
fn try_mkdir(cgroup: u64, path: u64) -> Option<()> {
    // Version 1 has hierarchies of its own; that of version 2 is 0 (kernel/cgroup/cgroup.c).
    let root: u64 = read(cgroup, offset!(cgroup_root))?;
    if read::<u32>(root, offset!(root_hierarchy))? != 0 {
        return None;
    }
    let buffer = PATH.get_ptr_mut(0)?;
    // SAFETY: the entry is this CPU's, and this program is not interrupted by itself; the helper writes
    // within it, and no byte behind the end of the text.
    unsafe {
        *buffer = [0; PATH_BYTES];
        let bytes = PATH_BYTES as u32;
        bpf_probe_read_kernel_str(buffer.cast(), bytes, path as *const c_void);
    }
    // SAFETY: as above; integers are read of the entry.
    let ids = *unsafe { PATHS.get(&*buffer) }?;
    let node: u64 = read(cgroup, offset!(cgroup_node))?;
    let id: u64 = read(node, offset!(node_id))?;
    if CGROUPS.insert(&id, &ids, 0).is_err() {
        lost();
    }
    Some(())
}

/// Nothing here panics; were it to, the verifier refuses the loop and the object does not load.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[expect(clippy::empty_loop, reason = "there is nobody to tell, and it must not be reachable")]
    loop {}
}
