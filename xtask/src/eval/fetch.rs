//! Other people's packages, fetched by the registries' ordinary clients when a measurement needs
//! them, into `target/eval`. None of it is kept in the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where everything that is fetched goes.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/eval");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

/// Runs a command to its end; its words are in the error.
pub fn run(command: &mut Command) -> Result<String> {
    let told = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{told} cannot be started"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.trim().lines().last().unwrap_or_default();
    ensure!(output.status.success(), "{told} failed ({}): {last}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The Python of a virtual environment of our own.
pub fn python(root: &Path) -> Result<PathBuf> {
    let venv = folder(root)?.join("venv");
    let python = venv.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            .context("no virtual environment can be made; install python3-venv")?;
    }
    Ok(python)
}

/// The unpacked source distribution of a package of PyPI, its tests with it.
pub fn source_of(root: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let folder = folder(root)?;
    let unpacked = folder.join(format!("{}-{version}", name.replace('-', "_")));
    if unpacked.exists() {
        return Ok(unpacked);
    }
    let python = python(root)?;
    let wanted = format!("{name}=={version}");
    run(Command::new(&python)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--no-binary", ":all:", "--dest"])
        .arg(&folder)
        .arg(&wanted))
    .with_context(|| format!("pip cannot fetch {wanted}"))?;
    let archive = format!("{}.tar.gz", unpacked.display());
    run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
    Ok(unpacked)
}

/// The unpacked wheel of a package of PyPI.
pub fn wheel_of(root: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let unpacked = folder(root)?.join(format!("wheel-{name}-{version}"));
    if unpacked.exists() {
        return Ok(unpacked);
    }
    let python = python(root)?;
    let wanted = format!("{name}=={version}");
    let partial = unpacked.with_extension("partial");
    let target = partial.display().to_string();
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--target", &target, &wanted]))
    .with_context(|| format!("pip cannot fetch {wanted}"))?;
    fs::rename(&partial, &unpacked)?;
    Ok(unpacked)
}

/// The unpacked package of npm.
pub fn npm(root: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let unpacked = folder(root)?.join(format!("npm-{}-{version}", name.replace(['@', '/'], "_")));
    if unpacked.exists() {
        return Ok(unpacked);
    }
    let partial = unpacked.with_extension("partial");
    fs::create_dir_all(&partial)?;
    let wanted = format!("{name}@{version}");
    let told = run(Command::new("npm").args(["pack", "--silent", &wanted]).current_dir(&partial))
        .with_context(|| format!("npm cannot fetch {wanted}"))?;
    let archive = told.trim().lines().last().unwrap_or_default().to_owned();
    run(Command::new("tar").args(["-xzf", &archive]).current_dir(&partial))?;
    fs::remove_file(partial.join(archive))?;
    fs::rename(&partial, &unpacked)?;
    Ok(unpacked)
}
