//! Waiting for a condition, with a bound. No test waits for time to pass.

use std::time::{Duration, Instant};

/// The bound of everything that a test waits for. Far beyond what it takes: the hosts that run
/// tests have two cores and other work.
pub const BOUND: Duration = Duration::from_secs(30);
/// Between two looks.
const STEP: Duration = Duration::from_millis(3);

/// Looks until there is something, or gives `None` after [`BOUND`].
pub fn poll<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if begun.elapsed() > BOUND {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// Waits until `look` gives something; fails with `what` after [`BOUND`].
#[track_caller]
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    match poll(look) {
        Some(seen) => seen,
        None => panic!("waited {} s in vain for {what}", BOUND.as_secs()),
    }
}
