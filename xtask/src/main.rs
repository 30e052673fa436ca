//! `cargo xtask …`: the tasks of those who develop the project. One file per subcommand.
//!
//! It is no part of what is installed, and nothing that is installed needs it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

mod bench;
mod bpf;
#[cfg(feature = "engine")]
mod eval;
mod fuzz;
mod kernels;
#[cfg(not(feature = "engine"))]
mod with_engine;
mod test;

/// Development tasks of egress-monitor
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// The object that the kernel runs: build it, compare it with its sources
    #[command(subcommand)]
    Bpf(bpf::BpfTask),
    /// Run everything that can be tested on this machine, and count it
    Test,
    /// Measure what the monitor costs and how fast it answers, with it and without in turn
    ///
    /// Needs root, and an idle machine for figures that hold. Exits with 0 when an aim is missed,
    /// with 1 when something could not be measured.
    Bench(bench::BenchArgs),
    /// How good the detectors are: agreement with others, what they find, what they find falsely
    ///
    /// Exits with 0 when an aim is missed; with 1 under --strict when something, such as a package
    /// that has to be fetched, could not be measured.
    #[cfg(feature = "engine")]
    Eval(eval::EvalArgs),
    /// How good the detectors are: agreement with others, what they find, what they find falsely
    #[cfg(not(feature = "engine"))]
    #[command(disable_help_flag = true)]
    Eval(with_engine::Rest),
    /// Feed whatever reads bytes from outside with made-up bytes, for a bounded time
    Fuzz(fuzz::FuzzArgs),
    /// Try the daemon on other people's kernels, in QEMU
    ///
    /// Fetches Debian's cloud kernels from the mirror of this host's apt, about 30 MB each, once.
    /// Needs qemu-system-x86 and busybox-static, no rights and no KVM.
    Kernels(kernels::KernelsArgs),
    /// A process that leaks until it is killed, for `bench`
    #[command(hide = true)]
    BenchLeak { to: SocketAddr },
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Bpf(task) => root().and_then(|root| bpf::run(&task, &root)),
        Task::Test => root().and_then(|root| test::run(&root)),
        Task::Bench(args) => root().and_then(|root| bench::run(&args, &root)),
        #[cfg(feature = "engine")]
        Task::Eval(args) => root().and_then(|root| eval::run(&args, &root)),
        #[cfg(not(feature = "engine"))]
        Task::Eval(args) => root().and_then(|root| with_engine::again(&root, &["eval"], &args)),
        Task::Fuzz(args) => root().and_then(|root| fuzz::run(&args, &root)),
        Task::Kernels(args) => root().and_then(|root| kernels::run(&args, &root)),
        Task::BenchLeak { to } => bench::leak(to).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

/// The folder of the workspace. Read when run and not when built: a target folder may be copied.
fn root() -> Result<PathBuf> {
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set; start this as `cargo xtask`")?;
    let root = PathBuf::from(own).parent().map(PathBuf::from);
    root.context("CARGO_MANIFEST_DIR has no parent; start this as `cargo xtask`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        use clap::CommandFactory;
        Task::command().debug_assert();
    }
}
