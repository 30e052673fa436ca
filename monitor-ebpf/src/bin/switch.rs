//! The kill-switch: nothing leaves but over loopback, to what is allowed, on the session that is
//! kept, and what the host needs to keep its address and find its neighbours. An object of its own, so
//! that it loads in a millisecond. What cannot be read is dropped. Minimum kernel version: 5.7, for
//! links of cgroups.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_skb_load_bytes},
    macros::{cgroup_skb, map},
    maps::{Array, HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::SkBuffContext,
};
use monitor_ebpf::switch::{
    ALLOW_KEY_BYTES, ALLOW_MAX, SESSION_KEY_BYTES, SESSIONS_MAX, STATE_BYTES, Stopped, allow_key,
    session_key,
};

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[map]
static ALLOW: LpmTrie<[u8; ALLOW_KEY_BYTES], u8> = LpmTrie::with_max_entries(ALLOW_MAX, 0);
#[map]
static SESSIONS: HashMap<[u8; SESSION_KEY_BYTES], u8> = HashMap::with_max_entries(SESSIONS_MAX, 0);
#[map]
static STOPPED: PerCpuArray<Stopped> = PerCpuArray::with_max_entries(1, 0);
#[map]
static STATE: Array<[u8; STATE_BYTES]> = Array::with_max_entries(1, 0);

/// Loopback is the first device of each network namespace: `LOOPBACK_IFINDEX`, include/net/flow.h.
const LOOPBACK_IFINDEX: u32 = 1;

/// IP protocols, include/uapi/linux/in.h and in6.h.
const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_DCCP: u8 = 33;
const IPPROTO_ICMPV6: u8 = 58;
const IPPROTO_SCTP: u8 = 132;
const IPPROTO_UDPLITE: u8 = 136;

/// Each packet that a process below the cgroup sends.
#[cgroup_skb(egress)]
fn switch_egress(context: SkBuffContext) -> i32 {
    if try_switch(&context).unwrap_or(false) {
        return 1;
    }
    count(context.len() as u64);
    0
}

/// Whether a packet may leave.
#[inline(always)]
fn try_switch(context: &SkBuffContext) -> Option<bool> {
    // SAFETY: the context is this program's own; the verifier turns this into a load of the device.
    let device = unsafe { (*context.skb.skb).ifindex };
    if device == LOOPBACK_IFINDEX {
        return Some(true);
    }
    let [first] = load::<1>(context, 0)?;
    match first >> 4 {
        4 => ipv4(context),
        6 => ipv6(context),
        _ => None,
    }
}

/// What of a packet decides.
struct Packet {
    version: u8,
    protocol: u8,
    source: [u8; 16],
    destination: [u8; 16],
    /// Ours and theirs, as they stand in the packet.
    ports: Option<[u8; 4]>,
}

/// RFC 791.
#[inline(always)]
fn ipv4(context: &SkBuffContext) -> Option<bool> {
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
    Some(is_dhcp(&packet, context.len()) || is_allowed(&packet))
}

/// RFC 8200. Extension headers are not followed: behind them no port is known.
#[inline(always)]
fn ipv6(context: &SkBuffContext) -> Option<bool> {
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
    Some(
        is_neighbour_discovery(context, &packet, head[7])
            || is_listener_report(context, &packet, head[7])
            || is_dhcpv6(&packet)
            || is_allowed(&packet),
    )
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

/// Whether it goes to what was named, or on the session that is kept.
#[inline(always)]
fn is_allowed(packet: &Packet) -> bool {
    let mut key = allow_key(packet.version, [0, 0], &packet.destination);
    let bits = ALLOW_KEY_BYTES as u32 * 8;
    if ALLOW.get(Key::new(bits, key)).is_some() {
        return true;
    }
    let Some(ports) = packet.ports else { return false };
    // The key of port 0 is that of every port.
    if ports[2] == 0 && ports[3] == 0 {
        return false;
    }
    key[1] = ports[2];
    key[2] = ports[3];
    if ALLOW.get(Key::new(bits, key)).is_some() {
        return true;
    }
    if packet.protocol != IPPROTO_TCP {
        return false;
    }
    let key = session_key(packet.version, &packet.source, &packet.destination, ports);
    // SAFETY: only whether it is there is looked at; entries are written before the program is
    // attached.
    unsafe { SESSIONS.get(key) }.is_some()
}

/// Bytes of a solicitation or advertisement at most, with a link-layer address and a nonce (RFC 4861,
/// RFC 7527): more is no host's need and could carry something.
const NEIGHBOUR_BYTES_MAX: u32 = 48;

/// Router solicitation, neighbour solicitation and advertisement (RFC 4861). ARP, which does this for
/// IPv4, is no IP and does not come here. A host that does not answer loses the session that is kept
/// within seconds, and its default router with the router's next probe. A receiver takes nothing whose
/// hop limit is not 255.
#[inline(always)]
fn is_neighbour_discovery(context: &SkBuffContext, packet: &Packet, hops: u8) -> bool {
    if packet.protocol != IPPROTO_ICMPV6 || hops != 255 || context.len() > 40 + NEIGHBOUR_BYTES_MAX
    {
        return false;
    }
    matches!(load::<1>(context, 40), Some([133 | 135 | 136]))
}

/// Reports of multicast listeners (RFC 2710, RFC 3810), which go no further than the link: a switch that
/// snoops them hands on solicitations only to who reported.
#[inline(always)]
fn is_listener_report(context: &SkBuffContext, packet: &Packet, hops: u8) -> bool {
    if packet.protocol != IPPROTO_HOPOPTS
        || hops != 1
        || packet.destination[0] != 0xff
        || packet.destination[1] & 0xf != 2
    {
        return false;
    }
    // Eight bytes of options, then the report.
    let Some([next, more, ..]) = load::<9>(context, 40) else { return false };
    next == IPPROTO_ICMPV6 && more == 0 && matches!(load::<1>(context, 48), Some([131 | 132 | 143]))
}

/// Bytes of a client's message at most (RFC 2131, section 2), with its headers.
const DHCP_BYTES_MAX: u32 = 28 + 576;

/// A client's message to a server (RFC 2131): without it the lease ends, and the address with it. Only to
/// the link or to addresses that are not routed on the internet.
#[inline(always)]
fn is_dhcp(packet: &Packet, bytes: u32) -> bool {
    if packet.protocol != IPPROTO_UDP
        || packet.ports != Some([0, 68, 0, 67])
        || bytes > DHCP_BYTES_MAX
    {
        return false;
    }
    let [a, b, c, d, ..] = packet.destination;
    match a {
        10 => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => b == 168,
        255 => b == 255 && c == 255 && d == 255,
        _ => false,
    }
}

/// The same for IPv6 (RFC 8415): to the servers of the link.
#[inline(always)]
fn is_dhcpv6(packet: &Packet) -> bool {
    let to = &packet.destination;
    packet.protocol == IPPROTO_UDP
        && packet.ports == Some([2, 34, 2, 35])
        && ((to[0] == 0xff && to[1] == 2) || (to[0] == 0xfe && to[1] & 0xc0 == 0x80))
}

#[inline(always)]
fn count(bytes: u64) {
    let Some(stopped) = STOPPED.get_ptr_mut(0) else { return };
    // SAFETY: the entry is this CPU's; a program of cgroups is not interrupted by itself but in a softirq,
    // which at worst counts one packet for two.
    unsafe {
        (*stopped)[0] += 1;
        (*stopped)[1] += bytes;
        (*stopped)[2] = bpf_ktime_get_boot_ns();
    }
}

#[inline(always)]
fn load<const N: usize>(context: &SkBuffContext, offset: u32) -> Option<[u8; N]> {
    let mut bytes = MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the destination is `N` bytes of our stack, all written where the helper succeeds; it
    // refuses what is beyond the packet.
    unsafe {
        let to = bytes.as_mut_ptr().cast();
        let failed = bpf_skb_load_bytes(context.as_ptr().cast(), offset, to, N as u32);
        if failed != 0 { None } else { Some(bytes.assume_init()) }
    }
}

/// Nothing here panics; were it to, the verifier refuses the loop and the object does not load.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[expect(clippy::empty_loop, reason = "there is nobody to tell, and it must not be reachable")]
    loop {}
}
