//! The prefilter's scan, run by the programs over each byte that is sent and by the daemon's tests
//! over the same bytes. It says whether a text *may* hold a finding; it does not say which.
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
    /// Class of the end of a text.
    pub end_class: u16,
    /// Reserved, 0.
    pub reserved: [u16; 2],
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Whether a word of eight bytes holds a byte that can move the automaton out of [`BASE`]: a
/// digit, `@`, `%`, `\` or `+`. The order of the bytes does not matter.
#[inline(always)]
pub const fn stirs(word: u64) -> bool {
    let low = word & (ONES * 0x7f);
    // Each of these has the top bit of a byte set where that byte is at least '0', and beyond '9'.
    let from_0 = low + ONES * (0x80 - b'0' as u64);
    let beyond_9 = low + ONES * (0x80 - b'9' as u64 - 1);
    // Each of these has the top bit of a byte clear only where that byte is the one asked for.
    let at = (low ^ (ONES * b'@' as u64)) + ONES * 0x7f;
    let percent = (low ^ (ONES * b'%' as u64)) + ONES * 0x7f;
    let backslash = (low ^ (ONES * b'\\' as u64)) + ONES * 0x7f;
    let plus = (low ^ (ONES * b'+' as u64)) + ONES * 0x7f;
    let found = (from_0 & !beyond_9) | !(at & percent & backslash & plus);
    found & !word & (ONES * 0x80) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_stirring_bytes_stir_at_every_place() {
        for byte in 0..=255u8 {
            let expected = byte.is_ascii_digit() || b"@%\\+".contains(&byte);
            for place in 0..8 {
                for around in [b'a', 0, 0xff, b' '] {
                    let mut word = [around; 8];
                    word[place] = byte;
                    assert_eq!(stirs(u64::from_le_bytes(word)), expected, "{byte:#x} at {place}");
                }
            }
        }
    }
}
