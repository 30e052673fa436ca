//! `cargo xtask bench`: what the monitor costs and how fast it answers, measured on this machine on
//! the spot, against the aims. One file per group of measurements.
//!
//! What is compared is measured with and without the monitor in turn, in one run. All traffic stays
//! on loopback. A missed aim is told in the table and fails nothing; what cannot be measured does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

mod alert;
mod beside;
mod bulk;
mod carried;
mod child;
mod daemon;
#[cfg(feature = "engine")]
mod detect;
mod footprint;
mod kill;
pub mod machine;
mod made_up;
mod nginx;
mod numbers;
mod per_send;
mod pinned;
mod prevent;
mod programs;
mod sends;
pub mod table;
mod tls;
mod turns;

pub use kill::leak;
use machine::Machine;
use table::{Row, Table};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    /// Something other than the monitor
    #[command(subcommand)]
    other: Option<Other>,
    /// Fewer and shorter rounds: under four minutes instead of under fifteen
    #[arg(long)]
    quick: bool,
    /// Write the figures to FILE as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table into README.md, between `<!-- bench -->` and `<!-- /bench -->`
    #[arg(long, conflicts_with_all = ["named", "only", "quick"])]
    readme: bool,
    /// Measure these only
    #[arg(value_name = "NAME")]
    named: Vec<Group>,
    /// The same, by a flag
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<Group>,
}

/// What is measured without the monitor.
#[derive(Debug, clap::Subcommand)]
enum Other {
    /// The detectors, beside others
    #[cfg(feature = "engine")]
    Detect(detect::DetectArgs),
    /// The detectors, beside others
    #[cfg(not(feature = "engine"))]
    #[command(disable_help_flag = true)]
    Detect(crate::with_engine::Rest),
}

/// Measurements that are made together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// From start to armed
    Start,
    /// Processor time at rest
    Rest,
    /// Tight loops of small sends
    Sends,
    /// What a send costs, by its size and by how it is hooked
    PerSend,
    /// nginx under wrk
    Nginx,
    /// nginx under wrk, beside a bpftrace script
    Beside,
    /// What the TLS tap costs: writes, nginx, the first mapping of a library, looking for them
    Tls,
    /// A long transfer of large writes
    Bulk,
    /// From a send to its alert
    Alert,
    /// From a send to the death of its process
    Kill,
    /// What prevention costs, and how soon the kernel stops
    Prevent,
    /// Matching sends carried without a loss
    Carried,
    /// Resident memory
    Memory,
}

/// What every measurement is made with.
struct Bench {
    /// The daemon's binary, as a user builds it.
    binary: PathBuf,
    /// Everything that is written goes there.
    folder: Folder,
    quick: bool,
}

impl Bench {
    /// One of two numbers: for a whole run, for a quick one.
    fn pick<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder> {
        let name = format!("egress-monitor-bench-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)
            .with_context(|| format!("{} cannot be made", path.display()))
            .map(|()| Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What remains is in the system's folder for what may go.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Group {
    fn measure(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Group::Start => footprint::start(bench),
            Group::Rest => footprint::rest(bench),
            Group::Sends => sends::measure(bench),
            Group::PerSend => per_send::measure(bench),
            Group::Nginx => nginx::measure(bench),
            Group::Beside => beside::measure(bench),
            Group::Tls => tls::measure(bench),
            Group::Bulk => bulk::measure(bench),
            Group::Alert => alert::measure(bench),
            Group::Kill => kill::measure(bench),
            Group::Prevent => prevent::measure(bench),
            Group::Carried => carried::measure(bench),
            Group::Memory => footprint::memory(bench),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Runs `cargo xtask bench` on the workspace in `root`.
pub fn run(args: &BenchArgs, root: &Path) -> Result<ExitCode> {
    match &args.other {
        None => {}
        #[cfg(feature = "engine")]
        Some(Other::Detect(args)) => return detect::run(args, root),
        #[cfg(not(feature = "engine"))]
        Some(Other::Detect(rest)) => {
            return crate::with_engine::again(root, &["bench", "detect"], rest);
        }
    }
    ensure!(nix::unistd::geteuid().is_root(), "the monitor needs root; run this as root");
    let readme = root.join("README.md");
    if args.readme {
        table::check_markers(&readme, "bench")?;
    }
    let bench = Bench { binary: build(root)?, folder: Folder::make()?, quick: args.quick };
    let mut machine = Machine::read()?;
    machine.warn_when_busy();
    let named: Vec<Group> = args.named.iter().chain(&args.only).copied().collect();
    let chosen = |group: &&Group| named.is_empty() || named.contains(group);
    let mut rows = Vec::new();
    for &group in Group::value_variants().iter().filter(chosen) {
        let name = group.name();
        eprintln!("bench: {name}");
        rows.extend(group.measure(&bench).unwrap_or_else(|error| {
            eprintln!("bench: {name}: {error:#}");
            vec![Row::not_measured(&name, &format!("{error:#}"))]
        }));
    }
    machine.look_again()?;
    let table = Table { command: "cargo xtask bench", machine, rows };
    print!("{table}");
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&table)?;
        fs::write(path, json).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if !table.is_whole() {
        return Ok(ExitCode::FAILURE);
    }
    if args.readme {
        table.write_into(&readme, "bench")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The binary as a user builds it, with the features that it is installed with.
fn build(root: &Path) -> Result<PathBuf> {
    let mut command = crate::test::cargo(root, &["build", "--release", "--quiet"]);
    ensure!(command.status()?.success(), "cargo build --release failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let binary = root.join(target).join("release/egress-monitor");
    if !binary.exists() {
        bail!("{} is not there after cargo build --release", binary.display());
    }
    Ok(binary)
}
