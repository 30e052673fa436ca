//! The TLS tap: what a write to a library costs, what of a web server's rate is left, how soon a library
//! that nobody has seen is hooked, and what looking for them takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::table::Row;

mod attach;
mod nginx;
mod walk;
mod write;

/// Measures one of them.
type Measure = fn(&Bench) -> Result<Vec<Row>>;

/// Its parts, and what a row calls one that could not be made.
const PARTS: [(&str, Measure); 4] = [
    ("what a TLS write costs", write::measure),
    ("nginx over TLS", nginx::measure),
    ("from a library's first mapping to its hooks", attach::measure),
    ("looking for TLS libraries", walk::measure),
];

/// All of them, whichever of them can be made.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let rows = PARTS.iter().flat_map(|(name, part)| {
        part(bench).unwrap_or_else(|error| {
            eprintln!("bench: {name}: {error:#}");
            vec![Row::not_measured(name, &format!("{error:#}"))]
        })
    });
    Ok(rows.collect())
}

/// A certificate that nobody is to trust, and its key.
pub struct Certificate {
    /// In PEM.
    pub certificate: PathBuf,
    /// In PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one in a folder, with openssl(1).
    fn make(folder: &Path) -> Result<Certificate> {
        let made = Certificate { certificate: folder.join("tls.pem"), key: folder.join("tls.key") };
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate)
            .output()
            .context("openssl cannot be started; install openssl")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "openssl ended with {}: {said}", output.status);
        Ok(made)
    }
}
