//! What the search takes from the standards, as it is handed over in a map.

/// Issuers at most.
pub const ISSUERS_MAX: usize = 64;
/// Room for each pair of capitals: a power of two.
pub const COUNTRY_SLOTS: usize = 1024;
/// Slots of the table of words.
pub const WORD_SLOTS: usize = 2048;
/// Slots that one word may stand in.
pub const WORD_PROBES: usize = 8;
/// Ways to group the digits of a card at most.
pub const GROUPINGS_MAX: usize = 16;

/// [`Word::says`]: as the last word of a key, that the value is something else. The classes that a word
/// names are the bits below.
pub const WORD_HOSTILE: u32 = 1 << 31;
/// Makes it less likely.
pub const WORD_DOUBTFUL: u32 = 1 << 30;

/// An issuer's range of cards (ISO/IEC 7812-1).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Issuer {
    /// First six digits, the least.
    pub from: u32,
    /// The most.
    pub to: u32,
    /// Digits of its numbers, least and most.
    pub digits_min: u16,
    /// Likewise.
    pub digits_max: u16,
    /// Whether a check digit alone proves little: it takes a key.
    pub wide: u32,
}

/// What an IBAN of a country looks like (ISO 13616-1).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Country {
    /// Characters, the country's two included; 0 for no country.
    pub characters: u64,
    /// A bit for each character that is a digit.
    pub digits: u64,
    /// A bit for each that is a letter.
    pub letters: u64,
}

/// A word that a key may have.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Word {
    /// [`WordHash`] of it; 0 for none.
    pub hash: u32,
    /// Classes, and bits of `WORD_*`.
    pub says: u32,
}

/// What is known of the standards.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tables {
    /// Narrow ones first.
    pub issuers: [Issuer; ISSUERS_MAX],
    /// By the letters of the country, as [`country_index`] has it.
    pub countries: [Country; COUNTRY_SLOTS],
    /// By [`Word::hash`].
    pub words: [Word; WORD_SLOTS],
    /// How the digits of printed cards are grouped: a byte for each group, the last one lowest.
    pub groupings: [u64; GROUPINGS_MAX],
}

/// Where a country stands.
#[inline(always)]
pub const fn country_index(first: u8, second: u8) -> usize {
    (first.wrapping_sub(b'A') as usize) * 26 + second.wrapping_sub(b'A') as usize
}

/// FNV-1a of 32 bits.
pub(super) const HASH_BASIS: u32 = 0x811c_9dc5;
pub(super) const HASH_PRIME: u32 = 0x0100_0193;

/// Hash of a word whose letters come from the last to the first (FNV-1a of small letters).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordHash(pub u32);

impl WordHash {
    /// Of no letter.
    pub const EMPTY: WordHash = WordHash(HASH_BASIS);
    /// With one more letter before.
    #[inline(always)]
    pub const fn before(self, letter: u8) -> WordHash {
        WordHash((self.0 ^ (letter | 0x20) as u32).wrapping_mul(HASH_PRIME))
    }
}

/// What a word or a term says.
#[inline(always)]
pub fn look_up(tables: &Tables, hash: u32) -> u32 {
    let mut probe = 0;
    while probe < WORD_PROBES {
        let word = &tables.words[(hash as usize + probe) % WORD_SLOTS];
        if word.hash == hash {
            return word.says;
        }
        probe += 1;
    }
    0
}
