//! Go's own table of functions, which is in every program, stripped or not, since the runtime walks
//! stacks with it: src/runtime/symtab.go, `pcHeader`, and src/debug/gosym/pclntab.go, which knows all
//! of its forms.

use std::ops::{ControlFlow, Range};

use memchr::memmem;

use super::ImageError;
use super::elf::{Elf, Machine, Segment};
use super::source::Window;
use crate::limits::{IMAGE_CANDIDATES_MAX, IMAGE_GO_FUNCTIONS_MAX};

const WHAT: &str = "Go's table of functions";

/// A form of the table, by the first version that has it. From 1.26 on the form is that of 1.20 with
/// nothing in the field that says where the text begins (release notes of 1.26, Linker).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// Since 1.2.
    Go12,
    /// Since 1.16: names, files and functions apart.
    Go116,
    /// Since 1.18: functions as offsets from the beginning of the text.
    Go118,
    /// Since 1.20.
    Go120,
}

/// A function in the table.
pub struct Found {
    /// Where it begins.
    pub address: u64,
    /// The form of the table.
    pub era: Era,
}

/// Bytes of the longest header: magic, quantum and size of a pointer, then eight numbers.
const HEADER_BYTES: usize = 72;
/// Field `textStart` of it since 1.18.
const TEXT_START: u64 = 24;
/// Fields of `moduledata` (src/runtime/symtab.go): `funcnametab`, `minpc`, `text`. Six slices and
/// `findfunctab` stand before the last two, since 1.16.
const MODULE_NAMES: u64 = 8;
const MODULE_MIN_PC: u64 = 160;
const MODULE_TEXT: u64 = 176;

/// A table whose header holds.
struct Table {
    era: Era,
    address: u64,
    /// In the file, to the end of its section or segment.
    span: Range<u64>,
    /// Where names stand in the file; offsets of names count from its beginning.
    names: Range<u64>,
    /// Where the functions' table begins in the file.
    functions: u64,
    count: u64,
}

/// Looks a function up by its name.
pub fn function(elf: &Elf, name: &str) -> Result<Option<Found>, ImageError> {
    let sections = [".gopclntab", ".data.rel.ro.gopclntab"];
    if let Some(section) = sections.iter().find_map(|name| elf.section_named(name)) {
        let table = Table::read(elf, section.address, section.span.clone())?;
        return table.ok_or(ImageError::Malformed(WHAT))?.function(elf, name);
    }
    // A linker other than Go's puts it among other data of PIE.
    let mut any = false;
    for (address, span) in candidates(elf)? {
        let Some(table) = Table::read(elf, address, span)? else { continue };
        any = true;
        if let Some(found) = table.function(elf, name)? {
            return Ok(Some(found));
        }
    }
    if any { Ok(None) } else { Err(ImageError::Malformed(WHAT)) }
}

/// Places that look like the beginning of a table.
fn candidates(elf: &Elf) -> Result<Vec<(u64, Range<u64>)>, ImageError> {
    // All of the first eight bytes but the first, which tells the form.
    let bytes = [0xff, 0xff, 0xff, 0, 0, quantum(elf.machine), 8];
    let needle = memmem::Finder::new(&bytes);
    let mut found = Vec::new();
    // Code last: it is no part of any program that was linked in the last years.
    let (code, data): (Vec<&Segment>, Vec<&Segment>) =
        elf.segments().iter().partition(|s| s.is_code());
    for segment in data.into_iter().chain(code) {
        let span = segment.span();
        elf.source.pieces(span.clone(), bytes.len(), WHAT, &mut |base, piece| {
            for at in needle.find_iter(piece) {
                let Some(offset) = (base + at as u64).checked_sub(1) else { continue };
                let address = segment.address_of(offset);
                if address.is_multiple_of(8) && offset >= span.start {
                    found.push((address, offset..span.end));
                }
                if found.len() >= IMAGE_CANDIDATES_MAX {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(found)
}

/// `sys.PCQuantum`: the least bytes of an instruction.
fn quantum(machine: Machine) -> u8 {
    match machine {
        Machine::X86_64 => 1,
        Machine::Aarch64 => 4,
    }
}

impl Table {
    /// Reads a header; gives nothing where there is none.
    fn read(elf: &Elf, address: u64, span: Range<u64>) -> Result<Option<Table>, ImageError> {
        let Ok(head) = elf.source.array::<HEADER_BYTES>(span.start, WHAT) else { return Ok(None) };
        let era = match head.first_chunk::<8>() {
            Some([form, 0xff, 0xff, 0xff, 0, 0, q, 8]) if *q == quantum(elf.machine) => {
                match form {
                    0xfb => Era::Go12,
                    0xfa => Era::Go116,
                    0xf0 => Era::Go118,
                    0xf1 => Era::Go120,
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        let field = |number: usize| {
            let bytes = head.as_chunks::<8>().0.get(number);
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        let place = |offset: u64| {
            span.start.checked_add(offset).filter(|at| *at < span.end).unwrap_or(span.end)
        };
        // Names, units, files, tables and functions, in this order, one behind the other.
        let offsets = match era {
            Era::Go12 => None,
            Era::Go116 => Some([field(3), field(4), field(5), field(6), field(7)]),
            Era::Go118 | Era::Go120 => Some([field(4), field(5), field(6), field(7), field(8)]),
        };
        let (names, functions) = match offsets {
            None => (span.clone(), place(16)),
            Some(offsets) if !offsets.is_sorted() => return Ok(None),
            Some([names, units, .., functions]) => (place(names)..place(units), place(functions)),
        };
        let count = field(1);
        let table = Table { era, address, span, names, functions, count };
        let end = count.checked_mul(table.entry_bytes()).and_then(|b| functions.checked_add(b));
        let fits = end.is_some_and(|end| end <= table.span.end);
        Ok((fits && (1..=IMAGE_GO_FUNCTIONS_MAX).contains(&count)).then_some(table))
    }

    /// Bytes of an entry of the functions' table: where a function begins and where more stands, as
    /// pointers until 1.17.
    fn entry_bytes(&self) -> u64 {
        if self.era >= Era::Go118 { 8 } else { 16 }
    }

    fn function(&self, elf: &Elf, name: &str) -> Result<Option<Found>, ImageError> {
        let Some(offset) = self.name(elf, name)? else { return Ok(None) };
        let address = if self.era >= Era::Go118 {
            let Some(entry) = self.entry_since_118(elf, offset)? else { return Ok(None) };
            self.text(elf)?.checked_add(entry.into()).ok_or(ImageError::Malformed(WHAT))?
        } else {
            let Some(at) = self.entry_until_117(elf, offset)? else { return Ok(None) };
            elf.pointer(self.address.wrapping_add(at - self.span.start))?
        };
        Ok(Some(Found { address, era: self.era }))
    }

    /// Offset of a name, which stands between zeroes.
    fn name(&self, elf: &Elf, name: &str) -> Result<Option<u32>, ImageError> {
        let name = [b"\0", name.as_bytes(), b"\0"].concat();
        let needle = memmem::Finder::new(&name);
        let mut found = None;
        elf.source.pieces(self.names.clone(), name.len(), WHAT, &mut |base, piece| {
            found = needle.find(piece).map(|at| base + at as u64 + 1 - self.names.start);
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found.and_then(|offset| u32::try_from(offset).ok()))
    }

    /// Where a function begins, from the beginning of the text. The table is in the order of the
    /// functions, so the window over their descriptions goes on and on.
    fn entry_since_118(&self, elf: &Elf, name: u32) -> Result<Option<u32>, ImageError> {
        let span = self.functions..self.functions + self.count * self.entry_bytes();
        let mut window = Window::new(elf.source);
        let mut found = None;
        elf.source.records::<8>(span, WHAT, &mut |entry| {
            let &[a, b, c, d, ref more @ ..] = entry;
            let at = self.functions.saturating_add(u32::from_le_bytes(*more).into());
            // `_func`: entryOff, nameOff.
            let described: [u8; 8] = window.array(at, WHAT)?;
            if described.get(4..) == Some(&name.to_le_bytes()) {
                found = Some(u32::from_le_bytes([a, b, c, d]));
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Where in the file the pointer to a function stands.
    fn entry_until_117(&self, elf: &Elf, name: u32) -> Result<Option<u64>, ImageError> {
        let base = if self.era == Era::Go12 { self.span.start } else { self.functions };
        let span = self.functions..self.functions + self.count * self.entry_bytes();
        let mut window = Window::new(elf.source);
        let mut found = None;
        let mut at = span.start;
        elf.source.records::<16>(span, WHAT, &mut |entry| {
            let &[_, _, _, _, _, _, _, _, a, b, c, d, ..] = entry;
            // `_func`: entry as a pointer, nameOff.
            let more = base.saturating_add(u32::from_le_bytes([a, b, c, d]).into());
            let described: [u8; 12] = window.array(more, WHAT)?;
            if described.get(8..) == Some(&name.to_le_bytes()) {
                found = Some(at);
                return Ok(ControlFlow::Break(()));
            }
            at += 16;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Where the text begins: as the header says, or the loader puts there, or as the module's data say.
    fn text(&self, elf: &Elf) -> Result<u64, ImageError> {
        // The loader's word goes before what stands in the file, which may be zero.
        let start = elf.pointer(self.address.saturating_add(TEXT_START))?;
        if start != 0 {
            return Ok(start);
        }
        let names = self.address.wrapping_add(self.names.start - self.span.start);
        let first = elf.source.u32(self.functions, WHAT)?;
        for module in elf.pointers_to(self.address)? {
            let field = |offset: u64| elf.pointer(module.wrapping_add(offset));
            let (Ok(named), Ok(least), Ok(text)) =
                (field(MODULE_NAMES), field(MODULE_MIN_PC), field(MODULE_TEXT))
            else {
                continue;
            };
            // A wrong text would put a probe into the middle of an instruction.
            if named == names && text.checked_add(first.into()) == Some(least) && text != 0 {
                return Ok(text);
            }
        }
        Err(ImageError::Malformed("Go's module data"))
    }
}
