//! Files that were made for it, those of this machine, and what is wrong with both.

mod go;
mod hostile;
mod made;

#[path = "../../../../../tests/skip/mod.rs"]
mod skip;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use made::{BARE, CODE, Go, Hash, Made, Plan, made};
use skip::skip;

const LIBRARIES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/bin",
];

/// A file of this machine, or the test is told as skipped.
fn of_this_machine(name: &str) -> Option<PathBuf> {
    let found = LIBRARIES.iter().map(|folder| Path::new(folder).join(name)).find(|p| p.exists());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// A folder of a test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("image-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Functions of a file by number, as `made` numbers them.
fn numbers(image: &Image) -> Vec<(&'static str, u64)> {
    image.sites.iter().map(|site| (site.function, (site.offset - CODE) / 16)).collect()
}

/// What `nm` says of a file: address and name.
fn nm(path: &Path, arguments: &[&str]) -> Option<Vec<(u64, String)>> {
    let Ok(output) = Command::new("nm").args(arguments).arg(path).output() else {
        skip("nm is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let name = words.nth(1)?;
        Some((address, name.split('@').next()?.to_owned()))
    };
    Some(text.lines().filter_map(line).collect())
}

/// Offset and address of the executable segment, as `readelf` says; of the first.
fn code_of(path: &Path) -> Option<u64> {
    let output = Command::new("readelf").args(["-lW"]).arg(path).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("LOAD") && line.contains(" R E "))?;
    let mut numbers = line.split_whitespace().filter_map(|word| word.strip_prefix("0x"));
    let offset = u64::from_str_radix(numbers.next()?, 16).ok()?;
    Some(u64::from_str_radix(numbers.next()?, 16).ok()?.wrapping_sub(offset))
}

/// Holds a file of this machine against what binutils say of it.
#[track_caller]
fn check_installed(name: &str, library: Library, expected: &[&str]) {
    let Some(path) = of_this_machine(name) else { return };
    let image = read(&File::open(&path).unwrap(), Depth::Whole).unwrap();
    assert_eq!(image.library, Some(library), "{name}");
    let names: Vec<_> = image.sites.iter().map(|site| site.function).collect();
    for function in expected {
        assert!(names.contains(function), "{name} lacks {function}: {names:?}");
    }
    let Some(told) = nm(&path, &["-D", "--defined-only"]) else { return };
    let Some(away) = code_of(&path) else { return skip("readelf is not installed") };
    // Where the first executable segment is not the only one, the others lie as far away at times.
    if name == "node" {
        return;
    }
    for site in &image.sites {
        let has = |(address, named): &(u64, String)| {
            *address == site.offset.wrapping_add(away) && named == site.function
        };
        assert!(told.iter().any(has), "{name}: {} at {:#x}", site.function, site.offset);
    }
}

#[test]
fn libraries_of_this_machine_are_read_as_binutils_read_them() {
    let openssl = ["SSL_write", "SSL_write_ex", "SSL_do_handshake", "SSL_free"];
    check_installed("libssl.so.3", Library::OpenSsl, &openssl);
    let gnutls = ["gnutls_record_send", "gnutls_handshake", "gnutls_deinit"];
    check_installed("libgnutls.so.30", Library::GnuTls, &gnutls);
    check_installed("libnspr4.so", Library::Nss, &["PR_Write", "PR_Send", "PR_Close"]);
    check_installed("libssl3.so", Library::Nss, &["SSL_ForceHandshake"]);
    check_installed("node", Library::OpenSsl, &openssl);
}

#[test]
fn a_file_without_tls_has_nothing() {
    let Some(path) = of_this_machine("libc.so.6") else { return };
    assert_eq!(read(&File::open(path).unwrap(), Depth::Whole).unwrap(), Image::default());
}

#[track_caller]
fn check(plan: &Plan, expected: &[(&'static str, u64)]) {
    let image = read_bytes(&made(plan).bytes).unwrap();
    assert_eq!(numbers(&image), expected, "{plan:?}");
    assert_eq!(image.unread, None, "{plan:?}");
}

#[test]
fn exported_names_are_found_by_either_hash() {
    let exported = &["other", "SSL_write", "SSL_writes", "gnutls_deinit", "SSL_free"][..];
    for hash in [Hash::Gnu, Hash::SysV] {
        let expected = [("SSL_write", 1), ("gnutls_deinit", 3), ("SSL_free", 4)];
        check(&Plan { exported, hash, ..BARE }, &expected);
    }
}

#[test]
fn a_name_in_two_versions_is_found_at_both() {
    for hash in [Hash::Gnu, Hash::SysV] {
        let plan = Plan { exported: &["SSL_write", "SSL_write"], hash, ..BARE };
        check(&plan, &[("SSL_write", 0), ("SSL_write", 1)]);
    }
}

#[test]
fn what_is_not_a_defined_function_is_none() {
    let plan = Plan { exported: &["SSL_write", "SSL_free"], hash: Hash::Gnu, ..BARE };
    // An IFUNC, a variable, a name of another library, an address that is no code.
    type Spoil<'a> = &'a dyn Fn(&mut Made, usize);
    let spoil: [Spoil; 4] = [
        &|made, at| made.bytes[at + 4] = 0x1a,
        &|made, at| made.bytes[at + 4] = 0x11,
        &|made, at| made.put16(at + 6, 0),
        &|made, at| made.put64(at + 8, made::BASE + CODE),
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        let mut made = made(&plan);
        let first = made.exported + 24;
        spoil(&mut made, first);
        let image = read_bytes(&made.bytes).unwrap();
        assert_eq!(numbers(&image), [("SSL_free", 1)], "{number}");
    }
}

#[test]
fn symbols_of_sections_are_read_where_nothing_that_writes_is_exported() {
    let symbols = &["SSL_write", "SSL_connect"][..];
    check(&Plan { symbols, ..BARE }, &[("SSL_write", 0), ("SSL_connect", 1)]);
    let enter = Plan { exported: &["SSL_accept", "other"], hash: Hash::Gnu, symbols, go: None };
    check(&enter, &[("SSL_accept", 0), ("SSL_connect", 1)]);
    let write = Plan { exported: &["SSL_write", "other"], ..enter };
    check(&write, &[("SSL_write", 0)]);
}

#[test]
fn rustls_is_known_by_both_manglings_and_in_both_places() {
    let symbols = &[
        "_ZN55_$LT$rustls..conn..Writer$u20$as$u20$std..io..Write$GT$5write17ha025d40548ae9c9eE",
        "_ZN67_$LT$rustls..conn..connection..Writer$u20$as$u20$std..io..Write$GT$5write17h0E",
        "_ZN67_$LT$rustls..conn..connection..Writer$u20$as$u20$std..io..Write$GT$5flush17h0E",
        "_RNvXNtNtCsgi4sGNIQrti_6rustls4conn10connectionNtB2_6WriterNtNtCsjrHS_3std2io5Write5write",
        "_RNvXNtNtCsgi4s_6rustls4conn10connectionNtB2_6WriterNtNtCsj_3std2io5Write14write_vectored",
        "_RNvXs_NtNtCsgi4sGNIQrti_6rustls6streamNtB2_6StreamNtNtCsjrHS_3std2io5Write5write",
        "_RNvXNtCsgi4sGNIQrti_6notls4connNtB2_6WriterNtNtCsjrHS_3std2io5Write5write",
    ][..];
    let (write, writev) = ("rustls::Writer::write", "rustls::Writer::write_vectored");
    check(&Plan { symbols, ..BARE }, &[(write, 0), (write, 1), (write, 3), (writev, 4)]);
}

/// A crate called rustls with a type of that name, by this machine's compiler.
#[test]
fn the_mangling_of_this_compiler_is_known() {
    let folder = folder("rustls");
    let source = folder.join("main.rs");
    let code = "pub mod conn { pub mod connection { pub struct Writer(pub u8);
        impl std::io::Write for Writer {
            #[inline(never)] fn write(&mut self, b: &[u8]) -> std::io::Result<usize> {
                self.0 += std::hint::black_box(b).len() as u8; Ok(1) }
            fn flush(&mut self) -> std::io::Result<()> { Ok(()) } } } }
        fn main() { let _ = std::io::Write::write(&mut conn::connection::Writer(1), b\"a\"); }";
    std::fs::write(&source, code).unwrap();
    for mangling in [None, Some("-Csymbol-mangling-version=v0")] {
        let out = folder.join("out");
        let mut rustc = Command::new("rustc");
        rustc.args(["--crate-name=rustls", "-O", "-Cdebuginfo=0"]).args(mangling);
        let Ok(output) = rustc.arg(&source).arg("-o").arg(&out).output() else {
            skip("rustc is not installed");
            break;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let image = read(&File::open(&out).unwrap(), Depth::Whole).unwrap();
        let calls: Vec<_> = image.sites.iter().map(|site| site.call).collect();
        assert_eq!(calls, [Call::RustlsWrite], "{mangling:?}");
        assert_eq!(image.library, Some(Library::Rustls));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Seeds of the fuzz target `image`, and how each is made.
const SEEDS: [(&str, Plan); 6] = [
    ("gnu", Plan { exported: &["SSL_write", "SSL_free"], hash: Hash::Gnu, ..BARE }),
    ("sysv", Plan { exported: &["gnutls_record_send"], hash: Hash::SysV, ..BARE }),
    ("symbols", Plan { symbols: &["PR_Write", "crypto/tls.(*Conn).Write"], ..BARE }),
    ("go12", Plan { go: Some(Go { form: 0xfb, by_pointers: true, ..GO }), ..BARE }),
    ("go116", Plan { go: Some(Go { form: 0xfa, version: "go1.17", ..GO }), ..BARE }),
    ("go126", Plan { go: Some(Go { form: 0xf1, textless: true, section: false, ..GO }), ..BARE }),
];

const GO: Go =
    Go { form: 0xf0, version: "go1.9", by_pointers: false, textless: false, section: true };

/// With `EGRESS_MONITOR_SEEDS` set they are written anew.
#[test]
fn seeds_are_what_is_made() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/image");
    for (name, plan) in SEEDS {
        let made = made(&plan).bytes;
        assert!(!read_bytes(&made).unwrap().sites.is_empty(), "{name}");
        if std::env::var_os("EGRESS_MONITOR_SEEDS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), &made).unwrap();
        }
        let seed = std::fs::read(folder.join(name)).unwrap();
        assert!(seed == made, "{name} is another; set EGRESS_MONITOR_SEEDS=1 to write it anew");
    }
}
