//! Gives every internet socket its cookie before its first byte. The kernel makes a cookie when
//! somebody asks for it; the tap reads it out of the socket and must find one, since the gate knows
//! sockets by nothing else.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_socket_cookie, bpf_sock_from_file},
    macros::{cgroup_sock, sock_ops},
    programs::{SockContext, SockOpsContext},
};

use crate::account::flow;
use crate::kernel::{Current, socket_sk};

/// `BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB` and `BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB`,
/// include/uapi/linux/bpf.h.
const ACTIVE_ESTABLISHED: u32 = 4;
const PASSIVE_ESTABLISHED: u32 = 5;

/// A socket is made. Minimum kernel version: 4.10 (its cookie: 4.19).
#[cgroup_sock(sock_create)]
pub fn cookie_create(context: SockContext) -> i32 {
    // SAFETY: the context is this program's own.
    let cookie = unsafe { bpf_get_socket_cookie(context.as_ptr()) };
    // Who makes a socket owns it until somebody sends on it at a tap: what leaves past all taps
    // is somebody's too.
    if let Some(flow) = flow(cookie) {
        // SAFETY: a helper without arguments that always answers.
        flow.owner_tgid = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
        flow.owner_start_ns = Current::get().start_ns();
    }
    1
}

/// A connection is accepted, or a subflow of MPTCP stands: their sockets were not made by a call.
/// Minimum kernel version: 4.13.
#[sock_ops]
pub fn cookie_accept(context: SockOpsContext) -> u32 {
    if matches!(context.op(), ACTIVE_ESTABLISHED | PASSIVE_ESTABLISHED) {
        // SAFETY: the context is this program's own.
        unsafe { bpf_get_socket_cookie(context.as_ptr()) };
    }
    1
}

/// `struct bpf_iter__task_file`, kernel/bpf/task_iter.c: four pointers, the third slot a number.
#[repr(C)]
struct EachFile {
    meta: *mut c_void,
    task: *mut c_void,
    fd: u32,
    file: *mut aya_ebpf::bindings::file,
}

/// Sockets that were open before: the daemon runs this iterator over all files once at start.
/// Minimum kernel version: 5.12, for cookies in tracing programs.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
unsafe extern "C" fn cookie_open(context: *mut EachFile) -> i32 {
    // SAFETY: the kernel hands over its own structure of this layout; `file` is null at the end.
    let file = unsafe { (*context).file };
    if file.is_null() {
        return 0;
    }
    // SAFETY: `file` is a file that the iterator holds.
    let socket = unsafe { bpf_sock_from_file(file) };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: a socket that its file holds; `sk` stands at the offset that BTF says, and the
    // verifier checks the load against its own BTF.
    let sock = unsafe { *socket.cast::<u8>().add(socket_sk() as usize).cast::<*mut c_void>() };
    if !sock.is_null() {
        // SAFETY: as above.
        unsafe { bpf_get_socket_cookie(sock) };
    }
    0
}
