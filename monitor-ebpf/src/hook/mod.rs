//! One family of attach points per file.

mod cookie;
mod file;
mod gate;
mod pages;
mod process;
mod ring;
mod send;
mod tls;
mod transport;

use aya_ebpf::{EbpfContext as _, programs::TracePointContext};

/// Argument `n` of the syscall: the record begins with 8 bytes common to all events and 8 with the
/// number of the call (`struct syscall_trace_enter`, kernel/trace/trace.h).
#[inline(always)]
pub(crate) fn argument(context: &TracePointContext, n: usize) -> u64 {
    // SAFETY: the context of a tracepoint with six arguments is 64 bytes; `n` is a constant below
    // six at each call, and the verifier checks the load.
    unsafe { core::ptr::read(context.as_ptr().add(16 + 8 * n).cast::<u64>()) }
}
