//! What of a packet decides whether it may leave, for the objects whose link is pinned.

use core::mem::MaybeUninit;

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext};

/// IP protocols, include/uapi/linux/in.h and in6.h.
pub const IPPROTO_TCP: u8 = 6;
pub const IPPROTO_UDP: u8 = 17;
const IPPROTO_DCCP: u8 = 33;
const IPPROTO_SCTP: u8 = 132;
const IPPROTO_UDPLITE: u8 = 136;

/// A packet, as far as it matters here.
pub struct Packet {
    pub version: u8,
    pub protocol: u8,
    pub source: [u8; 16],
    pub destination: [u8; 16],
    /// Ours and theirs, as they stand in the packet.
    pub ports: Option<[u8; 4]>,
}

impl Packet {
    /// `None` where it is none of IP.
    #[inline(always)]
    pub fn of(context: &SkBuffContext) -> Option<Packet> {
        let [first] = load::<1>(context, 0)?;
        match first >> 4 {
            4 => ipv4(context),
            6 => ipv6(context),
            _ => None,
        }
    }
}

/// RFC 791.
#[inline(always)]
fn ipv4(context: &SkBuffContext) -> Option<Packet> {
    let head = load::<20>(context, 0)?;
    let mut packet = Packet {
        version: 4,
        protocol: head[9],
        source: [0; 16],
        destination: [0; 16],
        ports: None,
    };
    packet.source[..4].copy_from_slice(&head[12..16]);
    packet.destination[..4].copy_from_slice(&head[16..20]);
    // A later fragment has no ports; the kernel's own are made behind this hook.
    if head[6] & 0x1f == 0 && head[7] == 0 {
        packet.ports = ports(context, packet.protocol, (head[0] & 0xf) as u32 * 4);
    }
    Some(packet)
}

/// RFC 8200. Extension headers are not followed: behind them no port is known.
#[inline(always)]
fn ipv6(context: &SkBuffContext) -> Option<Packet> {
    let head = load::<40>(context, 0)?;
    let mut packet = Packet {
        version: 6,
        protocol: head[6],
        source: [0; 16],
        destination: [0; 16],
        ports: None,
    };
    packet.source.copy_from_slice(&head[8..24]);
    packet.destination.copy_from_slice(&head[24..40]);
    packet.ports = ports(context, packet.protocol, 40);
    Some(packet)
}

/// All of these begin with the ports, source first.
#[inline(always)]
fn ports(context: &SkBuffContext, protocol: u8, offset: u32) -> Option<[u8; 4]> {
    let ported = protocol == IPPROTO_TCP
        || protocol == IPPROTO_UDP
        || protocol == IPPROTO_UDPLITE
        || protocol == IPPROTO_SCTP
        || protocol == IPPROTO_DCCP;
    if ported { load::<4>(context, offset) } else { None }
}

/// Bytes of a packet.
#[inline(always)]
pub fn load<const N: usize>(context: &SkBuffContext, offset: u32) -> Option<[u8; N]> {
    let mut bytes = MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the destination is `N` bytes of our stack, all written where the helper succeeds; it
    // refuses what is beyond the packet.
    unsafe {
        let to = bytes.as_mut_ptr().cast();
        let failed = bpf_skb_load_bytes(context.as_ptr().cast(), offset, to, N as u32);
        if failed != 0 { None } else { Some(bytes.assume_init()) }
    }
}
