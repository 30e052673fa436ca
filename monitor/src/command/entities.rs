//! `egress-monitor entities`: what can be found, by which standard, and an example of each. It
//! detects nothing.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::exit::Exit;
use super::scan::{About, all_entities, unknown};

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
struct Line<'a> {
    entity: &'a str,
    title: &'a str,
    tier: u8,
    tags: &'a [&'a str],
    standard: &'a str,
    example: &'a str,
}

impl<'a> Line<'a> {
    fn of(about: &'a About) -> Self {
        Line {
            entity: about.entity.name(),
            title: about.title,
            tier: about.tier,
            tags: about.tags,
            standard: about.standard,
            example: about.example,
        }
    }
}

/// Runs `egress-monitor entities`.
///
/// # Errors
///
/// There is no such entity, or standard output cannot be written.
pub fn run(args: &EntitiesArgs) -> anyhow::Result<ExitCode> {
    let mut about = all_entities();
    if let Some(name) = &args.name {
        if !about.iter().any(|about| about.entity.name().eq_ignore_ascii_case(name)) {
            return Err(Exit::new(2, unknown(name, &about)).into());
        }
        about.retain(|about| about.entity.name().eq_ignore_ascii_case(name));
    }
    let mut out = io::stdout().lock();
    let written = print(args, &about, &mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print(args: &EntitiesArgs, about: &[About], out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<Line<'_>> = about.iter().map(Line::of).collect();
    if args.json {
        for line in &lines {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    if let (Some(_), [line]) = (&args.name, lines.as_slice()) {
        writeln!(out, "{}: {}", line.entity, line.title)?;
        writeln!(out, "  tier      {} ({})", line.tier, tier(line.tier))?;
        writeln!(out, "  tags      {}", line.tags.join(", "))?;
        writeln!(out, "  standard  {}", line.standard)?;
        return writeln!(out, "  example   {}", line.example);
    }
    let width = |column: fn(&Line<'_>) -> usize| lines.iter().map(column).max().unwrap_or(0);
    let (names, examples) = (width(|line| line.entity.len()), width(|line| line.example.len()));
    let tags = width(|line| line.tags.join(", ").len());
    for line in &lines {
        let joined = line.tags.join(", ");
        writeln!(
            out,
            "{:names$}  {}  {joined:tags$}  {:examples$}  {} ({})",
            line.entity, line.tier, line.example, line.title, line.standard
        )?;
    }
    Ok(())
}

fn tier(tier: u8) -> &'static str {
    match tier {
        1 => "reported by itself: its checksum or its shape is evidence enough",
        2 => "reported with a key or words that speak for it: its checksum is weak",
        _ => "structured without a checksum: reported where shape and context fit",
    }
}
