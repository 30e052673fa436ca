//! The TLS tap: finds the TLS libraries that processes execute and hooks the functions that take text to
//! encrypt. Hooks are on files, not on processes, so one that starts later is read from its first byte.

mod entry;
mod files;
mod hooks;
pub mod image;
mod maps;
mod report;
mod tap;

pub use hooks::Program;
pub use report::{HookedFile, RefusedFile, Report};
pub use tap::{Options, Programs, TlsTap};
