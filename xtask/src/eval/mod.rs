//! `cargo xtask eval`: how good the detectors are, against the aims: whether they agree with others'
//! validators and cases, what they find of what is there, and what they find that is not.
//!
//! It measures no time; that is `cargo xtask bench detect`. What it is measured on is made from a
//! seed, or fetched when it runs; what cannot be fetched is told and fails only under `--strict`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

mod corpora;
mod encode;
mod encoded;
mod engine;
mod falsely;
pub mod fetch;
mod presidio;
mod records;
mod stdnum;
mod synthetic;

use crate::bench::machine::Machine;
use crate::bench::table::{Row, Table};

/// Arguments of `cargo xtask eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// Less of everything: a minute instead of ten
    #[arg(long)]
    quick: bool,
    /// Write the figures to FILE as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table into docs/detection.md, between `<!-- eval -->` and `<!-- /eval -->`
    #[arg(long, conflicts_with_all = ["only", "quick"])]
    docs: bool,
    /// Fail when something cannot be measured
    #[arg(long)]
    strict: bool,
    /// Print what is behind the figures: each difference, each false finding masked in its context
    #[arg(long, short)]
    verbose: bool,
    /// Seed of the records that are otherwise made anew at each run
    #[arg(long)]
    seed: Option<u64>,
    /// Measure these only
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<Group>,
}

/// Measurements that are made together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Agreement with python-stdnum
    Stdnum,
    /// The cases of Presidio's recognisers
    Presidio,
    /// Recall and precision in records with a key
    Records,
    /// Recall in records that are encoded
    Encoded,
    /// Recall in records that are cut
    Cut,
    /// False findings in made-up machine traffic
    Synthetic,
    /// False findings in other people's files
    Corpora,
}

/// What every measurement is made with.
pub struct Eval {
    /// The workspace.
    pub root: PathBuf,
    /// Of this run.
    pub seed: u64,
    quick: bool,
}

/// What a measurement came to.
#[derive(Default)]
pub struct Outcome {
    /// Rows of the table.
    pub rows: Vec<Row>,
    /// What is behind them, for who wants to mend it.
    pub notes: Vec<String>,
}

impl Eval {
    /// One of two numbers: for a whole run, for a quick one.
    pub fn pick<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }
}

impl Group {
    fn measure(self, eval: &Eval) -> Result<Outcome> {
        match self {
            Group::Stdnum => stdnum::measure(eval),
            Group::Presidio => presidio::measure(eval),
            Group::Records => records::measure(eval),
            Group::Encoded => encoded::measure(eval),
            Group::Cut => encoded::cut(eval),
            Group::Corpora => corpora::measure(eval),
            Group::Synthetic => synthetic::measure(eval),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Runs `cargo xtask eval` on the workspace in `root`.
pub fn run(args: &EvalArgs, root: &Path) -> Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    eprintln!("eval: the seed of this run is {seed}");
    let eval = Eval { root: root.to_owned(), seed, quick: args.quick };
    let chosen = |group: &&Group| args.only.is_empty() || args.only.contains(group);
    let mut rows = Vec::new();
    for &group in Group::value_variants().iter().filter(chosen) {
        let name = group.name();
        eprintln!("eval: {name}");
        let outcome = group.measure(&eval).unwrap_or_else(|error| Outcome {
            rows: vec![Row::not_measured(&name, &format!("{error:#}"))],
            notes: Vec::new(),
        });
        rows.extend(outcome.rows);
        if args.verbose {
            println!("## {name}\n");
            outcome.notes.iter().for_each(|note| println!("{note}"));
            println!();
        }
    }
    let table = Table { command: "cargo xtask eval", machine: Machine::read()?, rows };
    print!("{table}");
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&table)?;
        std::fs::write(path, json)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.docs {
        table.write_into(&root.join("docs/detection.md"), "eval")?;
    }
    Ok(if args.strict && !table.is_whole() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A seed that nobody has tuned for.
fn fresh_seed() -> u64 {
    (jiff::Timestamp::now().as_nanosecond() % 1_000_000_000_000) as u64
}
