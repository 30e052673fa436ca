//! The daemon's own log: `tracing` to standard error. It carries no payload and no value.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::exit::{CONFIG, Exit};

/// Target of the lines that the programs in the kernel write.
const KERNEL_TARGET: &str = "monitor_ebpf=debug";

/// Starts the log at a level, or with a filter in the notation of tracing.
///
/// # Errors
///
/// A filter that cannot be read.
pub fn start(filter: &str, kernel: bool) -> Result<(), Exit> {
    let wrong = |error: &dyn std::fmt::Display| {
        let what = format!("--log {filter:?}: {error}; write a level such as `info` or `debug`");
        Exit::new(CONFIG, what)
    };
    let mut filter = EnvFilter::builder().parse(filter).map_err(|error| wrong(&error))?;
    if kernel {
        filter = filter.add_directive(KERNEL_TARGET.parse().map_err(|error| wrong(&error))?);
    }
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(colour)
        .with_target(kernel)
        // Where standard error is gone or its disk is full, a line is lost and nothing else.
        .log_internal_errors(false)
        .with_env_filter(filter);
    // journald has the time already (sd-daemon(3), systemd.exec(5): JOURNAL_STREAM).
    let started = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => log.without_time().try_init(),
        None => log.try_init(),
    };
    started.map_err(|error| wrong(&error))
}

/// A panic is a bug; what it says may quote bytes that a process sent, so only its place is told.
pub fn hide_what_panics_say() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%at, "this is a bug of egress-monitor, please report it with this line");
    }));
}
