//! A bar on standard error while a scan runs, where that is a terminal. It keeps out of the way of
//! what is printed.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar moves while nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// The bar, or nothing.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar if it is wanted and standard error is a terminal.
    pub fn new(wanted: bool) -> Progress {
        if !wanted || !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = "{spinner} {pos}/{len} files, {msg} [{elapsed}]";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Progress(Some(bar))
    }

    /// Notes how far it is.
    pub fn at(&self, done: u64, listed: u64, findings: u64, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(listed);
            bar.set_position(done);
            bar.set_message(format!("{} MB, {findings} findings", bytes / 1_000_000));
        }
    }

    /// Does something that prints.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
