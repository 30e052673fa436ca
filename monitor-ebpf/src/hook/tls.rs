//! The TLS tap: entries of the functions of TLS libraries that take text to encrypt, and of those that
//! tell which session a thread works for. Which functions these are is the daemon's to find out; it says
//! with each attachment how they take their arguments ([`monitor_ebpf::call`]). Nothing is hooked at a
//! return: that would put an address of the kernel's into the stack of the program. Minimum kernel
//! version: 5.17, for `bpf_loop` (the cookie of an attachment: 5.15).

use aya_ebpf::{
    EbpfContext as _, bindings::pt_regs, helpers::generated::bpf_get_attach_cookie, macros::uprobe,
    programs::ProbeContext,
};
use monitor_ebpf::call;

use crate::{
    kernel::read_user,
    session::{Caller, bind_descriptor, end, enter, is_monitor, send_file, write, write_vectored},
};

/// `PR_DESC_LAYERED`: a layer over another, as TLS is (nspr, pr/include/prio.h).
const LAYERED: u32 = 4;

/// A function of a TLS library.
#[uprobe]
pub fn tls_call(context: ProbeContext) -> u32 {
    if !is_monitor() {
        try_call(cookie(&context), registers(&context));
    }
    0
}

#[inline(always)]
fn try_call(cookie: u64, registers: &pt_regs) -> Option<()> {
    let (session, stack) = (registers.rdi, registers.rsp);
    let caller = Caller { function: cookie >> call::FUNCTION_SHIFT, stack };
    let Write { session, base, bytes } = match cookie & call::MASK {
        call::ENTER => {
            enter(session, stack);
            return None;
        }
        call::END => {
            end(session);
            return None;
        }
        // `SSL_sendfile(session, fd, offset, bytes, flags)`
        call::SEND_FILE => {
            send_file(session, registers.rcx, stack);
            return None;
        }
        call::WRITE_RUSTLS_VECTORED => {
            write_vectored(word(session)?, caller, registers.rsi, registers.rdx);
            return None;
        }
        call::WRITE_NSPR if !is_layered(session) => return None,
        call::WRITE_GO => Write::of_go([registers.rax, registers.rbx, registers.rcx])?,
        call::WRITE_GO_STACK => {
            Write::of_go([word(stack + 8)?, word(stack + 16)?, word(stack + 24)?])?
        }
        call::WRITE_RUSTLS => Write::new(word(session)?, registers)?,
        _ => Write::new(session, registers)?,
    };
    write(session, caller, base, bytes);
    Some(())
}

/// A word of the process's that is not 0.
#[inline(always)]
fn word(address: u64) -> Option<u64> {
    let word = user_word(address);
    (word != 0).then_some(word)
}

/// A word of the process's, 0 where it cannot be read. Global, so that its stack is not the entry's: on
/// kernels before 6.13 that is full ("combined stack size of 7 calls is 544. Too large").
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn user_word(address: u64) -> u64 {
    read_user(address).unwrap_or(0)
}

/// What the daemon said at the attachment.
#[inline(always)]
fn cookie(context: &ProbeContext) -> u64 {
    // SAFETY: the context is this program's own.
    unsafe { bpf_get_attach_cookie(context.as_ptr()) }
}

#[inline(always)]
fn registers(context: &ProbeContext) -> &pt_regs {
    // SAFETY: the context of a probe is the registers of the thread; the verifier checks each load.
    unsafe { &*context.regs }
}

struct Write {
    session: u64,
    base: u64,
    bytes: u64,
}

impl Write {
    /// A buffer is the second argument and its length the third, an `int` or a `size_t`: of both the
    /// lower half, which is not negative.
    #[inline(always)]
    fn new(session: u64, registers: &pt_regs) -> Option<Write> {
        let bytes = registers.rdx as u32;
        if bytes > i32::MAX as u32 {
            return None;
        }
        Some(Write { session, base: registers.rsi, bytes: bytes as u64 })
    }
    /// Go names the socket.
    #[inline(always)]
    fn of_go([connection, base, bytes]: [u64; 3]) -> Option<Write> {
        if let Some(fd) = go_descriptor(connection) {
            bind_descriptor(connection, fd);
        }
        Some(Write { session: connection, base, bytes })
    }
}

/// Whether a `PRFileDesc` is a layer: its methods come first, and of them their kind.
#[inline(always)]
fn is_layered(file: u64) -> bool {
    word(file).and_then(word).map(|kind| kind as u32) == Some(LAYERED)
}

/// `Conn.conn` is an interface, type and value; of a `net.TCPConn` the value begins with its `netFD`,
/// and that with a `poll.FD`: a mutex of 16 bytes, then the descriptor (src/net/fd_posix.go,
/// src/internal/poll/fd_unix.go). Of what is another type comes something that is no TLS socket.
#[inline(always)]
fn go_descriptor(connection: u64) -> Option<u32> {
    let tcp = word(connection + 8)?;
    let file = word(tcp)?;
    // Of descriptor 0 nothing is said here: what cannot be read is 0 too.
    word(file + 16).map(|fd| fd as u32)
}
