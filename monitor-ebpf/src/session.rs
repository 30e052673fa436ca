//! TLS sessions: which text is written to which, and on which socket its records leave.
//!
//! A session is known by the address of the library's structure, and the fields of that are not read:
//! they differ by library and version. Its socket is told by what a thread does. Each call of a library
//! marks the thread as at work for a session; the socket on which the thread then sends TLS records is
//! the session's. A handshake does that before there is text. Go names the socket itself.

use core::ffi::{c_long, c_void};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::generated::{
        bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns, bpf_loop, bpf_probe_read_kernel,
        bpf_probe_read_user,
    },
    macros::map,
    maps::LruHashMap,
};
use monitor_ebpf::{
    CHUNK_BYTES, Counter, SEND_BYTES_MAX, SESSIONS_MAX, TAIL_BYTES, THREADS_MAX,
    record::{
        FLAG_DESTINATION, FLAG_TLS, FLOW_READ, FLOW_TLS, Flow, Mark, ProcessId, Session, SessionKey,
    },
};

use crate::{
    account::{add, count, coverage, flow, shut},
    gather::{buffer, segments},
    kernel::{self, Current, IPPROTO_TCP, Socket, is_internet, read_user},
    scan::opaque,
    work::{give, take_session, work},
};

#[map]
static SESSIONS: LruHashMap<SessionKey, Session> = LruHashMap::with_max_entries(SESSIONS_MAX, 0);
#[map]
static THREADS: LruHashMap<u64, Mark> = LruHashMap::with_max_entries(THREADS_MAX, 0);

/// How long after a call of a library its records leave: before it waits for the other end.
const MARK_NS: u64 = 1_000_000_000;
/// The upper bit, which no cookie has: they are counted from 1 (`net_cookie`, net/core/sock_diag.c).
const NO_COOKIE: u64 = 1 << 63;

static NEW_SESSION: Session = Session::NEW;

/// The session at an address of the current process, made where there is none.
#[inline(always)]
fn session(key: &SessionKey) -> Option<&'static mut Session> {
    let start_ns = Current::get().start_ns();
    if let Some(session) = SESSIONS.get_ptr_mut(key) {
        // SAFETY: integers and bytes of a map. A library lets one thread at a time write to a session;
        // what two of them do to the record at once is a count that is off.
        let session = unsafe { &mut *session };
        if session.start_ns == start_ns {
            return Some(session);
        }
    }
    let _ = SESSIONS.insert(key, &NEW_SESSION, 0);
    let Some(session) = SESSIONS.get_ptr_mut(key) else {
        count(Counter::SessionsFull, 1);
        return None;
    };
    // SAFETY: as above.
    let session = unsafe { &mut *session };
    session.start_ns = start_ns;
    begin(session, key.address);
    Some(session)
}

/// The session at an address, where it is known.
#[inline(always)]
fn known(key: &SessionKey) -> Option<&'static mut Session> {
    // SAFETY: as for `session`.
    let session = SESSIONS.get_ptr_mut(key).map(|session| unsafe { &mut *session });
    session.filter(|session| session.start_ns != 0)
}

/// What is written from here on is another session's than before, though at the same address.
#[inline(always)]
fn begin(session: &mut Session, address: u64) {
    // SAFETY: a helper without arguments that always answers.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // Two that begin in one nanosecond are of two threads, and of other addresses.
    session.id = NO_COOKIE | (now << 12) ^ (address >> 4) & 0xfff;
    session.position = 0;
    session.base = 0;
    session.end = 0;
    session.first_sum = 0;
    session.repeats = 0;
    session.blocked = 0;
}

/// Who runs.
#[inline(always)]
fn pid_tgid() -> u64 {
    // SAFETY: a helper without arguments that always answers.
    unsafe { bpf_get_current_pid_tgid() }
}

/// Whether that is the monitor, which is not looked at.
#[inline(always)]
pub fn is_monitor() -> bool {
    (pid_tgid() >> 32) as u32 == kernel::self_tgid()
}

#[inline(always)]
fn process() -> ProcessId {
    let start_ns = Current::get().start_ns();
    ProcessId { start_ns, tgid: (pid_tgid() >> 32) as u32, reserved: 0 }
}

#[inline(always)]
fn key(address: u64) -> SessionKey {
    SessionKey { address, tgid: (pid_tgid() >> 32) as u32, reserved: 0 }
}

/// Notes that this thread works for a session.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enter(address: u64, stack: u64) -> u32 {
    mark(pid_tgid(), address, stack, 0);
    session(&key(address));
    0
}

#[inline(always)]
fn mark(thread: u64, address: u64, stack: u64, cookie: u64) {
    // SAFETY: a helper without arguments that always answers.
    let at_ns = unsafe { bpf_ktime_get_boot_ns() };
    if let Some(known) = THREADS.get_ptr_mut(thread) {
        // SAFETY: a value of a map that is this thread's own.
        let known = unsafe { &mut *known };
        if known.at_ns != 0 && known.address != address {
            known.mixed = 1;
        }
        known.address = address;
        known.at_ns = at_ns;
        known.stack = stack;
        known.cookie = cookie;
    } else {
        let mark = Mark { address, at_ns, stack, mixed: 0, cookie };
        let _ = THREADS.insert(thread, &mark, BPF_NOEXIST as u64);
    }
}

/// Ends a session: what comes next at its address is another. What is known of it stays, for samples that
/// are on their way.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn end(address: u64) -> u32 {
    if let Some(session) = known(&key(address)) {
        session.start_ns = 0;
    }
    if let Some(mark) = THREADS.get_ptr_mut(pid_tgid()) {
        // SAFETY: a value of a map that is this thread's own.
        let mark = unsafe { &mut *mark };
        if mark.address == address {
            mark.at_ns = 0;
        }
    }
    0
}

/// A library has the kernel read a file and encrypt it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn send_file(address: u64, bytes: u64, stack: u64) -> u32 {
    enter(address, stack);
    count(Counter::TlsFileBytes, bytes);
    if let Some(coverage) = coverage(&process()) {
        add(&mut coverage.tls_file_bytes, bytes);
    }
    0
}

/// From where a session is written to.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The function that is called ([`monitor_ebpf::call`]).
    pub function: u64,
    /// The stack pointer at the call.
    pub stack: u64,
}

/// An area for a write.
#[inline(always)]
fn take(caller: Caller) -> Option<u32> {
    let slot = take_session()?;
    let work = work(slot)?;
    work.function = caller.function;
    work.stack = caller.stack;
    Some(slot)
}

/// Examines what is written to a session.
#[inline(always)]
pub fn write(address: u64, caller: Caller, base: u64, bytes: u64) {
    if base == 0 || bytes == 0 {
        // Some programs shake hands so, or send on.
        enter(address, caller.stack);
        return;
    }
    let Some(slot) = take(caller) else {
        busy(bytes);
        return;
    };
    let seen = note_write(slot, address, base, bytes);
    if seen < bytes {
        buffer(slot, base + seen, bytes - seen);
    }
    give(slot);
}

/// The same for several buffers: `count` of `struct iovec` at `iovec`.
#[inline(always)]
pub fn write_vectored(address: u64, caller: Caller, iovec: u64, count: u64) {
    let Some(slot) = take(caller) else {
        // How many bytes nobody has added up.
        busy(0);
        return;
    };
    if note_write(slot, address, iovec, 0) == 0 {
        segments(slot, iovec, count);
        end_vectored(slot);
    }
    give(slot);
}

/// How long it was is known when it was read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn end_vectored(slot: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let (Some(flow), Some(session)) = (flow(work.head.cookie), session(&key(work.head.session)))
    else {
        return 0;
    };
    session.position = flow.next_position;
    0
}

/// No area is free to put a write together in.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn busy(bytes: u64) -> u32 {
    count(Counter::TlsBusy, bytes);
    if let Some(coverage) = coverage(&process()) {
        add(&mut coverage.tls_busy_bytes, bytes);
        add(&mut coverage.unreadable_sends, (bytes == 0) as u64);
    }
    0
}

/// Notes in an area who writes to which session, and where that goes. How many of its bytes were seen
/// before: all, where it is a write that is tried again.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_write(slot: u32, address: u64, base: u64, bytes: u64) -> u64 {
    try_note_write(slot, address, base, bytes).unwrap_or(u64::MAX)
}

#[inline(always)]
fn try_note_write(slot: u32, address: u64, base: u64, bytes: u64) -> Option<u64> {
    let thread = pid_tgid();
    let tgid = (thread >> 32) as u32;
    let work = work(slot)?;
    let bytes = if bytes > SEND_BYTES_MAX { SEND_BYTES_MAX } else { bytes };
    let session = session(&SessionKey { address, tgid, reserved: 0 })?;
    let now = place(session);
    mark(thread, address, work.stack, session.cookie);
    let begin = read_user::<[u64; 4]>(base).unwrap_or([0; 4]);
    let function = work.function;
    let seen = seen(slot, session, &Write { base, bytes, now, function, begin });
    if seen != 0 {
        count(Counter::TlsRepeated, 1);
        if seen >= bytes {
            return None;
        }
    }
    let (base, bytes) = (base + seen, bytes - seen);
    let last = base + bytes;
    if seen == 0 {
        session.base = base;
        session.begin = begin;
    }
    session.function = function;
    session.first_sum = 0;
    if session.position == 0 && bytes <= CHUNK_BYTES as u64 {
        session.first_sum = sum(slot, base, bytes as u32);
    }
    let read_max = kernel::sample_bytes_max() as u64;
    session.end = last;
    session.read_end = if bytes > read_max { base + read_max } else { last };
    session.socket_position = now;
    let head = &mut work.head;
    head.position = session.position;
    session.position = session.position.wrapping_add(bytes as u32);
    head.cookie = session.id;
    head.session = address;
    head.socket = session.cookie;
    head.family = session.family;
    head.protocol = IPPROTO_TCP;
    head.source = session.source;
    head.destination = session.destination;
    head.source_port = session.source_port;
    head.destination_port = session.destination_port;
    head.flags = FLAG_TLS | if session.destination_port != 0 { FLAG_DESTINATION } else { 0 };
    head.tgid = tgid;
    head.tid = thread as u32;
    head.start_ns = session.start_ns;
    head.at_ns = 0;
    work.process = ProcessId { start_ns: session.start_ns, tgid, reserved: 0 };
    work.numbered = 0;
    work.kernel_text = 0;
    work.kernel_iovec = 0;
    work.skip = 0;
    work.room = SEND_BYTES_MAX;
    Some(seen)
}

/// The sequence number that the session's socket is at. Where the socket is not the session's any more,
/// none is.
#[inline(always)]
fn place(session: &mut Session) -> u32 {
    if session.cookie == 0 {
        return 0;
    }
    let socket = Socket::at(session.sock);
    if !socket.is_open(session.cookie) {
        session.cookie = 0;
        session.destination_port = 0;
        return 0;
    }
    socket.write_position().unwrap_or(0)
}

/// A write to a session.
struct Write {
    base: u64,
    bytes: u64,
    /// The sequence number that the session's socket is at.
    now: u32,
    function: u64,
    /// How it begins.
    begin: [u64; 4],
}

/// How many bytes of a write were seen: by the function that calls this one, or because it is tried again,
/// whole, in what is left of it, or with more behind it.
#[inline(always)]
fn seen(slot: u32, session: &mut Session, write: &Write) -> u64 {
    let Write { base, bytes, .. } = *write;
    if bytes == 0 {
        return 0;
    }
    let end = base + bytes;
    let same = base == session.base && write.begin == session.begin;
    // One function of a library that goes on to another.
    if same
        && end == session.end
        && write.function != session.function
        && write.now == session.socket_position
    {
        return bytes;
    }
    // The first one, before which the handshake had to come: more has left since than its text is long,
    // and some programs have copied it meanwhile.
    if session.first_sum != 0
        && session.position == bytes as u32
        && session.first_sum == sum(slot, base, bytes as u32)
    {
        session.repeats += 1;
        if session.repeats >= REPEATS_MAX {
            session.first_sum = 0;
        }
        return bytes;
    }
    // Of what is on no socket nobody can tell what has left.
    if session.cookie == 0 || !has_left_over(session, base, write.now) {
        return 0;
    }
    if end == session.end && base >= session.base && (same || base != session.base) {
        let seen = same_text(slot, session.id, base, session.read_end) != 0;
        return if seen { bytes } else { 0 };
    }
    if same && end > session.end { session.end - base } else { 0 }
}

/// Times that a first write comes again: a handshake takes two or three turns.
const REPEATS_MAX: u16 = 4;

/// Whether what a session wrote last cannot all have left yet, so that a write to the same end may be
/// what is left of it. What was encrypted is longer than what was written.
#[inline(always)]
fn has_left_over(session: &Session, base: u64, now: u32) -> bool {
    let left = now.wrapping_sub(session.socket_position) as u64;
    if left < session.end - session.base {
        return true;
    }
    // A record adds 22 to 29 bytes to its 16 KiB at most (RFC 8446, 5.2), or to much less.
    let passed = base.wrapping_sub(session.base);
    passed != 0 && passed < session.end - session.base && left <= passed + passed / 8 + 512
}

/// A sum of a text of up to a chunk, which is not 0 where it could be read. Takes the text of the area
/// for it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sum(slot: u32, base: u64, bytes: u32) -> u64 {
    let Some(work) = work(slot) else { return 0 };
    if bytes == 0 || bytes > CHUNK_BYTES as u32 {
        return 0;
    }
    let bytes = ((opaque(bytes) - 1) & (CHUNK_BYTES as u32 - 1)) + 1;
    let last = (opaque(bytes - 1) / 8) & (CHUNK_BYTES as u32 / 8 - 1);
    let text = work.text.as_mut_ptr();
    // SAFETY: the text is longer than a chunk and aligned to 8; the helper refuses a source that is not
    // readable. What stands behind the end in its last word is of another text, and goes first.
    let failed = unsafe {
        text.cast::<u64>().add(last as usize).write_volatile(0);
        bpf_probe_read_user(text.cast(), bytes, base as *const _)
    };
    if failed != 0 {
        return 0;
    }
    let mut total = Sum { sum: bytes as u64, slot: slot as u64 };
    // SAFETY: the callback takes what it is given here.
    unsafe { bpf_loop(last + 1, add_word as *mut c_void, (&raw mut total).cast(), 0) };
    total.sum | 1
}

/// What [`add_word`] adds to.
struct Sum {
    sum: u64,
    slot: u64,
}

/// Adds a word of the text: FNV-1a by words (draft-eastlake-fnv), against chance and not against malice.
unsafe extern "C" fn add_word(index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `sum` hands over a `Sum` of its stack.
    let total = unsafe { &mut *context.cast::<Sum>() };
    let Some(work) = work(total.slot as u32) else { return 1 };
    let at = opaque(index) & (CHUNK_BYTES as u32 / 8 - 1);
    // SAFETY: within the first chunk of the text, which is aligned to 8.
    let word = unsafe { work.text.as_ptr().cast::<u64>().add(at as usize).read_volatile() };
    total.sum = (total.sum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    0
}

/// Whether the bytes of a buffer to here are the last ones that were seen of a session. Takes the text
/// of the area for it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn same_text(slot: u32, id: u64, base: u64, end: u64) -> u32 {
    let (Some(work), Some(flow)) = (work(slot), flow(id)) else { return 0 };
    if base >= end {
        return 0;
    }
    let bytes = end - base;
    let bytes = if bytes > TAIL_BYTES as u64 { TAIL_BYTES as u32 } else { bytes as u32 };
    let bytes = ((opaque(bytes) - 1) & (TAIL_BYTES as u32 - 1)) + 1;
    // By way of a mask: of what is taken off a pointer the verifier learns no bound ("R1 unbounded
    // memory access").
    let from = opaque(TAIL_BYTES as u32 - bytes) & (TAIL_BYTES as u32 - 1);
    let known = work.text.as_mut_ptr();
    // SAFETY: the text is longer than two tails, and all that is copied to lies within those; the
    // helpers refuse what is not readable.
    let failed = unsafe {
        let seen = known.add(TAIL_BYTES);
        let tail = flow.tail.as_ptr().cast();
        bpf_probe_read_kernel(known.cast(), TAIL_BYTES as u32, tail)
            | bpf_probe_read_kernel(seen.cast(), TAIL_BYTES as u32, tail)
            | bpf_probe_read_user(
                seen.add(from as usize).cast(),
                bytes,
                (end - bytes as u64) as *const _,
            )
    };
    if failed != 0 {
        return 0;
    }
    for word in 0..TAIL_BYTES / 8 {
        // SAFETY: within the two tails, aligned to 8 as the text is (asserted beside it).
        let same = unsafe {
            let known = known.cast::<u64>().add(word);
            known.read_volatile() == known.add(TAIL_BYTES / 8).read_volatile()
        };
        if !same {
            return 0;
        }
    }
    1
}

/// TLS records are sent on the socket that an area has noted: they are those of the session that the
/// thread is at work for, unless that is on another socket. `read` says whether what is written to the
/// socket's session is known to be read.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn bind(slot: u32, read: u32) -> u32 {
    try_bind(slot, read != 0);
    0
}

#[inline(always)]
fn try_bind(slot: u32, read: bool) -> Option<()> {
    // SAFETY: a value of a map that is this thread's own.
    let mark = unsafe { &mut *THREADS.get_ptr_mut(pid_tgid())? };
    if mark.at_ns == 0 {
        return None;
    }
    // As it is of all but the first writes.
    if read && mark.mixed == 0 && mark.cookie == work(slot)?.head.cookie {
        mark.at_ns = 0;
        return None;
    }
    // SAFETY: a helper without arguments that always answers.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // Within the call there is no doubt. What leaves behind it, out of a buffer of the program's, is the
    // session's if the thread has worked for no other.
    let within = Current::get().stack() < mark.stack;
    if !within && (mark.mixed != 0 || now - mark.at_ns > MARK_NS) {
        return None;
    }
    let session = known(&key(mark.address))?;
    let work = work(slot)?;
    let cookie = work.head.cookie;
    let blocked = session.blocked;
    if session.cookie != cookie {
        if !within && session.cookie != 0 && Socket::at(session.sock).is_open(session.cookie) {
            return None;
        }
        if session.cookie != 0 {
            begin(session, mark.address);
        }
        session.cookie = cookie;
        session.sock = work.sock;
        set_ends(slot, session);
    }
    if blocked != 0 {
        shut(cookie);
    }
    mark.at_ns = 0;
    mark.mixed = 0;
    // A handshake alone may be of who writes past the hooks.
    if session.position != 0 {
        is_read(flow(cookie)?);
    }
    Some(())
}

/// What is written to a session may not leave: the socket that its records come to is shut.
#[inline(always)]
pub fn block_session(address: u64, tgid: u32) {
    if let Some(session) = known(&SessionKey { address, tgid, reserved: 0 }) {
        session.blocked = 1;
    }
}

/// Bytes of a handshake, with a chain of certificates.
const HANDSHAKE_BYTES_MAX: u64 = 16 * 1024;

/// What is written to a socket's session is read from now on. What it sent before was a handshake, in
/// which there is no text.
#[inline(always)]
fn is_read(flow: &mut Flow) {
    flow.flags |= FLOW_READ;
    let before = flow.tls_unread as u64;
    flow.tls_unread = 0;
    if before == 0 || before > HANDSHAKE_BYTES_MAX {
        return;
    }
    // Of a socket that was handed on another process has sent it.
    if let Some(coverage) = coverage(&process())
        && coverage.tls_bytes >= before
    {
        add(&mut coverage.tls_bytes, before.wrapping_neg());
        add(&mut coverage.examined_bytes, before);
    }
}

#[inline(always)]
fn set_ends(slot: u32, session: &mut Session) {
    let Some(work) = work(slot) else { return };
    session.socket_position = work.head.position;
    session.family = work.head.family;
    session.source = work.head.source;
    session.destination = work.head.destination;
    session.source_port = work.head.source_port;
    session.destination_port = work.head.destination_port;
}

/// A session is on the socket behind a descriptor: a connection of TCP on which nothing but TLS was
/// seen.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn bind_descriptor(address: u64, fd: u32) -> u32 {
    try_bind_descriptor(address, fd);
    0
}

#[inline(always)]
fn try_bind_descriptor(address: u64, fd: u32) -> Option<()> {
    let session = session(&key(address))?;
    if session.cookie != 0 {
        if Socket::at(session.sock).is_open(session.cookie) {
            return None;
        }
        begin(session, address);
    }
    let socket = Current::get().socket(fd).ok()??;
    let (socket, protocol) = socket.carrier()?;
    let family = socket.family()?;
    if !is_internet(family) || protocol != IPPROTO_TCP {
        return None;
    }
    let cookie = socket.cookie()?;
    let flow = flow(cookie)?;
    if cookie == 0 || (flow.seen_bytes != 0 && flow.flags & FLOW_TLS == 0) {
        return None;
    }
    is_read(flow);
    session.cookie = cookie;
    session.sock = socket.address();
    session.family = family;
    socket.ends(family, session)
}
