//! A stand-in for a TLS library: a function with the name and the arguments of OpenSSL's, that hides what
//! it gets in one TLS record and sends that. It encrypts nothing. The program that is built with it has
//! the function in its table of symbols, as one with a TLS library inside has.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::RawFd;

use nix::libc;

/// What a library knows of a session.
struct Session {
    fd: RawFd,
}

/// A record of application data begins so: its type and its version, before two bytes of its length
/// (RFC 8446, 5.1).
const HEAD: [u8; 3] = [23, 3, 3];

/// `SSL_write(session, text, bytes)`
///
/// # Safety
///
/// The session is one, and the text is as long as it says.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn SSL_write(session: *const c_void, text: *const c_void, bytes: c_int) -> c_int {
    // SAFETY: as the caller says.
    let (session, text) = unsafe {
        (&*session.cast::<Session>(), std::slice::from_raw_parts(text.cast::<u8>(), bytes as usize))
    };
    let mut record = HEAD.to_vec();
    record.extend_from_slice(&(text.len() as u16).to_be_bytes());
    // No byte of it is ASCII.
    record.extend(text.iter().map(|byte| byte | 0x80));
    // SAFETY: the record lives until the call returns.
    let sent = unsafe { libc::write(session.fd, record.as_ptr().cast(), record.len()) };
    if sent == record.len() as isize { bytes } else { -1 }
}

/// Hands a text to it.
pub fn send(fd: RawFd, text: &[u8]) -> io::Result<()> {
    let session = Session { fd };
    // By way of a pointer that the compiler does not see through: a call that is inlined is hooked nowhere.
    let write: unsafe extern "C" fn(*const c_void, *const c_void, c_int) -> c_int =
        std::hint::black_box(SSL_write);
    // SAFETY: session and text live until the call returns.
    let taken =
        unsafe { write((&raw const session).cast(), text.as_ptr().cast(), text.len() as c_int) };
    if taken < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
