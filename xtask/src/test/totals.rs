//! Counts what the test harness prints, and takes off what was skipped.

use std::collections::BTreeSet;
use std::fmt;

/// What came of the tests so far.
#[derive(Debug, Default)]
pub struct Totals {
    /// As the harness counts: those that said that they cannot run are among them.
    ended_well: usize,
    ignored: usize,
    failures: BTreeSet<String>,
    failed: usize,
    /// Name and reason of each.
    skipped: Vec<(String, String)>,
}

impl Totals {
    /// Takes a line of the harness.
    pub fn read(&mut self, line: &str) {
        if let Some(name) =
            line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"))
        {
            self.failures.insert(name.into());
        }
        // `test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; …`
        let Some(counts) =
            line.strip_prefix("test result: ").and_then(|line| line.split_once(". "))
        else {
            return;
        };
        for count in counts.1.split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match what {
                "passed" => self.ended_well += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Takes the lines that tests wrote because they cannot run here, one each:
    /// `skipped: NAME: REASON`. Two test binaries may have a test of the same name. Anything else
    /// in `text` is a failure: a test that meant to skip must not pass.
    pub fn skip(&mut self, text: &str) {
        for line in text.lines() {
            let named = line.strip_prefix("skipped: ").and_then(|line| line.split_once(": "));
            match named {
                Some((name, reason)) => self.skipped.push((name.into(), reason.into())),
                None => self
                    .fail(&format!("a line of the skips is not `skipped: NAME: REASON`: {line}")),
            }
        }
        // A test may say that a part of it cannot run and then fail: it is counted once.
        let failures = &self.failures;
        self.skipped.retain(|(name, _)| !failures.iter().any(|failure| is_of(failure, name)));
    }

    /// Counts a failure that is not of one test.
    pub fn fail(&mut self, what: &str) {
        self.failed += 1;
        self.failures.insert(what.into());
    }

    /// How many have failed.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// How many did what they claim.
    fn passed(&self) -> usize {
        self.ended_well.saturating_sub(self.skipped.len())
    }

    /// Whether something passed and nothing failed.
    pub fn succeeded(&self) -> bool {
        self.failed == 0 && self.passed() > 0
    }
}

/// Whether a test that the harness names with its modules is `name`, with or without them.
fn is_of(test: &str, name: &str) -> bool {
    test == name || test.strip_suffix(name).is_some_and(|modules| modules.ends_with("::"))
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, reason) in &self.skipped {
            writeln!(f, "skipped: {name}: {reason}")?;
        }
        if self.ignored > 0 {
            writeln!(f, "skipped: {} marked `ignore` in the source", self.ignored)?;
        }
        for failure in &self.failures {
            writeln!(f, "failed: {failure}")?;
        }
        let skipped = self.skipped.len() + self.ignored;
        write!(f, "{} passed, {} failed, {skipped} skipped", self.passed(), self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
running 4 tests
test a::one ... ok
test a::two ... ok
test three ... FAILED
test four ... ignored

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s
   Doc-tests x
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[track_caller]
    fn check(printed: &str, skips: &str, expected: &str, succeeded: bool) {
        let mut totals = Totals::default();
        printed.lines().for_each(|line| totals.read(line));
        totals.skip(skips);
        assert_eq!(totals.to_string(), expected);
        assert_eq!(totals.succeeded(), succeeded);
    }

    const GOOD: &str =
        "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn all_binaries_are_counted() {
        let expected = "\
skipped: 1 marked `ignore` in the source
failed: three
5 passed, 1 failed, 1 skipped";
        check(PRINTED, "", expected, false);
        check(GOOD, "", "3 passed, 0 failed, 0 skipped", true);
    }

    #[test]
    fn a_skipped_test_has_not_passed() {
        let skips = "skipped: a::one: no nginx\nskipped: two: no wrk: not even an old one\n";
        check(GOOD, skips, &format!("{skips}1 passed, 0 failed, 2 skipped"), true);
    }

    #[test]
    fn a_test_that_failed_was_not_skipped() {
        let expected = "\
skipped: 1 marked `ignore` in the source
failed: three
5 passed, 1 failed, 1 skipped";
        check(PRINTED, "skipped: three: no nginx\n", expected, false);
    }

    #[test]
    fn nothing_is_no_success() {
        check("", "", "0 passed, 0 failed, 0 skipped", false);
        let all = "skipped: a: x\nskipped: b: x\nskipped: c: x\n";
        check(GOOD, all, &format!("{all}0 passed, 0 failed, 3 skipped"), false);
    }

    #[test]
    fn a_skip_without_a_reason_is_a_failure() {
        let expected = "\
failed: a line of the skips is not `skipped: NAME: REASON`: one
3 passed, 1 failed, 0 skipped";
        check(GOOD, "one\n", expected, false);
    }
}
