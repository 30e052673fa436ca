//! `cargo xtask fuzz`: feeds whatever reads bytes from outside with bytes made by libFuzzer, led by
//! what each input covers, for a bounded time each.
//!
//! It builds `monitor/fuzz` on stable Rust: the pass that counts coverage is LLVM's own, and only
//! the sanitizers, which safe code has little use for, would need nightly. What it found stays in
//! `target/fuzz`: inputs that cover something new are where the next run begins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub struct FuzzArgs {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u32,
    /// Run these only
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Each target, and the bytes of its longest input.
const TARGETS: &[(&str, u32)] = &[
    ("engine", 4_096),
    ("stream", 65_536),
    ("views", 4_096),
    ("decoder", 16_384),
    ("reassemble", 4_096),
    ("policy", 4_096),
    ("image", 16_384),
];

/// What rustc is to do so that libFuzzer sees which branches are taken and what is compared.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Given so that only what is built for it, and no build script, is counted.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Bytes that an input may make the process hold: a bound behind the targets' own.
const MEMORY_MIB_MAX: u32 = 1_024;
/// Seconds that one input may take before libFuzzer gives it up.
const INPUT_SECONDS_MAX: u32 = 10;

/// Runs `cargo xtask fuzz` on the workspace in `root`.
pub fn run(args: &FuzzArgs, root: &Path) -> Result<ExitCode> {
    let known = |name: &String| TARGETS.iter().any(|(target, _)| target == name);
    if let Some(unknown) = args.targets.iter().find(|name| !known(name)) {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("there is no target {unknown}; there are {}", names.join(", "));
    }
    let target = build(root)?;
    let mut failed = Vec::new();
    for (name, bytes_max) in TARGETS {
        if !args.targets.is_empty() && !args.targets.iter().any(|chosen| chosen == name) {
            continue;
        }
        eprintln!("fuzz: {name}, {} s", args.seconds);
        if !one(root, &target, name, *bytes_max, args.seconds)? {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("fuzz: nothing found");
        return Ok(ExitCode::SUCCESS);
    }
    println!("fuzz: inputs were found for {}; they are in {}", failed.join(", "), target.display());
    Ok(ExitCode::FAILURE)
}

/// Builds all targets; gives the folder of whatever they write.
fn build(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/fuzz");
    let manifest = root.join("monitor/fuzz/Cargo.toml");
    let build = ["build", "--quiet", "--release", "--bins", "--target", TRIPLE, "--manifest-path"];
    let mut command = crate::test::cargo(root, &build);
    command.arg(manifest).arg("--target-dir").arg(&folder).env("RUSTFLAGS", FLAGS);
    ensure!(command.status()?.success(), "the fuzz targets do not build; a C++ compiler is needed");
    Ok(folder)
}

fn one(root: &Path, folder: &Path, name: &str, bytes_max: u32, seconds: u32) -> Result<bool> {
    let corpus = folder.join("corpus").join(name);
    let found = folder.join("found").join(name);
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let binary = folder.join(TRIPLE).join("release").join(name);
    let status = Command::new(binary)
        .arg(&corpus)
        .arg(root.join("monitor/fuzz/seeds").join(name))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={bytes_max}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .status()
        .with_context(|| format!("{name} cannot be started"))?;
    Ok(status.success())
}
