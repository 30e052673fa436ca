//! How findings are printed: one file for each format. None of them sees a value but the text, where
//! that was asked for on a terminal.

mod github;
mod json;
mod junit;
mod sarif;
mod text;

use std::io::{self, Write};

use super::found::{Found, Warning};
use super::summary::Summary;
use crate::command::names::Chosen;

/// What a finding is to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// New: it fails the run, unless it is test data.
    New,
    /// The baseline knows it.
    Known,
    /// A comment allows it.
    Allowed,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line for each, as compilers print them
    Text,
    /// A JSON object a line
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for the list of tests of a CI system
    Junit,
    /// Workflow commands, which GitHub shows in the diff
    Github,
}

/// What a printer needs to know of the run.
pub struct Run<'a> {
    /// The entities that are looked for.
    pub chosen: &'a Chosen,
    /// Whether fingerprints are the same in the next run.
    pub stable_key: bool,
    /// Whether there is a baseline.
    pub baseline: bool,
    /// Whether to colour.
    pub colour: bool,
    /// Where it goes.
    pub out: &'a mut dyn Write,
}

/// Prints what comes, in order.
pub trait Printer {
    /// Before anything else.
    ///
    /// # Errors
    ///
    /// As all of them: the output cannot be written.
    fn begin(&mut self, run: &mut Run<'_>) -> io::Result<()> {
        let _ = run;
        Ok(())
    }

    /// Prints a finding, if the format has a place for one that stands so.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn found(&mut self, run: &mut Run<'_>, found: &Found, standing: Standing) -> io::Result<()>;

    /// Prints a warning, if the format has a place for it; `false` where standard error has.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn warning(&mut self, run: &mut Run<'_>, warning: &Warning) -> io::Result<bool> {
        let _ = (run, warning);
        Ok(false)
    }

    /// Prints that something could not be looked through, which standard error is told as well.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn trouble(&mut self, run: &mut Run<'_>, path: &str, what: &str) -> io::Result<()> {
        let _ = (run, path, what);
        Ok(())
    }

    /// After everything else.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn end(&mut self, run: &mut Run<'_>, summary: &Summary) -> io::Result<()> {
        let _ = (run, summary);
        Ok(())
    }
}

impl Format {
    /// The printer of a format.
    pub fn printer(self) -> Box<dyn Printer> {
        match self {
            Format::Text => Box::new(text::Text),
            Format::Json => Box::new(json::Json),
            Format::Sarif => Box::<sarif::Sarif>::default(),
            Format::Junit => Box::<junit::Junit>::default(),
            Format::Github => Box::new(github::Github),
        }
    }
}

/// A text from outside without what would write to a terminal or break a line.
pub fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// What is to be known of a finding beside entity and confidence, in words: that it is cut or a
/// test value is among the reasons.
fn remarks(found: &Found) -> Vec<String> {
    let mut remarks: Vec<String> = found.reasons.iter().map(ToString::to_string).collect();
    if found.encoding != "plain" {
        remarks.push(format!("in {}", found.encoding));
    }
    remarks
}

/// A finding as a sentence, without its place.
fn sentence(found: &Found) -> String {
    let remarks = remarks(found);
    let remarks =
        if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) };
    format!("{} {}, {} confidence{remarks}", found.entity, found.masked, confidence(found))
}

fn confidence(found: &Found) -> &'static str {
    use crate::model::Confidence;
    match found.confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}
