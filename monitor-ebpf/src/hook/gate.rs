//! The packet gate: cgroup egress at the root of cgroup v2. It counts the payload that each socket
//! really sends, and drops what a socket that is shut sends, retransmissions in softirq included,
//! because it goes by socket cookie and not by who happens to run. What leaves and no tap has seen
//! ([`monitor_ebpf::claim`]) it looks at itself. Minimum kernel version: 4.10.

use aya_ebpf::{
    EbpfContext as _,
    bindings::__sk_buff,
    helpers::generated::{
        bpf_get_socket_cookie, bpf_get_socket_uid, bpf_ktime_get_boot_ns, bpf_skb_cgroup_id,
        bpf_skb_load_bytes,
    },
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use monitor_ebpf::{
    CHUNK_BYTES, Counter, PACKET_CHUNKS_MAX,
    record::{FLAG_DESTINATION, FLAG_PACKET, FLOW_GATE_POSITION, FLOW_HOLE, Flow, ProcessId},
};

use crate::{
    account::{add, any_shut, count, coverage, flow, is_shut, settle},
    examine::flush_packet,
    kernel::{self, AF_INET, AF_INET6, IPPROTO_TCP},
    say::say_dropped,
    scan::opaque,
    work::{Work, give, take_gate, work},
};

/// IPPROTO_UDP, include/uapi/linux/in.h.
const IPPROTO_UDP: u16 = 17;
/// IPPROTO_UDPLITE.
const IPPROTO_UDPLITE: u16 = 136;

/// Each packet that a process of the host sends.
#[cgroup_skb]
pub fn gate_egress(context: SkBuffContext) -> i32 {
    let verdict = weigh(context.skb.skb);
    if verdict >= LOOK {
        // The verifier wants to see that it is one of two.
        return (opaque(look_at(&context, verdict - LOOK)) & 1) as i32;
    }
    // The verifier wants to see that it is one of two.
    (opaque(verdict) & 1) as i32
}

/// What is to become of a packet: dropped, passed, or, as a number of an area that it was noted in
/// above this, looked at and passed.
const DROP: u32 = 0;
const PASS: u32 = 1;
const LOOK: u32 = 2;

/// Keeps account of a packet and decides. Global: what its stack needs is given back before the
/// bytes are looked at.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn weigh(packet: *mut __sk_buff) -> u32 {
    try_weigh(&SkBuffContext::new(packet)).unwrap_or(PASS)
}

/// What a packet carries.
struct Payload {
    bytes: u32,
    /// Where it begins in the packet.
    offset: u32,
    /// Where what IP carries begins.
    header: u32,
    is_ipv4: bool,
    /// IP protocol.
    protocol: u16,
    /// Sequence number behind its last byte, for TCP.
    end: Option<u32>,
}

#[inline(always)]
fn try_weigh(context: &SkBuffContext) -> Option<u32> {
    let payload = payload(context)?;
    // Every other packet is a bare acknowledgement. Those of a socket that is shut leave too, and so does
    // its reset.
    if payload.bytes == 0 {
        return None;
    }
    // SAFETY: the context is this program's own.
    let cookie = unsafe { bpf_get_socket_cookie(context.as_ptr()) };
    if cookie == 0 {
        return None;
    }
    if any_shut() && is_shut(cookie, payload.bytes as u64) {
        count(Counter::BytesDropped, payload.bytes as u64);
        say_dropped(cookie, payload.bytes as u64);
        return Some(DROP);
    }
    let flow = flow(cookie)?;
    if flow.block_bytes != 0 {
        flow.block_bytes = flow.block_bytes.saturating_sub(payload.bytes);
        flow.unclaimed_bytes(payload.bytes);
        count(Counter::BytesDropped, payload.bytes as u64);
        say_dropped(cookie, payload.bytes as u64);
        return Some(DROP);
    }
    let sent = advance(flow, &payload);
    if sent == 0 {
        return None;
    }
    flow.sent_bytes += sent as u64;
    count(Counter::BytesSent, sent as u64);
    let owner = ProcessId { start_ns: flow.owner_start_ns, tgid: flow.owner_tgid, reserved: 0 };
    if owner.tgid == 0 {
        count(Counter::BytesUnattributed, sent as u64);
    }
    // What nobody is known to have sent is in coverage under no process.
    if let Some(coverage) = coverage(&owner) {
        add(&mut coverage.sent_bytes, sent as u64);
    }
    // Of what is not claimed, some may be what a tap could not read.
    let hole = flow.flags & FLOW_HOLE != 0;
    if owner.tgid != kernel::self_tgid()
        && let Some(unseen) = unseen(flow, &payload, sent)
    {
        return note(context, cookie, &owner, &payload, Unseen { bytes: unseen, sent, hole });
    }
    None
}

/// Of a packet whose last bytes, so many, were not sent before: how many at its end no tap has seen.
#[inline(always)]
fn unseen(flow: &mut Flow, payload: &Payload, sent: u32) -> Option<u32> {
    if let Some(end) = payload.end {
        let from = flow.unclaimed(end.wrapping_sub(sent), end)?;
        let bytes = end.wrapping_sub(from);
        return (bytes <= payload.bytes).then_some(bytes);
    }
    let datagram = payload.protocol == IPPROTO_UDP || payload.protocol == IPPROTO_UDPLITE;
    // The kernel itself sends echo replies, and what it wraps for tunnels. Of what is neither UDP nor
    // TCP the payload holds more than what was sent.
    if flow.owner_tgid == 0 || (!datagram && flow.seen_bytes != 0) {
        return None;
    }
    let unseen = flow.unclaimed_bytes(payload.bytes);
    flow.flags &= !FLOW_HOLE;
    unseen.then_some(payload.bytes)
}

/// What of a packet is to be looked at.
struct Unseen {
    /// So many bytes at its end.
    bytes: u32,
    /// So many were not sent before.
    sent: u32,
    /// Whether some of them may be what a tap could not read.
    hole: bool,
}

/// Notes in an area that the last bytes of a packet are to be looked at.
#[inline(always)]
fn note(
    context: &SkBuffContext,
    cookie: u64,
    owner: &ProcessId,
    payload: &Payload,
    unseen: Unseen,
) -> Option<u32> {
    let bytes = unseen.bytes;
    let Some(slot) = take_gate() else {
        count(Counter::BytesGateBusy, bytes as u64);
        if let Some(coverage) = coverage(owner) {
            add(&mut coverage.gate_busy_bytes, bytes as u64);
        }
        return None;
    };
    let work = work(slot)?;
    work.clear();
    work.process = *owner;
    work.base = (payload.offset + (payload.bytes - bytes)) as u64;
    work.left = bytes as u64;
    work.skip = unseen.hole as u64;
    work.room = unseen.sent as u64;
    head(context, work, cookie, owner, payload, bytes);
    Some(LOOK + slot)
}

/// Looks at what is noted, chunk by chunk, and says whether it may leave.
#[inline(always)]
fn look_at(context: &SkBuffContext, slot: u32) -> u32 {
    for _ in 0..PACKET_CHUNKS_MAX {
        let Some(work) = work(slot) else { return PASS };
        let left = work.left as u32;
        if left == 0 {
            break;
        }
        // At least one and at most a chunk, so that each verifier sees it.
        let chunk = if left > CHUNK_BYTES as u32 { CHUNK_BYTES as u32 } else { left };
        let chunk = (opaque(chunk - 1) & (CHUNK_BYTES as u32 - 1)) + 1;
        // SAFETY: the text is longer than a chunk; the helper refuses what is beyond the packet.
        let failed = unsafe {
            let to = work.text.as_mut_ptr().cast();
            bpf_skb_load_bytes(context.as_ptr().cast(), work.base as u32, to, chunk)
        };
        if failed != 0 {
            break;
        }
        work.base += chunk as u64;
        work.left -= chunk as u64;
        work.filled = chunk;
        work.done = (work.left == 0) as u32;
        flush_packet(slot);
    }
    finish_packet(slot)
}

/// Keeps account of a packet that was looked at.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn finish_packet(slot: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let beyond = work.left;
    let looked_at = work.head.send_bytes - beyond;
    let coverage = settle(work, 0);
    count(Counter::BytesAtGate, looked_at);
    if beyond != 0 {
        count(Counter::BytesPacketOverMax, beyond);
    }
    let (stopped, sent) = (work.deciding.block != 0, work.room);
    if let Some(coverage) = coverage {
        if stopped {
            add(&mut coverage.sent_bytes, sent.wrapping_neg());
        }
        add(&mut coverage.packet_over_max_bytes, beyond);
        // A tap could not read them: here they were.
        if work.skip != 0 {
            coverage.unreadable_bytes = coverage.unreadable_bytes.saturating_sub(looked_at);
        }
    }
    // It was counted as sent before it was looked at.
    if stopped {
        count(Counter::BytesDropped, sent);
        count(Counter::BytesSent, sent.wrapping_neg());
        if let Some(flow) = flow(work.head.cookie) {
            flow.sent_bytes = flow.sent_bytes.saturating_sub(sent);
        }
    }
    give(slot);
    if stopped { DROP } else { PASS }
}

/// Notes whose packet it is and where it goes.
#[inline(always)]
fn head(
    context: &SkBuffContext,
    work: &mut Work,
    cookie: u64,
    owner: &ProcessId,
    payload: &Payload,
    bytes: u32,
) {
    work.numbered = 0;
    let head = &mut work.head;
    // SAFETY: helpers on this program's own context, and one without arguments.
    unsafe {
        head.at_ns = bpf_ktime_get_boot_ns();
        head.cgroup_id = bpf_skb_cgroup_id(context.as_ptr().cast());
        head.uid = bpf_get_socket_uid(context.as_ptr().cast());
    }
    head.cookie = cookie;
    head.start_ns = owner.start_ns;
    head.tgid = owner.tgid;
    head.tid = 0;
    head.comm = [0; 16];
    head.send_bytes = bytes as u64;
    head.flags = FLAG_DESTINATION | FLAG_PACKET;
    head.protocol = payload.protocol;
    head.position = payload.end.map_or(0, |end| end.wrapping_sub(bytes));
    head.verdict = 0;
    head.session = 0;
    head.socket = 0;
    head.source = [0; 16];
    head.destination = [0; 16];
    head.source_port = 0;
    head.destination_port = 0;
    head.family = AF_INET;
    // RFC 791 and RFC 8200: source and destination.
    if payload.is_ipv4 {
        load_to(context, 12, &raw mut head.source, 4);
        load_to(context, 16, &raw mut head.destination, 4);
    } else {
        head.family = AF_INET6;
        load_to(context, 8, &raw mut head.source, 16);
        load_to(context, 24, &raw mut head.destination, 16);
    }
    // All of these begin with the ports, source first.
    let ported = payload.protocol == IPPROTO_TCP
        || payload.protocol == IPPROTO_UDP
        || payload.protocol == IPPROTO_UDPLITE;
    if ported && let Some([a, b, c, d]) = load::<4>(context, payload.header) {
        head.source_port = u16::from_be_bytes([a, b]);
        head.destination_port = u16::from_be_bytes([c, d]);
    }
}

/// Copies bytes of a packet into a field of a work area, 16 at most.
#[inline(always)]
fn load_to(context: &SkBuffContext, offset: u32, to: *mut [u8; 16], bytes: u32) {
    // SAFETY: the field has 16 bytes, and no call asks for more; what is beyond the packet is refused.
    unsafe { bpf_skb_load_bytes(context.as_ptr().cast(), offset, to.cast(), bytes) };
}

/// Bytes of a packet that were not sent before.
#[inline(always)]
fn advance(flow: &mut Flow, payload: &Payload) -> u32 {
    let Some(end) = payload.end else { return payload.bytes };
    let ahead = if flow.flags & FLOW_GATE_POSITION != 0 {
        end.wrapping_sub(flow.gate_position) as i32
    } else {
        payload.bytes as i32
    };
    if ahead <= 0 {
        return 0;
    }
    flow.flags |= FLOW_GATE_POSITION;
    flow.gate_position = end;
    if (ahead as u32) < payload.bytes { ahead as u32 } else { payload.bytes }
}

#[inline(always)]
fn load<const N: usize>(context: &SkBuffContext, offset: u32) -> Option<[u8; N]> {
    let mut bytes = core::mem::MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the destination is `N` bytes of our stack, all written where the helper succeeds; it
    // refuses what is beyond the packet.
    unsafe {
        let to = bytes.as_mut_ptr().cast();
        let failed = bpf_skb_load_bytes(context.as_ptr().cast(), offset, to, N as u32);
        if failed != 0 { None } else { Some(bytes.assume_init()) }
    }
}

/// SYN among the flags of TCP.
const SYN: u8 = 2;

/// Lengths of IP (RFC 791, RFC 8200), TCP (RFC 9293) and UDP (RFC 768). The packet begins with the
/// IP header here. Extension headers of IPv6 are not followed: such a packet counts as payload
/// whole.
#[inline(always)]
fn payload(context: &SkBuffContext) -> Option<Payload> {
    let ip = load::<10>(context, 0)?;
    let is_ipv4 = ip[0] >> 4 == 4;
    let (header, protocol) = if is_ipv4 { ((ip[0] & 0xf) as u32 * 4, ip[9]) } else { (40, ip[6]) };
    let protocol = protocol as u16;
    let behind_ip = context.len().saturating_sub(header);
    let (mut own, mut first) = (0, None);
    if protocol == IPPROTO_TCP {
        // The sequence number stands at 4, the length of the header in four bits at 12, the flags at
        // 13: one read for all of them. A SYN has a number of its own.
        let [a, b, c, d, _, _, _, _, offset, flags] = load::<10>(context, header + 4)?;
        own = (offset >> 4) as u32 * 4;
        let number = u32::from_be_bytes([a, b, c, d]);
        first = Some(number.wrapping_add((flags & SYN != 0) as u32));
    } else if protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE {
        own = 8;
    }
    let bytes = behind_ip.saturating_sub(own);
    let end = first.map(|first| first.wrapping_add(bytes));
    Some(Payload { bytes, offset: header + own, header, is_ipv4, protocol, end })
}
