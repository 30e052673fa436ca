//! Whether a stretch of letters is something encoded in which the prefilter's shapes cannot be
//! seen: base64 or hexadecimal. It decodes nothing, and says so of words and identifiers as rarely
//! as it can.
//!
//! Base64 of ASCII text has a rhythm: of the four letters for three bytes the first three each hold
//! the upper bits of one byte, and those of ASCII are few. Of hexadecimal, every other digit is one
//! of `2` to `7`. Fourteen letters in such a rhythm are no accident: of random letters one stretch in
//! a hundred thousand has it. What is binary inside has no rhythm, so a longer stretch also counts
//! where it has capitals, small letters and digits together.

use crate::prefilter::{ONES, between, bits};

/// Words that are looked at together: the one that is asked, and two on each side.
pub const ENCODED_WORDS: usize = 5;

/// Letters of base64 in a rhythm: nine digits with two dashes are eleven bytes, and fifteen letters.
/// At the ends of a stretch one of them may be shared with a byte that is not ASCII.
const RHYTHM_LETTERS_MIN: u64 = 14;
/// Digits of hexadecimal in a rhythm: the same eleven bytes.
const RHYTHM_HEX_MIN: u64 = 22;
/// Letters of the shortest stretch, but for two that may be escaped (`=`, `+`): so many always have two
/// whole words among them.
const STRETCH_LETTERS_MIN: u64 = 22;
/// Letters of what has no rhythm: base64 of something compressed is hardly shorter.
const MIXED_LETTERS_MIN: u64 = 24;
/// Letters of what counts where identifiers and keys are looked for: India's GSTIN.
const LONG_LETTERS_MIN: u64 = 15;

/// Lanes of a byte each that count letters in a row: four phases of base64, two of hexadecimal, and
/// letters at all. What does not fit sets its lane back.
type Lanes = u64;
const LANE_HEX: u32 = 32;
const LANE_MIXED: u32 = 48;
/// Bits of what a stretch has had, beside the lanes, in the last of them.
const LANE_SEEN: u32 = 56;
const SEEN_CAPITAL: u64 = 1;
const SEEN_SMALL: u64 = 2;
const SEEN_DIGIT: u64 = 4;
const SEEN_ALL: u64 = SEEN_CAPITAL | SEEN_SMALL | SEEN_DIGIT;

/// What brings a lane's top bit up where it has counted enough.
const REACHED: Lanes =
    ((0x80 - RHYTHM_LETTERS_MIN) * 0x0101_0101) | (((0x80 - RHYTHM_HEX_MIN) * 0x0101) << LANE_HEX);
const REACHED_TOPS: Lanes = 0x8080_8080_8080;

/// The six bits of a letter of base64 or base64url (RFC 4648, 4 and 5); 64 of anything else.
const fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => 64,
    }
}

/// Whether the upper four bits of a byte are those of ASCII text, line ends and tabs included.
const fn is_text(upper: u8) -> bool {
    matches!(upper, 0 | 2..=7)
}

/// Whether a letter can be the one of this phase in base64 of text.
const fn fits(sextet: u8, phase: u32) -> bool {
    match phase {
        0 => is_text(sextet >> 2) && (sextet >> 2 != 0 || matches!(sextet, 2 | 3)),
        1 => is_text(sextet & 15),
        2 => sextet & 3 < 2,
        _ => true,
    }
}

/// For each place modulo 4 and byte, the lanes that go on.
static LANES: [[Lanes; 256]; 4] = {
    let mut lanes = [[0; 256]; 4];
    let mut place = 0;
    while place < 4 {
        let mut byte = 0;
        while byte < 256 {
            lanes[place as usize][byte] = lanes_of(byte as u8, place);
            byte += 1;
        }
        place += 1;
    }
    lanes
};

const fn lanes_of(byte: u8, place: u32) -> Lanes {
    let sextet = sextet(byte);
    if sextet > 63 {
        return 0;
    }
    let mut lanes = 0xff << LANE_MIXED | 0xff << LANE_SEEN;
    let mut phase = 0;
    while phase < 4 {
        if fits(sextet, (place + phase) & 3) {
            lanes |= 0xff << (8 * phase);
        }
        phase += 1;
    }
    let mut phase = 0;
    while byte.is_ascii_hexdigit() && phase < 2 {
        if (place + phase) & 1 == 1 || matches!(byte, b'2'..=b'7') {
            lanes |= 0xff << (LANE_HEX + 8 * phase);
        }
        phase += 1;
    }
    lanes
}

/// The top bit of each byte that is a letter of base64 or base64url.
#[inline(always)]
const fn letters(word: u64) -> u64 {
    // A capital with this bit is its small letter; nothing else becomes one.
    between(word | (ONES * 0x20), b'a', b'z')
        | between(word, b'/', b'9')
        | between(word, b'+', b'+')
        | between(word, b'-', b'-')
        | between(word, b'_', b'_')
}

/// Whether the word at an index is one of those that are looked at for a stretch: every other is in
/// any that counts, unless `long` ones, which are shorter, are looked for too.
#[inline(always)]
pub const fn is_asked(index: u32, long: bool) -> bool {
    long || index.is_multiple_of(2)
}

/// Whether neighbouring words have so long a stretch of letters that [`encoded`] is worth it.
#[inline(always)]
pub const fn has_letters(words: [u64; ENCODED_WORDS], long: bool) -> bool {
    let (mut mask, mut at) = (0, 0);
    while at < ENCODED_WORDS {
        mask |= bits(letters(words[at])) << (8 * at);
        at += 1;
    }
    let mut run = mask & (mask >> 1);
    run &= run >> 2;
    run &= run >> 4;
    if long {
        return run & (run >> (LONG_LETTERS_MIN - 8)) != 0;
    }
    run &= run >> 8;
    run & (run >> (STRETCH_LETTERS_MIN - 16)) != 0
}

/// Moves the lanes over one byte.
#[inline(always)]
fn count(lanes: Lanes, byte: u8, place: usize) -> Lanes {
    let goes_on = LANES[place & 3][byte as usize];
    let seen = if byte >= b'a' {
        SEEN_SMALL
    } else if byte >= b'A' {
        SEEN_CAPITAL
    } else {
        SEEN_DIGIT
    };
    // Of what is no digit below the letters, '+', '-' and '/', only '-' stands in ordinary names.
    let seen = if byte == b'-' || byte == b'_' || byte == b'/' { 0 } else { seen };
    ((lanes + 0x0001_0101_0101_0101) | seen << LANE_SEEN) & goes_on
}

/// Whether the lanes say that the letters so far are encoded, or `long` enough where that is asked.
#[inline(always)]
const fn reached(lanes: Lanes, long: bool) -> bool {
    let rhythm = (lanes & !(0xffff << LANE_MIXED)) + REACHED;
    let (letters, seen) = (lanes >> LANE_MIXED & 0xff, lanes >> LANE_SEEN);
    rhythm & REACHED_TOPS != 0
        || (letters >= MIXED_LETTERS_MIN && seen == SEEN_ALL)
        || (long && letters >= LONG_LETTERS_MIN && seen > SEEN_DIGIT)
}

/// Whether neighbouring words hold a stretch of base64 or hexadecimal, or where that is asked a
/// `long` one of letters and digits.
#[inline(always)]
pub fn encoded(words: [u64; ENCODED_WORDS], long: bool) -> bool {
    let (mut lanes, mut found) = (0, false);
    for word in words {
        found |= goes_on(&mut lanes, word, long);
    }
    found
}

/// Moves the lanes over a word; whether they say so anywhere in it.
#[inline(always)]
fn goes_on(lanes: &mut Lanes, word: u64, long: bool) -> bool {
    let (mut word, mut found) = (word, false);
    for place in 0..8 {
        *lanes = count(*lanes, word as u8, place);
        found |= reached(*lanes, long);
        word >>= 8;
    }
    found
}
