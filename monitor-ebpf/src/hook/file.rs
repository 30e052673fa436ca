//! Executable files, told of when a process maps one that was not told of before: the daemon looks
//! whether there is a TLS library in it. Minimum kernel version: 5.8, for ring buffers.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
    macros::{map, tracepoint},
    maps::{LruHashMap, RingBuf},
    programs::TracePointContext,
};
use monitor_ebpf::{
    Counter, FILES_MAX, FILES_RING_BYTES,
    record::{FileId, FileSeen},
};

use crate::{
    account::count,
    hook::argument,
    kernel::{Current, File, looks_at_tls},
};

#[map]
static FILES_KNOWN: LruHashMap<FileId, u32> = LruHashMap::with_max_entries(FILES_MAX, 0);
#[map]
static FILES_SEEN: RingBuf = RingBuf::with_byte_size(FILES_RING_BYTES, 0);

/// PROT_EXEC, include/uapi/asm-generic/mman-common.h.
const EXEC: u32 = 4;

/// `mmap(addr, len, prot, flags, fd, off)`
#[tracepoint]
pub fn file_mmap(context: TracePointContext) -> u32 {
    let fd = argument(&context, 4) as i32;
    if argument(&context, 2) as u32 & EXEC != 0
        && argument(&context, 1) != 0
        && fd >= 0
        && let Some(file) = Current::get().file(fd as u32)
    {
        tell(file, fd as u32);
    }
    0
}

/// Tells of a file that a process executes, where that was not done before, and by which descriptor
/// ([`FileSeen::fd`]).
#[inline(always)]
pub fn tell(file: File, fd: u32) {
    if let Some(id) = file.id().filter(|_| looks_at_tls()) {
        try_tell(id, fd);
    }
}

#[inline(always)]
fn try_tell(file: FileId, fd: u32) -> Option<()> {
    if FILES_KNOWN.get_ptr(file).is_some() {
        return None;
    }
    // Of two processes that come by at once one tells.
    FILES_KNOWN.insert(file, &0, BPF_NOEXIST as u64).ok()?;
    count(Counter::FilesSeen, 1);
    // SAFETY: helpers without arguments that always answer.
    let (thread, at_ns) = unsafe { (bpf_get_current_pid_tgid(), bpf_ktime_get_boot_ns()) };
    let seen = FileSeen { file, at_ns, tgid: (thread >> 32) as u32, fd };
    if FILES_SEEN.output::<FileSeen>(seen, 0).is_err() {
        let _ = FILES_KNOWN.remove(file);
        count(Counter::FilesLost, 1);
    }
    Some(())
}
