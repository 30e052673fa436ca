//! Requests of io_uring, which no syscall names the bytes of. As for pages, it is noted that the packet
//! gate has to read them, and whose they are. Not needed where a tap sits in the transports.

use aya_ebpf::{EbpfContext as _, macros::raw_tracepoint, programs::RawTracePointContext};

use crate::{gather::unclaim, kernel::Request};

/// include/uapi/linux/io_uring.h: WRITEV, WRITE_FIXED, SENDMSG, WRITE, SEND, SPLICE, SEND_ZC,
/// SENDMSG_ZC, WRITEV_FIXED.
const SENDS: u64 =
    1 << 2 | 1 << 5 | 1 << 9 | 1 << 23 | 1 << 26 | 1 << 30 | 1 << 47 | 1 << 48 | 1 << 61;

/// A request is submitted: `io_uring_submit_req(req)`, `io_uring_submit_sqe(req, …)` before 6.3.
/// Runs as the process, in whichever thread takes the request off the ring.
#[raw_tracepoint]
pub fn ring_submit(context: RawTracePointContext) -> i32 {
    // SAFETY: both tracepoints have an argument, and it is the request's address.
    let request = Request::at(unsafe { *context.as_ptr().cast::<u64>() });
    if let Some(operation) = request.operation()
        && operation < 64
        && SENDS >> operation & 1 != 0
        && let Some(fd) = request.descriptor()
    {
        unclaim(fd);
    }
    0
}
