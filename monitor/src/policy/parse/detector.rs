//! `[[detector]]`: a detector that the policy brings along, held against its own examples. What it
//! looks for is read by [`super::matcher`].

use std::ops::Range;
use std::sync::Arc;

use super::Parser;
use super::rule::CONFIDENCES;
use crate::detect::{Check, Custom, Engine, VALIDATORS, detector, detectors, validator};
use crate::limits::{
    CUSTOM_DETECTORS_MAX, CUSTOM_WORD_CHARS_MAX, POLICY_TEXT_CHARS_MAX, RULE_ID_CHARS_MAX,
};
use crate::model::{Confidence, Entity, Tag, Tags};
use crate::policy::Rule;
use crate::policy::read::{self, Node, Section};
use crate::policy::words::{quoted, suggest};

const DETECTOR_KEYS: [&str; 13] = [
    "name",
    "description",
    "regex",
    "literals",
    "dictionary",
    "case",
    "validator",
    "words",
    "needs_context",
    "confidence",
    "tags",
    "examples",
    "counter_examples",
];

/// A detector that the policy brings along.
pub(super) struct Brought {
    pub(super) entity: Entity,
    /// Where its name stands.
    span: Range<usize>,
    pub(super) tags: Tags,
    /// `None` where there is an error in it.
    pub(super) custom: Option<Arc<Custom>>,
}

impl Parser<'_> {
    pub(super) fn detectors(&mut self, node: &Node<'_>) {
        for node in read::tables(node, "detector", CUSTOM_DETECTORS_MAX, self.problems) {
            self.detector(node);
        }
    }

    fn detector(&mut self, node: &Node<'_>) -> Option<()> {
        let section = Section::open(node, "[[detector]]", &DETECTOR_KEYS, self.problems)?;
        let name = section.require("name", "name = \"STAFF_ID\"", self.problems);
        let entity = name.and_then(|node| self.detector_name(node));
        self.text(&section, "description", POLICY_TEXT_CHARS_MAX);
        let tags = section.get("tags").map_or_else(Tags::default, |node| self.tags(node));
        let confidence = self.word(&section, "confidence", "confidences", &CONFIDENCES);
        let words = section.get("words").map_or_else(Vec::new, |node| self.words(node));
        let needs_context = self.needs_context(&section);
        let validator = section.get("validator").map(|node| self.validator(node));
        let matcher = self.matcher(&section);

        let (span, entity) = (name?.span(), entity?);
        self.brought.push(Brought { entity: entity.clone(), span, tags, custom: None });
        let custom = Arc::new(Custom {
            entity,
            tags,
            matcher: matcher?,
            validator: match validator {
                Some(named) => Some(named?),
                None => None,
            },
            words,
            needs_context,
            confidence: confidence.unwrap_or(Confidence::Medium),
        });
        self.examples(&section, &custom);
        self.brought.last_mut()?.custom = Some(custom);
        Some(())
    }

    fn detector_name(&mut self, node: &Node<'_>) -> Option<Entity> {
        let name = read::string(node, "name", "name = \"STAFF_ID\"", self.problems)?;
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let fits =
            name.len() <= RULE_ID_CHARS_MAX && name.starts_with(|c: char| c.is_ascii_uppercase());
        let (wrong, instead) = if !fits || !name.chars().all(allowed) {
            let near = name.to_ascii_uppercase().replace(|c| !allowed(c), "_");
            let near = near.trim_start_matches(|c: char| !c.is_ascii_uppercase());
            let near =
                near.get(..near.len().min(RULE_ID_CHARS_MAX)).filter(|near| !near.is_empty());
            (
                format!(
                    "name {} is not 1 to {RULE_ID_CHARS_MAX} of A-Z, 0-9, _ after a letter",
                    quoted(name)
                ),
                format!("write \"{}\"", near.unwrap_or("STAFF_ID")),
            )
        } else if detector(name).is_some() {
            let instead = format!("choose another, such as \"OUR_{name}\"");
            (format!("name {} is that of a built-in detector", quoted(name)), instead)
        } else if self.brought.iter().any(|known| known.entity.name() == name) {
            let wrong = format!("name {} stands on two detectors", quoted(name));
            (wrong, "give each detector a name of its own".to_owned())
        } else {
            return Some(Entity::named(name));
        };
        self.problems.error(node.span(), wrong, instead);
        None
    }

    /// A list of regulations.
    pub(super) fn tags(&mut self, node: &Node<'_>) -> Tags {
        let entries = read::list(node, "tags", "[\"PCI-DSS\"]", self.problems);
        let mut tag = |entry| read::word(entry, "tag", "tags", &Tag::NAMES, self.problems);
        Tags::of(&entries.iter().filter_map(&mut tag).collect::<Vec<Tag>>())
    }

    /// Context words, as the engine compares them: in lower case, one space between two.
    fn words(&mut self, node: &Node<'_>) -> Vec<String> {
        let entries = read::list(node, "words", "[\"staff\"]", self.problems);
        let mut words = Vec::new();
        for entry in entries {
            let word = read::text(entry, "word", CUSTOM_WORD_CHARS_MAX, self.problems);
            let Some(word) = word else { continue };
            let parts = word.split(|c: char| c.is_whitespace() || c == '_' || c == '-');
            let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
            if !word.chars().any(char::is_alphanumeric) {
                let wrong = format!("word {} has no letter", quoted(&word));
                self.problems.error(entry.span(), wrong, "write a word that stands near a value");
                continue;
            }
            words.push(parts.join(" ").to_lowercase());
        }
        words
    }

    fn needs_context(&mut self, section: &Section<'_, '_>) -> bool {
        let Some(node) = section.get("needs_context") else { return false };
        let needs = read::boolean(node, "needs_context", self.problems) == Some(true);
        if needs && section.get("words").is_none() {
            let wrong = "needs_context = true, and no words: nothing is ever found";
            self.problems.missing(node.span(), wrong, "add words = [\"staff\"], or leave it out");
        }
        needs
    }

    /// A check by its name, or that of the entity that has it.
    fn validator(&mut self, node: &Node<'_>) -> Option<Check> {
        let name = read::string(node, "validator", "validator = \"luhn\"", self.problems)?;
        let check = validator(name).or_else(|| detector(name)?.valid);
        if check.is_none() {
            let named: Vec<&str> = VALIDATORS.iter().map(|(name, _)| *name).collect();
            let (wrong, instead) = if detector(name).is_some() {
                let list = crate::policy::words::listed(&named, "validators");
                (format!("entity {} has no check", quoted(name)), list)
            } else {
                let entities = detectors().iter().filter(|row| row.valid.is_some());
                let entities: Vec<&str> = entities.map(|row| row.entity).collect();
                let near = suggest(name, &entities, "entities");
                let near =
                    near.split_once('?').map_or(String::new(), |(near, _)| format!("{near}? "));
                let list = suggest(name, &named, "validators");
                let list = if list.starts_with("did") { list } else { near + &list };
                (format!("unknown validator {}", quoted(name)), list)
            };
            let instead = format!("{instead}, or an entity that has a check");
            self.problems.error(node.span(), wrong, instead);
        }
        check
    }

    /// Holds a detector against what its author says it finds, and what not.
    fn examples(&mut self, section: &Section<'_, '_>, custom: &Arc<Custom>) {
        let (name, needs) = (custom.entity.name(), custom.needs_context);
        let engine = Engine::with(|_| false, &[Arc::clone(custom)]);
        for (key, wanted) in [("examples", true), ("counter_examples", false)] {
            let Some(node) = section.get(key) else { continue };
            for entry in read::list(node, key, "[\"…\"]", self.problems) {
                let Some(text) = read::string(entry, key, "\"…\"", self.problems) else {
                    continue;
                };
                let chars = text.chars().count();
                if chars > POLICY_TEXT_CHARS_MAX {
                    let wrong = format!(
                        "{key} entry is {chars} characters, limit is {POLICY_TEXT_CHARS_MAX}"
                    );
                    self.problems.error(entry.span(), wrong, "shorten it");
                    continue;
                }
                let mut hits = Vec::new();
                engine.find(text.as_bytes(), &mut hits);
                let (wrong, instead) = match (wanted, hits.is_empty()) {
                    (true, true) if needs => (
                        "example is not found",
                        "put one of the words beside the value, or mend the detector",
                    ),
                    (true, true) => ("example is not found", "mend the detector or the example"),
                    (false, false) => {
                        ("counter-example is found", "narrow the detector, or leave it out")
                    }
                    _ => continue,
                };
                self.problems.error(entry.span(), format!("{wrong} by {name}"), instead);
            }
        }
    }

    /// Warns of detectors that no rule asks for.
    pub(super) fn unused(&mut self, rules: &[Rule]) {
        if self.problems.has_errors() {
            return;
        }
        for brought in &self.brought {
            let mut asked = rules.iter().flat_map(|rule| rule.entities.iter());
            if !asked.any(|(entity, _)| *entity == brought.entity) {
                let wrong = format!("no rule asks for {}", brought.entity);
                let instead = "name it in the entities of a rule, or leave it out";
                self.problems.warning(brought.span.clone(), wrong, instead);
            }
        }
    }
}
