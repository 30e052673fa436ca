//! Keyed fingerprints of values: the same value gives the same fingerprint on one host, and the
//! fingerprint does not give the value. It makes and keeps no key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{DetectorId, Engine};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a block of SHA-256 (FIPS 180-4), to which HMAC fills a key with zeros (RFC 2104).
const BLOCK_BYTES: usize = 64;
/// Bytes of what SHA-256 gives.
const HASH_BYTES: usize = 32;
/// Bytes of a fingerprint: 64 bits, by which ten million values collide with a chance of 3 in 10^6.
const FINGERPRINT_BYTES: usize = 8;

/// The key of this host. Wiped when dropped, and never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// A key of random bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Key {
        Key(bytes)
    }

    /// 16 hex digits of HMAC-SHA-256 over the name of the entity, a zero byte and the value in its
    /// plain form: digits only (a telephone number after its `+`), for an IBAN capitals and digits,
    /// for an e-mail address in lower case. How a value was written makes no difference.
    pub fn fingerprint(&self, engine: &Engine, id: DetectorId, value: &[u8]) -> String {
        let hash = self.hash_bytes(engine, id, value);
        hex(hash.get(..FINGERPRINT_BYTES).unwrap_or(&hash))
    }

    /// All 64 hex digits of which the first are the [`fingerprint`](Key::fingerprint).
    pub fn hash(&self, engine: &Engine, id: DetectorId, value: &[u8]) -> String {
        hex(&self.hash_bytes(engine, id, value))
    }

    fn hash_bytes(&self, engine: &Engine, id: DetectorId, value: &[u8]) -> [u8; HASH_BYTES] {
        let mut block = [0u8; BLOCK_BYTES];
        for (slot, byte) in block.iter_mut().zip(self.0) {
            *slot = byte;
        }
        let mut hmac = Hmac::<Sha256>::new(&block.into());
        block.zeroize();
        hmac.update(engine.entity(id).name().as_bytes());
        hmac.update(&[0]);
        // Byte by byte, so that no copy of the value is left in memory.
        engine.plain(id, value, &mut |byte| hmac.update(&[byte]));
        hmac.finalize().into_bytes().into()
    }
}

/// Two digits a byte. `write!` takes ten times as long, a tenth of what a sample with a value took.
fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            hex.extend(char::from_digit(digit.into(), 16));
        }
    }
    hex
}
