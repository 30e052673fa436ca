//! `egress-monitor entities`: what can be found, by which standard, and an example of each. It
//! detects nothing.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::exit::Exit;
use super::names::unknown;
use crate::detect::{Detector, Tier, detectors};

const EXAMPLES: &str = "Examples:
  egress-monitor entities                 all of them, a line each
  egress-monitor entities CREDIT_CARD     all that there is to say of one
  egress-monitor entities --json | jq -r 'select(.tags | index(\"HIPAA\")) | .entity'";

/// Arguments of `egress-monitor entities`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EntitiesArgs {
    /// Only this one
    name: Option<String>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    entity: &'static str,
    title: &'static str,
    tier: &'static str,
    tags: Vec<&'static str>,
    standard: &'static str,
    /// A made-up value in a text in which it is found.
    example: &'static str,
    /// Published test values, which are told as such.
    test_values: &'static [&'static str],
    only_by_name: bool,
}

impl Line {
    fn of(row: &'static Detector) -> Self {
        Line {
            entity: row.entity,
            title: row.title,
            tier: row.tier.name(),
            tags: row.tags.iter().map(|tag| tag.name()).collect(),
            standard: row.standard,
            example: row.example,
            test_values: row.test_values,
            only_by_name: row.only_by_name,
        }
    }
}

/// Runs `egress-monitor entities`.
///
/// # Errors
///
/// There is no such entity, or standard output cannot be written.
pub fn run(args: &EntitiesArgs) -> anyhow::Result<ExitCode> {
    let mut rows: Vec<&'static Detector> = detectors().iter().collect();
    rows.sort_by_key(|row| row.entity);
    if let Some(name) = &args.name {
        rows.retain(|row| row.entity.eq_ignore_ascii_case(name));
        if rows.is_empty() {
            return Err(Exit::new(2, unknown(name)).into());
        }
    }
    let mut out = io::stdout().lock();
    let written = print(args, &rows, &mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print(args: &EntitiesArgs, rows: &[&'static Detector], out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<Line> = rows.iter().map(|row| Line::of(row)).collect();
    if args.json {
        for line in &lines {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    if let (Some(_), [row]) = (&args.name, rows) {
        return one(row, out);
    }
    let width = |column: fn(&Line) -> usize| lines.iter().map(column).max().unwrap_or(0);
    let (names, tiers) = (width(|line| line.entity.len()), width(|line| line.tier.len()));
    let tags = width(|line| line.tags.join(", ").len());
    for line in &lines {
        let joined = line.tags.join(", ");
        let (entity, tier, title) = (line.entity, line.tier, line.title);
        let by_name = if line.only_by_name { "; only where it is named" } else { "" };
        writeln!(
            out,
            "{entity:names$}  {tier:tiers$}  {joined:tags$}  {title} ({}{by_name}): {}",
            line.standard,
            in_a_line(line.example)
        )?;
    }
    Ok(())
}

fn one(row: &'static Detector, out: &mut dyn Write) -> io::Result<()> {
    let line = Line::of(row);
    writeln!(out, "{}: {}", line.entity, line.title)?;
    writeln!(out, "  tier      {}: {}", line.tier, tier(row.tier))?;
    writeln!(out, "  tags      {}", line.tags.join(", "))?;
    writeln!(out, "  standard  {}", line.standard)?;
    writeln!(out, "  example   {}", in_a_line(line.example))?;
    if row.valid.is_some() {
        let chance = row.chance * 100.0;
        writeln!(out, "  check     {chance:.3} % of random strings of its shape pass it")?;
    }
    let words: Vec<&str> = row.words.key.iter().chain(row.words.near).copied().collect();
    if !words.is_empty() {
        writeln!(out, "  words     {}", words.join(", "))?;
    }
    if !row.test_values.is_empty() {
        writeln!(out, "  test data {}", row.test_values.join(", "))?;
    }
    if row.only_by_name {
        writeln!(out, "  is looked for only where --entities or a rule names it")?;
    }
    Ok(())
}

/// An example that has lines, as one.
fn in_a_line(example: &str) -> String {
    example.replace('\r', "\\r").replace('\n', "\\n")
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Strong => "reported by itself, its check or its shape is evidence enough",
        Tier::Weak => "reported where a key or words name it, its check alone is weak",
        Tier::Structured => "reported by its distinctive shape, it has no check",
    }
}
