//! Receivers on loopback: they read, count and keep what comes.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex};

use nix::libc;
use nix::sys::socket::{Backlog, SockaddrStorage, bind, listen};

use crate::wait::wait_for;

/// IPv4 loopback.
pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// IPv6 loopback.
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What came over one connection, or all datagrams together.
type Stream = Arc<Mutex<Vec<u8>>>;

/// Reads all that is sent to an address of its own, until the test ends.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    streams: Arc<Mutex<Vec<Stream>>>,
}

impl Receiver {
    /// Takes TCP connections.
    pub fn tcp(ip: IpAddr) -> Receiver {
        Self::listen(ip, keep)
    }

    /// Takes TCP connections and answers each HTTP request with an empty 200.
    pub fn http(ip: IpAddr) -> Receiver {
        Self::listen(ip, |mut stream, kept| {
            let (mut buffer, mut message) = (vec![0; 64 << 10], Vec::new());
            while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..bytes]);
                message.extend_from_slice(&buffer[..bytes]);
                if is_whole(&message) {
                    message.clear();
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            }
        })
    }

    /// Takes MPTCP connections.
    ///
    /// # Errors
    ///
    /// The kernel has no MPTCP.
    pub fn mptcp(ip: IpAddr) -> io::Result<Receiver> {
        let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let socket = socket(family, libc::SOCK_STREAM, libc::IPPROTO_MPTCP)?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(ip, 0)))?;
        listen(&socket, Backlog::new(8)?)?;
        Ok(Self::serve(socket.into(), keep))
    }

    fn listen(ip: IpAddr, serve: impl Fn(TcpStream, &Stream) + Send + Sync + 'static) -> Receiver {
        Self::serve(TcpListener::bind((ip, 0)).expect("a port on loopback"), serve)
    }

    fn serve(
        listener: TcpListener,
        serve: impl Fn(TcpStream, &Stream) + Send + Sync + 'static,
    ) -> Receiver {
        let address = listener.local_addr().expect("an address");
        let streams: Arc<Mutex<Vec<Stream>>> = Arc::default();
        let known = Arc::clone(&streams);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Stream::default();
                known.lock().unwrap().push(Arc::clone(&kept));
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Receiver { address, streams }
    }

    /// Takes UDP datagrams.
    pub fn udp(ip: IpAddr) -> Receiver {
        let socket = UdpSocket::bind((ip, 0)).expect("a port on loopback");
        let address = socket.local_addr().expect("an address");
        let kept = Stream::default();
        let streams = Arc::new(Mutex::new(vec![Arc::clone(&kept)]));
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(bytes) = socket.recv(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..bytes]);
            }
        });
        Receiver { address, streams }
    }

    /// Bytes that came.
    pub fn bytes(&self) -> u64 {
        let streams = self.streams.lock().unwrap();
        streams.iter().map(|stream| stream.lock().unwrap().len() as u64).sum()
    }

    /// What came, one stream behind the other.
    pub fn text(&self) -> Vec<u8> {
        let streams = self.streams.lock().unwrap();
        streams.iter().flat_map(|stream| stream.lock().unwrap().clone()).collect()
    }

    /// Waits until so many bytes came.
    #[track_caller]
    pub fn wait_bytes(&self, bytes: u64) {
        wait_for("bytes at the receiver", || (self.bytes() >= bytes).then_some(()));
    }
}

/// A socket of numbers.
pub fn socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: numbers in, a descriptor out.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Keeps all that comes.
fn keep(mut stream: TcpStream, kept: &Stream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..bytes]);
    }
}

/// Whether a request has come to its end: for what curl and python send.
fn is_whole(message: &[u8]) -> bool {
    let Some(head_bytes) = message.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
    else {
        return false;
    };
    let head = String::from_utf8_lossy(&message[..head_bytes]).to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return message.ends_with(b"\r\n0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    message.len() >= head_bytes + length
}
