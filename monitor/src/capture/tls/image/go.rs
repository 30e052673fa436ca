//! Go programs: which version made one, and so how its functions take arguments. Where functions
//! begin is read by `pclntab` where there are no symbols.

use std::ops::ControlFlow;

use memchr::memmem;

use super::elf::{Elf, Machine};
use super::pclntab::{self, Era};
use super::table::{GO_WRITE, ROWS};
use super::{Call, Image, ImageError};
use crate::limits::IMAGE_GO_VERSION_BYTES_MAX;

/// src/debug/buildinfo/buildinfo.go. Since Go 1.13.
const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER_BYTES: u64 = 32;
/// The strings follow the header, since Go 1.18; before, pointers to them are in it.
const FLAG_INLINE: u8 = 2;
const FLAG_BIG_ENDIAN: u8 = 1;

/// A program that Go made.
#[derive(Debug, Clone, Copy)]
pub struct Go {
    /// 19 of go1.19.8, if that is known.
    minor: Option<u32>,
}

/// Whether a file is Go's: it has build information, or sections that only Go's linker writes.
pub fn recognise(elf: &Elf) -> Result<Option<Go>, ImageError> {
    let section = elf.section_named(".go.buildinfo").map(|section| section.address);
    let info = match section {
        None if elf.sections().is_empty() => find(elf)?,
        section => section,
    };
    if let Some(address) = info {
        // What is there and cannot be read is as good as none.
        let minor = version(elf, address).ok().flatten().and_then(|text| minor(&text));
        return Ok(Some(Go { minor }));
    }
    let names = [".gopclntab", ".data.rel.ro.gopclntab", ".note.go.buildid"];
    let is_go = names.iter().any(|name| elf.section_named(name).is_some());
    Ok(is_go.then_some(Go { minor: None }))
}

/// The build information of a file whose section table was cut off.
fn find(elf: &Elf) -> Result<Option<u64>, ImageError> {
    let needle = memmem::Finder::new(MAGIC);
    let mut found = None;
    for segment in elf.segments().iter().filter(|segment| segment.is_data()) {
        elf.source.pieces(segment.span(), MAGIC.len(), "data", &mut |base, piece| {
            let mut places = needle.find_iter(piece).map(|at| segment.address_of(base + at as u64));
            found = places.find(|address| address.is_multiple_of(16));
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// The version as the program has it, `go1.19.8` or `devel go1.20-2a0ab6c`.
fn version(elf: &Elf, address: u64) -> Result<Option<Vec<u8>>, ImageError> {
    const WHAT: &str = "Go's build information";
    let span = elf.span(address).ok_or(ImageError::Malformed(WHAT))?;
    let head: [u8; HEADER_BYTES as usize] = elf.source.array(span.start, WHAT)?;
    if !head.starts_with(MAGIC) {
        return Ok(None);
    }
    let [.., flags] = *head.first_chunk::<16>().unwrap_or(&[0; 16]);
    if flags & FLAG_INLINE != 0 {
        // A varint; versions are shorter than 128 bytes, so it is one byte.
        let at = span.start.saturating_add(HEADER_BYTES);
        let [bytes] = elf.source.array(at, WHAT)?;
        let end = at.saturating_add(1 + u64::from(bytes & 0x7f));
        return elf.source.part(at.saturating_add(1)..end, WHAT).map(Some);
    }
    if flags & FLAG_BIG_ENDIAN != 0 {
        return Ok(None);
    }
    // A pointer to a Go string: a pointer to its bytes, and how many they are.
    let string = elf.pointer(address.saturating_add(16))?;
    let text = elf.pointer(string)?;
    let length = elf.span(string.saturating_add(8)).ok_or(ImageError::Malformed(WHAT))?;
    let length = elf.source.u64(length.start, WHAT)?.min(IMAGE_GO_VERSION_BYTES_MAX);
    let text = elf.span(text).ok_or(ImageError::Malformed(WHAT))?;
    elf.source.part(text.start..text.start.saturating_add(length), WHAT).map(Some)
}

fn minor(version: &[u8]) -> Option<u32> {
    let at = memmem::find(version, b"go1.")? + 4;
    let digits = version.get(at..)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Go {
    /// Sees to it that Go's function is in the image if it is in the file, and by its ABI.
    pub fn complete(self, elf: &Elf, image: &mut Image) -> Result<(), ImageError> {
        let mut era = None;
        if !image.sites.iter().any(|site| site.call == Call::GoWrite) {
            let found = match pclntab::function(elf, GO_WRITE) {
                Ok(found) => found,
                Err(error) => {
                    image.unread = Some("Go's table of functions");
                    return Err(error);
                }
            };
            let Some(found) = found else { return Ok(()) };
            era = Some(found.era);
            let Some(row) = ROWS.iter().find(|row| row.symbol == GO_WRITE) else { return Ok(()) };
            image.add(elf, row, found.address)?;
        }
        let call = self.call(elf.machine, era);
        if call.is_none() {
            image.unread = Some("Go's crypto/tls of a version that is not known");
        }
        let is_go = |function: &str| function == GO_WRITE;
        image.sites.retain(|site| call.is_some() || !is_go(site.function));
        for site in image.sites.iter_mut().filter(|site| is_go(site.function)) {
            site.call = call.unwrap_or(site.call);
        }
        Ok(())
    }

    /// How functions take arguments: src/internal/buildcfg/exp.go, `RegabiArgs`, which amd64 had in
    /// 1.17 and arm64 in 1.18.
    fn call(self, machine: Machine, era: Option<Era>) -> Option<Call> {
        let since = match machine {
            Machine::X86_64 => 17,
            Machine::Aarch64 => 18,
        };
        let in_registers = match (self.minor, era) {
            (Some(minor), _) => minor >= since,
            (None, Some(Era::Go118 | Era::Go120)) => true,
            (None, Some(Era::Go12)) => false,
            // 1.16 or 1.17.
            (None, Some(Era::Go116)) if machine == Machine::Aarch64 => false,
            (None, Some(Era::Go116) | None) => return None,
        };
        Some(if in_registers { Call::GoWrite } else { Call::GoWriteStack })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, expected: Option<u32>) {
        assert_eq!(minor(version.as_bytes()), expected, "{version}");
    }

    #[test]
    fn versions_are_read_in_every_form() {
        check("go1.19.8", Some(19));
        check("go1.26rc1", Some(26));
        check("go1.22.1 X:boringcrypto", Some(22));
        check("devel go1.20-2a0ab6c Tue", Some(20));
        check("devel +2a0ab6c", None);
        check("go1.", None);
        check("go1.99999999999", None);
        check("", None);
    }

    #[test]
    fn arguments_are_in_registers_since_1_17_and_on_arm64_since_1_18() {
        let call = |minor, machine, era| Go { minor }.call(machine, era);
        let (amd64, arm64) = (Machine::X86_64, Machine::Aarch64);
        assert_eq!(call(Some(16), amd64, None), Some(Call::GoWriteStack));
        assert_eq!(call(Some(17), amd64, None), Some(Call::GoWrite));
        assert_eq!(call(Some(17), arm64, Some(Era::Go116)), Some(Call::GoWriteStack));
        assert_eq!(call(Some(18), arm64, None), Some(Call::GoWrite));
        assert_eq!(call(None, amd64, Some(Era::Go12)), Some(Call::GoWriteStack));
        assert_eq!(call(None, amd64, Some(Era::Go116)), None);
        assert_eq!(call(None, arm64, Some(Era::Go116)), Some(Call::GoWriteStack));
        assert_eq!(call(None, arm64, Some(Era::Go120)), Some(Call::GoWrite));
        assert_eq!(call(None, amd64, None), None);
    }
}
