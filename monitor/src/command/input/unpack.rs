//! Opens containers in containers until there are plain contents, and hands each to a visitor with
//! the path to it: `a.zip!dir/b.json`. It holds no content but a zip that lies in another container,
//! and counts what it unpacks, so that a bomb ends at a bound.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::pcap::{Packets, Payload};
use super::{Kind, Skip, fill, tar};
use crate::limits::{
    INPUT_DEPTH_MAX, INPUT_HEAD_BYTES, INPUT_MEMBERS_MAX, INPUT_NESTED_ZIP_BYTES_MAX,
    INPUT_UNPACKED_BYTES_FREE, INPUT_UNPACKED_RATIO_MAX,
};

/// What is done with contents. Each call names its place in full.
pub trait Visit {
    /// Takes a plain content. An error of the reader is told, not acted on.
    ///
    /// # Errors
    ///
    /// The content cannot be read to its end; what could be was taken.
    fn content(&mut self, path: &str, reader: &mut dyn Read) -> io::Result<()>;

    /// Takes a payload of a capture that stands at `path`.
    fn payload(&mut self, path: &str, payload: &Payload<'_>);

    /// The capture at `path` has no more payloads.
    fn capture_ends(&mut self, path: &str);

    /// Is told what was left out, and in other words why.
    fn skipped(&mut self, path: &str, why: Skip, what: &str);
}

/// The unpacking of one file, whatever lies in it.
pub struct Unpack<'a> {
    /// Whether binary contents are handed on too.
    pub binary: bool,
    /// Who takes the contents.
    pub visit: &'a mut dyn Visit,
    budget: Budget,
}

/// What was taken out of one file so far.
#[derive(Default)]
struct Budget {
    packed: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    spent: Cell<bool>,
}

impl Budget {
    fn unpacks(&self, bytes: u64) -> io::Result<()> {
        let unpacked = self.unpacked.get().saturating_add(bytes);
        self.unpacked.set(unpacked);
        let allowed = self.packed.get().saturating_mul(INPUT_UNPACKED_RATIO_MAX);
        if unpacked > allowed.saturating_add(INPUT_UNPACKED_BYTES_FREE) {
            self.spent.set(true);
            return Err(io::Error::other("unpacks to too much"));
        }
        Ok(())
    }
}

/// Counts what is read of the file itself.
struct Packed<'b, R> {
    from: R,
    budget: &'b Budget,
}

impl<R: Read> Read for Packed<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(room)?;
        self.budget.packed.set(self.budget.packed.get().saturating_add(read as u64));
        Ok(read)
    }
}

/// Counts what comes out of a container, and ends it where that is too much.
struct Unpacked<'b, R> {
    from: R,
    budget: &'b Budget,
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(room)?;
        self.budget.unpacks(read as u64)?;
        Ok(read)
    }
}

/// A content whose first bytes were looked at.
struct Peeked<'a> {
    head: Cursor<Vec<u8>>,
    /// The error that reading the head came to.
    error: Option<io::Error>,
    rest: &'a mut dyn Read,
}

impl<'a> Peeked<'a> {
    fn new(rest: &'a mut dyn Read) -> Self {
        let mut head = vec![0; INPUT_HEAD_BYTES];
        let (filled, result) = fill(rest, &mut head);
        head.truncate(filled);
        Peeked { head: Cursor::new(head), error: result.err(), rest }
    }
}

impl Read for Peeked<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.head.read(room)?;
        if read > 0 || room.is_empty() {
            return Ok(read);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.rest.read(room),
        }
    }
}

impl<'a> Unpack<'a> {
    /// Of a file that nothing was taken out of yet.
    pub fn new(binary: bool, visit: &'a mut dyn Visit) -> Self {
        Unpack { binary, visit, budget: Budget::default() }
    }

    /// Unpacks a file that is read from its beginning.
    pub fn file(&mut self, path: &str, kind: Kind, file: &File) {
        let budget = std::mem::take(&mut self.budget);
        if kind == Kind::Zip {
            // A directory says where members are, so any of them may be read more than once.
            budget.packed.set(file.metadata().map_or(0, |about| about.len()));
            self.zip(path, 0, BufReader::new(file), &budget);
        } else {
            self.content(path, 0, &mut Packed { from: file, budget: &budget }, &budget);
        }
    }

    /// Unpacks what can only be read once.
    pub fn stream(&mut self, path: &str, from: &mut dyn Read) {
        let budget = std::mem::take(&mut self.budget);
        self.content(path, 0, &mut Packed { from, budget: &budget }, &budget);
    }

    fn content(&mut self, path: &str, depth: usize, from: &mut dyn Read, budget: &Budget) {
        let mut peeked = Peeked::new(from);
        let kind = Kind::of(peeked.head.get_ref());
        if kind.is_container() && depth >= INPUT_DEPTH_MAX {
            let what = format!("more than {INPUT_DEPTH_MAX} containers in one another");
            return self.visit.skipped(path, Skip::TooDeep, &what);
        }
        let depth = depth.saturating_add(1);
        match kind {
            Kind::Compressed(compression) => {
                let from = compression.reader(BufReader::with_capacity(64 << 10, peeked));
                self.content(path, depth, &mut Unpacked { from, budget }, budget);
            }
            Kind::Tar => self.tar(path, depth, &mut peeked, budget),
            Kind::Zip => self.nested_zip(path, depth, &mut peeked, budget),
            Kind::Capture => self.capture(path, peeked, budget),
            Kind::Unsupported(name) if !self.binary => {
                let what = format!("{name} is not opened");
                self.visit.skipped(path, Skip::Unsupported, &what);
            }
            Kind::Binary if !self.binary => self.visit.skipped(path, Skip::Binary, "no text"),
            Kind::Text | Kind::Binary | Kind::Unsupported(_) => {
                if let Err(error) = self.visit.content(path, &mut peeked) {
                    self.failed(path, &error, budget);
                }
            }
        }
    }

    /// Tells of an error: a bound, damage in a container, or the file itself.
    fn failed(&mut self, path: &str, error: &io::Error, budget: &Budget) {
        if budget.spent.get() {
            let what = format!(
                "unpacks to more than {} MiB and {INPUT_UNPACKED_RATIO_MAX} times its size",
                INPUT_UNPACKED_BYTES_FREE >> 20
            );
            return self.visit.skipped(path, Skip::TooLarge, &what);
        }
        // What the kernel says has a number, what a decoder says has none.
        let why = if error.raw_os_error().is_some() { Skip::Unreadable } else { Skip::Corrupt };
        self.visit.skipped(path, why, &error.to_string());
    }

    /// Counts a member; `false` where there are too many.
    fn counts(&mut self, path: &str, budget: &Budget) -> bool {
        let members = budget.members.get().saturating_add(1);
        budget.members.set(members);
        if members == INPUT_MEMBERS_MAX.saturating_add(1) {
            let what = format!("more than {INPUT_MEMBERS_MAX} members");
            self.visit.skipped(path, Skip::TooManyMembers, &what);
        }
        members <= INPUT_MEMBERS_MAX
    }

    fn tar(&mut self, path: &str, depth: usize, from: &mut dyn Read, budget: &Budget) {
        let read = tar::each(from, &mut |name, member| {
            let counts = self.counts(path, budget);
            if counts {
                self.content(&format!("{path}!{name}"), depth, member, budget);
            }
            counts && !budget.spent.get()
        });
        if let Err(error) = read {
            self.failed(path, &error, budget);
        }
    }

    fn nested_zip(&mut self, path: &str, depth: usize, from: &mut dyn Read, budget: &Budget) {
        let mut bytes = Vec::new();
        let limit = INPUT_NESTED_ZIP_BYTES_MAX.saturating_add(1);
        if let Err(error) = from.take(limit).read_to_end(&mut bytes) {
            return self.failed(path, &error, budget);
        }
        if bytes.len() as u64 > INPUT_NESTED_ZIP_BYTES_MAX {
            let what = format!(
                "a zip of more than {} MiB within another container or a pipe; unpack it first",
                INPUT_NESTED_ZIP_BYTES_MAX >> 20
            );
            return self.visit.skipped(path, Skip::TooLarge, &what);
        }
        self.zip(path, depth, Cursor::new(bytes), budget);
    }

    fn zip(&mut self, path: &str, depth: usize, from: impl Read + Seek, budget: &Budget) {
        let mut archive = match ZipArchive::new(from) {
            Ok(archive) => archive,
            Err(error) => return self.failed_zip(path, error, budget),
        };
        if archive.has_duplicate_names() {
            let what = "members of the same name: only the last of them is read";
            self.visit.skipped(path, Skip::Corrupt, what);
        }
        for index in 0..archive.len() {
            if budget.spent.get() || !self.counts(path, budget) {
                break;
            }
            let (name, encrypted) = match archive.by_index_raw(index) {
                Ok(entry) if entry.is_dir() => continue,
                Ok(entry) => {
                    (String::from_utf8_lossy(entry.name_raw()).into_owned(), entry.encrypted())
                }
                Err(error) => {
                    self.failed_zip(path, error, budget);
                    continue;
                }
            };
            let member = format!("{path}!{name}");
            if encrypted {
                self.visit.skipped(&member, Skip::Encrypted, "asks for a password");
                continue;
            }
            match archive.by_index(index) {
                Ok(from) => {
                    self.content(
                        &member,
                        depth.saturating_add(1),
                        &mut Unpacked { from, budget },
                        budget,
                    );
                }
                Err(error) => self.failed_zip(&member, error, budget),
            }
        }
    }

    fn failed_zip(&mut self, path: &str, error: ZipError, budget: &Budget) {
        match error {
            ZipError::Io(error) => self.failed(path, &error, budget),
            ZipError::CompressionMethodNotSupported(_) | ZipError::UnsupportedArchive(_) => {
                self.visit.skipped(path, Skip::Unsupported, &error.to_string());
            }
            error => self.visit.skipped(path, Skip::Corrupt, &error.to_string()),
        }
    }

    fn capture(&mut self, path: &str, from: Peeked<'_>, budget: &Budget) {
        let mut packets = Packets::default();
        let read = packets.each(from, &mut |payload| self.visit.payload(path, payload));
        self.visit.capture_ends(path);
        if let Err(error) = read {
            self.failed(path, &error, budget);
        }
    }
}
