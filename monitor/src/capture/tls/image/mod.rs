//! Which functions of an ELF file take plaintext to be encrypted, and at which offset in the file
//! they begin, where an uprobe wants them: include/uapi/linux/perf_event.h, `probe_offset`.
//!
//! Whoever owns the file wrote it, so nothing in it is trusted: what is read and held is bounded by
//! [`crate::limits`], and a place is given only if it lies in a segment that is executable. What is
//! there is not checked to be the function that the name says: a program that lies about itself is
//! the one whose sends are then read wrongly.
//!
//! It opens nothing. Whoever opens a file for it does so with `O_NONBLOCK`, since a FIFO of that
//! name would wait for its other end, and calls it where waiting is allowed: a read from a network
//! mount that is gone waits in the kernel.

mod elf;
mod go;
mod pclntab;
mod source;
mod symbols;
mod table;

#[cfg(test)]
mod tests;

use std::fs::File;

use thiserror::Error;

use crate::limits::IMAGE_SITES_MAX;
use elf::Elf;
use source::{ReadAt, Regular, Source};
use table::Row;

/// What a function that is hooked takes, and so which program goes on its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Session, buffer, bytes, by the C ABI. Bytes are an `int` in `SSL_write`, else a `size_t`. One
    /// such function may call another with the same.
    Write,
    /// A `PRFileDesc`, buffer, bytes as an `i32`.
    NsprWrite,
    /// `crypto/tls.(*Conn).Write` by Go's register ABI (`ABIInternal`): on amd64 since Go 1.17, on
    /// arm64 since 1.18.
    GoWrite,
    /// The same before: arguments on the stack (`ABI0`).
    GoWriteStack,
    /// `write` of rustls's `Writer`: self, pointer, length.
    RustlsWrite,
    /// `write_vectored` of it: self, pointer to `IoSlice`s, which are `iovec`s, and how many.
    RustlsWriteVectored,
    /// Runs a handshake for a session, its first argument.
    Enter,
    /// The session, its first argument, is gone.
    End,
    /// Session, file descriptor, offset, size, flags: what is sent comes from a file.
    SendFile,
}

impl Call {
    /// Whether it takes plaintext from memory.
    pub fn is_write(self) -> bool {
        !matches!(self, Call::Enter | Call::End | Call::SendFile)
    }
}

/// Whose function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Library {
    /// OpenSSL, and BoringSSL, AWS-LC and LibreSSL, which call it the same.
    OpenSsl,
    /// GnuTLS.
    GnuTls,
    /// NSS and NSPR.
    Nss,
    /// Go's crypto/tls.
    Go,
    /// rustls.
    Rustls,
}

impl Library {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Library::OpenSsl => "OpenSSL",
            Library::GnuTls => "GnuTLS",
            Library::Nss => "NSS",
            Library::Go => "Go",
            Library::Rustls => "rustls",
        }
    }
}

/// A function in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// What it takes.
    pub call: Call,
    /// What it is called.
    pub function: &'static str,
    /// Of its first instruction, in bytes from the beginning of the file.
    pub offset: u64,
}

impl Site {
    /// A number of its own for each function that is looked for.
    pub fn ordinal(&self) -> u64 {
        let row = table::ROWS.iter().position(|row| row.function == self.function);
        row.map_or(0, |row| row as u64 + 1)
    }
}

/// What a file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Functions, in the order of their offsets; one that has several names is there once.
    pub sites: Vec<Site>,
    /// Whose they are; of several, that which was found first.
    pub library: Option<Library>,
    /// What is there and could not be read.
    pub unread: Option<&'static str>,
    /// Whether only a search of [`Depth::Whole`] can tell what else is there.
    pub deeper: bool,
}

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A FIFO, a device, a directory.
    #[error("not a regular file")]
    NotFile,
    /// A script, or anything else.
    #[error("not an ELF file")]
    NotElf,
    /// Of a program whose calls are of another ABI.
    #[error("a 32-bit ELF file, of which no functions are read")]
    ThirtyTwoBit,
    /// An object file, another machine.
    #[error("an ELF file that is {0}")]
    Foreign(&'static str),
    /// A part lies about itself.
    #[error("ELF file with malformed {0}")]
    Malformed(&'static str),
    /// A part lies beyond the end of the file.
    #[error("ELF file is cut off: {0} beyond its end")]
    Truncated(&'static str),
    /// A part is larger than is read.
    #[error("ELF file has more than is read of one: {0}")]
    TooLarge(&'static str),
    /// The disk, or what stands for it.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// How much of a file is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What it exports, and what Go has in it: microseconds but for large programs of Go.
    Exports,
    /// The names of all that is in it too: of a compiler a tenth of a second.
    Whole,
}

/// Finds the functions of a file. It reads at places and leaves the file's position alone.
///
/// # Errors
///
/// What is no ELF file for this kind of machine; what lies or is cut off, if no function was found
/// elsewhere in it.
pub fn read(file: &File, depth: Depth) -> Result<Image, ImageError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ImageError::NotFile);
    }
    read_from(&Regular(file, metadata.len()), depth)
}

/// The same of a file in memory.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_bytes(bytes: &[u8]) -> Result<Image, ImageError> {
    read_from(&bytes, Depth::Whole)
}

fn read_from(from: &dyn ReadAt, depth: Depth) -> Result<Image, ImageError> {
    let source = Source::new(from);
    let mut trouble = None;
    let elf = Elf::read(&source, &mut trouble)?;
    let mut image = Image::default();
    // Each way on its own: what a file exports is there if its sections lie.
    let outcome = symbols::dynamic(&elf, &mut |row, address| image.add(&elf, row, address));
    trouble = trouble.or(outcome.err());
    let go = go::recognise(&elf).unwrap_or_else(|error| {
        trouble.get_or_insert(error);
        None
    });
    if !image.has_writes() && go.is_none() && depth == Depth::Exports {
        image.deeper = true;
    } else if !image.has_writes() {
        let outcome = symbols::sections(&elf, &mut |row, address| image.add(&elf, row, address));
        trouble = trouble.or(outcome.err());
    }
    if let Some(go) = go {
        trouble = trouble.or(go.complete(&elf, &mut image).err());
    }
    image.sites.sort_by_key(|site| site.offset);
    match trouble {
        Some(error) if image.sites.is_empty() => Err(error),
        _ => Ok(image),
    }
}

impl Image {
    fn has_writes(&self) -> bool {
        self.sites.iter().any(|site| site.call.is_write())
    }

    /// A function that begins at an address, unless it is known.
    fn add(&mut self, elf: &Elf, row: &'static Row, address: u64) -> Result<(), ImageError> {
        let Some(offset) = elf.code(address) else { return Ok(()) };
        if self.sites.iter().any(|site| site.offset == offset) {
            return Ok(());
        }
        if self.sites.len() >= IMAGE_SITES_MAX {
            return Err(ImageError::TooLarge("functions"));
        }
        self.library.get_or_insert(row.library);
        self.sites.push(Site { call: row.call, function: row.function, offset });
        Ok(())
    }
}
