//! A JSON object a line for each finding. `start` and `end` are byte offsets in the content at
//! `path`, of the form in which it stands there.

use std::io;

use serde::Serialize;

use super::{Printer, Run, Standing};
use crate::command::scan::found::Found;
use crate::model::Confidence;

pub(super) struct Json;

#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    line: u64,
    column: u64,
    start: u64,
    end: u64,
    entity: &'a str,
    confidence: Confidence,
    tags: &'a [&'static str],
    masked: &'a str,
    fingerprint: &'a str,
    reasons: &'a [&'static str],
    encoding: &'a str,
    partial: bool,
    test_data: bool,
}

impl Printer for Json {
    fn found(&mut self, run: &mut Run<'_>, found: &Found, standing: Standing) -> io::Result<()> {
        if standing != Standing::New {
            return Ok(());
        }
        let line = Line {
            path: &found.path,
            line: found.start.line,
            column: found.start.column,
            start: found.start.offset,
            end: found.end.offset,
            entity: &found.entity,
            confidence: found.confidence,
            tags: &found.tags,
            masked: &found.masked,
            fingerprint: &found.fingerprint,
            reasons: &found.reasons,
            encoding: &found.encoding,
            partial: found.partial,
            test_data: found.test_data,
        };
        serde_json::to_writer(&mut *run.out, &line)?;
        writeln!(run.out)
    }
}
