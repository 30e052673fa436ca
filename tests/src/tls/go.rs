//! Go programs, built when they are needed. Their TLS is their own, in one file with the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{monitor, tool};

/// Posts the environment's `CARD` to a URL: `client URL CA`.
pub const CLIENT: &str = include_str!("client.go");
/// Serves the environment's `CARD` over TLS and says its port: `server CERTIFICATE KEY`.
pub const SERVER: &str = include_str!("server.go");

/// As it is built by default.
pub const PLAIN: &[&str] = &[];
/// Without its tables of symbols.
pub const STRIPPED: &[&str] = &["-ldflags=-s -w"];
/// Where it is loaded is not known before.
pub const PIE: &[&str] = &["-buildmode=pie"];

/// Builds a program of one file into `dir`: without cgo, so it is linked with no library. What the
/// compiler keeps for the next time is kept beside what cargo builds.
///
/// go(1) is there, and builds it: else the test fails.
#[track_caller]
pub fn build(source: &str, flags: &[&str], dir: &Path) -> PathBuf {
    let go = tool("go").expect("go is there");
    let kept = std::path::absolute(monitor::target().join("tmp/go")).expect("a path");
    let (file, program) = (dir.join("main.go"), dir.join("program"));
    std::fs::write(&file, source).expect("a file in the temporary directory");
    let mut build = Command::new(go);
    build.arg("build").args(flags).arg("-o").arg(&program).arg(&file);
    build.env("GOCACHE", kept.join("cache")).env("GOPATH", kept.join("path"));
    build.env("GO111MODULE", "off").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
    build.env("CGO_ENABLED", "0").env("GOFLAGS", "").current_dir(dir);
    let output = build.output().expect("go runs");
    assert!(output.status.success(), "{build:?}: {}", String::from_utf8_lossy(&output.stderr));
    program
}
