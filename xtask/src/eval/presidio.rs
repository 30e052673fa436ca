//! The cases of Microsoft Presidio's recogniser tests: each row with only its entity's detector on,
//! at every confidence.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::engine::Finder;
use super::{Eval, Outcome};
use crate::bench::table::{Aim, Row, Unit};

const CASES: &str = "tests/cases/presidio/cases.json";
const MAPPING: &str = "tests/cases/presidio/ours.toml";

/// A row of a recogniser's table.
#[derive(Debug, Deserialize)]
struct Case {
    recognizer: String,
    text: String,
    count: usize,
    /// In characters.
    spans: Option<Vec<(usize, usize)>>,
}

/// What this project makes of them.
#[derive(Debug, Deserialize)]
struct Ours {
    /// The entity of each recogniser.
    entity: BTreeMap<String, String>,
    /// Rows where this project decides otherwise.
    #[serde(default)]
    otherwise: Vec<Otherwise>,
}

#[derive(Debug, Deserialize)]
struct Otherwise {
    recognizer: String,
    text: String,
    why: String,
}

/// Counts the rows that are right.
pub fn measure(eval: &Eval) -> Result<Outcome> {
    let read = |path: &str| {
        std::fs::read_to_string(eval.root.join(path))
            .with_context(|| format!("{path} cannot be read"))
    };
    let cases: Vec<Case> = serde_json::from_str(&read(CASES)?)?;
    let ours: Ours = toml::from_str(&read(MAPPING)?)?;
    let mut outcome = Outcome::default();
    let (mut right, mut judged, mut excused) = (0, 0, 0);
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for case in &cases {
        let entity = ours.entity.get(&case.recognizer);
        let entity = entity.with_context(|| format!("{MAPPING} lacks {}", case.recognizer))?;
        let Some(finder) = Finder::only(entity) else {
            *missing.entry(entity).or_default() += 1;
            continue;
        };
        judged += 1;
        let found: Vec<(usize, usize)> = finder
            .decoded(case.text.as_bytes())
            .iter()
            .map(|one| (chars(&case.text, one.span.start), chars(&case.text, one.span.end)))
            .collect();
        let same = match &case.spans {
            Some(spans) => *spans == found,
            None => case.count == found.len(),
        };
        let otherwise = ours
            .otherwise
            .iter()
            .find(|row| row.recognizer == case.recognizer && row.text == case.text);
        right += usize::from(same);
        if same {
            continue;
        }
        excused += usize::from(otherwise.is_some());
        let wanted =
            case.spans.as_ref().map_or(format!("{}", case.count), |spans| format!("{spans:?}"));
        let why = otherwise.map_or("NO REASON GIVEN", |row| row.why.as_str());
        wrong
            .entry(entity)
            .or_default()
            .push(format!("    {:?} wanted {wanted}, found {found:?}: {why}", case.text));
    }
    let figure = 100.0 * right as f64 / (judged as f64).max(1.0);
    let all = 100.0 * right as f64 / cases.len() as f64;
    outcome.rows.push(
        Row::new("Presidio's recogniser cases, all rows", all, Unit::Percent)
            .aim(Aim::AtLeast(97.0))
            .note(format!(
                "{right} of {}; {} rows of {} entities without a detector",
                cases.len(),
                missing.values().sum::<usize>(),
                missing.len()
            )),
    );
    outcome.rows.push(
        Row::new("Presidio's recogniser cases, of entities with a detector", figure, Unit::Percent)
            .note(format!("{right} of {judged}, {excused} of the rest with a reason")),
    );
    for (entity, rows) in wrong {
        outcome.notes.push(format!("{entity}: {} rows", rows.len()));
        outcome.notes.extend(rows);
    }
    outcome
        .notes
        .extend(missing.iter().map(|(entity, rows)| format!("no detector: {entity}, {rows} rows")));
    Ok(outcome)
}

/// How many characters stand before a byte.
fn chars(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count()
}
