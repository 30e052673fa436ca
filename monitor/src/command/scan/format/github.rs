//! Workflow commands of GitHub Actions, which annotate the lines of a change.

use std::io;

use super::{Printer, Run, Standing, sentence};
use crate::command::scan::found::{Found, Level, Warning};

pub(super) struct Github;

impl Printer for Github {
    fn found(&mut self, run: &mut Run<'_>, found: &Found, standing: Standing) -> io::Result<()> {
        if standing != Standing::New {
            return Ok(());
        }
        let command = match found.level() {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let file = property(found.file());
        let title = property(&found.entity);
        let (message, member) = (data(&sentence(found)), data(found.member()));
        let (line, column) = (found.start.line, found.start.column);
        if member.is_empty() {
            // Columns are shown only within one line.
            let end = if found.end.line == line {
                format!(",endColumn={}", found.end.column)
            } else {
                format!(",endLine={}", found.end.line)
            };
            writeln!(
                run.out,
                "::{command} file={file},line={line},col={column}{end},title={title}::{message}"
            )
        } else {
            writeln!(
                run.out,
                "::{command} file={file},title={title}::{message}, in {member}:{line}:{column}"
            )
        }
    }

    fn warning(&mut self, run: &mut Run<'_>, warning: &Warning) -> io::Result<bool> {
        let (file, message) = (property(&warning.path), data(&warning.message));
        let (line, column) = (warning.line, warning.column);
        if line > 0 {
            writeln!(run.out, "::warning file={file},line={line},col={column}::{message}")?;
        } else {
            writeln!(run.out, "::warning file={file}::{message}")?;
        }
        Ok(true)
    }

    fn trouble(&mut self, run: &mut Run<'_>, path: &str, what: &str) -> io::Result<()> {
        writeln!(run.out, "::warning file={}::{}", property(path), data(what))
    }
}

/// Escaped as the toolkit does it: actions/toolkit, packages/core/src/command.ts, `escapeData`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As `escapeProperty` there.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_property_or_a_command_is_escaped() {
        assert_eq!(property("a,b:c%\n::error::x"), "a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax");
        assert_eq!(data("50%\r\nx: y, z"), "50%25%0D%0Ax: y, z");
    }
}
