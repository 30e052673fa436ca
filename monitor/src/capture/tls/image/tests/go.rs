//! Go programs: made by hand in each form of the table, and by the toolchain in each way to link.

use memchr::memmem;

use super::*;

#[track_caller]
fn check(go: Go, expected: Call) {
    let image = read_bytes(&made(&Plan { go: Some(go), ..BARE }).bytes).unwrap();
    assert_eq!(numbers(&image), [("crypto/tls.(*Conn).Write", 2)], "{go:?}");
    assert_eq!(image.sites[0].call, expected, "{go:?}");
    assert_eq!(image.library, Some(Library::Go));
}

#[test]
fn every_form_of_the_table_is_read() {
    let forms = [
        (0xfb, "go1.15.2", Call::GoWriteStack),
        (0xfa, "go1.16", Call::GoWriteStack),
        (0xfa, "go1.17.13", Call::GoWrite),
        (0xf0, "go1.18", Call::GoWrite),
        (0xf1, "go1.25.1", Call::GoWrite),
        (0xf1, "devel +2a0ab6c", Call::GoWrite),
    ];
    for (form, version, call) in forms {
        for section in [true, false] {
            for by_pointers in [true, false] {
                check(Go { form, version, by_pointers, textless: false, section }, call);
            }
        }
    }
    let textless = Go { form: 0xf1, version: "go1.26", textless: true, ..GO };
    check(textless, Call::GoWrite);
    check(Go { section: false, ..textless }, Call::GoWrite);
}

#[test]
fn what_has_no_version_is_told_by_its_table() {
    check(Go { form: 0xfb, version: "", ..GO }, Call::GoWriteStack);
    check(Go { form: 0xf1, version: "", ..GO }, Call::GoWrite);
    let unknown = Plan { go: Some(Go { form: 0xfa, version: "", ..GO }), ..BARE };
    let image = read_bytes(&made(&unknown).bytes).unwrap();
    assert_eq!(image.sites, []);
    assert!(image.unread.is_some_and(|what| what.contains("a version that is not known")));
}

#[test]
fn a_program_without_sections_is_known_by_its_build_information() {
    let go = Go { form: 0xf1, version: "go1.22.0", section: false, ..GO };
    let mut made = made(&Plan { go: Some(go), ..BARE });
    made.put64(40, 0);
    assert_eq!(numbers(&read_bytes(&made.bytes).unwrap()), [("crypto/tls.(*Conn).Write", 2)]);
}

#[test]
fn a_symbol_of_go_takes_arguments_as_its_version_does() {
    for (version, call) in [("go1.16.1", Call::GoWriteStack), ("go1.20", Call::GoWrite)] {
        let go = Go { form: 0xf1, version, ..GO };
        let plan = Plan { symbols: &["crypto/tls.(*Conn).Write"], go: Some(go), ..BARE };
        let image = read_bytes(&made(&plan).bytes).unwrap();
        assert_eq!((numbers(&image)[0].1, image.sites[0].call), (0, call), "{version}");
        assert_eq!(image.sites.len(), 1);
    }
}

const PROGRAM: &str = "package main

import (\"crypto/tls\"; \"os\")

func main() {
    if len(os.Args) > 1 {
        if c, err := tls.Dial(\"tcp\", os.Args[1], nil); err == nil { c.Write([]byte(\"a\")) }
    }
}
";

/// Builds a program; gives its path, or why it could not be built.
fn build(folder: &Path, name: &str, arguments: &[&str], arch: &str) -> Result<PathBuf, String> {
    std::fs::write(folder.join("main.go"), PROGRAM).unwrap();
    let out = folder.join(name);
    let mut go = Command::new("go");
    go.current_dir(folder).arg("build").args(arguments).arg("-o").arg(&out).arg("main.go");
    go.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
    if !arch.is_empty() {
        go.env("GOARCH", arch).env("CGO_ENABLED", "0");
    }
    match go.output() {
        Err(_) => Err("go is not installed".into()),
        Ok(output) if output.status.success() => Ok(out),
        Ok(output) => Err(format!("go built nothing: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn offset(bytes: &[u8], what: &str) -> u64 {
    let image = read_bytes(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(image.library, Some(Library::Go), "{what}");
    let [site] = image.sites[..] else { panic!("{what}: {:?}", image.sites) };
    assert_eq!(site.call, Call::GoWrite, "{what}");
    site.offset
}

/// Builds a program with and without symbols; each says the same of its function, the first as `nm`
/// says it. Gives the bytes without.
fn check_built(name: &str, arguments: &[&str], arch: &str) -> Option<Vec<u8>> {
    let folder = folder(name);
    let flags = arguments.iter().find_map(|a| a.strip_prefix("-ldflags=")).unwrap_or("");
    let stripped_flags = format!("-ldflags={flags} -s -w");
    let others: Vec<_> = arguments.iter().copied().filter(|a| !a.starts_with("-ldflags")).collect();
    let stripped: Vec<_> = others.into_iter().chain([stripped_flags.as_str()]).collect();
    let built = build(&folder, "whole", arguments, arch)
        .and_then(|whole| Ok((whole, build(&folder, "stripped", &stripped, arch)?)));
    let (whole, stripped) = match built {
        Ok(built) => built,
        Err(why) => {
            skip(&format!("{name}: {why}"));
            return None;
        }
    };
    let found = offset(&std::fs::read(&whole).unwrap(), name);
    let bytes = std::fs::read(&stripped).unwrap();
    assert_eq!(offset(&bytes, name), found, "{name}, stripped");
    if let (Some(told), Some(away)) = (nm(&whole, &["--defined-only"]), code_of(&whole)) {
        let has = |(address, named): &(u64, String)| {
            *address == found.wrapping_add(away) && named == "crypto/tls.(*Conn).Write"
        };
        assert!(told.iter().any(has), "{name}: nm says otherwise than {found:#x}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    check_without_text(name, bytes.clone(), found);
    Some(bytes)
}

/// The same program as if Go 1.26 had made it: nothing says where the text begins but the module's
/// data.
fn check_without_text(name: &str, mut bytes: Vec<u8>, expected: u64) {
    let quantum = if bytes[18] == 62 { 1 } else { 4 };
    let magic = [0xf0, 0xff, 0xff, 0xff, 0, 0, quantum, 8];
    let places: Vec<_> = memmem::find_iter(&bytes, &magic).filter(|at| at % 32 == 0).collect();
    let [at] = places[..] else { panic!("{name}: {} tables", places.len()) };
    bytes[at] = 0xf1;
    bytes[at + 24..at + 32].fill(0);
    // The loader's word on it too: a relocation of the kind RELATIVE, in 24 bytes.
    let source: &[u8] = &bytes;
    let source = Source::new(&source);
    let elf = Elf::read(&source, &mut None).unwrap();
    let of = |segment: &&elf::Segment| segment.span().contains(&(at as u64));
    let address = elf.segments().iter().find(of).unwrap().address_of(at as u64 + 24);
    let relocation = [address.to_le_bytes(), 8u64.to_le_bytes()].concat();
    if let Some(at) = memmem::find(&bytes, &relocation) {
        bytes[at + 8] = 0;
    }
    assert_eq!(offset(&bytes, name), expected, "{name}, without the beginning of the text");
}

#[test]
fn go_programs_are_read_with_and_without_symbols() {
    if let Some(bytes) = check_built("plain", &[], "") {
        // Cut where the sections are described: the build information says that it is Go's.
        let mut cut = bytes.clone();
        cut[40..48].fill(0);
        assert_eq!(offset(&cut, "without sections"), offset(&bytes, "plain"));
    }
}

#[test]
fn go_programs_that_can_lie_anywhere_are_read() {
    check_built("pie", &["-buildmode=pie"], "");
}

#[test]
fn go_programs_that_another_linker_made_are_read() {
    check_built("external", &["-ldflags=-linkmode=external"], "");
    check_built("external-pie", &["-buildmode=pie", "-ldflags=-linkmode=external"], "");
}

#[test]
fn go_programs_for_arm64_are_read() {
    check_built("arm64", &[], "arm64");
}
