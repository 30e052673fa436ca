//! Captures made by hand: Ethernet, IPv4 or IPv6, TCP or UDP, in pcap and in pcapng.

use std::net::{IpAddr, SocketAddr};

/// A packet of a connection; without a sequence number a datagram.
pub struct Packet<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Sequence number of the first byte.
    pub sequence: Option<u32>,
    /// Whether it opens the connection.
    pub syn: bool,
    /// What it carries.
    pub bytes: &'a [u8],
}

/// Ethernet's number for IPv4 and IPv6, IP's for TCP and UDP (IANA).
const ETHER_IPV4: u16 = 0x0800;
const ETHER_IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;

impl Packet<'_> {
    fn frame(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        segment.extend(self.from.port().to_be_bytes());
        segment.extend(self.to.port().to_be_bytes());
        let protocol = if let Some(sequence) = self.sequence {
            segment.extend(sequence.to_be_bytes());
            segment.extend(0u32.to_be_bytes());
            // A header of five words; SYN is 2.
            segment.extend([0x50, if self.syn { 2 } else { 0x10 }, 0xff, 0xff, 0, 0, 0, 0]);
            TCP
        } else {
            segment.extend((8 + self.bytes.len() as u16).to_be_bytes());
            segment.extend([0, 0]);
            UDP
        };
        segment.extend(self.bytes);
        let mut frame = vec![2; 12];
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                frame.extend(ETHER_IPV4.to_be_bytes());
                frame.extend([0x45, 0]);
                frame.extend((20 + segment.len() as u16).to_be_bytes());
                frame.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
                frame.extend(from.octets());
                frame.extend(to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend(ETHER_IPV6.to_be_bytes());
                frame.extend([0x60, 0, 0, 0]);
                frame.extend((segment.len() as u16).to_be_bytes());
                frame.extend([protocol, 64]);
                frame.extend(from.octets());
                frame.extend(to.octets());
            }
            _ => panic!("both ends are of one family"),
        }
        frame.extend(segment);
        frame
    }
}

/// A pcap (draft-ietf-opsawg-pcap) in this machine's byte order.
pub fn pcap(packets: &[Packet<'_>]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_ne_bytes());
    file.extend([2u16, 4].map(u16::to_ne_bytes).concat());
    file.extend([0u32, 0, 65_535, 1].map(u32::to_ne_bytes).concat());
    for packet in packets {
        let frame = packet.frame();
        let len = frame.len() as u32;
        file.extend([0, 0, len, len].map(u32::to_ne_bytes).concat());
        file.extend(frame);
    }
    file
}

/// A pcapng (draft-ietf-opsawg-pcapng) of one section and one interface.
pub fn pcapng(packets: &[Packet<'_>]) -> Vec<u8> {
    let mut file = block(0x0a0d_0d0a, &{
        let mut body = 0x1a2b_3c4d_u32.to_ne_bytes().to_vec();
        body.extend([1u16, 0].map(u16::to_ne_bytes).concat());
        body.extend((-1i64).to_ne_bytes());
        body
    });
    file.extend(block(1, &[1u16.to_ne_bytes(), [0; 2], [0; 2], [0; 2]].concat()));
    for packet in packets {
        let frame = packet.frame();
        let len = frame.len() as u32;
        let mut body = [0, 0, 0, len, len].map(u32::to_ne_bytes).concat();
        body.extend(&frame);
        body.resize(body.len().next_multiple_of(4), 0);
        file.extend(block(6, &body));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32 + 12).to_ne_bytes();
    [&kind.to_ne_bytes(), &len, body, &len].concat()
}
