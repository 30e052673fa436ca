//! One pass over one text: from anchor to anchor, and at each what may begin there. What a value is
//! worth is [`super::probe`]'s to say.

use super::anchors::{BLOCK_BYTES, Block, block};
use super::detector::{Field, Tier};
use super::evidence::{Candidate, Reasons};
use super::explain::{Explained, Outcome};
use super::forms::{self, Around, Shape, small};
use super::index::{Bucket, DENSITY_BYTES, GROUP_MAX, LETTERS_MAX, TOKEN_MAX};
use super::probe::Probe;
use super::text::{self, Boundary, Run};
use super::{DetectorId, Engine, Hit, Learned, TableOf, checksum, columns, headings, key, table};
use crate::limits::HITS_PER_SAMPLE_MAX;
use crate::model::Confidence;

/// Digits in the words that forms of whole words are.
const TOKEN_DIGITS_MIN: usize = 2;

/// Surroundings of groups that are remembered: as many as a hash of eight bits has values.
const QUIET_MAX: usize = 256;

/// One pass over one text.
pub(super) struct Pass<'a, 't> {
    engine: &'t Engine,
    probe: Probe<'t>,
    run: Run,
    hits: &'a mut Vec<Hit>,
    /// Hits that there is room for.
    room: usize,
    cut: usize,
    goes_on: bool,
    /// Surroundings of groups of digits in which nothing begins, by a hash: texts repeat them.
    quiet: [u64; QUIET_MAX],
    /// Where the word ends that was looked at last.
    token_end: usize,
    /// Where every place is noted that a detector saw, for [`Engine::explain`].
    seen: Option<&'a mut Vec<Explained>>,
}

impl<'a, 't> Pass<'a, 't> {
    /// A pass over `text` that appends to `hits`.
    pub fn new(
        engine: &'t Engine,
        text: &'t [u8],
        table: TableOf<'t>,
        hits: &'a mut Vec<Hit>,
        seen: Option<&'a mut Vec<Explained>>,
    ) -> Pass<'a, 't> {
        Pass {
            engine,
            probe: Probe::new(text, &engine.lexicon, table),
            goes_on: table.goes_on,
            quiet: [0; QUIET_MAX],
            token_end: 0,
            run: Run::default(),
            hits,
            room: HITS_PER_SAMPLE_MAX,
            cut: 0,
            seen,
        }
    }

    /// With what the fields of the text have held before.
    pub fn with(mut self, learned: Option<Learned<'t>>) -> Self {
        self.probe.learned = learned;
        self
    }

    /// Looks at all of the text. Gives how many hits there was no room for.
    pub fn run(mut self) -> usize {
        let text = self.probe.text;
        self.literals();
        self.joints();
        let mut this = block(text, 0);
        let mut at = 0;
        while at < text.len() {
            let next = match text.len() - at > BLOCK_BYTES {
                true => block(text, at + BLOCK_BYTES),
                false => Block::default(),
            };
            self.block(at, this, next.digits);
            this = next;
            at += BLOCK_BYTES;
        }
        self.cells();
        self.customs();
        self.cut
    }
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
        let whole = digits.trailing_ones() as usize;
        let group = whole.min(GROUP_MAX);
        let letters = letters_before(text, at);
        let next = text::byte(text, at + group);
        let word = match letters > 0 || next.is_ascii_alphabetic() {
            true => self.token(at, group),
            false => whole,
        };
        let engine = self.engine;
        let Some(bucket) = engine.index.bucket(letters, group) else { return };
        let near = (digits & ((1 << DENSITY_BYTES) - 1)).count_ones();
        if near < bucket.digits_min {
            return;
        }
        // Of a fraction, a version, an address: part of what began before it.
        let goes_on = letters == 0 && text::goes_on_before(text, at);
        if goes_on && !bucket.may_end {
            return;
        }
        if !goes_on {
            self.bare(bucket, at, group);
        }
        let second = (digits >> (group + 1).min(63)).trailing_ones() as usize;
        let before = text::byte_before(text, at, 1);
        let third = (digits >> (group + second + 2).min(63)).trailing_ones();
        let around = Around {
            word: small(word),
            before: forms::class(before),
            next: forms::class(next),
            second: small(second),
            third: small(third as usize),
            near: small(near as usize),
        };
        let place = around.pack(letters, group, next) << 1 | u64::from(goes_on);
        let slot = (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize;
        if self.quiet.get(slot) == Some(&place) {
            return;
        }
        let may_be = bucket.shapes(around, text, at, |entry| {
            if !goes_on || entry.shape.may_end() {
                self.shape(entry.index, &entry.shape, at);
            }
        });
        let mut quiet = !may_be;
        let mut read = false;
        for start in &bucket.runs {
            if !goes_on && start.may_be(near, next, second) {
                quiet = false;
                if !read {
                    // Behind a separator of one byte digits are counted already.
                    let ends = second == 0 || forms::class(next) & forms::PARTING == 0;
                    match ends && next.is_ascii() && whole < 64 {
                        true => self.run.take_single(at, at + whole),
                        false => self.run.read(text, at),
                    }
                    read = true;
                }
                let found = (start.find)(&mut self.probe, at, &self.run);
                self.keep(start.index, found);
            }
        }
        if quiet && let Some(slot) = self.quiet.get_mut(slot) {
            *slot = place;
        }
    }

    /// Looks at the forms that are one group of digits.
    fn bare(&mut self, bucket: &Bucket, at: usize, group: usize) {
        if bucket.bare.is_empty() {
            return;
        }
        let (text, end) = (self.probe.text, at + group);
        let boundary = text::boundary(text, at, end);
        if boundary == Boundary::Inside {
            return;
        }
        let joined = boundary == Boundary::Joined;
        // What must be named mostly is not.
        let all = self.seen.is_some() || (!joined && self.probe.is_alone(at, end));
        let named = match all {
            true => bucket.weak,
            false if bucket.weak.is_empty() => bucket.weak,
            false => self.probe.named(at, end, &bucket.weak),
        };
        if !bucket.has_strong && named.is_empty() {
            return;
        }
        let compact = text::slice(text, at, end);
        if checksum::one_repeated(compact) {
            // A placeholder.
            return;
        }
        let weak = joined || checksum::is_time(compact);
        for bare in &bucket.bare {
            if !bare.weak || named.contains(bare.index) {
                self.judge(bare.index, compact, (at, end), bare.worth_db, bare.weak || weak);
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

    /// Looks at the word of letters and digits around the group of digits at `at`, its first. Gives
    /// its length.
    fn token(&mut self, at: usize, group: usize) -> usize {
        let text = self.probe.text;
        let is_letter = |b: &u8| b.is_ascii_alphabetic();
        let head = text.get(..at).unwrap_or_default();
        let letters = head.iter().rev().take(TOKEN_MAX).take_while(|b| is_letter(b)).count();
        let after = text::alphanumeric_from(text, at + group, TOKEN_MAX);
        self.token_end = at + group + after;
        let start = at - letters;
        let start = if is_escape(text, start) { start + 1 } else { start };
        let length = self.token_end - start;
        self.word(start, length);
        length
    }

    fn word(&mut self, start: usize, length: usize) {
        let text = self.probe.text;
        let is_letter = |b: &u8| b.is_ascii_alphabetic();
        let (tokens, words) = self.engine.index.words(length);
        if tokens.rows.is_empty() && words.is_empty() {
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
        // A word with one digit is mostly no identifier.
        let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
        let has_lower = value.iter().any(u8::is_ascii_lowercase);
        if digits < TOKEN_DIGITS_MIN || (has_lower && !tokens.any_case) {
            return;
        }
        let mut compact = [0u8; TOKEN_MAX];
        let Some(compact) = compact.get_mut(..length) else { return };
        compact.copy_from_slice(value);
        compact.make_ascii_uppercase();
        let joined = boundary == Boundary::Joined;
        let all = self.seen.is_some() || (!joined && self.probe.is_alone(start, end));
        let named = match all {
            true => tokens.weak,
            false => self.probe.named(start, end, &tokens.weak),
        };
        for (index, any_case) in &tokens.rows {
            let may = !tokens.weak.contains(*index) || named.contains(*index);
            if may && (*any_case || !has_lower) {
                self.judge(*index, compact, (start, end), 0, joined);
            }
        }
    }

    /// Looks at a byte that is no digit.
    fn mark(&mut self, at: usize) {
        let engine = self.engine;
        let mark = text::byte(self.probe.text, at);
        if matches!(mark, b':' | b'=' | b'>') {
            self.field(at);
        }
        for (index, find) in engine.index.at_mark(mark).iter().filter(|_| mark != b';') {
            let found = find(&mut self.probe, at, &self.run);
            self.keep(*index, found);
        }
    }

    /// Looks at the value behind the operator at `at`.
    fn field(&mut self, at: usize) {
        let engine = self.engine;
        if !engine.index.keyed.may_name(self.probe.text, at) {
            return;
        }
        let value = key::value_after(self.probe.text, at);
        let named = self.probe.named_by_end(value.0, &engine.index.keyed);
        if named.is_empty() {
            return;
        }
        let Some(field) = key::field(self.probe.text, at, value) else { return };
        for (index, find) in &engine.index.keyed.rows {
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

    /// Looks at the cells of columns that name what is looked for under keys: of a table, of the
    /// tuples of an SQL statement, and of HTML.
    fn cells(&mut self) {
        let (engine, table, text) = (self.engine, self.probe.table(), self.probe.text);
        if engine.index.keyed.rows.is_empty() {
            return;
        }
        if let Some(header) = &table.header {
            let from = header.first_row(text, self.goes_on);
            let wanted = |column: usize| table.may_be_keyed(column, &engine.index.keyed);
            header.each_cell(text, from, wanted, |_, cell| self.cell(cell));
        } else if self.probe.is_sql() {
            columns::each_sql_value(text, |_, cell| self.cell(cell));
        }
        headings::each_cell(text, |heading, cell| {
            let named = self.probe.named_by_heading(heading, cell.start);
            for (index, find) in &engine.index.keyed.rows {
                if named.contains(*index) {
                    let found = find(&mut self.probe, cell);
                    self.keep(*index, found.map(Candidate::under_its_key));
                }
            }
        });
    }

    /// Looks at a cell whose column may name what is looked for under keys.
    fn cell(&mut self, cell: Field) {
        let named = self.probe.named_by_column(cell.start);
        for (index, find) in &self.engine.index.keyed.rows {
            if named.contains(*index) {
                let found = find(&mut self.probe, cell);
                self.keep(*index, found);
            }
        }
    }

    /// Looks at punctuation that is everywhere.
    fn joints(&mut self) {
        let rows = &self.engine.index.joints;
        let Some((first, ..)) = rows.first() else { return };
        let last = rows.last().map_or(*first, |(byte, ..)| *byte);
        for at in memchr::memchr2_iter(*first, last, self.probe.text) {
            let byte = text::byte(self.probe.text, at);
            for (_, index, find) in rows.iter().filter(|(joint, ..)| *joint == byte) {
                let found = find(&mut self.probe, at, &self.run);
                self.keep(*index, found);
            }
        }
    }

    /// Looks at the beginnings of secrets.
    fn literals(&mut self) {
        let Some(literals) = &self.engine.index.literals else { return };
        for found in literals.find_iter(self.probe.text) {
            if let Some((index, find)) =
                self.engine.index.literal_rows.get(found.pattern().as_usize())
            {
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
