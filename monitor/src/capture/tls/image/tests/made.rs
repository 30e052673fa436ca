//! Small ELF files, put together part by part.

/// The data segment is the whole file, loaded here.
pub const BASE: u64 = 0x40_0000;
/// Code in the file, in which functions of 16 bytes begin.
pub const CODE: u64 = 0x100;
const CODE_BYTES: usize = 0x200;
/// What is added to the offset of code beside [`BASE`].
const CODE_AWAY: u64 = 0x1000;

/// The address of the function of a number.
pub fn function(number: u64) -> u64 {
    BASE + CODE_AWAY + CODE + 16 * number
}

/// How exported names are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// DT_GNU_HASH.
    Gnu,
    /// DT_HASH.
    SysV,
    /// There are none.
    None,
}

/// Go's tables.
#[derive(Debug, Clone, Copy)]
pub struct Go {
    /// Lowest byte of the magic.
    pub form: u8,
    /// Of the build information; none is written where it is empty.
    pub version: &'static str,
    /// Build information as before 1.18, with pointers.
    pub by_pointers: bool,
    /// The header has no beginning of the text, as since 1.26.
    pub textless: bool,
    /// The table has a section of its own.
    pub section: bool,
}

/// What is in a file.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Names that are exported.
    pub exported: &'a [&'a str],
    /// How.
    pub hash: Hash,
    /// Names that stand in `.symtab`.
    pub symbols: &'a [&'a str],
    /// Go's tables.
    pub go: Option<Go>,
}

/// A file without anything.
pub const BARE: Plan = Plan { exported: &[], hash: Hash::None, symbols: &[], go: None };

/// A file, and where its parts stand.
#[derive(Debug, Default)]
pub struct Made {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Offset of the hash table.
    pub hash: usize,
    /// Offset of the dynamic section.
    pub dynamic: usize,
    /// Offset of the exported symbols.
    pub exported: usize,
    /// Offset of the section headers.
    pub sections: usize,
    /// Offset of Go's table of functions.
    pub go: usize,
    /// Of sections: name, kind, offset, bytes, link.
    listed: Vec<(&'static str, u32, usize, usize, u32)>,
}

impl Made {
    /// Puts numbers of eight bytes in place.
    pub fn put64(&mut self, at: usize, value: u64) {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// The same of four.
    pub fn put32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// The same of two.
    pub fn put16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let at = self.bytes.len();
        self.bytes.extend(bytes);
        at
    }

    /// Symbols and their names, of functions in the order of their numbers.
    fn table(&mut self, names: &[&str]) -> (usize, usize, usize) {
        let mut strings = vec![0];
        let mut symbols = vec![0; 24];
        for (number, name) in names.iter().enumerate() {
            symbols.extend((strings.len() as u32).to_le_bytes());
            symbols.extend([0x12, 0, 1, 0]);
            symbols.extend(function(number as u64).to_le_bytes());
            symbols.extend(16u64.to_le_bytes());
            strings.extend(name.as_bytes());
            strings.push(0);
        }
        (self.append(&symbols), self.append(&strings), strings.len())
    }

    fn exported(&mut self, plan: &Plan) {
        let (symbols, names, names_bytes) = self.table(plan.exported);
        let words: Vec<u32> = match plan.hash {
            // One bucket and one word of bloom that may have anything.
            Hash::Gnu => {
                let mut words = vec![1, 1, 1, 6, u32::MAX, u32::MAX, 1];
                for (number, name) in plan.exported.iter().enumerate() {
                    let hash = name
                        .bytes()
                        .fold(5381u32, |h, b| h.wrapping_mul(33).wrapping_add(b.into()));
                    words.push(hash & !1 | u32::from(number + 1 == plan.exported.len()));
                }
                words
            }
            _ => vec![1, plan.exported.len() as u32 + 1],
        };
        let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.hash = self.append(&words);
        self.exported = symbols;
        let tag = if plan.hash == Hash::Gnu { 0x6fff_fef5 } else { 4 };
        let tags = [
            (tag, BASE + self.hash as u64),
            (5, BASE + names as u64),
            (6, BASE + symbols as u64),
            (10, names_bytes as u64),
            (0, 0),
        ];
        let tags: Vec<u8> = tags
            .iter()
            .flat_map(|(tag, value): &(u64, u64)| [*tag, *value])
            .flat_map(u64::to_le_bytes)
            .collect();
        self.dynamic = self.append(&tags);
        self.put64(64 + 2 * 56 + 8, self.dynamic as u64);
        self.put64(64 + 2 * 56 + 32, tags.len() as u64);
    }

    fn build_info(&mut self, go: &Go) {
        let mut info = b"\xff Go buildinf:\x08".to_vec();
        info.push(if go.by_pointers { 0 } else { 2 });
        info.resize(32, 0);
        if !go.by_pointers {
            info.push(go.version.len() as u8);
            info.extend(go.version.as_bytes());
        }
        let at = self.append(&info);
        self.listed.push((".go.buildinfo", 1, at, info.len(), 0));
        if go.by_pointers {
            let text = self.append(go.version.as_bytes());
            let string = [BASE + text as u64, go.version.len() as u64];
            let string: Vec<u8> = string.iter().flat_map(|word| word.to_le_bytes()).collect();
            let string = self.append(&string);
            self.put64(at + 16, BASE + string as u64);
        }
    }

    /// A table of two functions, of which the second is wanted.
    fn functions(&mut self, go: &Go) {
        let shape = Shape::of(go.form);
        let mut bytes = vec![go.form, 0xff, 0xff, 0xff, 0, 0, 1, 8];
        let mut words = vec![2];
        if go.form != OLDEST {
            words.push(0);
            words.extend(shape.by_offsets.then_some(if go.textless { 0 } else { function(0) }));
            words.push(shape.names as u64);
            words.extend([shape.table as u64; 4]);
        }
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        if shape.names < shape.table {
            bytes.extend(NAMES);
        }
        for (number, to) in shape.described().into_iter().enumerate() {
            shape.entry(&mut bytes, number as u64, to);
        }
        bytes.resize(shape.table + 3 * shape.entry_bytes, 0);
        for (number, name) in shape.named().into_iter().enumerate() {
            shape.entry(&mut bytes, number as u64, name);
        }
        if shape.names > shape.table {
            bytes.extend(NAMES);
        }
        self.go = self.append(&bytes);
        if go.section {
            self.listed.push((".gopclntab", 1, self.go, bytes.len(), 0));
        }
        if go.textless {
            self.module(shape.names);
        }
    }

    /// Module data, as far as they are read.
    fn module(&mut self, names: usize) {
        let table = BASE + self.go as u64;
        let at = self.append(&[0; 192]);
        self.put64(at, table);
        self.put64(at + 8, table + names as u64);
        self.put64(at + 160, function(1));
        self.put64(at + 176, function(0));
    }

    fn section_headers(&mut self) {
        let mut names = vec![0];
        let mut headers = vec![0; 64];
        let mut listed = std::mem::take(&mut self.listed);
        listed.push((".shstrtab", 3, 0, 0, 0));
        let offsets: Vec<usize> = listed
            .iter()
            .map(|(name, ..)| {
                let at = names.len();
                names.extend(name.as_bytes());
                names.push(0);
                at
            })
            .collect();
        let names_at = self.append(&names);
        for ((name, kind, at, bytes, link), name_at) in listed.iter().zip(offsets) {
            let (at, bytes) =
                if *name == ".shstrtab" { (names_at, names.len()) } else { (*at, *bytes) };
            headers.extend((name_at as u32).to_le_bytes());
            headers.extend(kind.to_le_bytes());
            headers.extend(0u64.to_le_bytes());
            for value in [BASE + at as u64, at as u64, bytes as u64] {
                headers.extend(value.to_le_bytes());
            }
            headers.extend(link.to_le_bytes());
            headers.resize(headers.len().next_multiple_of(64), 0);
        }
        self.sections = self.append(&headers);
        self.put64(40, self.sections as u64);
        self.put16(60, listed.len() as u16 + 1);
        self.put16(62, listed.len() as u16);
    }
}

/// The form of 1.2.
const OLDEST: u8 = 0xfb;
/// Names of Go's functions: of the first, and of the one that is looked for.
const NAMES: &[u8; 40] = b"\0main.main\0crypto/tls.(*Conn).Write\0\0\0\0\0";

/// How Go's table of functions is laid out.
struct Shape {
    by_offsets: bool,
    entry_bytes: usize,
    /// Where the table stands, and where the names do.
    table: usize,
    names: usize,
    /// Where descriptions and names are counted from.
    base: [usize; 2],
}

impl Shape {
    fn of(form: u8) -> Shape {
        let by_offsets = form == 0xf0 || form == 0xf1;
        let entry_bytes = if by_offsets { 8 } else { 16 };
        if form == OLDEST {
            // Names stand behind it, and all offsets count from the very beginning.
            let (table, names) = (16, 16 + 5 * entry_bytes);
            return Shape { by_offsets, entry_bytes, table, names, base: [table, names] };
        }
        let names = if by_offsets { 72 } else { 64 };
        let table = names + NAMES.len();
        Shape { by_offsets, entry_bytes, table, names, base: [0, 0] }
    }

    /// Where the descriptions stand, behind the entries and the end of the last function.
    fn described(&self) -> [usize; 2] {
        [3, 4].map(|entries| self.base[0] + entries * self.entry_bytes)
    }

    fn named(&self) -> [usize; 2] {
        [1, 11].map(|name| self.base[1] + name)
    }

    /// Where a function begins, and something about it.
    fn entry(&self, bytes: &mut Vec<u8>, number: u64, value: usize) {
        if self.by_offsets {
            bytes.extend((16 * number as u32 + 16).to_le_bytes());
            bytes.extend((value as u32).to_le_bytes());
        } else {
            bytes.extend(function(number + 1).to_le_bytes());
            bytes.extend((value as u64).to_le_bytes());
        }
    }
}

/// Makes a file.
pub fn made(plan: &Plan) -> Made {
    let mut made = Made { bytes: vec![0; CODE as usize], ..Made::default() };
    made.bytes[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    made.bytes.resize(CODE as usize + CODE_BYTES, 0x90);
    for (at, value) in [(16, 3), (18, 62), (52, 64), (54, 56), (56, 3), (58, 64)] {
        made.put16(at, value);
    }
    made.put32(20, 1);
    made.put64(32, 64);
    if plan.hash != Hash::None {
        made.exported(plan);
    }
    if !plan.symbols.is_empty() {
        let (symbols, names, bytes) = made.table(plan.symbols);
        let link = made.listed.len() as u32 + 2;
        made.listed.push((".symtab", 2, symbols, 24 * (plan.symbols.len() + 1), link));
        made.listed.push((".strtab", 3, names, bytes, 0));
    }
    if let Some(go) = &plan.go {
        made.functions(go);
        if !go.version.is_empty() {
            made.build_info(go);
        }
    }
    made.section_headers();
    // PT_LOAD of all, PT_LOAD of code, PT_DYNAMIC.
    let whole = made.bytes.len() as u64;
    let segments =
        [(1u32, 6u32, 0, BASE, whole), (1, 5, CODE, BASE + CODE_AWAY + CODE, CODE_BYTES as u64)];
    for (index, (kind, flags, offset, address, bytes)) in segments.into_iter().enumerate() {
        let at = 64 + index * 56;
        made.put32(at, kind);
        made.put32(at + 4, flags);
        made.put64(at + 8, offset);
        made.put64(at + 16, address);
        made.put64(at + 32, bytes);
    }
    made.put32(64 + 2 * 56, if plan.hash == Hash::None { 0 } else { 2 });
    made
}
