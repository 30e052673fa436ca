//! Waiting for descriptors in the runtime: rings, logs, processes that are to end.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What owns one descriptor, the same as long as it lives.
pub trait OwnsDescriptor: AsRawFd + sealed::Sealed {}

mod sealed {
    /// Only what was looked at owns a descriptor in the sense of [`super::readable`].
    pub trait Sealed {}
}

macro_rules! owns_descriptor {
    ($($owner:ty),+) => { $(impl sealed::Sealed for $owner {} impl OwnsDescriptor for $owner {})+ };
}
owns_descriptor!(OwnedFd, RingBuf<MapData>, EbpfLogger<&'static dyn log::Log>);

/// Makes the runtime wait for `owner` to be readable. Call it inside the runtime.
///
/// # Errors
///
/// What the kernel says to epoll_ctl(2).
pub fn readable<T: OwnsDescriptor>(owner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: each `OwnsDescriptor` owns its descriptor from its making to its drop, never changes
    // it, and gives the same at each call; the trait is sealed to those.
    let registered = unsafe { AsyncFd::register_with_interest(owner, Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}
