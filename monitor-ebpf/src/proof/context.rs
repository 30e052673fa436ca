//! What a value is called: the words of the key before it, read backwards.

use super::tables::{WORD_DOUBTFUL, WORD_HOSTILE, WordHash};

/// Reads what stands before a value, from its end backwards.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The byte to be read next.
    pub at: u32,
    /// [`WordHash`] of the word so far.
    hash: u32,
    /// The same of all words so far together: `traceId`, `card_number`.
    joined: u32,
    /// Letters of it.
    letters: u32,
    /// Words so far.
    words: u32,
    /// What they say.
    pub(super) says: u32,
    /// Whether what stands between value and words says that they are its key.
    is_key: u32,
    /// Whether that was passed.
    inside: u32,
    /// The character that was read last.
    next: u32,
}

/// Bytes that are read back for what a value is called.
pub const CONTEXT_BYTES_MAX: u32 = 64;
/// Words.
const CONTEXT_WORDS_MAX: u32 = 4;

impl Context {
    /// Before a value that begins at a byte.
    #[inline(always)]
    pub const fn before(start: u32) -> Context {
        Context {
            at: start.wrapping_sub(1),
            hash: WordHash::EMPTY.0,
            joined: WordHash::EMPTY.0,
            letters: 0,
            words: 0,
            says: 0,
            is_key: 0,
            inside: 0,
            next: 0,
        }
    }

    /// Takes the byte before the last one; whether more are wanted.
    #[inline(always)]
    pub fn feed(&mut self, says: impl Fn(u32) -> u32, byte: u8) -> bool {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        if self.inside == 0 {
            if byte == b':' || byte == b'=' || byte == b'>' {
                self.is_key = 1;
                return true;
            }
            if byte == b' ' || byte == b'"' || byte == b'\'' || byte == b'\\' || byte == b'\t' {
                return true;
            }
            // A key may end with a number: `card2`.
            if byte.is_ascii_digit() && self.is_key != 0 {
                return true;
            }
            if !letter {
                return false;
            }
            self.inside = 1;
        }
        // From small to capital: going back, a capital before a small letter begins its word, and a small
        // one before a capital has it behind it.
        let next = self.next as u8;
        let ended = !letter || (byte.is_ascii_lowercase() && next.is_ascii_uppercase());
        if ended {
            self.end_word(says);
            self.next = 0;
        }
        if letter {
            self.hash = WordHash(self.hash).before(byte).0;
            self.joined = WordHash(self.joined).before(byte).0;
            self.letters += 1;
            // A capital before a small letter: what comes before it is another word, whatever it is.
            let begins = byte.is_ascii_uppercase() && next.is_ascii_lowercase();
            self.next = if begins { b'A' } else { byte } as u32;
        }
        let joins = byte == b'_' || byte == b'-' || byte == b'.' || byte == b' ';
        (letter || joins) && self.words < CONTEXT_WORDS_MAX
    }

    #[inline(always)]
    fn end_word(&mut self, look_up: impl Fn(u32) -> u32) {
        if self.letters == 0 {
            return;
        }
        let mut says = look_up(self.hash);
        if self.words != 0 {
            // Hostile is only the last term of a key.
            says = says & !WORD_HOSTILE | look_up(self.joined);
        }
        if self.is_key == 0 {
            says &= !(WORD_HOSTILE | WORD_DOUBTFUL);
        }
        self.says |= says;
        self.words += 1;
        self.letters = 0;
        self.hash = WordHash::EMPTY.0;
    }

    /// Nothing is before what was read.
    #[inline(always)]
    pub fn end(&mut self, says: impl Fn(u32) -> u32) {
        self.end_word(says);
    }
}
