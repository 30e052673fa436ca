//! Recall and precision in records that hold one value under a key, for every entity that can be
//! made, in every carrier.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;
use support::made::record::{CARRIERS, Carrier};
use support::made::{Maker, Rng, makers};

use super::engine::{self, Finder, Found, entities};
use super::falsely::in_context;
use super::{Eval, Outcome};
use crate::bench::table::{Aim, Row, Unit};

/// Seed whose figures are compared from day to day.
pub const FIXED_SEED: u64 = 20_261_125;
/// Examples that are told of each entity.
const EXAMPLES_MAX: usize = 4;

/// What came of the records of one kind.
#[derive(Debug, Default, Clone, Copy)]
pub struct Score {
    /// Records.
    pub made: usize,
    /// Records whose value was found.
    pub found: usize,
    /// Findings that are no value, or not of its entity.
    pub false_hits: usize,
}

impl Score {
    /// Adds another's.
    pub fn add(&mut self, other: Score) {
        self.made += other.made;
        self.found += other.found;
        self.false_hits += other.false_hits;
    }

    /// Of the values that are there, those that were found, of a hundred.
    pub fn recall(self) -> f64 {
        100.0 * self.found as f64 / (self.made as f64).max(1.0)
    }

    /// Of the findings, those that are right, of a hundred.
    pub fn precision(self) -> f64 {
        100.0 * self.found as f64 / ((self.found + self.false_hits) as f64).max(1.0)
    }
}

/// The entity that says the same of every value of another: a number of a country's telephones is a
/// telephone number.
pub fn is_also(entity: &str) -> Option<&'static str> {
    match entity {
        "PH_MOBILE_NUMBER" | "TR_PHONE_NUMBER" => Some("PHONE_NUMBER"),
        _ => None,
    }
}

/// Whether a finding is the value: all of it, and nothing beyond it but a bracket or a sign.
fn is_value(found: &Found, entity: &str, value: &Range<usize>) -> bool {
    const BEYOND_BYTES: usize = 2;
    (found.entity == entity || is_also(entity) == Some(found.entity))
        && found.span.start <= value.start + BEYOND_BYTES
        && found.span.end + BEYOND_BYTES >= value.end
        && found.span.start + BEYOND_BYTES >= value.start
        && found.span.end <= value.end + BEYOND_BYTES
}

/// Holds what was found in a record against what is there.
pub fn judge(entity: &str, value: &Range<usize>, found: &[Found]) -> Score {
    let right = found.iter().filter(|one| is_value(one, entity, value)).count();
    // What stands around the value has dates, which are what they are found as.
    let dates =
        found.iter().filter(|one| one.entity == "DATE_TIME" && !is_value(one, entity, value));
    Score { made: 1, found: right.min(1), false_hits: found.len() - right - dates.count() }
}

/// Finds an entity as its users have it on.
pub struct Finders {
    usual: Finder,
    asked: BTreeMap<&'static str, Finder>,
}

impl Finders {
    /// Builds one for those that are always on, and one for each of the others.
    pub fn new() -> Finders {
        let asked = entities().into_iter().filter(|entity| engine::is_only_by_name(entity));
        Finders {
            usual: Finder::usual(),
            asked: asked.map(|entity| (entity, Finder::usual_and(entity))).collect(),
        }
    }

    /// The one for an entity.
    pub fn of(&self, entity: &str) -> &Finder {
        self.asked.get(entity).unwrap_or(&self.usual)
    }
}

/// The makers of entities that have a detector.
pub fn judged() -> Vec<&'static Maker> {
    let known = entities();
    makers().filter(|maker| known.contains(&maker.entity)).collect()
}

struct Scores {
    whole: Score,
    by_entity: BTreeMap<&'static str, (Score, Vec<String>)>,
    by_carrier: BTreeMap<&'static str, Score>,
}

fn score(finders: &Finders, seed: u64, each: usize) -> Scores {
    let mut rng = Rng::new(seed);
    let mut scores =
        Scores { whole: Score::default(), by_entity: BTreeMap::new(), by_carrier: BTreeMap::new() };
    for maker in judged() {
        for carrier in CARRIERS {
            for _ in 0..each {
                one(finders, &mut rng, maker, carrier, &mut scores);
            }
        }
    }
    scores
}

fn one(
    finders: &Finders,
    rng: &mut Rng,
    maker: &'static Maker,
    carrier: &Carrier,
    scores: &mut Scores,
) {
    let (key, value) = (rng.pick(maker.keys), (maker.make)(rng));
    let record = carrier.record(rng, key, &value);
    let found = finders.of(maker.entity).decoded(&record.text);
    let score = judge(maker.entity, &record.value, &found);
    scores.whole.add(score);
    scores.by_carrier.entry(carrier.name).or_default().add(score);
    let (sum, examples) = scores.by_entity.entry(maker.entity).or_default();
    sum.add(score);
    if examples.len() < EXAMPLES_MAX && (score.found == 0 || score.false_hits > 0) {
        examples.push(told(carrier.name, &record.text, &record.value, maker.entity, &found));
    }
}

/// What went wrong in a record. The value is made up, so it may be shown.
pub fn told(
    carrier: &str,
    text: &[u8],
    value: &Range<usize>,
    entity: &str,
    found: &[Found],
) -> String {
    let true_one = Found {
        entity: "",
        span: value.clone(),
        confidence: egress_monitor::model::Confidence::Low,
        test_data: false,
        masked: String::from_utf8_lossy(text.get(value.clone()).unwrap_or_default()).into_owned(),
    };
    let what: Vec<String> = found
        .iter()
        .filter(|one| !is_value(one, entity, value))
        .map(|one| {
            let bytes = text.get(one.span.clone()).unwrap_or_default();
            format!("{} {:?} in {:?}", one.entity, one.confidence, String::from_utf8_lossy(bytes))
        })
        .collect();
    let hit = found.iter().any(|one| is_value(one, entity, value));
    let missed = if hit { "" } else { "missed " };
    format!("[{carrier}] {missed}{}; wrong: [{}]", in_context(text, &true_one), what.join(", "))
}

/// Measures with a fresh seed, and with the fixed one.
pub fn measure(eval: &Eval) -> Result<Outcome> {
    let finders = Finders::new();
    let each = eval.pick(24, 6);
    let mut outcome = Outcome::default();
    for (seed, named) in [(eval.seed, "fresh"), (FIXED_SEED, "fixed")] {
        let scores = score(&finders, seed, each);
        let whole = scores.whole;
        let note = format!(
            "{} of {}; {} entities, {} carriers, {named} seed {seed}",
            whole.found,
            whole.made,
            scores.by_entity.len(),
            CARRIERS.len()
        );
        let fresh = named == "fresh";
        let aim = |row: Row, least| if fresh { row.aim(Aim::AtLeast(least)) } else { row };
        let name = |what| format!("{what} in records with a key, {named} seed");
        outcome
            .rows
            .push(aim(Row::new(name("recall"), whole.recall(), Unit::Percent).note(note), 98.5));
        outcome.rows.push(aim(
            Row::new(name("precision"), whole.precision(), Unit::Percent)
                .note(format!("{} false", whole.false_hits)),
            99.5,
        ));
        if fresh {
            outcome.notes.extend(notes(scores));
        }
    }
    Ok(outcome)
}

fn notes(scores: Scores) -> Vec<String> {
    let line = |name: &str, score: Score| {
        format!(
            "{name}: recall {:.1} %, precision {:.1} % ({} records)",
            score.recall(),
            score.precision(),
            score.made
        )
    };
    let mut notes: Vec<String> =
        scores.by_carrier.iter().map(|(name, score)| line(name, *score)).collect();
    let mut sorted: Vec<_> = scores.by_entity.into_iter().collect();
    sorted.sort_by(|a, b| a.1.0.recall().total_cmp(&b.1.0.recall()));
    for (name, (score, examples)) in sorted {
        notes.push(line(name, score));
        notes.extend(examples.iter().map(|example| format!("    {example}")));
    }
    let made: Vec<&str> = makers().map(|maker| maker.entity).collect();
    let known = entities_without(&made);
    notes.push(format!("detectors whose values cannot be made: {}", known.join(", ")));
    notes.push(format!(
        "makers without a detector: {}",
        made.iter()
            .filter(|entity| !entities().contains(entity))
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    ));
    notes
}

fn entities_without(made: &[&str]) -> Vec<&'static str> {
    entities().into_iter().filter(|entity| !made.contains(entity)).collect()
}
