//! Counts findings in texts that hold nobody's data, and shows the worst: by entity, each with a few
//! masked examples in what stands around them.

use std::collections::BTreeMap;

use anyhow::Result;
use regex::bytes::Regex;
use serde::Deserialize;

use egress_monitor::model::Confidence;

use super::engine::Found;
use crate::bench::table::{Row, Unit};

/// Entities that are what they say wherever they stand: real addresses in files that are somebody's.
/// They are counted apart.
const APART: &[&str] = &["EMAIL_ADDRESS", "IP_ADDRESS", "MAC_ADDRESS", "URL", "DOMAIN_NAME"];
/// Examples that are kept of an entity at a confidence.
const EXAMPLES_MAX: usize = 12;
/// Bytes before and after an example that are shown.
const AROUND_BYTES: usize = 48;

/// Findings that are right, see the file.
const RIGHT: &str = include_str!("right.toml");
/// Bytes before a value in which what says so is looked for.
const BEFORE_BYTES: usize = 240;

#[derive(Deserialize)]
struct Table {
    right: Vec<Right>,
}

/// Findings of an entity that are right where this stands before them.
#[derive(Deserialize)]
struct Right {
    entity: String,
    before: String,
}

/// Findings counted.
pub struct Count {
    right: Vec<(String, Regex)>,
    bytes: usize,
    test_data: usize,
    found_right: usize,
    by: BTreeMap<(&'static str, Confidence), (usize, Vec<String>)>,
}

impl Count {
    /// Nothing counted yet.
    pub fn new() -> Result<Count> {
        let table: Table = toml::from_str(RIGHT)?;
        let ready = |row: Right| Ok((row.entity, Regex::new(&format!("(?:{})$", row.before))?));
        let right = table.right.into_iter().map(ready).collect::<Result<_>>()?;
        Ok(Count { right, bytes: 0, test_data: 0, found_right: 0, by: BTreeMap::new() })
    }

    fn is_right(&self, text: &[u8], found: &Found) -> bool {
        let before = found.span.start.saturating_sub(BEFORE_BYTES)..found.span.start;
        let before = text.get(before).unwrap_or_default();
        self.right.iter().any(|(entity, regex)| entity == found.entity && regex.is_match(before))
    }

    /// Takes in what was found in a text.
    pub fn add(&mut self, source: &str, text: &[u8], found: &[Found]) {
        self.bytes += text.len();
        self.test_data += found.iter().filter(|one| one.test_data).count();
        for one in found.iter().filter(|one| !one.test_data) {
            if self.is_right(text, one) {
                self.found_right += 1;
                continue;
            }
            let (count, examples) = self.by.entry((one.entity, one.confidence)).or_default();
            *count += 1;
            if examples.len() < EXAMPLES_MAX {
                examples.push(format!("{source}: {}", in_context(text, one)));
            }
        }
    }

    fn counted(&self, of: impl Fn(&str, Confidence) -> bool) -> usize {
        self.by.iter().filter(|((entity, sure), _)| of(entity, *sure)).map(|(_, by)| by.0).sum()
    }

    fn rate(&self, count: usize) -> f64 {
        count as f64 / (self.bytes as f64 / 1e6)
    }

    fn row(&self, count: usize) -> Row {
        let apart = self.counted(|entity, _| APART.contains(&entity));
        let note = format!(
            "{count} in {:.1} MB; apart: {apart} addresses, {} published test values, {} that are right",
            self.bytes as f64 / 1e6,
            self.test_data,
            self.found_right
        );
        Row::new("", self.rate(count), Unit::PerMb).note(note)
    }

    /// Those of high confidence.
    pub fn per_mb_high(&self) -> Row {
        self.row(self.counted(|entity, sure| sure == Confidence::High && !APART.contains(&entity)))
    }

    /// Those of medium confidence and more.
    pub fn per_mb_medium(&self) -> Row {
        self.row(
            self.counted(|entity, sure| sure >= Confidence::Medium && !APART.contains(&entity)),
        )
    }

    /// All.
    pub fn per_mb(&self) -> Row {
        self.row(self.counted(|entity, _| !APART.contains(&entity)))
    }

    /// What to mend, the most first.
    pub fn offenders(&self) -> Vec<String> {
        let mut by: Vec<_> = self.by.iter().collect();
        by.sort_by_key(|((_, sure), (count, _))| std::cmp::Reverse((*sure, *count)));
        let mut lines = Vec::new();
        for ((entity, sure), (count, examples)) in by {
            lines.push(format!("{entity} {sure:?}: {count} ({:.2}/MB)", self.rate(*count)));
            lines.extend(examples.iter().map(|example| format!("    {example}")));
        }
        lines
    }
}

/// A finding, masked, and what stands around it.
pub fn in_context(text: &[u8], found: &Found) -> String {
    let before = found.span.start.saturating_sub(AROUND_BYTES)..found.span.start;
    let after = found.span.end..text.len().min(found.span.end.saturating_add(AROUND_BYTES));
    let shown = |span| String::from_utf8_lossy(text.get(span).unwrap_or_default()).into_owned();
    let line = format!("{}«{}»{}", shown(before), found.masked, shown(after));
    line.replace('\n', "⏎")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_what_is_right_is_well_formed() {
        assert!(Count::new().is_ok());
    }
}
