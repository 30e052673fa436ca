//! The manifest beside the committed objects: what they were built from, with which tools, and what
//! came out. It is written by `cargo xtask bpf build` alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::inputs::Inputs;

const HEAD: &str = "\
# Written by `cargo xtask bpf build`, compared by `cargo xtask bpf verify`. What each input is stands
# in xtask/src/bpf/inputs.rs.

";

/// The whole file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// By the name of its file.
    pub objects: BTreeMap<String, Object>,
    pub tools: Tools,
    pub inputs: Inputs,
}

/// An object that came out.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    pub sha256: String,
    pub size_bytes: usize,
}

/// The tools that built them, with their versions as they say them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    pub rustc: String,
    /// The LLVM of rustc; bpf-linker has to be built with the same.
    pub llvm: String,
    pub cargo: String,
    pub bpf_linker: String,
}

impl Manifest {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Manifest> {
        let remedy = "run `cargo xtask bpf build`";
        let text = fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; {remedy}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("{} is no manifest; {remedy}", path.display()))
    }

    /// Writes the file at `path`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{HEAD}{}", toml::to_string(self)?);
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
    }
}

impl Object {
    /// What the manifest says of an object of these bytes.
    pub fn of(bytes: &[u8]) -> Object {
        Object { sha256: sha256(bytes), size_bytes: bytes.len() }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with sha256 {}", self.size_bytes, self.sha256)
    }
}

impl Tools {
    /// Which tools of now are not those of the manifest, a sentence each.
    pub fn differences(&self, now: &Tools) -> Vec<String> {
        [
            ("rustc", &self.rustc, &now.rustc),
            ("LLVM", &self.llvm, &now.llvm),
            ("cargo", &self.cargo, &now.cargo),
            ("bpf-linker", &self.bpf_linker, &now.bpf_linker),
        ]
        .into_iter()
        .filter(|(_, built, now)| built != now)
        .map(|(tool, built, now)| {
            format!(
                "{tool} is {now} here, the object was built with {built}: that alone may differ"
            )
        })
        .collect()
    }
}

/// The hash of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }

    #[test]
    fn a_tool_that_differs_is_named() {
        let tools = |llvm: &str| Tools {
            rustc: "1".into(),
            llvm: llvm.into(),
            cargo: "1".into(),
            bpf_linker: "0".into(),
        };
        assert_eq!(tools("22").differences(&tools("22")), [""; 0]);
        let told = tools("22").differences(&tools("23"));
        assert_eq!(told, ["LLVM is 23 here, the object was built with 22: that alone may differ"]);
    }
}
