//! Compressed contents as plain ones: gzip (RFC 1952) with all its members, Zstandard (RFC 8878)
//! with all its frames. It bounds memory; how much may come out is [`super::unpack`]'s to say.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use crate::limits::INPUT_ZSTD_WINDOW_BYTES_MAX;

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The compression of a content that begins so.
    pub fn of(head: &[u8]) -> Option<Compression> {
        // The third byte of a gzip is its method, and deflate is all there is.
        if head.starts_with(b"\x1f\x8b\x08") {
            return Some(Compression::Gzip);
        }
        let magic = u32::from_le_bytes(*head.first_chunk()?);
        let skippable = magic & 0xffff_fff0 == 0x184d_2a50;
        (magic == 0xfd2f_b528 || skippable).then_some(Compression::Zstd)
    }

    /// What `from` holds, decompressed as it is read. What is damaged is an error when it is come
    /// to; all before it has been given by then.
    pub fn reader<'a>(self, from: impl BufRead + 'a) -> Box<dyn Read + 'a> {
        match self {
            Compression::Gzip => Box::new(MultiGzDecoder::new(from)),
            Compression::Zstd => Box::new(Frames::new(from)),
        }
    }
}

/// The frames of a Zstandard content, one after the other.
struct Frames<R> {
    from: R,
    decoder: FrameDecoder,
    /// Whether a frame has begun and has not been given whole.
    within: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(from: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(INPUT_ZSTD_WINDOW_BYTES_MAX);
        Frames { from, decoder, within: false }
    }

    /// Begins the next frame that has content; `false` where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.from.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.from) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = (&mut self.from).take(length.into());
                    io::copy(&mut { skipped }, &mut io::sink())?;
                }
                Err(error) => return Err(damaged(&error)),
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                if !self.begin()? {
                    return Ok(0);
                }
                self.within = true;
            }
            while self.decoder.can_collect() < room.len() && !self.decoder.is_finished() {
                let missing = room.len().saturating_sub(self.decoder.can_collect());
                let upto = ruzstd::decoding::BlockDecodingStrategy::UptoBytes(missing);
                if let Err(error) = self.decoder.decode_blocks(&mut self.from, upto) {
                    let read = self.decoder.read(room)?;
                    return if read > 0 { Ok(read) } else { Err(damaged(&error)) };
                }
            }
            let read = self.decoder.read(room)?;
            if read > 0 {
                return Ok(read);
            }
            self.within = false;
        }
    }
}

fn damaged(error: &FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(compression: Compression, packed: &[u8], plain: &[u8]) {
        let mut out = Vec::new();
        compression.reader(packed).read_to_end(&mut out).unwrap();
        assert!(out == plain);
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn all_frames_are_read_and_those_to_be_skipped_are() {
        let long: Vec<u8> = (0..400_000u32).flat_map(|n| (n % 997).to_le_bytes()).collect();
        let skip = b"\x52\x2a\x4d\x18\x03\0\0\0abc";
        let packed = [skip.as_slice(), &zstd(&long), skip, &zstd(b"end")].concat();
        assert_eq!(Compression::of(&packed), Some(Compression::Zstd));
        check(Compression::Zstd, &packed, &[long.as_slice(), b"end"].concat());
    }

    #[test]
    fn what_comes_before_damage_is_given() {
        let long: Vec<u8> = (0..200_000u32).flat_map(|n| (n % 997).to_le_bytes()).collect();
        let mut packed = zstd(&long);
        packed.truncate(packed.len() / 2);
        let mut reader = Compression::Zstd.reader(packed.as_slice());
        let (mut out, mut piece) = (Vec::new(), [0; 1000]);
        let error = loop {
            match reader.read(&mut piece) {
                Ok(0) => panic!("the end of what is cut"),
                Ok(read) => out.extend_from_slice(&piece[..read]),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(!out.is_empty() && long.starts_with(&out));
    }
}
