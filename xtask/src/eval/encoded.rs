//! Recall where the record is encoded or cut: the flow is decoded as the daemon does it, and a value
//! counts as found when a finding of its entity holds its letters and digits.

use std::collections::BTreeMap;

use anyhow::Result;
use support::made::record::CARRIERS;
use support::made::{Maker, Rng};

use super::encode::{ENCODINGS, Encoding, Field};
use super::engine::{self, Finder, letters};
use super::records::{FIXED_SEED, Finders, judged};
use super::{Eval, Outcome};
use crate::bench::table::{Aim, Row, Unit};

/// Made and found.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    made: usize,
    found: usize,
}

impl Tally {
    fn count(&mut self, found: bool) {
        self.made += 1;
        self.found += usize::from(found);
    }

    fn recall(self) -> f64 {
        100.0 * self.found as f64 / (self.made as f64).max(1.0)
    }

    fn row(self, name: String) -> Row {
        Row::new(name, self.recall(), Unit::Percent)
            .note(format!("{} of {}", self.found, self.made))
    }
}

fn holds(finder: &Finder, bytes: &[u8], entity: &str, value: &str) -> bool {
    let wanted = letters(value.as_bytes());
    finder.flow(bytes).iter().any(|(found, text)| *found == entity && letters(text) == wanted)
}

/// Recall in each encoding.
pub fn measure(eval: &Eval) -> Result<Outcome> {
    let finders = Finders::new();
    let mut outcome = Outcome::default();
    let each = eval.pick(40, 10);
    for encoding in ENCODINGS {
        let mut rng = Rng::new(eval.seed ^ FIXED_SEED);
        let mut whole = Tally::default();
        let mut missed: BTreeMap<&str, usize> = BTreeMap::new();
        // Nothing but its own check can speak for a value that has no key.
        let strong = |maker: &&&Maker| encoding.keyed || engine::is_strong(maker.entity);
        for maker in judged().iter().filter(strong) {
            for _ in 0..each {
                let found = one(finders.of(maker.entity), &mut rng, maker, encoding);
                whole.count(found);
                if !found {
                    *missed.entry(maker.entity).or_default() += 1;
                }
            }
        }
        let row = whole.row(format!("recall encoded: {}", encoding.name));
        outcome.rows.push(if encoding.aimed { row.aim(Aim::AtLeast(97.0)) } else { row });
        let mut worst: Vec<_> = missed.into_iter().collect();
        worst.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let told: Vec<String> = worst
            .iter()
            .take(24)
            .map(|(entity, count)| format!("{entity} {count}/{each}"))
            .collect();
        outcome.notes.push(format!(
            "{}: {:.1} %; missed {}",
            encoding.name,
            whole.recall(),
            told.join(", ")
        ));
    }
    Ok(outcome)
}

fn one(finder: &Finder, rng: &mut Rng, maker: &Maker, encoding: &Encoding) -> bool {
    let (key, value) = (rng.pick(maker.keys), (maker.make)(rng));
    let bytes = (encoding.write)(rng, &Field { key, value: &value });
    holds(finder, &bytes, maker.entity, &value)
}

/// Recall where the sample is cut, before the record and after the value, with the key whole.
pub fn cut(eval: &Eval) -> Result<Outcome> {
    let finders = Finders::new();
    let mut rng = Rng::new(eval.seed ^ FIXED_SEED);
    let mut whole = Tally::default();
    let mut by: BTreeMap<&str, Tally> = BTreeMap::new();
    for maker in judged() {
        for carrier in CARRIERS.iter().filter(|carrier| carrier.name != "csv row 100") {
            for _ in 0..eval.pick(8, 2) {
                let (key, value) = (rng.pick(maker.keys), (maker.make)(&mut rng));
                let record = carrier.record(&mut rng, key, &value);
                // Keeps what a key needs: the line or 64 bytes before the value.
                let kept = record.value.start.saturating_sub(64);
                let line = record.text[..record.value.start].iter().rposition(|b| *b == b'\n');
                let first = rng.below(kept.min(line.unwrap_or(kept)) as u64 + 1) as usize;
                let first = if carrier.name.starts_with("csv") || carrier.name == "tsv" {
                    0
                } else {
                    first
                };
                let after = record.text.len() - record.value.end;
                let last = record.value.end + rng.below(after as u64 + 1) as usize;
                let written =
                    String::from_utf8_lossy(&record.text[record.value.clone()]).into_owned();
                let text = &record.text[first..last];
                let found = finders.of(maker.entity).decoded(text).iter().any(|one| {
                    let bytes = text.get(one.span.clone()).unwrap_or_default();
                    one.entity == maker.entity && letters(bytes) == letters(written.as_bytes())
                });
                whole.count(found);
                by.entry(maker.entity).or_default().count(found);
            }
        }
    }
    let mut outcome = Outcome::default();
    let name = "recall where the sample is cut and the value is whole".to_owned();
    outcome.rows.push(whole.row(name).aim(Aim::AtLeast(95.0)));
    let mut sorted: Vec<_> = by.into_iter().collect();
    sorted.sort_by(|a, b| a.1.recall().total_cmp(&b.1.recall()));
    let line = |(entity, tally): &(&str, Tally)| format!("{entity}: {:.1} %", tally.recall());
    outcome.notes.extend(sorted.iter().filter(|(_, tally)| tally.recall() < 99.0).map(line));
    Ok(outcome)
}
