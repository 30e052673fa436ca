//! What a scan came to, counted as it goes, and told in the end on standard error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::engine::Left;
use crate::command::input::Skip;
use crate::decode::LeftOut;
use crate::limits::SCAN_SKIPS_LISTED_MAX;

/// The numbers.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files that were looked at.
    pub files: u64,
    /// Bytes that were searched, unpacked where they were packed.
    pub bytes: u64,
    /// Findings that are new, by entity; test data is not among them.
    pub found: BTreeMap<Arc<str>, u64>,
    /// Files with such findings.
    pub files_with_findings: u64,
    /// Findings of published test values.
    pub test_data: u64,
    /// Findings that the baseline knows.
    pub known: u64,
    /// Findings that a comment allows.
    pub allowed: u64,
    /// Findings that are counted and not listed.
    pub not_listed: u64,
    /// What bounds left out within files.
    pub left: Left,
    /// Warnings.
    pub warnings: u64,
    /// What was left out, by reason: how often, and the first of them.
    pub skipped: BTreeMap<Skip, (u64, Vec<String>)>,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    /// Findings that are new and no test data.
    pub fn findings(&self) -> u64 {
        self.found.values().sum()
    }

    /// Notes what was left out.
    pub fn skip(&mut self, path: &str, why: Skip) {
        let (count, first) = self.skipped.entry(why).or_default();
        *count = count.saturating_add(1);
        if first.len() < SCAN_SKIPS_LISTED_MAX {
            first.push(path.to_owned());
        }
    }

    /// Whether something was left out that should have been read.
    pub fn has_trouble(&self) -> bool {
        self.skipped.keys().any(|why| why.is_trouble())
    }

    /// Tells it.
    ///
    /// # Errors
    ///
    /// Standard error cannot be written.
    pub fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let findings = self.findings();
        let mut line = if findings == 0 {
            "no findings".to_owned()
        } else {
            let by_entity: Vec<String> =
                self.found.iter().map(|(entity, count)| format!("{entity} {count}")).collect();
            format!(
                "{} in {}: {}",
                counted(findings, "finding"),
                counted(self.files_with_findings, "file"),
                by_entity.join(", ")
            )
        };
        for (count, what) in [
            (self.test_data, "of test data"),
            (self.known, "known to the baseline"),
            (self.allowed, "allowed by comments"),
            (self.not_listed, "counted and not listed"),
        ] {
            if count > 0 {
                let _ = write!(line, "; {count} {what}");
            }
        }
        writeln!(out, "{line}")?;
        if self.left.hits > 0 {
            let cut = counted(self.left.hits, "hit");
            writeln!(out, "{cut} beyond the bounds of their files, neither counted nor listed")?;
        }
        let seconds = self.took.as_secs_f64();
        writeln!(
            out,
            "{} looked through, {} in {seconds:.2} s",
            counted(self.files, "file"),
            size(self.bytes)
        )?;
        let LeftOut { depth, expansion, views, undone, work } = self.left.undecoded;
        let reasons = [
            (depth, "depth"),
            (expansion, "size"),
            (views, "number"),
            (undone, "escapes"),
            (work, "work"),
        ];
        let reasons: Vec<String> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, bound)| format!("{bound} {count}"))
            .collect();
        if !reasons.is_empty() {
            writeln!(
                out,
                "encodings not undone, by the bound that ended it: {}",
                reasons.join(", ")
            )?;
        }
        for (why, (count, first)) in &self.skipped {
            // Those of no trouble are many and expected; the others were told one by one.
            let listed = first.join(", ");
            let more = count.saturating_sub(first.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(out, "skipped as {why}: {count} ({listed}{more})")?;
        }
        Ok(())
    }
}

/// `1 file`, `3 files`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 1000.0 {
            let digits = usize::from(unit != "B");
            return format!("{size:.digits$} {unit}");
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}
