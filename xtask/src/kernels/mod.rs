//! `cargo xtask kernels`: the daemon on other people's kernels, Debian's, each booted in QEMU with
//! nothing but the statically linked programs in it.
//!
//! In each guest `doctor` says whether the daemon can be armed, and `paths` of `tests/` sends in
//! every way over every transport, under every way to hook, and says what was found and what is a
//! counted gap. What is not offered or cannot be reached is skipped, never passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

mod archive;
mod build;
mod guest;
mod table;

use crate::bench::table::{check_markers, write_between};
use archive::{Found, Kernel, SERIES, Series};
use build::Binary;
use guest::{Given, Guest, Step};
use table::{Count, Outcome, Table, Tried, Verdict};

/// What the daemon's binary and the one that tries its paths are in a guest.
const MONITOR: Binary = Binary { package: "egress-monitor", name: "egress-monitor" };
const PATHS: Binary = Binary { package: "egress-monitor-tests", name: "paths" };
/// Where the table goes.
const DOCS: &str = "docs/kernels.md";
const MARKER: &str = "kernels";

/// Arguments of `cargo xtask kernels`.
#[derive(Debug, clap::Args)]
pub struct KernelsArgs {
    /// Try this series only; may be given more than once
    #[arg(long, value_name = "SERIES", value_parser = names())]
    only: Vec<String>,
    /// Say which kernels the mirror of this host's apt offers, and try none
    #[arg(long)]
    list: bool,
    /// Only see whether the daemon can be armed: doctor's trial
    #[arg(long, conflicts_with = "paths_args")]
    doctor: bool,
    /// Keep what each guest was given and wrote, in target/kernels/guests
    #[arg(long)]
    keep: bool,
    /// Write the table into docs/kernels.md, between `<!-- kernels -->` and `<!-- /kernels -->`
    #[arg(long, conflicts_with_all = ["only", "list", "doctor", "paths_args"])]
    docs: bool,
    /// What `paths` is given besides
    #[arg(last = true, value_name = "ARGUMENT")]
    paths_args: Vec<String>,
}

fn names() -> clap::builder::PossibleValuesParser {
    SERIES.iter().map(|series| series.name).collect::<Vec<_>>().into()
}

/// Runs `cargo xtask kernels` on the workspace in `root`.
pub fn run(args: &KernelsArgs, root: &Path) -> Result<ExitCode> {
    let chosen =
        |series: &&Series| args.only.is_empty() || args.only.iter().any(|o| o == series.name);
    let chosen: Vec<&Series> = SERIES.iter().filter(chosen).collect();
    if args.list {
        return list(root, &chosen);
    }
    let docs = root.join(DOCS);
    if args.docs {
        check_markers(&docs, MARKER)?;
    }
    // Nothing is built where there is nothing to run it on.
    let kernels: Vec<_> = chosen.iter().map(|series| kernel(root, series)).collect();
    let programs = if kernels.iter().any(Result::is_ok) {
        let wanted: &[Binary] = if args.doctor { &[MONITOR] } else { &[MONITOR, PATHS] };
        build::build(root, &archive::folder(root)?, wanted)?
    } else {
        Vec::new()
    };
    let trial = Trial { args, programs: &programs, folder: archive::folder(root)?.join("guests") };
    let tried = chosen.into_iter().zip(kernels).map(|(series, kernel)| trial.run(series, kernel));
    let table = Table { command: "cargo xtask kernels", kernels: tried.collect() };
    println!("{table}");
    let number = |count| table.kernels.iter().filter(|tried| tried.count() == count).count();
    let (failed, skipped) = (number(Count::Failed), number(Count::Skipped));
    println!("kernels: {} passed, {failed} failed, {skipped} skipped", number(Count::Passed));
    if args.docs {
        ensure!(skipped == 0, "{DOCS} is left as it is: not every kernel was tried");
        write_between(&docs, MARKER, &table.to_string())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what the mirror offers.
fn list(root: &Path, chosen: &[&Series]) -> Result<ExitCode> {
    for series in chosen {
        let kept = archive::kept(root, series).map_or("-".into(), |kernel| kernel.version);
        let offered = match archive::look(root, series)? {
            Found::Offered(offer, suite) => format!("{} of {suite}", offer.package),
            Found::Absent(why) => format!("not to be had: {why}"),
        };
        println!("{:<8} kept {kept:<24} {offered}", series.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest kernel of a series; where the mirror cannot give it, that of an earlier run.
fn kernel(root: &Path, series: &Series) -> Result<Kernel, Verdict> {
    let download = || match archive::look(root, series)? {
        Found::Absent(why) => Err(anyhow!(why)),
        Found::Offered(offer, suite) => {
            archive::download(root, series, &offer, &suite).map(|()| offer)
        }
    };
    let why = match download() {
        Ok(offer) => return archive::unpack(root, series, &offer).map_err(failed),
        Err(why) => why,
    };
    match archive::kept(root, series) {
        Some(kernel) => {
            eprintln!("kernels: {}: {why:#}; taking {}", series.name, kernel.release);
            Ok(kernel)
        }
        None => Err(Verdict::Skipped(format!("{why:#}"))),
    }
}

fn failed(error: anyhow::Error) -> Verdict {
    Verdict::Failed(format!("{error:#}"))
}

/// What every kernel is tried with.
struct Trial<'a> {
    args: &'a KernelsArgs,
    programs: &'a [PathBuf],
    folder: PathBuf,
}

impl Trial<'_> {
    fn run(&self, series: &Series, kernel: Result<Kernel, Verdict>) -> Tried {
        let (kernel, verdict) = match kernel {
            Err(verdict) => (None, verdict),
            Ok(kernel) => {
                eprintln!("kernels: {}: booting {}", series.name, kernel.release);
                let verdict = self.boot(series, &kernel).unwrap_or_else(failed);
                (Some((kernel.release, kernel.version)), verdict)
            }
        };
        // In a cell of the table it is cut.
        match &verdict {
            Verdict::Refused(why) | Verdict::Failed(why) => {
                eprintln!("kernels: {}: {why}", series.name);
            }
            Verdict::Skipped(why) => eprintln!("skipped: {}: {why}", series.name),
            Verdict::Paths(_) | Verdict::Armed(_) => {}
        }
        Tried { series: series.name, refusal: series.refusal, kernel, verdict }
    }

    fn boot(&self, series: &Series, kernel: &Kernel) -> Result<Verdict> {
        let files: Vec<Given> = self.programs.iter().map(|file| Given(file)).collect();
        let monitor = format!("/{}", MONITOR.name);
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let doctor = words(&[&monitor, "doctor", "--json"]);
        let mut steps = vec![Step { name: "doctor", words: doctor }];
        if !self.args.doctor {
            let mut paths = words(&[&format!("/{}", PATHS.name), "--monitor", &monitor, "--json"]);
            paths.extend(self.args.paths_args.iter().cloned());
            steps.push(Step { name: "paths", words: paths });
        }
        let folder = self.folder.join(series.name);
        let guest = guest::run(&folder, &kernel.image, &files, &steps)?;
        eprintln!("kernels: {}: {} s", series.name, guest.took.as_secs());
        if !self.args.keep {
            fs::remove_dir_all(&folder)?;
        }
        judge(&guest)
    }
}

/// What a guest came to.
fn judge(guest: &Guest) -> Result<Verdict> {
    let doctor = guest.step("doctor").context("doctor did not run")?;
    let report: Report = serde_json::from_str(&doctor.out)
        .with_context(|| format!("doctor ended with {} and no report", doctor.code))?;
    if let Some(why) = report.trial.error {
        return Ok(Verdict::Refused(why));
    }
    let Some(paths) = guest.step("paths") else {
        let used = report.hooks.iter().filter(|hook| hook.used);
        let used: Vec<String> = used.map(|hook| format!("{}: {}", hook.place, hook.way)).collect();
        let took = format!("in {} ms", report.trial.took_ms);
        let checks = report.checks.iter().filter(|check| check.name == "quarantine");
        let quarantine: Vec<String> =
            checks.map(|check| format!("{}: {}", check.name, check.found)).collect();
        let hooks = used.join("; ");
        return Ok(Verdict::Armed(format!("{took}; {hooks}; {}", quarantine.join("; "))));
    };
    let rows = table::read(&paths.out)?;
    // It ends with 1 where it missed something, which the rows say better.
    let missed = rows.iter().any(|row| row.outcome == Outcome::Missed);
    let wanted = i32::from(missed);
    ensure!(
        paths.code == wanted,
        "paths ended with {} after {} rows; on the console:\n{}",
        paths.code,
        rows.len(),
        guest.console
    );
    Ok(Verdict::Paths(rows))
}

/// Of the report of `doctor --json`, what is read here.
#[derive(Debug, Deserialize)]
struct Report {
    checks: Vec<Check>,
    hooks: Vec<Hook>,
    trial: DoctorsTrial,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    found: String,
}

#[derive(Debug, Deserialize)]
struct Hook {
    place: String,
    way: String,
    used: bool,
}

#[derive(Debug, Deserialize)]
struct DoctorsTrial {
    error: Option<String>,
    took_ms: u64,
}
