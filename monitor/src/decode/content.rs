//! Decompressors of the content codings of HTTP (RFC 9110 section 8.4.1, RFC 8878 for zstd), fed in
//! pieces. What is cut short gives what came before the cut. It does not decide what is compressed,
//! or how much may come out: whoever feeds it says when to stop.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::FrameDecoder;

use super::secret::Secret;
use crate::limits::CONTENT_WINDOW_BYTES_MAX;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 alone as some servers send it.
    Deflate,
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
}

impl Coding {
    /// The coding of a name in a header field.
    pub(super) fn named(name: &[u8]) -> Option<Coding> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if is("gzip") || is("x-gzip") => Some(Coding::Gzip),
            () if is("deflate") => Some(Coding::Deflate),
            () if is("zstd") => Some(Coding::Zstd),
            () if is("br") => Some(Coding::Brotli),
            () => None,
        }
    }

    /// The byte that it begins with, where there is but one.
    pub(super) fn first_byte(self) -> Option<u8> {
        match self {
            Coding::Gzip => Some(0x1f),
            Coding::Zstd => Some(0x28),
            Coding::Deflate | Coding::Brotli => None,
        }
    }

    /// Memory that one decompressor may take.
    pub(super) fn memory_bytes(self) -> usize {
        const INFLATE_BYTES: usize = 64 << 10;
        match self {
            Coding::Gzip | Coding::Deflate => INFLATE_BYTES,
            Coding::Zstd | Coding::Brotli => CONTENT_WINDOW_BYTES_MAX,
        }
    }
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All of it was taken; more may come.
    More,
    /// The content ended after so many of its bytes.
    Ended(usize),
    /// It is not of this coding, from about so many of its bytes on.
    Bad(usize),
    /// `out` wanted no more.
    Stopped,
}

/// One content being decompressed.
pub(super) struct Decompressor {
    inner: Inner,
    out: Secret,
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

enum Inner {
    Inflate(Decompress),
    /// Zlib or raw: the first two bytes tell.
    Unknown(Vec<u8>),
    Zstd(Box<Zstd>),
    Brotli(Box<Brotli>),
    Over,
}

/// Bytes that are decompressed at a time.
const OUT_BYTES: usize = 16 << 10;

impl Decompressor {
    pub(super) fn new(coding: Coding) -> Decompressor {
        const WINDOW_BITS: u8 = 15;
        let alloc = StandardAlloc::default;
        let inner = match coding {
            Coding::Gzip => Inner::Inflate(Decompress::new_gzip(WINDOW_BITS)),
            Coding::Deflate => Inner::Unknown(Vec::new()),
            Coding::Zstd => Inner::Zstd(Box::new(Zstd::new())),
            // Not the large windows of up to 1 GiB, which no HTTP client takes.
            Coding::Brotli => {
                Inner::Brotli(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
            }
        };
        let mut out = Secret::default();
        out.extend_zeroes(OUT_BYTES);
        Decompressor { inner, out }
    }

    /// Decompresses a piece, and hands on what comes out until `out` says that it is enough.
    pub(super) fn feed(&mut self, piece: &[u8], out: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
        let progress = match &mut self.inner {
            Inner::Inflate(inflate) => run_inflate(inflate, piece, self.out.as_mut_slice(), out),
            Inner::Unknown(kept) => {
                kept.extend(piece.iter().take(2_usize.saturating_sub(kept.len())));
                let [first, second] = kept[..] else { return Progress::More };
                let (before, zlib) = (kept.clone(), is_zlib(first, second));
                self.inner = Inner::Inflate(Decompress::new(zlib));
                return self.feed_after(&before, piece, out);
            }
            Inner::Zstd(zstd) => zstd.feed(piece, self.out.as_mut_slice(), out),
            Inner::Brotli(state) => run_brotli(state, piece, self.out.as_mut_slice(), out),
            Inner::Over => Progress::Ended(0),
        };
        if progress != Progress::More {
            self.inner = Inner::Over;
        }
        progress
    }

    /// Feeds the two bytes that told zlib from deflate, of which the last ones begin `piece`.
    fn feed_after(
        &mut self,
        before: &[u8],
        piece: &[u8],
        out: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Progress {
        let again = (0..=before.len().min(piece.len()))
            .rev()
            .find(|again| before.ends_with(piece.get(..*again).unwrap_or_default()))
            .unwrap_or(0);
        match self.feed(before, out) {
            Progress::More => {}
            progress => return progress,
        }
        match self.feed(piece.get(again..).unwrap_or_default(), out) {
            Progress::Ended(taken) => Progress::Ended(taken + again),
            Progress::Bad(taken) => Progress::Bad(taken + again),
            progress => progress,
        }
    }

    /// Hands on what was held back for want of the end, which will not come.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(&[u8]) -> bool) {
        if let Inner::Zstd(zstd) = &mut self.inner {
            zstd.finish(self.out.as_mut_slice(), out);
        }
        self.inner = Inner::Over;
    }
}

/// Whether two bytes are a zlib header (RFC 1950 section 2.2).
pub(super) fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0
}

fn run_inflate(
    inflate: &mut Decompress,
    piece: &[u8],
    buffer: &mut [u8],
    out: &mut dyn FnMut(&[u8]) -> bool,
) -> Progress {
    let mut taken = 0;
    loop {
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let rest = piece.get(taken..).unwrap_or_default();
        let status = inflate.decompress(rest, buffer, FlushDecompress::None);
        let read = usize::try_from(inflate.total_in() - before_in).unwrap_or(rest.len());
        let written = usize::try_from(inflate.total_out() - before_out).unwrap_or(0);
        taken += read.min(rest.len());
        if written > 0 && !out(buffer.get(..written).unwrap_or_default()) {
            return Progress::Stopped;
        }
        match status {
            Ok(Status::StreamEnd) => return Progress::Ended(taken),
            Err(_) => return Progress::Bad(taken),
            Ok(_) if read == 0 && written == 0 => return Progress::More,
            Ok(_) if taken == piece.len() && written < buffer.len() => return Progress::More,
            Ok(_) => {}
        }
    }
}

fn run_brotli(
    state: &mut Brotli,
    piece: &[u8],
    buffer: &mut [u8],
    out: &mut dyn FnMut(&[u8]) -> bool,
) -> Progress {
    let (mut left, mut taken, mut total) = (piece.len(), 0, 0);
    loop {
        let (mut room, mut written) = (buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            piece,
            &mut room,
            &mut written,
            buffer,
            &mut total,
            state,
        );
        if written > 0 && !out(buffer.get(..written).unwrap_or_default()) {
            return Progress::Stopped;
        }
        match result {
            BrotliResult::ResultSuccess => return Progress::Ended(taken),
            BrotliResult::ResultFailure => return Progress::Bad(taken),
            BrotliResult::NeedsMoreInput => return Progress::More,
            BrotliResult::NeedsMoreOutput => {}
        }
    }
}

/// A zstd frame, of which the decoder is given one block at a time: a block of four bytes makes
/// 128 KiB, and the decoder would take as many as it is given.
struct Zstd {
    frame: FrameDecoder,
    /// What is no whole header or block yet.
    kept: Secret,
    begun: bool,
}

impl Zstd {
    fn new() -> Zstd {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(CONTENT_WINDOW_BYTES_MAX as u64);
        Zstd { frame, kept: Secret::default(), begun: false }
    }

    fn feed(
        &mut self,
        piece: &[u8],
        buffer: &mut [u8],
        out: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Progress {
        let before = self.kept.len();
        self.kept.extend(piece);
        let mut at = 0;
        let progress = loop {
            let rest = self.kept.as_slice().get(at..).unwrap_or_default();
            let length = if self.begun { block_bytes(rest) } else { header_bytes(rest) };
            let Some(block) = length.and_then(|length| rest.get(..length)) else {
                break Progress::More;
            };
            at += block.len();
            self.begun = true;
            match self.frame.decode_from_to(block, buffer) {
                Ok((_, written)) => {
                    let written = buffer.get(..written).unwrap_or_default();
                    if !written.is_empty() && !out(written) {
                        break Progress::Stopped;
                    }
                }
                Err(_) => break Progress::Bad(at.saturating_sub(before)),
            }
            if !drain(&mut self.frame, buffer, out) {
                break Progress::Stopped;
            }
            if self.frame.is_finished() {
                break Progress::Ended(at.saturating_sub(before));
            }
        };
        self.kept.truncate_front(at);
        progress
    }

    /// The decoder keeps a window's worth back until the last block. An empty one is as good.
    fn finish(&mut self, buffer: &mut [u8], out: &mut dyn FnMut(&[u8]) -> bool) {
        const LAST_EMPTY_RAW_BLOCK: [u8; 3] = [1, 0, 0];
        if !self.begun {
            return;
        }
        if let Ok((_, written)) = self.frame.decode_from_to(&LAST_EMPTY_RAW_BLOCK, buffer) {
            if written > 0 && !out(buffer.get(..written).unwrap_or_default()) {
                return;
            }
            drain(&mut self.frame, buffer, out);
        }
    }
}

fn drain(frame: &mut FrameDecoder, buffer: &mut [u8], out: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    use std::io::Read as _;
    loop {
        match frame.read(buffer) {
            Ok(0) | Err(_) => return true,
            Ok(written) if !out(buffer.get(..written).unwrap_or_default()) => return false,
            Ok(_) => {}
        }
    }
}

/// Bytes of a frame header (RFC 8878 section 3.1.1.1).
fn header_bytes(bytes: &[u8]) -> Option<usize> {
    let descriptor = *bytes.get(4)?;
    let single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let size = match descriptor >> 6 {
        0 => usize::from(single),
        flag => 1 << flag,
    };
    Some(5 + usize::from(!single) + dictionary + size)
}

/// Bytes of a block with its header (RFC 8878 section 3.1.1.2).
fn block_bytes(bytes: &[u8]) -> Option<usize> {
    let [a, b, c] = *bytes.first_chunk::<3>()?;
    let header = u32::from_le_bytes([a, b, c, 0]);
    let size = match (header >> 1) & 3 {
        1 => 1,
        _ => usize::try_from(header >> 3).ok()?,
    };
    Some(3 + size)
}
