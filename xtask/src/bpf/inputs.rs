//! What goes into the objects, by name, each with a hash. Nothing else does, so nothing else makes
//! the committed ones stale:
//!
//! - `monitor-ebpf/Cargo.toml`, `monitor-ebpf/build.rs` if there is one, all files below
//!   `monitor-ebpf/src`: sha256 of the file;
//! - of the workspace's `Cargo.toml`, what reaches the compiler: version, edition, resolver, the
//!   profile `release`, the dependencies that `monitor-ebpf` inherits: sha256 of the value;
//! - of `Cargo.lock`, each package that `monitor-ebpf` depends on, however far: the checksum that
//!   stands there. Other packages come and go without a rebuild;
//! - the flags of the recipe in `toolchain.rs`: sha256 of them.
//!
//! The tools are no input: an object built by others is compared byte for byte, and then they are
//! named.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::manifest::sha256;
use super::{files_below, read as read_file, toolchain};

/// The crate that the object is built from: package and folder.
const CRATE: &str = "monitor-ebpf";

/// The hash of each input, by its name.
pub type Inputs = BTreeMap<String, String>;

/// The inputs as they stand in the workspace in `root`.
pub fn read(root: &Path) -> Result<Inputs> {
    let mut inputs = Inputs::new();
    files(root, &mut inputs)?;
    let workspace = table(&root.join("Cargo.toml"))?;
    let own = table(&root.join(CRATE).join("Cargo.toml"))?;
    settings(&workspace, &own, &mut inputs);
    packages(&table(&root.join("Cargo.lock"))?, &mut inputs)?;
    inputs.insert("flags".into(), sha256(toolchain::FLAGS.join(" ").as_bytes()));
    Ok(inputs)
}

/// What differs between the inputs of the manifest and those of now, a sentence each.
pub fn differences(manifest: &Inputs, now: &Inputs) -> Vec<String> {
    let gone = manifest.keys().filter(|name| !now.contains_key(*name));
    let gone = gone.map(|name| format!("{name} went into the object and is no more"));
    let other = now.iter().filter_map(|(name, hash)| match manifest.get(name) {
        Some(built) if built == hash => None,
        Some(_) => Some(format!("{name} has changed since the object was built")),
        None => Some(format!("{name} is new since the object was built")),
    });
    gone.chain(other).collect()
}

fn files(root: &Path, inputs: &mut Inputs) -> Result<()> {
    let folder = root.join(CRATE);
    let mut files = files_below(&folder.join("src"))?;
    files.push(folder.join("Cargo.toml"));
    files.extend(Some(folder.join("build.rs")).filter(|script| script.exists()));
    for file in files {
        let name = file.strip_prefix(root)?.display().to_string();
        inputs.insert(name, sha256(&read_file(&file)?));
    }
    Ok(())
}

fn settings(workspace: &Table, own: &Table, inputs: &mut Inputs) {
    let fixed = [
        vec!["workspace", "resolver"],
        vec!["workspace", "package", "edition"],
        vec!["workspace", "package", "version"],
        vec!["profile", "release"],
    ];
    let dependencies = own.get("dependencies").and_then(Value::as_table);
    let inherited = dependencies.into_iter().flatten();
    let inherited = inherited.map(|(name, _)| vec!["workspace", "dependencies", name]);
    for path in fixed.into_iter().chain(inherited) {
        if let Some(value) = at(workspace, &path) {
            let name = format!("Cargo.toml {}", path.join("."));
            inputs.insert(name, sha256(value.to_string().as_bytes()));
        }
    }
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

/// The packages that [`CRATE`] depends on. Not their entries as they stand: these name a version or
/// not depending on what else is in the file.
fn packages(lock: &Table, inputs: &mut Inputs) -> Result<()> {
    let packages = lock.get("package").and_then(Value::as_array).context("Cargo.lock is empty")?;
    let mut wanted = vec![CRATE.to_string()];
    while let Some(dependency) = wanted.pop() {
        let package = packages.iter().filter_map(Value::as_table);
        let package = package
            .into_iter()
            .find(|package| is_named(package, &dependency))
            .with_context(|| format!("Cargo.lock has no package {dependency}"))?;
        let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = format!("Cargo.lock {} {}", text("name"), text("version"));
        let hash = package.get("checksum").or(package.get("source")).and_then(Value::as_str);
        let known = match hash {
            Some(hash) => inputs.insert(name, hash.into()).is_some(),
            None => dependency != CRATE,
        };
        if !known {
            let dependencies = package.get("dependencies").and_then(Value::as_array);
            let names = dependencies.into_iter().flatten().filter_map(Value::as_str);
            wanted.extend(names.map(String::from));
        }
    }
    Ok(())
}

/// Whether `dependency`, `name` or `name version` or `name version (source)`, is `package`.
fn is_named(package: &Table, dependency: &str) -> bool {
    let mut words = dependency.split(' ');
    ["name", "version"].iter().all(|key| {
        let word = words.next();
        word.is_none() || package.get(*key).and_then(Value::as_str) == word
    })
}

fn table(path: &Path) -> Result<Table> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    text.parse().with_context(|| format!("{} is no TOML", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
[workspace.package]
edition = "2024"
version = "1.0.0"
license = "MIT"
[workspace.dependencies]
near = { version = "1", features = ["a"] }
other = "1"
[profile.release]
debug = 1
"#;
    const OWN: &str = "[dependencies]\nnear.workspace = true\n";
    const LOCK: &str = r#"
[[package]]
name = "monitor-ebpf"
version = "1.0.0"
dependencies = ["near"]
[[package]]
name = "near"
version = "1.0.1"
checksum = "01"
dependencies = ["far 2.0.0"]
[[package]]
name = "far"
version = "1.0.0"
checksum = "02"
[[package]]
name = "far"
version = "2.0.0"
checksum = "03"
dependencies = ["near"]
"#;

    /// What differs once `from` is replaced by `to` in any of the three files.
    #[track_caller]
    fn check(from: &str, to: &str, expected: &[&str]) {
        let inputs = |change: &dyn Fn(&str) -> String| {
            let mut inputs = Inputs::new();
            let [workspace, own, lock] =
                [WORKSPACE, OWN, LOCK].map(|text| change(text).parse::<Table>().unwrap());
            settings(&workspace, &own, &mut inputs);
            packages(&lock, &mut inputs).unwrap();
            inputs
        };
        assert!([WORKSPACE, OWN, LOCK].concat().contains(from));
        let (before, after) = (inputs(&|text| text.into()), inputs(&|text| text.replace(from, to)));
        assert_eq!(differences(&before, &after), expected);
    }

    #[test]
    fn what_reaches_the_compiler_makes_the_object_stale() {
        let changed = "has changed since the object was built";
        check("2024", "2021", &[&format!("Cargo.toml workspace.package.edition {changed}")]);
        check("debug = 1", "debug = 2", &[&format!("Cargo.toml profile.release {changed}")]);
        check("[\"a\"]", "[]", &[&format!("Cargo.toml workspace.dependencies.near {changed}")]);
        check("\"03\"", "\"04\"", &[&format!("Cargo.lock far 2.0.0 {changed}")]);
        check(
            "1.0.1",
            "1.0.2",
            &[
                "Cargo.lock near 1.0.1 went into the object and is no more",
                "Cargo.lock near 1.0.2 is new since the object was built",
            ],
        );
    }

    #[test]
    fn what_does_not_reach_it_leaves_the_object_alone() {
        check("license = \"MIT\"", "", &[]);
        check("other = \"1\"", "other = \"2\"", &[]);
        check("checksum = \"02\"", "checksum = \"05\"", &[]);
        check("debug = 1", "# A remark.\ndebug=1", &[]);
    }

    #[test]
    fn a_lock_file_that_lacks_a_package_is_an_error() {
        let lock = LOCK.replace("far 2.0.0", "far 3.0.0").parse().unwrap();
        let error = packages(&lock, &mut Inputs::new()).unwrap_err();
        assert_eq!(error.to_string(), "Cargo.lock has no package far 3.0.0");
    }

    #[test]
    fn each_source_is_an_input() {
        let root = crate::root().unwrap();
        let inputs = read(&root).unwrap();
        for name in ["monitor-ebpf/Cargo.toml", "monitor-ebpf/src/hook/send.rs"] {
            assert_eq!(inputs[name], sha256(&fs::read(root.join(name)).unwrap()), "{name}");
        }
        assert!(inputs.keys().any(|name| name.starts_with("Cargo.lock aya-ebpf ")));
        assert!(!inputs.keys().any(|name| name.starts_with("Cargo.lock tokio ")));
    }
}
