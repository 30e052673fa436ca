//! A line for each finding: `path:line:column: ENTITY confidence masked (remarks) [tags]`.

use std::io;

use anstyle::{AnsiColor, Style};

use super::{Printer, Run, Standing, confidence, harmless, remarks};
use crate::command::scan::found::{Found, Level};

pub(super) struct Text;

impl Printer for Text {
    fn found(&mut self, run: &mut Run<'_>, found: &Found, standing: Standing) -> io::Result<()> {
        if standing != Standing::New {
            return Ok(());
        }
        let style = |style: Style| if run.colour { style } else { Style::new() };
        let path = style(AnsiColor::Magenta.on_default());
        let place = style(AnsiColor::Green.on_default());
        let entity = style(Style::new().bold());
        let dim = style(Style::new().dimmed());
        let level = style(match found.level() {
            Level::Error => AnsiColor::Red.on_default().bold(),
            Level::Warning => AnsiColor::Yellow.on_default(),
            Level::Note => AnsiColor::Cyan.on_default(),
        });
        write!(
            run.out,
            "{path}{}{path:#}:{place}{}{place:#}:{place}{}{place:#}: {entity}{}{entity:#} {level}{}{level:#} {}",
            harmless(&found.path),
            found.start.line,
            found.start.column,
            found.entity,
            confidence(found),
            harmless(found.value.as_deref().unwrap_or(&found.masked)),
        )?;
        let remarks = remarks(found);
        if !remarks.is_empty() {
            write!(run.out, " ({})", harmless(&remarks.join("; ")))?;
        }
        if !found.tags.is_empty() {
            write!(run.out, " {dim}[{}]{dim:#}", found.tags.join(", "))?;
        }
        writeln!(run.out)
    }
}
