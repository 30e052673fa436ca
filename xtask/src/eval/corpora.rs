//! False findings in other people's files: minified JavaScript, GitHub's webhook examples, AWS's API
//! examples. They hold e-mail and network addresses that are real, which are counted apart.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::engine::Finder;
use super::falsely::Count;
use super::synthetic::pieces;
use super::{Eval, Outcome, fetch};
use crate::bench::table::{Aim, Row};

/// Packages of npm whose minified files are looked through.
const SCRIPTS: &[(&str, &str)] = &[
    ("react-dom", "18.3.1"),
    ("jquery", "3.7.1"),
    ("three", "0.160.1"),
    ("libphonenumber-js", "1.11.20"),
];

/// Finds in all three.
pub fn measure(eval: &Eval) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    corpus(&mut outcome, "minified JavaScript", 0.0, || scripts(&eval.root));
    corpus(&mut outcome, "GitHub webhook examples", 1.0, || webhooks(&eval.root));
    corpus(&mut outcome, "AWS API examples", 3.0, || aws(&eval.root));
    Ok(outcome)
}

fn corpus(outcome: &mut Outcome, name: &str, aim: f64, files: impl Fn() -> Result<Vec<PathBuf>>) {
    let named = format!("false findings per MB: {name}");
    match files().and_then(|files| count(&files)) {
        Ok(count) => {
            outcome.rows.push(count.per_mb().named(&named).aim(Aim::AtMost(aim)));
            let surer = format!("{named}, medium and high");
            outcome.rows.push(count.per_mb_medium().named(&surer));
            outcome.notes.push(format!("{name}:"));
            outcome.notes.extend(count.offenders());
        }
        Err(error) => outcome.rows.push(Row::not_measured(&named, &format!("{error:#}"))),
    }
}

fn count(files: &[PathBuf]) -> Result<Count> {
    ensure!(!files.is_empty(), "the packages hold no such file");
    let finder = Finder::usual();
    let mut count = Count::new()?;
    for path in files {
        let text = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for piece in pieces(&text) {
            count.add(&name, piece, &finder.decoded(piece));
        }
    }
    Ok(count)
}

fn scripts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (name, version) in SCRIPTS {
        under(&fetch::npm(root, name, version)?, &mut files, &|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".min.js")
                || (name.starts_with("libphonenumber-") && name.ends_with(".js"))
        })?;
    }
    Ok(files)
}

fn webhooks(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    under(&fetch::npm(root, "@octokit/webhooks-examples", "7.6.1")?, &mut files, &|path| {
        path.file_name().is_some_and(|name| name == "index.json")
    })?;
    Ok(files)
}

fn aws(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    under(&fetch::wheel_of(root, "botocore", "1.44.8")?, &mut files, &|path| {
        path.file_name().is_some_and(|name| name == "examples-1.json")
    })?;
    Ok(files)
}

/// The files under a folder that are wanted, in order.
fn under(folder: &Path, files: &mut Vec<PathBuf>, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            under(&path, files, wanted)?;
        } else if wanted(&path) {
            files.push(path);
        }
    }
    Ok(())
}
