//! gzip, zlib and zstd wherever their magic stands in a reading. Deflate without a header and brotli
//! have none: the decoder of HTTP undoes them where a header field says so.

use memchr::{memchr_iter, memmem};

use crate::decode::content::{Coding, Decompressor, Progress, is_zlib};
use crate::decode::map::Map;
use crate::decode::secret::Secret;
use crate::decode::tree::{Child, Made, Source};
use crate::decode::view::End;
use crate::limits::DECODE_TRY_BYTES;

/// Bytes that must come out of what does not come to its end: noise that begins like a header makes
/// a few.
const CUT_BYTES_MIN: usize = 16;

pub(super) fn gzip(source: &Source<'_>, made: &mut Made<'_>) {
    if !source.is_ascii() {
        each(source, made, Coding::Gzip, |rest| memmem::find(rest, &[0x1f, 0x8b, 8]));
    }
}

pub(super) fn zstd(source: &Source<'_>, made: &mut Made<'_>) {
    if !source.is_ascii() {
        each(source, made, Coding::Zstd, |rest| memmem::find(rest, &[0x28, 0xb5, 0x2f, 0xfd]));
    }
}

/// At the start any header is taken, further in those of the default level and the best one:
/// `x^` and `x` with a control byte are in too much that is not compressed.
pub(super) fn zlib(source: &Source<'_>, made: &mut Made<'_>) {
    match source.bytes {
        [first, second, ..] if *first == 0x78 && is_zlib(*first, *second) => {}
        _ if source.is_ascii() => return,
        _ => {}
    }
    let mut begun = false;
    each(source, made, Coding::Deflate, |rest| {
        let first = !std::mem::replace(&mut begun, true);
        memchr_iter(0x78, rest).find(|at| match rest.get(at + 1) {
            Some(0x9c | 0xda) => true,
            Some(second) => first && *at == 0 && is_zlib(0x78, *second),
            None => false,
        })
    });
}

fn each(
    source: &Source<'_>,
    made: &mut Made<'_>,
    coding: Coding,
    mut find: impl FnMut(&[u8]) -> Option<usize>,
) {
    let mut at = 0;
    while let Some(rest) = source.bytes.get(at..) {
        let Some(found) = find(rest) else { return };
        at += found;
        if !made.work(DECODE_TRY_BYTES) {
            return;
        }
        at += read(source, at, coding, made).max(1);
    }
}

/// Decompresses what begins at `start`; gives how many bytes of the source that were.
fn read(source: &Source<'_>, start: usize, coding: Coding, made: &mut Made<'_>) -> usize {
    let bytes = source.bytes.get(start..).unwrap_or_default();
    // Something is left for what is encoded in it.
    let room = made.room() / 2;
    let mut text = Secret::default();
    let mut decompressor = Decompressor::new(coding);
    let mut out = |piece: &[u8]| {
        let left = room.saturating_sub(text.len());
        text.extend(piece.get(..left).unwrap_or(piece));
        piece.len() < left
    };
    let progress = decompressor.feed(bytes, &mut out);
    if matches!(progress, Progress::More | Progress::Bad(_)) {
        decompressor.finish(&mut out);
    }
    let (taken, end) = match progress {
        Progress::Ended(taken) => (taken, End::Whole),
        Progress::Bad(taken) => (taken, End::Cut),
        Progress::More | Progress::Stopped => (bytes.len(), End::Cut),
    };
    if progress == Progress::Stopped {
        made.cut();
    }
    if end == End::Cut && text.len() < CUT_BYTES_MIN {
        return 0;
    }
    made.work(text.len());
    let map = Map::region(start..start + taken);
    made.add(Child { bytes: text, map, start: End::Whole, end });
    taken
}
