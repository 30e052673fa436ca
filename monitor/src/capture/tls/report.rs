//! What the TLS tap says of itself.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::limits::TLS_REFUSED_LISTED_MAX;

/// What the tap has hooked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Files, by their paths.
    pub files: Vec<HookedFile>,
    /// TLS libraries that cannot be hooked, or not whole; the first of them.
    pub refused: Vec<RefusedFile>,
    /// Files that were searched for TLS functions.
    pub files_searched: u64,
    /// Walks over all processes.
    pub walks: u64,
    /// What the last one took, in microseconds.
    pub walk_us: u64,
    /// From the first mapping of a file to its hooks, in microseconds: the last one.
    pub attach_us: u64,
}

/// A file that is hooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookedFile {
    /// Its path, in the mount namespace of the process that it was found with.
    pub path: String,
    /// What is in it.
    pub library: String,
    /// Functions that are hooked.
    pub functions: Vec<String>,
}

/// A file with a function that is not hooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// Its path, likewise.
    pub path: String,
    /// Which function, and what the kernel said.
    pub why: String,
}

/// A report that the thread of the tap writes and others read.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Report>>);

impl Shared {
    pub(super) fn get(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn refuse(&self, path: &str, why: String) {
        tracing::warn!("does not read TLS of {path}: {why}");
        self.change(|report| {
            if report.refused.len() < TLS_REFUSED_LISTED_MAX {
                report.refused.push(RefusedFile { path: path.to_owned(), why });
            }
        });
    }
}
