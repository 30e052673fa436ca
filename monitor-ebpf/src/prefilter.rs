//! The prefilter's scan, run by the programs over each byte that is sent and by the daemon's tests
//! over the same bytes. It says whether a text *may* hold a finding; it does not say which.
//! What is encoded so that no shape shows is [`crate::encoded`]'s.
//!
//! A table-driven automaton reads a text byte by byte. Most words of eight bytes cannot move it
//! out of its base state, and those are passed over with a dozen instructions. The automaton
//! itself is built in user space (`egress_monitor::capture::prefilter`) and handed over in a map.

use crate::TABLE_ENTRIES;

/// State in which nothing is pending. Row 0.
pub const BASE: u16 = 0;

/// Bytes before a word that can move the automaton that may matter to it: the two letters before
/// the check digits of an IBAN, with a chunk boundary of up to twelve bytes between them and these.
pub const LOOK_BACK_WORDS: usize = 2;

/// The automaton: `next[state + class[byte]]` is the next state, a row's first index.
#[repr(C)]
pub struct Table {
    /// Class of each byte.
    pub class: [u8; 256],
    /// Rows of transitions. A row is as long as there are classes, and one more for the end.
    pub next: [u16; TABLE_ENTRIES],
    /// The state that says: this may hold a finding. Leads only to itself.
    pub hit: u16,
    /// The state that says: this is no text, and what it holds cannot be told by its bytes.
    /// Larger than `hit`, and the largest.
    pub opaque: u16,
    /// Class of the end of a text.
    pub end_class: u16,
    /// Bits of `TABLE_*`.
    pub flags: u16,
    /// Bytes of opaque texts that one flow may hand over within a second.
    pub opaque_flow_bytes_max: u32,
    /// And all flows of the host together.
    pub opaque_host_bytes_max: u32,
}

/// Fills words up where there is no text: moves nothing, begins nothing, and is in no stretch.
pub const FILL: u8 = b'!';
/// A word of it.
pub const FILL_WORD: u64 = ONES * FILL as u64;

/// [`Table::flags`]: every text may hold a finding. It is not scanned.
pub const TABLE_ALL: u16 = 1;
/// [`Table::flags`]: a word wakes the automaton by any digit, or by being long letters.
pub const TABLE_WIDE: u16 = 2;
/// [`Table::flags`]: a long stretch of letters and digits counts as encoded, whatever its letters.
pub const TABLE_LONG: u16 = 4;

/// An opaque text's second: nanoseconds since boot, shifted by so many bits.
pub const SECOND_SHIFT: u32 = 30;

pub(crate) const ONES: u64 = 0x0101_0101_0101_0101;
pub(crate) const TOPS: u64 = ONES * 0x80;

/// The top bit of each byte that is ASCII and from `first` to `last`.
#[inline(always)]
pub(crate) const fn between(word: u64, first: u8, last: u8) -> u64 {
    let low = word & !TOPS;
    let from_first = low + ONES * (0x80 - first as u64);
    let beyond_last = low + ONES * (0x7f - last as u64);
    from_first & !beyond_last & !word & TOPS
}

/// The top bit of each byte that is a digit.
#[inline(always)]
pub const fn digits(word: u64) -> u64 {
    between(word, b'0', b'9')
}

/// The word that begins `n` bytes before one, of which the previous is known.
#[inline(always)]
const fn before(word: u64, previous: u64, n: u32) -> u64 {
    word << (8 * n) | previous >> (64 - 8 * n)
}

/// Of each byte the top bit clear where it is this one, for words without top bits.
#[inline(always)]
const fn other_than(low: u64, byte: u8) -> u64 {
    (low ^ (ONES * byte as u64)) + ONES * 0x7f
}

/// Of each byte the top bit clear where it is `@`, `%`, `\\` or `+`, for words without top bits.
#[inline(always)]
const fn unmarked(low: u64) -> u64 {
    other_than(low, b'@') & other_than(low, b'%') & other_than(low, b'\\') & other_than(low, b'+')
}

/// Whether a word of eight bytes holds `@`, `%`, `\\` or `+`.
#[inline(always)]
const fn marks(word: u64) -> bool {
    !unmarked(word & !TOPS) & !word & TOPS != 0
}

/// Whether a word holds a byte that can move the automaton out of [`BASE`] to where it matters: a
/// digit, a mark, a control character below the tab, or a byte that is not ASCII. The order of the
/// bytes does not matter. All in one: it is asked of each word that is sent.
#[inline(always)]
pub const fn stirs(word: u64) -> bool {
    let low = word & !TOPS;
    let digit = (low + ONES * (0x80 - b'0' as u64)) & !(low + ONES * (0x7f - b'9' as u64));
    let others = unmarked(low) & (low + ONES * (0x80 - b'\t' as u64));
    (digit | !others | word) & TOPS != 0
}

/// Whether a word begins nothing though it has digits: [`wakes`] says [`Wake::No`] of it, and it is not
/// [`strange`]. Says so of most prices, dates and numbers, in half the time, and not of all that
/// [`wakes`] says it of.
#[inline(always)]
pub const fn begins_nothing(previous: u64, word: u64, next: u64) -> bool {
    if (word | next) & TOPS != 0 {
        return false;
    }
    // What is ASCII needs no mask for its top bits.
    let printable = word + ONES * (0x80 - b' ' as u64);
    if unmarked(word) & printable & other_than(next, b'\r') & TOPS != TOPS {
        return false;
    }
    let (zero, ten) = (ONES * b'0' as u64, ONES * (0x80 - 10));
    let found = !((word ^ zero) + ten) & TOPS;
    let following = !((next ^ zero) + ten) & TOPS;
    let count = ((found >> 7) + (following >> 7)).wrapping_mul(ONES) >> 56;
    if count >= DIGITS_MIN {
        return false;
    }
    let last = (previous >> 56) ^ b'0' as u64;
    let pair = found & (found << 8 | if last < 10 { 0x80 } else { 0 });
    if pair == 0 {
        return true;
    }
    // Before two digits: from a space to `<`, and no `#`.
    let lead = before(word, previous, 2);
    let low = lead & !TOPS;
    let begins = (low + ONES * (0x80 - b'=' as u64))
        | !((low + ONES * (0x80 - b' ' as u64)) & other_than(low, b'#'))
        | lead;
    pair & begins & TOPS == 0
}

/// Words that [`are_idle`] judges together.
pub const IDLE_WORDS: usize = 4;

/// Whether none of some words [`stirs`], and neither the first nor the third is [`dense`]: where the
/// automaton is in [`BASE`] and the first has an even index, all of them are passed over.
#[inline(always)]
pub const fn are_idle(words: [u64; IDLE_WORDS]) -> bool {
    let [a, b, c, d] = words;
    two_are_idle(a, b) && two_are_idle(c, d)
}

/// [`are_idle`] of two words: as many as the ten registers of the kernel's machine hold with what they
/// are compared to. Words that are ASCII need no mask for their top bits.
#[inline(always)]
const fn two_are_idle(a: u64, b: u64) -> bool {
    if (a | b) & TOPS != 0 {
        return false;
    }
    // A digit is less than 10 once the bits of `0` are out of it, and nothing else is.
    let (digit, letter) = (ONES * (0x80 - 10), ONES * (0x80 - b'+' as u64));
    let digits = ((a ^ (ONES * b'0' as u64)) + digit) & ((b ^ (ONES * b'0' as u64)) + digit);
    let text = (a + ONES * (0x80 - b'\t' as u64)) & (b + ONES * (0x80 - b'\t' as u64));
    unmarked(a) & unmarked(b) & digits & text & TOPS == TOPS && (a + letter) & TOPS != TOPS
}

/// Whether a word may lie within a run of base64 or hexadecimal: no byte before `+`, none that is
/// not ASCII. Most words of text have a blank, a quote or a line end.
#[inline(always)]
pub const fn dense(word: u64) -> bool {
    ((word & !TOPS) + ONES * (0x80 - b'+' as u64)) & !word & TOPS == TOPS
}

/// Whether a word holds a control character that no text has.
#[inline(always)]
pub const fn strange(word: u64) -> bool {
    // Most words have no control character at all.
    ((word & !TOPS) + ONES * (0x80 - b' ' as u64)) & TOPS != TOPS
        && between(word, 0, 8) | between(word, 14, 31) != 0
}

/// Whether all bytes of a word are printable ASCII, tabs or line ends.
#[inline(always)]
pub const fn is_plain(word: u64) -> bool {
    word & TOPS == 0 && !strange(word)
}

/// What a word that stirs asks for where the automaton is in [`BASE`].
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Nothing: its digits are too few to begin anything.
    No = 0,
    /// To be walked, and the words before it that have digits too, where [`run_is_long`] says so of
    /// it, the word before it and the two behind it.
    Digits = 1,
    /// To be walked with [`LOOK_BACK_WORDS`] before it.
    All = 2,
}

/// Digits of two neighbouring words that a finding in plain digits has at least. The least dense
/// are a card with a separator behind each digit, which has eight somewhere, and a US_SSN with its
/// dashes over three words, which has seven.
const DIGITS_MIN: u64 = 7;

/// Bytes that a finding in plain digits takes at least one after the other, all of them digits or
/// separators: a US_SSN with its dashes.
const RUN_BYTES_MIN: u32 = 11;
/// Or digits alone: an undashed US_SSN.
const RUN_DIGITS_MIN: u32 = 9;

/// A bit for each byte of a word of which the top bit is set, the first byte's the lowest.
#[inline(always)]
pub(crate) const fn bits(found: u64) -> u64 {
    (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Whether so many bits in a row are set.
#[inline(always)]
pub(crate) const fn runs(bits: u64, at_least: u32) -> bool {
    // After these, a bit is set that begins a run of 8.
    let mut run = bits & (bits >> 1);
    run &= run >> 2;
    run &= run >> 4;
    run & (run >> (at_least - 8)) != 0
}

/// Whether four neighbouring words hold a run of digits and separators as long as a finding in plain
/// digits takes. A word that has the digits for one and is in no such run is a date, a time, a price.
#[inline(always)]
pub const fn run_is_long(words: [u64; 4]) -> bool {
    let (mut all, mut digit, mut at) = (0, 0, 0);
    while at < 4 {
        let word = words[at];
        let found = digits(word);
        // Space, and plus to dot: comma is no separator, but does no harm here.
        let separators = between(word, b'+', b'.') | between(word, b' ', b' ');
        digit |= bits(found) << (8 * at);
        all |= bits(found | separators) << (8 * at);
        at += 1;
    }
    runs(all, RUN_BYTES_MIN) || runs(digit, RUN_DIGITS_MIN)
}

/// What a word asks for that is followed by a whole `next`. It wakes the automaton for each shape
/// that may begin here:
///
/// - with a mark or a byte that is not ASCII in it, at once,
/// - cards and undashed or dashed social security numbers by how many digits they have,
/// - an IBAN by a capital before two digits, or the line end that a chunk boundary puts there,
/// - an escape of quoted-printable or HTML by what stands before two digits,
/// - digits before such a boundary, or beside a separator that is not ASCII.
#[inline(always)]
pub const fn wakes(previous: u64, word: u64, next: u64) -> Wake {
    if marks(word) || word & TOPS != 0 {
        return Wake::All;
    }
    let found = digits(word);
    if found == 0 {
        return Wake::No;
    }
    if next & TOPS != 0 {
        return Wake::All;
    }
    let (returns, next_returns) = (between(word, b'\r', b'\r'), between(next, b'\r', b'\r'));
    if returns | next_returns != 0 {
        // A chunk boundary behind a digit, or behind a separator behind one; a soft line break behind
        // either, which has a byte more.
        let digit = returns >> 8
            | next_returns << 56
            | returns >> 16
            | next_returns << 48
            | returns >> 24
            | next_returns << 40;
        if found & digit != 0 {
            return Wake::All;
        }
    }
    let pair = found & before(found, digits(previous), 1);
    if pair != 0 {
        let lead = before(word, previous, 2);
        let low = lead & !TOPS;
        let others = other_than(low, b'\n')
            & other_than(low, b'=')
            & other_than(low, b'#')
            & other_than(low, b'x');
        let begins = between(lead, b'A', b'Z') | (!others & !lead & TOPS);
        if pair & begins != 0 {
            return Wake::All;
        }
    }
    let count = ((found >> 7) + (digits(next) >> 7)).wrapping_mul(ONES) >> 56;
    if count >= DIGITS_MIN { Wake::Digits } else { Wake::No }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn each_byte_has_its_bit_and_runs_are_counted() {
        for place in 0..8 {
            assert_eq!(bits(0x80 << (8 * place)), 1 << place);
        }
        for bytes in 8..14 {
            let run = (1u64 << bytes) - 1;
            for at in 0..20 {
                assert_eq!(runs(run << at, 11), bytes >= 11, "{bytes} at {at}");
                assert_eq!(runs(run << at, 9), bytes >= 9, "{bytes} at {at}");
            }
        }
    }

    #[test]
    fn exactly_the_stirring_bytes_stir_at_every_place() {
        for byte in 0..=255u8 {
            let expected = byte.is_ascii_digit()
                || b"@%\\+".contains(&byte)
                || byte < b'\t'
                || !byte.is_ascii();
            for place in 0..8 {
                for around in [b'a', b'/', b'~', b' '] {
                    let mut word = [around; 8];
                    word[place] = byte;
                    assert_eq!(stirs(u64::from_le_bytes(word)), expected, "{byte:#x} at {place}");
                }
            }
        }
    }

    /// Words of bytes that something is asked of, and of some that nothing is, from a seed.
    fn word(seed: &mut u64) -> u64 {
        const BYTES: &[u8] =
            b"0123456789  aabcxyzAZ@%\\+#=<>:;,.-/\"'\n\r\t\x01\x08\x1f\x7f\x80\xff";
        // Of one kind more often than by chance: words of prose or of digits.
        let few = if *seed & 3 == 0 { BYTES.len() as u64 } else { 22 };
        u64::from_le_bytes(std::array::from_fn(|_| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            BYTES[((*seed >> 33) % few) as usize]
        }))
    }

    #[test]
    fn idle_words_are_those_that_neither_stir_nor_are_dense() {
        let (mut seed, mut idle) = (1, 0);
        for round in 0..200_000 {
            let prose = u64::from_le_bytes(*b"and runs");
            let mut words = [prose; IDLE_WORDS];
            let shift = 8 * (round / IDLE_WORDS % 8);
            words[round % IDLE_WORDS] ^= (word(&mut seed) ^ prose) & 0xff << shift;
            let expected =
                !words.iter().any(|&word| stirs(word)) && !dense(words[0]) && !dense(words[2]);
            assert_eq!(are_idle(words), expected, "{words:x?}");
            idle += usize::from(expected);
        }
        assert!(idle > 1_000, "{idle} were idle");
    }

    #[test]
    fn what_begins_nothing_wakes_nothing() {
        let (mut seed, mut nothing) = (1, 0);
        for _ in 0..1_000_000 {
            let [previous, word, next] = std::array::from_fn(|_| word(&mut seed));
            if begins_nothing(previous, word, next) {
                nothing += 1;
                assert_eq!(wakes(previous, word, next), Wake::No, "{previous:x} {word:x} {next:x}");
                assert!(!strange(word) && !marks(word), "{word:x}");
            }
        }
        assert!(nothing > 1_000, "{nothing} began nothing");
    }
}
