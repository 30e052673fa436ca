//! What stands around the values of one text: keys, paths and words near by, each read once and
//! only where something may depend on it. Weighs a candidate with what it finds.
//!
//! Where a value has a key, the key decides; a key that says nothing (`value`, `number`) leaves it
//! to the keys above it and to the words near by. Words near by count for values without a key.

use super::brackets::Brackets;
use super::columns::{self, Header};
use super::evidence::{self, Candidate, Reasons};
use super::index::{Ending, Keyed};
use super::keys::{Found, Key, Keys};
use super::lexicon::{Lexicon, Marks, is_word_byte, next_word};
use super::set::Set;
use super::text::{Boundary, boundary, byte, byte_before, slice};
use super::{DetectorId, Hit, Learned, Outcome, TableOf, key};
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

/// One text under examination.
pub struct Probe<'t> {
    /// The text.
    pub text: &'t [u8],
    lexicon: &'t Lexicon,
    keys: Keys,
    brackets: Brackets,
    key: Option<(usize, Found)>,
    path: Option<(usize, Set)>,
    near: Near,
    near_set: Option<((usize, usize), Set)>,
    alone: Option<((usize, usize), bool)>,
    sql: Option<bool>,
    table: &'t Table,
    /// Whether the header of the table is not in this text.
    goes_on: bool,
    column: Option<(usize, Column)>,
    /// A cell of an HTML table, and the heading of its column.
    heading: Option<(usize, (usize, usize))>,
    /// What fields without names have held.
    pub(super) learned: Option<Learned<'t>>,
}

/// The column that a value stands in.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    /// Where its name stands.
    span: Option<(usize, usize)>,
    key: Key,
}

/// The columns of a table, and what their names say.
#[derive(Default)]
pub struct Table {
    pub(super) header: Option<Header>,
    columns: Vec<Column>,
}

impl Table {
    /// The table that `text` begins with, if it does with one.
    pub(super) fn read(text: &[u8], lexicon: &Lexicon) -> Table {
        let header = Header::read(text);
        let names = header.as_ref().map_or(&[][..], Header::names);
        let column = |name: &_| Column { span: Some(*name), key: Key::read(text, *name, lexicon) };
        let columns = names.iter().map(column).collect();
        Table { header, columns }
    }

    /// Whether the name of a column may end with what a value under a key is found by.
    pub(super) fn may_be_keyed(&self, column: usize, keyed: &Keyed) -> bool {
        self.columns.get(column).is_some_and(|column| keyed.may_end(column.key.ending))
    }
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
            keys: Keys::new(),
            brackets: Brackets::default(),
            key: None,
            path: None,
            near_set: None,
            near,
            alone: None,
            sql: None,
            table: table.table,
            goes_on: table.goes_on,
            column: None,
            heading: None,
            learned: None,
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
            None => self.column_at(start).key.says(),
        }
    }

    /// The detectors that the heading at `span` names, under which the cell at `start` stands.
    pub(super) fn named_by_heading(&mut self, span: (usize, usize), start: usize) -> Set {
        self.heading = Some((start, span));
        self.keys.get_named(self.text, span, self.lexicon).says()
    }

    /// The detectors of which a term ends the key that the value at `start` is stored under, and no
    /// word of that key speaks against it. The term may begin in the key above: `user`, `name`.
    pub(super) fn named_by_end(&mut self, start: usize, keyed: &Keyed) -> Set {
        let ending = match self.key.filter(|(at, _)| *at == start) {
            Some((_, found)) if self.keys.has(found) => self.keys.get(found).ending,
            // Most names end with nothing of interest, and need not be read wholly.
            _ => Ending::before(self.text, start),
        };
        if !keyed.may_end(ending) {
            return Set::default();
        }
        let found = self.key_at(start);
        let against = self.keys.get(found).against;
        let Some((outer, inner)) = self.named_key(start) else { return Set::default() };
        let mut named = self.keys.joined(self.text, outer, inner, self.lexicon);
        named.remove(&against);
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
        if let Some((_, name)) = self.heading.filter(|(at, _)| *at == start) {
            return Some(((name.0, name.0), name));
        }
        let Some(inner) = self.wide_key(start) else {
            return self.column_name(start).map(|name| ((name.0, name.0), name));
        };
        self.read_path(start);
        let mut above = self.brackets.above(start).filter_map(|open| open.key?.0);
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
        let found = self.key_at(start);
        let key = self.keys.get(found);
        let mut wanted = *wanted;
        // Of most numbers the key says to all of them that they are a time, a size or a count.
        wanted.remove(&key.hostile);
        if wanted.is_empty() {
            return wanted;
        }
        let mut named = key.named;
        if let Some(index) = self.learned_at(found, start) {
            named.insert(index);
        }
        if found.span.is_none() && self.says_nothing(start, end) {
            return Set::NONE;
        }
        named.union(&self.path_at(start));
        let mut in_column = false;
        if found.span.is_none() && self.has_columns() {
            let column = self.column_at(start);
            named.union(&column.key.named);
            in_column = column.span.is_some();
        }
        if !in_column && (found.span.is_none() || found.open) {
            named.union(&self.near_at(start, end));
        }
        named.keep(&wanted);
        named
    }

    /// Whether nothing around a value without a key may name anything: a number in a list of them.
    fn says_nothing(&mut self, start: usize, end: usize) -> bool {
        if byte_before(self.text, start, 1) == b'>' || self.has_columns() {
            return false;
        }
        let (from, to) = self.near_window(start, end);
        self.near.read(self.text, self.lexicon, from, to);
        if self.near.words.last().is_some_and(|word| word.1 > from) {
            return false;
        }
        self.read_path(start);
        self.brackets.above(start).filter_map(|open| open.key).all(|(span, _)| span.is_none())
    }

    fn verdict(&mut self, index: usize, start: usize, end: usize) -> Verdict {
        let found = self.key_at(start);
        let key = self.keys.get(found);
        let doubtful = key.doubtful.contains(index);
        if key.hostile.contains(index) {
            return Verdict::Hostile;
        }
        if key.named.contains(index) {
            return Verdict::Named(Reasons::KEY, evidence::KEY_DB);
        }
        if self.path_at(start).contains(index) {
            return Verdict::Named(Reasons::PATH, evidence::KEY_DB);
        }
        if self.learned_at(found, start) == Some(index) {
            return Verdict::Named(Reasons::FIELD, evidence::FIELD_DB);
        }
        if found.span.is_none() && self.has_columns() {
            let column = self.column_at(start);
            if column.key.hostile.contains(index) {
                return Verdict::Hostile;
            }
            if column.key.named.contains(index) {
                return Verdict::Named(Reasons::COLUMN, evidence::KEY_DB);
            }
            if column.span.is_some() {
                // What stands next to it in the row is another column.
                let doubtful = column.key.doubtful.contains(index);
                return if doubtful { Verdict::Doubtful } else { Verdict::Silent };
            }
        }
        if (found.span.is_none() || found.open) && self.near_at(start, end).contains(index) {
            return Verdict::Named(Reasons::NEAR, evidence::NEAR_DB);
        }
        if doubtful { Verdict::Doubtful } else { Verdict::Silent }
    }

    /// The detector that the field of the value at `start` speaks for, by what it has held.
    fn learned_at(&self, found: Found, start: usize) -> Option<usize> {
        let (from, to) = found.span?;
        self.learned?.says(slice(self.text, from, to), start)
    }

    /// The key that the value at `start` is stored under.
    fn key_at(&mut self, start: usize) -> Found {
        if let Some((at, found)) = self.key
            && at == start
            && self.keys.has(found)
        {
            return found;
        }
        let found = self.keys.before(self.text, start, self.lexicon);
        self.key = Some((start, found));
        found
    }

    /// What the name of the column says that the value at `start` stands in.
    fn column_at(&mut self, start: usize) -> Column {
        if let Some((_, column)) = self.column.filter(|(at, _)| *at == start) {
            return column;
        }
        let text = self.text;
        let table = self.table;
        let in_table = table.header.as_ref().and_then(|header| header.column_at(text, start));
        let column = match in_table.and_then(|column| table.columns.get(column)) {
            Some(column) => *column,
            None if self.is_sql() => {
                columns::sql_column(text, start).map_or_else(Column::default, |name| {
                    let found = self.keys.named(text, name, self.lexicon);
                    Column { span: Some(name), key: *self.keys.get(found) }
                })
            }
            None => Column::default(),
        };
        self.column = Some((start, column));
        column
    }

    /// Whether a value may stand in a column.
    fn has_columns(&mut self) -> bool {
        self.table.header.is_some() || self.is_sql()
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
        let found = self.key_at(start);
        let one_word = self.keys.get(found).ending.is_one_word();
        let mut add = |span| set.union(&self.keys.get_named(self.text, span, self.lexicon).named);
        match found.span {
            _ if byte_before(self.text, start, 1) == b'>' => {
                key::elements_before(self.text, start).for_each(&mut add);
            }
            Some(span) if key::begins_line(self.text, span) => {
                key::outer_lines(self.text, span.0).for_each(&mut add);
            }
            _ => {
                self.read_path(start);
                let keys = self.brackets.above(start).filter_map(|open| open.key);
                keys.for_each(|(_, named)| set.union(&named));
            }
        }
        // Only a key of one word leaves the beginning of a term to the key above it.
        if one_word
            && let Some((outer, inner)) =
                self.named_key(start).filter(|(outer, _)| outer.0 < outer.1)
        {
            set.union(&self.keys.joined(self.text, outer, inner, self.lexicon));
        }
        self.path = Some((start, set));
        set
    }

    /// Reads the keys of the brackets that are open at `start`.
    fn read_path(&mut self, start: usize) {
        self.brackets.seek(self.text, start);
        for open in self.brackets.above(start) {
            if open.key.is_none() {
                let found = self.keys.before(self.text, open.at, self.lexicon);
                open.key = Some((found.span, self.keys.get(found).named));
            }
        }
    }

    /// Where the words stand that count as near a value.
    fn near_window(&self, start: usize, end: usize) -> (usize, usize) {
        let mut from = start.saturating_sub(NEAR_BEFORE_BYTES);
        // A word that the window cuts is no word: `discard` is no `card`.
        while from > 0 && from < start && is_word_byte(byte_before(self.text, from, 1)) {
            from += 1;
        }
        let mut to = end.saturating_add(NEAR_AFTER_BYTES).min(self.text.len());
        while to > end && is_word_byte(byte(self.text, to)) {
            to -= 1;
        }
        (from, to)
    }

    /// The detectors that words near by name.
    fn near_at(&mut self, start: usize, end: usize) -> Set {
        if let Some((_, set)) = self.near_set.filter(|(span, _)| *span == (start, end)) {
            return set;
        }
        let (from, to) = self.near_window(start, end);
        self.near.read(self.text, self.lexicon, from, to);
        let mut set = Set::default();
        for (first, last, named) in self.near.words.iter().rev().take_while(|word| word.0 >= from) {
            if *last <= to && (*last <= start || *first >= end) {
                set.union(named);
            }
        }
        // In prose the words before a colon are a key: `my number: …`.
        if set.is_empty()
            && let Some(span) =
                self.key_at(start).span.filter(|span| key::is_prose(self.text, *span))
        {
            let wide = (key::words_before(self.text, span.0), span.1);
            set = self.keys.joined(self.text, (wide.0, wide.0), wide, self.lexicon);
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
            if lexicon.may_begin(text, (start, end))
                && let Some(last) = lexicon.look_up(text, (start, end), text.len(), &mut marks)
                && !marks.near.is_empty()
            {
                self.words.push((start, last, marks.near));
            }
            at = end;
        }
        self.upto = self.upto.max(at);
    }
}
