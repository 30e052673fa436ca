//! `cargo xtask bench detect`: how fast the detectors are, beside others, on one core. The peers are
//! a workspace of their own, `xtask/peers`, which only this command builds; what is compared runs in
//! turns in one process, and a ratio is of one run.
//!
//! It says nothing about how good what is found is; that is `cargo xtask eval`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use support::made::traffic;

use super::machine::Machine;
use super::numbers::{median, quantile, range};
use super::table::{Aim, Row, Table, Unit};
use crate::eval::fetch;

/// Arguments of `cargo xtask bench detect`.
#[derive(Debug, clap::Args)]
pub struct DetectArgs {
    /// Fewer rounds, and no Presidio
    #[arg(long)]
    quick: bool,
    /// Write the figures to FILE as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table into docs/detection.md, between `<!-- bench detect -->` and its end
    #[arg(long, conflicts_with = "quick")]
    docs: bool,
    /// Fail when something cannot be measured
    #[arg(long)]
    strict: bool,
}

/// Markers in the document.
const SECTION: &str = "bench detect";
const OURS: &str = "egress-monitor";
const DD: &str = "dd-sensitive-data-scanner";
const SEED: u64 = 20_261_125;
/// Bytes of each corpus.
const CORPUS_BYTES: usize = 8 << 20;

/// What `peers` prints.
#[derive(Deserialize)]
struct Figures {
    name: String,
    rounds: Vec<f64>,
    findings: usize,
}

struct Detect {
    peers: PathBuf,
    monitor: PathBuf,
    root: PathBuf,
    folder: PathBuf,
    /// The last processor: interrupts and other work mostly come to the first.
    core: String,
    quick: bool,
}

/// Runs it on the workspace in `root`.
pub fn run(args: &DetectArgs, root: &Path) -> Result<ExitCode> {
    let document = root.join("docs/detection.md");
    if args.docs {
        super::table::check_markers(&document, SECTION)?;
    }
    let bench = Detect {
        peers: build_peers(root)?,
        monitor: super::build(root)?,
        root: root.to_owned(),
        folder: fetch::folder(root)?,
        core: (std::thread::available_parallelism()?.get() - 1).to_string(),
        quick: args.quick,
    };
    let mut machine = Machine::read()?;
    machine.warn_when_busy();
    let mut rows = Vec::new();
    for (name, measure) in GROUPS {
        eprintln!("bench: {name}");
        rows.extend(
            measure(&bench)
                .unwrap_or_else(|error| vec![Row::not_measured(name, &format!("{error:#}"))]),
        );
    }
    machine.look_again()?;
    let table = Table { command: "cargo xtask bench detect", machine, rows };
    print!("{table}");
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&table)?;
        fs::write(path, json).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.docs {
        table.write_into(&document, SECTION)?;
    }
    Ok(if args.strict && !table.is_whole() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

type Measure = fn(&Detect) -> Result<Vec<Row>>;

const GROUPS: &[(&str, Measure)] = &[
    ("throughput, JSON", |bench| bench.throughput("JSON", &bench.json()?, 1_000.0)),
    ("throughput, dense numbers", |bench| {
        bench.throughput("dense numbers", &bench.dense()?, 300.0)
    }),
    ("one sample", Detect::latency),
    ("start of the engine", Detect::start),
    ("scan of a tree in cache", Detect::scan),
    ("redact", Detect::redact),
    ("gunzip and scan", Detect::gunzip),
    ("Presidio", Detect::presidio),
];

fn build_peers(root: &Path) -> Result<PathBuf> {
    eprintln!("bench: building the peers");
    let manifest = root.join("xtask/peers/Cargo.toml");
    let target = root.join("target/peers");
    let mut command =
        crate::test::cargo(root, &["build", "--release", "--quiet", "--manifest-path"]);
    command.arg(manifest).arg("--target-dir").arg(&target);
    ensure!(command.status()?.success(), "the peers do not build");
    Ok(target.join("release/peers"))
}

impl Detect {
    /// GitHub's webhook examples where they can be fetched, else records of our own.
    fn json(&self) -> Result<PathBuf> {
        let path = self.folder.join("json.txt");
        let package = fetch::npm(&self.root, "@octokit/webhooks-examples", "7.6.1")?;
        let file = ["package/api.github.com/index.json", "package/index.json"]
            .iter()
            .map(|name| package.join(name))
            .find(|path| path.exists())
            .context("the package of examples has no index.json")?;
        let text = fs::read(&file)?;
        fs::write(&path, text.get(..CORPUS_BYTES).unwrap_or(&text))?;
        Ok(path)
    }

    fn dense(&self) -> Result<PathBuf> {
        let path = self.folder.join("dense.txt");
        fs::write(&path, traffic::dense(SEED, CORPUS_BYTES))?;
        Ok(path)
    }

    fn rounds(&self) -> &'static str {
        if self.quick { "3" } else { "9" }
    }

    fn peers(&self, arguments: &[&str]) -> Result<Vec<Figures>> {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core]).arg(&self.peers).args(arguments);
        Ok(serde_json::from_str(&fetch::run(&mut command)?)?)
    }

    fn throughput(&self, what: &str, corpus: &Path, aim: f64) -> Result<Vec<Row>> {
        let corpus = corpus.display().to_string();
        let figures = self.peers(&["throughput", &corpus, self.rounds()])?;
        let row = |figures: &Figures| {
            Row::new(
                format!("throughput, {what}: {}", figures.name),
                median(&figures.rounds),
                Unit::MbPerSecond,
            )
            .spread(range(&figures.rounds))
            .note(format!("{} findings", figures.findings))
        };
        let ours =
            figures.iter().find(|one| one.name == OURS).context("peers did not measure us")?;
        // The faster of their two ways.
        let theirs = figures
            .iter()
            .filter(|one| one.name.starts_with(DD))
            .max_by(|a, b| median(&a.rounds).total_cmp(&median(&b.rounds)))
            .context("peers did not measure dd-sensitive-data-scanner")?;
        let ratios: Vec<f64> =
            ours.rounds.iter().zip(&theirs.rounds).map(|(ours, theirs)| ours / theirs).collect();
        let mut rows = vec![row(ours).aim(Aim::AtLeast(aim))];
        rows.push(
            Row::new(
                format!("throughput, {what}: of that of {}", theirs.name),
                median(&ratios),
                Unit::Times,
            )
            .spread(range(&ratios))
            .aim(Aim::AtLeast(10.0)),
        );
        rows.extend(figures.iter().filter(|one| one.name != OURS).map(row));
        Ok(rows)
    }

    fn latency(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for (what, corpus) in [("JSON", self.json()?), ("dense numbers", self.dense()?)] {
            for figures in self.peers(&["latency", &corpus.display().to_string(), self.rounds()])? {
                let name =
                    |share| format!("one sample of 4 KiB, {what}, {}: {share}", figures.name);
                let at = |share| quantile(&figures.rounds, share);
                rows.push(Row::new(name("p50"), at(0.5), Unit::Microseconds));
                let p99 = Row::new(name("p99"), at(0.99), Unit::Microseconds);
                rows.push(if figures.name == OURS { p99.aim(Aim::AtMost(25.0)) } else { p99 });
            }
        }
        Ok(rows)
    }

    /// The first engine of a process is what a start waits for.
    fn start(&self) -> Result<Vec<Row>> {
        let mut first = Vec::new();
        for _ in 0..if self.quick { 3 } else { 11 } {
            let figures = self.peers(&["start", "1"])?;
            first.extend(figures.iter().flat_map(|one| one.rounds.iter().copied()));
        }
        let row =
            Row::new("start of the engine, all detectors", median(&first), Unit::Milliseconds);
        Ok(vec![row.spread(range(&first)).aim(Aim::AtMost(10.0))])
    }

    /// Seconds that the command takes on one core, the median of some rounds after one that warms.
    fn seconds(&self, arguments: &[&str], input: Option<&Path>) -> Result<Vec<f64>> {
        let mut seconds = Vec::new();
        for round in 0..=if self.quick { 2 } else { 7 } {
            let stdin = match input {
                Some(path) => Stdio::from(fs::File::open(path)?),
                None => Stdio::null(),
            };
            let mut command = Command::new("taskset");
            command.args(["-c", &self.core]).arg(&self.monitor).args(arguments);
            let begun = Instant::now();
            let status =
                command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            // `scan` ends with 1 where it found something.
            if !matches!(status.code(), Some(0 | 1)) {
                bail!("egress-monitor {} failed ({status})", arguments.join(" "));
            }
            if round > 0 {
                seconds.push(begun.elapsed().as_secs_f64());
            }
        }
        Ok(seconds)
    }

    fn command_row(&self, name: &str, bytes: u64, seconds: &[f64], aim: f64) -> Row {
        let rates: Vec<f64> = seconds.iter().map(|seconds| bytes as f64 / 1e6 / seconds).collect();
        Row::new(format!("{name}, one core"), median(&rates), Unit::MbPerSecond)
            .spread(range(&rates))
            .aim(Aim::AtLeast(aim))
            .note(format!("{:.0} MB, start included", bytes as f64 / 1e6))
    }

    fn has_command(&self, name: &str) -> Result<()> {
        let help = Command::new(&self.monitor).args([name, "--help"]).output()?;
        ensure!(help.status.success(), "egress-monitor has no command `{name}`");
        Ok(())
    }

    /// JSON and dense traffic half and half, in files of 32 KiB, as a repository of test data is.
    fn scan(&self) -> Result<Vec<Row>> {
        self.has_command("scan")?;
        let tree = self.folder.join("tree");
        let mut bytes = 0;
        for (kind, corpus) in [("json", self.json()?), ("log", self.dense()?)] {
            let text = fs::read(corpus)?;
            for copy in 0..8 {
                let folder = tree.join(format!("{kind}-{copy}"));
                fs::create_dir_all(&folder)?;
                for (at, piece) in text.chunks(32 << 10).enumerate() {
                    fs::write(folder.join(format!("{at}.{kind}")), piece)?;
                    bytes += piece.len() as u64;
                }
            }
        }
        let path = tree.display().to_string();
        let seconds = self.seconds(&["scan", "--format", "json", &path], None)?;
        fs::remove_dir_all(&tree)?;
        Ok(vec![self.command_row("`scan` of a tree in cache", bytes, &seconds, 500.0)])
    }

    /// Eight times the text, so that the start does not count.
    fn big(&self, corpus: &Path) -> Result<PathBuf> {
        let path = self.folder.join("big.txt");
        let text = fs::read(corpus)?;
        let mut file = fs::File::create(&path)?;
        for _ in 0..8 {
            file.write_all(&text)?;
        }
        Ok(path)
    }

    fn redact(&self) -> Result<Vec<Row>> {
        self.has_command("redact")?;
        let big = self.big(&self.json()?)?;
        let seconds = self.seconds(&["redact"], Some(&big))?;
        let row = self.command_row("`redact`, JSON", fs::metadata(&big)?.len(), &seconds, 300.0);
        fs::remove_file(big)?;
        Ok(vec![row])
    }

    fn gunzip(&self) -> Result<Vec<Row>> {
        self.has_command("scan")?;
        let big = self.big(&self.json()?)?;
        let bytes = fs::metadata(&big)?.len();
        fetch::run(Command::new("gzip").args(["-kf6"]).arg(&big))?;
        let packed = format!("{}.gz", big.display());
        let seconds = self.seconds(&["scan", "--format", "json", &packed], None)?;
        fs::remove_file(big)?;
        fs::remove_file(packed)?;
        Ok(vec![self.command_row(
            "gunzip and `scan`, JSON, unpacked bytes",
            bytes,
            &seconds,
            250.0,
        )])
    }

    /// Its recognisers by pattern, on a small part: no language model can be fetched by pip.
    fn presidio(&self) -> Result<Vec<Row>> {
        if self.quick {
            return Ok(Vec::new());
        }
        let python = fetch::python(&self.root)?;
        fetch::run(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .arg("presidio-analyzer"),
        )
        .context("pip cannot install presidio-analyzer")?;
        let mut rows = Vec::new();
        for (what, corpus) in [("JSON", self.json()?), ("dense numbers", self.dense()?)] {
            let mut command = Command::new("taskset");
            command.args(["-c", &self.core]).arg(&python).args(["-c", PRESIDIO]).arg(&corpus);
            let told = fetch::run(&mut command)?;
            let rate: f64 = told.trim().lines().last().unwrap_or_default().parse()?;
            rows.push(
                Row::new(format!("throughput, {what}: Presidio"), rate, Unit::MbPerSecond)
                    .note("its recognisers by pattern, without a language model, on 64 KiB"),
            );
        }
        Ok(rows)
    }
}

const PRESIDIO: &str = r#"
import sys, time
from presidio_analyzer import RecognizerRegistry
registry = RecognizerRegistry()
registry.load_predefined_recognizers(languages=["en"])
own = [one for one in registry.recognizers if hasattr(one, "patterns")]
with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
    text = file.read(64 << 10)
pieces = [text[at:at + 4096] for at in range(0, len(text), 4096)]
begun = time.perf_counter()
for piece in pieces:
    for one in own:
        one.analyze(piece, one.supported_entities, None)
print(len(text) / 1e6 / (time.perf_counter() - begun))
"#;
