//! `egress-monitor scan`: the detectors over files, before what is in them leaves. It loads nothing
//! into the kernel, asks no daemon, and changes no file but the baseline that it is told to write.

mod allow;
mod baseline;
mod capture;
mod changed;
mod engine;
mod format;
mod found;
mod place;
mod progress;
mod reader;
mod run;
mod summary;
mod walk;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use baseline::Baseline;
use changed::Changed;
use engine::Finder;
use format::Format;
use reader::Rules;
use walk::Walk;

use crate::command::exit::Exit;
use crate::command::names::Chosen;
use crate::limits::SCAN_FINDINGS_MAX;
use crate::model::Confidence;

const EXAMPLES: &str = "Examples:
  egress-monitor scan                                     what is in and below this folder
  egress-monitor scan src dump.sql.gz backup.tar.zst      files, folders, archives
  kubectl logs shop | egress-monitor scan -               standard input
  egress-monitor scan --changed-since origin/main         what a pull request adds
  egress-monitor scan --format sarif . > findings.sarif   for code scanning
  egress-monitor scan --policy policy.toml                your own detectors as well
  egress-monitor scan --write-baseline baseline.json      accept what is there
  egress-monitor scan --baseline baseline.json            and be told what is new

Exit codes: 0 clean, 1 findings, 2 trouble: something could not be read, or an argument is wrong.
Where there are findings and trouble it is 1, and both are told.";

/// Something went wrong, or was left out that should have been read.
const TROUBLE: u8 = 2;
/// There are findings.
const FINDINGS: u8 = 1;

/// Arguments of `egress-monitor scan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ScanArgs {
    /// Files and folders, - for standard input; this folder if there is none
    #[arg(default_value = ".", hide_default_value = true)]
    paths: Vec<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Leave out what is less sure
    #[arg(long, value_name = "LEVEL", default_value = "low", value_parser = confidence())]
    min_confidence: Confidence,
    /// Look for these only, such as CREDIT_CARD,US_SSN; see `egress-monitor entities`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    entities: Vec<String>,
    /// Look only for what these regulations ask after, such as PCI-DSS,HIPAA
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// Look for what the detectors of this policy find, too
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Leave out what matches, as in .gitignore; may be given again
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Only lines that were added or changed since this commit and the one that is checked out part
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// Look through hidden files and folders as well; .git is always left out
    #[arg(long)]
    hidden: bool,
    /// Look through what .gitignore and .ignore leave out as well
    #[arg(long)]
    no_ignore: bool,
    /// Follow links
    #[arg(long)]
    follow: bool,
    /// Look through files that are neither text nor can be unpacked as well
    #[arg(long)]
    binary: bool,
    /// Accept the findings that this file knows
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Add what is found to the baseline, and take out what is gone
    #[arg(long, requires = "baseline")]
    update_baseline: bool,
    /// Make a baseline of what is found
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// The key of the fingerprints, 32 bytes; without it that of the baseline, or a new one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Comments allow nothing
    #[arg(long)]
    no_allow: bool,
    /// Published test values are findings like others
    #[arg(long)]
    fail_on_test_data: bool,
    /// List so many findings; the rest is counted
    #[arg(long, value_name = "NUMBER", default_value_t = SCAN_FINDINGS_MAX, hide_default_value = true)]
    max_findings: usize,
    /// Print findings and errors only: no summary, no warnings, no progress
    #[arg(long, short)]
    quiet: bool,
    /// Show the values themselves; on a terminal only, and as text only
    #[arg(long)]
    show_values: bool,
    /// So many threads; as many as there are cores if not given
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

fn confidence() -> impl TypedValueParser<Value = Confidence> {
    PossibleValuesParser::new(["low", "medium", "high"]).map(|name| match name.as_str() {
        "high" => Confidence::High,
        "medium" => Confidence::Medium,
        _ => Confidence::Low,
    })
}

/// Runs `egress-monitor scan`.
///
/// # Errors
///
/// Wrong arguments, and what makes the whole scan pointless: a baseline that cannot be read, a
/// revision that is not known, an output that cannot be written.
pub fn run(args: &ScanArgs) -> Result<ExitCode, Exit> {
    let trouble = |message: String| Exit::new(TROUBLE, message);
    let chosen =
        Chosen::new(&args.entities, &args.tags, args.policy.as_deref()).map_err(trouble)?;
    if args.show_values && (args.format != Format::Text || !std::io::stdout().is_terminal()) {
        let what = "--show-values shows values on a terminal and as text only; leave it out here: \
                    values belong into no file and no log";
        return Err(trouble(what.into()));
    }
    let (baseline, key, stable_key) = keys(args).map_err(trouble)?;
    let changed = match &args.changed_since {
        Some(_) if args.paths.iter().any(|path| path.as_os_str() == "-") => {
            return Err(trouble(
                "--changed-since knows nothing of standard input; name files".into(),
            ));
        }
        Some(rev) => {
            let paths = args.paths.iter().map(PathBuf::as_path);
            Some(Changed::since(rev, paths).map_err(trouble)?)
        }
        None => None,
    };
    let walk = Walk {
        hidden: args.hidden,
        no_ignore: args.no_ignore,
        follow: args.follow,
        exclude: walk::exclude(&args.exclude).map_err(trouble)?,
    };
    let rules = Rules {
        finder: Finder::new(&chosen, key, args.show_values),
        entities: chosen.names().map(str::to_owned).collect(),
        binary: args.binary,
        min_confidence: args.min_confidence,
        allow: !args.no_allow,
    };
    let threads = args.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        usize::from,
    );
    let scan = run::Scan { args, chosen, walk, rules, changed, threads, stable_key };
    scan.run(baseline).map_err(trouble).map(|outcome| {
        ExitCode::from(match outcome {
            run::Outcome::Clean => 0,
            run::Outcome::Findings => FINDINGS,
            run::Outcome::Trouble => TROUBLE,
        })
    })
}

/// The baseline, the key, and whether the next run has the same.
fn keys(
    args: &ScanArgs,
) -> Result<(Option<Baseline>, [u8; crate::detect::KEY_BYTES], bool), String> {
    let own = args.key_file.as_deref().map(baseline::key_file).transpose()?;
    if let Some(at) = &args.baseline {
        let baseline = Baseline::read(at, own)?;
        let key = baseline.key();
        return Ok((Some(baseline), key, true));
    }
    let key = own.map_or_else(baseline::random_key, Ok)?;
    if let Some(at) = &args.write_baseline {
        if at.exists() {
            return Err(format!(
                "{0} is there already; to bring it up to date use --baseline {0} --update-baseline, \
                 to make a new one remove it",
                at.display()
            ));
        }
        return Ok((Some(Baseline::new(at, key, own.is_some())), key, true));
    }
    Ok((None, key, own.is_some()))
}
