//! The socket tap on syscall tracepoints: `write`, `writev`, `sendto`, `sendmsg`, `sendmmsg`.
//! `send` is `sendto` to the kernel. Minimum kernel version: 5.17, for `bpf_loop`.
//!
//! Nothing is read here but arguments; the send's way is [`crate::examine`].

use core::ffi::{c_long, c_void};

use aya_ebpf::{helpers::generated::bpf_loop, macros::tracepoint, programs::TracePointContext};
use monitor_ebpf::{Counter, MESSAGES_MAX};

use crate::{
    account::count,
    examine::{begin, buffer, name_destination, segments},
    kernel::read_user,
};

/// Argument `n` of the syscall: the record begins with 8 bytes common to all events and 8 with the
/// number of the call (`struct syscall_trace_enter`, kernel/trace/trace.h).
#[inline(always)]
fn argument(context: &TracePointContext, n: usize) -> u64 {
    // SAFETY: the context of a tracepoint with six arguments is 64 bytes; `n` is a constant below
    // six at each call, and the verifier checks the load.
    unsafe { core::ptr::read(context.as_ptr().add(16 + 8 * n).cast::<u64>()) }
}

use aya_ebpf::EbpfContext as _;

/// `write(fd, buf, count)`
#[tracepoint]
pub fn send_write(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(argument(&context, 0) as u32) {
        buffer(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `sendto(fd, buf, len, flags, addr, addr_len)`
#[tracepoint]
pub fn send_sendto(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(argument(&context, 0) as u32) {
        let named = argument(&context, 5) as u32 != 0;
        name_destination(slot, if named { argument(&context, 4) } else { 0 });
        buffer(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `writev(fd, iov, iovcnt)`
#[tracepoint]
pub fn send_writev(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(argument(&context, 0) as u32) {
        segments(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `sendmsg(fd, msg, flags)`
#[tracepoint]
pub fn send_sendmsg(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(argument(&context, 0) as u32) {
        message(slot, argument(&context, 1));
    }
    0
}

/// `sendmmsg(fd, msgvec, vlen, flags)`
#[tracepoint]
pub fn send_sendmmsg(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(argument(&context, 0) as u32) {
        let count = argument(&context, 2) as u32;
        let mut batch = Batch { address: argument(&context, 1), slot, reserved: 0 };
        // SAFETY: the callback takes what it is given here.
        unsafe {
            bpf_loop(
                if count > MESSAGES_MAX { MESSAGES_MAX } else { count },
                each_message as *mut c_void,
                (&raw mut batch).cast(),
                0,
            )
        };
    }
    0
}

/// Where a `sendmmsg` stands.
#[repr(C)]
struct Batch {
    /// Of the next `struct mmsghdr`.
    address: u64,
    slot: u32,
    reserved: u32,
}

/// Bytes of a `struct mmsghdr`: a `user_msghdr` of 56, a length of 4 and padding.
const MMSGHDR_BYTES: u64 = 64;

unsafe extern "C" fn each_message(_index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `send_sendmmsg` hands over a `Batch` of its stack.
    let batch = unsafe { &mut *context.cast::<Batch>() };
    message(batch.slot, batch.address);
    batch.address += MMSGHDR_BYTES;
    0
}

/// `struct user_msghdr`: name at 0, its length at 8, iovecs at 16, their number at 24
/// (include/linux/socket.h).
#[inline(always)]
fn message(slot: u32, header: u64) {
    let Some([name, name_bytes, iovec, segments_count]) = read_user::<[u64; 4]>(header) else {
        count(Counter::SendsUnreadable, 1);
        return;
    };
    name_destination(slot, if name_bytes as u32 != 0 { name } else { 0 });
    segments(slot, iovec, segments_count);
}
