//! The members of a tar, one after the other, with their names. It follows no links and makes no
//! files; names longer than a path may be are cut, so that no header is held whole.

use std::io::{self, Read};

use ::tar::{Archive, EntryType};

use crate::limits::{INPUT_TAR_HEADER_BYTES_MAX, INPUT_TAR_NAME_BYTES_MAX};

/// Hands each member that is a file to `member`, until that says that it has enough.
///
/// # Errors
///
/// The archive is damaged or cannot be read.
pub(super) fn each(
    from: &mut dyn Read,
    member: &mut dyn FnMut(&str, &mut dyn Read) -> bool,
) -> io::Result<()> {
    let mut archive = Archive::new(from);
    // The name that a header before the member's own has for it.
    let mut long = None;
    // Raw: the crate reads the headers of long names into memory, however long.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let mut name = Vec::new();
                (&mut entry).take(INPUT_TAR_NAME_BYTES_MAX).read_to_end(&mut name)?;
                name.truncate(memchr::memchr(0, &name).unwrap_or(name.len()));
                long = Some(name);
            }
            EntryType::XHeader => {
                let mut header = Vec::new();
                (&mut entry).take(INPUT_TAR_HEADER_BYTES_MAX).read_to_end(&mut header)?;
                long = pax_path(&header).map(<[u8]>::to_vec).or(long);
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let name = long.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                if !member(&String::from_utf8_lossy(&name), &mut entry) {
                    break;
                }
            }
            _ => long = None,
        }
    }
    Ok(())
}

/// The path in an extended header: records `length key=value\n` (pax(1)).
fn pax_path(header: &[u8]) -> Option<&[u8]> {
    let mut rest = header;
    loop {
        let space = memchr::memchr(b' ', rest)?;
        let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
        let record = rest.get(space.checked_add(1)?..length)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            let path = path.strip_suffix(b"\n").unwrap_or(path);
            return path.get(..path.len().min(usize::try_from(INPUT_TAR_NAME_BYTES_MAX).ok()?));
        }
        rest = rest.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_extended_header() {
        assert_eq!(pax_path(b"11 uid=1000\n14 path=a/b c\n"), None);
        assert_eq!(pax_path(b"12 uid=1000\n14 path=a/b c\n"), Some(&b"a/b c"[..]));
        for hostile in [&b"0 path=a\n"[..], b"99999999999999999999 a", b"5 ", b"", b"1 path=x"] {
            assert_eq!(pax_path(hostile), None);
        }
    }
}
