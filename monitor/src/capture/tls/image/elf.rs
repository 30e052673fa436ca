//! The parts of an ELF file by which functions are found: segments, sections, the dynamic section,
//! relocations. Symbols are read by `symbols`. Layouts are those of the gABI (Elf64_Ehdr and so on)
//! and of include/uapi/linux/elf.h.

use std::ops::{ControlFlow, Range};

use memchr::memmem;

use super::ImageError;
use super::source::Source;
use crate::limits::{IMAGE_POINTERS_MAX, IMAGE_SECTIONS_MAX, IMAGE_SEGMENTS_MAX};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const SHN_XINDEX: u16 = 0xffff;
const SHT_NOBITS: u32 = 8;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;

/// What it is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// EM_X86_64.
    X86_64,
    /// EM_AARCH64.
    Aarch64,
}

impl Machine {
    /// The relocation that is an address moved by where the file lies: R_X86_64_RELATIVE,
    /// R_AARCH64_RELATIVE.
    fn relative(self) -> u32 {
        match self {
            Machine::X86_64 => 8,
            Machine::Aarch64 => 1027,
        }
    }
}

/// A segment that is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    flags: u32,
    offset: u64,
    address: u64,
    bytes: u64,
}

impl Segment {
    /// Where it stands in the file.
    pub fn span(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.bytes)
    }

    /// Whether it is executable.
    pub fn is_code(&self) -> bool {
        self.flags & PF_X != 0
    }

    /// Whether it can be written to.
    pub fn is_data(&self) -> bool {
        self.flags & PF_W != 0
    }

    /// The address of a place in the file.
    pub fn address_of(&self, offset: u64) -> u64 {
        self.address.wrapping_add(offset.wrapping_sub(self.offset))
    }
}

/// A section that has bytes in the file.
#[derive(Debug, Clone)]
pub struct Section {
    name: u32,
    /// SHT_….
    pub kind: u32,
    /// Where it is loaded to.
    pub address: u64,
    /// Where it stands in the file.
    pub span: Range<u64>,
    /// Number of the section that belongs to it.
    pub link: u32,
}

/// A file that is looked at.
pub struct Elf<'a> {
    /// Its bytes.
    pub source: &'a Source<'a>,
    /// What it is built for.
    pub machine: Machine,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    section_names: Vec<u8>,
    dynamic: Vec<(u64, u64)>,
}

/// A number in a structure of a known length.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}

/// What is said of the file as a whole.
fn machine(head: &[u8; 64]) -> Result<Machine, ImageError> {
    if head.get(..4) != Some(b"\x7fELF") {
        return Err(ImageError::NotElf);
    }
    match head.get(4) {
        Some(2) => {}
        Some(1) => return Err(ImageError::ThirtyTwoBit),
        _ => return Err(ImageError::Malformed("class")),
    }
    if head.get(5) != Some(&1) {
        return Err(ImageError::Foreign("big-endian"));
    }
    // ET_EXEC and ET_DYN are all that the kernel and ld.so load.
    if !matches!(u16_at(head, 16), 2 | 3) {
        return Err(ImageError::Foreign("neither a program nor a shared library"));
    }
    match u16_at(head, 18) {
        62 => Ok(Machine::X86_64),
        183 => Ok(Machine::Aarch64),
        _ => Err(ImageError::Foreign("for a machine other than x86-64 and aarch64")),
    }
}

impl<'a> Elf<'a> {
    /// Reads headers. Sections are a matter of taste to the kernel, so a file whose section table is
    /// cut off or lies has none, and `trouble` says why.
    pub fn read(
        source: &'a Source<'a>,
        trouble: &mut Option<ImageError>,
    ) -> Result<Elf<'a>, ImageError> {
        let magic: [u8; 4] = source.array(0, "header").map_err(|error| match error {
            ImageError::Truncated(_) => ImageError::NotElf,
            other => other,
        })?;
        if &magic != b"\x7fELF" {
            return Err(ImageError::NotElf);
        }
        let head: [u8; 64] = source.array(0, "header")?;
        let machine = machine(&head)?;
        let mut elf = Elf {
            source,
            machine,
            segments: Vec::new(),
            sections: Vec::new(),
            section_names: Vec::new(),
            dynamic: Vec::new(),
        };
        elf.read_segments(&head)?;
        if let Err(error) = elf.read_sections(&head) {
            elf.sections.clear();
            elf.section_names.clear();
            *trouble = Some(error);
        }
        Ok(elf)
    }

    fn read_segments(&mut self, head: &[u8; 64]) -> Result<(), ImageError> {
        let (at, entry, count) = (u64_at(head, 32), u16_at(head, 54), u16_at(head, 56));
        if entry != 56 || at == 0 {
            return Err(ImageError::Malformed("segments"));
        }
        if count > IMAGE_SEGMENTS_MAX {
            return Err(ImageError::TooLarge("segments"));
        }
        let end = at.checked_add(u64::from(count) * 56).ok_or(ImageError::Malformed("segments"))?;
        let mut dynamic = None;
        for raw in self.source.part(at..end, "segments")?.as_chunks::<56>().0 {
            let segment = Segment {
                flags: u32_at(raw, 4),
                offset: u64_at(raw, 8),
                address: u64_at(raw, 16),
                bytes: u64_at(raw, 32),
            };
            match u32_at(raw, 0) {
                PT_LOAD => self.segments.push(segment),
                PT_DYNAMIC => dynamic = Some(segment),
                _ => {}
            }
        }
        let Some(dynamic) = dynamic else { return Ok(()) };
        let pairs = self.source.part(dynamic.span(), "dynamic section")?;
        let pairs = pairs.as_chunks::<16>().0.iter().map(|raw| (u64_at(raw, 0), u64_at(raw, 8)));
        self.dynamic = pairs.take_while(|(tag, _)| *tag != 0).collect();
        Ok(())
    }

    fn read_sections(&mut self, head: &[u8; 64]) -> Result<(), ImageError> {
        let at = u64_at(head, 40);
        if at == 0 {
            return Ok(());
        }
        if u16_at(head, 58) != 64 {
            return Err(ImageError::Malformed("sections"));
        }
        // Numbers too large for the header stand in the first section.
        let first: [u8; 64] = self.source.array(at, "sections")?;
        let count = match u16_at(head, 60) {
            0 => u64_at(&first, 32),
            count => count.into(),
        };
        let names = match u16_at(head, 62) {
            SHN_XINDEX => u32_at(&first, 40),
            names => names.into(),
        };
        if count > IMAGE_SECTIONS_MAX {
            return Err(ImageError::TooLarge("sections"));
        }
        let end = at.checked_add(count * 64).ok_or(ImageError::Malformed("sections"))?;
        for raw in self.source.part(at..end, "sections")?.as_chunks::<64>().0 {
            let kind = u32_at(raw, 4);
            let bytes = if kind == SHT_NOBITS { 0 } else { u64_at(raw, 32) };
            let offset = u64_at(raw, 24);
            self.sections.push(Section {
                name: u32_at(raw, 0),
                kind,
                address: u64_at(raw, 16),
                span: offset..offset.saturating_add(bytes),
                link: u32_at(raw, 40),
            });
        }
        let names = self.section(names).map(|section| section.span.clone());
        if let Some(span) = names {
            self.section_names = self.source.part(span, "names of sections")?;
        }
        Ok(())
    }

    /// Segments that are loaded.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Sections.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// A section by its number.
    pub fn section(&self, number: u32) -> Option<&Section> {
        self.sections.get(usize::try_from(number).ok()?)
    }

    /// A section by its name.
    pub fn section_named(&self, name: &str) -> Option<&Section> {
        let is_it = |section: &&Section| {
            let named = self.section_names.get(section.name as usize..);
            named
                .and_then(|named| named.strip_prefix(name.as_bytes()))
                .is_some_and(|rest| rest.first() == Some(&0))
        };
        self.sections.iter().find(is_it)
    }

    /// What the dynamic section says of a tag.
    pub fn dynamic(&self, wanted: u64) -> Option<u64> {
        self.dynamic.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value)
    }

    /// The file from an address to the end of its segment.
    pub fn span(&self, address: u64) -> Option<Range<u64>> {
        self.segments.iter().find_map(|segment| {
            let within = address.checked_sub(segment.address)?;
            (within < segment.bytes)
                .then(|| segment.offset.checked_add(within).map(|at| at..segment.span().end))?
        })
    }

    /// The offset in the file of an instruction, of which at least a byte is there.
    pub fn code(&self, address: u64) -> Option<u64> {
        let code =
            self.segments.iter().filter(|segment| segment.is_code()).find_map(|segment| {
                let within = address.checked_sub(segment.address)?;
                (within < segment.bytes).then(|| segment.offset.checked_add(within))?
            })?;
        (code < self.source.bytes).then_some(code)
    }

    /// Goes over addresses that the loader puts in: where, and which.
    fn relocations(
        &self,
        each: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(), ImageError> {
        const WHAT: &str = "relocations";
        let (Some(address), Some(bytes)) = (self.dynamic(DT_RELA), self.dynamic(DT_RELASZ)) else {
            return Ok(());
        };
        let span = self.span(address).ok_or(ImageError::Malformed(WHAT))?;
        let end = span.start.saturating_add(bytes).min(span.end);
        self.source.records::<24>(span.start..end, WHAT, &mut |raw| {
            if u32_at(raw, 8) != self.machine.relative() {
                return Ok(ControlFlow::Continue(()));
            }
            Ok(each(u64_at(raw, 0), u64_at(raw, 16)))
        })
    }

    /// A pointer: as the loader puts it in, or as it stands in the file. A linker may leave zeroes
    /// where the loader puts one, as GNU ld does, or the same as the relocation, as Go's.
    pub fn pointer(&self, address: u64) -> Result<u64, ImageError> {
        let mut found = None;
        self.relocations(&mut |at, value| {
            if at == address {
                found = Some(value);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(value) = found {
            return Ok(value);
        }
        let span = self.span(address).ok_or(ImageError::Malformed("pointer"))?;
        self.source.u64(span.start, "pointer")
    }

    /// Addresses of pointers to an address, no more than a few.
    pub fn pointers_to(&self, value: u64) -> Result<Vec<u64>, ImageError> {
        let mut found = Vec::new();
        self.relocations(&mut |at, to| {
            if to == value && found.len() < IMAGE_POINTERS_MAX {
                found.push(at);
            }
            ControlFlow::Continue(())
        })?;
        let bytes = value.to_le_bytes();
        let needle = memmem::Finder::new(&bytes);
        for segment in self.segments.iter().filter(|segment| segment.is_data()) {
            self.source.pieces(segment.span(), 7, "data", &mut |base, piece| {
                for at in needle.find_iter(piece) {
                    let address = segment.address_of(base + at as u64);
                    if found.len() >= IMAGE_POINTERS_MAX {
                        return ControlFlow::Break(());
                    }
                    if address.is_multiple_of(8) && !found.contains(&address) {
                        found.push(address);
                    }
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(found)
    }
}
