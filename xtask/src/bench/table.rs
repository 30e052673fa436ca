//! The figures as a table in Markdown, as JSON, and in the README.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::machine::Machine;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// With the monitor, of what it is without, unless the row says of what.
    Ratio,
    /// Events a second.
    PerSecond,
    /// 10⁻⁹ s
    Nanoseconds,
    /// 10⁻⁶ s
    Microseconds,
    /// 10⁻³ s
    Milliseconds,
    /// 2²⁰ bytes
    Mebibytes,
    /// Bytes
    Bytes,
    /// Of a hundred: of one processor's time, of cases.
    Percent,
    /// Per 10⁶ bytes
    #[cfg_attr(not(feature = "engine"), expect(dead_code, reason = "only the engine's figures"))]
    PerMb,
    /// 10⁶ bytes a second
    MbPerSecond,
    /// So many times another's
    #[cfg_attr(not(feature = "engine"), expect(dead_code, reason = "only the engine's figures"))]
    Times,
}

impl Unit {
    /// A figure as a person reads it.
    pub fn show(self, figure: f64) -> String {
        match self {
            Unit::Ratio => format!("{figure:.3}"),
            Unit::PerSecond => format!("{}/s", grouped(figure)),
            Unit::Nanoseconds => format!("{} ns", grouped(figure)),
            Unit::Microseconds => format!("{} µs", grouped(figure)),
            Unit::Milliseconds => format!("{} ms", grouped(figure)),
            Unit::Mebibytes => format!("{figure:.1} MiB"),
            Unit::Bytes => format!("{} bytes", grouped(figure)),
            Unit::Percent => format!("{figure:.2} %"),
            Unit::PerMb => format!("{figure:.2}/MB"),
            Unit::MbPerSecond if figure < 10.0 => format!("{figure:.2} MB/s"),
            Unit::MbPerSecond => format!("{} MB/s", grouped(figure)),
            Unit::Times => format!("{figure:.1} ×"),
        }
    }
}

/// A whole number with commas: 1,234,567.
fn grouped(figure: f64) -> String {
    let digits = format!("{:.0}", figure.abs());
    let mut text = String::from(if figure.round() < 0.0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// One measurement.
#[derive(Debug, Serialize)]
pub struct Row {
    measurement: String,
    unit: Option<Unit>,
    figure: Option<f64>,
    least: Option<f64>,
    greatest: Option<f64>,
    aim: Option<Aim>,
    met: Option<bool>,
    passed_over: bool,
    note: String,
}

impl Row {
    /// A figure without an aim.
    pub fn new(measurement: impl Into<String>, figure: f64, unit: Unit) -> Row {
        Row {
            measurement: measurement.into(),
            unit: Some(unit),
            figure: Some(figure),
            least: None,
            greatest: None,
            aim: None,
            met: None,
            passed_over: false,
            note: String::new(),
        }
    }

    /// A measurement that could not be made.
    pub fn not_measured(measurement: &str, why: &str) -> Row {
        let mut row = Row::new(measurement, 0.0, Unit::Ratio);
        (row.unit, row.figure) = (None, None);
        row.note(format!("not measured: {why}"))
    }

    /// A measurement of something that this machine does not have: nothing is missing without it.
    pub fn not_there(measurement: &str, why: &str) -> Row {
        let mut row = Row::not_measured(measurement, why);
        row.passed_over = true;
        row
    }

    /// The same figure under another name.
    #[cfg_attr(not(feature = "engine"), expect(dead_code, reason = "only the engine's figures"))]
    pub fn named(mut self, measurement: &str) -> Row {
        self.measurement = measurement.to_owned();
        self
    }

    /// The least and the greatest of the rounds.
    pub fn spread(mut self, (least, greatest): (f64, f64)) -> Row {
        (self.least, self.greatest) = (Some(least), Some(greatest));
        self
    }

    /// What the figure should be.
    pub fn aim(mut self, aim: Aim) -> Row {
        self.met = self.figure.map(|figure| match aim {
            Aim::AtLeast(bound) => figure >= bound,
            Aim::AtMost(bound) => figure <= bound,
        });
        self.aim = Some(aim);
        self
    }

    /// More about it, shown beside the figure.
    pub fn note(mut self, note: impl Into<String>) -> Row {
        // A cell of the table is one line.
        self.note = note.into().replace('\n', " ").replace('|', "/");
        self
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |figure: f64| self.unit.map_or_else(String::new, |unit| unit.show(figure));
        let mut figure = self.figure.map(show).unwrap_or_default();
        if let (Some(least), Some(greatest)) = (self.least, self.greatest) {
            figure = format!("{figure} ({} to {})", show(least), show(greatest));
        }
        if !self.note.is_empty() {
            let comma = if figure.is_empty() { "" } else { "; " };
            figure = format!("{figure}{comma}{}", self.note);
        }
        let aim = match self.aim {
            None => String::new(),
            Some(Aim::AtLeast(bound)) => format!("≥ {}", show(bound)),
            Some(Aim::AtMost(bound)) => format!("≤ {}", show(bound)),
        };
        let met = match self.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        };
        write!(f, "| {} | {figure} | {aim} | {met} |", self.measurement)
    }
}

/// All measurements, and the machine that they were made on.
#[derive(Debug, Serialize)]
pub struct Table {
    /// By what.
    pub command: &'static str,
    /// Where.
    pub machine: Machine,
    /// What.
    pub rows: Vec<Row>,
}

impl Table {
    /// Whether everything was measured.
    pub fn is_whole(&self) -> bool {
        self.rows.iter().all(|row| row.figure.is_some() || row.passed_over)
    }

    /// Puts the table between the markers of a file.
    pub fn write_into(&self, path: &Path, name: &str) -> Result<()> {
        write_between(path, name, &self.to_string())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Measured by `{}` on {}.\n", self.command, self.machine)?;
        writeln!(f, "| measurement | figure (range of the rounds) | aim | met |")?;
        writeln!(f, "| --- | --- | --- | --- |")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

/// Puts a text between the markers of a file, `<!-- NAME -->` and `<!-- /NAME -->`.
pub fn write_between(path: &Path, name: &str, text: &str) -> Result<()> {
    let replaced = replace(&read(path)?, name, text);
    let new = replaced.with_context(|| no_markers(path, name))?;
    fs::write(path, new).with_context(|| format!("{} cannot be written", path.display()))
}

/// Finds out before the measurements whether [`write_between`] has a place to write to.
pub fn check_markers(path: &Path, name: &str) -> Result<()> {
    if replace(&read(path)?, name, "").is_none() {
        bail!(no_markers(path, name));
    }
    Ok(())
}

fn no_markers(path: &Path, name: &str) -> String {
    format!("{} has no <!-- {name} --> with <!-- /{name} --> behind it; add them", path.display())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn replace(text: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(Unit::PerSecond.show(1_234_567.4), "1,234,567/s");
        assert_eq!(Unit::Nanoseconds.show(-1_200.0), "-1,200 ns");
        assert_eq!(Unit::Bytes.show(0.0), "0 bytes");
        assert_eq!(Unit::Ratio.show(0.9701), "0.970");
    }

    #[test]
    fn a_row_tells_whether_its_aim_is_met() {
        let row = Row::new("time", 1_500.0, Unit::Microseconds).spread((900.0, 1_600.0));
        let missed = row.aim(Aim::AtMost(1_000.0)).note("p99").to_string();
        assert_eq!(missed, "| time | 1,500 µs (900 µs to 1,600 µs); p99 | ≤ 1,000 µs | no |");
        let met = Row::new("rate", 0.97, Unit::Ratio).aim(Aim::AtLeast(0.97)).to_string();
        assert_eq!(met, "| rate | 0.970 | ≥ 0.970 | yes |");
        let absent = Row::not_measured("nginx", "install wrk").to_string();
        assert_eq!(absent, "| nginx | not measured: install wrk |  |  |");
    }

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let old = "a\n<!-- bench -->\nold\n<!-- /bench -->\nz\n";
        let new = replace(old, "bench", "| new |\n").unwrap();
        assert_eq!(new, "a\n<!-- bench -->\n| new |\n<!-- /bench -->\nz\n");
        assert_eq!(replace("<!-- /bench --><!-- bench -->", "bench", "x"), None);
    }
}
