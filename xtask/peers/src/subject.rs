//! Who is measured: each takes a text and says how many things it found.

use dd_sds::{ProximityKeywordsConfig, RegexRuleConfig, RootRuleConfig, Scanner};
use egress_monitor::decode::{Part, Text, views};
use egress_monitor::detect::Engine;
use regex_automata::meta::Regex;

use crate::rules::rules;

/// One that finds.
pub struct Subject {
    /// Its name in the table.
    pub name: &'static str,
    /// How many bytes it gets of a corpus: the slow ones less, so that all rounds take as long.
    pub bytes_max: usize,
    /// Finds in a text.
    pub find: Box<dyn FnMut(&str) -> usize>,
}

/// All of them, ours first.
pub fn subjects() -> Vec<Subject> {
    let theirs = [dd(false), dd(true), redact_core(), datafog(), automata()];
    ours().into_iter().chain(theirs).collect()
}

/// Ours: every detector; those that are on where nobody asks for one by name; those with the
/// encodings undone.
pub fn ours() -> Vec<Subject> {
    vec![
        engine_alone("egress-monitor", engine()),
        engine_alone("egress-monitor, the usual detectors", Engine::usual()),
        decoded(),
    ]
}

/// Ours, with every detector.
pub fn engine() -> Engine {
    Engine::all()
}

fn engine_alone(name: &'static str, engine: Engine) -> Subject {
    let mut hits = Vec::new();
    let find = move |text: &str| {
        hits.clear();
        engine.find(text.as_bytes(), &mut hits);
        hits.len()
    };
    Subject { name, bytes_max: 64 << 20, find: Box::new(find) }
}

fn decoded() -> Subject {
    let engine = Engine::usual();
    let mut hits = Vec::new();
    let find = move |text: &str| {
        hits.clear();
        let text = Text { bytes: text.as_bytes(), fresh: 0, part: Part::Text };
        for view in views(&text).iter() {
            engine.find(&view.bytes, &mut hits);
        }
        hits.len()
    };
    Subject {
        name: "egress-monitor, the usual, encodings undone",
        bytes_max: 64 << 20,
        find: Box::new(find),
    }
}

/// With words required near where the rule has some, or without, when every rule counts as it is.
fn dd(with_words: bool) -> Subject {
    let rules: Vec<_> = rules()
        .into_iter()
        .map(|rule| {
            let mut config = RegexRuleConfig::new(rule.pattern).with_validator(rule.validator);
            if with_words && !rule.words.is_empty() {
                config = config.with_proximity_keywords(ProximityKeywordsConfig {
                    look_ahead_character_count: 30,
                    included_keywords: rule.words.iter().map(|word| (*word).to_owned()).collect(),
                    excluded_keywords: Vec::new(),
                });
            }
            RootRuleConfig::new(config.build())
        })
        .collect();
    let scanner = Scanner::builder(&rules).build().expect("the rules are well formed");
    let find = move |text: &str| {
        let mut event = text.to_owned();
        scanner.scan(&mut event).map_or(0, |matches| matches.len())
    };
    let name = if with_words {
        "dd-sensitive-data-scanner, with keywords"
    } else {
        "dd-sensitive-data-scanner"
    };
    Subject { name, bytes_max: 1 << 20, find: Box::new(find) }
}

fn redact_core() -> Subject {
    let engine = redact_core::AnalyzerEngine::new();
    let find = move |text: &str| {
        engine.analyze(text, None).map_or(0, |result| result.detected_entities.len())
    };
    Subject { name: "redact-core", bytes_max: 2 << 20, find: Box::new(find) }
}

fn datafog() -> Subject {
    let find = |text: &str| datafog_core::scan(text).len();
    Subject { name: "datafog-core", bytes_max: 2 << 20, find: Box::new(find) }
}

/// The patterns alone, nothing checked.
fn automata() -> Subject {
    let patterns: Vec<&str> = rules().iter().map(|rule| rule.pattern).collect();
    let regex = Regex::builder()
        .configure(Regex::config().nfa_size_limit(Some(256 << 20)).hybrid_cache_capacity(64 << 20))
        .build_many(&patterns)
        .expect("the patterns are well formed");
    let find = move |text: &str| regex.find_iter(text).count();
    Subject { name: "regex-automata, patterns alone", bytes_max: 16 << 20, find: Box::new(find) }
}
