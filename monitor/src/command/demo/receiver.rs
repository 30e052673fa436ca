//! Where the demo's records go: a listener on loopback that takes one connection and counts.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// Takes one connection.
pub struct Receiver {
    address: SocketAddr,
    bytes: mpsc::Receiver<u64>,
}

/// Ends the body of a chunked message (RFC 9112 section 7.1).
const END: &[u8] = b"\r\n0\r\n\r\n";

impl Receiver {
    /// Listens on a port that the kernel chooses.
    pub fn start() -> io::Result<Receiver> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (counted, bytes) = mpsc::channel();
        std::thread::spawn(move || {
            if let Ok((stream, _)) = listener.accept() {
                let _ = counted.send(count(stream));
            }
        });
        Ok(Receiver { address, bytes })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of it.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All bytes of the connection, once it has ended.
    pub fn bytes(&self, within: Duration) -> anyhow::Result<u64> {
        self.bytes
            .recv_timeout(within)
            .map_err(|_| anyhow::anyhow!("the connection to {} did not end", self.address))
    }
}

/// Counts until the message or the connection ends. What was killed may not even have closed it:
/// the socket is shut, so no FIN comes; the wait for it is short.
fn count(mut stream: TcpStream) -> u64 {
    let (mut bytes, mut end) = (0, Vec::new());
    let mut buffer = [0; 64 << 10];
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes += read as u64;
        end.extend_from_slice(&buffer[..read]);
        end.drain(..end.len().saturating_sub(END.len()));
        if end == END {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            break;
        }
    }
    bytes
}
