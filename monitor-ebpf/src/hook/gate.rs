//! The packet gate: cgroup egress at the root of cgroup v2. It counts the payload that each socket
//! really sends, and drops what a socket that is shut sends, retransmissions in softirq included,
//! because it goes by socket cookie and not by who happens to run. Minimum kernel version: 4.10.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_socket_cookie, bpf_skb_load_bytes},
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use monitor_ebpf::{
    Counter,
    record::{FLOW_GATE_POSITION, Flow, ProcessId},
};

use crate::{
    account::{any_shut, count, coverage, flow, is_shut},
    say::say_dropped,
};

const PASS: i32 = 1;
const DROP: i32 = 0;

/// Each packet that a process of the host sends.
#[cgroup_skb]
pub fn gate_egress(context: SkBuffContext) -> i32 {
    try_egress(&context).unwrap_or(PASS)
}

/// What a packet carries.
struct Payload {
    bytes: u32,
    /// Sequence number behind its last byte, for TCP.
    end: Option<u32>,
}

#[inline(always)]
fn try_egress(context: &SkBuffContext) -> Option<i32> {
    let payload = payload(context)?;
    // Every other packet is a bare acknowledgement.
    if payload.bytes == 0 && !any_shut() {
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
    if payload.bytes == 0 {
        return None;
    }
    let flow = flow(cookie)?;
    let sent = advance(flow, &payload) as u64;
    if sent == 0 {
        return None;
    }
    flow.sent_bytes += sent;
    count(Counter::BytesSent, sent);
    if flow.owner_tgid != 0 {
        let owner = ProcessId { start_ns: flow.owner_start_ns, tgid: flow.owner_tgid, reserved: 0 };
        if let Some(coverage) = coverage(&owner) {
            coverage.sent_bytes += sent;
        }
    } else {
        count(Counter::BytesUnattributed, sent);
    }
    None
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

/// Lengths of IP (RFC 791, RFC 8200), TCP (RFC 9293) and UDP (RFC 768). The packet begins with the
/// IP header here. Extension headers of IPv6 are not followed: such a packet counts as payload
/// whole.
#[inline(always)]
fn payload(context: &SkBuffContext) -> Option<Payload> {
    let ip = load::<10>(context, 0)?;
    let (header, protocol) =
        if ip[0] >> 4 == 4 { ((ip[0] & 0xf) as u32 * 4, ip[9]) } else { (40, ip[6]) };
    let behind_ip = context.len().saturating_sub(header);
    Some(match protocol {
        6 => {
            // The sequence number stands at 4, the length of the header in four bits at 12.
            let [a, b, c, d, _, _, _, _, offset] = load::<9>(context, header + 4)?;
            let sequence = u32::from_be_bytes([a, b, c, d]);
            let bytes = behind_ip.saturating_sub((offset >> 4) as u32 * 4);
            Payload { bytes, end: Some(sequence.wrapping_add(bytes)) }
        }
        17 => Payload { bytes: behind_ip.saturating_sub(8), end: None },
        _ => Payload { bytes: behind_ip, end: None },
    })
}
