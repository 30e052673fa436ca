//! What runs in a guest: programs of the workspace, linked statically, since nothing else is there.
//!
//! They are built in a target folder of their own: the flag would otherwise throw away what the
//! normal build has.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A binary of the workspace.
pub struct Binary {
    /// Its package.
    pub package: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// Builds binaries; where they are, in the same order.
pub fn build(root: &Path, folder: &Path, binaries: &[Binary]) -> Result<Vec<PathBuf>> {
    let target = folder.join("build");
    let mut command = crate::test::cargo(root, &["build", "--release", "--quiet", "--locked"]);
    command.args(["--target", TARGET]).arg("--target-dir").arg(&target);
    for binary in binaries {
        command.args(["--package", binary.package, "--bin", binary.name]);
    }
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    // A guest unpacks them into its memory, emulated: what is not run is not wanted there, but for the
    // symbols, by which the TLS tap finds its functions.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    // Whether something is seen does not depend on speed, and the build is most of what this takes.
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "false").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    let status = command.status().context("cargo cannot be started")?;
    ensure!(status.success(), "cargo build of what runs in the guests failed ({status})");
    let built = target.join(TARGET).join("release");
    Ok(binaries.iter().map(|binary| built.join(binary.name)).collect())
}
