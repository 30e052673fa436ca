//! Packet sockets: whole frames, handed over by a call or put into memory shared with the kernel.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::libc;

use super::send::whole;
use crate::net::socket;

/// A type of frame for experiments, which no host takes for anything (IEEE 802, 0x88b5).
const EXPERIMENT: u16 = 0x88b5;

/// Sends a frame with the text on the loopback interface.
pub fn send(way: &str, text: &[u8]) -> io::Result<()> {
    let socket = socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    let mut frame = vec![0u8; 12];
    frame.extend(EXPERIMENT.to_be_bytes());
    frame.extend(text);
    match way {
        "sendto" => {
            let to = loopback()?;
            // SAFETY: frame and name live until the call returns, and their lengths are given.
            let sent = unsafe {
                let bytes = size_of::<libc::sockaddr_ll>() as u32;
                let (fd, name) = (socket.as_raw_fd(), (&raw const to).cast());
                libc::sendto(fd, frame.as_ptr().cast(), frame.len(), 0, name, bytes)
            };
            whole(&frame, sent)
        }
        "sendmsg of one buffer" => {
            bind(&socket)?;
            let parts = [io::IoSlice::new(&frame)];
            let flags = nix::sys::socket::MsgFlags::empty();
            let fd = socket.as_raw_fd();
            nix::sys::socket::sendmsg::<nix::sys::socket::SockaddrStorage>(
                fd,
                &parts,
                &[],
                flags,
                None,
            )?;
            Ok(())
        }
        "a ring shared with the kernel" => ring(&socket, &frame),
        way => panic!("unknown way: {way}"),
    }
}

fn loopback() -> io::Result<libc::sockaddr_ll> {
    // SAFETY: a name with its end; a `sockaddr_ll` of zeroes is one of no interface.
    let (index, mut name) =
        unsafe { (libc::if_nametoindex(c"lo".as_ptr()), std::mem::zeroed::<libc::sockaddr_ll>()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    name.sll_family = libc::AF_PACKET as u16;
    name.sll_ifindex = index as i32;
    name.sll_halen = 6;
    name.sll_protocol = EXPERIMENT.to_be();
    Ok(name)
}

fn bind(socket: &OwnedFd) -> io::Result<()> {
    let name = loopback()?;
    // SAFETY: the name lives until the call returns, and its length is given.
    let failed = unsafe {
        let bytes = size_of::<libc::sockaddr_ll>() as u32;
        libc::bind(socket.as_raw_fd(), (&raw const name).cast(), bytes)
    };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// One block of one page with two frames (Documentation/networking/packet_mmap.rst).
const FRAME_BYTES: usize = 2048;
const BLOCK_BYTES: usize = 4096;
/// Where a frame's data begins under `TPACKET_V1`: behind `struct tpacket_hdr`, aligned to 16.
const DATA_AT: usize = 32;
/// `TP_STATUS_SEND_REQUEST`, include/uapi/linux/if_packet.h.
const SEND_REQUEST: u64 = 1;

fn ring(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    bind(socket)?;
    let request = libc::tpacket_req {
        tp_block_size: BLOCK_BYTES as u32,
        tp_block_nr: 1,
        tp_frame_size: FRAME_BYTES as u32,
        tp_frame_nr: (BLOCK_BYTES / FRAME_BYTES) as u32,
    };
    let fd = socket.as_raw_fd();
    // SAFETY: the request lives until the call returns; the mapping is new, one block long, and all
    // that is written lies within its first frame.
    unsafe {
        let (level, bytes) = (libc::SOL_PACKET, size_of::<libc::tpacket_req>() as u32);
        let request = (&raw const request).cast();
        if libc::setsockopt(fd, level, libc::PACKET_TX_RING, request, bytes) != 0 {
            return Err(io::Error::last_os_error());
        }
        let (none, access) = (std::ptr::null_mut(), libc::PROT_READ | libc::PROT_WRITE);
        let at = libc::mmap(none, BLOCK_BYTES, access, libc::MAP_SHARED, fd, 0);
        assert_ne!(at, libc::MAP_FAILED, "a mapping");
        let at: *mut u8 = at.cast();
        std::ptr::copy_nonoverlapping(frame.as_ptr(), at.add(DATA_AT), frame.len());
        // struct tpacket_hdr: status, length, …
        at.add(8).cast::<u32>().write_volatile(frame.len() as u32);
        at.cast::<u64>().write_volatile(SEND_REQUEST);
        // Later kernels wait until the frame is gone, and for that here in vain.
        whole(frame, libc::send(fd, std::ptr::null(), 0, libc::MSG_DONTWAIT))
    }
}
