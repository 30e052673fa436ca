//! Recognises TLS records, of which nothing can be told: neither are they scanned nor handed over.
//! It checks no handshake and decrypts nothing.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use monitor_ebpf::{
    CHUNK_BYTES,
    prefilter::is_plain,
    record::{FLOW_READ, FLOW_TLS},
};

use crate::{
    account::flow,
    examine::{claim, keep_tls},
    kernel,
    scan::opaque,
    session::bind,
    work::{Work, work},
};

/// Bytes of a record's head: type, version, length (RFC 8446, 5.1).
const HEAD_BYTES: u32 = 5;
/// The longest record: 2^14 bytes and what encryption adds (RFC 5246, 6.2.3).
const RECORD_BYTES_MAX: u32 = (1 << 14) + 2048;
/// Records of one text that are followed. OpenSSL writes one at a time, others two or three.
const RECORDS_MAX: u32 = 16;
/// Content that is encrypted: it does not begin with eight bytes of text. Of random bytes one in 500
/// does.
const APPLICATION_DATA: u8 = 23;

/// Bytes of a record behind its head; `None` where there is no head.
#[inline(always)]
fn record_bytes(head: u64) -> Option<u32> {
    let kind = head as u8;
    let version = (head >> 8) as u16;
    let bytes = (((head >> 24) & 0xff) << 8 | (head >> 32) & 0xff) as u32;
    // Change of cipher, alert, handshake, data, heartbeat; version 3.0 to 3.4, the minor one last.
    let known = kind >= 20 && kind <= 24 && version & 0xff == 3 && version >> 8 <= 4;
    if known && bytes != 0 && bytes <= RECORD_BYTES_MAX { Some(bytes) } else { None }
}

/// Whether the text of a work area begins with the head of a record.
#[inline(always)]
pub fn begins_record(work: &Work) -> bool {
    // SAFETY: the text is aligned to 8 (asserted beside it) and longer.
    record_bytes(unsafe { *work.text.as_ptr().cast::<u64>() }).is_some()
}

/// Eight bytes of the text.
#[inline(always)]
fn load(work: &Work, at: u32) -> Option<u64> {
    let at = opaque(at);
    if at >= CHUNK_BYTES as u32 {
        return None;
    }
    let mut word = 0u64;
    // SAFETY: the text is two chunks long, and `at` lies within the first.
    let failed = unsafe {
        bpf_probe_read_kernel((&raw mut word).cast(), 8, work.text.as_ptr().add(at as usize).cast())
    };
    if failed == 0 { Some(word) } else { None }
}

/// Accounts for a send of one buffer on a flow of records, where it is records to its end: only their heads
/// are read. Global, for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pass_records(slot: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let Some(flow) = flow(work.head.cookie) else { return 0 };
    if flow.flags & FLOW_TLS == 0
        || flow.next_position != work.head.position
        || work.left > kernel::sample_bytes_max() as u64
    {
        return 0;
    }
    let (base, bytes) = (work.base, work.left as u32);
    let mut at = flow.tls_left;
    let mut records = 0;
    while records < RECORDS_MAX {
        if at >= bytes {
            break;
        }
        // What is cut off before its first bytes is looked at as ever.
        if bytes - at < HEAD_BYTES + 8 {
            return 0;
        }
        let Some([head, text]) = head_and_text(base + at as u64) else { return 0 };
        let Some(length) = record_bytes(head) else { return 0 };
        if head as u8 == APPLICATION_DATA && is_plain(text) {
            return 0;
        }
        at += HEAD_BYTES + length;
        records += 1;
    }
    if at < bytes {
        return 0;
    }
    work.clear();
    work.done = 1;
    flow.tls_left = at - bytes;
    claim(work, flow, bytes);
    bind(slot, flow.flags & FLOW_READ);
    keep_tls(work, flow, bytes);
    1
}

/// Head of a record in a process's memory and what follows it, eight bytes from the beginning of each.
#[inline(always)]
fn head_and_text(address: u64) -> Option<[u64; 2]> {
    let [a, b, c, d, e, text @ ..]: [u8; HEAD_BYTES as usize + 8] = kernel::read_user(address)?;
    Some([u64::from_ne_bytes([a, b, c, d, e, 0, 0, 0]), u64::from_ne_bytes(text)])
}

/// Whether the text goes on with the record that the flow is in, or begins with one, and is records
/// to its end. Notes how much follows of the last. Global, for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tls_text(slot: u32, filled: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let Some(flow) = flow(work.head.cookie) else { return 0 };
    // What lies between, beyond `sample_bytes_max` say, is of the record too.
    let between = work.head.position.wrapping_sub(flow.next_position);
    let mut at = 0;
    if flow.flags & FLOW_TLS != 0 && between <= flow.tls_left {
        at = flow.tls_left - between;
    }
    let mut records = 0;
    while records < RECORDS_MAX {
        if at >= filled {
            break;
        }
        let Some(bytes) = load(work, at).and_then(record_bytes) else { return 0 };
        let kind = load(work, at).unwrap_or(0) as u8;
        if kind == APPLICATION_DATA && at + HEAD_BYTES + 8 <= filled {
            match load(work, at + HEAD_BYTES) {
                Some(word) if !is_plain(word) => {}
                _ => return 0,
            }
        }
        at += HEAD_BYTES + bytes;
        records += 1;
    }
    if at < filled {
        return 0;
    }
    flow.tls_left = at - filled;
    1
}
