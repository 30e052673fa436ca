//! What the guests came to, as tables in Markdown: one of kernels, and one of paths for each kernel.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Characters of a cell; what a verifier says goes on for pages.
const CELL_CHARS_MAX: usize = 300;

/// What became of what a path sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was found.
    Found,
    /// It was not, and coverage says so.
    Gap,
    /// The kernel stopped it, and nothing of it came.
    Prevented,
    /// It was neither found nor counted as not examined.
    Missed,
    /// The guest cannot send that way.
    Skipped,
    /// The socket was shut, and the call failed.
    Refused,
    /// The socket was shut, and what it sent was dropped.
    Dropped,
    /// No path, but a program, and how many instructions the verifier walked.
    Verified,
}

impl Outcome {
    /// Those of paths.
    const ALL: [Outcome; 7] = [
        Outcome::Found,
        Outcome::Prevented,
        Outcome::Gap,
        Outcome::Missed,
        Outcome::Skipped,
        Outcome::Refused,
        Outcome::Dropped,
    ];

    fn name(self) -> &'static str {
        match self {
            Outcome::Found => "found",
            Outcome::Gap => "gap",
            Outcome::Missed => "missed",
            Outcome::Skipped => "skipped",
            Outcome::Refused => "refused",
            Outcome::Dropped => "dropped",
            Outcome::Prevented => "prevented",
            Outcome::Verified => "verified",
        }
    }
}

/// A line of `paths --json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// Way to hook.
    pub tap: String,
    /// How it was sent.
    pub path: String,
    /// Over what.
    pub transport: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The reason where it was not found.
    #[serde(default)]
    pub why: Option<String>,
}

/// Reads what `paths --json` printed, an object a line.
pub fn read(printed: &str) -> Result<Vec<Row>> {
    let lines = printed.lines().filter(|line| !line.trim().is_empty());
    let read = |line| serde_json::from_str(line).with_context(|| format!("no row: {line}"));
    lines.map(read).collect()
}

/// What a kernel came to.
#[derive(Debug)]
pub enum Verdict {
    /// Its paths were tried.
    Paths(Vec<Row>),
    /// The daemon can be armed there, and nothing more was asked.
    Armed(String),
    /// The daemon refuses to start there, in its own words.
    Refused(String),
    /// Something else went wrong.
    Failed(String),
    /// The kernel could not be had.
    Skipped(String),
}

/// A kernel that was tried.
#[derive(Debug)]
pub struct Tried {
    /// Its series.
    pub series: &'static str,
    /// Why a refusal is right there.
    pub refusal: Option<&'static str>,
    /// Release and Debian's version, where it was had.
    pub kernel: Option<(String, String)>,
    /// What it came to.
    pub verdict: Verdict,
}

/// Whether a kernel counts as passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// It was not tried.
    Skipped,
}

impl Tried {
    /// How it counts: a path that was missed fails, and so do paths of which none was sent.
    pub fn count(&self) -> Count {
        match &self.verdict {
            Verdict::Paths(rows) => {
                let has = |outcome| rows.iter().any(|row| row.outcome == outcome);
                let seen = has(Outcome::Found) || has(Outcome::Gap);
                if seen && !has(Outcome::Missed) { Count::Passed } else { Count::Failed }
            }
            Verdict::Armed(_) => Count::Passed,
            Verdict::Refused(_) if self.refusal.is_some() => Count::Passed,
            Verdict::Refused(_) | Verdict::Failed(_) => Count::Failed,
            Verdict::Skipped(_) => Count::Skipped,
        }
    }

    /// What it came to, in a line.
    fn summary(&self) -> String {
        match &self.verdict {
            Verdict::Paths(rows) => {
                let number = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
                let counts = Outcome::ALL.map(|outcome| (number(outcome), outcome.name()));
                let told = counts.iter().filter(|(number, _)| *number > 0);
                told.map(|(number, name)| format!("{number} {name}")).collect::<Vec<_>>().join(", ")
            }
            Verdict::Armed(how) => format!("armed: {how}"),
            Verdict::Refused(why) => {
                let right = self.refusal.map_or_else(String::new, |right| format!("; {right}"));
                format!("refused: {}{right}", complaint(why))
            }
            Verdict::Failed(why) => format!("failed: {why}"),
            Verdict::Skipped(why) => format!("skipped: {why}"),
        }
    }
}

/// All kernels of a run.
pub struct Table {
    /// By what command.
    pub command: &'static str,
    /// In the order of the series.
    pub kernels: Vec<Tried>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
        writeln!(f, "By `{}`, {date}.\n", self.command)?;
        writeln!(f, "| series | kernel | Debian's version | came to |")?;
        writeln!(f, "| --- | --- | --- | --- |")?;
        for tried in &self.kernels {
            let (release, version) = tried.kernel.clone().unwrap_or_default();
            let summary = cell(&tried.summary());
            writeln!(f, "| {} | {release} | {version} | {summary} |", tried.series)?;
        }
        for tried in &self.kernels {
            if let (Verdict::Paths(rows), Some((release, _))) = (&tried.verdict, &tried.kernel) {
                let of_paths = |row: &&Row| row.outcome != Outcome::Verified;
                let (paths, programs): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(of_paths);
                writeln!(f, "\n### {release}\n\n{}", Paths(&paths))?;
                if !programs.is_empty() {
                    writeln!(f, "\n{}", Programs(&programs))?;
                }
            }
        }
        Ok(())
    }
}

/// Paths against ways to hook, each in the order in which they came.
struct Paths<'a>(&'a [&'a Row]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut taps, mut paths) = (Vec::new(), Vec::new());
        let mut cells = BTreeMap::new();
        for row in self.0 {
            let path = (row.path.as_str(), row.transport.as_str());
            if !taps.contains(&row.tap.as_str()) {
                taps.push(&row.tap);
            }
            if !paths.contains(&path) {
                paths.push(path);
            }
            let mut told = row.outcome.name().to_owned();
            if let Some(why) = row.why.as_deref().filter(|why| !why.is_empty()) {
                told = format!("{told}: {why}");
            }
            cells.insert((path, row.tap.as_str()), cell(&told));
        }
        writeln!(f, "| path | over | {} |", taps.join(" | "))?;
        write!(f, "| --- | --- |{}", " --- |".repeat(taps.len()))?;
        for path in paths {
            write!(f, "\n| {} | {} |", cell(path.0), cell(path.1))?;
            for &tap in &taps {
                write!(f, " {} |", cells.get(&(path, tap)).map_or("", String::as_str))?;
            }
        }
        Ok(())
    }
}

/// Programs, and how many instructions the verifier walked to accept each.
struct Programs<'a>(&'a [&'a Row]);

impl fmt::Display for Programs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A program that several ways have in common is told by each.
        let counts: BTreeMap<&str, &str> = self
            .0
            .iter()
            .map(|row| (row.path.as_str(), row.why.as_deref().unwrap_or_default()))
            .collect();
        write!(f, "| program | instructions verified |\n| --- | ---: |")?;
        counts.iter().try_for_each(|(program, count)| write!(f, "\n| {program} | {count} |"))
    }
}

/// Of a refusal with the verifier's log its first line and what the log ends with, before the
/// verifier's accounts.
fn complaint(why: &str) -> String {
    let accounts = ["verification time", "stack depth", "processed "];
    let said = |line: &&str| !accounts.iter().any(|account| line.starts_with(account));
    let mut lines = why.lines().map(str::trim).filter(said).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next_back().map_or_else(|| first.to_owned(), |last| format!("{first}; {last}"))
}

/// A cell is one line, of bounded length.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    let lines = text.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
    for line in lines {
        let comma = if cell.is_empty() { "" } else { "; " };
        let _ = write!(cell, "{comma}{}", line.replace('|', "/"));
    }
    if cell.chars().count() > CELL_CHARS_MAX {
        cell = cell.chars().take(CELL_CHARS_MAX).collect();
        cell.push('…');
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(verdict: Verdict, refusal: Option<&'static str>) -> Tried {
        let kernel = Some(("6.1.0-1-cloud-amd64".into(), "6.1.2-1".into()));
        Tried { series: "6.1", refusal, kernel, verdict }
    }

    const LINES: &str = r#"
{"tap":"tracepoints","path":"write","transport":"tcp4","outcome":"found"}
{"tap":"lsm","path":"write","transport":"tcp4","outcome":"found","why":""}
{"tap":"tracepoints","path":"sendfile","transport":"tcp4","outcome":"gap","why":"a|b"}
"#;

    #[test]
    fn paths_stand_against_taps() {
        let rows = read(LINES).unwrap();
        let wanted = "| path | over | tracepoints | lsm |\n| --- | --- | --- | --- |\n\
                      | write | tcp4 | found | found |\n| sendfile | tcp4 | gap: a/b |  |";
        assert_eq!(Paths(&rows.iter().collect::<Vec<_>>()).to_string(), wanted);
        assert!(read("a panic\n").is_err());
    }

    #[test]
    fn a_kernel_passes_unless_something_was_missed() {
        let mut rows = read(LINES).unwrap();
        assert_eq!(tried(Verdict::Paths(rows.clone()), None).summary(), "2 found, 1 gap");
        assert_eq!(tried(Verdict::Paths(rows.clone()), None).count(), Count::Passed);
        rows[0].outcome = Outcome::Missed;
        assert_eq!(tried(Verdict::Paths(rows.clone()), None).count(), Count::Failed);
        rows.iter_mut().for_each(|row| row.outcome = Outcome::Skipped);
        assert_eq!(tried(Verdict::Paths(rows), None).count(), Count::Failed);
        assert_eq!(tried(Verdict::Paths(Vec::new()), None).count(), Count::Failed);
    }

    #[test]
    fn a_refusal_passes_only_where_it_is_right() {
        let refused = || Verdict::Refused("no such helper".into());
        assert_eq!(tried(refused(), None).count(), Count::Failed);
        assert_eq!(tried(refused(), Some("it came later")).count(), Count::Passed);
        assert_eq!(tried(Verdict::Skipped("offline".into()), None).count(), Count::Skipped);
    }

    #[test]
    fn of_a_verifiers_log_the_complaint_is_told() {
        let log = "send_write was refused by the kernel: EINVAL\n38: (85) call unknown#158\n\
                   invalid func unknown#158\nverification time 8 usec\nprocessed 40 insns\n";
        let refused = tried(Verdict::Refused(log.into()), Some("it came with 5.17"));
        let told = "refused: send_write was refused by the kernel: EINVAL; invalid func unknown#158; \
                    it came with 5.17";
        assert_eq!(refused.summary(), told);
    }
}
