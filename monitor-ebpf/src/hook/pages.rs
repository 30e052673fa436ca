//! Calls that hand pages to a socket, which are no bytes at an address of the process: `sendfile`
//! and `splice`. What they send is read where it leaves, at the packet gate; here it is only noted
//! that it has to be.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

use crate::{gather::unclaim, hook::argument};

/// `sendfile(out_fd, in_fd, offset, count)`
#[tracepoint]
pub fn pages_sendfile(context: TracePointContext) -> u32 {
    unclaim(argument(&context, 0) as u32);
    0
}

/// `splice(fd_in, off_in, fd_out, off_out, len, flags)`
#[tracepoint]
pub fn pages_splice(context: TracePointContext) -> u32 {
    unclaim(argument(&context, 2) as u32);
    0
}
