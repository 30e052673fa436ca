//! A buffer of bytes that may be anybody's: it leaves nothing behind when it grows or goes. It does
//! not lock memory.

use zeroize::Zeroize;

/// Room that the first byte makes.
const FIRST_BYTES: usize = 256;

/// Bytes that are wiped.
#[derive(Default)]
pub(super) struct Secret(Vec<u8>);

impl Secret {
    pub(super) fn with_capacity(bytes: usize) -> Secret {
        Secret(Vec::with_capacity(bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Adds `bytes` zeroes, to be written over.
    pub(super) fn extend_zeroes(&mut self, bytes: usize) {
        self.reserve(bytes);
        self.0.resize(self.0.len() + bytes, 0);
    }

    /// Cuts off what is beyond `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.0.get_mut(len..) {
            rest.zeroize();
            self.0.truncate(len);
        }
    }

    /// Cuts off the first `len` bytes.
    pub(super) fn truncate_front(&mut self, len: usize) {
        let len = len.min(self.0.len());
        self.0.copy_within(len.., 0);
        self.truncate(self.0.len() - len);
    }

    /// The bytes, for an owner that wipes them itself.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    #[inline]
    fn reserve(&mut self, more: usize) {
        let needed = self.0.len().saturating_add(more);
        if needed > self.0.capacity() {
            self.grow(needed);
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        let room = needed.max(self.0.capacity().saturating_mul(2)).max(FIRST_BYTES);
        let mut bigger = Vec::with_capacity(room);
        bigger.extend_from_slice(&self.0);
        self.0.as_mut_slice().zeroize();
        self.0 = bigger;
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}
