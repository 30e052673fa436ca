//! Looks names up in the tables of symbols of an ELF file: in those that the dynamic loader uses by
//! their hash, in others by going over them.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::ImageError;
use super::elf::Elf;
use super::source::Source;
use super::table::{Name, ROWS, Row, is_rustls};
use crate::limits::{
    IMAGE_CHAIN_SYMBOLS_MAX, IMAGE_NAME_BYTES_MAX, IMAGE_NAMES_MAX, IMAGE_PIECE_BYTES,
};

const SYMBOL_BYTES: u64 = 24;
const SHT_SYMTAB: u32 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// Where a function begins, in the addresses of the file.
pub type Sink<'s> = &'s mut dyn FnMut(&'static Row, u64) -> Result<(), ImageError>;

/// The part of an Elf64_Sym that matters here: offset of its name, and its address if it is a function
/// that is defined here. `STT_GNU_IFUNC` (10) is none: what begins there chooses another.
fn function(symbol: &[u8; SYMBOL_BYTES as usize]) -> (u32, Option<u64>) {
    let &[a, b, c, d, info, _, section_low, section_high, ref rest @ ..] = symbol;
    let address = rest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let is_function = info & 0xf == 2 && (section_low, section_high) != (0, 0) && address != 0;
    (u32::from_le_bytes([a, b, c, d]), is_function.then_some(address))
}

/// The table that the dynamic loader looks names up in.
pub fn dynamic(elf: &Elf, sink: Sink) -> Result<(), ImageError> {
    let tags = (elf.dynamic(DT_SYMTAB), elf.dynamic(DT_STRTAB));
    let (Some(symbols), Some(names)) = tags else { return Ok(()) };
    let span = |address, what| elf.span(address).ok_or(ImageError::Malformed(what));
    let symbols = span(symbols, "dynamic symbols")?;
    let mut names = span(names, "names of dynamic symbols")?;
    if let Some(bytes) = elf.dynamic(DT_STRSZ) {
        names.end = names.start.saturating_add(bytes).min(names.end);
    }
    if let Some(address) = elf.dynamic(DT_GNU_HASH) {
        let hash = GnuHash::read(elf, span(address, "hash table")?, symbols, names)?;
        let Some(hash) = hash else { return Ok(()) };
        for row in ROWS.iter().filter(|row| row.name == Name::C) {
            hash.look_up(row, sink)?;
        }
        return Ok(());
    }
    let Some(address) = elf.dynamic(DT_HASH) else { return Ok(()) };
    // Elf64_Word nbucket, nchain: as many as there are symbols.
    let table = span(address, "hash table")?;
    let count = elf.source.u32(table.start.saturating_add(4), "hash table")?;
    let end = symbols.start.saturating_add(u64::from(count) * SYMBOL_BYTES).min(symbols.end);
    scan(elf.source, symbols.start..end, names, sink)
}

/// Tables in sections: the whole of a program's functions, unless it is stripped.
pub fn sections(elf: &Elf, sink: Sink) -> Result<(), ImageError> {
    let Some(table) = elf.sections().iter().find(|section| section.kind == SHT_SYMTAB) else {
        return Ok(());
    };
    let names = elf.section(table.link).ok_or(ImageError::Malformed("symbols"))?;
    scan(elf.source, table.span.clone(), names.span.clone(), sink)
}

/// The table behind DT_GNU_HASH, as ld.so reads it: glibc's elf/dl-lookup.c, do_lookup_x.
struct GnuHash<'a> {
    source: &'a Source<'a>,
    symbols: Range<u64>,
    names: Range<u64>,
    /// Symbols before this number are in no chain.
    first: u32,
    bloom: u64,
    bloom_words: u32,
    shift: u32,
    buckets: u64,
    buckets_count: u32,
    end: u64,
}

const HASH: &str = "hash table";

impl<'a> GnuHash<'a> {
    fn read(
        elf: &'a Elf<'a>,
        span: Range<u64>,
        symbols: Range<u64>,
        names: Range<u64>,
    ) -> Result<Option<GnuHash<'a>>, ImageError> {
        let at = |by| span.start.saturating_add(by);
        let word = |by| elf.source.u32(at(by), HASH);
        let (buckets_count, first, bloom_words, shift) = (word(0)?, word(4)?, word(8)?, word(12)?);
        // ld.so passes over such a table; it exports nothing.
        if buckets_count == 0 {
            return Ok(None);
        }
        if !bloom_words.is_power_of_two() {
            return Err(ImageError::Malformed(HASH));
        }
        let bloom = at(16);
        let buckets = bloom.saturating_add(u64::from(bloom_words) * 8);
        let end = span.end;
        let source = elf.source;
        Ok(Some(GnuHash {
            source,
            symbols,
            names,
            first,
            bloom,
            bloom_words,
            shift,
            buckets,
            buckets_count,
            end,
        }))
    }

    /// A word of the table, which ends where its segment does.
    fn word(&self, at: u64) -> Result<u32, ImageError> {
        if at.checked_add(4).is_none_or(|end| end > self.end) {
            return Err(ImageError::Malformed(HASH));
        }
        self.source.u32(at, HASH)
    }

    /// Whether a name may be in the table; most that are not cost one read.
    fn may_have(&self, hash: u32) -> Result<bool, ImageError> {
        let index = u64::from((hash / 64) & (self.bloom_words - 1));
        let at = self.bloom.saturating_add(index * 8);
        if at.checked_add(8).is_none_or(|end| end > self.end) {
            return Err(ImageError::Malformed(HASH));
        }
        let word = self.source.u64(at, HASH)?;
        let second = hash.checked_shr(self.shift).unwrap_or(0);
        Ok(word >> (hash % 64) & word >> (second % 64) & 1 != 0)
    }

    /// All symbols of a name: it may be there in several versions.
    fn look_up(&self, row: &'static Row, sink: Sink) -> Result<(), ImageError> {
        let name = row.symbol.as_bytes();
        let hash =
            name.iter().fold(5381u32, |hash, b| hash.wrapping_mul(33).wrapping_add((*b).into()));
        if !self.may_have(hash)? {
            return Ok(());
        }
        let bucket = u64::from(hash % self.buckets_count) * 4;
        let chain = self.word(self.buckets.saturating_add(bucket))?;
        if chain == 0 {
            return Ok(());
        }
        let chains = self.buckets.saturating_add(u64::from(self.buckets_count) * 4);
        let from = u64::from(chain.checked_sub(self.first).ok_or(ImageError::Malformed(HASH))?);
        for step in 0..IMAGE_CHAIN_SYMBOLS_MAX {
            let word = self.word(chains.saturating_add((from + step) * 4))?;
            if (word ^ hash) >> 1 == 0 {
                self.candidate(row, u64::from(chain) + step, sink)?;
            }
            // The lowest bit is set at the end of a chain.
            if word & 1 != 0 {
                return Ok(());
            }
        }
        Err(ImageError::TooLarge(HASH))
    }

    /// A symbol whose name has the hash of the one that is looked for.
    fn candidate(&self, row: &'static Row, number: u64, sink: Sink) -> Result<(), ImageError> {
        const WHAT: &str = "dynamic symbols";
        let at = self.symbols.start.saturating_add(number * SYMBOL_BYTES);
        if at.saturating_add(SYMBOL_BYTES) > self.symbols.end {
            return Err(ImageError::Malformed(WHAT));
        }
        let (offset, address) = function(&self.source.array(at, WHAT)?);
        let Some(address) = address else { return Ok(()) };
        let name = self.names.start.saturating_add(offset.into());
        let end = name.saturating_add(row.symbol.len() as u64 + 1);
        // A name that ends the table is followed by a zero all the same.
        if end > self.names.end {
            return Ok(());
        }
        let named = self.source.part(name..end, "names of dynamic symbols")?;
        if named.strip_prefix(row.symbol.as_bytes()) == Some(&[0]) {
            sink(row, address)?;
        }
        Ok(())
    }
}

/// Goes over a table without a hash: first over its names, of which a few are wanted, then over its
/// symbols, of which each is compared with those few by a number. Names may share their ends.
fn scan(
    source: &Source,
    symbols: Range<u64>,
    names: Range<u64>,
    sink: Sink,
) -> Result<(), ImageError> {
    let wanted = wanted(source, names)?;
    if wanted.is_empty() {
        return Ok(());
    }
    source.records(symbols, "symbols", &mut |symbol| {
        let (offset, address) = function(symbol);
        if let (Some(address), Some(row)) = (address, wanted.get(&offset)) {
            sink(row, address)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Offsets of the names that rows ask for.
fn wanted(source: &Source, names: Range<u64>) -> Result<HashMap<u32, &'static Row>, ImageError> {
    const WHAT: &str = "names of symbols";
    let patterns = ROWS.iter().map(|row| match row.name {
        Name::Begins => row.symbol.as_bytes().to_vec(),
        Name::C | Name::Go | Name::Ends => [row.symbol.as_bytes(), b"\0"].concat(),
    });
    // Names are what they want to be: an automaton takes as long for any, its prefilters ten times as
    // long for those that begin like a pattern at each byte.
    let patterns = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .kind(Some(AhoCorasickKind::DFA))
        .prefilter(false)
        .build(patterns)
        .map_err(|_| ImageError::TooLarge(WHAT))?;
    let mut wanted = HashMap::new();
    let mut too_many = false;
    source.pieces(names.clone(), IMAGE_NAME_BYTES_MAX, WHAT, &mut |base, piece| {
        for found in patterns.find_iter(piece) {
            let Some(row) = ROWS.get(found.pattern().as_usize()) else { continue };
            let start = match row.name {
                Name::Ends => rustls(piece, found.range()),
                _ => Some(found.start()),
            };
            let offset = start.map(|start| base + start as u64 - names.start);
            let Some(offset) = offset.and_then(|offset| u32::try_from(offset).ok()) else {
                continue;
            };
            if wanted.len() >= IMAGE_NAMES_MAX {
                too_many = true;
                return ControlFlow::Break(());
            }
            wanted.insert(offset, row);
        }
        ControlFlow::Continue(())
    })?;
    if too_many { Err(ImageError::TooLarge(WHAT)) } else { Ok(wanted) }
}

/// Where the name begins that ends as a row says, if it is one of rustls's. One that began before the
/// piece is whole in the piece before.
fn rustls(piece: &[u8], end: Range<usize>) -> Option<usize> {
    let from = end.start.saturating_sub(IMAGE_NAME_BYTES_MAX / 2);
    let before = piece.get(from..end.start)?;
    let start = from + memchr::memrchr(0, before)? + 1;
    is_rustls(piece.get(start..end.end)?).then_some(start)
}

const _: () = assert!(IMAGE_PIECE_BYTES >= 16 * IMAGE_NAME_BYTES_MAX);
const _: () = assert!(IMAGE_PIECE_BYTES as u64 >= 16 * SYMBOL_BYTES);
