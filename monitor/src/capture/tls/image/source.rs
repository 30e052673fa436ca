//! Bytes of a file at any place, within bounds. What they mean is the matter of others.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;

use super::ImageError;
use crate::limits::{IMAGE_BYTES_MAX, IMAGE_PIECE_BYTES, IMAGE_READ_COST_BYTES};

/// Something whose bytes can be read at any place.
pub trait ReadAt {
    /// How many there are.
    fn bytes(&self) -> u64;

    /// Fills `into` with those from `at`.
    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
}

/// A regular file, and its length when it was looked at first.
pub struct Regular<'a>(pub &'a File, pub u64);

impl ReadAt for Regular<'_> {
    fn bytes(&self) -> u64 {
        self.1
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        FileExt::read_exact_at(self.0, into, at)
    }
}

impl ReadAt for &[u8] {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Whether to go on.
pub type Step = Result<ControlFlow<()>, ImageError>;

/// What is read, and what may still be read of it. `what` names the part in errors.
pub struct Source<'a> {
    from: &'a dyn ReadAt,
    /// Bytes of it.
    pub bytes: u64,
    left: Cell<u64>,
}

impl<'a> Source<'a> {
    /// Nothing of it is read yet.
    pub fn new(from: &'a dyn ReadAt) -> Source<'a> {
        Source { from, bytes: from.bytes(), left: Cell::new(IMAGE_BYTES_MAX) }
    }

    /// Fills `into` with what stands at `at`.
    pub fn fill(&self, at: u64, into: &mut [u8], what: &'static str) -> Result<(), ImageError> {
        let bytes = into.len() as u64;
        if at.checked_add(bytes).is_none_or(|end| end > self.bytes) {
            return Err(ImageError::Truncated(what));
        }
        let left = self.left.get().checked_sub(bytes.max(IMAGE_READ_COST_BYTES));
        self.left.set(left.ok_or(ImageError::TooLarge(what))?);
        self.from.read_exact_at(at, into).map_err(|error| match error.kind() {
            // It was longer a moment ago.
            io::ErrorKind::UnexpectedEof => ImageError::Truncated(what),
            _ => ImageError::Io(error),
        })
    }

    /// A few bytes.
    pub fn array<const N: usize>(
        &self,
        at: u64,
        what: &'static str,
    ) -> Result<[u8; N], ImageError> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes, what)?;
        Ok(bytes)
    }

    /// A number of four bytes.
    pub fn u32(&self, at: u64, what: &'static str) -> Result<u32, ImageError> {
        Ok(u32::from_le_bytes(self.array(at, what)?))
    }

    /// A number of eight bytes.
    pub fn u64(&self, at: u64, what: &'static str) -> Result<u64, ImageError> {
        Ok(u64::from_le_bytes(self.array(at, what)?))
    }

    /// All of a part that has to be small.
    pub fn part(&self, span: Range<u64>, what: &'static str) -> Result<Vec<u8>, ImageError> {
        let bytes = span.end.checked_sub(span.start).ok_or(ImageError::Malformed(what))?;
        if bytes > IMAGE_PIECE_BYTES as u64 {
            return Err(ImageError::TooLarge(what));
        }
        let mut part = vec![0; bytes as usize];
        self.fill(span.start, &mut part, what)?;
        Ok(part)
    }

    /// A long part piece by piece, each with where it begins. Each piece but the first begins with
    /// the last `shared` bytes of the one before.
    pub fn pieces(
        &self,
        span: Range<u64>,
        shared: usize,
        what: &'static str,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ImageError> {
        self.pieces_of(IMAGE_PIECE_BYTES, span, shared, what, each)
    }

    fn pieces_of(
        &self,
        piece_bytes: usize,
        span: Range<u64>,
        shared: usize,
        what: &'static str,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ImageError> {
        let step = piece_bytes.saturating_sub(shared).max(1) as u64;
        let longest = span.end.saturating_sub(span.start).min(piece_bytes as u64);
        let mut piece = vec![0; longest as usize];
        let mut at = span.start;
        while at < span.end {
            let bytes = (span.end - at).min(longest);
            let Some(piece) = piece.get_mut(..bytes as usize) else { break };
            self.fill(at, piece, what)?;
            if each(at, piece).is_break() || at + bytes >= span.end {
                break;
            }
            at += step;
        }
        Ok(())
    }

    /// A table of records of `N` bytes each; what is no whole record at its end is left out.
    pub fn records<const N: usize>(
        &self,
        span: Range<u64>,
        what: &'static str,
        each: &mut dyn FnMut(&[u8; N]) -> Step,
    ) -> Result<(), ImageError> {
        let mut outcome = Ok(());
        self.pieces_of(IMAGE_PIECE_BYTES / N * N, span, 0, what, &mut |_, piece| {
            for record in piece.as_chunks::<N>().0 {
                match each(record) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(stop) => return stop,
                    Err(error) => {
                        outcome = Err(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        outcome
    }
}

/// Reads here and there, mostly onwards, and keeps the stretch around the last place.
pub struct Window<'a> {
    source: &'a Source<'a>,
    at: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// Bytes of the stretch.
    const BYTES: u64 = 64 << 10;

    /// Of a source.
    pub fn new(source: &'a Source<'a>) -> Window<'a> {
        Window { source, at: 0, bytes: Vec::new() }
    }

    /// A few bytes.
    pub fn array<const N: usize>(
        &mut self,
        at: u64,
        what: &'static str,
    ) -> Result<[u8; N], ImageError> {
        if let Some(bytes) = self.held(at) {
            return Ok(bytes);
        }
        let bytes = self.source.bytes.saturating_sub(at).min(Window::BYTES);
        self.bytes.resize(bytes as usize, 0);
        self.at = at;
        self.source.fill(at, &mut self.bytes, what)?;
        self.held(at).ok_or(ImageError::Truncated(what))
    }

    fn held<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let within = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(within..)?.first_chunk().copied()
    }
}
