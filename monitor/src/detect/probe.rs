//! What stands around the values of one text: keys, paths and words near by, each read once and
//! only where something may depend on it. Weighs a candidate with what it finds.
//!
//! Where a value has a key, the key decides; a key that says nothing (`value`, `number`) leaves it
//! to the keys above it and to the words near by. Words near by count for values without a key.

use super::columns::{self, Header};
use super::evidence::{self, Candidate, Reasons};
use super::index::{Ending, Keyed};
use super::key;
use super::lexicon::{Lexicon, Marks, hash, is_word_byte, next_word};
use super::set::Set;
use super::text::{Boundary, boundary, byte, byte_before, slice};
use super::{DetectorId, Hit, Outcome, TableOf};
use crate::model::Confidence;

/// Bytes before a value in which a word counts as next to it.
const NEAR_BEFORE_BYTES: usize = 60;
/// Bytes after a value in which a word counts as next to it.
const NEAR_AFTER_BYTES: usize = 30;
/// Bytes of a text that may be nothing but one value.
const ALONE_BYTES_MAX: usize = 128;
/// Letters of a word that shows that a text is more than a value.
const WORD_LETTERS_MIN: usize = 2;
/// Words between the values of a list.
const JOINING: [&[u8]; 2] = [b"and", b"or"];

/// Keys that only repeat what the key above them names.
pub(super) const UNNAMED: [&str; 6] = ["value", "val", "values", "text", "content", "raw"];

/// Words of a term that ends a key.
const TERM_WORDS_MAX: usize = 6;
/// Bytes of a key, in prose with the words before it, of the key above it, and of what joins them.
const JOINED_BYTES_MAX: usize = 177;

/// Keys of a text whose words are remembered.
const KEYS_KNOWN: usize = 64;

/// Words of keys that say nothing of what is stored under them.
#[rustfmt::skip]
const GENERIC: &[&str] = &[
    "value", "val", "values", "number", "numbers", "no", "nr", "num", "data", "text", "content",
    "field", "input", "answer", "is", "string", "code", "nummer", "numero", "número", "numéro",
    "wert", "valor", "valeur", "valore", "param", "arg", "raw", "item",
];

/// One text under examination.
pub struct Probe<'t> {
    /// The text.
    pub text: &'t [u8],
    lexicon: &'t Lexicon,
    key: Option<(usize, Key)>,
    /// What keys say that were read, by a hash of their bytes: a text has few that differ.
    keys: Vec<(u64, Key)>,
    path: Option<(usize, Set)>,
    /// What the keys above the values of an object or array name, by its bracket.
    object: Option<(usize, Set)>,
    near: Near,
    near_set: Option<((usize, usize), Set)>,
    alone: Option<((usize, usize), bool)>,
    sql: Option<bool>,
    table: &'t Table,
    /// Whether the header of the table is not in this text.
    goes_on: bool,
    column: Option<(usize, Key)>,
}

/// The columns of a table, and what their names say.
#[derive(Default)]
pub struct Table {
    pub(super) header: Option<Header>,
    keys: Vec<Key>,
}

impl Table {
    /// The table that `text` begins with, if it does with one.
    pub(super) fn read(text: &[u8], lexicon: &Lexicon) -> Table {
        let header = Header::read(text);
        let names = header.as_ref().map_or(&[][..], Header::names);
        let keys = names.iter().map(|name| read_key(text, *name, lexicon)).collect();
        Table { header, keys }
    }

    /// Whether the name of a column may end with what a value under a key is found by.
    pub(super) fn may_be_keyed(&self, column: usize, keyed: &Keyed) -> bool {
        self.keys.get(column).is_some_and(|key| keyed.may_end(key.ending))
    }
}

/// What the key of a value says.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    span: Option<(usize, usize)>,
    named: Set,
    hostile: Set,
    /// One of its words, whichever, speaks against them.
    against: Set,
    doubtful: Set,
    /// How it ends.
    ending: Ending,
    /// It says nothing either way, to nobody, or is a word of prose: words near by count too.
    open: bool,
}

/// Context words of the text, up to where it was read.
#[derive(Default)]
struct Near {
    words: Vec<(usize, usize, Set)>,
    /// From where on they are known without a gap.
    since: usize,
    upto: usize,
}

/// What the surroundings say of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Hostile,
    Doubtful,
    Silent,
    Named(Reasons, i16),
}

impl<'t> Probe<'t> {
    pub(super) fn new(text: &'t [u8], lexicon: &'t Lexicon, table: TableOf<'t>) -> Probe<'t> {
        let near = Near::default();
        Probe {
            text,
            lexicon,
            key: None,
            keys: Vec::new(),
            path: None,
            object: None,
            near_set: None,
            near,
            alone: None,
            sql: None,
            table: table.table,
            goes_on: table.goes_on,
            column: None,
        }
    }

    /// The table that the text is part of.
    pub(super) fn table(&self) -> &'t Table {
        self.table
    }

    /// Weighs a value of the detector with its surroundings.
    ///
    /// # Errors
    ///
    /// Evidence, reasons and outcome, where it is not reported.
    pub(super) fn weigh(
        &mut self,
        index: usize,
        found: &Candidate,
    ) -> Result<Hit, (i16, Reasons, Outcome)> {
        let (start, end) = (found.start, found.end);
        let joined = !found.own_bounds && boundary(self.text, start, end) == Boundary::Joined;
        let mut reasons = found.reasons;
        let mut score_db = found.worth_db;
        let mut at_most = found.at_most;
        let verdict = match found.under_key {
            true => Verdict::Named(Reasons::KEY, evidence::KEY_DB),
            false => self.verdict(index, start, end),
        };
        match verdict {
            Verdict::Hostile => return Err((score_db, reasons, Outcome::NamedOtherwise)),
            Verdict::Named(reason, db) => {
                reasons = reasons.and(reason);
                score_db += db;
            }
            Verdict::Silent if !joined && self.is_alone(start, end) => {
                reasons = reasons.and(Reasons::ALONE);
                score_db += evidence::ALONE_DB;
                let most = match evidence::confidence(found.worth_db) {
                    _ if found.needs_context => Confidence::Low,
                    Some(Confidence::High) => Confidence::High,
                    _ => Confidence::Medium,
                };
                at_most = at_most.min(most);
            }
            Verdict::Silent | Verdict::Doubtful if found.needs_context => {
                return Err((score_db, reasons, Outcome::NeedsContext));
            }
            Verdict::Silent => {}
            Verdict::Doubtful => {
                reasons = reasons.and(Reasons::DOUBT);
                score_db -= evidence::DOUBT_DB;
            }
        }
        if joined && !matches!(verdict, Verdict::Named(..)) {
            reasons = reasons.and(Reasons::JOINED);
            score_db -= evidence::JOINED_DB;
        }
        let partial = start == 0 || end == self.text.len();
        if partial {
            reasons = reasons.and(Reasons::PARTIAL);
        }
        if found.test_data {
            reasons = reasons.and(Reasons::TEST);
        }
        let confidence = evidence::confidence(score_db)
            .ok_or((score_db, reasons, Outcome::TooLittle))?
            .min(at_most);
        Ok(Hit {
            detector: DetectorId::built_in(index),
            start,
            end,
            confidence,
            score_db,
            reasons,
            partial,
            test_data: found.test_data,
            key: self.key_at(start).span,
            rival: None,
        })
    }

    /// The detectors that the name of the column names that the value at `start` stands in.
    pub(super) fn named_by_column(&mut self, start: usize) -> Set {
        match self.key_at(start).span {
            Some(_) => Set::default(),
            None => self.column_at(start).says(),
        }
    }

    /// The detectors of which a term ends the key that the value at `start` is stored under, and no
    /// word of that key speaks against it. The term may begin in the key above: `user`, `name`.
    pub(super) fn named_by_end(&mut self, start: usize, keyed: &Keyed) -> Set {
        let key = self.key_at(start);
        if !keyed.may_end(key.ending) {
            return Set::default();
        }
        let Some((outer, inner)) = self.named_key(start) else { return Set::default() };
        let (joined, length) = self.join(outer, inner);
        let mut named = self.terms_at_end(slice(&joined, 0, length));
        named.remove(&key.against);
        named
    }

    /// The detectors of which a term ends the words of `key`, the number at its end apart.
    fn terms_at_end(&self, key: &[u8]) -> Set {
        let mut words = [(0usize, 0usize); TERM_WORDS_MAX];
        let (mut at, mut count) = (0, 0);
        while let Some(word) = next_word(key, at) {
            at = word.1;
            if count > 0 && slice(key, word.0, word.1).iter().all(u8::is_ascii_digit) {
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
            if self.lexicon.look_up(key, *word, last, &mut marks) == Some(last) {
                named.union(&marks.key);
                named.union(&marks.near);
            }
        }
        named
    }

    /// The span of the key of the value at `start`, in prose with the words before it: `full name` of `her full name: …`.
    fn wide_key(&mut self, start: usize) -> Option<(usize, usize)> {
        let span = self.key_at(start).span?;
        let wide = if key::is_prose(self.text, span) {
            key::words_before(self.text, span.0)
        } else {
            span.0
        };
        Some((wide, span.1))
    }

    /// The span of the name of the column that the value at `start` stands in, where it is in this
    /// text.
    fn column_name(&mut self, start: usize) -> Option<(usize, usize)> {
        let span = self.column_at(start).span?;
        (self.table.header.is_none() || !self.goes_on).then_some(span)
    }

    /// The spans of the key above that key, empty where there is none, and of that key; of one that
    /// says nothing (`value`), of those above it.
    pub(super) fn named_key(&mut self, start: usize) -> Option<((usize, usize), (usize, usize))> {
        let Some(inner) = self.wide_key(start) else {
            return self.column_name(start).map(|name| ((name.0, name.0), name));
        };
        let mut above = key::path_before(self.text, start);
        let mut outer = above.next().unwrap_or((inner.0, inner.0));
        // An array: its key is that of its values.
        if outer == inner {
            outer = above.next().unwrap_or((inner.0, inner.0));
        }
        let name = slice(self.text, inner.0, inner.1);
        if outer.0 < outer.1
            && UNNAMED.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
        {
            return Some((above.next().unwrap_or((outer.0, outer.0)), outer));
        }
        Some((outer, inner))
    }

    /// Whether the key, the path or words near by name the detector, for detectors whose shape
    /// depends on it.
    pub(super) fn is_named(&mut self, index: usize, start: usize, end: usize) -> bool {
        matches!(self.verdict(index, start, end), Verdict::Named(..))
    }

    /// Whether it is named, or there is nothing that could name it.
    pub(super) fn is_named_or_alone(&mut self, index: usize, start: usize, end: usize) -> bool {
        self.is_alone(start, end) || self.is_named(index, start, end)
    }

    /// Those of the `wanted` detectors that something around the value names.
    pub(super) fn named(&mut self, start: usize, end: usize, wanted: &Set) -> Set {
        let key = self.key_at(start);
        let mut wanted = *wanted;
        // Of most numbers the key says to all of them that they are a time, a size or a count.
        wanted.remove(&key.hostile);
        if wanted.is_empty() {
            return wanted;
        }
        let mut named = key.named;
        named.union(&self.path_at(start));
        let mut in_column = false;
        if key.span.is_none() {
            let column = self.column_at(start);
            named.union(&column.named);
            in_column = column.span.is_some();
        }
        if !in_column && (key.span.is_none() || key.open) {
            named.union(&self.near_at(start, end));
        }
        named.keep(&wanted);
        named
    }

    fn verdict(&mut self, index: usize, start: usize, end: usize) -> Verdict {
        let key = self.key_at(start);
        if key.hostile.contains(index) {
            return Verdict::Hostile;
        }
        if key.named.contains(index) {
            return Verdict::Named(Reasons::KEY, evidence::KEY_DB);
        }
        if self.path_at(start).contains(index) {
            return Verdict::Named(Reasons::PATH, evidence::KEY_DB);
        }
        if key.span.is_none() {
            let column = self.column_at(start);
            if column.hostile.contains(index) {
                return Verdict::Hostile;
            }
            if column.named.contains(index) {
                return Verdict::Named(Reasons::COLUMN, evidence::KEY_DB);
            }
            if column.span.is_some() {
                // What stands next to it in the row is another column.
                let doubtful = column.doubtful.contains(index);
                return if doubtful { Verdict::Doubtful } else { Verdict::Silent };
            }
        }
        if (key.span.is_none() || key.open) && self.near_at(start, end).contains(index) {
            return Verdict::Named(Reasons::NEAR, evidence::NEAR_DB);
        }
        if key.doubtful.contains(index) { Verdict::Doubtful } else { Verdict::Silent }
    }

    /// What the key says that the value at `start` is stored under.
    fn key_at(&mut self, start: usize) -> Key {
        if let Some((_, key)) = self.key.filter(|(at, _)| *at == start) {
            return key;
        }
        let key = match key::key_before(self.text, start) {
            Some(span) => self.known_key(span),
            None => Key::default(),
        };
        self.key = Some((start, key));
        key
    }

    fn known_key(&mut self, span: (usize, usize)) -> Key {
        let name = slice(self.text, span.0, span.1);
        let bytes = name.iter().fold(name.len() as u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        self.keys.resize(KEYS_KNOWN, (0, Key::default()));
        let place = (bytes >> 32) as usize % KEYS_KNOWN;
        let prose = key::is_prose(self.text, span);
        if let Some((_, key)) = self.keys.get(place).filter(|(known, _)| *known == bytes) {
            return Key { span: Some(span), open: key.open || prose, ..*key };
        }
        let key = read_key(self.text, span, self.lexicon);
        if let Some(slot) = self.keys.get_mut(place).filter(|_| !prose) {
            *slot = (bytes, key);
        }
        key
    }

    /// What the name of the column says that the value at `start` stands in.
    fn column_at(&mut self, start: usize) -> Key {
        if let Some((_, column)) = self.column.filter(|(at, _)| *at == start) {
            return column;
        }
        let text = self.text;
        let table = self.table;
        let in_table = table.header.as_ref().and_then(|header| header.column_at(text, start));
        let column = match in_table.and_then(|column| table.keys.get(column)) {
            Some(key) => *key,
            None if self.is_sql() => columns::sql_column(text, start)
                .map_or_else(Key::default, |name| read_key(text, name, self.lexicon)),
            None => Key::default(),
        };
        self.column = Some((start, column));
        column
    }

    /// Whether an SQL statement with values may stand in the text.
    pub(super) fn is_sql(&mut self) -> bool {
        let text = self.text;
        let finds = |word| memchr::memmem::find(text, word).is_some();
        *self.sql.get_or_insert_with(|| finds(b"VALUES") || finds(b"values"))
    }

    /// What the keys above the value at `start` name.
    fn path_at(&mut self, start: usize) -> Set {
        if let Some((_, set)) = self.path.filter(|(at, _)| *at == start) {
            return set;
        }
        let mut set = Set::default();
        let mut add = |span| set.union(&read_key(self.text, span, self.lexicon).named);
        match self.key_at(start).span {
            _ if byte_before(self.text, start, 1) == b'>' => {
                key::elements_before(self.text, start).for_each(&mut add);
            }
            Some(span) if key::begins_line(self.text, span) => {
                key::outer_lines(self.text, span.0).for_each(&mut add);
            }
            _ => {
                // Values of one object have the same keys above them.
                let mut opens = key::opens_before(self.text, start);
                let first = opens.next();
                match (first, self.object) {
                    (Some(first), Some((open, known))) if first == open => set = known,
                    _ => {
                        let keys = first.into_iter().chain(opens);
                        keys.filter_map(|open| key::key_before(self.text, open)).for_each(&mut add);
                        self.object = first.map(|first| (first, set));
                    }
                }
            }
        }
        set.union(&self.joined_at(start));
        self.path = Some((start, set));
        set
    }

    /// What the key above the one of the value at `start` and that key say together: `tax` and `id`.
    fn joined_at(&mut self, start: usize) -> Set {
        let mut set = Set::default();
        let key = self.key_at(start);
        // Only a key of one word leaves the beginning of a term to the key above it.
        if !key.ending.is_one_word() {
            return set;
        }
        let Some((outer, inner)) = self.named_key(start).filter(|(outer, _)| outer.0 < outer.1)
        else {
            return set;
        };
        let (joined, length) = self.join(outer, inner);
        let joined = slice(&joined, 0, length);
        let mut at = 0;
        while let Some(word) = next_word(joined, at) {
            let mut marks = Marks::default();
            if self.lexicon.look_up(joined, word, length, &mut marks) == Some(length) {
                set.union(&marks.key);
                set.union(&marks.near);
            }
            at = word.1;
        }
        set
    }

    /// Two keys as one.
    fn join(
        &self,
        outer: (usize, usize),
        inner: (usize, usize),
    ) -> ([u8; JOINED_BYTES_MAX], usize) {
        let parts = [slice(self.text, outer.0, outer.1), b".", slice(self.text, inner.0, inner.1)];
        let mut joined = [0u8; JOINED_BYTES_MAX];
        let mut length = 0;
        for (slot, byte) in joined.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
            length += 1;
        }
        (joined, length)
    }

    /// The detectors that words near by name.
    fn near_at(&mut self, start: usize, end: usize) -> Set {
        if let Some((_, set)) = self.near_set.filter(|(span, _)| *span == (start, end)) {
            return set;
        }
        let mut from = start.saturating_sub(NEAR_BEFORE_BYTES);
        // A word that the window cuts is no word: `discard` is no `card`.
        while from > 0 && from < start && is_word_byte(byte_before(self.text, from, 1)) {
            from += 1;
        }
        let mut to = end.saturating_add(NEAR_AFTER_BYTES).min(self.text.len());
        while to > end && is_word_byte(byte(self.text, to)) {
            to -= 1;
        }
        self.near.read(self.text, self.lexicon, from, to);
        let mut set = Set::default();
        for (first, last, named) in self.near.words.iter().rev().take_while(|word| word.0 >= from) {
            if *last <= to && (*last <= start || *first >= end) {
                set.union(named);
            }
        }
        self.near_set = Some(((start, end), set));
        set
    }

    /// Whether the text holds nothing else: no other word.
    pub(super) fn is_alone(&mut self, start: usize, end: usize) -> bool {
        if self.text.len() > ALONE_BYTES_MAX {
            return false;
        }
        if let Some((_, alone)) = self.alone.filter(|(span, _)| *span == (start, end)) {
            return alone;
        }
        if self.key_at(start).span.is_some() {
            return false;
        }
        let outside = [slice(self.text, 0, start), slice(self.text, end, self.text.len())];
        let alone = outside.iter().all(|text| !has_word(text));
        self.alone = Some(((start, end), alone));
        alone
    }
}

impl Key {
    /// The detectors that it names.
    fn says(&self) -> Set {
        let mut named = self.named;
        named.remove(&self.hostile);
        named
    }
}

/// Judges a name.
fn read_key(text: &[u8], span: (usize, usize), lexicon: &Lexicon) -> Key {
    let mut all = Marks::default();
    let mut head = Marks::default();
    let (mut at, mut open, mut ending) = (span.0, true, Ending::default());
    while let Some((start, end)) = next_word(text, at).filter(|word| word.1 <= span.1) {
        head = Marks::default();
        lexicon.look_up(text, (start, end), span.1, &mut head);
        all.union(&head);
        let word = slice(text, start, end);
        if !word.iter().all(u8::is_ascii_digit) {
            ending.push(hash(word));
        }
        open &= is_generic(slice(text, start, end));
        at = end;
    }
    // The last word is what the thing is: a `card_timestamp` is a timestamp.
    let mut named = all.key;
    named.union(&all.near);
    let (against, mut hostile) = (all.hostile, all.hostile);
    hostile.remove(&named);
    hostile.union(&head.hostile);
    Key {
        span: Some(span),
        named,
        hostile,
        against,
        ending,
        doubtful: all.doubtful,
        open: open || key::is_prose(text, span),
    }
}

/// Whether there is a word of letters alone, or a number.
fn has_word(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some((start, end)) = next_word(text, at) {
        let word = slice(text, start, end);
        let number = word.iter().all(u8::is_ascii_digit);
        let letters = word.len() >= WORD_LETTERS_MIN && !word.iter().any(u8::is_ascii_digit);
        if number || letters && !JOINING.contains(&word) {
            return true;
        }
        at = end;
    }
    false
}

fn is_generic(word: &[u8]) -> bool {
    (word.len() <= 2 && !word.eq_ignore_ascii_case(b"id"))
        || word.iter().all(u8::is_ascii_digit)
        || GENERIC.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

impl Near {
    /// Reads the words of the text from `from` to `to`, those that were not read before.
    fn read(&mut self, text: &[u8], lexicon: &Lexicon, from: usize, to: usize) {
        if from < self.since || from > self.upto {
            self.words.clear();
            (self.since, self.upto) = (from, from);
        }
        let mut at = self.upto;
        while at < to {
            let Some((start, end)) = next_word(text, at).filter(|word| word.0 < to) else {
                at = to;
                break;
            };
            let mut marks = Marks::default();
            if let Some(last) = lexicon.look_up(text, (start, end), text.len(), &mut marks)
                && !marks.near.is_empty()
            {
                self.words.push((start, last, marks.near));
            }
            at = end;
        }
        self.upto = self.upto.max(at);
    }
}
