//! `cargo xtask bpf …`: builds the object that the kernel runs, and holds the committed one
//! against its sources. The object is committed, so that everybody else builds with stable Rust alone; its
//! manifest says from what and with what it was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

mod inputs;
mod manifest;
mod toolchain;

use manifest::{Manifest, Object};
use toolchain::Toolchain;

/// Where the object stands, from the root.
const OBJECT: &str = "monitor/bpf/monitor.o";
/// Where its manifest stands, from the root.
const MANIFEST: &str = "monitor/bpf/manifest.toml";
/// What the kernel reads before it lends GPL helpers; `\0` ends it in the object.
const LICENSE: &[u8] = b"Dual MIT/GPL\0";

/// Arguments of `cargo xtask bpf`.
#[derive(Debug, clap::Subcommand)]
pub enum BpfTask {
    /// Build monitor/bpf/monitor.o from monitor-ebpf and write monitor/bpf/manifest.toml
    Build,
    /// Check that monitor/bpf/monitor.o is what its sources build to, byte for byte
    ///
    /// Exits with 1 and says what differs when it is not.
    Verify {
        /// Compare hashes only: needs no BPF toolchain and takes no time
        #[arg(long)]
        no_build: bool,
    },
}

/// Runs `cargo xtask bpf …` on the workspace in `root`.
pub fn run(task: &BpfTask, root: &Path) -> Result<ExitCode> {
    match task {
        BpfTask::Build => build(root).map(|()| ExitCode::SUCCESS),
        BpfTask::Verify { no_build } => {
            let mut differences = compare_hashes(root)?;
            if differences.is_empty() && !no_build {
                differences = compare_rebuilt(root)?;
            }
            Ok(told(&differences, *no_build))
        }
    }
}

fn build(root: &Path) -> Result<()> {
    let toolchain = Toolchain::find(Manifest::read(&root.join(MANIFEST)).ok().as_ref())?;
    let built = toolchain.build(root, &root.join("target/bpf"))?;
    let bytes = read(&built)?;
    let manifest = Manifest {
        object: Object::of(&bytes),
        tools: toolchain.tools()?,
        inputs: inputs::read(root)?,
    };
    let object = root.join(OBJECT);
    fs::write(&object, &bytes)
        .with_context(|| format!("{} cannot be written", object.display()))?;
    manifest.write(&root.join(MANIFEST))?;
    println!("{OBJECT}: {} bytes, sha256 {}", manifest.object.size_bytes, manifest.object.sha256);
    Ok(())
}

/// What of the sources and of the committed object is not as the manifest says.
fn compare_hashes(root: &Path) -> Result<Vec<String>> {
    let manifest = Manifest::read(&root.join(MANIFEST))?;
    let mut differences = inputs::differences(&manifest.inputs, &inputs::read(root)?);
    let bytes = read(&root.join(OBJECT))?;
    let object = Object::of(&bytes);
    if object != manifest.object {
        differences.push(format!("{OBJECT} is {object}, the manifest says {}", manifest.object));
    }
    if !bytes.windows(LICENSE.len()).any(|window| window == LICENSE) {
        differences.push(format!("{OBJECT} lacks the licence \"Dual MIT/GPL\""));
    }
    Ok(differences)
}

/// How the committed object differs from one that is built now, in a folder of its own.
fn compare_rebuilt(root: &Path) -> Result<Vec<String>> {
    let manifest = Manifest::read(&root.join(MANIFEST))?;
    let toolchain = Toolchain::find(Some(&manifest))?;
    let folder = root.join("target/bpf-verify");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    let built = toolchain.build(root, &folder)?;
    let Some(difference) = first_difference(&read(&root.join(OBJECT))?, &read(&built)?) else {
        return Ok(Vec::new());
    };
    let mut differences =
        vec![format!("{OBJECT} is not what was built now, {}: {difference}", built.display())];
    differences.extend(manifest.tools.differences(&toolchain.tools()?));
    Ok(differences)
}

fn first_difference(committed: &[u8], built: &[u8]) -> Option<String> {
    if committed == built {
        return None;
    }
    let same = committed.iter().zip(built).take_while(|(one, other)| one == other).count();
    Some(format!("{} and {} bytes, the first {same} are the same", committed.len(), built.len()))
}

fn told(differences: &[String], no_build: bool) -> ExitCode {
    if differences.is_empty() {
        let how = if no_build { "by its hashes" } else { "byte for byte" };
        println!("{OBJECT} is what its sources build to, {how}");
        return ExitCode::SUCCESS;
    }
    for difference in differences {
        eprintln!("{difference}");
    }
    eprintln!(
        "{OBJECT} does not hold; run `cargo xtask bpf build` and commit {OBJECT} and {MANIFEST}"
    );
    ExitCode::FAILURE
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The files below a folder, however deep, sorted.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let entries =
            fs::read_dir(&next).with_context(|| format!("{} cannot be read", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the tests of everybody, so that a source does not change without its object.
    #[test]
    fn the_committed_object_is_that_of_its_sources() {
        let differences = compare_hashes(&crate::root().unwrap()).unwrap();
        assert!(differences.is_empty(), "{}\nrun `cargo xtask bpf build`", differences.join("\n"));
    }

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        let told = first_difference(b"abcd", b"abX").unwrap();
        assert_eq!(told, "4 and 3 bytes, the first 2 are the same");
        let told = first_difference(b"ab", b"abX").unwrap();
        assert_eq!(told, "2 and 3 bytes, the first 2 are the same");
    }
}
