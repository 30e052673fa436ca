//! `egress-monitor explain TEXT`: why something in a text was found, and why something else was not.
//! It asks the engine and looks into nothing: what would have been found elsewhere is tried out. The
//! text is somebody's: values are shown masked, and where they stand.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::exit::Exit;
use super::names;
use crate::decode::{Part, Text, View, place, views};
use crate::detect::{
    Detector, Engine, Explained, Fields, Hit, Learned, Outcome, in_words, is_valid,
};
use crate::limits::{EXPLAIN_BYTES_MAX, EXPLAIN_CANDIDATES_MAX};
use crate::model::{Confidence, Entity, Tag};

/// Trouble of any kind.
const TROUBLE: u8 = 2;
/// Digits of the least that is worth a word when it was not found.
const CANDIDATE_DIGITS_MIN: usize = 6;
/// Letters and digits of the longest.
const CANDIDATE_BYTES_MAX: usize = 64;

const EXAMPLES: &str = "Examples:
  egress-monitor explain '{\"card\": 4111111111111111}'
  tail -n 1 app.log | egress-monitor explain -
  egress-monitor explain --entities US_SSN 'order 219-09-9999'

What stands on a command line is seen by other users of the host: give it on standard input (-) where
it may be somebody's. Values are printed masked.

Exit codes: 0 explained, 2 trouble or wrong arguments.";

/// Arguments of `egress-monitor explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The text, - for standard input
    text: String,
    /// Only these entities, such as CREDIT_CARD,IBAN_CODE
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    entities: Vec<String>,
    /// Only entities with one of these tags, such as PCI-DSS,GDPR
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
}

/// Runs `egress-monitor explain`.
///
/// # Errors
///
/// The text cannot be read, or what is said of it not written.
pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let chosen = names::Chosen::new(&args.entities, &args.tags, None);
    let chosen = chosen.map_err(|what| Exit::new(TROUBLE, what))?;
    let text = text(&args.text)?;
    let explainer = Explainer { engine: &chosen.engine(), rows: chosen.rows };
    let mut out = io::stdout().lock();
    match explainer.explain(&text, &mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn text(text: &str) -> Result<Zeroizing<Vec<u8>>, Exit> {
    if text != "-" {
        return Ok(Zeroizing::new(text.as_bytes().to_vec()));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let read = io::stdin().lock().take(EXPLAIN_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Exit::new(TROUBLE, format!("standard input: {error}")))?;
    if bytes.len() as u64 > EXPLAIN_BYTES_MAX {
        let what = format!(
            "standard input is longer than {EXPLAIN_BYTES_MAX} bytes; give the part to explain"
        );
        return Err(Exit::new(TROUBLE, what));
    }
    Ok(bytes)
}

/// Explains with an engine, and the rows of its detectors.
struct Explainer<'e> {
    engine: &'e Engine,
    rows: Vec<&'static Detector>,
}

impl Explainer<'_> {
    fn explain(&self, text: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let mut said: Vec<(Range<usize>, Option<Entity>)> = Vec::new();
        let views = views(&Text { bytes: text, fresh: 0, part: Part::Text });
        let mut all: Vec<(&View<'_>, Vec<Hit>)> = Vec::new();
        for view in views.iter() {
            let mut hits = Vec::new();
            let find = |learned: Option<Learned<'_>>, hits: &mut Vec<Hit>| {
                self.engine.find_learned(&view.bytes, learned, hits)
            };
            match view.has_fields() {
                true => Fields::default().find(&view.bytes, |_| true, &mut hits, find),
                false => self.engine.find(&view.bytes, &mut hits),
            };
            hits.retain(|hit| !view.is_at_edge(&(hit.start..hit.end)));
            all.push((view, hits));
        }
        for (view, hits) in &all {
            for hit in hits {
                let span = view.span(hit.start..hit.end);
                let entity = self.engine.entity(hit.detector).clone();
                let what = (span.clone(), Some(entity));
                if !said.contains(&what) {
                    self.found(view, hit, &span, out)?;
                    said.push(what);
                }
            }
        }
        let mut left = EXPLAIN_CANDIDATES_MAX;
        for (view, _) in &all {
            let seen = self.engine.explain(&view.bytes);
            for candidate in places(&view.bytes, &seen) {
                let span = view.span(candidate.clone());
                let known = |other: &(Range<usize>, _)| {
                    other.0.start < span.end && span.start < other.0.end
                };
                if left == 0 || said.iter().any(known) {
                    continue;
                }
                left -= 1;
                self.missed(view, candidate, &span, &seen, out)?;
                said.push((span, None));
            }
        }
        if said.is_empty() {
            writeln!(
                out,
                "nothing in it looks like a value: no address, and no {CANDIDATE_DIGITS_MIN} digits close together"
            )?;
        }
        if left == 0 {
            writeln!(out, "more that was not found is not explained: give a shorter text")?;
        }
        Ok(())
    }

    /// Why a value was found.
    fn found(
        &self,
        view: &View<'_>,
        hit: &Hit,
        span: &Range<usize>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let value = view.bytes.get(hit.start..hit.end).unwrap_or_default();
        let entity = self.engine.entity(hit.detector);
        let masked = self.engine.mask(hit.detector, value);
        let (confidence, score_db) = (word(hit.confidence), hit.score_db);
        writeln!(out, "{} found {entity} {masked}", at(view, span))?;
        writeln!(out, "  confidence {confidence}, {score_db} decibans")?;
        for reason in hit.reasons.iter() {
            writeln!(out, "  - {reason}")?;
        }
        if let Some((start, end)) = hit.key {
            let name = view.bytes.get(start..end);
            if let Some(field) = name.and_then(|name| in_words(hit, name, entity.name())) {
                writeln!(out, "  - {field}")?;
            }
            let name = place(Part::Text, name).trim_start_matches("text").trim().to_owned();
            let span = view.span(start..end);
            writeln!(out, "  key `{name}` at {}..{}", span.start, span.end)?;
        }
        if let Some(bare) =
            self.elsewhere(entity.name(), |value| format!("lorem {value} ipsum"), value)
        {
            let gained = i32::from(score_db) - i32::from(bare);
            writeln!(out, "  {bare} decibans by itself, {gained:+} by what stands around it")?;
        } else {
            writeln!(out, "  by itself it would not be reported")?;
        }
        if let Some(rival) = hit.rival {
            writeln!(out, "  {} claims the same bytes", self.engine.entity(rival))?;
        }
        if let Some(row) = self.engine.detector(hit.detector) {
            let tags: Vec<&str> = row.tag_set().iter().map(Tag::name).collect();
            writeln!(out, "  {}; {}; tags {}", row.title, row.standard, tags.join(", "))?;
        }
        writeln!(out)
    }

    /// Why what looks like a value is none.
    fn missed(
        &self,
        view: &View<'_>,
        candidate: Range<usize>,
        span: &Range<usize>,
        seen: &[Explained],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let value = view.bytes.get(candidate.clone()).unwrap_or_default();
        let masked: String = String::from_utf8_lossy(value)
            .chars()
            .map(|letter| if letter.is_alphanumeric() { '*' } else { letter })
            .collect();
        writeln!(out, "{} not found: {masked}", at(view, span))?;
        let mut reasons: Vec<(&str, String)> = Vec::new();
        let here = |seen: &&Explained| seen.start < candidate.end && candidate.start < seen.end;
        for seen in seen.iter().filter(here) {
            let Some(row) = self.engine.detector(seen.detector) else { continue };
            let part = view.bytes.get(seen.start..seen.end).unwrap_or_default();
            let why = self.weighed(row, seen, part);
            if !reasons.iter().any(|(entity, known)| *entity == row.entity && *known == why) {
                reasons.push((row.entity, why));
            }
        }
        // Under a key of its own almost anything is a password.
        for row in self.rows.iter().filter(|row| !row.find.is_keyed()) {
            let known = reasons.iter().any(|(entity, _)| *entity == row.entity);
            if let Some(why) = self.why_not(row, value).filter(|_| !known) {
                reasons.push((row.entity, why));
            }
        }
        for (entity, why) in &reasons {
            writeln!(out, "  {entity}: {why}")?;
        }
        if reasons.is_empty() {
            let entities = self.rows.len();
            writeln!(out, "  has the shape of none of the {entities} entities looked for")?;
        }
        writeln!(out)
    }

    /// What became of a place that a detector saw.
    fn weighed(&self, row: &Detector, seen: &Explained, value: &[u8]) -> String {
        let mut why = seen.outcome.words().to_owned();
        let reasons: Vec<&str> = seen.reasons.iter().collect();
        if seen.outcome != Outcome::CheckFails {
            why += &format!(", {} decibans", seen.score_db);
        }
        if !reasons.is_empty() {
            why += &format!(" ({})", reasons.join("; "));
        }
        let weak = matches!(seen.outcome, Outcome::NeedsContext | Outcome::TooLittle);
        if let Some((word, score_db)) = self.under_key(row, value).filter(|_| weak) {
            why += &format!("; under the key `{word}` it would have {score_db}");
        }
        why
    }

    /// The evidence that a value would have under a key of its own.
    fn under_key(&self, row: &Detector, value: &[u8]) -> Option<(&'static str, i16)> {
        let word = row.words.key.first().or(row.words.near.first())?;
        let text = |value: &str| format!("{word}: {value} ;");
        self.elsewhere(row.entity, text, value).map(|score_db| (*word, score_db))
    }

    /// Why a value that no detector saw is not one of this entity; `None` where nothing about it is
    /// like one.
    fn why_not(&self, row: &Detector, value: &[u8]) -> Option<String> {
        if let Some((word, score_db)) = self.under_key(row, value) {
            return Some(format!(
                "not here; under the key `{word}` it would have {score_db} decibans"
            ));
        }
        // With another last digit it would be one: so only the check speaks against it.
        if is_valid(row.entity, &compact(value)) == Some(true) {
            return None;
        }
        let near = (b'0'..=b'9').any(|digit| {
            let mut other = Zeroizing::new(value.to_vec());
            let last = other.iter().rposition(u8::is_ascii_digit);
            if let Some(place) = last.and_then(|last| other.get_mut(last)) {
                *place = digit;
            }
            self.under_key(row, &other).is_some()
        });
        near.then(|| "has the shape, but its check digits do not fit".to_owned())
    }

    /// The evidence that a value would have in another text.
    fn elsewhere(&self, entity: &str, text: impl Fn(&str) -> String, value: &[u8]) -> Option<i16> {
        let text = Zeroizing::new(text(std::str::from_utf8(value).ok()?));
        let start = text.find(std::str::from_utf8(value).ok()?)?;
        let mut hits = Vec::new();
        self.engine.find(text.as_bytes(), &mut hits);
        let this = |hit: &&Hit| {
            hit.start < start + value.len()
                && start < hit.end
                && self.engine.entity(hit.detector).name() == entity
        };
        hits.iter().find(this).map(|hit| hit.score_db)
    }
}

fn at(view: &View<'_>, span: &Range<usize>) -> String {
    let encoding: &str = &view.encoding;
    match encoding {
        "plain" => format!("{}..{}:", span.start, span.end),
        encoding => format!("{}..{} ({encoding}):", span.start, span.end),
    }
}

fn word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

/// A value without separators, letters in upper case.
fn compact(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphanumeric());
    Zeroizing::new(letters.map(u8::to_ascii_uppercase).collect())
}

/// What detectors saw, and what else looks like a value, in order.
fn places(text: &[u8], seen: &[Explained]) -> Vec<Range<usize>> {
    let mut all = candidates(text);
    all.extend(seen.iter().map(|seen| seen.start..seen.end));
    all.sort_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    all
}

/// What looks like a value: groups of letters and digits with one separator between them and enough
/// digits, or an `@`.
fn candidates(text: &[u8]) -> Vec<Range<usize>> {
    let in_group = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_');
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.iter().position(in_group)) {
        let start = at + found;
        let mut end = start;
        loop {
            let rest = text.get(end..).unwrap_or_default();
            end += rest.iter().take_while(|byte| in_group(byte)).count();
            let digits = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
            let joins = match text.get(end) {
                Some(b'-' | b'.' | b'+' | b'/') => text.get(end + 1).is_some_and(in_group),
                // Blanks only between digits: words are no groups.
                Some(b' ') => {
                    digits(end.checked_sub(1).and_then(|last| text.get(last)))
                        && digits(text.get(end + 1))
                }
                _ => false,
            };
            if !joins {
                break;
            }
            end += 1;
        }
        at = end;
        let value = text.get(start..end).unwrap_or_default();
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        let likely = digits >= CANDIDATE_DIGITS_MIN || value.contains(&b'@');
        if likely && value.len() <= CANDIDATE_BYTES_MAX {
            all.push(start..end);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::detectors;

    fn explained(text: &str) -> String {
        let engine = Engine::usual();
        let rows = detectors().iter().filter(|row| !row.only_by_name).collect();
        let mut out = Vec::new();
        Explainer { engine: &engine, rows }.explain(text.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(text: &str, says: &[&str]) {
        let said = explained(text);
        for part in says {
            assert!(said.contains(part), "no {part:?} of {text:?} in:\n{said}");
        }
        for digits in ["4539578763621486", "4539578763621487", "jane"] {
            assert!(!said.contains(digits), "{said}");
        }
    }

    #[test]
    fn what_is_found_has_its_reasons() {
        let key =
            ["9..25: found CREDIT_CARD 4***********1486", "confidence high", "its key names it"];
        check(r#"{"card": 4539578763621486}"#, &key);
        check(r#"{"card": 4539578763621486}"#, &["key `card` at 2..6", "by what stands around it"]);
        check("mail%3Djane%40acme.io", &["(percent): found EMAIL_ADDRESS"]);
    }

    #[test]
    fn what_is_not_found_has_what_speaks_against_it() {
        check(
            "order id 4539578763621487 shipped",
            &[
                "not found: ****************",
                "CREDIT_CARD: has the shape, but its check digits do not fit",
            ],
        );
        check(
            "timestamp: 4539578763621486",
            &["not found", "CREDIT_CARD: its key says that it is something else"],
        );
        check("nothing here", &["nothing in it looks like a value"]);
        check("build 1.2.3.4.5.678 of jane", &["has the shape of none"]);
    }

    #[test]
    fn no_text_panics() {
        for text in ["", "@", "-", "1 ", "1 2 3 4 5 6", "é1234567é", "\u{a0}123456", "+-+-@@__"] {
            explained(text);
        }
    }
}
