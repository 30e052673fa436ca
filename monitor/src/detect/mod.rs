//! Finds personal data in decoded text: where it stands, how sure that is, why, and what may be
//! shown of it. Text comes as bytes, may be cut at both ends and may hold binary.
//!
//! It decodes nothing, knows no policy beyond which entities are on, keeps nothing between texts,
//! does no I/O, and never copies a value.
//!
//! One pass looks for *anchors*, the bytes at which a value can be recognised: the first digit of a
//! group, `@`, `+`, `:`, the operator behind a key, and the beginnings of secrets. At each anchor
//! the detectors that can begin there look left and right and judge by what the entity's standard
//! says: range, length, check digits, written form. What passes is weighed with what stands around
//! it, the key it is stored under first. A detector is a row of data in [`table`].
//!
//! The kernel lets a send pass unseen where no hit can be: what shapes every hit has is written in
//! `capture/prefilter.rs`. A detector that finds more than that makes the kernel blind to it.
#![forbid(unsafe_code)]

mod anchors;
mod checksum;
mod columns;
mod custom;
mod detector;
mod evidence;
mod explain;
mod fingerprint;
mod forms;
mod key;
mod lexicon;
mod mask;
mod probe;
mod set;
mod settle;
mod stream;
mod table;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use custom::{Custom, Dictionary, Matcher, VALIDATORS, validator};
pub use detector::{Detector, Find, Tier, Words};
pub use evidence::Reasons;
pub use explain::{Explained, Outcome};
pub use fingerprint::{KEY_BYTES, Key};
pub use stream::{Stream, Window};

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::limits::{CUSTOM_DETECTORS_MAX, HITS_PER_SAMPLE_MAX};
use crate::model::{Confidence, Entity, Tags};
use anchors::{BLOCK_BYTES, Block, block};
use detector::{Field, FindAt, FindField};
use evidence::Candidate;
use forms::Shape;
use lexicon::{Lexicon, Terms};
use probe::Probe;
pub use probe::Table;
use text::{Boundary, Run};

/// The table that a text is part of.
#[derive(Clone, Copy)]
pub struct TableOf<'t> {
    /// Its header.
    pub table: &'t Table,
    /// Whether the header is not in the text, which may begin in the middle of a row.
    pub goes_on: bool,
}

/// A detector of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DetectorId(u16);

impl DetectorId {
    fn built_in(index: usize) -> DetectorId {
        DetectorId(u16::try_from(index).unwrap_or(u16::MAX))
    }
}

/// A value in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// What, for [`Engine::entity`].
    pub detector: DetectorId,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// How sure.
    pub confidence: Confidence,
    /// The evidence for it, in decibans.
    pub score_db: i16,
    /// What speaks for and against it.
    pub reasons: Reasons,
    /// Whether it touches an end of the text, and so may go on beyond it.
    pub partial: bool,
    /// Whether it is one of the published test values of its kind.
    pub test_data: bool,
    /// The span of the key, column or field name that it is stored under, where there is one right
    /// before it. It may name nothing of interest.
    pub key: Option<(usize, usize)>,
    /// Another detector that claims the same bytes.
    pub rival: Option<DetectorId>,
}

/// Every built-in detector, in the order of [`DetectorId`]s.
pub fn detectors() -> &'static [Detector] {
    &table::DETECTORS
}

/// The built-in detector of an entity.
pub fn detector(entity: &str) -> Option<&'static Detector> {
    table::DETECTORS.iter().find(|row| row.entity == entity)
}

/// Whether a value without separators, letters in upper case, may have been issued. `None` where
/// there is no such detector, or it has no check.
pub fn is_valid(entity: &str, compact: &[u8]) -> Option<bool> {
    detector(entity)?.valid.map(|valid| valid(compact))
}

/// Letters before a group of digits that are told apart.
const LETTERS_MAX: usize = 5;
/// Digits of a first group that are told apart.
const GROUP_MAX: usize = 20;
/// Characters of a word that are told apart.
const TOKEN_MAX: usize = 64;
/// Bytes from the first digit on in which digits are counted.
const DENSITY_BYTES: usize = 32;

/// What may begin at a group of digits of one length after so many letters.
struct Bucket {
    /// No entry needs fewer digits within [`DENSITY_BYTES`].
    digits_min: u32,
    /// With the least digits within [`DENSITY_BYTES`] that each needs.
    shapes: Vec<(u32, usize, Shape)>,
    /// With the least digits within [`DENSITY_BYTES`] that each needs.
    runs: Vec<(u32, usize, FindAt)>,
}

impl Bucket {
    fn new() -> Bucket {
        Bucket { digits_min: u32::MAX, shapes: Vec::new(), runs: Vec::new() }
    }
}

/// The detectors that are on. Built once per policy, shared by any number of threads.
pub struct Engine {
    lexicon: Lexicon,
    /// By letters before and digits of the first group.
    buckets: Vec<Bucket>,
    /// By length: number of the detector, and whether letters may be in lower case.
    tokens: Vec<Vec<(usize, bool)>>,
    /// By length: the detectors of whole words.
    words: Vec<Vec<(usize, FindField)>>,
    at: Vec<(usize, FindAt)>,
    plus: Vec<(usize, FindAt)>,
    colon: Vec<(usize, FindAt)>,
    keyed: Keyed,
    literals: Option<AhoCorasick>,
    /// The detector behind each literal.
    literal_rows: Vec<(usize, FindAt)>,
    customs: Vec<Arc<Custom>>,
    entities: Vec<Entity>,
}

/// The detectors of values under a key.
#[derive(Default)]
struct Keyed {
    rows: Vec<(usize, FindField)>,
    /// By a hash of the last letters of a key: whether a term ends so.
    endings: Vec<u64>,
}

impl Engine {
    /// An engine that finds `entities` and no other.
    pub fn new(entities: &[Entity]) -> Engine {
        Engine::with(|row| entities.iter().any(|entity| entity.name() == row.entity), &[])
    }

    /// An engine that finds everything but what is only looked for by name.
    pub fn usual() -> Engine {
        Engine::with(|row| !row.only_by_name, &[])
    }

    /// An engine that finds everything.
    pub fn all() -> Engine {
        Engine::with(|_| true, &[])
    }

    /// An engine with the built-in detectors that are `on`, and at most
    /// [`CUSTOM_DETECTORS_MAX`] of a policy.
    pub fn with(on: impl Fn(&Detector) -> bool, customs: &[Arc<Custom>]) -> Engine {
        let customs: Vec<Arc<Custom>> =
            customs.iter().take(CUSTOM_DETECTORS_MAX).cloned().collect();
        let rows: Vec<(usize, &Detector)> =
            table::DETECTORS.iter().enumerate().filter(|(_, row)| on(row)).collect();
        let terms = rows.iter().map(|(index, row)| (*index, Terms::BuiltIn(row.words)));
        let brought = customs.iter().enumerate();
        let brought = brought.map(|(at, custom)| (table::COUNT + at, Terms::Near(&custom.words)));
        let built_in = table::DETECTORS.iter().map(|row| Entity::of(row.entity));
        let mut engine = Engine {
            lexicon: Lexicon::new(terms.chain(brought)),
            buckets: (0..=LETTERS_MAX).flat_map(|_| 0..=GROUP_MAX).map(|_| Bucket::new()).collect(),
            tokens: vec![Vec::new(); TOKEN_MAX + 1],
            words: vec![Vec::new(); TOKEN_MAX + 1],
            at: Vec::new(),
            plus: Vec::new(),
            colon: Vec::new(),
            keyed: Keyed::default(),
            literals: None,
            literal_rows: Vec::new(),
            entities: built_in.chain(customs.iter().map(|custom| custom.entity.clone())).collect(),
            customs: Vec::new(),
        };
        if rows.iter().any(|(_, row)| row.entity == table::LOADED) {
            table::load();
        }
        engine.customs = customs;
        let mut literals = Vec::new();
        for (index, row) in rows {
            engine.add(index, row, row.find, &mut literals);
        }
        for bucket in &mut engine.buckets {
            let shapes = bucket.shapes.iter().map(|(digits_min, ..)| *digits_min);
            bucket.digits_min = bucket.digits_min.min(shapes.min().unwrap_or(u32::MAX));
        }
        if !literals.is_empty() {
            // Of two literals that begin at the same byte the longer one counts: `sk-ant-` is no
            // `sk-`.
            let kind = MatchKind::LeftmostLongest;
            engine.literals = AhoCorasick::builder().match_kind(kind).build(&literals).ok();
        }
        engine
    }

    fn add(&mut self, index: usize, row: &Detector, find: Find, literals: &mut Vec<&'static str>) {
        match find {
            Find::Forms(forms) => {
                let shapes = forms.iter().flat_map(forms::shapes);
                shapes.for_each(|shape| self.add_shape(index, &shape));
            }
            Find::Token { min, max, any_case } => {
                let lengths = self.tokens.get_mut(min..=max.min(TOKEN_MAX)).into_iter().flatten();
                lengths.for_each(|rows| rows.push((index, any_case)));
            }
            Find::Word { min, max, find } => {
                let lengths = self.words.get_mut(min..=max.min(TOKEN_MAX)).into_iter().flatten();
                lengths.for_each(|rows| rows.push((index, find)));
            }
            Find::Digits(digits_min, find) => {
                for bucket in self.buckets.iter_mut().take(GROUP_MAX + 1) {
                    bucket.runs.push((digits_min, index, find));
                    bucket.digits_min = bucket.digits_min.min(digits_min);
                }
            }
            Find::AfterTwoLetters(find) => {
                let after = self.buckets.iter_mut().skip(2 * (GROUP_MAX + 1)).take(GROUP_MAX + 1);
                after.for_each(|bucket| {
                    bucket.runs.push((2, index, find));
                    bucket.digits_min = bucket.digits_min.min(2);
                });
            }
            Find::At(find) => self.at.push((index, find)),
            Find::Plus(find) => self.plus.push((index, find)),
            Find::Colon(find) => self.colon.push((index, find)),
            Find::Literal(strings, find) => {
                literals.extend(strings);
                self.literal_rows.extend(strings.iter().map(|_| (index, find)));
            }
            Find::Key(find) => self.keyed.add(index, row, find),
            Find::Any(finds) => finds.iter().for_each(|find| self.add(index, row, *find, literals)),
        }
    }

    fn add_shape(&mut self, index: usize, shape: &Shape) {
        for letters in shape.letters.0..=shape.letters.1 {
            for group in shape.group.0..=shape.group.1.min(GROUP_MAX) {
                let place = place(letters, group);
                if let Some(bucket) = self.buckets.get_mut(place) {
                    let known =
                        bucket.shapes.iter().any(|(_, row, known)| *row == index && known == shape);
                    if !known {
                        bucket.shapes.push((shape.digits_min(DENSITY_BYTES), index, shape.clone()));
                    }
                }
            }
        }
    }

    /// The entity of a hit.
    pub fn entity(&self, id: DetectorId) -> &Entity {
        static UNKNOWN: Entity = Entity::of("");
        self.entities.get(usize::from(id.0)).unwrap_or(&UNKNOWN)
    }

    /// The built-in detector of a hit.
    pub fn detector(&self, id: DetectorId) -> Option<&'static Detector> {
        table::DETECTORS.get(usize::from(id.0))
    }

    /// The regulations that a hit falls under.
    pub fn tags(&self, id: DetectorId) -> Tags {
        match self.detector(id) {
            Some(row) => row.tag_set(),
            None => self.custom(id).map(|custom| custom.tags).unwrap_or_default(),
        }
    }

    /// What may be shown of a value; of one that is too short for its kind nothing is.
    pub fn mask(&self, id: DetectorId, value: &[u8]) -> String {
        self.detector(id).map_or_else(|| mask::nothing(value), |row| (row.mask)(value))
    }

    /// Hands on the bytes that are the same however a value is written.
    pub fn plain(&self, id: DetectorId, value: &[u8], out: &mut dyn FnMut(u8)) {
        match self.detector(id) {
            Some(row) => (row.plain)(value, out),
            None => mask::each(value, |_| true, &mut |byte| out(byte.to_ascii_lowercase())),
        }
    }

    fn custom(&self, id: DetectorId) -> Option<&Arc<Custom>> {
        usize::from(id.0).checked_sub(table::COUNT).and_then(|at| self.customs.get(at))
    }

    /// Appends the hits in `text` in order of their start, no two of them sharing a byte. Returns
    /// how many candidates were left out because there were more than [`HITS_PER_SAMPLE_MAX`].
    pub fn find(&self, text: &[u8], hits: &mut Vec<Hit>) -> usize {
        self.find_in(text, TableOf { table: &self.table(text), goes_on: false }, hits)
    }

    /// The table that a text begins with, for what goes on from it.
    pub fn table(&self, text: &[u8]) -> Table {
        Table::read(text, &self.lexicon)
    }

    /// As [`Engine::find`], in a text that is part of a table.
    pub fn find_in(&self, text: &[u8], table: TableOf<'_>, hits: &mut Vec<Hit>) -> usize {
        self.pass(text, table, hits, None)
    }

    fn pass(
        &self,
        text: &[u8],
        table: TableOf<'_>,
        hits: &mut Vec<Hit>,
        seen: Option<&mut Vec<Explained>>,
    ) -> usize {
        let first = hits.len();
        let mut pass = Pass {
            engine: self,
            probe: Probe::new(text, &self.lexicon, table.table),
            goes_on: table.goes_on,
            token_end: 0,
            run: Run::default(),
            hits,
            room: HITS_PER_SAMPLE_MAX,
            cut: 0,
            seen,
        };
        pass.literals();
        let mut this = block(text, 0);
        let mut at = 0;
        while at < text.len() {
            let next = if text.len() - at > BLOCK_BYTES {
                block(text, at + BLOCK_BYTES)
            } else {
                Block::default()
            };
            pass.block(at, this, next.digits);
            this = next;
            at += BLOCK_BYTES;
        }
        pass.cells();
        pass.customs();
        let cut = pass.cut;
        settle::settle(hits, first);
        cut
    }
}

/// The place of a bucket.
fn place(letters: usize, group: usize) -> usize {
    letters.min(LETTERS_MAX) * (GROUP_MAX + 1) + group.min(GROUP_MAX)
}

/// One pass over one text.
struct Pass<'a, 't> {
    engine: &'a Engine,
    probe: Probe<'t>,
    run: Run,
    hits: &'a mut Vec<Hit>,
    /// Hits that there is room for.
    room: usize,
    cut: usize,
    goes_on: bool,
    /// Where the word ends that was looked at last.
    token_end: usize,
    /// Where every place is noted that a detector saw, for [`Engine::explain`].
    seen: Option<&'a mut Vec<Explained>>,
}

impl Pass<'_, '_> {
    /// Looks at the anchors of the block at `at`, behind which stand `next` digits.
    fn block(&mut self, at: usize, block: Block, next: u64) {
        let before = at
            .checked_sub(1)
            .is_some_and(|last| text::byte(self.probe.text, last).is_ascii_digit());
        let starts = block.digits & !(block.digits << 1 | u64::from(before));
        let mut anchors = starts | block.marks;
        while anchors != 0 {
            let bit = anchors.trailing_zeros();
            anchors &= anchors - 1;
            let offset = at + bit as usize;
            if block.marks >> bit & 1 == 1 {
                self.mark(offset);
                continue;
            }
            let mut digits = block.digits >> bit;
            if bit > 0 {
                digits |= next << (64 - bit);
            }
            self.digits(offset, digits);
        }
    }

    /// Looks at the group of digits at `at`; `digits` are the digits from there on.
    fn digits(&mut self, at: usize, digits: u64) {
        if at < self.token_end {
            // Whatever begins in the middle of a word is part of something else.
            return;
        }
        let text = self.probe.text;
        let group = (digits.trailing_ones() as usize).min(GROUP_MAX);
        let letters = letters_before(text, at);
        if letters > 0 || text::byte(text, at + group).is_ascii_alphabetic() {
            self.token(at, group);
        }
        let Some(bucket) = self.engine.buckets.get(place(letters, group)) else { return };
        let near = (digits & ((1 << DENSITY_BYTES) - 1)).count_ones();
        if near < bucket.digits_min {
            return;
        }
        for (digits_min, index, shape) in &bucket.shapes {
            if near >= *digits_min {
                self.shape(*index, shape, at);
            }
        }
        let mut read = false;
        for (digits_min, index, find) in &bucket.runs {
            if near >= *digits_min {
                if !read {
                    self.run.read(text, at);
                    read = true;
                }
                let found = find(&mut self.probe, at, &self.run);
                self.keep(*index, found);
            }
        }
    }

    fn shape(&mut self, index: usize, shape: &Shape, at: usize) {
        let Some((written, boundary)) = shape.read(self.probe.text, at) else { return };
        let span = (written.start, written.end);
        let needs_context = shape.needs_context || boundary == Boundary::Joined;
        self.judge(index, written.compact(), span, shape.worth_db, needs_context);
    }

    /// Weighs a value in its written form, if it passes the check of its row.
    fn judge(
        &mut self,
        index: usize,
        compact: &[u8],
        (start, end): (usize, usize),
        worth_db: i16,
        needs_context: bool,
    ) {
        let Some(row) = table::DETECTORS.get(index) else { return };
        let needs_context = row.tier == Tier::Weak || needs_context;
        // What must be named mostly is not: that is sooner found out than a check is made.
        let skip = needs_context && self.seen.is_none();
        if skip && !self.probe.is_named_or_alone(index, start, end) {
            return;
        }
        let mut found = Candidate::new(start, end, worth_db);
        found.needs_context = needs_context;
        found.test_data = row.test_values.iter().any(|value| value.as_bytes() == compact);
        match row.valid {
            None => found.worth_db += row.chance_db(),
            Some(valid) if valid(compact) => {
                found.worth_db += row.chance_db();
                found = found.because(Reasons::CHECKED);
            }
            Some(_) if row.plausible.is_some_and(|plausible| plausible(compact)) => {
                found.needs_context = true;
                found.at_most = Confidence::Low;
            }
            Some(_) => {
                self.note(index, (start, end), 0, Reasons::default(), Outcome::CheckFails);
                return;
            }
        }
        if worth_db >= 15 {
            found = found.because(Reasons::FORM);
        }
        self.keep(index, Some(found));
    }

    /// Looks at the word of letters and digits around the group of digits at `at`, its first.
    fn token(&mut self, at: usize, group: usize) {
        let text = self.probe.text;
        let is_letter = |b: &u8| b.is_ascii_alphabetic();
        let head = text.get(..at).unwrap_or_default();
        let letters = head.iter().rev().take(TOKEN_MAX).take_while(|b| is_letter(b)).count();
        let rest = text.get(at + group..).unwrap_or_default();
        let after = rest.iter().take(TOKEN_MAX).take_while(|b| b.is_ascii_alphanumeric()).count();
        self.token_end = at + group + after;
        let start = at - letters;
        let start = if is_escape(text, start) { start + 1 } else { start };
        let length = self.token_end - start;
        let Some(rows) = self.engine.tokens.get(length) else { return };
        let words = self.engine.words.get(length).map_or(&[][..], Vec::as_slice);
        if rows.is_empty() && words.is_empty() {
            return;
        }
        let end = start + length;
        let boundary = text::boundary(text, start, end);
        let value = text::slice(text, start, end);
        if boundary == Boundary::Inside || !value.iter().any(is_letter) {
            return;
        }
        for (index, find) in words {
            let found = find(&mut self.probe, Field { start, end });
            self.keep(*index, found);
        }
        let mut compact = [0u8; TOKEN_MAX];
        let Some(compact) = compact.get_mut(..length) else { return };
        compact.copy_from_slice(value);
        compact.make_ascii_uppercase();
        let has_lower = value.iter().any(u8::is_ascii_lowercase);
        for (index, any_case) in rows {
            if *any_case || !has_lower {
                self.judge(*index, compact, (start, end), 0, boundary == Boundary::Joined);
            }
        }
    }

    /// Looks at a byte that is no digit.
    fn mark(&mut self, at: usize) {
        self.run.clear();
        let engine = self.engine;
        let rows = match text::byte(self.probe.text, at) {
            b'@' => &engine.at,
            b'+' => &engine.plus,
            b':' => {
                self.field(at);
                &engine.colon
            }
            b'=' | b'>' => return self.field(at),
            _ => return,
        };
        for (index, find) in rows {
            let found = find(&mut self.probe, at, &self.run);
            self.keep(*index, found);
        }
    }

    /// Looks at the value behind the operator at `at`.
    fn field(&mut self, at: usize) {
        let engine = self.engine;
        if !engine.keyed.may_name(self.probe.text, at) {
            return;
        }
        let Some(field) = key::field_after(self.probe.text, at) else { return };
        let named = self.probe.named_by_end(field.start);
        for (index, find) in &engine.keyed.rows {
            if named.contains(*index) {
                let found = find(&mut self.probe, field);
                self.keep(*index, found.map(Candidate::under_its_key));
            }
        }
    }

    /// Looks for what the policy brings along.
    fn customs(&mut self) {
        for (index, custom) in self.engine.customs.iter().enumerate() {
            custom.find(self.probe.text, &mut |found| self.keep(table::COUNT + index, Some(found)));
        }
    }

    /// Looks at the cells of columns that name what is looked for under keys.
    fn cells(&mut self) {
        let (engine, table) = (self.engine, self.probe.table());
        let Some(header) = &table.header else { return };
        let keyed = |column: usize| {
            let named = table.named(column);
            engine.keyed.rows.iter().filter(move |(index, _)| named.contains(*index))
        };
        let text = self.probe.text;
        let from = header.first_row(text, self.goes_on);
        let wanted = |column: usize| keyed(column).next().is_some();
        header.each_cell(text, from, wanted, |column, cell| {
            for (index, find) in keyed(column) {
                let found = find(&mut self.probe, cell);
                self.keep(*index, found);
            }
        });
    }

    /// Looks at the beginnings of secrets.
    fn literals(&mut self) {
        let Some(literals) = &self.engine.literals else { return };
        for found in literals.find_iter(self.probe.text) {
            if let Some((index, find)) = self.engine.literal_rows.get(found.pattern().as_usize()) {
                let found = find(&mut self.probe, found.start(), &self.run);
                self.keep(*index, found);
            }
        }
    }

    fn keep(&mut self, index: usize, found: Option<Candidate>) {
        let Some(found) = found else { return };
        let hit = match self.probe.weigh(index, &found) {
            Ok(hit) => hit,
            Err((score_db, reasons, outcome)) => {
                return self.note(index, (found.start, found.end), score_db, reasons, outcome);
            }
        };
        let outcome = Outcome::Found(hit.confidence);
        self.note(index, (hit.start, hit.end), hit.score_db, hit.reasons, outcome);
        if self.room == 0 {
            self.cut += 1;
            return;
        }
        self.room -= 1;
        self.hits.push(hit);
    }
}

impl Pass<'_, '_> {
    fn note(
        &mut self,
        index: usize,
        (start, end): (usize, usize),
        score_db: i16,
        reasons: Reasons,
        outcome: Outcome,
    ) {
        if let Some(seen) = self.seen.as_mut().filter(|seen| seen.len() < HITS_PER_SAMPLE_MAX) {
            let detector = DetectorId::built_in(index);
            seen.push(Explained { detector, start, end, score_db, reasons, outcome });
        }
    }
}

/// Letters directly before `at`, at most [`LETTERS_MAX`], without that of an escape (`\n`).
fn letters_before(text: &[u8], at: usize) -> usize {
    let head = text.get(..at).unwrap_or_default().iter().rev();
    let letters = head.take(LETTERS_MAX + 1).take_while(|b| b.is_ascii_alphabetic()).count();
    letters
        .saturating_sub(usize::from(letters > 0 && is_escape(text, at - letters)))
        .min(LETTERS_MAX)
}

/// Whether the letter at `at` is that of an escape that no decoder undid.
fn is_escape(text: &[u8], at: usize) -> bool {
    text::byte_before(text, at, 1) == b'\\' && matches!(text::byte(text, at), b'n' | b'r' | b't')
}

impl Keyed {
    /// Bits of the filter.
    const BITS: usize = 1 << 14;
    /// Letters of an ending.
    const LETTERS: usize = 4;
    /// Quotes and blanks between a key and its operator, and digits at the end of a key.
    const SKIPPED: usize = 6;

    fn add(&mut self, index: usize, row: &Detector, find: FindField) {
        self.rows.push((index, find));
        self.endings.resize(Keyed::BITS / 64, 0);
        for term in row.words.key.iter().chain(row.words.near) {
            self.add_ending(term);
            // Written together, the last letters may be of two words.
            self.add_ending(&term.replace(' ', ""));
        }
        probe::UNNAMED.iter().for_each(|term| self.add_ending(term));
    }

    fn add_ending(&mut self, term: &str) {
        let bit = Keyed::ending(term.as_bytes());
        if let Some(word) = self.endings.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    /// Whether a term may end before the operator at `at`.
    fn may_name(&self, text: &[u8], at: usize) -> bool {
        if self.rows.is_empty() {
            return false;
        }
        let skipped =
            |b: &&u8| matches!(b, b'"' | b'\'' | b'\\' | b' ' | b'_' | b'-' | b']' | b'0'..=b'9');
        let head = text.get(..at).unwrap_or_default();
        let blank = head.iter().rev().take(Keyed::SKIPPED).take_while(skipped).count();
        let bit = Keyed::ending(head.get(..head.len() - blank).unwrap_or_default());
        self.endings.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// The filter's bit for the last letters of `key`, of its last word: `Id` of `patientId`.
    fn ending(key: &[u8]) -> usize {
        let (mut hash, mut hump) = (0u32, false);
        for byte in key.iter().rev().take(Keyed::LETTERS) {
            if !lexicon::is_word_byte(*byte) || (hump && byte.is_ascii_lowercase()) {
                break;
            }
            hump = byte.is_ascii_uppercase();
            hash = hash << 8 | u32::from(byte | 0x20);
        }
        (hash.wrapping_mul(0x9E37_79B9) >> 18) as usize % Keyed::BITS
    }
}
