//! JUnit's XML: a suite for each file with findings, a case for each finding. What is written is held
//! until the end, since a suite says first how many of its cases failed.

use std::fmt::Write as _;
use std::io;

use super::{Printer, Run, Standing, sentence};
use crate::command::scan::found::Found;
use crate::command::scan::summary::Summary;

/// The suites that are done, and the one that is being filled.
#[derive(Default)]
pub(super) struct Junit {
    suites: String,
    file: String,
    cases: String,
    count: Counts,
    all: Counts,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    tests: u64,
    failures: u64,
    skipped: u64,
    errors: u64,
}

impl Junit {
    fn close(&mut self) {
        if self.count.tests == 0 {
            return;
        }
        let Counts { tests, failures, skipped, errors } = self.count;
        let name = escaped(&self.file);
        // Writing to a string does not fail.
        let _ = writeln!(
            self.suites,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" \
             errors=\"{errors}\" skipped=\"{skipped}\">"
        );
        self.suites.push_str(&self.cases);
        self.suites.push_str("  </testsuite>\n");
        self.cases.clear();
        self.all.tests += tests;
        self.all.failures += failures;
        self.all.skipped += skipped;
        self.all.errors += errors;
        self.count = Counts::default();
    }

    fn open(&mut self, file: &str) {
        if self.file != file {
            self.close();
            file.clone_into(&mut self.file);
        }
        self.count.tests += 1;
    }
}

impl Printer for Junit {
    fn found(&mut self, _run: &mut Run<'_>, found: &Found, standing: Standing) -> io::Result<()> {
        if standing == Standing::Known {
            return Ok(());
        }
        self.open(found.file());
        let place = format!("{}:{}:{}", found.path, found.start.line, found.start.column);
        let (class, name) = (escaped(found.file()), escaped(&format!("{} {place}", found.entity)));
        let said = escaped(&sentence(found));
        let inner = if let Some(reason) = &found.allowed {
            self.count.skipped += 1;
            format!("<skipped message=\"{}\"/>", escaped(reason))
        } else if found.test_data {
            format!("<system-out>{said}</system-out>")
        } else {
            self.count.failures += 1;
            let (kind, place) = (escaped(&found.entity), escaped(&place));
            format!("<failure type=\"{kind}\" message=\"{said}\">{place}: {said}</failure>")
        };
        let _ = writeln!(
            self.cases,
            "    <testcase classname=\"{class}\" name=\"{name}\">{inner}</testcase>"
        );
        Ok(())
    }

    fn trouble(&mut self, _run: &mut Run<'_>, path: &str, what: &str) -> io::Result<()> {
        self.open(path);
        self.count.errors += 1;
        let (path, what) = (escaped(path), escaped(what));
        let _ = writeln!(
            self.cases,
            "    <testcase classname=\"{path}\" name=\"read\"><error message=\"{what}\"/></testcase>"
        );
        Ok(())
    }

    fn end(&mut self, run: &mut Run<'_>, summary: &Summary) -> io::Result<()> {
        self.close();
        if self.all.tests == 0 {
            // Without a case, a CI system takes the report for a broken one.
            self.suites = "  <testsuite name=\"egress-monitor scan\" tests=\"1\" failures=\"0\" \
                           errors=\"0\" skipped=\"0\">\n    <testcase classname=\"egress-monitor\" \
                           name=\"scan\"/>\n  </testsuite>\n"
                .into();
            self.all.tests = 1;
        }
        let Counts { tests, failures, skipped, errors } = self.all;
        writeln!(
            run.out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"egress-monitor scan\" \
             tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
             time=\"{:.3}\">\n{}</testsuites>",
            summary.took.as_secs_f64(),
            self.suites
        )
    }
}

/// As XML 1.0 wants it (section 2.2): what may stand in no document is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(letter));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}
