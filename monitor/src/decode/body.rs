//! The content of one HTTP message that its head says is compressed: decompressed as it comes, over
//! any number of sends. It does not frame messages.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::content::{Coding, Decompressor, Progress};
use super::view::LeftOut;
use crate::limits::{
    CONTENT_CODINGS_MAX, CONTENT_MEMORY_BYTES_MAX, DECODE_EXPANDED_BYTES_MAX, DECODE_EXPANSION_MAX,
};

/// Memory that decompressors of all flows take. It bounds, and decides nothing else.
static MEMORY_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A share of [`MEMORY_BYTES`].
struct Share(usize);

impl Share {
    fn take(bytes: usize) -> Option<Share> {
        let share = |taken: usize| {
            taken.checked_add(bytes).filter(|taken| *taken <= CONTENT_MEMORY_BYTES_MAX)
        };
        let taken = MEMORY_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, share);
        taken.is_ok().then_some(Share(bytes))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        MEMORY_BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// How the content of a message is read.
#[derive(Default)]
pub(super) enum Body {
    /// As it is.
    #[default]
    Plain,
    /// Decompressed.
    Coded(Box<Coded>),
    /// Not at all: it was too much.
    Skipped,
}

pub(super) struct Coded {
    /// The last coding that was applied first.
    chain: Vec<Decompressor>,
    first: Option<u8>,
    _share: Share,
}

impl Body {
    /// The body of a message to which `codings` were applied in this order.
    pub(super) fn new(codings: &[Coding], left_out: &mut LeftOut) -> Body {
        if codings.is_empty() || codings.len() > CONTENT_CODINGS_MAX {
            return Body::Plain;
        }
        let Some(share) = Share::take(codings.iter().map(|coding| coding.memory_bytes()).sum())
        else {
            left_out.work += 1;
            return Body::Plain;
        };
        let first = codings.last().and_then(|coding| coding.first_byte());
        let chain = codings.iter().rev().map(|coding| Decompressor::new(*coding)).collect();
        Body::Coded(Box::new(Coded { chain, first, _share: share }))
    }

    /// Takes the next bytes of the body, and hands on what they stand for. Gives those that are to
    /// be read as they are.
    pub(super) fn read<'p>(
        &mut self,
        piece: &'p [u8],
        left_out: &mut LeftOut,
        out: &mut dyn FnMut(&[u8]),
    ) -> &'p [u8] {
        let coded = match self {
            Body::Plain => return piece,
            Body::Skipped => return &[],
            Body::Coded(coded) => coded,
        };
        // The head may say what is not so.
        if coded.first.take().is_some_and(|first| piece.first().is_some_and(|byte| *byte != first))
        {
            *self = Body::Plain;
            return piece;
        }
        let bound = DECODE_EXPANSION_MAX.saturating_mul(piece.len());
        let mut room = DECODE_EXPANDED_BYTES_MAX.saturating_add(bound);
        let progress = feed(&mut coded.chain, piece, &mut |text| {
            out(text.get(..room).unwrap_or(text));
            room = room.saturating_sub(text.len());
            room > 0
        });
        match progress {
            Progress::More => &[],
            Progress::Ended(taken) | Progress::Bad(taken) => {
                *self = Body::Plain;
                piece.get(taken..).unwrap_or_default()
            }
            Progress::Stopped => {
                left_out.expansion += 1;
                *self = Body::Skipped;
                &[]
            }
        }
    }

    /// Ends the body, also where more of it was to come.
    pub(super) fn end(&mut self, out: &mut dyn FnMut(&[u8])) {
        if let Body::Coded(coded) = self {
            let mut room = DECODE_EXPANDED_BYTES_MAX;
            // What the last decompressor holds back, for want of an end.
            if let [only] = &mut coded.chain[..] {
                only.finish(&mut |text| {
                    out(text.get(..room).unwrap_or(text));
                    room = room.saturating_sub(text.len());
                    room > 0
                });
            }
        }
        *self = Body::Plain;
    }
}

/// Feeds a piece through a chain. What follows the end of an inner content is left out.
fn feed(chain: &mut [Decompressor], piece: &[u8], out: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
    let Some((first, rest)) = chain.split_first_mut() else {
        return if out(piece) { Progress::More } else { Progress::Stopped };
    };
    first.feed(piece, &mut |text| feed(rest, text, out) != Progress::Stopped)
}
