//! The socket tap on syscall tracepoints: `write`, `writev`, `pwritev2`, `sendto`, `sendmsg`,
//! `sendmmsg`. `send` is `sendto` to the kernel. Minimum kernel version: 5.17, for `bpf_loop`.
//!
//! Nothing is read here but arguments; the send's way is [`crate::gather`].

use core::ffi::{c_long, c_void};

use aya_ebpf::{helpers::generated::bpf_loop, macros::tracepoint, programs::TracePointContext};
use monitor_ebpf::MESSAGES_MAX;

use crate::{
    gather::{begin, buffer, name_destination, segments, unreadable},
    hook::argument,
    kernel::read_user,
    work::tap,
};

/// `write(fd, buf, count)`
#[tracepoint]
pub fn send_write(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(tap(), argument(&context, 0) as u32) {
        buffer(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `sendto(fd, buf, len, flags, addr, addr_len)`
#[tracepoint]
pub fn send_sendto(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(tap(), argument(&context, 0) as u32) {
        // Of a call that names none it is known already.
        if argument(&context, 5) as u32 != 0 {
            name_destination(slot, argument(&context, 4), 0);
        }
        buffer(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `writev(fd, iov, iovcnt)`
#[tracepoint]
pub fn send_writev(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(tap(), argument(&context, 0) as u32) {
        segments(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `pwritev2(fd, iov, iovcnt, …)`, which writes to a socket where the offset is -1
#[tracepoint]
pub fn send_pwritev2(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(tap(), argument(&context, 0) as u32) {
        segments(slot, argument(&context, 1), argument(&context, 2));
    }
    0
}

/// `sendmsg(fd, msg, flags)`
#[tracepoint]
pub fn send_sendmsg(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(tap(), argument(&context, 0) as u32) {
        message(slot, argument(&context, 1));
    }
    0
}

/// `sendmmsg(fd, msgvec, vlen, flags)`
#[tracepoint]
pub fn send_sendmmsg(context: TracePointContext) -> u32 {
    if let Some(slot) = begin(tap(), argument(&context, 0) as u32) {
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
        unreadable(slot);
        return;
    };
    name_destination(slot, if name_bytes as u32 != 0 { name } else { 0 }, 0);
    segments(slot, iovec, segments_count);
}
