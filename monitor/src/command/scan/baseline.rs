//! What is known and accepted: fingerprint, entity and path of each finding, in a file that can be
//! kept with the code. It holds no value and no part of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::found::Found;
use crate::detect::KEY_BYTES;
use crate::limits::SCAN_BASELINE_BYTES_MAX;
use crate::model::Confidence;

/// The only version there is.
const VERSION: u32 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    /// The key of the fingerprints in hexadecimal, where it is no file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Tells a key from another.
    key_id: String,
    findings: Vec<Entry>,
}

/// A finding that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    entity: String,
    confidence: Confidence,
    fingerprint: String,
}

/// What tells accepted findings apart: path, entity, fingerprint.
type Name = (String, String, String);

/// A baseline in use.
pub struct Baseline {
    at: PathBuf,
    /// Paths are kept relative to it: the file may be used from any folder.
    folder: PathBuf,
    accepted: BTreeMap<Name, Confidence>,
    seen: BTreeSet<Name>,
    /// Made by this run.
    found: BTreeMap<Name, Confidence>,
    key: [u8; KEY_BYTES],
    key_is_elsewhere: bool,
}

impl Baseline {
    /// Reads one. `key` is that of `--key-file`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, where, and what to do.
    pub fn read(at: &Path, key: Option<[u8; KEY_BYTES]>) -> Result<Baseline, String> {
        let shown = at.display();
        let mut text = String::new();
        let read = File::open(at)
            .and_then(|file| file.take(SCAN_BASELINE_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| {
            format!("cannot read the baseline {shown}: {error}; make one with --write-baseline")
        })?;
        let content: Content = serde_json::from_str(&text).map_err(|error| {
            // Not serde's own words, which may quote: line and column say it.
            let (line, column) = (error.line(), error.column());
            format!("{shown}:{line}:{column}: no baseline of this program; make one with --write-baseline")
        })?;
        if content.version != VERSION {
            return Err(format!(
                "{shown} has version {}, this program knows {VERSION}; make it anew with --write-baseline",
                content.version
            ));
        }
        let own = match &content.key {
            Some(hex) => Some(from_hex(hex.as_bytes()).ok_or_else(|| {
                format!("{shown}: its key is not {KEY_BYTES} bytes in hexadecimal; restore it")
            })?),
            None => None,
        };
        let Some(used) = key.or(own) else {
            return Err(format!("{shown} was made with --key-file; give that here as well"));
        };
        if id(&used) != content.key_id {
            return Err(format!(
                "{shown} was made with another key than this; give the --key-file that it was made with"
            ));
        }
        let mut baseline = Baseline::new(at, used, own.is_none());
        baseline.accepted = content
            .findings
            .into_iter()
            .map(|entry| ((entry.path, entry.entity, entry.fingerprint), entry.confidence))
            .collect();
        Ok(baseline)
    }

    /// An empty one with a key.
    pub fn new(at: &Path, key: [u8; KEY_BYTES], key_is_elsewhere: bool) -> Baseline {
        let folder = at.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        Baseline {
            at: at.to_path_buf(),
            folder: folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()),
            accepted: BTreeMap::new(),
            seen: BTreeSet::new(),
            found: BTreeMap::new(),
            key,
            key_is_elsewhere,
        }
    }

    /// The key of its fingerprints.
    pub fn key(&self) -> [u8; KEY_BYTES] {
        self.key
    }

    /// Whether a finding is accepted; notes that it is there.
    pub fn knows(&mut self, found: &Found) -> bool {
        let name = self.name(found);
        let known = self.accepted.contains_key(&name);
        if known {
            self.seen.insert(name.clone());
        }
        self.found.insert(name, found.confidence);
        known
    }

    fn name(&self, found: &Found) -> Name {
        let path = self.path(found.file()) + found.member();
        (path, found.entity.to_string(), found.fingerprint.clone())
    }

    /// A file's path as it is kept.
    pub fn path(&self, file: &str) -> String {
        let path = Path::new(file);
        let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let kept = absolute.strip_prefix(&self.folder).unwrap_or(path);
        kept.to_string_lossy().into_owned()
    }

    /// What was accepted and is not there any more, as `entity in path (fingerprint)`: only of files
    /// that were looked through, or that are gone, and only what would have been told.
    pub fn stale(
        &self,
        looked_at: &BTreeSet<String>,
        entities: &[String],
        min_confidence: Confidence,
    ) -> Vec<String> {
        self.stale_names(looked_at, entities, min_confidence)
            .map(|(path, entity, fingerprint)| format!("{entity} in {path} ({fingerprint})"))
            .collect()
    }

    fn stale_names<'a>(
        &'a self,
        looked_at: &'a BTreeSet<String>,
        entities: &'a [String],
        min_confidence: Confidence,
    ) -> impl Iterator<Item = &'a Name> {
        self.accepted
            .iter()
            .filter(move |(name, confidence)| {
                let (path, entity, _) = name;
                let file = path.split('!').next().unwrap_or(path);
                **confidence >= min_confidence
                    && entities.contains(entity)
                    && !self.seen.contains(*name)
                    && (looked_at.contains(path)
                        || looked_at.contains(file)
                        || !self.folder.join(path).exists() && !self.folder.join(file).exists())
            })
            .map(|(name, _)| name)
    }

    /// Whether nothing is accepted.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Writes what was found, and of what was accepted before what `stale` does not name; all of it
    /// where not the whole of each file was looked through.
    ///
    /// # Errors
    ///
    /// The file cannot be written, in words.
    pub fn write(
        &self,
        looked_at: &BTreeSet<String>,
        entities: &[String],
        min_confidence: Confidence,
        whole: bool,
    ) -> Result<usize, String> {
        let stale = self.stale_names(looked_at, entities, min_confidence);
        let stale: BTreeSet<&Name> = stale.filter(|_| whole).collect();
        let mut all = self.accepted.clone();
        all.retain(|name, _| !stale.contains(name));
        all.extend(self.found.iter().map(|(name, confidence)| (name.clone(), *confidence)));
        let findings: Vec<Entry> = all
            .into_iter()
            .map(|((path, entity, fingerprint), confidence)| Entry {
                path,
                entity,
                confidence,
                fingerprint,
            })
            .collect();
        let count = findings.len();
        let key = (!self.key_is_elsewhere).then(|| to_hex(&self.key));
        let content = Content { version: VERSION, key, key_id: id(&self.key), findings };
        self.put(&content)
            .map_err(|error| format!("cannot write the baseline {}: {error}", self.at.display()))?;
        Ok(count)
    }

    /// Written beside its place and then moved there: a baseline that is there is whole.
    fn put(&self, content: &Content) -> std::io::Result<()> {
        let mut draft = self.at.as_os_str().to_owned();
        draft.push(".new");
        let mut file = File::create(&draft)?;
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.at)
    }
}

/// Reads a key: its bytes, or them in hexadecimal.
///
/// # Errors
///
/// The file cannot be read, or is no key, in words.
pub fn key_file(at: &Path) -> Result<[u8; KEY_BYTES], String> {
    let shown = at.display();
    let mut bytes = Vec::new();
    // Hexadecimal with a line end, and one byte more to see that there is more.
    let limit = 2 * KEY_BYTES as u64 + 3;
    File::open(at)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read the key {shown}: {error}"))?;
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok();
    key.or_else(|| from_hex(bytes.trim_ascii_end())).ok_or_else(|| {
        format!(
            "{shown} is no key: it takes {KEY_BYTES} bytes, or {} hexadecimal digits; \
             make one with `head -c {KEY_BYTES} /dev/urandom > {shown}`",
            2 * KEY_BYTES
        )
    })
}

/// A key that nobody has.
///
/// # Errors
///
/// The system gives no random bytes, in words.
pub fn random_key() -> Result<[u8; KEY_BYTES], String> {
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut key))
        .map_err(|error| format!("cannot make a key: {error}"))?;
    Ok(key)
}

/// Tells a key from another, and does not give it.
fn id(key: &[u8; KEY_BYTES]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let Ok(mut hmac) = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(key) else {
        return String::new();
    };
    hmac.update(b"egress-monitor baseline");
    to_hex(hmac.finalize().into_bytes().get(..4).unwrap_or_default())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn from_hex(hex: &[u8]) -> Option<[u8; KEY_BYTES]> {
    if hex.len() != 2 * KEY_BYTES || !hex.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (slot, digits) in key.iter_mut().zip(hex.chunks(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}
