//! `egress-monitor redact [FILE…]`: a filter that takes personal data out of what passes through it.
//! It wires files to [`crate::redact`], and says nothing of what it finds but how much.

mod flow;
mod key;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::exit::Exit;
use super::names;
use crate::detect::Engine;
use crate::model::Confidence;
use crate::redact::{Counts, Mode, Redactor, Which};
use flow::Packing;

/// Trouble of any kind.
const TROUBLE: u8 = 2;

const EXAMPLES: &str = "Examples:
  egress-monitor redact < app.log > clean.log
  tail -f app.log | egress-monitor redact --line-buffered | tee clean.log
  egress-monitor redact --mode token --key-file redact.key orders.csv > orders-clean.csv
  egress-monitor redact --policy policy.toml < app.log    your own detectors as well
  egress-monitor redact --gzip app.log.1.gz > clean.log.1.gz
  head -c 32 /dev/urandom > redact.key && chmod 600 redact.key

What is found in an encoding (percent, JSON escapes, …) is taken out there, and what it is found in
stays what it was: JSON stays JSON, where a bare number that is taken out becomes a string.

Exit codes: 0 all went through, 2 trouble or wrong arguments.";

/// Arguments of `egress-monitor redact`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RedactArgs {
    /// Files to read one after the other, - for standard input, which is also what is read without
    /// any
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What stands for a value
    #[arg(long, value_enum, default_value_t = ModeName::Mask)]
    mode: ModeName,
    /// File of at least 32 random bytes, under which the same value always gives the same token;
    /// without it the key is made for this run
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Only these entities, such as CREDIT_CARD,IBAN_CODE
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    entities: Vec<String>,
    /// Only entities with one of these tags, such as PCI-DSS,GDPR
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
    /// Take out what the detectors of this policy find, too
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Only what is found with this confidence or more
    #[arg(long, value_enum, default_value_t = ConfidenceName::Low)]
    min_confidence: ConfidenceName,
    /// Leave published test values, such as 4111111111111111, as they are
    #[arg(long)]
    keep_test_data: bool,
    /// Write each line before the next is read; so it is done anyway when standard output is a
    /// terminal
    #[arg(long)]
    line_buffered: bool,
    /// Input is gzip, and so is the output
    #[arg(short = 'z', long)]
    gzip: bool,
    /// Say on standard error how much was taken out, of which entities
    #[arg(long)]
    stats: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeName {
    /// `*` for letters and digits; lengths stay
    Mask,
    /// Entity and fingerprint: CREDIT_CARD_ea7bba60e3d161e1
    Token,
    /// Keyed hash: 64 hex digits
    Hash,
    /// Entity in brackets: [CREDIT_CARD]
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ConfidenceName {
    Low,
    Medium,
    High,
}

/// Runs `egress-monitor redact`.
///
/// # Errors
///
/// A file cannot be read, or what was made of it cannot be written.
pub fn run(args: &RedactArgs) -> anyhow::Result<ExitCode> {
    // What a panic says may quote what was read.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(io::stderr(), "egress-monitor: a bug at {place}, please report it");
    }));
    let redactor = redactor(args)?;
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let plan = flow::Plan {
        packing: if args.gzip { Packing::Gzip } else { Packing::Plain },
        by_line: args.line_buffered || stdout.is_terminal(),
    };
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    let mut total = Counts::default();
    for path in files {
        match flow::pass(&redactor, plan, open(path)?, &stdout) {
            Ok(counts) => add(&mut total, counts),
            // Who reads has enough, as `head` does.
            Err(flow::Error::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Exit::new(TROUBLE, error.of(path)).into()),
        }
    }
    if args.stats {
        say(&total, redactor.engine())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn redactor(args: &RedactArgs) -> Result<Redactor, Exit> {
    let chosen = names::Chosen::new(&args.entities, &args.tags, args.policy.as_deref());
    let engine = chosen.map_err(|what| Exit::new(TROUBLE, what))?.engine();
    let mode = match args.mode {
        ModeName::Mask => Mode::Mask,
        ModeName::Token => Mode::Token,
        ModeName::Hash => Mode::Hash,
        ModeName::Remove => Mode::Remove,
    };
    let keyed = matches!(mode, Mode::Token | Mode::Hash);
    let key = key::key(args.key_file.as_deref(), keyed)?;
    let min_confidence = match args.min_confidence {
        ConfidenceName::Low => Confidence::Low,
        ConfidenceName::Medium => Confidence::Medium,
        ConfidenceName::High => Confidence::High,
    };
    let which = Which { min_confidence, keep_test_data: args.keep_test_data };
    Ok(Redactor::new(engine, key, mode, which))
}

fn open(path: &Path) -> Result<File, Exit> {
    let opened = match path == Path::new("-") {
        true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        false => File::open(path),
    };
    opened.map_err(|error| {
        let what = format!("{}: {error}; name a file that can be read", path.display());
        Exit::new(TROUBLE, what)
    })
}

fn add(total: &mut Counts, counts: Counts) {
    total.bytes_in += counts.bytes_in;
    total.bytes_out += counts.bytes_out;
    total.bytes_struck += counts.bytes_struck;
    for (id, count) in counts.values {
        *total.values.entry(id).or_default() += count;
    }
}

fn say(counts: &Counts, engine: &Engine) -> io::Result<()> {
    let mut err = io::stderr().lock();
    let values: u64 = counts.values.values().sum();
    let (bytes_in, bytes_out) = (counts.bytes_in, counts.bytes_out);
    let noun = if values == 1 { "value" } else { "values" };
    writeln!(err, "{values} {noun} taken out, {bytes_in} bytes in, {bytes_out} bytes out")?;
    for (id, count) in &counts.values {
        let entity = engine.entity(*id);
        writeln!(err, "  {entity:<24} {count}")?;
    }
    if counts.bytes_struck > 0 {
        let struck = counts.bytes_struck;
        writeln!(err, "  {struck} bytes with more candidates than are looked at, all masked")?;
    }
    Ok(())
}
