//! The programs' own debug lines, which `aya-log` carries to the daemon's log. They name sockets,
//! processes and numbers of bytes, and never a byte that was sent.
//!
//! Each line is a global function with numbers for arguments: the verifier walks it once, by
//! itself. Off, which is the default, `AYA_LOG_LEVEL` is a constant 0 to it, and it takes the body
//! out; a call then costs a call. So no line is on the way of every send.

use aya_log_ebpf::debug;

macro_rules! lines {
    ($($(#[$doc:meta])+ $level:ident $name:ident($($argument:ident: $kind:ty),+) = $text:literal;)+) => {$(
        $(#[$doc])+
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $name($($argument: $kind),+) -> u32 {
            $level!((), $text, $($argument),+);
            0
        }
    )+};
}

lines! {
    /// A sample found no room.
    debug say_lost(cookie: u64, bytes: u64) = "ring full: sample of {} lost, {} bytes";
    /// A descriptor led nowhere.
    debug say_unresolved(tgid: u32, fd: u32) = "process {}: descriptor {} cannot be followed to its socket";
    /// The table of flows has no room.
    debug say_flows_full(cookie: u64) = "no room for flow {}";
    /// A packet of a socket that is shut.
    debug say_dropped(cookie: u64, bytes: u64) = "socket {} is shut: {} bytes dropped";
    /// Something proven was about to be sent.
    debug say_verdict(tgid: u32, verdict: u32) = "process {} sends what a rule stops: verdict {}";
    /// A program began.
    debug say_exec(tgid: u32, cgroup: u64) = "process {} of cgroup {} began a program";
}
