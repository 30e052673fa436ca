//! Ends what a measurement has started.

use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often it is looked whether it is gone.
const POLL: Duration = Duration::from_millis(1);

/// Sends a signal that is to end it, and waits until it has.
pub fn end(child: &mut Child, name: &str, signal: Signal, wait: Duration) -> Result<ExitStatus> {
    kill(Pid::from_raw(child.id().cast_signed()), signal)?;
    let asked = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        ensure!(asked.elapsed() < wait, "{name} goes on {} s after {signal}", wait.as_secs());
        thread::sleep(POLL);
    }
}
