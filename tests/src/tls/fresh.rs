//! Copies of programs and libraries: files that nobody has seen before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tool;

/// What a program is linked with: its libraries and the loader, as ldd(1) tells.
pub fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// A library of the system, by its name.
pub fn library(name: &str) -> Option<PathBuf> {
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let dirs = below.map(|entry| entry.path()).chain(["/usr/lib64".into(), "/usr/lib".into()]);
    dirs.map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// Copies curl and the libssl that it is linked with into `dir`; the copy, run with the copy.
///
/// # Errors
///
/// This curl has its TLS from elsewhere.
pub fn curl(dir: &Path) -> Result<Command, String> {
    copy("curl", dir)
}

/// The same of any program.
///
/// # Errors
///
/// It is not there, or has its TLS from elsewhere.
pub fn copy(name: &str, dir: &Path) -> Result<Command, String> {
    let program = tool(name).ok_or(format!("{name} is not installed"))?;
    let libssl = libssl(&program).ok_or(format!("{name} is not linked with libssl"))?;
    fs::create_dir_all(dir).expect("a directory in the temporary one");
    for path in [&program, &libssl] {
        let name = path.file_name().expect("a file has a name");
        fs::copy(path, dir.join(name)).expect("a copy");
    }
    let mut command = Command::new(dir.join(name));
    command.env("LD_LIBRARY_PATH", dir);
    Ok(command)
}

/// The libssl that a program is linked with.
pub fn libssl(program: &Path) -> Option<PathBuf> {
    libraries(program).into_iter().find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libssl.so"))
    })
}

/// Stages `program` and all that it is linked with below `dir`, for chroot(2).
pub fn stage(program: &Path, dir: &Path) {
    let name = program.file_name().expect("a program has a name");
    fs::create_dir_all(dir).expect("a directory in the temporary one");
    fs::copy(program, dir.join(name)).expect("a copy");
    for library in libraries(program) {
        let to = dir.join(library.strip_prefix("/").unwrap_or(&library));
        fs::create_dir_all(to.parent().unwrap_or(dir)).expect("a directory in the temporary one");
        fs::copy(&library, &to).expect("a copy");
    }
}
