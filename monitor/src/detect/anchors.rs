//! Finds the bytes at which values can be recognised, eight bytes at a time. It looks at single
//! bytes and at the length of runs of digits, and at nothing else.

use super::text::{HIGH, LOW};

/// Gathers the highest bits of eight bytes in the highest byte of the product.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// Bytes that are classified together, one bit each.
pub(super) const BLOCK_BYTES: usize = 64;

/// Which bytes of a block are digits, and which are other anchors.
#[derive(Clone, Copy, Default)]
pub(super) struct Block {
    pub digits: u64,
    /// `+` and what stands from `:` to `@`.
    pub marks: u64,
}

/// Classifies the block that begins at `at`; bytes behind the end are nothing.
pub(super) fn block(text: &[u8], at: usize) -> Block {
    let rest = text.get(at..).unwrap_or_default();
    let mut block = Block::default();
    if let Some(whole) = rest.first_chunk::<BLOCK_BYTES>() {
        for (index, word) in whole.chunks_exact(8).enumerate() {
            block.add(index, <[u8; 8]>::try_from(word).map_or(0, u64::from_le_bytes));
        }
        return block;
    }
    for (index, word) in rest.chunks(8).enumerate() {
        let mut padded = [0u8; 8];
        for (slot, byte) in padded.iter_mut().zip(word) {
            *slot = *byte;
        }
        block.add(index, u64::from_le_bytes(padded));
    }
    block
}

impl Block {
    fn add(&mut self, index: usize, word: u64) {
        let (seven, ascii) = (word & !HIGH, !word & HIGH);
        // The highest bit of a byte is set where it is at least so much.
        let least = |byte: u8| seven + LOW * u64::from(0x80 - byte);
        let digits = least(b'0') & !least(b':') & ascii;
        let marks = least(b':') & !least(b'@' + 1);
        let plus = seven ^ (LOW * u64::from(b'+'));
        let plus = !(plus + (LOW * 0x7F)) & HIGH;
        self.digits |= gather(digits) << (8 * index);
        self.marks |= gather((marks | plus) & ascii) << (8 * index);
    }
}

fn gather(highest: u64) -> u64 {
    ((highest & HIGH) >> 7).wrapping_mul(GATHER) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_what_it_is() {
        for byte in 0..=255u8 {
            for at in 0..70 {
                let mut text = [b'x'; 70];
                text[at] = byte;
                let blocks = [block(&text, 0), block(&text, BLOCK_BYTES)];
                let bit = |bits: fn(&Block) -> u64| bits(&blocks[at / 64]) >> (at % 64) & 1 == 1;
                assert_eq!(bit(|block| block.digits), byte.is_ascii_digit(), "{byte} at {at}");
                let is_mark = byte == b'+' || (b':'..=b'@').contains(&byte);
                assert_eq!(bit(|block| block.marks), is_mark, "{byte} at {at}");
            }
        }
    }
}
