//! The prefilter's scan over the text of a work area, behind the tail of its flow. What it asks and
//! walks is [`monitor_ebpf::prefilter`]'s; here is how the verifier is led through it.

use core::ffi::{c_long, c_void};

use aya_ebpf::helpers::generated::bpf_loop;
use monitor_ebpf::{
    CHUNK_BYTES, TAIL_BYTES,
    encoded::{ENCODED_WORDS, encoded, has_letters, is_asked},
    prefilter::{
        BASE, FILL_WORD, IDLE_WORDS, LOOK_BACK_WORDS, TABLE_ALL, TABLE_LONG, TABLE_WIDE, Table,
        Wake, are_idle, begins_nothing, dense, digits, run_is_long, stirs, strange, wakes,
    },
};

use crate::{
    account::table,
    work::{Work, work},
};

/// Words of eight bytes from the first of the tail to behind the last of a chunk.
const WORDS: u32 = ((TAIL_BYTES + CHUNK_BYTES) / 8) as u32;
/// Words that one call of the scan's loop looks at.
const WORDS_PER_CALL: u32 = 16;
const _: () = assert!(LOOK_BACK_WORDS == 2);

/// Where a scan stands. It lies in the work area and not on the stack: of a map's memory the
/// verifier knows no values, so that ways which differ by them alone are one way to it. On the
/// stack this cost it 120,000 instructions a program instead of 6,000.
#[repr(C)]
pub struct Scan {
    state: u32,
    /// Next word, counted from the start of the tail.
    at: u32,
    /// Word behind the last whole one.
    end: u32,
    /// Words directly before that were passed over, at most [`LOOK_BACK_WORDS`].
    quiet: u32,
    /// Bytes of tail and text.
    bytes: u32,
    /// Whether something encoded was seen.
    pub encoded: u32,
}

/// Says that the text may hold a finding; no state is this large.
pub const HIT: u32 = u32::MAX;
/// Says that the text is none; likewise.
pub const OPAQUE: u32 = u32::MAX - 1;

/// Runs the automaton from the word `first` to the end of the text. Gives the state behind it,
/// [`HIT`] or [`OPAQUE`].
///
/// Global, with numbers for arguments: the verifier then walks it once by itself and not once for
/// each way that leads here, which would be "BPF program is too large. Processed 1000001 insn".
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn scan_text(slot: u32, first: u32, filled: u32, state: u32) -> u32 {
    let whole = (TAIL_BYTES as u32).wrapping_add(filled);
    let mut index = slot;
    {
        let Some(work) = work(slot) else { return HIT };
        let quiet = LOOK_BACK_WORDS as u32;
        work.scan = Scan { state, at: first, end: whole / 8, quiet, bytes: whole, encoded: 0 };
        let Some(table) = table() else { return HIT };
        if table.flags & TABLE_ALL != 0 {
            return HIT;
        }
        let text = (TAIL_BYTES / 8) as u32;
        if first == text && dense(word_at(work, text - 1)) {
            let long = table.flags & TABLE_LONG != 0;
            work.scan.encoded = encoded_around(slot, text - 1, long as u32);
        }
    }
    // SAFETY: the callback takes what it is given here, a slot on this stack.
    unsafe {
        bpf_loop(WORDS / WORDS_PER_CALL + 1, scan_words as *mut c_void, (&raw mut index).cast(), 0)
    };
    let (Some(work), Some(table)) = (work(slot), table()) else { return HIT };
    let rest = whole % 8;
    if rest != 0 {
        let word = word_until_end(work, whole / 8);
        if strange(word) {
            work.scan.encoded = 1;
        }
        if work.scan.state != BASE as u32 {
            work.scan.state = advance_part(word, work.scan.state, rest);
        } else if stirs(word) {
            let before = look_back(work, whole / 8, Wake::All as u32);
            work.scan.state = advance_part(word, before, rest);
        }
    }
    let state = work.scan.state;
    let end = table.next[((state + table.end_class as u32) & 0xffff) as usize];
    if state == table.opaque as u32 {
        return OPAQUE;
    }
    if state >= table.hit as u32 || end == table.hit { HIT } else { state }
}

/// A stretch of the scan.
unsafe extern "C" fn scan_words(_index: u32, context: *mut c_void) -> c_long {
    // SAFETY: `scan_text` hands over a u32 of its stack.
    let slot = unsafe { *context.cast::<u32>() };
    let (Some(work), Some(table)) = (work(slot), table()) else { return 1 };
    let long = table.flags & TABLE_LONG != 0;
    let mut step = 0;
    while step < WORDS_PER_CALL {
        step += IDLE_WORDS as u32;
        if pass_idle(work, long) {
            continue;
        }
        // Two a turn: only every other is looked at for a stretch of letters.
        let mut word = 0;
        while word < IDLE_WORDS as u32 {
            let at = next_word(work, 2);
            if pass(slot, work, table, at, true, long) != 0
                || pass(slot, work, table, at + 1, false, long) != 0
            {
                return 1;
            }
            word += 2;
        }
    }
    0
}

/// Takes the next words: the index of the first. It is kept in memory, for what [`Scan`] says.
#[inline(always)]
fn next_word(work: &mut Work, words: u32) -> u32 {
    let next = &raw mut work.scan.at;
    // SAFETY: a field of the work area, volatile as in `pass`.
    unsafe {
        let at = next.read_volatile();
        next.write_volatile(at.wrapping_add(words));
        at
    }
}

/// Passes over some words together, where they allow it.
#[inline(always)]
fn pass_idle(work: &mut Work, long: bool) -> bool {
    // SAFETY: as in `pass`.
    let (state, at) = unsafe {
        ((&raw const work.scan.state).read_volatile(), (&raw const work.scan.at).read_volatile())
    };
    if long || state != BASE as u32 || at + IDLE_WORDS as u32 > work.scan.end {
        return false;
    }
    let index = opaque(at) & WORDS_MASK;
    // SAFETY: as in `word_at`; behind the mask's end there are more words than these (asserted below).
    let words =
        unsafe { *work.tail.as_ptr().cast::<[u64; IDLE_WORDS]>().byte_add(index as usize * 8) };
    if !are_idle(words) {
        return false;
    }
    work.scan.quiet = LOOK_BACK_WORDS as u32;
    next_word(work, IDLE_WORDS as u32);
    true
}

/// Passes over a word, or looks at it; whether the scan has come to its end.
#[inline(always)]
fn pass(slot: u32, work: &mut Work, table: &Table, at: u32, even: bool, long: bool) -> c_long {
    if at >= work.scan.end || at >= WORDS {
        return 1;
    }
    let word = word_at(work, at);
    // SAFETY: fields of the work area, volatile so that the compiler does not keep what the verifier
    // should not know.
    let (state, quiet) = unsafe {
        ((&raw const work.scan.state).read_volatile(), (&raw const work.scan.quiet).read_volatile())
    };
    let rests = state == BASE as u32;
    let stir = rests && stirs(word);
    // Behind the last word anything may follow.
    let lone = stir && table.flags & TABLE_WIDE == 0 && at + 1 < work.scan.end;
    let idle = !stir || (lone && nothing(word_before(work, at), word, word_at(work, at + 1)) != 0);
    if rests && !long && idle {
        let stretch = even && dense(word) && beside_dense(work, at);
        if !stretch {
            if quiet < LOOK_BACK_WORDS as u32 {
                work.scan.quiet = quiet + 1;
            }
            return 0;
        }
    }
    look(slot, at, state, stir as u32);
    (work.scan.state >= table.hit as u32) as c_long
}

/// [`begins_nothing`]. Global, likewise: inlined it takes the verifier four times as long.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn nothing(previous: u64, word: u64, next: u64) -> u32 {
    begins_nothing(previous, word, next) as u32
}

/// Whether a word has one beside it that may be of the same stretch. Behind the end is what an earlier
/// send left: at worst the words are looked at for nothing.
#[inline(always)]
fn beside_dense(work: &Work, at: u32) -> bool {
    dense(word_before(work, at)) || dense(word_at(work, at + 1))
}

/// Looks at a whole word that is not passed over. Global for the verifier, as [`scan_text`] is; and all
/// of it is one function, because calls go eight deep at most.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look(slot: u32, at: u32, state: u32, stir: u32) -> u32 {
    let (Some(work), Some(table)) = (work(slot), table()) else { return 0 };
    let word = word_at(work, at);
    let (wide, long) = (table.flags & TABLE_WIDE != 0, table.flags & TABLE_LONG != 0);
    if work.scan.encoded == 0 {
        if is_asked(at, long) && dense(word) && (long || beside_dense(work, at)) {
            work.scan.encoded = encoded_around(slot, at, long as u32);
        } else {
            work.scan.encoded = strange(word) as u32;
        }
    }
    if state != BASE as u32 {
        work.scan.state = advance(word, state);
        work.scan.quiet = 0;
    } else if stir != 0 || (long && dense(word)) {
        rouse(work, wide, at, word);
    } else if work.scan.quiet < LOOK_BACK_WORDS as u32 {
        work.scan.quiet += 1;
    }
    0
}

/// Whether the words around one hold a stretch of something encoded. Global, likewise.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn encoded_around(slot: u32, at: u32, long: u32) -> u32 {
    let Some(work) = work(slot) else { return 0 };
    let first = at.wrapping_sub(ENCODED_WORDS as u32 / 2);
    let mut words = [FILL_WORD; ENCODED_WORDS];
    let mut index = 0;
    while index < ENCODED_WORDS {
        // Before the first word there is none: its index is beyond the end.
        words[index] = word_until_end(work, first.wrapping_add(index as u32));
        index += 1;
    }
    (has_letters(words, long != 0) && encoded(words, long != 0)) as u32
}

/// Wakes the automaton, which rests, where a word asks for that.
#[inline(always)]
fn rouse(work: &mut Work, wide: bool, at: u32, word: u64) {
    // What follows in the next send may go on with any digit.
    let quiet = work.scan.quiet;
    let asked = if wide || at + 1 >= work.scan.end {
        Wake::All as u32
    } else {
        // Behind the end is what an earlier send left: at worst the automaton walks for nothing.
        asked(word_before(work, at), word, word_at(work, at + 1), word_at(work, at + 2))
    };
    if asked != Wake::No as u32 {
        let before = look_back(work, at, asked);
        work.scan.state = advance(word, before);
        work.scan.quiet = 0;
    } else if quiet < LOOK_BACK_WORDS as u32 {
        work.scan.quiet = quiet + 1;
    }
}

/// [`wakes`] and [`run_is_long`]. Global, likewise.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn asked(previous: u64, word: u64, next: u64, behind: u64) -> u32 {
    match wakes(previous, word, next) {
        Wake::Digits if !run_is_long([previous, word, next, behind]) => Wake::No as u32,
        wake => wake as u32,
    }
}

/// Runs the automaton from rest over what is asked for of the words that were passed over right
/// before the one at `at`: alone they could move nothing, before this word they may.
#[inline(always)]
fn look_back(work: &Work, at: u32, asked: u32) -> u32 {
    let mut state = BASE as u32;
    if work.scan.quiet >= 1 && at >= 1 {
        let last = word_at(work, at - 1);
        if asked == Wake::All as u32 || digits(last) != 0 {
            if work.scan.quiet >= 2 && at >= 2 {
                let first = word_at(work, at - 2);
                if asked == Wake::All as u32 || digits(first) != 0 {
                    state = advance(first, state);
                }
            }
            state = advance(last, state);
        }
    }
    state
}

/// A word of tail and text.
#[inline(always)]
fn word_at(work: &Work, index: u32) -> u64 {
    let index = opaque(index) & WORDS_MASK;
    // SAFETY: the mask keeps `index` within tail and text, which lie one behind the other, aligned
    // to 8 (asserted below).
    unsafe { *work.tail.as_ptr().cast::<u64>().add(index as usize) }
}

/// The word before one of tail and text.
#[inline(always)]
fn word_before(work: &Work, index: u32) -> u64 {
    if index == 0 { FILL_WORD } else { word_at(work, index - 1) }
}

/// A word of tail and text, filled up from their end on.
#[inline(always)]
fn word_until_end(work: &Work, index: u32) -> u64 {
    let whole = work.scan.bytes / 8;
    if index < whole {
        return word_at(work, index);
    }
    let rest = work.scan.bytes % 8;
    if index > whole || rest == 0 {
        return FILL_WORD;
    }
    let own = (1u64 << (rest * 8)) - 1;
    word_at(work, index) & own | FILL_WORD & !own
}

/// Bound of a word's index that the verifier understands.
const WORDS_MASK: u32 = 4095;
const _: () = assert!(WORDS <= WORDS_MASK + 1);
const _: () = assert!((WORDS_MASK as usize + IDLE_WORDS) * 8 <= TAIL_BYTES + 2 * CHUNK_BYTES);
const _: () = assert!(WORDS_PER_CALL.is_multiple_of(IDLE_WORDS as u32));
const _: () = assert!(IDLE_WORDS >= LOOK_BACK_WORDS);

/// A value of which the compiler knows nothing. Without it LLVM drops a mask that it can prove
/// idle, or moves an addition before the check that guards it, and the verifier says "unbounded
/// memory access, make sure to bounds check any such access".
#[inline(always)]
pub fn opaque(value: u32) -> u32 {
    // SAFETY: reads a variable of this function.
    unsafe { core::ptr::read_volatile(&value) }
}

/// Moves the automaton over a word: the state behind it. The classes of the bytes do not wait for
/// each other, only the states do.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn advance(word: u64, state: u32) -> u32 {
    let Some(table) = table() else { return HIT };
    let mut state = state;
    let mut at = 0;
    while at < 64 {
        state = next(table, state, (word >> at) as u8);
        at += 8;
    }
    state
}

/// Moves the automaton over the first `bytes` of the last word of a text.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn advance_part(word: u64, state: u32, bytes: u32) -> u32 {
    let Some(table) = table() else { return HIT };
    let mut state = state;
    let mut word = word;
    for at in 0..8 {
        if at >= bytes {
            break;
        }
        state = next(table, state, word as u8);
        word >>= 8;
    }
    state
}

#[inline(always)]
fn next(table: &Table, state: u32, byte: u8) -> u32 {
    let class = table.class[byte as usize] as u32;
    // A mask and not a check: the verifier wants the bound, and the table is this long.
    table.next[((state + class) & 0xffff) as usize] as u32
}
