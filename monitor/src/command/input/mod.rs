//! Reads what the user names: files, standard input, compressed files, archives and captures, as
//! plain contents one after the other. It searches nothing, and writes nothing.
//!
//! Bounds on what is unpacked are in [`crate::limits`]; what they leave out is told as a [`Skip`].

mod compressed;
mod pcap;
mod tar;
mod unpack;

pub use compressed::Compression;
pub use pcap::{Packets, Payload};
pub use unpack::{Unpack, Visit};

use std::fmt;
use std::io::{self, Read};

use crate::limits::INPUT_HEAD_BYTES;

/// What a content is, told by its first bytes and never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To be read as it is.
    Text,
    /// One compressed content.
    Compressed(Compression),
    /// Members one after the other.
    Tar,
    /// Members with a directory at the end.
    Zip,
    /// Packets, in the old format or in pcapng.
    Capture,
    /// Neither text nor anything that can be unpacked.
    Binary,
    /// A known container that cannot be unpacked.
    Unsupported(&'static str),
}

/// Containers that are told from other binaries, and not opened.
const UNSUPPORTED: [(&[u8], &str); 7] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"!<arch>\n", "ar"),
    (b"MSCF", "cab"),
];

/// Magic numbers of captures: pcap in both byte orders, with µs and ns, and pcapng
/// (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng).
const CAPTURES: [[u8; 4]; 5] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// Where POSIX has `ustar` in the header of a tar (pax(1), "ustar Interchange Format").
const TAR_MAGIC_AT: usize = 257;

impl Kind {
    /// The kind of the content that begins with `head`, its first [`INPUT_HEAD_BYTES`] if there
    /// are as many.
    pub fn of(head: &[u8]) -> Kind {
        let head = head.get(..INPUT_HEAD_BYTES).unwrap_or(head);
        if let Some(compression) = Compression::of(head) {
            return Kind::Compressed(compression);
        }
        // PK\5\6 is a zip without members (APPNOTE.TXT 4.3.16).
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Kind::Zip;
        }
        if CAPTURES.iter().any(|magic| head.starts_with(magic)) {
            return Kind::Capture;
        }
        if head.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
            return Kind::Tar;
        }
        let binary = memchr::memchr(0, head).is_some() && !is_utf16(head);
        match UNSUPPORTED.iter().find(|(magic, _)| head.starts_with(magic)) {
            // `BZh` and `MSCF` are words as well.
            Some((magic, name)) if binary || !magic.is_ascii() => Kind::Unsupported(name),
            Some((b"BZh", name)) if !head.is_ascii() => Kind::Unsupported(name),
            _ if binary => Kind::Binary,
            _ => Kind::Text,
        }
    }

    /// Whether there are contents in it.
    pub fn is_container(self) -> bool {
        matches!(self, Kind::Compressed(_) | Kind::Tar | Kind::Zip | Kind::Capture)
    }
}

/// Whether text in UTF-16 begins so: with its mark, or with every other byte NUL, as what is ASCII
/// is written in it.
fn is_utf16(head: &[u8]) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let pairs = head.len() / 2;
    let nuls = |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    pairs >= 8 && (even == 0 && odd * 10 >= pairs * 9 || odd == 0 && even * 10 >= pairs * 9)
}

/// Why a content, or the rest of it, was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
    /// No text, and nothing that can be decoded.
    Binary,
    /// A container that is not opened.
    Unsupported,
    /// A member that asks for a password.
    Encrypted,
    /// Cannot be opened or read.
    Unreadable,
    /// Ends too early, or is not what it says to be; what came before was read.
    Corrupt,
    /// More containers in containers than [`crate::limits::INPUT_DEPTH_MAX`].
    TooDeep,
    /// More members than [`crate::limits::INPUT_MEMBERS_MAX`].
    TooManyMembers,
    /// Unpacks to more than [`crate::limits::INPUT_UNPACKED_RATIO_MAX`] lets it.
    TooLarge,
}

impl Skip {
    /// The name in a summary.
    pub fn name(self) -> &'static str {
        match self {
            Skip::Binary => "binary",
            Skip::Unsupported => "unsupported container",
            Skip::Encrypted => "encrypted",
            Skip::Unreadable => "unreadable",
            Skip::Corrupt => "damaged",
            Skip::TooDeep => "nested too deep",
            Skip::TooManyMembers => "too many members",
            Skip::TooLarge => "unpacks to too much",
        }
    }

    /// Whether something was left out that should have been read.
    pub fn is_trouble(self) -> bool {
        !matches!(self, Skip::Binary | Skip::Unsupported | Skip::Encrypted)
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads until `buffer` is full or the content ends; gives how many bytes were read.
///
/// # Errors
///
/// Those of the reader; what it gave before is in `buffer`, and in the number beside the error.
pub fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read).min(buffer.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], kind: Kind) {
        assert_eq!(Kind::of(head), kind);
    }

    #[test]
    fn a_kind_is_told_by_the_first_bytes() {
        check(b"", Kind::Text);
        check(b"plain", Kind::Text);
        check(b"caf\xe9 latin-1", Kind::Text);
        check(b"\x1f\x8b\x08\0", Kind::Compressed(Compression::Gzip));
        check(b"\x28\xb5\x2f\xfd", Kind::Compressed(Compression::Zstd));
        check(b"PK\x03\x04", Kind::Zip);
        check(b"\x7fELF\x02\x01\x01\0", Kind::Binary);
        check(b"\xfd7zXZ\0", Kind::Unsupported("xz"));
        check(b"BZh is a word", Kind::Text);
        check(b"BZh91AY&SY\xd8r", Kind::Unsupported("bzip2"));
        check(&[&[b'a'; 257][..], b"ustar\0"].concat(), Kind::Tar);
        check(b"\xff\xfea\0b\0", Kind::Text);
        check(b"n\0a\0m\0e\0:\0 \0x\0y\0z\0", Kind::Text);
        check(b"\xd4\xc3\xb2\xa1\x02\0\x04\0", Kind::Capture);
    }
}
