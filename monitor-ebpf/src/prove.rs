//! Searches the text of a work area, behind the tail of its flow, for what the kernel proves by itself.
//! What a value looks like is [`monitor_ebpf::proof`]'s; here is how the verifier is led through it.

use core::ffi::{c_long, c_void};

use aya_ebpf::{helpers::generated::bpf_loop, macros::map, maps::Array};
use monitor_ebpf::{
    CHUNK_BYTES, Counter, TAIL_BYTES,
    prefilter::digits,
    proof::{CONTEXT_BYTES_MAX, Context, LOOK_BACK_BYTES, PROOFS_MAX, Search, Tables, look_up},
};

use crate::{
    account::count,
    scan::opaque,
    work::{Work, work},
};

#[map]
static PROOF_TABLES: Array<Tables> = Array::with_max_entries(1, 0);

/// Where a search stands, and where it ends. It lies in the work area, as the scan does.
#[repr(C)]
pub struct Proving {
    /// Next byte, counted from the start of the tail.
    at: u32,
    /// First byte that may be read.
    begin: u32,
    /// Behind the last byte.
    end: u32,
    /// Whether a value waits to be weighed.
    ready: u32,
    context: Context,
    pub search: Search,
}

/// Calls of the loop over words: as many as tail and text have, and one for each stop within.
const WORDS_MAX: u32 = ((TAIL_BYTES + CHUNK_BYTES) / 8 + 2 * PROOFS_MAX + 2) as u32;
/// Bytes of tail and text as a mask.
const BYTES_MASK: u32 = (2 * CHUNK_BYTES - 1) as u32;
const _: () = assert!(TAIL_BYTES + CHUNK_BYTES <= 2 * CHUNK_BYTES);
/// Bytes that one call looks at: a word, and the one before it that was passed over.
const BYTES_PER_CALL: u32 = 16;

#[inline(always)]
fn tables() -> Option<&'static Tables> {
    // SAFETY: the daemon writes it once, before the first program runs; it is integers, and no place in
    // memory follows from one without a check.
    PROOF_TABLES.get_ptr(0).map(|tables| unsafe { &*tables })
}

/// Searches a text of so many bytes: with the end of its tail, where that is of its flow. How many values
/// it proves that end in the text itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn prove(slot: u32, joins: u32, filled: u32) -> u32 {
    {
        let Some(work) = work(slot) else { return 0 };
        let tail = TAIL_BYTES as u32;
        let begin = if joins != 0 { tail - LOOK_BACK_BYTES as u32 } else { tail };
        let proving = &mut work.proving;
        proving.at = begin;
        proving.begin = begin;
        proving.end = tail.wrapping_add(filled);
        proving.ready = 0;
        let search = &mut proving.search;
        search.restart();
        search.fed = begin;
        search.fresh = tail;
        search.found = 0;
    }
    let mut round = 0;
    while round <= PROOFS_MAX {
        if search_on(slot) == 0 {
            break;
        }
        weigh_ready(slot);
        round += 1;
    }
    // What stands at the very end is waited for no longer: the next send may never come.
    let mut times = 0;
    while times < 2 {
        if search_end(slot) != 0 {
            weigh_ready(slot);
        }
        close(slot);
        times += 1;
    }
    let Some(work) = work(slot) else { return 0 };
    let found = work.proving.search.found;
    if found != 0 {
        count(Counter::Proofs, found as u64);
    }
    found
}

/// Goes on until a value is ready to be weighed; 0 where none is before the end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn search_on(slot: u32) -> u32 {
    let mut index = slot;
    // SAFETY: the callback takes what it is given here, a slot on this stack.
    unsafe { bpf_loop(WORDS_MAX, search_word as *mut c_void, (&raw mut index).cast(), 0) };
    let Some(work) = work(slot) else { return 0 };
    let ready = work.proving.ready;
    work.proving.ready = 0;
    ready
}

unsafe extern "C" fn search_word(_index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `search_on` hands over a u32 of its stack.
    let slot = unsafe { *context.cast::<u32>() };
    let Some(work) = work(slot) else { return 1 };
    let (at, end) = (work.proving.at, work.proving.end);
    if at >= end {
        return 1;
    }
    let rests = work.proving.search.rests();
    if at & 7 == 0 && at + 8 <= end && rests && digits(word_at(work, at)) == 0 {
        work.proving.at = at + 8;
        return 0;
    }
    let mut next = at;
    if work.proving.search.fed != at {
        // What stands right before may be the country of an IBAN.
        work.proving.search.restart();
        if at - work.proving.begin >= 8 {
            next = at - 8;
        }
    }
    let stop = (at | 7) + 1;
    let stop = if stop < end { stop } else { end };
    let (mut step, mut ready) = (0, 0);
    while step < BYTES_PER_CALL {
        if next >= stop || ready != 0 {
            break;
        }
        if feed(slot, next) != 0 {
            ready = follow_digits(slot);
            follow_iban(slot);
            close(slot);
        }
        next += 1;
        step += 1;
    }
    work.proving.at = next;
    work.proving.search.fed = next;
    work.proving.ready = ready;
    // The verifier wants to see that it is one of two.
    (opaque(ready) & 1) as c_long
}

/// Takes the byte at a place. Global, as all here, so that the verifier walks it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn feed(slot: u32, at: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let byte = byte_at(work, at);
    work.proving.search.feed(byte, at) as u32
}

/// Follows digits with the character that was taken last.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn follow_digits(slot: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    work.proving.search.follow_digits() as u32
}

/// Follows an IBAN with it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn follow_iban(slot: u32) -> u32 {
    let (Some(work), Some(tables)) = (work(slot), tables()) else { return 0 };
    work.proving.search.follow_iban(tables);
    0
}

/// Judges digits that have ended.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn close(slot: u32) -> u32 {
    let (Some(work), Some(tables)) = (work(slot), tables()) else { return 0 };
    if work.proving.search.closes() {
        work.proving.search.close(tables);
    }
    0
}

/// The text ends.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn search_end(slot: u32) -> u32 {
    {
        let Some(work) = work(slot) else { return 0 };
        let end = work.proving.end;
        work.proving.search.end(end);
    }
    let ready = follow_digits(slot);
    follow_iban(slot);
    ready
}

/// Weighs what is ready with what stands before it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn weigh_ready(slot: u32) -> u32 {
    let mut index = slot;
    {
        let Some(work) = work(slot) else { return 0 };
        work.proving.context = Context::before(work.proving.search.ready_start());
        // SAFETY: as in `search_on`.
        unsafe {
            bpf_loop(CONTEXT_BYTES_MAX, read_back as *mut c_void, (&raw mut index).cast(), 0)
        };
    }
    let Some(work) = work(slot) else { return 0 };
    work.proving.context.end(said);
    let context = work.proving.context;
    work.proving.search.weigh(&context);
    0
}

unsafe extern "C" fn read_back(_index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `weigh_ready` hands over a u32 of its stack.
    let slot = unsafe { *context.cast::<u32>() };
    let Some(work) = work(slot) else { return 1 };
    let at = work.proving.context.at;
    if at < work.proving.begin || at >= work.proving.end {
        return 1;
    }
    let byte = byte_at(work, at);
    if !work.proving.context.feed(said, byte) {
        return 1;
    }
    work.proving.context.at = at.wrapping_sub(1);
    0
}

/// What a word says. Global, likewise.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn word_says(hash: u32) -> u32 {
    tables().map_or(0, |tables| look_up(tables, hash))
}

#[inline(always)]
fn said(hash: u32) -> u32 {
    word_says(hash)
}

#[inline(always)]
fn byte_at(work: &Work, at: u32) -> u8 {
    let at = opaque(at) & BYTES_MASK;
    // SAFETY: the mask keeps it within tail and text, which lie one behind the other.
    unsafe { *work.tail.as_ptr().add(at as usize) }
}

#[inline(always)]
fn word_at(work: &Work, at: u32) -> u64 {
    let at = opaque(at) & BYTES_MASK & !7;
    // SAFETY: likewise; tail and text are aligned to 8.
    unsafe { *work.tail.as_ptr().add(at as usize).cast::<u64>() }
}
