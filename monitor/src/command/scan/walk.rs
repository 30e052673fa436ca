//! Which files are looked through, in an order that is always the same: paths as they are given, and
//! what is in a folder by name. Rules are ripgrep's, by its own library. It opens no files.

use std::path::{Path, PathBuf};

use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};

use super::reader::{shown, told};

/// What is to be done next.
#[derive(Debug)]
pub enum Job {
    /// Look through a file.
    File(PathBuf),
    /// Look through standard input.
    Stdin,
    /// Say that something cannot be looked through, and why.
    Trouble(String, String),
}

/// Which files of a folder count.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Hidden ones as well.
    pub hidden: bool,
    /// Those as well that `.gitignore` and `.ignore` leave out.
    pub no_ignore: bool,
    /// Links are followed.
    pub follow: bool,
    /// What is left out wherever it comes from.
    pub exclude: Override,
}

/// Reads `--exclude`.
///
/// # Errors
///
/// A glob that is none, in words.
pub fn exclude(globs: &[String]) -> Result<Override, String> {
    let mut builder = OverrideBuilder::new(".");
    for glob in globs {
        let inverted = format!("!{glob}");
        builder.add(&inverted).map_err(|error| {
            format!("--exclude {glob:?} is no glob: {error}; write one such as 'vendor/**'")
        })?;
    }
    builder.build().map_err(|error| format!("--exclude: {error}"))
}

impl Walk {
    /// Hands on what there is to do for a path that was given, until `job` says that it has enough.
    pub fn each(&self, path: &Path, job: &mut dyn FnMut(Job) -> bool) -> bool {
        if path == Path::new("-") {
            return job(Job::Stdin);
        }
        match path.metadata() {
            Err(error) => job(Job::Trouble(shown(path), told(&error))),
            Ok(about) if about.is_dir() => self.folder(path, job),
            // Named, and so wanted; but hooks name whatever changed.
            Ok(_) if self.exclude.matched(path, false).is_ignore() => true,
            Ok(_) => job(Job::File(path.to_path_buf())),
        }
    }

    fn folder(&self, path: &Path, job: &mut dyn FnMut(Job) -> bool) -> bool {
        let use_ignore = !self.no_ignore;
        let walk = WalkBuilder::new(path)
            .hidden(!self.hidden)
            .follow_links(self.follow)
            .ignore(use_ignore)
            .git_ignore(use_ignore)
            .git_exclude(use_ignore)
            .parents(use_ignore)
            // A tree is the same tree without its repository, and on another machine.
            .require_git(false)
            .git_global(false)
            .overrides(self.exclude.clone())
            .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
            .sort_by_file_name(std::cmp::Ord::cmp)
            .build();
        for entry in walk {
            let next = match entry {
                Ok(entry) if is_file(&entry) => Job::File(entry.into_path()),
                Ok(_) => continue,
                Err(error) => trouble(path, &error),
            };
            if !job(next) {
                return false;
            }
        }
        true
    }
}

fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_file())
}

fn trouble(root: &Path, error: &ignore::Error) -> Job {
    let mut at = root;
    let mut inner = error;
    loop {
        inner = match inner {
            ignore::Error::WithPath { path, err } => {
                at = path;
                err
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => err,
            _ => break,
        };
    }
    let what = inner.io_error().map_or_else(|| inner.to_string(), told);
    Job::Trouble(shown(at), what)
}
