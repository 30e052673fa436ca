//! The TLS tap: finds the TLS libraries that processes execute and hooks the functions that take text to
//! encrypt. Hooks are on files, not on processes, so one that starts later is read from its first byte.

pub mod image;
mod maps;
mod tap;

pub use tap::{HookedFile, Options, Programs, RefusedFile, Report, TlsTap};
