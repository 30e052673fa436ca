//! The key of tokens and hashes: out of a file, or made for a run. It makes no file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::TROUBLE;
use crate::command::exit::Exit;
use crate::detect::{KEY_BYTES, Key};
use crate::limits::REDACT_KEY_FILE_BYTES_MAX;

/// Rights of a file that let others than its owner and group read it.
const READ_BY_OTHERS: u32 = 0o004;

/// The key in `file`, or one that is made of random bytes, which is said where it matters.
pub(super) fn key(file: Option<&Path>, matters: bool) -> Result<Key, Exit> {
    let Some(path) = file else {
        if matters {
            warn(
                "no --key-file: the key is made for this run, its tokens join with no other run's",
            );
        }
        let mut bytes = [0; KEY_BYTES];
        let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        read.map_err(|error| trouble(Path::new("/dev/urandom"), &error))?;
        let key = Key::from_bytes(bytes);
        bytes.zeroize();
        return Ok(key);
    };
    let (bytes, mode) = read(path).map_err(|error| trouble(path, &error))?;
    if bytes.len() < KEY_BYTES {
        let (path, len) = (path.display(), bytes.len());
        let what = format!(
            "{path}: a key of {len} bytes is too short; make one with \
             `head -c {KEY_BYTES} /dev/urandom > {path}`"
        );
        return Err(Exit::new(TROUBLE, what));
    }
    if bytes.len() > REDACT_KEY_FILE_BYTES_MAX {
        let what = format!(
            "{}: larger than {REDACT_KEY_FILE_BYTES_MAX} bytes; is it a key?",
            path.display()
        );
        return Err(Exit::new(TROUBLE, what));
    }
    if mode & READ_BY_OTHERS != 0 {
        let path = path.display();
        warn(&format!("{path}: anybody can read this key; `chmod 600 {path}`"));
    }
    let mut exact = [0; KEY_BYTES];
    match <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
        Ok(bytes) => exact = bytes,
        // All of a longer one counts (RFC 2104 section 3 does so for keys longer than a block).
        Err(_) => exact.copy_from_slice(&Sha256::digest(bytes.as_slice())),
    }
    let key = Key::from_bytes(exact);
    exact.zeroize();
    Ok(key)
}

fn read(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let limit = REDACT_KEY_FILE_BYTES_MAX as u64 + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(REDACT_KEY_FILE_BYTES_MAX + 1));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}

fn trouble(path: &Path, error: &io::Error) -> Exit {
    Exit::new(TROUBLE, format!("{}: {error}; name a key that can be read", path.display()))
}

fn warn(what: &str) {
    let _ = writeln!(io::stderr(), "egress-monitor: {what}");
}
