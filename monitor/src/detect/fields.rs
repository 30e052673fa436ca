//! What the fields of a flow's protobuf messages have held: they have numbers and no names, so that
//! the field itself becomes what names a value. A field that held surely recognised values of one
//! entity and of no other speaks for what comes in it later. Knows one flow, or one file, and a
//! bounded number of its fields; the same bytes in other pieces teach the same.

use super::text::slice;
use super::{DetectorId, Hit, Reasons};
use crate::limits::{FIELD_HELD_MIN, FIELDS_LEARNED_MAX};
use crate::model::Confidence;

/// The fields of a flow, those that came first. Nothing of a value is kept.
#[derive(Default)]
pub struct Fields {
    known: Vec<Field>,
}

/// A field by its path, `f1.f3`, of which a hash is kept.
struct Field {
    path: u64,
    /// What it held.
    detector: DetectorId,
    /// Values of it that were sure, and values that were nothing.
    held: u8,
    others: u8,
    /// Whether it held something else.
    mixed: bool,
    /// From where to where in the text that is read it speaks for its entity.
    since: usize,
    until: usize,
}

/// What fields say of the values of a text, or of a part of one that begins at `base`.
#[derive(Clone, Copy)]
pub struct Learned<'f> {
    fields: &'f Fields,
    base: usize,
}

impl<'f> Learned<'f> {
    /// Of a part of the text that begins so many bytes further.
    #[must_use]
    pub fn part(self, base: usize) -> Learned<'f> {
        Learned { base: self.base.saturating_add(base), ..self }
    }

    /// The number of the detector that the field `path` speaks for at the value at `start`.
    pub(super) fn says(&self, path: &[u8], start: usize) -> Option<usize> {
        let at = self.base.saturating_add(start);
        let hash = hash(path)?;
        let field = self.fields.known.iter().find(|field| field.path == hash)?;
        (field.since..field.until).contains(&at).then_some(usize::from(field.detector.0))
    }
}

impl Fields {
    /// Has `find` look through the fields of messages as lines, appending hits, and looks at what it
    /// found; once more with what was learned, where that may say more. Lines that are not `fresh`
    /// were looked at before.
    pub fn find(
        &mut self,
        text: &[u8],
        fresh: impl Fn(usize) -> bool,
        hits: &mut Vec<Hit>,
        mut find: impl FnMut(Option<Learned<'_>>, &mut Vec<Hit>) -> usize,
    ) -> usize {
        let first = hits.len();
        let cut = find(None, hits);
        if !self.learn(text, fresh, hits.get(first..).unwrap_or_default()) {
            return cut;
        }
        hits.truncate(first);
        find(Some(Learned { fields: self, base: 0 }), hits)
    }

    /// Looks at what the fields hold. Whether what is known of them may say more of a value.
    fn learn(&mut self, text: &[u8], fresh: impl Fn(usize) -> bool, hits: &[Hit]) -> bool {
        for field in &mut self.known {
            let is_learned = field.since < field.until && !field.mixed;
            (field.since, field.until) =
                if is_learned { (0, usize::MAX) } else { (usize::MAX, usize::MAX) };
        }
        let (mut says_more, mut hits) = (false, hits.iter().peekable());
        for Line { path, end } in lines(text) {
            while hits.next_if(|hit| hit.start < path.1).is_some() {}
            let mut held: Option<&Hit> = None;
            let mut mixed = false;
            while let Some(hit) = hits.next_if(|hit| hit.start < end) {
                mixed |= held.is_some_and(|held| held.detector != hit.detector);
                let sure = |hit: &Hit| hit.key == Some(path) && hit.confidence == Confidence::High;
                held = if held.is_none_or(|held| !sure(held)) { Some(hit) } else { held };
            }
            let Some(hash) = hash(slice(text, path.0, path.1)) else { continue };
            let known = self.known.iter_mut().find(|field| field.path == hash);
            if !fresh(end) {
                says_more |= known.is_some_and(|field| field.until > path.1);
                continue;
            }
            match known {
                Some(field) => says_more |= field.look(path.1, end, held, mixed),
                None => self.add(hash, held, mixed),
            }
        }
        says_more
    }

    /// A field that comes for the first time.
    fn add(&mut self, path: u64, held: Option<&Hit>, mixed: bool) {
        let Some(held) = held.filter(|_| self.known.len() < FIELDS_LEARNED_MAX) else { return };
        let sure = held.confidence == Confidence::High && !held.test_data;
        self.known.push(Field {
            path,
            detector: held.detector,
            held: u8::from(sure),
            others: 0,
            mixed,
            since: usize::MAX,
            until: usize::MAX,
        });
    }
}

impl Field {
    /// Looks at one value more, of which `held` was found. Whether what is known may say more of it.
    fn look(&mut self, start: usize, end: usize, held: Option<&Hit>, mixed: bool) -> bool {
        let speaks = self.since <= start && start < self.until;
        match held {
            Some(hit) if mixed || hit.detector != self.detector => {
                self.mixed = true;
                self.until = self.until.min(end);
            }
            Some(hit) if hit.confidence == Confidence::High && !hit.test_data => {
                self.held = self.held.saturating_add(1);
            }
            Some(_) => {}
            None => self.others = self.others.saturating_add(1),
        }
        if !self.mixed
            && self.since == usize::MAX
            && self.held >= FIELD_HELD_MIN
            && self.others <= self.held
        {
            (self.since, self.until) = (end, usize::MAX);
        }
        speaks
    }
}

/// A field and where its value ends.
struct Line {
    /// The span of its path.
    path: (usize, usize),
    end: usize,
}

/// The lines `"f1.f3": value`.
fn lines(text: &[u8]) -> impl Iterator<Item = Line> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let rest = text.get(at..)?;
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (start, line) = (at, rest.get(..length)?);
            at += length + 1;
            let Some(path) = line.strip_prefix(b"\"") else { continue };
            let Some(close) = memchr::memchr(b'"', path) else { continue };
            if is_path(path.get(..close)?) {
                return Some(Line { path: (start + 1, start + 1 + close), end: start + length });
            }
        }
        None
    })
}

/// Whether a key is nothing but numbers of fields.
fn is_path(key: &[u8]) -> bool {
    let number = |part: &[u8]| matches!(part, [b'f', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
    key.split(|byte| *byte == b'.').all(number)
}

/// FNV-1a of 64 bits of a path; `None` of what is none.
fn hash(path: &[u8]) -> Option<u64> {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
    is_path(path).then(|| path.iter().fold(0xCBF2_9CE4_8422_2325, step))
}

/// In words, that a field has held an entity: `field 1.3 has held IBAN before`.
pub fn in_words(hit: &Hit, key: &[u8], entity: &str) -> Option<String> {
    let path = std::str::from_utf8(key).ok().filter(|_| is_path(key))?;
    let numbers = path.replace('f', "");
    hit.reasons.has(Reasons::FIELD).then(|| format!("field {numbers} has held {entity} before"))
}
