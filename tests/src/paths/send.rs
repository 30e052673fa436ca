//! The sending side of a path: connects as the transport asks, and sends one text in the way that
//! the path names.

use std::ffi::c_int;
use std::io::{self, Seek as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrStorage, UnixAddr, recvmsg, sendmsg, socketpair,
};

use super::{Over, packet, ring, tls};
use crate::net::socket;

/// Exit code of a sender that cannot send in its way here; the line it printed says why.
pub const CANNOT: i32 = 77;

/// Seconds that a sender may take, on a kernel that is emulated and while a monitor is armed beside it.
const SECONDS_MAX: u32 = 200;

/// A socket to send on, and where to.
pub struct Target {
    /// The socket.
    pub socket: OwnedFd,
    /// Where it is to go, for what names it.
    pub to: SocketAddr,
    /// Whether the socket is connected.
    pub connected: bool,
}

impl Target {
    /// The descriptor's number.
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Sends as the words say; the exit code.
pub fn run(way: &str, over: &str) -> i32 {
    let over = Over::ALL.into_iter().find(|known| known.name() == over).expect("a transport");
    // A send that waits for ever ends by this signal, which is told.
    // SAFETY: a number in and a number out.
    unsafe { libc::alarm(SECONDS_MAX) };
    match try_run(way, over) {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            let raw = error.raw_os_error();
            let unknown =
                [libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::EPROTONOSUPPORT, libc::EROFS];
            if raw.is_some_and(|raw| unknown.contains(&raw)) { CANNOT } else { 1 }
        }
    }
}

fn try_run(way: &str, over: Over) -> io::Result<()> {
    let mut text = unhex(&std::env::var("DATA").expect("DATA is set"));
    if way == "connecting with data" {
        return connecting(over, &text);
    }
    if over == Over::Packet {
        return packet::send(way, &text);
    }
    let target = connect(way, over)?;
    // An echo request (RFC 792, RFC 4443): the kernel puts in the rest of its header.
    match over {
        Over::Ping4 => drop(text.splice(0..0, [8, 0, 0, 0, 0, 0, 0, 1])),
        Over::Ping6 => drop(text.splice(0..0, [128, 0, 0, 0, 0, 0, 0, 1])),
        _ => {}
    }
    if way == super::BEFORE {
        println!("ready");
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        text = unhex(line.trim_end());
    }
    by(way, &target, &text)
}

fn by(way: &str, target: &Target, text: &[u8]) -> io::Result<()> {
    match way {
        super::SHUT => shared(target, text),
        "write" | super::BEFORE => whole(text, write(target.fd(), text)),
        "writev" => vectors(target.fd(), text, |fd, vectors| {
            // SAFETY: the vectors and what they point to live until the call returns.
            unsafe { libc::writev(fd, vectors.as_ptr(), vectors.len() as c_int) }
        }),
        "pwritev2" => vectors(target.fd(), text, |fd, vectors| {
            // SAFETY: as above.
            unsafe { libc::pwritev2(fd, vectors.as_ptr(), vectors.len() as c_int, -1, 0) }
        }),
        "send" => whole(text, send(target.fd(), text, 0)),
        "sendto" => whole(text, send_to(target, text, 0)),
        "sendmsg of one buffer" => message(target, &[text]),
        "sendmsg of 64 buffers" => {
            let parts: Vec<&[u8]> = text.chunks(text.len().div_ceil(64)).collect();
            message(target, &parts)
        }
        "sendmmsg, second message" => messages(target, text, false),
        "sendmmsg, second message to one address" => messages(target, text, true),
        "sendfile" => sendfile(target.fd(), text),
        "sendfile behind a send with MSG_MORE" => {
            let (head, rest) = text.split_at(text.len() / 2);
            whole(head, send(target.fd(), head, libc::MSG_MORE))?;
            sendfile(target.fd(), rest)
        }
        "splice" => splice(target.fd(), text, false),
        "vmsplice and splice" => splice(target.fd(), text, true),
        "send with MSG_ZEROCOPY" => {
            option(target.fd(), libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1)?;
            whole(text, send(target.fd(), text, libc::MSG_ZEROCOPY))
        }
        "a descriptor that was passed on" => passed_on(target, text),
        "a child on its parent's socket" => in_child(|| whole(text, write(target.fd(), text))),
        "write of a 32-bit call" => compat(4, target.fd(), text, 0),
        // sendto is 369 (arch/x86/entry/syscalls/syscall_32.tbl).
        "sendto of a 32-bit call" => compat(369, target.fd(), text, 0),
        "memory that is not there yet" => not_there_yet(target.fd(), text),
        "io_submit" => io_submit(target.fd(), text),
        super::TLS => tls::send(target.fd(), text),
        way if way.starts_with("io_uring") => ring::send(way, target, text),
        way => panic!("unknown way: {way}"),
    }
}

fn connect(way: &str, over: Over) -> io::Result<Target> {
    let (host, port) = to();
    let to = SocketAddr::new(host.parse().expect("an address"), port);
    // These two name the destination with the call.
    let names = ["sendto", "sendmmsg, second message to one address"].contains(&way);
    let socket: OwnedFd = match over {
        Over::Tcp4 | Over::Tcp6 => {
            return Ok(Target { socket: TcpStream::connect(to)?.into(), to, connected: true });
        }
        Over::Udp4 | Over::Udp6 => {
            let socket = UdpSocket::bind(SocketAddr::new(to.ip(), 0))?;
            if !names {
                socket.connect(to)?;
            }
            return Ok(Target { socket: socket.into(), to, connected: !names });
        }
        Over::Mptcp => socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP)?,
        // 253 is for experiments (RFC 3692).
        Over::Raw4 => socket(libc::AF_INET, libc::SOCK_RAW, 253)?,
        Over::Raw6 => socket(libc::AF_INET6, libc::SOCK_RAW, 253)?,
        Over::Ping4 => ping(libc::AF_INET, libc::IPPROTO_ICMP)?,
        Over::Ping6 => ping(libc::AF_INET6, libc::IPPROTO_ICMPV6)?,
        Over::Packet => unreachable!("has a file of its own"),
    };
    let connected = over == Over::Mptcp;
    if connected {
        nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
    }
    Ok(Target { socket, to, connected })
}

/// A ping socket. Where nobody may have one, a network namespace of one's own lets everybody.
fn ping(family: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")?;
    let socket = socket(family, libc::SOCK_DGRAM, protocol)?;
    // SAFETY: numbers and a union of numbers and addresses, of which all-zero bytes are a value.
    let mut loopback: libc::ifreq = unsafe { std::mem::zeroed() };
    loopback.ifr_name[..2].copy_from_slice(&b"lo".map(|letter| letter as libc::c_char));
    loopback.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request lives until the call returns.
    let failed =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const loopback) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

/// Sets a whole number.
pub fn option(fd: RawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value lives until the call returns, and its length is given.
    let failed = unsafe {
        libc::setsockopt(fd, level, name, (&raw const value).cast(), size_of::<c_int>() as u32)
    };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// All of a text was taken.
pub fn whole(text: &[u8], taken: isize) -> io::Result<()> {
    if taken < 0 {
        return Err(io::Error::last_os_error());
    }
    assert_eq!(taken as usize, text.len(), "the socket took a part only");
    Ok(())
}

fn write(fd: RawFd, text: &[u8]) -> isize {
    // SAFETY: the text lives until the call returns.
    unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) }
}

fn send(fd: RawFd, text: &[u8], flags: c_int) -> isize {
    // SAFETY: as above.
    unsafe { libc::send(fd, text.as_ptr().cast(), text.len(), flags) }
}

fn send_to(target: &Target, text: &[u8], flags: c_int) -> isize {
    let to = SockaddrStorage::from(target.to);
    let flags = MsgFlags::from_bits_retain(flags);
    let sent = if target.connected {
        nix::sys::socket::send(target.fd(), text, flags)
    } else {
        nix::sys::socket::sendto(target.fd(), text, &to, flags)
    };
    sent.map_or(-1, |sent| sent as isize)
}

/// The text in two vectors.
pub fn two(text: &[u8]) -> [libc::iovec; 2] {
    let (first, second) = text.split_at(text.len() / 2);
    [first, second]
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() })
}

fn vectors(
    fd: RawFd,
    text: &[u8],
    call: impl Fn(RawFd, &[libc::iovec]) -> isize,
) -> io::Result<()> {
    whole(text, call(fd, &two(text)))
}

fn message(target: &Target, parts: &[&[u8]]) -> io::Result<()> {
    let parts: Vec<io::IoSlice<'_>> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
    let to = SockaddrStorage::from(target.to);
    let to = (!target.connected).then_some(&to);
    sendmsg(target.fd(), &parts, &[], MsgFlags::empty(), to)?;
    Ok(())
}

/// A message of nothing, and one of the text.
fn messages(target: &Target, text: &[u8], named: bool) -> io::Result<()> {
    let to = SockaddrStorage::from(target.to);
    let to = named.then_some(to);
    let nothing = b"nothing here\n";
    let parts = [[io::IoSlice::new(nothing)], [io::IoSlice::new(text)]];
    let mut headers = nix::sys::socket::MultiHeaders::preallocate(parts.len(), None);
    let addresses = [to, to];
    let flags = MsgFlags::empty();
    let sent = nix::sys::socket::sendmmsg(target.fd(), &mut headers, &parts, addresses, [], flags)?;
    assert_eq!(sent.count(), 2, "both messages");
    Ok(())
}

fn file(text: &[u8]) -> io::Result<std::fs::File> {
    // SAFETY: a name with its end, and a number.
    let fd = unsafe { libc::memfd_create(c"paths".as_ptr(), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: new, and nobody else's.
    let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
    file.write_all(text)?;
    file.rewind()?;
    Ok(file)
}

fn sendfile(fd: RawFd, text: &[u8]) -> io::Result<()> {
    let file = file(text)?;
    // SAFETY: descriptors that are open, and no offset.
    whole(text, unsafe { libc::sendfile(fd, file.as_raw_fd(), std::ptr::null_mut(), text.len()) })
}

fn splice(fd: RawFd, text: &[u8], mapped: bool) -> io::Result<()> {
    let (read, mut write) = io::pipe()?;
    if mapped {
        let vector = libc::iovec { iov_base: text.as_ptr().cast_mut().cast(), iov_len: text.len() };
        // SAFETY: the text stays where it is and as it is until the process ends.
        whole(text, unsafe { libc::vmsplice(write.as_raw_fd(), &raw const vector, 1, 0) })?;
    } else {
        write.write_all(text)?;
    }
    let (none, from) = (std::ptr::null_mut(), read.as_raw_fd());
    // SAFETY: descriptors that are open, and no offsets.
    whole(text, unsafe { libc::splice(from, none, fd, none, text.len(), 0) })
}

/// Does something in a child, whose pid it tells, and waits for its end.
fn in_child(act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = i32::from(act().is_err());
        // SAFETY: ends the child without what its parent registered.
        unsafe { libc::_exit(code) }
    }
    println!("pid {pid}");
    let mut status = 0;
    // SAFETY: a number on this stack.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(status, 0, "the child sent");
    Ok(())
}

/// Sends what it is to be killed for; a child that shares the socket sends on when it is dead, and
/// says by what number that failed.
fn shared(target: &Target, text: &[u8]) -> io::Result<()> {
    let (read, write_end) = io::pipe()?;
    // SAFETY: this process has one thread.
    if unsafe { libc::fork() } == 0 {
        drop(write_end);
        // It ends when the parent does.
        io::copy(&mut &read, &mut io::sink())?;
        let taken = write(target.fd(), super::SENT_ON);
        let error = io::Error::last_os_error().raw_os_error().unwrap_or_default();
        println!("{}", if taken < 0 { error.to_string() } else { "taken".into() });
        return Ok(());
    }
    whole(text, write(target.fd(), text))?;
    loop {
        // SAFETY: waits for a signal.
        unsafe { libc::pause() };
    }
}

fn passed_on(target: &Target, text: &[u8]) -> io::Result<()> {
    let (here, there) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())?;
    let rights = [target.fd()];
    let parts = [io::IoSlice::new(b"x")];
    let control = [ControlMessage::ScmRights(&rights)];
    sendmsg::<UnixAddr>(here.as_raw_fd(), &parts, &control, MsgFlags::empty(), None)?;
    in_child(|| {
        let mut byte = [0];
        let mut parts = [io::IoSliceMut::new(&mut byte)];
        let mut space = nix::cmsg_space!(RawFd);
        let flags = MsgFlags::empty();
        let got = recvmsg::<UnixAddr>(there.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        for control in got.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control {
                return whole(text, write(fds[0], text));
            }
        }
        Err(io::Error::other("no descriptor came"))
    })
}

/// Data with the SYN (RFC 7413), or right behind the handshake where the far end does not take it.
fn connecting(over: Over, text: &[u8]) -> io::Result<()> {
    let (host, port) = to();
    let to = SocketAddr::new(host.parse().expect("an address"), port);
    let family = if over == Over::Tcp6 { libc::AF_INET6 } else { libc::AF_INET };
    let socket = socket(family, libc::SOCK_STREAM, 0)?;
    let target = Target { socket, to, connected: false };
    whole(text, send_to(&target, text, libc::MSG_FASTOPEN))
}

/// A page of a file that was mapped and not touched.
fn not_there_yet(fd: RawFd, text: &[u8]) -> io::Result<()> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text)?;
    file.sync_all()?;
    // SAFETY: a new mapping of a file of this process, which nothing else changes.
    let at = unsafe {
        let (none, read) = (std::ptr::null_mut(), libc::PROT_READ);
        libc::mmap(none, text.len(), read, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
    };
    assert_ne!(at, libc::MAP_FAILED, "a mapping");
    // SAFETY: it is as long as the text.
    whole(text, unsafe { libc::send(fd, at, text.len(), 0) })
}

/// As a 32-bit program calls: by `int 0x80`, with an address below 4 GiB.
#[cfg(target_arch = "x86_64")]
fn compat(call: u32, fd: RawFd, text: &[u8], flags: u32) -> io::Result<()> {
    // SAFETY: a new mapping that nothing else knows.
    let at = unsafe {
        let (none, read) = (std::ptr::null_mut(), libc::PROT_READ | libc::PROT_WRITE);
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
        libc::mmap(none, text.len(), read, kind, -1, 0)
    };
    assert_ne!(at, libc::MAP_FAILED, "a mapping");
    // SAFETY: it is as long as the text.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), at.cast(), text.len()) };
    // A kernel without 32-bit calls ends the process here.
    let mut answer = call as u64;
    // SAFETY: the registers are those of the kernel's 32-bit convention; `rbx`, which the compiler
    // keeps for itself, is put back, and the call clears r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg {fd}, rbx",
            "int 0x80",
            "xchg {fd}, rbx",
            fd = inout(reg) fd as u64 => _,
            inout("rax") answer,
            in("rcx") at as u64,
            in("rdx") text.len() as u64,
            in("rsi") u64::from(flags),
            in("rdi") 0u64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    let answer = answer as i32;
    if answer < 0 {
        return Err(io::Error::from_raw_os_error(-answer));
    }
    whole(text, answer as isize)
}

#[cfg(not(target_arch = "x86_64"))]
fn compat(_: u32, _: RawFd, _: &[u8], _: u32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// `struct iocb`, include/uapi/linux/aio_abi.h, on a little-endian host.
#[repr(C)]
#[derive(Default)]
struct Iocb {
    data: u64,
    key: u32,
    rw_flags: u32,
    opcode: u16,
    priority: i16,
    fd: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    event_fd: u32,
}

/// `IOCB_CMD_PWRITE`.
const PWRITE: u16 = 1;

fn io_submit(fd: RawFd, text: &[u8]) -> io::Result<()> {
    let mut context: u64 = 0;
    let mut request = Iocb {
        opcode: PWRITE,
        fd: fd as u32,
        buffer: text.as_ptr() as u64,
        bytes: text.len() as u64,
        ..Iocb::default()
    };
    let mut requests = [&raw mut request];
    let mut event = [0u64; 4];
    // SAFETY: each pointer is to something on this stack that outlives the calls; the event is waited
    // for before the request goes.
    let done = unsafe {
        if libc::syscall(libc::SYS_io_setup, 1, &raw mut context) != 0 {
            return Err(io::Error::last_os_error());
        }
        if libc::syscall(libc::SYS_io_submit, context, 1, requests.as_mut_ptr()) != 1 {
            return Err(io::Error::last_os_error());
        }
        let none = std::ptr::null_mut::<libc::timespec>();
        libc::syscall(libc::SYS_io_getevents, context, 1, 1, event.as_mut_ptr(), none)
    };
    assert_eq!(done, 1, "an event");
    whole(text, event[2] as isize)
}

fn to() -> (String, u16) {
    let to = std::env::var("TO").expect("TO is set");
    let (host, port) = to.split_once(' ').expect("TO is host and port");
    (host.into(), port.parse().expect("a port"))
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}
