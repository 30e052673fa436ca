//! The contract of the kill-switch: names and layouts of its maps. Keys are bytes, as packets have
//! them, so neither side casts.

/// What the maps are called.
pub mod map {
    /// Destinations that may be sent to, by prefix of [`super::allow_key`].
    pub const ALLOW: &str = "ALLOW";
    /// Flows that may go on, by [`super::session_key`].
    pub const SESSIONS: &str = "SESSIONS";
    /// What was stopped, per CPU: [`super::Stopped`].
    pub const STOPPED: &str = "STOPPED";
    /// Who turned it on, when and why. The program does not read it.
    pub const STATE: &str = "STATE";
}

/// Name of the program.
pub const PROGRAM: &str = "switch_egress";

/// Destinations that can be named.
pub const ALLOW_MAX: u32 = 1024;
/// Flows that can be kept.
pub const SESSIONS_MAX: u32 = 16;
/// Bytes of the state, a text with zeros behind it.
pub const STATE_BYTES: usize = 64 * 1024;

/// Packets, bytes, and when the last of them was stopped, in nanoseconds since boot.
pub type Stopped = [u64; 3];

/// Bytes of [`allow_key`].
pub const ALLOW_KEY_BYTES: usize = 19;
/// Bits of an allow key before the address.
pub const ALLOW_HEAD_BITS: u32 = 24;
/// Bytes of [`session_key`].
pub const SESSION_KEY_BYTES: usize = 37;

/// Version of IP, port of the far side (0 for any), its address; of IPv4 four bytes and zeros. The port
/// stands before the address, so that the longest prefix is looked for among those of one port.
#[inline(always)]
pub fn allow_key(version: u8, port: [u8; 2], address: &[u8; 16]) -> [u8; ALLOW_KEY_BYTES] {
    let mut key = [0; ALLOW_KEY_BYTES];
    key[0] = version;
    key[1] = port[0];
    key[2] = port[1];
    key[3..].copy_from_slice(address);
    key
}

/// Version of IP, addresses and ports of a TCP connection, ours first.
#[inline(always)]
pub fn session_key(
    version: u8,
    source: &[u8; 16],
    destination: &[u8; 16],
    ports: [u8; 4],
) -> [u8; SESSION_KEY_BYTES] {
    let mut key = [0; SESSION_KEY_BYTES];
    key[0] = version;
    key[1..17].copy_from_slice(source);
    key[17..33].copy_from_slice(destination);
    key[33..].copy_from_slice(&ports);
    key
}
