//! The shape of the policy file: its tables and keys, and what each may hold. Values are typed by
//! [`super::read`]; what a policy means once it is read is no matter of this module.

use std::collections::HashSet;
use std::time::Duration;

use globset::GlobSet;
use toml::de::DeTable;

use super::problem::Problems;
use super::read::{self, Node, Section};
use super::{CoverageFloor, Date, Files, Policy, Protect, Rule, Settings, Tls};
use crate::limits::{COVERAGE_EVERY_S_MAX, COVERAGE_MIN_BYTES_MAX, RULES_MAX};
use crate::model::Severity;

mod control;
mod detector;
mod matcher;
mod rule;
mod scope;

pub(super) use control::kill_switch_alone;

/// The version of the shape that this build reads.
const VERSION: u64 = 1;

const POLICY_KEYS: [&str; 9] = [
    "version",
    "settings",
    "protect",
    "tls",
    "coverage",
    "kill_switch",
    "access",
    "detector",
    "rule",
];
const TLS_KEYS: [&str; 2] = ["enabled", "exclude"];
const SETTINGS_KEYS: [&str; 9] = [
    "sample_bytes_max",
    "ring_bytes",
    "kills_per_minute_max",
    "blocks_per_minute_max",
    "blocks_per_executable_max",
    "alerts_queue_max",
    "opaque_flow_bytes_per_s",
    "opaque_host_bytes_per_s",
    "unix_sockets",
];
const PROTECT_KEYS: [&str; 2] = ["exe", "unit"];
const COVERAGE_KEYS: [&str; 4] = ["alert_below", "min_bytes", "every_s", "severity"];

/// [`CoverageFloor::min_bytes`] where none is given: programs that send less are many and soon gone.
const COVERAGE_MIN_BYTES: u64 = 64 << 10;
/// [`CoverageFloor::every`] where none is given, seconds.
const COVERAGE_EVERY_S: u64 = 20;

/// Reads a whole policy. It has gaps where `problems` has errors.
pub(super) fn policy(
    text: &str,
    today: Date,
    files: &mut Files<'_>,
    problems: &mut Problems,
) -> Policy {
    let (tree, syntax_errors) = DeTable::parse_recoverable(text);
    for error in syntax_errors {
        problems.syntax(error.span().unwrap_or(0..0), error.message());
    }
    let mut parser = Parser {
        problems,
        text,
        today,
        files,
        brought: Vec::new(),
        terms: 0,
        rule_ids: HashSet::new(),
        watches_coverage: false,
        globs: 0,
    };
    parser.policy(tree.get_ref())
}

/// What one pass over the tree carries along.
struct Parser<'p> {
    problems: &'p mut Problems,
    text: &'p str,
    today: Date,
    files: &'p mut Files<'p>,
    /// The detectors that the policy brings along, those that do not hold included.
    brought: Vec<detector::Brought>,
    /// Terms of dictionaries read so far.
    terms: usize,
    rule_ids: HashSet<String>,
    /// Whether alerts of `[coverage]` are asked for.
    watches_coverage: bool,
    /// Globs compiled so far.
    globs: usize,
}

impl Parser<'_> {
    fn policy(&mut self, tree: &DeTable<'_>) -> Policy {
        let file = Section::of_table(tree, 0..0, "the policy", &POLICY_KEYS, self.problems);
        self.version(&file);
        let settings = file.get("settings").and_then(|node| self.settings(node));
        let protect = file.get("protect").and_then(|node| self.protect(node));
        let tls = file.get("tls").and_then(|node| self.tls(node));
        let coverage = file.get("coverage").and_then(|node| self.coverage(node));
        self.watches_coverage = coverage.is_some();
        let allow = file.get("kill_switch");
        let allow = allow.and_then(|node| control::kill_switch(node, self.problems));
        let access = file.get("access").and_then(|node| self.access(node));
        if let Some(node) = file.get("detector") {
            self.detectors(node);
        }
        let rules = file.require("rule", "a [[rule]]: without one nothing is found", self.problems);
        let rules: Vec<Rule> = rules
            .map_or(&[][..], |node| read::tables(node, "rule", RULES_MAX, self.problems))
            .iter()
            .filter_map(|node| self.rule(node))
            .collect();
        self.unused(&rules);
        let policy = Policy {
            detectors: self.brought.iter().filter_map(|brought| brought.custom.clone()).collect(),
            settings: settings.unwrap_or_default(),
            protect: protect.unwrap_or_default(),
            tls: tls.unwrap_or_default(),
            coverage,
            allow: allow.unwrap_or_default(),
            access: access.unwrap_or_default(),
            rules,
            warnings: Vec::new(),
            today: self.today,
        };
        if let Some(wrong) = policy.is_too_much() {
            self.problems.error(0..0, wrong, "merge some, or leave prevent out of some");
        }
        policy
    }

    fn version(&mut self, file: &Section<'_, '_>) {
        let Some(node) = file.require("version", "version = 1", self.problems) else { return };
        read::integer(node, "version", VERSION..=VERSION, self.problems);
    }

    fn settings(&mut self, node: &Node<'_>) -> Option<Settings> {
        let section = Section::open(node, "[settings]", &SETTINGS_KEYS, self.problems)?;
        let mut settings = Settings::default();
        for (key, range, value) in [
            ("sample_bytes_max", 256..=262_144, &mut settings.sample_bytes_max),
            ("ring_bytes", 1 << 20..=64 << 20, &mut settings.ring_bytes),
            ("kills_per_minute_max", 0..=1_000, &mut settings.kills_per_minute_max),
            ("blocks_per_minute_max", 0..=1_000_000, &mut settings.blocks_per_minute_max),
            ("blocks_per_executable_max", 0..=1_000_000, &mut settings.blocks_per_executable_max),
            ("alerts_queue_max", 16..=65_536, &mut settings.alerts_queue_max),
            ("opaque_flow_bytes_per_s", 0..=1 << 30, &mut settings.opaque_flow_bytes_per_s),
            ("opaque_host_bytes_per_s", 0..=1 << 30, &mut settings.opaque_host_bytes_per_s),
        ] {
            let number = section
                .get(key)
                .and_then(|node| read::integer(node, key, range, self.problems))
                .and_then(|number| u32::try_from(number).ok());
            *value = number.unwrap_or(*value);
        }
        let unix = section.get("unix_sockets");
        let unix = unix.and_then(|node| read::boolean(node, "unix_sockets", self.problems));
        settings.unix_sockets = unix.unwrap_or(settings.unix_sockets);
        let ring = settings.ring_bytes;
        if let Some(node) = section.get("ring_bytes").filter(|_| !ring.is_power_of_two()) {
            // The range ends at powers of two, so the next one is within it.
            let larger = ring.next_power_of_two();
            self.problems.error(
                node.span(),
                format!("ring_bytes is {ring}, which is no power of two"),
                format!("write {} or {larger}", larger / 2),
            );
        }
        Some(settings)
    }

    fn protect(&mut self, node: &Node<'_>) -> Option<Protect> {
        let section = Section::open(node, "[protect]", &PROTECT_KEYS, self.problems)?;
        let exe = section.get("exe").map_or_else(GlobSet::empty, |node| self.exe_globs(node));
        let unit = section.get("unit").map_or_else(GlobSet::empty, |node| self.unit_globs(node));
        Some(Protect { exe, unit })
    }

    fn tls(&mut self, node: &Node<'_>) -> Option<Tls> {
        let section = Section::open(node, "[tls]", &TLS_KEYS, self.problems)?;
        let enabled = section.get("enabled");
        let enabled = enabled.and_then(|node| read::boolean(node, "enabled", self.problems));
        let exclude = section.get("exclude").map_or_else(GlobSet::empty, |node| {
            self.path_globs(node, "exclude", "[\"/opt/vendor/**\"]")
        });
        Some(Tls { enabled: enabled.unwrap_or(true), exclude })
    }

    fn coverage(&mut self, node: &Node<'_>) -> Option<CoverageFloor> {
        let section = Section::open(node, "[coverage]", &COVERAGE_KEYS, self.problems)?;
        let mut whole = |key, range| {
            section.get(key).and_then(|node| read::integer(node, key, range, self.problems))
        };
        let min_bytes = whole("min_bytes", 1..=COVERAGE_MIN_BYTES_MAX);
        let every_s = whole("every_s", 1..=COVERAGE_EVERY_S_MAX);
        let severity = self.word(&section, "severity", "severities", &rule::SEVERITIES);
        let Some(node) = section.get("alert_below") else {
            let instead = "add alert_below = 0.99, or leave [coverage] out";
            let wrong = "[coverage] has no alert_below and raises no alert";
            self.problems.warning(section.span.clone(), wrong, instead);
            return None;
        };
        Some(CoverageFloor {
            alert_below: read::share(node, "alert_below", "0.99", self.problems)?,
            min_bytes: min_bytes.unwrap_or(COVERAGE_MIN_BYTES),
            every: Duration::from_secs(every_s.unwrap_or(COVERAGE_EVERY_S)),
            severity: severity.unwrap_or(Severity::Medium),
        })
    }
}
