//! SARIF 2.1.0 (OASIS). Results are written as they come; rules stand before them, one for each
//! entity that is looked for. No snippet of a file is written: it would hold the value.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Printer, Run, Standing, confidence, sentence};
use crate::command::scan::found::{Found, Level, Warning};
use crate::command::scan::summary::Summary;
use crate::model::Tag;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The rule that comments without a reason break.
const ALLOW_RULE: &str = "ALLOW_WITHOUT_EFFECT";

#[derive(Default)]
pub(super) struct Sarif {
    results: u64,
    rules: HashMap<String, usize>,
    /// How often a finding that looks like this came in its file.
    alike: HashMap<String, u64>,
    notifications: Vec<Value>,
}

impl Printer for Sarif {
    fn begin(&mut self, run: &mut Run<'_>) -> io::Result<()> {
        let mut rules: Vec<Value> = Vec::new();
        let built_in = run.chosen.rows.iter().map(|row| {
            (row.entity, row.title, format!("{}, by {}.", row.title, row.standard), row.tag_set())
        });
        let own = run.chosen.customs.iter().map(|custom| {
            let (short, name) = ("What a detector of the policy finds", custom.entity.name());
            (name, short, format!("{short} that it calls {name}."), custom.tags)
        });
        for (name, short, full, tags) in built_in.chain(own) {
            let tags: Vec<&str> = tags.iter().map(Tag::name).collect();
            self.rules.insert(name.into(), rules.len());
            rules.push(json!({
                "id": name,
                "name": camel(name),
                "shortDescription": { "text": short },
                "fullDescription": { "text": full },
                "help": { "text": help(name), "markdown": help_markdown(name) },
                "defaultConfiguration": { "level": "error" },
                "properties": { "tags": tags, "precision": "high", "security-severity": "7.0" },
            }));
        }
        self.rules.insert(ALLOW_RULE.into(), rules.len());
        rules.push(json!({
            "id": ALLOW_RULE,
            "name": camel(ALLOW_RULE),
            "shortDescription": { "text": "A comment that is to allow a finding and does not" },
            "help": { "text": "Write why behind egress-monitor:allow, and only entities that there are." },
            "defaultConfiguration": { "level": "warning" },
        }));
        let driver = json!({
            "name": "egress-monitor",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules,
        });
        write!(
            run.out,
            "{{\"$schema\":{},\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{{\"driver\":{driver}}},\
             \"columnKind\":\"unicodeCodePoints\",\"results\":[",
            json!(SCHEMA)
        )
    }

    fn found(&mut self, run: &mut Run<'_>, found: &Found, standing: Standing) -> io::Result<()> {
        let mut fingerprints = json!({ "findingPlace/v1": self.place(found) });
        if run.stable_key {
            fingerprints["valueHmac/v1"] = json!(found.fingerprint);
        }
        let mut result = json!({
            "ruleId": found.entity.as_ref(),
            "ruleIndex": self.rules.get(found.entity.as_ref()),
            "level": found.level().name(),
            "message": { "text": sentence(found) },
            "locations": [location(found)],
            "partialFingerprints": fingerprints,
            "properties": {
                "confidence": confidence(found),
                "tags": found.tags,
                "masked": found.masked,
                "reasons": found.reasons,
                "encoding": found.encoding,
                "partial": found.partial,
                "testData": found.test_data,
            },
        });
        if run.baseline {
            let state = if standing == Standing::Known { "unchanged" } else { "new" };
            result["baselineState"] = json!(state);
        }
        let suppression = match standing {
            Standing::New => None,
            Standing::Known => Some(json!({
                "kind": "external",
                "status": "accepted",
                "justification": "accepted in the baseline",
            })),
            Standing::Allowed => Some(json!({
                "kind": "inSource",
                "status": "accepted",
                "justification": found.allowed,
            })),
        };
        result["suppressions"] = suppression.into_iter().collect();
        self.put(run, &result)
    }

    fn warning(&mut self, run: &mut Run<'_>, warning: &Warning) -> io::Result<bool> {
        let mut result = json!({
            "ruleId": ALLOW_RULE,
            "ruleIndex": self.rules.get(ALLOW_RULE),
            "level": Level::Warning.name(),
            "message": { "text": warning.message },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": uri(&warning.path) },
                    "region": { "startLine": warning.line.max(1), "startColumn": warning.column.max(1) },
                },
            }],
            "suppressions": [],
        });
        if run.baseline {
            result["baselineState"] = json!("new");
        }
        self.put(run, &result)?;
        Ok(true)
    }

    fn trouble(&mut self, _run: &mut Run<'_>, path: &str, what: &str) -> io::Result<()> {
        let file = path.split('!').next().unwrap_or(path);
        self.notifications.push(json!({
            "level": "error",
            "message": { "text": format!("{path}: {what}") },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(file) } } }],
        }));
        Ok(())
    }

    fn end(&mut self, run: &mut Run<'_>, summary: &Summary) -> io::Result<()> {
        let skipped: Vec<Value> = summary
            .skipped
            .iter()
            .map(|(why, (count, _))| json!({ "reason": why.name(), "count": count }))
            .collect();
        let invocation = json!({
            "executionSuccessful": !summary.has_trouble(),
            "toolExecutionNotifications": self.notifications,
            "properties": {
                "files": summary.files,
                "bytes": summary.bytes,
                "findings": summary.findings(),
                "testData": summary.test_data,
                "known": summary.known,
                "allowed": summary.allowed,
                "notListed": summary.not_listed,
                "skipped": skipped,
            },
        });
        writeln!(run.out, "],\"invocations\":[{invocation}]}}]}}")
    }
}

impl Sarif {
    fn put(&mut self, run: &mut Run<'_>, result: &Value) -> io::Result<()> {
        let comma = if self.results > 0 { "," } else { "" };
        self.results += 1;
        write!(run.out, "{comma}\n{result}")
    }

    /// Tells a finding from others by what may be shown of it, so that it needs no key and is the
    /// same when lines move.
    fn place(&mut self, found: &Found) -> String {
        let looks = format!("{}\0{}\0{}", found.path, found.entity, found.masked);
        let count = self.alike.entry(looks.clone()).or_default();
        *count += 1;
        let digest = Sha256::digest(format!("{looks}\0{count}"));
        digest.iter().take(16).fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Where a finding stands. What is in a member of a container has no line in the file: the member is
/// a logical location in it.
fn location(found: &Found) -> Value {
    let artifact = json!({ "uri": uri(found.file()) });
    if found.member().is_empty() {
        return json!({
            "physicalLocation": {
                "artifactLocation": artifact,
                "region": {
                    "startLine": found.start.line,
                    "startColumn": found.start.column,
                    "endLine": found.end.line,
                    "endColumn": found.end.column,
                    "byteOffset": found.start.offset,
                    "byteLength": found.end.offset.saturating_sub(found.start.offset),
                    "charOffset": found.start.chars,
                    "charLength": found.end.chars.saturating_sub(found.start.chars),
                },
            },
        });
    }
    let (line, column) = (found.start.line, found.start.column);
    json!({
        "physicalLocation": { "artifactLocation": artifact },
        "logicalLocations": [{ "fullyQualifiedName": found.path.as_ref(), "kind": "member" }],
        "message": { "text": format!("{}:{line}:{column}", found.path) },
    })
}

/// A path as a reference of a URI (RFC 3986 section 4.2): relative ones to the folder of the run.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    } else if path.split('/').next().is_some_and(|first| first.contains(':')) {
        // A colon in the first part would make a scheme of it.
        uri.push_str("./");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// `CREDIT_CARD` as `CreditCard`, which SARIF wants of a rule's name.
fn camel(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_uppercase(), rest.to_lowercase()]
        })
        .collect()
}

fn help(entity: &str) -> String {
    format!(
        "Remove the value, or put made-up or published test data in its place. Where it has to stay, \
         write egress-monitor:allow[{entity}] and the reason in a comment on the line or the line \
         before, or accept it in a baseline. The value itself is not shown: only its masked form and \
         a keyed fingerprint are."
    )
}

fn help_markdown(entity: &str) -> String {
    format!(
        "Remove the value, or put made-up or published test data in its place. Where it has to stay, \
         write `egress-monitor:allow[{entity}] <reason>` in a comment on the line or the line before, \
         or accept it in a baseline.\n\nThe value itself is not shown: only its masked form and a \
         keyed fingerprint are."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference() {
        for (path, expected) in [
            ("src/a b.rs", "src/a%20b.rs"),
            ("/tmp/x", "file:///tmp/x"),
            ("a:b", "./a:b"),
            ("é%", "%C3%A9%25"),
            ("a.zip", "a.zip"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn a_rule_has_a_name_in_camel_case() {
        assert_eq!(camel("US_SSN"), "UsSsn");
        assert_eq!(camel("CREDIT_CARD"), "CreditCard");
    }
}
