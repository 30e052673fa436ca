//! `cargo xtask bpf …`: builds the objects that the kernel runs, and holds the committed ones
//! against their sources. They are committed, so that everybody else builds with stable Rust alone; their
//! manifest says from what and with what they were built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

mod inputs;
mod manifest;
mod toolchain;

use manifest::{Manifest, Object};
use toolchain::Toolchain;

/// Where the objects stand, from the root.
const FOLDER: &str = "monitor/bpf";
/// Binary that is built, and the object that it becomes.
const OBJECTS: [(&str, &str); 3] =
    [("monitor-ebpf", "monitor.o"), ("switch", "switch.o"), ("quarantine", "quarantine.o")];
/// Where their manifest stands, from the root.
const MANIFEST: &str = "monitor/bpf/manifest.toml";
/// What the kernel reads before it lends GPL helpers; `\0` ends it in the object.
const LICENSE: &[u8] = b"Dual MIT/GPL\0";

/// Arguments of `cargo xtask bpf`.
#[derive(Debug, clap::Subcommand)]
pub enum BpfTask {
    /// Build the objects in monitor/bpf from monitor-ebpf and write monitor/bpf/manifest.toml
    Build,
    /// Check that the objects in monitor/bpf are what their sources build to, byte for byte
    ///
    /// Exits with 1 and says what differs when they are not.
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
    let built = toolchain.build(root, &root.join("target/bpf"), binaries())?;
    let mut objects = BTreeMap::new();
    for (binary, name) in OBJECTS {
        let bytes = read(&built.join(binary))?;
        let object = root.join(FOLDER).join(name);
        fs::write(&object, &bytes)
            .with_context(|| format!("{} cannot be written", object.display()))?;
        let object = Object::of(&bytes);
        println!("{FOLDER}/{name}: {} bytes, sha256 {}", object.size_bytes, object.sha256);
        objects.insert(name.to_owned(), object);
    }
    let manifest = Manifest { objects, tools: toolchain.tools()?, inputs: inputs::read(root)? };
    manifest.write(&root.join(MANIFEST))
}

fn binaries() -> impl Iterator<Item = &'static str> {
    OBJECTS.iter().map(|(binary, _)| *binary)
}

/// What of the sources and of the committed objects is not as the manifest says.
fn compare_hashes(root: &Path) -> Result<Vec<String>> {
    let manifest = Manifest::read(&root.join(MANIFEST))?;
    let mut differences = inputs::differences(&manifest.inputs, &inputs::read(root)?);
    for (_, name) in OBJECTS {
        let bytes = read(&root.join(FOLDER).join(name))?;
        let object = Object::of(&bytes);
        match manifest.objects.get(name) {
            Some(listed) if *listed == object => {}
            Some(listed) => {
                differences.push(format!("{FOLDER}/{name} is {object}, the manifest says {listed}"))
            }
            None => differences.push(format!("the manifest has no {name}")),
        }
        if !bytes.windows(LICENSE.len()).any(|window| window == LICENSE) {
            differences.push(format!("{FOLDER}/{name} lacks the licence \"Dual MIT/GPL\""));
        }
    }
    Ok(differences)
}

/// How the committed objects differ from those that are built now, in a folder of their own.
fn compare_rebuilt(root: &Path) -> Result<Vec<String>> {
    let manifest = Manifest::read(&root.join(MANIFEST))?;
    let toolchain = Toolchain::find(Some(&manifest))?;
    let folder = root.join("target/bpf-verify");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    let built = toolchain.build(root, &folder, binaries())?;
    let mut differences = Vec::new();
    for (binary, name) in OBJECTS {
        let built = built.join(binary);
        let committed = read(&root.join(FOLDER).join(name))?;
        if let Some(difference) = first_difference(&committed, &read(&built)?) {
            let built = built.display();
            differences
                .push(format!("{FOLDER}/{name} is not what was built now, {built}: {difference}"));
        }
    }
    if !differences.is_empty() {
        differences.extend(manifest.tools.differences(&toolchain.tools()?));
    }
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
        println!("the objects in {FOLDER} are what their sources build to, {how}");
        return ExitCode::SUCCESS;
    }
    for difference in differences {
        eprintln!("{difference}");
    }
    eprintln!("{FOLDER} does not hold; run `cargo xtask bpf build` and commit what is in it");
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

    /// In the tests of everybody, so that a source does not change without its objects.
    #[test]
    fn the_committed_objects_are_those_of_their_sources() {
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
