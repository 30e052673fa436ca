//! Files that are no ELF files, are cut off, or lie.

use std::cell::Cell;
use std::io;

use proptest::prelude::*;

use super::*;
use crate::limits::{IMAGE_BYTES_MAX, IMAGE_PIECE_BYTES};

const GNU: Plan = Plan { exported: &["SSL_write", "SSL_free"], hash: Hash::Gnu, ..BARE };

/// Reads a file that was spoilt, and compares what is said of it.
#[track_caller]
fn check(plan: &Plan, spoil: impl FnOnce(&mut Made), expected: &str) {
    let mut made = made(plan);
    spoil(&mut made);
    let said = match read_bytes(&made.bytes) {
        Ok(image) => format!("{} functions", image.sites.len()),
        Err(error) => error.to_string(),
    };
    assert_eq!(said, expected);
}

#[test]
fn what_is_not_read_is_said_to_be_what_it_is() {
    assert!(matches!(read_bytes(b""), Err(ImageError::NotElf)));
    assert!(matches!(read_bytes(b"\x7fEL"), Err(ImageError::NotElf)));
    assert!(matches!(read_bytes(b"#!/bin/sh\n"), Err(ImageError::NotElf)));
    assert!(matches!(read_bytes(b"\x7fELF\x02"), Err(ImageError::Truncated("header"))));
    check(&GNU, |made| made.bytes[4] = 1, "a 32-bit ELF file, of which no functions are read");
    check(&GNU, |made| made.bytes[4] = 3, "ELF file with malformed class");
    check(&GNU, |made| made.bytes[5] = 2, "an ELF file that is big-endian");
    let object = "an ELF file that is neither a program nor a shared library";
    check(&GNU, |made| made.put16(16, 1), object);
    let machine = "an ELF file that is for a machine other than x86-64 and aarch64";
    check(&GNU, |made| made.put16(18, 243), machine);
}

#[test]
fn only_regular_files_are_read() {
    for path in ["/", "/dev/null", "/dev/zero"] {
        assert!(
            matches!(read(&File::open(path).unwrap(), Depth::Whole), Err(ImageError::NotFile)),
            "{path}"
        );
    }
    let (end, _other) = nix::unistd::pipe().unwrap();
    assert!(matches!(read(&File::from(end), Depth::Whole), Err(ImageError::NotFile)));
}

#[test]
fn segments_that_lie_are_an_error() {
    let beyond = "ELF file is cut off: segments beyond its end";
    check(&GNU, |made| made.put64(32, 1 << 40), beyond);
    check(&GNU, |made| made.put64(32, u64::MAX - 8), "ELF file with malformed segments");
    check(&GNU, |made| made.put16(54, 0), "ELF file with malformed segments");
    let many = "ELF file has more than is read of one: segments";
    check(&GNU, |made| made.put16(56, u16::MAX), many);
    let dynamic = "ELF file is cut off: dynamic section beyond its end";
    check(&GNU, |made| made.put64(64 + 2 * 56 + 8, u64::MAX - 64), dynamic);
}

#[test]
fn sections_that_lie_cost_what_they_would_have_told() {
    let symbols = Plan { symbols: &["SSL_write"], ..BARE };
    let spoil = |made: &mut Made| {
        made.put16(60, 0);
        let first = made.sections + 32;
        made.put64(first, u64::MAX);
    };
    check(&symbols, spoil, "ELF file has more than is read of one: sections");
    check(&GNU, spoil, "2 functions");
    let beyond = "ELF file is cut off: sections beyond its end";
    check(&symbols, |made| made.put64(40, 1 << 50), beyond);
    check(&GNU, |made| made.put64(40, 1 << 50), "2 functions");
    // The table of symbols: its place, its length, its names.
    let table = |made: &Made| made.sections + 64;
    let spoil = |made: &mut Made| made.put64(table(made) + 24, u64::MAX - 9);
    check(&symbols, spoil, "ELF file is cut off: symbols beyond its end");
    let names = "ELF file with malformed symbols";
    check(&symbols, |made| made.put32(table(made) + 40, 99), names);
    let spoil = |made: &mut Made| made.put64(table(made) + 64 + 32, 1 << 33);
    check(&symbols, spoil, "ELF file is cut off: names of symbols beyond its end");
}

#[test]
fn hash_tables_that_lie_end() {
    let put = |word: usize, value: u32| {
        move |made: &mut Made| {
            let at = made.hash + word * 4;
            made.put32(at, value);
        }
    };
    let malformed = "ELF file with malformed hash table";
    // Buckets, first symbol, words of bloom, shift, the bucket.
    check(&GNU, put(0, 0), "0 functions");
    check(&GNU, put(0, u32::MAX), malformed);
    check(&GNU, put(1, 9), malformed);
    check(&GNU, put(2, 0), malformed);
    check(&GNU, put(2, 3), malformed);
    check(&GNU, put(2, 1 << 31), malformed);
    check(&GNU, put(3, 200), "2 functions");
    check(&GNU, put(6, 0), "0 functions");
    check(&GNU, put(6, u32::MAX), malformed);
    // A chain without an end goes on over what follows it: to an odd word, or as far as is looked.
    let spoil = |made: &mut Made| {
        let at = made.hash + 32;
        made.put32(at, 0);
        made.put32(at + 4, 0);
    };
    check(&GNU, spoil, "1 functions");
    let endless = |made: &mut Made| {
        let at = made.bytes.len();
        made.bytes.resize(at + 8_192, 0);
        let bytes = made.bytes.len() as u64;
        made.put64(64 + 32, bytes);
        made.put64(made.dynamic + 8, made::BASE + at as u64);
        for (word, value) in [(0, 1), (1, 1), (2, 1), (3, 6), (4, u32::MAX), (5, u32::MAX), (6, 1)]
        {
            made.put32(at + word * 4, value);
        }
    };
    let long = "ELF file has more than is read of one: hash table";
    check(&GNU, endless, long);
    let sysv = Plan { hash: Hash::SysV, ..GNU };
    check(&sysv, put(1, u32::MAX), "2 functions");
    check(&sysv, put(1, 0), "0 functions");
}

#[test]
fn dynamic_symbols_without_names_are_passed_over() {
    // Symbols, then names: the third and second pair of the dynamic section.
    let tag = |pair: usize, value: u64| {
        move |made: &mut Made| {
            let at = made.dynamic + pair * 16;
            made.put64(at, value);
        }
    };
    check(&GNU, tag(1, 99), "0 functions");
    check(&GNU, tag(2, 99), "0 functions");
    check(&GNU, tag(0, 99), "0 functions");
    let nowhere = |made: &mut Made| made.put64(made.dynamic + 16 + 8, 1);
    check(&GNU, nowhere, "ELF file with malformed names of dynamic symbols");
    let short = |made: &mut Made| made.put64(made.dynamic + 3 * 16 + 8, 11);
    check(&GNU, short, "1 functions");
    let far = |made: &mut Made| {
        let at = made.exported + 24;
        made.put32(at, u32::MAX);
    };
    check(&GNU, far, "1 functions");
}

#[test]
fn tables_of_go_that_lie_are_said_to_be_unread() {
    let plan = Plan { go: Some(Go { form: 0xf1, version: "go1.22.1", ..GO }), ..BARE };
    let malformed = "ELF file with malformed Go's table of functions";
    // Form, functions, names, table.
    check(&plan, |made| made.bytes[made.go] = 0xf7, malformed);
    for (field, value) in [(1, 0), (1, u64::MAX), (1, 1 << 21), (4, u64::MAX), (8, 0)] {
        let spoil = |made: &mut Made| made.put64(made.go + 8 * field, value);
        check(&plan, spoil, malformed);
    }
    // No beginning of the text, and no module data.
    let spoil = |made: &mut Made| made.put64(made.go + 24, 0);
    check(&plan, spoil, "ELF file with malformed Go's module data");
    // A beginning that leads out of the code.
    let spoil = |made: &mut Made| made.put64(made.go + 24, u64::MAX - 4);
    check(&plan, spoil, malformed);
    check(&plan, |made| made.put64(made.go + 24, 4_096), "0 functions");
    // With others in it that are whole.
    let both = Plan { go: plan.go, ..GNU };
    let mut made = made(&both);
    made.bytes[made.go] = 0xf7;
    let image = read_bytes(&made.bytes).unwrap();
    assert_eq!((image.sites.len(), image.unread), (2, Some("Go's table of functions")));
}

/// What says to have any number of bytes, and counts those that are read: one file, and then the same
/// stretch again and again.
struct Endless<'a> {
    head: &'a [u8],
    then: Vec<u8>,
    /// Bytes after which it comes again.
    period: usize,
    read: Cell<u64>,
    reads: Cell<u64>,
}

impl ReadAt for Endless<'_> {
    fn bytes(&self) -> u64 {
        u64::MAX / 2
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        assert!(into.len() <= IMAGE_PIECE_BYTES, "{} bytes at once", into.len());
        self.read.set(self.read.get() + into.len() as u64);
        self.reads.set(self.reads.get() + 1);
        let from = at as usize % self.period;
        into.copy_from_slice(&self.then[from..from + into.len()]);
        let head = self.head.get(at as usize..).unwrap_or_default();
        let shared = head.len().min(into.len());
        into[..shared].copy_from_slice(&head[..shared]);
        Ok(())
    }
}

#[test]
fn work_is_bounded_whatever_a_file_says_of_itself() {
    let symbols = Plan { symbols: &["SSL_write"], ..BARE };
    let go = Plan { go: Some(Go { form: 0xf1, version: "go1.22", ..GO }), ..BARE };
    type Spoil<'a> = (&'a Plan<'a>, &'a dyn Fn(&mut Made));
    let spoils: [Spoil; 4] = [
        // Names and symbols without end.
        (&symbols, &|made| made.put64(made.sections + 64 + 64 + 32, 1 << 40)),
        (&symbols, &|made| made.put64(made.sections + 64 + 32, 1 << 40)),
        // Data without end, in which Go's table would be.
        (&go, &|made| {
            made.bytes[made.go] = 0;
            made.put64(40, 0);
            made.put64(64 + 32, 1 << 40);
        }),
        // Functions whose descriptions lie far from each other.
        (&go, &|made| {
            made.put64(made.go + 8, 1 << 20);
            made.put64(made.go + 72 + 48 + 4, 0x7fff_ffff);
            made.put64(made.sections + 64 + 32, 1 << 40);
            made.put64(64 + 32, 1 << 40);
        }),
    ];
    for (number, (plan, spoil)) in spoils.into_iter().enumerate() {
        let mut made = made(plan);
        spoil(&mut made);
        for then in [&b"SSL_write\0"[..], &[0], &[0xff, 0xff, 0xff, 0, 0, 1, 8, 0xf1]] {
            let (read, reads) = (Cell::new(0), Cell::new(0));
            let period = then.len();
            let then = then.repeat(IMAGE_PIECE_BYTES / period + 2);
            let endless = Endless { head: &made.bytes, then, period, read, reads };
            let _ = read_from(&endless, Depth::Whole);
            assert!(endless.read.get() <= IMAGE_BYTES_MAX, "{number}");
            assert!(endless.reads.get() <= IMAGE_BYTES_MAX / 512, "{number}");
        }
    }
}

/// What is said of a file lies in it.
fn check_any(bytes: &[u8]) {
    if let Ok(image) = read_bytes(bytes) {
        assert!(image.sites.iter().all(|site| site.offset < bytes.len() as u64));
    }
}

#[test]
fn a_library_that_is_cut_off_gives_an_error_or_what_is_left() {
    let Some(path) = of_this_machine("libssl.so.3") else { return };
    let bytes = std::fs::read(path).unwrap();
    let lengths = (0..2_048).chain((2_048..bytes.len()).step_by(4_093));
    lengths.for_each(|length| check_any(&bytes[..length]));
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        seed in 0usize..SEEDS.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut: prop::sample::Index,
    ) {
        let mut bytes = made(&SEEDS[seed].1).bytes;
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_any(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        check_any(&bytes);
    }
}
