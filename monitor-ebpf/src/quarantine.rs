//! The contract of the quarantine: names and layouts of its maps. All quarantines of a host share one
//! set of programs and maps; each has a number of its own, which is never given again.

use crate::switch::{ALLOW_KEY_BYTES, allow_key};

/// Version of all this. The maps outlive who made them: where a layout changes, so does the number.
pub const VERSION: u32 = 1;

/// What the maps are called.
pub mod map {
    /// Destinations that may be sent to, by prefix of [`super::key`].
    pub const ALLOW: &str = "ALLOW";
    /// Number of a quarantine that is in force to its [`super::Terms`].
    pub const QUARANTINES: &str = "QUARANTINES";
    /// Process id to [`super::Member`].
    pub const PROCESSES: &str = "PROCESSES";
    /// Id of a cgroup to the [`super::Ids`] of its quarantines.
    pub const CGROUPS: &str = "CGROUPS";
    /// Path of a cgroup, zeros behind it, to the same: one that is made anew is shut from its start.
    pub const PATHS: &str = "PATHS";
    /// Numbers: see [`super::slot`].
    pub const NUMBERS: &str = "NUMBERS";
    /// What was stopped, per CPU and quarantine: [`crate::switch::Stopped`].
    pub const STOPPED: &str = "STOPPED";
    /// Who shut it, when and why. The programs do not read it.
    pub const STATES: &str = "STATES";
    /// Marks of sockets, [`super::Ids`] each.
    pub const SOCKETS: &str = "SOCKETS";
}

/// Places in [`map::NUMBERS`].
pub mod slot {
    /// The number that the next quarantine gets.
    pub const NEXT: u32 = 0;
    /// A bit for each depth at which a cgroup is in quarantine; the root's is 0.
    pub const LEVELS: u32 = 1;
    /// Children and cgroups that could not be followed.
    pub const LOST: u32 = 2;
    /// How many there are.
    pub const COUNT: u32 = 3;
}

/// Names of the programs.
pub mod program {
    /// Each packet.
    pub const EGRESS: &str = "quarantine_egress";
    /// Each socket that is made.
    pub const CREATE: &str = "quarantine_create";
    /// Each process that begins.
    pub const FORK: &str = "quarantine_fork";
    /// Each process that is gone.
    pub const FREE: &str = "quarantine_free";
    /// Each cgroup that is made.
    pub const MKDIR: &str = "quarantine_mkdir";
}

/// Quarantines at once.
pub const QUARANTINES_MAX: u32 = 256;
/// Quarantines that one process, socket or cgroup can be in.
pub const IDS: usize = 4;
/// Destinations that can be named for one.
pub const ALLOW_EACH_MAX: u32 = 256;
/// And for all of them.
pub const ALLOW_MAX: u32 = 16_384;
/// Processes in quarantine, children included.
pub const PROCESSES_MAX: u32 = 16_384;
/// Cgroups in quarantine, those that were there before a unit was started again included.
pub const CGROUPS_MAX: u32 = 16_384;
/// Paths of them.
pub const PATHS_MAX: u32 = QUARANTINES_MAX;
/// Depths at which a cgroup can be, the root's included.
pub const LEVELS_MAX: u32 = u32::BITS;
/// A tick of the times in `/proc`: `USER_HZ` is 100 (include/asm-generic/param.h).
pub const TICK_NS: u64 = 10_000_000;
/// Bytes of a cgroup's path.
pub const PATH_BYTES: usize = 256;
/// Bytes of the state, a text with zeros behind it.
pub const STATE_BYTES: usize = 16 * 1024;

/// Numbers of quarantines; 0 is none.
pub type Ids = [u32; IDS];

/// Of a quarantine that is in force.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// When it ends, in nanoseconds since boot; 0 for never.
    pub expires_ns: u64,
}

/// A process in quarantine.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Member {
    /// When it was started, in nanoseconds since boot, or the tick of that.
    pub start_ns: u64,
    /// What it is in.
    pub ids: Ids,
}

const _: () = assert!(size_of::<Member>() == 24 && size_of::<Terms>() == 8);

/// Bytes of [`key`].
pub const KEY_BYTES: usize = 4 + ALLOW_KEY_BYTES;
/// Bits of a key before the address.
pub const KEY_HEAD_BITS: u32 = 32 + crate::switch::ALLOW_HEAD_BITS;

/// Number of the quarantine, and an allow key of the kill-switch behind it.
#[inline(always)]
pub fn key(id: u32, version: u8, port: [u8; 2], address: &[u8; 16]) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..4].copy_from_slice(&id.to_be_bytes());
    key[4..].copy_from_slice(&allow_key(version, port, address));
    key
}
