//! The payloads of TCP and UDP in a capture, in the order in which they were taken down. It puts
//! nothing in order, and what it cannot read as a packet it leaves out.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::pcapng::Block;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, Linktype, PcapBlockOwned, PcapError, PcapNGReader};

use crate::limits::{PCAP_BLOCK_BYTES_MAX, PCAP_INTERFACES_MAX};

/// Bytes of a packet that a transport carries. No `Debug`: they may be anybody's.
#[derive(Clone, Copy)]
pub struct Payload<'a> {
    /// Sender.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// The sequence number of the first byte; `None` for a datagram.
    pub sequence: Option<u32>,
    /// Whether it opens a connection; its first byte follows the sequence number then.
    pub opens: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Reads a capture.
#[derive(Default)]
pub struct Packets {
    /// Link types of the interfaces of a pcapng's section, or the only one of a pcap.
    links: Vec<Linktype>,
}

impl Packets {
    /// Hands on each payload.
    ///
    /// # Errors
    ///
    /// The capture is damaged, cut, or cannot be read; what came before was handed on.
    pub fn each(
        &mut self,
        mut from: impl Read,
        payload: &mut dyn FnMut(&Payload<'_>),
    ) -> io::Result<()> {
        let mut magic = [0; 4];
        from.read_exact(&mut magic)?;
        let ng = magic == [0x0a, 0x0d, 0x0d, 0x0a];
        let from = io::Cursor::new(magic).chain(from);
        let opened: Result<Box<dyn PcapReaderIterator + '_>, _> = if ng {
            PcapNGReader::new(PCAP_BLOCK_BYTES_MAX, Whole(from)).map(|reader| Box::new(reader) as _)
        } else {
            LegacyPcapReader::new(PCAP_BLOCK_BYTES_MAX, Whole(from))
                .map(|reader| Box::new(reader) as _)
        };
        let mut reader = opened.map_err(|error| damaged(&error))?;
        // Whether what is there was not enough, and whether there is more.
        let mut waits = false;
        loop {
            let exhausted = reader.reader_exhausted();
            let taken = match reader.next() {
                Ok((taken, block)) => {
                    self.block(&block, payload);
                    taken
                }
                Err(PcapError::Eof) => return Ok(()),
                Err(PcapError::Incomplete(_)) if !waits && !exhausted => {
                    reader.refill().map_err(|error| damaged(&error))?;
                    waits = true;
                    continue;
                }
                Err(PcapError::Incomplete(_)) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the capture is cut"));
                }
                Err(error) => return Err(damaged(&error)),
            };
            waits = false;
            reader.consume(taken);
        }
    }

    fn block(&mut self, block: &PcapBlockOwned<'_>, payload: &mut dyn FnMut(&Payload<'_>)) {
        let (interface, data, captured) = match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.links = vec![header.network];
                return;
            }
            PcapBlockOwned::Legacy(packet) => (0, packet.data, packet.caplen),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => return self.links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.links.len() < PCAP_INTERFACES_MAX {
                    self.links.push(interface.linktype);
                }
                return;
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                (packet.if_id, packet.data, packet.caplen)
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => (0, packet.data, packet.origlen),
            PcapBlockOwned::NG(_) => return,
        };
        let interface = usize::try_from(interface).unwrap_or(usize::MAX);
        let Some(link) = self.links.get(interface) else { return };
        let captured = usize::try_from(captured).unwrap_or(usize::MAX).min(data.len());
        let Some(packet) = data.get(..captured).and_then(|frame| packet(*link, frame)) else {
            return;
        };
        if let Some(found) = of_packet(&packet) {
            payload(&found);
        }
    }
}

/// The packet in a frame of a link (the registry of link-layer header types of tcpdump).
fn packet(link: Linktype, frame: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    let header = match link {
        Linktype::ETHERNET => return LaxSlicedPacket::from_ethernet(frame).ok(),
        // LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6, and DLT_RAW as some systems number it.
        Linktype(101 | 228 | 229 | 12) => 0,
        // LINKTYPE_NULL and LINKTYPE_LOOP: the address family first.
        Linktype(0 | 108) => 4,
        // LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2.
        Linktype(113) => 16,
        Linktype(276) => 20,
        _ => return None,
    };
    LaxSlicedPacket::from_ip(frame.get(header..)?).ok()
}

fn of_packet<'a>(packet: &LaxSlicedPacket<'a>) -> Option<Payload<'a>> {
    let (source, destination): (IpAddr, IpAddr) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        LaxNetSlice::Ipv6(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let at = |address, port| SocketAddr::new(address, port);
    match packet.transport.as_ref()? {
        TransportSlice::Tcp(tcp) => Some(Payload {
            source: at(source, tcp.source_port()),
            destination: at(destination, tcp.destination_port()),
            sequence: Some(tcp.sequence_number()),
            opens: tcp.syn(),
            bytes: tcp.payload(),
        }),
        TransportSlice::Udp(udp) => Some(Payload {
            source: at(source, udp.source_port()),
            destination: at(destination, udp.destination_port()),
            sequence: None,
            opens: false,
            bytes: udp.payload(),
        }),
        _ => None,
    }
}

/// Reads as much as there is room for: the readers of the crate take a short read for little more
/// to come.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match super::fill(&mut self.0, room) {
            (0, Err(error)) => Err(error),
            (read, _) => Ok(read),
        }
    }
}

fn damaged<I>(error: &PcapError<I>) -> io::Error {
    // Not the error's own words: they hold bytes of the capture.
    let what = match error {
        PcapError::ReadError => "cannot be read on",
        PcapError::BufferTooSmall => "a block is larger than any packet",
        PcapError::Incomplete(_) | PcapError::UnexpectedEof | PcapError::Eof => {
            "the capture is cut"
        }
        _ => "no capture, or a damaged one",
    };
    io::Error::new(io::ErrorKind::InvalidData, what)
}
