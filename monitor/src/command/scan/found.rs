//! The nouns of a scan: a finding with its place, a warning, what came of a file. They hold no
//! value: `value` is filled only where `--show-values` was allowed.

use std::path::PathBuf;
use std::sync::Arc;

use super::engine::{Candidate, Left};
use crate::command::input::Skip;
use crate::model::Confidence;

/// A place in a content: offsets count bytes, and characters as code points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// Bytes before it.
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Characters before it.
    pub chars: u64,
}

/// A finding in a file, as it is printed.
pub struct Found {
    /// The file, and the way to a member in it: `a.zip!dir/b.json`.
    pub path: Arc<str>,
    /// How many bytes of `path` name the file itself.
    pub file_len: usize,
    /// Where it begins, in its encoded form.
    pub start: Point,
    /// Where it ends.
    pub end: Point,
    /// The reason of the comment that allows it.
    pub allowed: Option<String>,
    /// What it is.
    pub what: Candidate,
}

impl std::ops::Deref for Found {
    type Target = Candidate;
    fn deref(&self) -> &Candidate {
        &self.what
    }
}

impl Found {
    /// The file itself.
    pub fn file(&self) -> &str {
        self.path.get(..self.file_len).unwrap_or(&self.path)
    }

    /// The way to the member within the file; empty where the file is no container.
    pub fn member(&self) -> &str {
        self.path.get(self.file_len..).unwrap_or_default()
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        match self.confidence {
            _ if self.test_data => Level::Note,
            Confidence::High => Level::Error,
            Confidence::Medium => Level::Warning,
            Confidence::Low => Level::Note,
        }
    }
}

/// How bad something is, in the words of SARIF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// To be put right.
    Error,
    /// To be looked at.
    Warning,
    /// To be known.
    Note,
}

impl Level {
    /// The word of SARIF.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// Something about a file that is no finding and should be put right.
#[derive(Debug, Clone)]
pub struct Warning {
    /// The file, and the way to a member.
    pub path: Arc<str>,
    /// Line from 1; 0 where it is about all of it.
    pub line: u64,
    /// Column from 1.
    pub column: u64,
    /// What is wrong and what to do.
    pub message: String,
}

/// What came of one file.
#[derive(Default)]
pub struct Report {
    /// The file, where it is one.
    pub name: Option<PathBuf>,
    /// Findings, in the order of their places.
    pub found: Vec<Found>,
    /// What bounds left out.
    pub left: Left,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// What was left out: where, why, and in other words.
    pub skipped: Vec<(String, Skip, String)>,
    /// Bytes that were searched.
    pub bytes: u64,
    /// Bytes of the file itself.
    pub size: u64,
    /// Whether it is a file that was looked at, and not just the news that one could not be.
    pub is_file: bool,
}
