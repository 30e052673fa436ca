//! Which detectors each context word speaks for or against. Built once per engine from the words
//! of its detectors; looking a word up is a bit test for most. It splits text into words, and does
//! not know where in a text a word counts: that is [`super::probe`]'s.

use super::detector::Words;
use super::set::Set;
use super::text::{byte, byte_before, slice, small_from};

/// Slots of the filter that tells most words apart from all context words.
const FILTER_BITS: usize = 1 << 17;
/// Slots of the filter by the outline of a word: length, first and last letter.
const OUTLINE_BITS: usize = 1 << 14;
/// First bits of a hash by which slots are found.
const ROW_BITS: u32 = 13;
/// Longest word that is looked up, in bytes: the longest of a built-in term has 54, in Thai.
const WORD_BYTES_MAX: usize = 64;

/// What a term says about detectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Marks {
    /// It speaks for them as a key.
    pub key: Set,
    /// It speaks for them as a key or near by.
    pub near: Set,
    /// As the last word of a key it says that the value is something else.
    pub hostile: Set,
    /// As a word of a key it makes them less likely.
    pub doubtful: Set,
}

impl Marks {
    pub fn union(&mut self, other: &Marks) {
        self.key.union(&other.key);
        self.near.union(&other.near);
        self.hostile.union(&other.hostile);
        self.doubtful.union(&other.doubtful);
    }
}

/// A term: its first word, and the words that must follow.
struct Term {
    words: Vec<Box<[u8]>>,
    /// Place in [`Lexicon::marks`].
    marks: u32,
}

/// The terms of one detector.
pub(super) enum Terms<'w> {
    /// Of a built-in one.
    BuiltIn(Words),
    /// Of one of the policy: they count near by.
    Near(&'w [String]),
}

/// All context words.
pub(super) struct Lexicon {
    /// By length and the first and last letter of a word: whether a term begins with such a word.
    outlines: Vec<u64>,
    filter: Vec<u64>,
    /// Where in `slots` the hashes begin that have the same first bits.
    rows: Vec<u32>,
    /// Places in `terms` of the terms that begin with a word, by the hash of that word.
    slots: Vec<(u64, u32)>,
    terms: Vec<Term>,
    /// What terms say: most say what others do, in 128 bytes.
    marks: Vec<Marks>,
}

impl Lexicon {
    /// The words of detectors, each with its number.
    pub fn new<'w>(rows: impl Iterator<Item = (usize, Terms<'w>)>) -> Lexicon {
        let mut terms: Vec<(&'w str, Marks)> = Vec::new();
        let mut known = std::collections::HashMap::new();
        let mut mark = |term: &'w str, set: &dyn Fn(&mut Marks)| {
            let at = *known.entry(term).or_insert_with(|| {
                terms.push((term, Marks::default()));
                terms.len() - 1
            });
            if let Some((_, marks)) = terms.get_mut(at) {
                set(marks);
            }
        };
        for (index, words) in rows {
            let words = match words {
                Terms::BuiltIn(words) => words,
                Terms::Near(words) => {
                    words.iter().for_each(|term| mark(term, &|marks| marks.near.insert(index)));
                    continue;
                }
            };
            words.key.iter().for_each(|term| mark(term, &|marks| marks.key.insert(index)));
            words.near.iter().for_each(|term| mark(term, &|marks| marks.near.insert(index)));
            words.hostile.iter().for_each(|term| mark(term, &|marks| marks.hostile.insert(index)));
            let doubt = |marks: &mut Marks| marks.doubtful.insert(index);
            words.doubtful.iter().for_each(|term| mark(term, &doubt));
        }
        let mut lexicon = Lexicon {
            outlines: vec![0; OUTLINE_BITS / 64],
            filter: vec![0; FILTER_BITS / 64],
            rows: Vec::new(),
            slots: Vec::new(),
            terms: Vec::new(),
            marks: Vec::new(),
        };
        let mut said = std::collections::HashMap::new();
        for (term, marks) in terms {
            let marks = *said.entry(marks).or_insert_with(|| {
                lexicon.marks.push(marks);
                u32::try_from(lexicon.marks.len() - 1).unwrap_or(u32::MAX)
            });
            let words = words_of(term.as_bytes());
            if words.len() > 1 {
                lexicon.add(vec![words.concat().into_boxed_slice()], marks);
            }
            lexicon.add(words, marks);
        }
        lexicon.slots.shrink_to_fit();
        lexicon.terms.shrink_to_fit();
        lexicon.slots.sort_unstable();
        let mut at = 0;
        for row in 0..=1u64 << ROW_BITS {
            while lexicon.slots.get(at).is_some_and(|(hash, _)| hash >> (64 - ROW_BITS) < row) {
                at += 1;
            }
            lexicon.rows.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        lexicon
    }

    fn add(&mut self, words: Vec<Box<[u8]>>, marks: u32) {
        let Some(first) = words.first() else { return };
        let (word, bit) = outline(first);
        if let Some(word) = self.outlines.get_mut(word) {
            *word |= bit;
        }
        let hash = hash(first);
        let (word, bit) = filter_place(hash);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= bit;
        }
        self.slots.push((hash, u32::try_from(self.terms.len()).unwrap_or(u32::MAX)));
        self.terms.push(Term { words, marks });
    }

    /// Whether a term may begin with the word from `start` to `end` in `text`; what is none mostly
    /// is told without looking it up.
    pub fn may_begin(&self, text: &[u8], (start, end): (usize, usize)) -> bool {
        let word = slice(text, start, end);
        let (place, bit) = outline(word);
        // Of camel case the whole is looked up too, and of what is numbered the rest.
        self.outlines.get(place).is_some_and(|bits| bits & bit != 0)
            || byte(text, end).is_ascii_alphabetic()
            || (!byte(text, start).is_ascii_digit() && byte_before(text, end, 1).is_ascii_digit())
    }

    /// Adds up what the terms say that begin with the word from `start` to `end` in `text`, of
    /// which no term goes beyond `limit`. Gives the end of the longest.
    pub fn look_up(
        &self,
        text: &[u8],
        (start, end): (usize, usize),
        limit: usize,
        marks: &mut Marks,
    ) -> Option<usize> {
        let word = slice(text, start, end);
        if word.len() > WORD_BYTES_MAX {
            return None;
        }
        let found = self.look_up_word(text, word, end, limit, marks);
        let whole = self.look_up_whole(text, (start, end), limit, marks);
        if whole.is_some() {
            return whole.max(found);
        }
        let bare = word.len() - word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        if found.is_some() || bare == word.len() || bare == 0 {
            return found;
        }
        // `ssn2` and `address1` are numbered.
        self.look_up_word(text, slice(text, start, start + bare), end, limit, marks)
    }

    /// Looks up the word of camel case that begins at `start`, where it is one: `myKad`.
    fn look_up_whole(
        &self,
        text: &[u8],
        (start, end): (usize, usize),
        limit: usize,
        marks: &mut Marks,
    ) -> Option<usize> {
        if !byte(text, end).is_ascii_alphabetic() || is_word_byte(byte_before(text, start, 1)) {
            return None;
        }
        let rest = slice(text, end, limit.min(end + WORD_BYTES_MAX));
        let length = rest.iter().position(|b| !is_word_byte(*b)).unwrap_or(rest.len());
        let end = end + length;
        self.look_up_word(text, slice(text, start, end), end, limit, marks)
    }

    fn look_up_word(
        &self,
        text: &[u8],
        word: &[u8],
        end: usize,
        limit: usize,
        marks: &mut Marks,
    ) -> Option<usize> {
        let (place, bit) = outline(word);
        if self.outlines.get(place).is_none_or(|bits| bits & bit == 0) {
            return None;
        }
        let hash = hash(word);
        let (place, bit) = filter_place(hash);
        if self.filter.get(place).is_none_or(|bits| bits & bit == 0) {
            return None;
        }
        let row = (hash >> (64 - ROW_BITS)) as usize;
        let place = |row: usize| self.rows.get(row).map_or(0, |place| *place as usize);
        let slots = self.slots.get(place(row)..place(row + 1)).unwrap_or_default();
        let mut longest = None;
        for (_, at) in slots.iter().filter(|(slot, _)| *slot == hash) {
            let Some(term) = self.terms.get(*at as usize) else { continue };
            if let Some(end) = term.matches(text, word, end).filter(|end| *end <= limit) {
                if let Some(said) = self.marks.get(term.marks as usize) {
                    marks.union(said);
                }
                longest = longest.max(Some(end));
            }
        }
        longest
    }
}

impl Term {
    /// Where the term ends that begins with `word`, which ends at `end`.
    fn matches(&self, text: &[u8], word: &[u8], end: usize) -> Option<usize> {
        let (first, rest) = self.words.split_first()?;
        if !same(first, word) {
            return None;
        }
        rest.iter().try_fold(end, |at, wanted| {
            let (start, end) = next_word(text, at)?;
            let near = start - at <= GAP_BYTES_MAX;
            (near && same(wanted, slice(text, start, end))).then_some(end)
        })
    }
}

/// Bytes between two words of a term.
const GAP_BYTES_MAX: usize = 3;

fn same(term: &[u8], word: &[u8]) -> bool {
    term.len() == word.len() && term.iter().zip(word).all(|(one, other)| fold(*one) == fold(*other))
}

/// Folds case: of ASCII letters, and near enough of the two bytes of a letter of Latin-1.
fn fold(byte: u8) -> u8 {
    if byte.is_ascii_uppercase() || byte >= 0x80 { byte | 0x20 } else { byte }
}

/// The place of a word's length, first and last letter in the filter of outlines. Bits 0 to 4 of a
/// letter do not see its case.
fn outline(word: &[u8]) -> (usize, u64) {
    let letter = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte & 0x1F));
    let place = word.len().min(15) << 10 | letter(word.first()) << 5 | letter(word.last());
    (place / 64, 1 << (place % 64))
}

fn filter_place(hash: u64) -> (usize, u64) {
    let bit = (hash >> 24) as usize % FILTER_BITS;
    (bit / 64, 1 << (bit % 64))
}

/// A hash of a word that does not see its case.
pub(super) fn hash(word: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = word.len() as u64;
    let mut chunks = word.chunks_exact(8);
    for chunk in &mut chunks {
        let chunk = <[u8; 8]>::try_from(chunk).map_or(0, u64::from_le_bytes);
        hash = (hash ^ (chunk | 0x2020_2020_2020_2020)).wrapping_mul(FACTOR).rotate_left(29);
    }
    let rest = chunks.remainder().iter().fold(0, |rest, byte| rest << 8 | u64::from(byte | 0x20));
    (hash ^ rest).wrapping_mul(FACTOR) ^ hash.rotate_left(17)
}

/// Letters, digits and every byte of a letter beyond ASCII.
pub(super) fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80
}

/// The next word at or after `from`. Words end at whatever is no letter or digit, and inside camel
/// case: `cardNumber` and `PANValue` are two words each.
pub(super) fn next_word(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let start = from + text.get(from..)?.iter().position(|b| kind(*b) != Kind::Other)?;
    // Most words have no capital behind their first letter, and end where no letter or digit stands.
    let mut end = start + small_from(text, start + 1, WORD_BYTES_MAX) + 1;
    let mut last = kind(byte(text, end - 1));
    for &byte_here in text.get(end..)? {
        let this = kind(byte_here);
        let ends = match this {
            Kind::Other => true,
            Kind::Digit | Kind::Lower => false,
            Kind::Upper => match last {
                Kind::Lower => true,
                Kind::Upper => {
                    byte(text, end + 1).is_ascii_lowercase() && !is_plural(text, end + 1)
                }
                _ => false,
            },
            Kind::Beyond => is_wide_mark(text, end),
        };
        if ends {
            break;
        }
        last = this;
        end += 1;
    }
    Some((start, end))
}

/// What a byte is in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Digit,
    Lower,
    Upper,
    /// Of a letter beyond ASCII.
    Beyond,
}

fn kind(byte: u8) -> Kind {
    KINDS.get(usize::from(byte)).copied().unwrap_or(Kind::Other)
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => Kind::Digit,
            b'a'..=b'z' => Kind::Lower,
            b'A'..=b'Z' => Kind::Upper,
            0x80.. => Kind::Beyond,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
};

/// Whether the letter at `at` is the `s` of several, as in `SSNs`.
fn is_plural(text: &[u8], at: usize) -> bool {
    byte(text, at) == b's' && !is_word_byte(byte(text, at + 1))
}

/// Whether punctuation of CJK text stands at `at`: U+3000 to U+3002, and U+FF1A, the colon.
fn is_wide_mark(text: &[u8], at: usize) -> bool {
    matches!(slice(text, at, at + 3), [0xE3, 0x80, 0x80..=0x82] | [0xEF, 0xBC, 0x9A])
}

fn words_of(term: &[u8]) -> Vec<Box<[u8]>> {
    term.split(|b| *b == b' ').filter(|word| !word.is_empty()).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words {
        key: &["pan"],
        near: &["card", "social security"],
        hostile: &["ts"],
        doubtful: &[],
    };

    #[track_caller]
    fn check(text: &str, near: bool) {
        let lexicon = Lexicon::new([(7, Terms::BuiltIn(WORDS))].into_iter());
        let (mut marks, mut at) = (Marks::default(), 0);
        while let Some(word) = next_word(text.as_bytes(), at) {
            lexicon.look_up(text.as_bytes(), word, text.len(), &mut marks);
            at = word.1;
        }
        assert_eq!(marks.near.contains(7), near, "{text}");
    }

    #[test]
    fn words_are_split_like_people_read_them() {
        for text in ["cardNumber", "CARD_NUMBER", "x-card", "my card.", "theCARDValue", "<card>"] {
            check(text, true);
        }
        for text in ["discard", "cardinal", "cards", ""] {
            check(text, false);
        }
        for text in ["socialSecurity", "Social-Security no.", "social   security", "socialsecurity"]
        {
            check(text, true);
        }
        check("social", false);
        check("card2", true);
    }
}
