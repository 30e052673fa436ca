//! `egress-monitor policy check FILE`: says everything that is wrong with a policy, before anything
//! is attached. It loads nothing into the kernel and asks it nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::capture::prefilter::{Needs, Shape};
use crate::detect::Custom;
use crate::limits::{DICTIONARY_BYTES_MAX, POLICY_BYTES_MAX};
use crate::policy::{Date, Files, Level, Policy, Problem};

const EXAMPLES: &str = "Examples:
  egress-monitor policy check policy.toml
  egress-monitor policy check --json policy.toml | jq 'select(.level == \"error\")'";

/// Arguments of `egress-monitor policy`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PolicyCommand {
    /// Check a policy file and say everything that is wrong with it, in one go
    ///
    /// Exits with 0 when the policy holds (warnings do not change that), 78 when it does not,
    /// 66 when the file cannot be read.
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct CheckArgs {
    /// The policy, - for standard input
    file: PathBuf,
    /// Print JSON to standard output: one object a line for each problem, then one that sums up
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The policy holds.
    Holds,
    /// The policy has errors.
    Errors,
    /// The file could not be read.
    NoInput,
}

impl From<Outcome> for ExitCode {
    /// The codes of sysexits.h: EX_OK, EX_CONFIG, EX_NOINPUT.
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Holds => 0,
            Outcome::Errors => 78,
            Outcome::NoInput => 66,
        })
    }
}

/// Runs `egress-monitor policy …`. `today` is the day against which exceptions expire.
///
/// # Errors
///
/// Standard output or standard error cannot be written.
pub fn run(args: &PolicyArgs, today: Date) -> io::Result<Outcome> {
    let PolicyCommand::Check(CheckArgs { file, json }) = &args.command;
    let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let mut printer = Printer {
        file: &file.display().to_string(),
        json: *json,
        colour,
        out: &mut io::stdout().lock(),
        err: &mut io::stderr().lock(),
    };
    printer.check(read(file), &mut dictionaries(file), today)
}

/// The day by the system's clock, in UTC.
pub fn today() -> Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// Where and how a check is printed.
struct Printer<'a> {
    file: &'a str,
    json: bool,
    colour: bool,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

/// A line of `--json` for one problem.
#[derive(Serialize)]
struct ProblemLine<'a> {
    file: &'a str,
    #[serde(flatten)]
    problem: &'a Problem,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct SummaryLine<'a> {
    file: &'a str,
    holds: bool,
    rules: Option<usize>,
    entities: Option<usize>,
    /// What the kernel lets through for it, each shape with the entities that ask for it.
    prefilter: Option<BTreeMap<&'static str, Vec<String>>>,
    errors: usize,
    warnings: usize,
    /// Why the file could not be read.
    unreadable: Option<String>,
}

/// The detectors that a policy brings along.
///
/// # Errors
///
/// Everything that is wrong with it, as `policy check` prints it.
pub(super) fn detectors(file: &Path) -> Result<Vec<Arc<Custom>>, String> {
    let name = file.display().to_string();
    let bytes = read(file).map_err(|error| {
        format!("{name}: cannot be read: {error}; give the path of a policy file")
    })?;
    let policy = Policy::parse_bytes(&bytes, today(), &mut dictionaries(file));
    policy.map(|policy| policy.detectors).map_err(|problems| {
        let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
        let rendered: String =
            problems.iter().map(|problem| problem.render(&name, false) + "\n").collect();
        let errors = counted(errors, "error", "errors");
        format!("the policy does not hold\n{rendered}{name} does not hold: {errors}")
    })
}

/// The bytes of the file, one more than the limit at most: the policy says that it is too large.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Reads the dictionaries of a policy, whose paths begin where it stands; one byte more than the
/// limit at most.
pub(super) fn dictionaries(policy: &Path) -> impl FnMut(&str) -> Result<Vec<u8>, String> + use<> {
    let beside = policy.parent().unwrap_or(Path::new("")).to_owned();
    move |name| {
        let limit = u64::try_from(DICTIONARY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let path = beside.join(name);
        read_regular(&path, limit).map_err(|error| error.to_string())
    }
}

fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Nobody may write to a pipe, and the daemon would wait for it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Printer<'_> {
    fn check(
        &mut self,
        read: io::Result<Vec<u8>>,
        files: &mut Files<'_>,
        today: Date,
    ) -> io::Result<Outcome> {
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(&error)?;
                return Ok(Outcome::NoInput);
            }
        };
        match Policy::parse_bytes(&bytes, today, files) {
            Ok(policy) => {
                self.report(&policy.warnings, Some(&policy))?;
                Ok(Outcome::Holds)
            }
            Err(problems) => {
                self.report(&problems, None)?;
                Ok(Outcome::Errors)
            }
        }
    }

    fn report(&mut self, problems: &[Problem], policy: Option<&Policy>) -> io::Result<()> {
        let file = self.file;
        let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
        let warnings = problems.len() - errors;
        let rules = policy.map(|policy| policy.rules.len());
        let entities = policy.map(|policy| policy.entities().len());
        let needs = policy.map(|policy| Needs::of(policy.entities()));
        if self.json {
            for problem in problems {
                self.json_line(&ProblemLine { file, problem })?;
            }
            let holds = policy.is_some();
            return self.json_line(&SummaryLine {
                file,
                holds,
                rules,
                entities,
                prefilter: needs.as_ref().map(shapes),
                errors,
                warnings,
                unreadable: None,
            });
        }
        for problem in problems {
            writeln!(self.err, "{}", problem.render(file, self.colour))?;
        }
        let noted = if warnings > 0 {
            format!(" ({})", counted(warnings, "warning", "warnings"))
        } else {
            String::new()
        };
        match (rules, entities, needs) {
            (Some(rules), Some(entities), Some(needs)) => {
                writeln!(
                    self.out,
                    "{file} holds: {}, {}{noted}",
                    counted(rules, "rule", "rules"),
                    counted(entities, "entity", "entities"),
                )?;
                self.width(&needs)
            }
            _ => writeln!(
                self.err,
                "{file} does not hold: {}{noted}",
                counted(errors, "error", "errors")
            ),
        }
    }

    /// What the kernel lets through, why, and what that costs.
    fn width(&mut self, needs: &Needs) -> io::Result<()> {
        for (shape, entities) in shapes(needs) {
            writeln!(self.out, "the kernel lets through {shape:<6} for {}", entities.join(", "))?;
        }
        writeln!(self.out, "cost: {}", needs.cost())
    }

    fn unreadable(&mut self, error: &io::Error) -> io::Result<()> {
        let file = self.file;
        if self.json {
            return self.json_line(&SummaryLine {
                file,
                holds: false,
                rules: None,
                entities: None,
                prefilter: None,
                errors: 0,
                warnings: 0,
                unreadable: Some(error.to_string()),
            });
        }
        writeln!(self.err, "{file}: cannot be read: {error}; give the path of a policy file")
    }

    fn json_line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, line)?;
        writeln!(self.out)
    }
}

/// Each shape with the entities that ask for it.
fn shapes(needs: &Needs) -> BTreeMap<&'static str, Vec<String>> {
    let owned = |(shape, entities): (Shape, Vec<&str>)| {
        (shape.name(), entities.into_iter().map(str::to_owned).collect())
    };
    needs.reasons().map(|(shape, entities)| owned((shape, entities.collect()))).collect()
}

/// `1 rule`, `3 rules`.
fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date::constant(2026, 11, 24);

    /// What is printed about `policy` to standard output and standard error.
    fn printed(policy: &[u8], json: bool) -> (Outcome, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer =
            Printer { file: "policy.toml", json, colour: false, out: &mut out, err: &mut err };
        let outcome =
            printer.check(Ok(policy.to_vec()), &mut dictionaries(Path::new("-")), TODAY).unwrap();
        (outcome, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    const HOLDS: &str =
        "version = 1\n[[rule]]\nid = \"a\"\nentities = [\"CREDIT_CARD\", \"US_SSN\"]\n";

    #[test]
    fn a_policy_that_holds_is_summed_up() {
        let (outcome, out, err) = printed(HOLDS.as_bytes(), false);
        assert_eq!(outcome, Outcome::Holds);
        assert_eq!(
            out,
            "policy.toml holds: 1 rule, 2 entities\n\
             the kernel lets through card   for CREDIT_CARD\n\
             the kernel lets through ssn    for US_SSN\n\
             cost: most sends are cleared in the kernel at several gigabytes a second\n"
        );
        assert_eq!(err, "");
    }

    #[test]
    fn warnings_do_not_fail() {
        let (outcome, out, err) = printed(format!("{HOLDS}action = \"kill\"").as_bytes(), false);
        assert_eq!(outcome, Outcome::Holds);
        assert!(out.starts_with("policy.toml holds: 1 rule, 2 entities (1 warning)\n"), "{out}");
        assert!(err.starts_with("policy.toml:5:10: warning: one finding kills"), "{err}");
    }

    #[test]
    fn errors_are_shown_with_their_lines() {
        let (outcome, out, err) = printed(b"version = 3\nrules = 1\n", false);
        assert_eq!(outcome, Outcome::Errors);
        assert_eq!(out, "");
        let expected = "\
policy.toml:1:1: the policy has no rule; add a [[rule]]: without one nothing is found
  |
1 | version = 3
  | ^

policy.toml:1:11: version is 3; write 1
  |
1 | version = 3
  |           ^

policy.toml:2:1: unknown key \"rules\" in the policy; did you mean \"rule\"? keys: version, settings, protect, tls, coverage, kill_switch, access, detector, rule
  |
2 | rules = 1
  | ^^^^^

policy.toml does not hold: 3 errors
";
        assert_eq!(err, expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let (outcome, out, err) =
            printed(b"version = 3\n[[rule]]\nid = \"a\"\nentities = \"*\"", true);
        assert_eq!(outcome, Outcome::Errors);
        let expected = concat!(
            r#"{"file":"policy.toml","level":"error","line":1,"column":11,"#,
            r#""message":"version is 3","instead":"write 1"}"#,
            "\n",
            r#"{"file":"policy.toml","holds":false,"rules":null,"entities":null,"#,
            r#""prefilter":null,"errors":1,"warnings":0,"unreadable":null}"#,
            "\n",
        );
        assert_eq!(out, expected);
        assert_eq!(err, "");
        let (_, out, _) = printed(HOLDS.as_bytes(), true);
        assert!(out.contains(r#""holds":true,"rules":1,"entities":2"#), "{out}");
    }

    #[test]
    fn dictionaries_stand_beside_the_policy() {
        let dir = std::env::temp_dir().join(format!("dictionaries-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("lists")).unwrap();
        std::fs::write(dir.join("lists/a.txt"), "Jane Roe\n").unwrap();
        let mut files = dictionaries(&dir.join("policy.toml"));
        assert_eq!(files("lists/a.txt").unwrap(), b"Jane Roe\n");
        assert_eq!(files("lists").unwrap_err(), "it is no regular file");
        assert!(files("b.txt").unwrap_err().contains("No such file"));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error_of_the_policy() {
        for (json, told) in [(false, "policy.toml: cannot be read: "), (true, "\"unreadable\":\"")]
        {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut printer =
                Printer { file: "policy.toml", json, colour: false, out: &mut out, err: &mut err };
            let read = read(Path::new("/nowhere/policy.toml"));
            assert_eq!(
                printer.check(read, &mut dictionaries(Path::new("-")), TODAY).unwrap(),
                Outcome::NoInput
            );
            out.extend(err);
            assert!(String::from_utf8(out).unwrap().contains(told));
        }
    }

    #[test]
    fn the_arguments_are_well_formed() {
        use clap::Args;
        PolicyArgs::augment_args(clap::Command::new("policy")).debug_assert();
    }
}
