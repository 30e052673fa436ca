//! What the names of keys and columns say of the values under them. Each name of a text is read
//! once: texts have few that differ. Where a name stands is [`super::key`]'s to find.

use super::index::Ending;
use super::key;
use super::lexicon::{Lexicon, Marks, next_word};
use super::set::Set;
use super::text::slice;

/// Names of a text that are remembered: as many as a byte tells apart.
const KNOWN_MAX: usize = 255;
/// Words of a term that ends a name.
const TERM_WORDS_MAX: usize = 6;
/// Bytes of a name, in prose with the words before it, of the name above it, and of what joins them.
const JOINED_BYTES_MAX: usize = 177;

/// Words of keys that say nothing of what is stored under them.
#[rustfmt::skip]
const GENERIC: &[&str] = &[
    "value", "val", "values", "number", "numbers", "no", "nr", "num", "data", "text", "content",
    "field", "input", "answer", "is", "string", "code", "nummer", "numero", "número", "numéro",
    "wert", "valor", "valeur", "valore", "param", "arg", "raw", "item",
];

/// What the name of a key says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Key {
    /// Those that it names.
    pub named: Set,
    /// Those of which it says that the value is something else.
    pub hostile: Set,
    /// One of its words, whichever, speaks against them.
    pub against: Set,
    /// Those that it makes less likely.
    pub doubtful: Set,
    /// How it ends.
    pub ending: Ending,
    /// It says nothing either way, to nobody.
    pub generic: bool,
}

impl Key {
    /// Reads a name.
    pub fn read(text: &[u8], span: (usize, usize), lexicon: &Lexicon) -> Key {
        let mut all = Marks::default();
        let mut head = Marks::default();
        let (mut at, mut generic, mut ending) = (span.0, true, Ending::default());
        while let Some((start, end)) = next_word(text, at).filter(|word| word.1 <= span.1) {
            head = Marks::default();
            lexicon.look_up(text, (start, end), span.1, &mut head);
            all.union(&head);
            let word = slice(text, start, end);
            ending.add(word);
            generic = generic && is_generic(word);
            at = end;
        }
        // The last word is what the thing is: a `card_timestamp` is a timestamp.
        let mut named = all.key;
        named.union(&all.near);
        let (against, mut hostile) = (all.hostile, all.hostile);
        hostile.remove(&named);
        hostile.union(&head.hostile);
        Key { named, hostile, against, ending, doubtful: all.doubtful, generic }
    }

    /// The detectors that it names.
    pub fn says(&self) -> Set {
        let mut named = self.named;
        named.remove(&self.hostile);
        named
    }
}

fn is_generic(word: &[u8]) -> bool {
    (word.len() <= 2 && !word.eq_ignore_ascii_case(b"id"))
        || word.iter().all(u8::is_ascii_digit)
        || GENERIC.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// The key of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Where its name stands.
    pub span: Option<(usize, usize)>,
    /// Its place in [`Keys`], until another name is read there.
    place: usize,
    hash: u64,
    /// It says nothing, or is a word of prose: words near by count too.
    pub open: bool,
}

/// The names of a text that were read.
pub(super) struct Keys {
    /// The first is that of a value without a key.
    known: Vec<(u64, Key)>,
    /// By a hash: the place in `known`, 0 where there is none.
    places: [u8; KNOWN_MAX],
    /// The key of the operator that was looked at last.
    last: Option<(usize, Found)>,
    /// What two names say together, by a hash of both.
    joined: Vec<(u64, Set)>,
    joined_places: [u8; KNOWN_MAX],
}

impl Keys {
    pub fn new() -> Keys {
        // Room for the keys of a short text.
        let mut known = Vec::with_capacity(4);
        known.push((0, Key::default()));
        Keys {
            known,
            places: [0; KNOWN_MAX],
            last: None,
            joined: Vec::new(),
            joined_places: [0; KNOWN_MAX],
        }
    }

    /// Whether it still has what was found.
    pub fn has(&self, found: Found) -> bool {
        self.known.get(found.place).is_some_and(|(hash, _)| *hash == found.hash)
    }

    /// What was found says, as long as no other name was read since.
    pub fn get(&self, found: Found) -> &Key {
        static NONE: Key = Key {
            named: Set::NONE,
            hostile: Set::NONE,
            against: Set::NONE,
            doubtful: Set::NONE,
            ending: Ending { last: 0, pair: 0 },
            generic: false,
        };
        self.known.get(found.place).map_or(&NONE, |(_, key)| key)
    }

    /// The key before the value at `start`.
    pub fn before(&mut self, text: &[u8], start: usize, lexicon: &Lexicon) -> Found {
        const NONE: Found = Found { span: None, place: 0, hash: 0, open: false };
        let Some(operator) = key::operator_before(text, start) else { return NONE };
        if let Some((at, found)) = self.last
            && at == operator
            && self.has(found)
        {
            return found;
        }
        let found = match key::key_of(text, operator) {
            Some(span) => self.named(text, span, lexicon),
            None => NONE,
        };
        self.last = Some((operator, found));
        found
    }

    /// What the name at `span` says.
    pub fn get_named(&mut self, text: &[u8], span: (usize, usize), lexicon: &Lexicon) -> &Key {
        let found = self.named(text, span, lexicon);
        self.get(found)
    }

    /// The key that has its name at `span`.
    pub fn named(&mut self, text: &[u8], span: (usize, usize), lexicon: &Lexicon) -> Found {
        let bytes = hash(slice(text, span.0, span.1), 0);
        let slot = (bytes >> 32) as usize % KNOWN_MAX;
        let mut place = self.places.get(slot).map_or(0, |place| usize::from(*place));
        if place == 0 || self.known.get(place).is_none_or(|(known, _)| *known != bytes) {
            let key = Key::read(text, span, lexicon);
            place = remember(&mut self.known, &mut self.places, slot, place, (bytes, key));
        }
        let generic = self.known.get(place).is_some_and(|(_, key)| key.generic);
        Found { span: Some(span), place, hash: bytes, open: generic || key::is_prose(text, span) }
    }

    /// The detectors of which a term ends the two names together: `tax` and `id`. The number at the
    /// end does not count.
    pub fn joined(
        &mut self,
        text: &[u8],
        outer: (usize, usize),
        inner: (usize, usize),
        lexicon: &Lexicon,
    ) -> Set {
        let parts = [slice(text, outer.0, outer.1), b".", slice(text, inner.0, inner.1)];
        let bytes = hash(parts[2], hash(parts[0], 1));
        let slot = (bytes >> 32) as usize % KNOWN_MAX;
        let place = self.joined_places.get(slot).map_or(0, |place| usize::from(*place));
        if let Some((known, set)) = self.joined.get(place)
            && *known == bytes
        {
            return *set;
        }
        let mut joined = [0u8; JOINED_BYTES_MAX];
        let mut length = 0;
        for (slot, byte) in joined.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
            length += 1;
        }
        let set = terms_at_end(slice(&joined, 0, length), lexicon);
        if self.joined.is_empty() {
            self.joined.push((0, Set::NONE));
        }
        remember(&mut self.joined, &mut self.joined_places, slot, place, (bytes, set));
        set
    }
}

/// Puts what was read into the place that its hash had, or a new one. Gives the place.
fn remember<T>(
    known: &mut Vec<T>,
    places: &mut [u8; KNOWN_MAX],
    slot: usize,
    place: usize,
    what: T,
) -> usize {
    if place > 0
        && let Some(old) = known.get_mut(place)
    {
        *old = what;
        return place;
    }
    known.push(what);
    let place = known.len() - 1;
    if let (Some(slot), Ok(place)) = (places.get_mut(slot), u8::try_from(place)) {
        *slot = place;
    }
    place
}

/// The detectors of which a term ends `name`, the number at its end apart.
fn terms_at_end(name: &[u8], lexicon: &Lexicon) -> Set {
    let mut words = [(0usize, 0usize); TERM_WORDS_MAX];
    let (mut at, mut count) = (0, 0);
    while let Some(word) = next_word(name, at) {
        at = word.1;
        if count > 0 && slice(name, word.0, word.1).iter().all(u8::is_ascii_digit) {
            continue;
        }
        words.rotate_left(1);
        if let Some(last) = words.last_mut() {
            *last = word;
        }
        count += 1;
    }
    let last = words.last().map_or(0, |word| word.1);
    let mut named = Set::default();
    for word in words.iter().rev().take(count) {
        let mut marks = Marks::default();
        if lexicon.look_up(name, *word, last, &mut marks) == Some(last) {
            named.union(&marks.key);
            named.union(&marks.near);
        }
    }
    named
}

/// A hash of bytes as they are.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = seed ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let chunk = <[u8; 8]>::try_from(chunk).map_or(0, u64::from_le_bytes);
        hash = (hash ^ chunk).wrapping_mul(FACTOR).rotate_left(29);
    }
    let rest = chunks.remainder().iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
    let hash = (hash ^ rest).wrapping_mul(FACTOR);
    hash ^ hash >> 29
}
