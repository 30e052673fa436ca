//! Detectors that a policy brings along: a regular expression, literals, or a dictionary. They are
//! weighed as the built-in ones are. It reads no file, and judges no policy.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

use super::evidence::{Candidate, Reasons};
use super::lexicon::{hash, is_word_byte, next_word};
use super::text::{Boundary, boundary, byte_before, slice};
use crate::model::{Confidence, Entity, Tags};

/// A detector of a policy.
pub struct Custom {
    /// Its name.
    pub entity: Entity,
    /// Regulations, as the policy says.
    pub tags: Tags,
    /// What it looks for.
    pub matcher: Matcher,
    /// What a match must pass too, without its separators, letters in upper case.
    pub validator: Option<Check>,
    /// Terms, in lower case, that speak for it as a key or near by.
    pub words: Vec<String>,
    /// Whether it is only reported where one of the words names it.
    pub needs_context: bool,
    /// How sure a match is where nothing names it.
    pub confidence: Confidence,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("entity", &self.entity).finish_non_exhaustive()
    }
}

/// Whether a value without separators, letters in upper case, may have been issued.
pub type Check = fn(compact: &[u8]) -> bool;

/// What a detector of a policy looks for.
pub enum Matcher {
    /// A regular expression: in linear time, as the library promises.
    Regex(Regex),
    /// Strings, as words of their own.
    Literals(AhoCorasick),
    /// Terms of words, without regard to case.
    Dictionary(Dictionary),
}

/// Characters of a value that a validator sees.
const COMPACT_MAX: usize = 64;

impl Custom {
    /// Hands on every match in `text`.
    pub(super) fn find(&self, text: &[u8], found: &mut dyn FnMut(Candidate)) {
        let mut keep = |span: Range<usize>| {
            if let Some(candidate) = self.judge(text, span) {
                found(candidate);
            }
        };
        match &self.matcher {
            Matcher::Regex(regex) => {
                regex
                    .find_iter(text)
                    .filter(|found| !found.is_empty())
                    .for_each(|m| keep(m.range()));
            }
            Matcher::Literals(literals) => {
                let whole = |m: &aho_corasick::Match| {
                    boundary(text, m.start(), m.end()) != Boundary::Inside
                };
                literals.find_iter(text).filter(whole).for_each(|m| keep(m.range()));
            }
            Matcher::Dictionary(dictionary) => dictionary.find(text, &mut keep),
        }
    }

    fn judge(&self, text: &[u8], span: Range<usize>) -> Option<Candidate> {
        let mut reasons = Reasons::FORM;
        if let Some(validator) = self.validator {
            let mut compact = [0u8; COMPACT_MAX];
            let mut length = 0;
            for byte in
                slice(text, span.start, span.end).iter().filter(|b| b.is_ascii_alphanumeric())
            {
                *compact.get_mut(length)? = byte.to_ascii_uppercase();
                length += 1;
            }
            if !validator(compact.get(..length)?) {
                return None;
            }
            reasons = reasons.and(Reasons::CHECKED);
        }
        let worth_db = match self.confidence {
            Confidence::High => super::evidence::HIGH_DB,
            Confidence::Medium => super::evidence::MEDIUM_DB,
            Confidence::Low => super::evidence::LOW_DB,
        };
        let mut candidate = Candidate::new(span.start, span.end, worth_db).because(reasons);
        candidate.needs_context = self.needs_context;
        candidate.own_bounds = true;
        Some(candidate)
    }
}

/// Terms of words, kept as hashes: eight bytes for each. Two terms fall together with a chance of
/// one in 10^13 for a text of a million words and a dictionary of a million terms.
#[derive(Default)]
pub struct Dictionary {
    terms: HashSet<u64, BuildHasherDefault<AsItIs>>,
    /// Hashes of first words of terms of more than one.
    firsts: HashSet<u64, BuildHasherDefault<AsItIs>>,
    words_max: usize,
}

/// Words of a term.
pub const WORDS_MAX: usize = 6;
/// Bytes between two words of a term.
const GAP_BYTES_MAX: usize = 2;

impl Dictionary {
    /// Adds a term. Gives whether it has between one and [`WORDS_MAX`] words, and was added.
    pub fn add(&mut self, term: &str) -> bool {
        let text = term.as_bytes();
        let (mut at, mut words, mut all, mut first) = (0, 0, 0, 0);
        while let Some((start, end)) = next_piece(text, at) {
            all = chain(all, hash(slice(text, start, end)));
            first = if words == 0 { all } else { first };
            words += 1;
            at = end;
        }
        if !(1..=WORDS_MAX).contains(&words) {
            return false;
        }
        self.terms.insert(all);
        if words > 1 {
            self.firsts.insert(first);
        }
        self.words_max = self.words_max.max(words);
        true
    }

    /// How many terms there are.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Hands on the longest term at each word.
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        let mut at = 0;
        while let Some((start, end)) = next_piece(text, at) {
            at = end;
            let first = chain(0, hash(slice(text, start, end)));
            let mut longest = self.terms.contains(&first).then_some(end);
            if self.firsts.contains(&first) {
                let (mut all, mut last) = (first, end);
                for _ in 1..self.words_max {
                    let Some(next) =
                        next_piece(text, last).filter(|next| next.0 - last <= GAP_BYTES_MAX)
                    else {
                        break;
                    };
                    all = chain(all, hash(slice(text, next.0, next.1)));
                    last = next.1;
                    if self.terms.contains(&all) {
                        longest = Some(last);
                    }
                }
            }
            if let Some(end) = longest {
                found(start..end);
                at = end;
            }
        }
    }
}

/// The next word, that of camel case whole: names are not split in it.
fn next_piece(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let (start, mut end) = next_word(text, from)?;
    while let Some((next, next_end)) = next_word(text, end).filter(|next| next.0 == end) {
        debug_assert!(is_word_byte(byte_before(text, next, 1)));
        end = next_end;
    }
    Some((start, end))
}

fn chain(before: u64, word: u64) -> u64 {
    (before.rotate_left(23) ^ word).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// Hashes are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A check that a policy may name.
pub fn validator(name: &str) -> Option<Check> {
    VALIDATORS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

/// The checks that a policy may name, beside the entities whose detectors have one.
pub const VALIDATORS: [(&str, Check); 6] = [
    ("luhn", super::checksum::luhn),
    ("mod-11-10", super::checksum::mod_11_10),
    ("mod-11-2", super::checksum::mod_11_2),
    ("mod-97-10", |compact| super::checksum::mod_97(compact.iter().copied()) == Some(1)),
    ("verhoeff", super::checksum::verhoeff),
    ("not-one-repeated", |compact| !super::checksum::one_repeated(compact)),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Engine;
    use super::*;

    fn custom(matcher: Matcher) -> Custom {
        Custom {
            entity: Entity::named("STAFF_ID"),
            tags: Tags::default(),
            matcher,
            validator: None,
            words: vec!["staff".to_owned()],
            needs_context: false,
            confidence: Confidence::Medium,
        }
    }

    #[track_caller]
    fn check(custom: Custom, text: &str, wanted: &[&str]) {
        let engine = Engine::with(|_| false, &[Arc::new(custom)]);
        let mut hits = Vec::new();
        engine.find(text.as_bytes(), &mut hits);
        let found: Vec<&str> = hits.iter().map(|hit| &text[hit.start..hit.end]).collect();
        assert_eq!(found, wanted, "{text}");
        assert!(hits.iter().all(|hit| engine.entity(hit.detector).name() == "STAFF_ID"));
    }

    #[test]
    fn what_a_policy_brings_along_is_found() {
        let regex = |pattern: &str| Matcher::Regex(Regex::new(pattern).expect("it is one"));
        check(custom(regex(r"EMP-\d{4}")), "EMP-1234, EMP-12", &["EMP-1234"]);
        let literals = AhoCorasick::new(["Acme", "x9"]).expect("they are few");
        check(custom(Matcher::Literals(literals)), "of Acme, not Acmes or ax9", &["Acme"]);
        let mut names = Dictionary::default();
        assert!(["Jane Roe", "Jane", "O'Neil"].iter().all(|name| names.add(name)));
        check(
            custom(Matcher::Dictionary(names)),
            "jane  ROE, Jane x, o'neil, Janet",
            &["jane  ROE", "Jane", "o'neil"],
        );
        let needs = Custom { needs_context: true, ..custom(regex(r"\d{5}")) };
        check(needs, r#"{"other":12345,"staff_no":54321}"#, &["54321"]);
        let checked = Custom { validator: validator("luhn"), ..custom(regex(r"\d+")) };
        check(checked, "79927398713 79927398714", &["79927398713"]);
    }
}
