//! Runs a task again in an xtask that has the engine in it, optimised. The tasks that build the
//! kernel's object must not need the engine, which embeds that object.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

/// What the other xtask is to read.
#[derive(Debug, clap::Args)]
pub struct Rest {
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs the task `name` there.
pub fn again(root: &Path, name: &[&str], rest: &Rest) -> Result<ExitCode> {
    let run = ["run", "--quiet", "--release", "--package", "xtask", "--features", "engine", "--"];
    let mut command = crate::test::cargo(root, &run);
    command.args(name).args(&rest.arguments);
    Ok(if command.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
