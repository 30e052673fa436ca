//! Finds a Rust that can build for the kernel, and builds with it. It needs the source of `core`,
//! and bpf-linker built with the same LLVM.
//!
//! The object has to come out the same wherever it is built, so each path of the machine is
//! replaced, and what cargo would take from the environment is taken away.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::manifest::{Manifest, Tools};

/// What the compiler is told; part of the inputs. Paths are added when it is run.
pub const FLAGS: &[&str] =
    &["-Clinker=bpf-linker", "-Clink-arg=--btf", "-Cdebuginfo=2", "-Cpanic=abort"];
const TARGET: &str = "bpfel-unknown-none";

const INSTALL: &str = "\
no Rust that can build for the kernel is here: the source of `core` is missing. Install either
  rustup toolchain install nightly --component rust-src
or, on Debian,
  apt-get install rustc-web cargo-web rust-web-src";
const INSTALL_LINKER: &str = "\
bpf-linker cannot be run. Install it with the LLVM of the Rust that builds, on Debian
  apt-get install llvm-22-dev libpolly-22-dev
  LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --no-default-features --features llvm-22
and elsewhere
  cargo install bpf-linker";

/// A Rust with the source of `core`.
pub struct Toolchain {
    rustc: PathBuf,
    cargo: PathBuf,
    /// Where it keeps the source of `core` and its kin.
    source: PathBuf,
    /// What `rustc -vV` says.
    version: String,
}

impl Toolchain {
    /// The one that built the object of the manifest, or else the first of: rustup's nightly, the
    /// system's.
    pub fn find(manifest: Option<&Manifest>) -> Result<Toolchain> {
        let mut found: Vec<Toolchain> = [rustup_nightly(), Some(PathBuf::from("/usr/bin/rustc"))]
            .into_iter()
            .flatten()
            .filter_map(Toolchain::with_source)
            .collect();
        let built = manifest.map(|manifest| manifest.tools.rustc.as_str());
        let same = found.iter().position(|toolchain| Some(toolchain.rustc_version()) == built);
        ensure!(!found.is_empty(), INSTALL);
        Ok(found.swap_remove(same.unwrap_or(0)))
    }

    /// The Rust of this `rustc`, if it has its cargo beside it and its source.
    fn with_source(rustc: PathBuf) -> Option<Toolchain> {
        let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"])).ok()?;
        let source = Path::new(&sysroot).join("lib/rustlib/src/rust");
        let cargo = rustc.with_file_name("cargo");
        if !cargo.exists() || !source.join("library/core/Cargo.toml").exists() {
            return None;
        }
        let version = output(Command::new(&rustc).arg("-vV")).ok()?;
        Some(Toolchain { rustc, cargo, source, version })
    }

    fn rustc_version(&self) -> &str {
        self.version.lines().next().unwrap_or_default().trim_start_matches("rustc ")
    }

    /// The versions of everything that has a part in the object.
    pub fn tools(&self) -> Result<Tools> {
        let llvm = self.version.lines().find_map(|line| line.strip_prefix("LLVM version: "));
        let cargo = output(Command::new(&self.cargo).arg("-V"))?;
        let linker = output(Command::new("bpf-linker").arg("--version")).context(INSTALL_LINKER)?;
        Ok(Tools {
            rustc: self.rustc_version().into(),
            llvm: llvm.context("`rustc -vV` names no LLVM")?.into(),
            cargo: cargo.trim_start_matches("cargo ").into(),
            bpf_linker: linker.trim_start_matches("bpf-linker ").into(),
        })
    }

    /// Builds binaries of the workspace in `root` below `target`; returns the folder that they are in.
    pub fn build<'a>(
        &self,
        root: &Path,
        target: &Path,
        binaries: impl Iterator<Item = &'a str>,
    ) -> Result<PathBuf> {
        let tools = self.tools()?;
        eprintln!("building with rustc {}, bpf-linker {}", tools.rustc, tools.bpf_linker);
        // The folders of what is fetched have to be known to be replaced.
        succeed(self.command(root).args(["fetch", "--locked", "--quiet"]))?;
        let flags = FLAGS.iter().map(OsString::from).chain(self.replaced_paths(root)?);
        let flags: Vec<OsString> = flags.collect();
        succeed(
            self.command(root)
                .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}".as_ref()))
                .env("CARGO_TARGET_DIR", target)
                .args(["build", "--locked", "--release", "--package", "monitor-ebpf"])
                .args(binaries.flat_map(|binary| ["--bin", binary]))
                .args(["--features", "bpf", "-Zbuild-std=core"])
                .args(["--target", TARGET]),
        )?;
        Ok(target.join(TARGET).join("release"))
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        // The cargo that runs this may be of another toolchain; its libraries must not be found.
        command.current_dir(root).env_remove("LD_LIBRARY_PATH").env_remove("RUSTUP_TOOLCHAIN");
        // It lets the stable Rust of a distribution build `core`.
        command.env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1");
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Flags that replace the folders of this machine in what the compiler writes.
    fn replaced_paths(&self, root: &Path) -> Result<Vec<OsString>> {
        let mut folders = vec![(root.to_path_buf(), "."), (self.source.clone(), "rust")];
        // The compiler writes some of them with links followed.
        folders.push((self.source.canonicalize()?, "rust"));
        // Below it a folder for each registry, with a name that depends on how it is reached.
        let fetched = cargo_home()?.join("registry/src");
        let entries = fs::read_dir(&fetched)
            .with_context(|| format!("{} cannot be read", fetched.display()))?;
        for entry in entries {
            folders.push((entry?.path(), "crates"));
        }
        let flag = |(folder, name): (PathBuf, &str)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder);
            flag.push("=");
            flag.push(name);
            flag
        };
        Ok(folders.into_iter().map(flag).collect())
    }
}

fn cargo_home() -> Result<PathBuf> {
    let own = env::var_os("CARGO_HOME").map(PathBuf::from);
    own.or_else(|| Some(env::home_dir()?.join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set; set one")
}

/// The `rustc` of rustup's nightly, if there is one: asked for so that none is fetched.
fn rustup_nightly() -> Option<PathBuf> {
    let mut command = Command::new("rustup");
    command.args(["which", "rustc", "--toolchain", "nightly"]).env("RUSTUP_AUTO_INSTALL", "0");
    output(&mut command).ok().map(PathBuf::from)
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String> {
    let said = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    if !said.status.success() {
        bail!("{command:?}: {}: {}", said.status, String::from_utf8_lossy(&said.stderr).trim());
    }
    Ok(String::from_utf8(said.stdout)?.trim().into())
}

/// Runs a command that prints for itself.
fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(status.success(), "{command:?}: {status}; what went wrong stands above");
    Ok(())
}
