//! The ways of io_uring.

use std::io;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use nix::libc;

use super::send::{Target, two, whole};

/// Sends in a way that begins with `io_uring`.
pub fn send(way: &str, target: &Target, text: &[u8]) -> io::Result<()> {
    let polled = way == "io_uring send, kernel thread polls";
    let mut builder = IoUring::builder();
    if polled {
        builder.setup_sqpoll(100);
    }
    let mut ring = builder.build(8)?;
    let fd = types::Fd(target.fd());
    let (at, bytes) = (text.as_ptr(), text.len() as u32);
    let vectors = two(text);
    // SAFETY: a `msghdr` of zeroes names nothing.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vectors.as_ptr().cast_mut();
    message.msg_iovlen = vectors.len();
    let request = match way {
        "io_uring send" | "io_uring send, kernel thread polls" => {
            opcode::Send::new(fd, at, bytes).build()
        }
        "io_uring sendmsg" => opcode::SendMsg::new(fd, &raw const message).build(),
        "io_uring write" => opcode::Write::new(fd, at, bytes).offset(u64::MAX).build(),
        "io_uring writev" => opcode::Writev::new(fd, vectors.as_ptr(), 2).offset(u64::MAX).build(),
        "io_uring send, zero copy" => opcode::SendZc::new(fd, at, bytes).build(),
        "io_uring sendmsg, zero copy" => opcode::SendMsgZc::new(fd, &raw const message).build(),
        "io_uring write of a registered buffer" => {
            let buffer = libc::iovec { iov_base: at.cast_mut().cast(), iov_len: text.len() };
            // SAFETY: the text outlives the ring.
            unsafe { ring.submitter().register_buffers(&[buffer])? };
            opcode::WriteFixed::new(fd, at, bytes, 0).offset(u64::MAX).build()
        }
        "io_uring write to a registered descriptor" => {
            ring.submitter().register_files(&[target.fd()])?;
            opcode::Write::new(types::Fixed(0), at, bytes).offset(u64::MAX).build()
        }
        way => panic!("unknown way: {way}"),
    };
    let taken = submit(&mut ring, &request)?;
    if taken < 0 {
        return Err(io::Error::from_raw_os_error(-taken));
    }
    whole(text, taken as isize)
}

/// Submits a request and waits until it is done, and its memory is not needed any more.
fn submit(ring: &mut IoUring, request: &squeue::Entry) -> io::Result<i32> {
    // SAFETY: what the request points to outlives this function.
    unsafe { ring.submission().push(request).expect("there is room") };
    ring.submit_and_wait(1)?;
    let first = ring.completion().next().expect("a completion");
    if cqueue::more(first.flags()) {
        ring.submit_and_wait(1)?;
    }
    Ok(first.result())
}
