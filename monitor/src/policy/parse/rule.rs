//! `[[rule]]`, its threshold, its entities and its `[[rule.exception]]`s.

use std::time::Duration;

use toml::de::DeValue;

use super::Parser;
use crate::detect::{detector, detectors};
use crate::limits::{
    EXCEPTIONS_PER_RULE_MAX, POLICY_NAME_CHARS_MAX, POLICY_TEXT_CHARS_MAX, RULE_ID_CHARS_MAX,
    THRESHOLD_VALUES_MAX, THRESHOLD_WITHIN_S_MAX,
};
use crate::model::{Confidence, Entity, Severity, Tags, Transport};
use crate::policy::read::{self, Node, Section};
use crate::policy::words::quoted;
use crate::policy::{Action, COVERAGE_RULE, Entities, Exception, Rule, Threshold};

const RULE_KEYS: [&str; 16] = [
    "id",
    "clause",
    "description",
    "severity",
    "action",
    "prevent",
    "for",
    "entities",
    "tags",
    "confidence",
    "destination",
    "process",
    "transport",
    "test_data",
    "threshold",
    "exception",
];
const ENTITY_KEYS: [&str; 2] = ["name", "confidence"];
const THRESHOLD_KEYS: [&str; 3] = ["count", "distinct", "within"];
const EXCEPTION_KEYS: [&str; 6] =
    ["owner", "reason", "expires", "entities", "destination", "process"];

const ACTIONS: [(&str, Action); 4] = [
    ("alert", Action::Alert),
    ("block", Action::Block),
    ("kill", Action::Kill),
    ("quarantine", Action::Quarantine),
];
pub(super) const CONFIDENCES: [(&str, Confidence); 3] =
    [("low", Confidence::Low), ("medium", Confidence::Medium), ("high", Confidence::High)];
pub(super) const SEVERITIES: [(&str, Severity); 5] = [
    ("info", Severity::Info),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];
const TEST_DATA: [(&str, bool); 2] = [("count", true), ("ignore", false)];
const TRANSPORTS: [(&str, Transport); 6] = [
    ("tcp", Transport::Tcp),
    ("udp", Transport::Udp),
    ("tls", Transport::Tls),
    ("unix", Transport::Unix),
    ("packet", Transport::Packet),
    ("other", Transport::Other),
];

impl Parser<'_> {
    pub(super) fn rule(&mut self, node: &Node<'_>) -> Option<Rule> {
        let section = Section::open(node, "[[rule]]", &RULE_KEYS, self.problems)?;
        let id = self.rule_id(&section);
        let clause = self.text(&section, "clause", POLICY_NAME_CHARS_MAX);
        let description = self.text(&section, "description", POLICY_TEXT_CHARS_MAX);
        let severity = self.word(&section, "severity", "severities", &SEVERITIES);
        let action = self.word(&section, "action", "actions", &ACTIONS).unwrap_or(Action::Alert);
        let quarantine_for = section.get("for").and_then(|node| {
            if action != Action::Quarantine {
                let wrong = "for stands beside no action = \"quarantine\"";
                self.problems.error(node.span(), wrong, "leave it out, or quarantine");
            }
            self.duration(node, "for")
        });
        let confidence = self.word(&section, "confidence", "confidences", &CONFIDENCES);
        let floor = confidence.unwrap_or(Confidence::Medium);
        let entities = self.selected(&section, floor);
        let destination = section.get("destination").and_then(|node| self.destination(node));
        let process = section.get("process").and_then(|node| self.processes(node));
        let transport = section.get("transport").map_or_else(Vec::new, |node| {
            let entries = read::list(node, "transport", "[\"tcp\"]", self.problems);
            let mut word =
                |entry| read::word(entry, "transport", "transports", &TRANSPORTS, self.problems);
            entries.iter().filter_map(&mut word).collect()
        });
        let test_data = self.word(&section, "test_data", "words", &TEST_DATA);
        let threshold = section.get("threshold").and_then(|node| self.threshold(node));
        let exceptions = self.exceptions(&section);

        let bounded = ["destination", "process", "threshold"];
        let wide = match action {
            Action::Alert => None,
            Action::Block => Some("one finding stops what any process sends anywhere"),
            Action::Kill => Some("one finding kills any process that sends it anywhere"),
            Action::Quarantine => Some("one finding shuts any process that sends it anywhere"),
        };
        if let Some(wide) = wide.filter(|_| bounded.iter().all(|&key| section.get(key).is_none())) {
            self.problems.warning(
                section.get("action").map_or(section.span.clone(), Node::span),
                wide,
                "name a threshold, a destination or a process",
            );
        }
        let prevent = section.get("prevent");
        let prevents =
            prevent.and_then(|node| read::boolean(node, "prevent", self.problems)) == Some(true);
        let rule = Rule {
            id: id?,
            clause,
            description,
            severity: severity.unwrap_or(Severity::Medium),
            action,
            prevent: prevents,
            quarantine_for,
            entities: entities?,
            destination,
            process,
            transport,
            counts_test_data: test_data.unwrap_or(true),
            threshold,
            exceptions,
        };
        if let Some(node) = prevent.filter(|_| prevents) {
            self.provable(node, &rule);
        }
        Some(rule)
    }

    /// What the kernel cannot do alone of a rule that asks it to.
    fn provable(&mut self, node: &Node<'_>, rule: &Rule) {
        for (wrong, instead) in rule.unprovable() {
            self.problems.error(node.span(), wrong, instead);
        }
    }

    fn rule_id(&mut self, section: &Section<'_, '_>) -> Option<String> {
        let node = section.require(
            "id",
            "id = \"cards-out\", or another that no rule has",
            self.problems,
        )?;
        let id = read::string(node, "id", "id = \"cards-out\"", self.problems)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || id.len() > RULE_ID_CHARS_MAX || !id.chars().all(allowed) {
            let mut near = id.to_ascii_lowercase().replace(|c| !allowed(c), "-");
            near.truncate(RULE_ID_CHARS_MAX);
            let near = if near.is_empty() { "cards-out" } else { &near };
            self.problems.error(
                node.span(),
                format!("id {} is not 1 to {RULE_ID_CHARS_MAX} of a-z, 0-9, -", quoted(id)),
                format!("write \"{near}\""),
            );
            return None;
        }
        if self.watches_coverage && id == COVERAGE_RULE {
            let wrong = format!("id {} is that of the alerts of [coverage]", quoted(id));
            self.problems.error(node.span(), wrong, "give the rule another");
            return None;
        }
        if !self.rule_ids.insert(id.to_owned()) {
            let wrong = format!("id {} stands on two rules", quoted(id));
            self.problems.error(node.span(), wrong, "give each rule an id of its own");
            return None;
        }
        Some(id.to_owned())
    }

    /// What `entities` and `tags` of a rule ask for together. Tags select as `"*"` does: not what is
    /// only looked for by name.
    fn selected(&mut self, rule: &Section<'_, '_>, floor: Confidence) -> Option<Entities> {
        let Some(tags_node) = rule.get("tags") else {
            let example = "entities = [\"CREDIT_CARD\"], entities = \"*\" or tags = [\"PCI-DSS\"]";
            let node = rule.require("entities", example, self.problems)?;
            return self.entities(node, floor);
        };
        let node = rule.get("entities");
        if node.is_some_and(|node| node.get_ref().as_str() == Some("*")) {
            let wrong = "tags add nothing to entities = \"*\"";
            self.problems.warning(tags_node.span(), wrong, "leave one of them out");
        }
        let Entities(mut chosen) =
            node.map_or(Some(Entities(Vec::new())), |node| self.entities(node, floor))?;
        let wanted = self.tags(tags_node);
        for (entity, tags) in self.usual() {
            if tags.meets(wanted) && !chosen.iter().any(|(known, _)| *known == entity) {
                chosen.push((entity, floor));
            }
        }
        if chosen.is_empty() && !self.problems.has_errors() {
            let instead = "name entities, or another tag";
            self.problems.error(tags_node.span(), "no detector has one of the tags", instead);
        }
        Some(Entities(chosen))
    }

    /// What is looked for without being named, each with its tags.
    fn usual(&self) -> Vec<(Entity, Tags)> {
        let built_in = detectors().iter().filter(|row| !row.only_by_name);
        let built_in = built_in.map(|row| (Entity::of(row.entity), row.tag_set()));
        let brought = self.brought.iter().map(|brought| (brought.entity.clone(), brought.tags));
        built_in.chain(brought).collect()
    }

    /// `"*"`, or a list of names and of tables with name and confidence. `floor` is the confidence
    /// of those that state none.
    fn entities(&mut self, node: &Node<'_>, floor: Confidence) -> Option<Entities> {
        if node.get_ref().as_str() == Some("*") {
            let usual = self.usual().into_iter();
            return Some(Entities(usual.map(|(entity, _)| (entity, floor)).collect()));
        }
        let example = "[\"CREDIT_CARD\"], or \"*\" for all";
        let mut entities: Vec<(Entity, Confidence)> = Vec::new();
        for entry in read::list(node, "entities", example, self.problems) {
            let Some((entity, confidence)) = self.entity(entry) else { continue };
            if entities.iter().any(|(known, _)| *known == entity) {
                let wrong = format!("entity \"{entity}\" stands twice in the list");
                self.problems.error(entry.span(), wrong, "leave one of them out");
            }
            entities.push((entity, confidence.unwrap_or(floor)));
        }
        Some(Entities(entities))
    }

    fn entity(&mut self, node: &Node<'_>) -> Option<(Entity, Option<Confidence>)> {
        let (name, confidence) = match node.get_ref() {
            DeValue::Table(_) => {
                let section = Section::open(node, "entity", &ENTITY_KEYS, self.problems)?;
                let name = section.require("name", "name = \"CREDIT_CARD\"", self.problems);
                let confidence = self.word(&section, "confidence", "confidences", &CONFIDENCES);
                (name?, confidence)
            }
            _ => (node, None),
        };
        if name.get_ref().as_str() == Some("*") {
            let instead = "write entities = \"*\", and confidence = \"…\" beside it";
            self.problems.error(name.span(), "\"*\" stands in a list", instead);
            return None;
        }
        let built_in = detectors().iter().map(|row| row.entity);
        let brought = self.brought.iter().map(|brought| brought.entity.name());
        let known: Vec<(&str, &str)> =
            built_in.chain(brought).map(|entity| (entity, entity)).collect();
        let entity = read::word(name, "entity", "entities", &known, self.problems)?;
        Some((
            detector(entity).map_or_else(|| Entity::named(entity), |row| Entity::of(row.entity)),
            confidence,
        ))
    }

    fn threshold(&mut self, node: &Node<'_>) -> Option<Threshold> {
        let section = Section::open(node, "threshold", &THRESHOLD_KEYS, self.problems)?;
        let mut number = |key| {
            let values_max = u64::try_from(THRESHOLD_VALUES_MAX).unwrap_or(u64::MAX);
            let node = section.get(key)?;
            read::integer(node, key, 1..=values_max, self.problems)
        };
        let (count, distinct) = (number("count"), number("distinct"));
        if section.get("count").is_none() && section.get("distinct").is_none() {
            let instead = "add count = 5 (hits), distinct = 3 (different values) or both";
            self.problems.missing(node.span(), "threshold has no count and no distinct", instead);
        }
        if let (Some(count), Some(distinct)) = (count, distinct)
            && distinct >= count
            && let Some(node) = section.get("count")
        {
            // Each different value is a hit.
            let wrong = format!("count = {count} adds nothing to distinct = {distinct}");
            self.problems.warning(node.span(), wrong, "leave count out, or raise it");
        }
        let within = section
            .require("within", "within = \"60s\"", self.problems)
            .and_then(|node| self.duration(node, "within"));
        Some(Threshold { count, distinct, within: within? })
    }

    /// A number of seconds, minutes or hours, such as `"60s"`.
    fn duration(&mut self, node: &Node<'_>, key: &str) -> Option<Duration> {
        let text = read::string(node, key, "\"60s\"", self.problems)?;
        let unit_s = match text.bytes().last() {
            Some(b's') => Some(1),
            Some(b'm') => Some(60),
            Some(b'h') => Some(3_600),
            _ => None,
        };
        let digits = text.get(..text.len().saturating_sub(1)).unwrap_or("");
        let digits = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let seconds = digits
            .and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(unit_s?))
            .filter(|seconds| (1..=THRESHOLD_WITHIN_S_MAX).contains(seconds));
        if seconds.is_none() {
            let wrong = format!("{key} is {}", quoted(text));
            let hours = THRESHOLD_WITHIN_S_MAX / 3_600;
            let instead = format!("write 1s to {hours}h, such as \"60s\", \"5m\" or \"1h\"");
            self.problems.error(node.span(), wrong, instead);
        }
        seconds.map(Duration::from_secs)
    }

    fn exceptions(&mut self, rule: &Section<'_, '_>) -> Vec<Exception> {
        let nodes = rule.get("exception").map_or(&[][..], |node| {
            read::tables(node, "rule.exception", EXCEPTIONS_PER_RULE_MAX, self.problems)
        });
        nodes.iter().filter_map(|node| self.exception(node)).collect()
    }

    fn exception(&mut self, node: &Node<'_>) -> Option<Exception> {
        let name = "[[rule.exception]]";
        let section = Section::open(node, name, &EXCEPTION_KEYS, self.problems)?;
        let owner = section
            .require("owner", "owner = \"…\": who answers for it", self.problems)
            .and_then(|node| read::text(node, "owner", POLICY_NAME_CHARS_MAX, self.problems));
        let reason = section
            .require("reason", "reason = \"…\"", self.problems)
            .and_then(|node| read::text(node, "reason", POLICY_TEXT_CHARS_MAX, self.problems));
        let expires_node = section.require("expires", "expires = 2027-01-31", self.problems);
        let expires = expires_node.and_then(|node| read::date(node, "expires", self.problems));
        // What is let through is let through however sure the detector is.
        let entities =
            section.get("entities").and_then(|node| self.entities(node, Confidence::Low));
        let destination = section.get("destination").and_then(|node| self.destination(node));
        let process = section.get("process").and_then(|node| self.processes(node));

        let scope = ["entities", "destination", "process"];
        if scope.iter().all(|&key| section.get(key).is_none()) {
            self.problems.missing(
                node.span(),
                format!("{name} lets everything through"),
                "name process, destination or entities",
            );
        }
        let exception = Exception {
            owner: owner?,
            reason: reason?,
            expires: expires?,
            entities,
            destination,
            process,
        };
        if !exception.in_force(self.today) {
            self.problems.warning(
                expires_node.map_or(node.span(), Node::span),
                format!("exception expired on {}, it is not in force", exception.expires),
                "leave it out, or have its owner renew it",
            );
        }
        Some(exception)
    }

    pub(super) fn text(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        chars_max: usize,
    ) -> Option<String> {
        read::text(section.get(key)?, key, chars_max, self.problems)
    }

    pub(super) fn word<T: Copy>(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        plural: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        read::word(section.get(key)?, key, plural, words, self.problems)
    }
}
