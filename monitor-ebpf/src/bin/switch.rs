//! The kill-switch: nothing leaves but over loopback, to what is allowed, on the session that is
//! kept, and what the host needs to keep its address and find its neighbours. An object of its own, so
//! that it loads in a millisecond. What cannot be read is dropped. Minimum kernel version: 5.7, for
//! links of cgroups.
#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{cgroup_skb, map},
    maps::{Array, HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::SkBuffContext,
};
use monitor_ebpf::switch::{
    ALLOW_KEY_BYTES, ALLOW_MAX, SESSION_KEY_BYTES, SESSIONS_MAX, STATE_BYTES, Stopped, allow_key,
    session_key,
};

#[path = "shared/packet.rs"]
mod packet;

use packet::{IPPROTO_TCP, IPPROTO_UDP, Packet, load};

/// IP protocols, include/uapi/linux/in6.h.
const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_ICMPV6: u8 = 58;

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
    let packet = Packet::of(context)?;
    Some(
        is_neighbour_discovery(context, &packet)
            || is_listener_report(context, &packet)
            || is_dhcp(&packet, context.len())
            || is_dhcpv6(&packet)
            || is_allowed(&packet),
    )
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

/// The hop limit of IPv6.
#[inline(always)]
fn hops(context: &SkBuffContext) -> u8 {
    load::<1>(context, 7).map_or(0, |[hops]| hops)
}

/// Bytes of a solicitation or advertisement at most, with a link-layer address and a nonce (RFC 4861,
/// RFC 7527): more is no host's need and could carry something.
const NEIGHBOUR_BYTES_MAX: u32 = 48;

/// Router solicitation, neighbour solicitation and advertisement (RFC 4861). ARP, which does this for
/// IPv4, is no IP and does not come here. A host that does not answer loses the session that is kept
/// within seconds, and its default router with the router's next probe. A receiver takes nothing whose
/// hop limit is not 255.
#[inline(always)]
fn is_neighbour_discovery(context: &SkBuffContext, packet: &Packet) -> bool {
    if packet.version != 6
        || packet.protocol != IPPROTO_ICMPV6
        || hops(context) != 255
        || context.len() > 40 + NEIGHBOUR_BYTES_MAX
    {
        return false;
    }
    matches!(load::<1>(context, 40), Some([133 | 135 | 136]))
}

/// Reports of multicast listeners (RFC 2710, RFC 3810), which go no further than the link: a switch that
/// snoops them hands on solicitations only to who reported.
#[inline(always)]
fn is_listener_report(context: &SkBuffContext, packet: &Packet) -> bool {
    if packet.version != 6
        || packet.protocol != IPPROTO_HOPOPTS
        || hops(context) != 1
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
    if packet.version != 4
        || packet.protocol != IPPROTO_UDP
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
    packet.version == 6
        && packet.protocol == IPPROTO_UDP
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

/// Nothing here panics; were it to, the verifier refuses the loop and the object does not load.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[expect(clippy::empty_loop, reason = "there is nobody to tell, and it must not be reachable")]
    loop {}
}
