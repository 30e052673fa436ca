//! The daemon's own files: the lock of the runtime directory and the key of the fingerprints.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::command::exit::{BUSY, CANNOT_CREATE, CONFIG, Exit};
use crate::detect::{KEY_BYTES, Key};

/// Only root reads what is in these directories.
const DIRECTORY_MODE: u32 = 0o700;
/// Only root reads the key.
const FILE_MODE: u32 = 0o600;

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Takes the lock; it is released when the daemon ends, however it ends.
pub fn lock(runtime_dir: &Path) -> Result<Flock<File>, Exit> {
    let path = runtime_dir.join("lock");
    let cannot = |error: &dyn std::fmt::Display| {
        let what = format!("cannot open {}: {error}; choose another --runtime-dir", path.display());
        Exit::new(CANNOT_CREATE, what)
    };
    make_directory(runtime_dir).map_err(|error| cannot(&error))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(&path)
        .map_err(|error| cannot(&error))?;
    let mut holder = String::new();
    let _ = (&mut file).take(16).read_to_string(&mut holder);
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        if errno != Errno::EWOULDBLOCK {
            return cannot(&errno);
        }
        let holder = holder.trim();
        let at = path.display();
        Exit::new(BUSY, format!("another instance is running (pid {holder}, {at}); stop it first"))
    })?;
    let written = lock.set_len(0).and_then(|()| {
        use std::os::unix::fs::FileExt;
        lock.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
    });
    written.map_err(|error| cannot(&error))?;
    Ok(lock)
}

/// The key of this host, made at the first start. Where it cannot be kept, fingerprints hold until
/// the daemon ends.
pub fn key(state_dir: &Path) -> Result<Key, Exit> {
    let path = state_dir.join("fingerprint.key");
    match std::fs::read(&path) {
        Ok(bytes) => match <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
            Ok(bytes) => Ok(Key::from_bytes(bytes)),
            Err(_) => {
                let what = format!(
                    "{} is {} bytes, a key has {KEY_BYTES}; restore it, or remove it to get a new \
                     one: fingerprints change then",
                    path.display(),
                    bytes.len()
                );
                Err(Exit::new(CONFIG, what))
            }
        },
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Exit::new(
            CANNOT_CREATE,
            format!("cannot read the key {}: {error}", path.display()),
        )),
        Err(_) => {
            let key = random()
                .map_err(|error| Exit::new(CANNOT_CREATE, format!("cannot make a key: {error}")))?;
            if let Err(error) = make_directory(state_dir).and_then(|()| keep(&path, &key)) {
                let path = path.display();
                tracing::warn!(
                    "cannot keep the key {path}: {error}; fingerprints change with the next start"
                );
            }
            Ok(Key::from_bytes(key))
        }
    }
}

fn random() -> io::Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Written beside its place and then moved there: a key that is there is whole.
fn keep(path: &Path, key: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&draft)?;
    file.write_all(key)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
