//! What is wrong with a policy, where it stands, and what to write instead: gathered in any order,
//! handed out in the order of the file, printed like a compiler's. It judges nothing itself.

use std::fmt::{self, Write as _};
use std::ops::Range;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::limits::{POLICY_ERRORS_MAX, POLICY_EXCERPT_CHARS_MAX};

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The policy holds; something in it is not what its author may think.
    Warning,
    /// The policy does not hold.
    Error,
}

/// One thing that is wrong at one place of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the policy holds nevertheless.
    pub level: Level,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    #[serde(rename = "message")]
    pub wrong: String,
    /// What to write instead, where there is something to say.
    pub instead: Option<String>,
    /// The line, or the part of a long one around the place.
    #[serde(skip)]
    excerpt: String,
    /// Characters of the excerpt before the place.
    #[serde(skip)]
    caret_column: usize,
    /// Characters that the carets underline.
    #[serde(skip)]
    caret_chars: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if self.level == Level::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.wrong)?;
        match &self.instead {
            Some(instead) => write!(f, "; {instead}"),
            None => Ok(()),
        }
    }
}

impl Problem {
    /// The problem with its line and carets under the place, ending in a newline; `file` is the
    /// name to print. With `colour` it holds ANSI escapes.
    pub fn render(&self, file: &str, colour: bool) -> String {
        let (bold, mark) = if colour {
            let ink = match self.level {
                Level::Warning => AnsiColor::Yellow,
                Level::Error => AnsiColor::Red,
            };
            (Style::new().bold(), ink.on_default().bold())
        } else {
            (Style::new(), Style::new())
        };
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(self.caret_column);
        let carets = "^".repeat(self.caret_chars);
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{bold}{file}:{self}{bold:#}");
        let _ = writeln!(text, "{gutter} |");
        let _ = writeln!(text, "{number} | {}", self.excerpt);
        let _ = writeln!(text, "{gutter} | {indent}{mark}{carets}{mark:#}");
        text
    }
}

/// Collects problems by their place in bytes; lines and columns are counted once, at the end.
pub(super) struct Problems {
    found: Vec<Placed>,
    errors: usize,
    errors_omitted: usize,
    /// After a syntax error, what seems to be missing may stand in what the parser skipped.
    syntax_broken: bool,
}

/// A problem by its place in bytes.
struct Placed {
    span: Range<usize>,
    level: Level,
    syntax: bool,
    wrong: String,
    instead: Option<String>,
}

impl Problems {
    pub(super) fn new() -> Self {
        Self { found: Vec::new(), errors: 0, errors_omitted: 0, syntax_broken: false }
    }

    /// Notes an error at `span` in bytes.
    pub(super) fn error(
        &mut self,
        span: Range<usize>,
        wrong: impl Into<String>,
        instead: impl Into<String>,
    ) {
        let (wrong, instead) = (wrong.into(), Some(instead.into()));
        self.push(Placed { span, level: Level::Error, syntax: false, wrong, instead });
    }

    /// Notes that something is not there. Silent after a syntax error: it may be there.
    pub(super) fn missing(
        &mut self,
        span: Range<usize>,
        wrong: impl Into<String>,
        instead: impl Into<String>,
    ) {
        if !self.syntax_broken {
            self.error(span, wrong, instead);
        }
    }

    /// Notes what the author should know and the policy holds without.
    pub(super) fn warning(
        &mut self,
        span: Range<usize>,
        wrong: impl Into<String>,
        instead: impl Into<String>,
    ) {
        let (wrong, instead) = (wrong.into(), Some(instead.into()));
        self.push(Placed { span, level: Level::Warning, syntax: false, wrong, instead });
    }

    /// Notes what the TOML parser said.
    pub(super) fn syntax(&mut self, span: Range<usize>, said: &str) {
        self.syntax_broken = true;
        let wrong = format!("TOML syntax: {said}");
        self.push(Placed { span, level: Level::Error, syntax: true, wrong, instead: None });
    }

    /// Whether the policy does not hold.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    fn push(&mut self, problem: Placed) {
        let error = problem.level == Level::Error;
        self.errors += usize::from(error);
        if self.found.len() < POLICY_ERRORS_MAX {
            self.found.push(problem);
        } else {
            self.errors_omitted += usize::from(error);
        }
    }

    /// Everything in the order of the file. A line with a syntax error has that one problem only:
    /// what the parser made of the rest of it is a guess.
    pub(super) fn finish(mut self, text: &str) -> Vec<Problem> {
        let lines = Lines::new(text);
        self.found.sort_by_key(|placed| (lines.line(placed.span.start), !placed.syntax));
        let mut problems: Vec<Problem> = Vec::with_capacity(self.found.len());
        let mut line_broken = None;
        for placed in self.found {
            let line = lines.line(placed.span.start);
            if line_broken == Some(line) {
                continue;
            }
            if placed.syntax {
                line_broken = Some(line);
            }
            problems.push(lines.problem(placed));
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        if self.errors_omitted > 0 {
            problems.push(lines.problem(Placed {
                span: text.len()..text.len(),
                level: Level::Error,
                syntax: false,
                wrong: format!("{} more errors are not listed", self.errors_omitted),
                instead: None,
            }));
        }
        problems
    }
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line, from 0, in which byte `at` stands.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|&start| start <= at).saturating_sub(1)
    }

    fn problem(&self, placed: Placed) -> Problem {
        let Placed { span, level, wrong, instead, .. } = placed;
        let index = self.line(span.start);
        let start = self.starts.get(index).copied().unwrap_or(0);
        let line = self.text.get(start..).unwrap_or("").split('\n').next().unwrap_or("");
        let line = line.strip_suffix('\r').unwrap_or(line);
        // A byte order mark is no column.
        let mark =
            if index == 0 && line.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let line = line.get(mark..).unwrap_or("");
        let start = start + mark;

        let before = chars_before(line, span.start.saturating_sub(start));
        let through = chars_before(line, span.end.saturating_sub(start));
        let skipped = before.saturating_sub(POLICY_EXCERPT_CHARS_MAX / 2);
        let caret_column = before - skipped;
        let caret_room = POLICY_EXCERPT_CHARS_MAX - caret_column;
        Problem {
            level,
            line: index + 1,
            column: before + 1,
            wrong,
            instead,
            excerpt: line.chars().skip(skipped).take(POLICY_EXCERPT_CHARS_MAX).map(plain).collect(),
            caret_column,
            caret_chars: through.saturating_sub(before).clamp(1, caret_room.max(1)),
        }
    }
}

/// How many characters of `line` begin before byte `at`.
fn chars_before(line: &str, at: usize) -> usize {
    line.char_indices().take_while(|&(begin, _)| begin < at).count()
}

/// One column for one character: a tab would shift the carets, a control character could write to
/// the terminal.
fn plain(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}
