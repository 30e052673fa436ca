//! Which detectors may begin at an anchor, so that most anchors cost one look. Built once per engine.
//! It looks at no value.

use aho_corasick::{AhoCorasick, MatchKind};

use super::detector::{self, Begins, Detector, Find, FindAt, FindField, Tier};
use super::forms::{self, Around, Kinds, Needs, PARTING, Shape};
use super::set::Set;
use super::{key, lexicon, probe, text};

/// Letters before a group of digits that are told apart.
pub(super) const LETTERS_MAX: usize = 5;
/// Digits of a first group that are told apart.
pub(super) const GROUP_MAX: usize = 20;
/// Characters of a word that are told apart.
pub(super) const TOKEN_MAX: usize = 64;
/// Bytes from the first digit on in which digits are counted.
pub(super) const DENSITY_BYTES: usize = 32;

/// What may begin at a group of digits of one length after so many letters.
pub(super) struct Bucket {
    /// No entry needs fewer digits within [`DENSITY_BYTES`].
    pub digits_min: u32,
    /// Forms that are this group and nothing else.
    pub bare: Vec<Bare>,
    /// Of these, the detectors that must be named.
    pub weak: Set,
    /// Whether some of them need not.
    pub has_strong: bool,
    /// Other forms, by what follows the group.
    shapes: Vec<Row>,
    /// Whether some of them may have digits before the group.
    pub may_end: bool,
    /// What begins with a group, and judges itself.
    pub runs: Vec<Start>,
}

/// Digits behind a separator that are told apart.
const SECOND_MAX: usize = 12;
/// Letters and digits of a word that are told apart.
const WORD_MAX: usize = 24;
/// Rows of a bucket's forms: a separator and so many digits follow, or anything else, in a word of so
/// many letters and digits.
const ROWS: usize = SECOND_MAX + 1 + WORD_MAX + 1;

/// The row of a group behind which a separator and so many digits stand, or which is part of a word.
fn row(parted: bool, second: u8, word: u8) -> usize {
    match parted {
        true => usize::from(second).min(SECOND_MAX),
        false => SECOND_MAX + 1 + usize::from(word).min(WORD_MAX),
    }
}

/// Forms of a bucket. What they need stands together, because most need something else.
#[derive(Default)]
struct Row {
    needs: Vec<Needs>,
    kinds: Vec<Kinds>,
    entries: Vec<Entry>,
}

impl Bucket {
    /// The forms that may be written at the group at `at` where that stands around it, and whether
    /// there are any for such surroundings.
    pub fn shapes<'b>(
        &'b self,
        around: Around,
        text: &[u8],
        at: usize,
        mut found: impl FnMut(&'b Entry),
    ) -> bool {
        let row = row(around.next & PARTING != 0, around.second, around.word);
        let Some(row) = self.shapes.get(row) else { return false };
        let mut kinds = None;
        let fitting = (0..).zip(&row.needs).filter(|(_, needs)| needs.fit(&around));
        for (place, _) in fitting {
            let there = kinds.get_or_insert_with(|| Kinds::read(text, at));
            if row.kinds.get(place).is_some_and(|kinds| kinds.fit(there))
                && let Some(entry) = row.entries.get(place)
            {
                found(entry);
            }
        }
        kinds.is_some()
    }

    fn add(&mut self, needs: Needs, entry: &Entry) {
        self.shapes.resize_with(ROWS, Row::default);
        for (at, row) in self.shapes.iter_mut().enumerate() {
            let parted = at <= SECOND_MAX;
            let may = match needs.second {
                Some(second) if parted => at == self::row(true, second, 0),
                None if parted => true,
                _ => at == self::row(false, 0, needs.word),
            };
            let kinds = if parted { PARTING } else { !PARTING };
            let may = may && needs.next & kinds != 0;
            let known = row.needs.iter().zip(&row.entries);
            if may && !known.into_iter().any(|(one, other)| *one == needs && other == entry) {
                row.needs.push(needs);
                row.kinds.push(entry.shape.kinds());
                row.entries.push(entry.clone());
            }
        }
    }
}

/// A detector that judges itself what begins with a group of digits.
pub(super) struct Start {
    /// Least digits within [`DENSITY_BYTES`].
    digits: u32,
    /// The bytes that may follow the group, as bits.
    next: [u64; 4],
    /// Whether digits must follow those.
    goes_on: bool,
    pub index: usize,
    pub find: FindAt,
}

impl Start {
    /// Whether something may begin with a group, with so many digits near it, where `next` follows
    /// and so many digits behind that.
    pub fn may_be(&self, near: u32, next: u8, second: usize) -> bool {
        let follows = self.next[usize::from(next >> 6)] >> (next & 63) & 1 == 1;
        // What follows a separator of more bytes is not looked at here.
        near >= self.digits && follows && !(self.goes_on && second == 0 && next.is_ascii())
    }
}

/// A form that is one group of digits.
pub(super) struct Bare {
    pub index: usize,
    pub worth_db: i16,
    /// Whether it must be named.
    pub weak: bool,
}

/// A form that begins with a group of digits.
#[derive(Clone, PartialEq)]
pub(super) struct Entry {
    pub index: usize,
    pub shape: Shape,
}

/// The detectors of words of one length.
#[derive(Default, Clone)]
pub(super) struct Tokens {
    /// Number of the detector, and whether letters may be in lower case.
    pub rows: Vec<(usize, bool)>,
    /// Those that must be named.
    pub weak: Set,
    /// Whether any of them may be in lower case.
    pub any_case: bool,
}

/// Everything that may begin somewhere.
pub(super) struct Index {
    /// By letters before and digits of the first group.
    buckets: Vec<Bucket>,
    /// By length.
    tokens: Vec<Tokens>,
    /// By length: the detectors of whole words.
    words: Vec<Vec<(usize, FindField)>>,
    /// By the last three bits of a mark.
    marks: [Vec<(usize, FindAt)>; 8],
    /// By the byte of punctuation.
    pub joints: Vec<(u8, usize, FindAt)>,
    pub keyed: Keyed,
    pub literals: Option<AhoCorasick>,
    /// The detector behind each literal.
    pub literal_rows: Vec<(usize, FindAt)>,
}

/// The detectors of values under a key.
#[derive(Default)]
pub(super) struct Keyed {
    pub rows: Vec<(usize, FindField)>,
    /// By the last three letters of a key: whether a term ends so.
    endings: Vec<u64>,
    /// As `endings`, of last words of one or two letters.
    shorts: Vec<u64>,
    /// By a hash of the last word of terms of one word, and of the last two of longer ones.
    tails: Vec<u64>,
    /// By a hash of the last word of longer terms.
    lasts: Vec<u64>,
}

/// How a key ends, by hashes of its words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ending {
    /// The last word that is no number.
    pub last: u64,
    /// The last two, 0 where there is one.
    pub pair: u64,
}

impl Ending {
    /// Whether the key is one word.
    pub fn is_one_word(self) -> bool {
        self.last != 0 && self.pair == 0
    }

    /// How the name ends of the key before the value at `start`.
    pub fn before(text: &[u8], start: usize) -> Ending {
        let mut ending = Ending::default();
        let operator = key::operator_before(text, start);
        let Some((mut at, end)) = operator.and_then(|end| key::key_of(text, end)) else {
            return ending;
        };
        while let Some(word) = lexicon::next_word(text, at).filter(|word| word.1 <= end) {
            ending.add(text::slice(text, word.0, word.1));
            at = word.1;
        }
        ending
    }

    /// With one word more at the end, if it is no number.
    pub fn add(&mut self, word: &[u8]) {
        if !word.iter().all(u8::is_ascii_digit) {
            self.push(lexicon::hash(word));
        }
    }

    /// With one word more at the end.
    pub fn push(&mut self, word: u64) {
        self.pair = if self.last == 0 { 0 } else { pair(self.last, word) };
        self.last = word;
    }
}

fn pair(one: u64, other: u64) -> u64 {
    (one.rotate_left(31) ^ other).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

impl Index {
    /// What the detectors look for, each with its number, and where `wide` in all ways.
    pub fn new(rows: &[(usize, &Detector)], wide: bool) -> Index {
        let bucket = || Bucket {
            digits_min: u32::MAX,
            bare: Vec::new(),
            weak: Set::default(),
            has_strong: false,
            shapes: Vec::new(),
            may_end: false,
            runs: Vec::new(),
        };
        let mut index = Index {
            buckets: (0..=LETTERS_MAX).flat_map(|_| 0..=GROUP_MAX).map(|_| bucket()).collect(),
            tokens: vec![Tokens::default(); TOKEN_MAX + 1],
            words: vec![Vec::new(); TOKEN_MAX + 1],
            marks: Default::default(),
            joints: Vec::new(),
            keyed: Keyed::default(),
            literals: None,
            literal_rows: Vec::new(),
        };
        let mut literals = Vec::new();
        for (number, row) in rows {
            index.add(*number, row, row.find, &mut literals);
            if let Some(find) = row.wide.filter(|_| wide) {
                index.add(*number, row, find, &mut literals);
            }
        }
        if !literals.is_empty() {
            // Of two literals that begin at the same byte the longer one counts: `sk-ant-` is no
            // `sk-`.
            let kind = MatchKind::LeftmostLongest;
            index.literals = AhoCorasick::builder().match_kind(kind).build(&literals).ok();
        }
        index
    }

    /// What may begin at a group of so many digits after so many letters.
    pub fn bucket(&self, letters: usize, group: usize) -> Option<&Bucket> {
        self.buckets.get(place(letters, group))
    }

    /// The detectors of words of so many characters, by form and by what they find themselves.
    pub fn words(&self, length: usize) -> (&Tokens, &[(usize, FindField)]) {
        static NONE: Tokens = Tokens { rows: Vec::new(), weak: Set::NONE, any_case: false };
        let tokens = self.tokens.get(length).unwrap_or(&NONE);
        (tokens, self.words.get(length).map_or(&[][..], Vec::as_slice))
    }

    /// What may begin at a mark.
    pub fn at_mark(&self, mark: u8) -> &[(usize, FindAt)] {
        self.marks.get(mark_place(mark)).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, index: usize, row: &Detector, find: Find, literals: &mut Vec<&'static str>) {
        match find {
            Find::Forms(forms) => {
                let shapes = forms.iter().flat_map(forms::shapes);
                shapes.for_each(|shape| self.add_shape(index, row, &shape));
            }
            Find::Token { min, max, any_case } => {
                let lengths = self.tokens.get_mut(min..=max.min(TOKEN_MAX)).into_iter().flatten();
                for tokens in lengths {
                    tokens.rows.push((index, any_case));
                    tokens.any_case |= any_case;
                    if row.tier == Tier::Weak {
                        tokens.weak.insert(index);
                    }
                }
            }
            Find::Word { min, max, find } => {
                let lengths = self.words.get_mut(min..=max.min(TOKEN_MAX)).into_iter().flatten();
                lengths.for_each(|rows| rows.push((index, find)));
            }
            Find::Digits(begins, find) => self.add_start(0, begins, index, find),
            Find::AfterLetters(letters, find) => {
                self.add_start(letters, detector::whole(1, GROUP_MAX), index, find);
            }
            Find::Mark(mark, find) => {
                if let Some(rows) = self.marks.get_mut(mark_place(mark)) {
                    rows.push((index, find));
                }
            }
            Find::Joint(byte, find) => self.joints.push((byte, index, find)),
            Find::Literal(strings, find) => {
                literals.extend(strings);
                self.literal_rows.extend(strings.iter().map(|_| (index, find)));
            }
            Find::Key(find) => self.keyed.add(index, row, find),
            Find::Any(finds) => finds.iter().for_each(|find| self.add(index, row, *find, literals)),
        }
    }

    fn add_start(&mut self, letters: usize, begins: Begins, index: usize, find: FindAt) {
        let mut next = [if begins.next.is_empty() { u64::MAX } else { 0 }; 4];
        for byte in begins.next {
            next[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        for group in begins.group.0..=begins.group.1.min(GROUP_MAX) {
            let Some(bucket) = self.buckets.get_mut(place(letters, group)) else { continue };
            let (digits, goes_on) = (begins.digits, begins.goes_on);
            bucket.runs.push(Start { digits, next, goes_on, index, find });
            bucket.digits_min = bucket.digits_min.min(digits);
        }
    }

    fn add_shape(&mut self, index: usize, row: &Detector, shape: &Shape) {
        let digits_min = u32::try_from(shape.digits_min(DENSITY_BYTES)).unwrap_or(0);
        for letters in shape.letters.0..=shape.letters.1 {
            for group in shape.group.0..=shape.group.1.min(GROUP_MAX) {
                let Some(bucket) = self.buckets.get_mut(place(letters, group)) else { continue };
                bucket.digits_min = bucket.digits_min.min(digits_min);
                if shape.is_bare(group) {
                    let weak = row.tier == Tier::Weak || shape.needs_context;
                    bucket.bare.push(Bare { index, worth_db: shape.worth_db, weak });
                    if weak {
                        bucket.weak.insert(index);
                    }
                    bucket.has_strong |= !weak;
                    continue;
                }
                bucket.may_end |= shape.may_end();
                let needs = shape.needs(group, DENSITY_BYTES);
                bucket.add(needs, &Entry { index, shape: shape.clone() });
            }
        }
    }
}

/// `+` and the marks from `:` to `@` are told apart by their last three bits.
fn mark_place(mark: u8) -> usize {
    // `+` and `;` share them; no detector begins at `;`.
    usize::from(mark & 7)
}

/// The place of a bucket.
fn place(letters: usize, group: usize) -> usize {
    letters.min(LETTERS_MAX) * (GROUP_MAX + 1) + group.min(GROUP_MAX)
}

impl Keyed {
    /// Bits of the filter.
    const BITS: usize = 1 << 14;
    /// Three letters of an ending, of each the bits that do not see its case.
    const ENDINGS: usize = 1 << 15;
    /// Quotes and blanks between a key and its operator, and digits at the end of a key.
    const SKIPPED: usize = 6;

    fn add(&mut self, index: usize, row: &Detector, find: FindField) {
        self.rows.push((index, find));
        for bits in [&mut self.tails, &mut self.lasts] {
            bits.resize(Keyed::BITS / 64, 0);
        }
        self.endings.resize(Keyed::ENDINGS / 64, 0);
        self.shorts.resize(Keyed::ENDINGS / 64, 0);
        for term in row.words.key.iter().chain(row.words.near) {
            self.add_ending(term);
            // Written together, the last letters may be of two words.
            let together = term.replace(' ', "");
            self.add_ending(&together);
            set_bit(&mut self.tails, lexicon::hash(together.as_bytes()));
            let mut ending = Ending::default();
            term.split(' ').for_each(|word| ending.push(lexicon::hash(word.as_bytes())));
            if ending.pair != 0 {
                set_bit(&mut self.tails, ending.pair);
                set_bit(&mut self.lasts, ending.last);
            }
        }
        for term in probe::UNNAMED {
            self.add_ending(term);
            set_bit(&mut self.lasts, lexicon::hash(term.as_bytes()));
        }
    }

    /// Whether a term may end a key that ends so. The beginning of the term may stand in the key above.
    pub fn may_end(&self, ending: Ending) -> bool {
        let whole = ending.pair == 0 && has_bit(&self.lasts, ending.last);
        whole || has_bit(&self.tails, ending.last) || has_bit(&self.tails, ending.pair)
    }

    fn add_ending(&mut self, term: &str) {
        let last = term.rsplit(' ').next().unwrap_or_default();
        let letters = last.bytes().rev().take(3).enumerate();
        let place = letters.fold(0, |all, (at, byte)| all | usize::from(byte & 0x1F) << (5 * at));
        let bits = if last.len() < 3 { &mut self.shorts } else { &mut self.endings };
        if let Some(bits) = bits.get_mut(place / 64) {
            *bits |= 1 << (place % 64);
        }
    }

    /// Whether a term may end before the operator at `at`.
    pub fn may_name(&self, text: &[u8], at: usize) -> bool {
        if self.rows.is_empty() {
            return false;
        }
        let mut end = at;
        let floor = at.saturating_sub(Keyed::SKIPPED);
        while end > floor
            && matches!(
                text::byte_before(text, end, 1),
                b'"' | b'\'' | b'\\' | b' ' | b'_' | b'-' | b']' | b'0'..=b'9'
            )
        {
            end -= 1;
        }
        let [last, second, third] = [1, 2, 3].map(|back| text::byte_before(text, end, back));
        let letter = |byte: u8| usize::from(byte & 0x1F);
        let has = |bits: &[u64], at: usize| {
            bits.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
        };
        // A short word begins where no letter stands before it, or with a capital.
        let begins =
            |first: u8, before: u8| !lexicon::is_word_byte(before) || first.is_ascii_uppercase();
        let two = letter(last) | letter(second) << 5;
        has(&self.endings, two | letter(third) << 10)
            || begins(second, third) && has(&self.shorts, two)
            || begins(last, second) && has(&self.shorts, letter(last))
    }
}

fn set_bit(bits: &mut [u64], hash: u64) {
    let bit = (hash >> 32) as usize % Keyed::BITS;
    if let Some(word) = bits.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

fn has_bit(bits: &[u64], hash: u64) -> bool {
    let bit = (hash >> 32) as usize % Keyed::BITS;
    bits.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}
