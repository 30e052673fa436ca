//! Exit codes, those of sysexits.h where it has one, and the error that carries one.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

/// Something went wrong that none of the others says.
pub const FAILURE: u8 = 1;
/// A file that was named is not there or not readable (EX_NOINPUT).
pub const NO_INPUT: u8 = 66;
/// The kernel or the host cannot do what is needed (EX_UNAVAILABLE).
pub const UNAVAILABLE: u8 = 69;
/// A file cannot be created (EX_CANTCREAT).
pub const CANNOT_CREATE: u8 = 73;
/// Another instance runs (EX_TEMPFAIL).
pub const BUSY: u8 = 75;
/// Not root, or root without its rights (EX_NOPERM).
pub const NO_PERMISSION: u8 = 77;
/// The policy has errors (EX_CONFIG).
pub const CONFIG: u8 = 78;

/// An error that ends the program with a code.
#[derive(Debug)]
pub struct Exit {
    /// The code.
    pub code: u8,
    /// What, where, what to do; empty where it was said already.
    pub message: String,
}

impl Exit {
    /// A code with its sentence.
    pub fn new(code: u8, message: impl Into<String>) -> Exit {
        Exit { code, message: message.into() }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Exit {}

/// Ends a command: prints the error, if there is one to print, and gives its code.
pub fn code(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            let (code, message) = match error.downcast_ref::<Exit>() {
                Some(exit) => (exit.code, exit.message.clone()),
                None => (FAILURE, format!("{error:#}")),
            };
            if !message.is_empty() {
                let _ = writeln!(std::io::stderr(), "egress-monitor: {message}");
            }
            ExitCode::from(code)
        }
    }
}
