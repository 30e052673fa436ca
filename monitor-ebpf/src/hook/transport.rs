//! The socket tap in the transports, by trampolines: each send comes by here, whichever call or ring
//! it was made with. Minimum kernel version: 5.17, for `bpf_loop`, on a kernel with BPF trampolines.
//!
//! An LSM hook would be one program for all, but is skipped for the later messages of a `sendmmsg`
//! to one address (`____sys_sendmsg`, net/socket.c). It is here for sockets that are no internet
//! sockets, for kernels whose transports cannot be hooked, and as the send gate.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};
use monitor_ebpf::Counter;

use crate::{
    account::{any_shut, count, is_shut},
    gather::message,
    kernel::{AF_INET, Socket, is_internet},
    say::say_dropped,
    verdict::{forget, is_stopped},
    work::{give, take_tap},
};

/// Argument `n`.
#[inline(always)]
fn argument(context: *mut core::ffi::c_void, n: usize) -> u64 {
    // SAFETY: the context of a trampoline is an array of the function's arguments, of which each
    // hooked here has three; the verifier checks the load.
    unsafe { *context.cast::<u64>().add(n) }
}

/// Examines what `message` sends on `socket`, and says whether it is to be refused.
#[inline(always)]
fn examine(socket: Socket, sent: u64) -> bool {
    // Where another send of this CPU is being looked at, the gate looks at this one.
    let Some(slot) = take_tap() else { return false };
    // What is no send that is looked at does not come to where an area is cleared.
    forget(slot);
    message(slot, socket.address(), sent);
    let stopped = is_stopped(slot);
    give(slot);
    stopped
}

/// `…_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`
#[inline(always)]
fn try_transport(context: &FEntryContext) {
    examine(Socket::at(argument(context.as_ptr(), 0)), argument(context.as_ptr(), 1));
}

/// TCP, of IPv4 and IPv6.
#[fentry(function = "tcp_sendmsg")]
pub fn transport_tcp(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// UDP over IPv4.
#[fentry(function = "udp_sendmsg")]
pub fn transport_udp(context: FEntryContext) -> i32 {
    let socket = Socket::at(argument(context.as_ptr(), 0));
    if socket.family() == Some(AF_INET) {
        examine(socket, argument(context.as_ptr(), 1));
    }
    0
}

/// UDP over IPv6. To an address of IPv4 it calls `udp_sendmsg`, which passes over it.
#[fentry(function = "udpv6_sendmsg")]
pub fn transport_udp6(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// Raw sockets.
#[fentry(function = "raw_sendmsg")]
pub fn transport_raw(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// Raw sockets of IPv6.
#[fentry(function = "rawv6_sendmsg")]
pub fn transport_raw6(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// Ping sockets.
#[fentry(function = "ping_v4_sendmsg")]
pub fn transport_ping(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// Ping sockets of IPv6.
#[fentry(function = "ping_v6_sendmsg")]
pub fn transport_ping6(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// MPTCP. Minimum kernel version: 5.6.
#[fentry(function = "mptcp_sendmsg")]
pub fn transport_mptcp(context: FEntryContext) -> i32 {
    try_transport(&context);
    0
}

/// `security_socket_sendmsg(struct socket *sock, struct msghdr *msg, int size)`, beside the
/// transports: of packet sockets and Unix sockets.
#[fentry(function = "security_socket_sendmsg")]
pub fn transport_other(context: FEntryContext) -> i32 {
    if let Some(socket) = Socket::of(argument(context.as_ptr(), 0))
        && let Some(family) = socket.family()
        && !is_internet(family)
    {
        examine(socket, argument(context.as_ptr(), 1));
    }
    0
}

/// The tap by LSM, of all sockets.
#[lsm(hook = "socket_sendmsg")]
pub fn lsm_tap(context: LsmContext) -> i32 {
    if let Some(socket) = Socket::of(argument(context.as_ptr(), 0))
        && examine(socket, argument(context.as_ptr(), 1))
    {
        count(Counter::BytesRefused, argument(context.as_ptr(), 2) as u32 as u64);
        return -EPERM;
    }
    0
}

/// EPERM, include/uapi/asm-generic/errno-base.h.
const EPERM: i32 = 1;

/// The send gate: the call of whoever sends on a socket that is shut fails, and copies nothing.
#[lsm(hook = "socket_sendmsg")]
pub fn gate_send(context: LsmContext) -> i32 {
    if any_shut()
        && let Some(socket) = Socket::of(argument(context.as_ptr(), 0))
        && let Some(cookie) = socket.cookie()
    {
        let bytes = argument(context.as_ptr(), 2) as u32 as u64;
        if cookie != 0 && is_shut(cookie, bytes) {
            count(Counter::BytesRefused, bytes);
            say_dropped(cookie, bytes);
            return -EPERM;
        }
    }
    0
}
