//! The ways to read a text: as it is, and with escapes undone. A view knows where each of its bytes
//! stands in the text, so that the same value found in two views is one. It does not search.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroize;

use super::escape::{Break, Encoding, Undone};
use super::{Part, Text};
use crate::limits::ESCAPE_DEPTH_MAX;

/// Views of one text.
pub const VIEWS_MAX: usize = LAYERS.len() + 1;

/// A reading of a text. No `Debug`: the bytes may be anybody's.
pub struct View<'a> {
    /// The reading.
    pub bytes: Cow<'a, [u8]>,
    /// What was undone, the outermost layer first: `plain`, `json`, `percent+json`, …
    pub encoding: &'static str,
    /// Where bytes came from, the outermost layer first.
    maps: Vec<Arc<Vec<Break>>>,
}

impl View<'_> {
    /// The offset in the text of the byte at `offset`. One past the end of the view gives one past
    /// the end of the text.
    pub fn source(&self, offset: usize) -> usize {
        self.maps.iter().rev().fold(offset, |offset, breaks| {
            let after = breaks.partition_point(|stop| stop.view <= offset);
            shift(offset, after.checked_sub(1).and_then(|last| breaks.get(last)))
        })
    }

    /// The range of the text that a range of the view was read from: whole escapes, and no chunk
    /// framing before or after it.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        let end = self.maps.iter().rev().fold(range.end, |offset, breaks| {
            // The first break at `offset`: the second is behind the framing that follows.
            let before = breaks.partition_point(|stop| stop.view < offset);
            let stop = breaks.get(before).filter(|stop| stop.view == offset);
            shift(offset, stop.or_else(|| breaks.get(before.checked_sub(1)?)))
        });
        self.source(range.start)..end
    }
}

fn shift(offset: usize, stop: Option<&Break>) -> usize {
    stop.map_or(offset, |stop| stop.source.saturating_add(offset.saturating_sub(stop.view)))
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.bytes {
            bytes.zeroize();
        }
    }
}

/// The views of a text, at most [`VIEWS_MAX`], the plain one first.
pub struct Views<'a> {
    plain: View<'a>,
    undone: Vec<View<'a>>,
}

impl<'a> Views<'a> {
    /// The views, the plain one first.
    pub fn iter(&self) -> impl Iterator<Item = &View<'a>> {
        std::iter::once(&self.plain).chain(&self.undone)
    }
}

/// An encoding undone over another. A table, so that what is undone can be read at one place.
struct Layer {
    name: &'static str,
    encoding: Encoding,
    /// Place in the table of the layer it is undone over; `None` is the text itself.
    over: Option<usize>,
}

const fn layer(name: &'static str, encoding: Encoding, over: Option<usize>) -> Layer {
    Layer { name, encoding, over }
}

/// Percent encoding is not undone twice: nobody who reads the values does so.
const LAYERS: [Layer; 11] = [
    layer("json", Encoding::Json, None),
    layer("percent", Encoding::Percent, None),
    layer("json+json", Encoding::Json, Some(0)),
    layer("json+percent", Encoding::Percent, Some(0)),
    layer("percent+json", Encoding::Json, Some(1)),
    layer("chunked", Encoding::Chunked, None),
    layer("chunked+json", Encoding::Json, Some(5)),
    layer("chunked+percent", Encoding::Percent, Some(5)),
    layer("chunked+json+json", Encoding::Json, Some(6)),
    layer("chunked+json+percent", Encoding::Percent, Some(6)),
    layer("chunked+percent+json", Encoding::Json, Some(7)),
];

const _: () = {
    let mut at = 0;
    while at < LAYERS.len() {
        let (mut depth, mut layer) = (0, at);
        loop {
            depth += !matches!(LAYERS[layer].encoding, Encoding::Chunked) as usize;
            let Some(over) = LAYERS[layer].over else { break };
            assert!(over < layer, "a layer stands after the one it is undone over");
            layer = over;
        }
        assert!(depth <= ESCAPE_DEPTH_MAX, "deeper than limits.ESCAPE_DEPTH_MAX");
        at += 1;
    }
};

/// Reads a text in each way that differs from the others. Without escapes there is the plain view
/// and no allocation.
pub fn views<'a>(text: &Text<'a>) -> Views<'a> {
    let bytes = Cow::Borrowed(text.bytes);
    let mut views =
        Views { plain: View { bytes, encoding: "plain", maps: Vec::new() }, undone: Vec::new() };
    let mut places = [None; LAYERS.len()];
    for (at, layer) in LAYERS.iter().enumerate() {
        if layer.encoding == Encoding::Chunked && text.part != Part::Text {
            continue;
        }
        let over = match layer.over {
            None => Some(&views.plain),
            Some(over) => places.get(over).copied().flatten().and_then(|at| views.undone.get(at)),
        };
        let Some(over) = over else { continue };
        let Some(Undone { bytes, breaks }) = layer.encoding.undo(&over.bytes) else { continue };
        let maps = over.maps.iter().cloned().chain([Arc::new(breaks)]).collect();
        let view = View { bytes: Cow::Owned(bytes), encoding: layer.name, maps };
        if views.undone.iter().any(|known| known.bytes == view.bytes) {
            continue;
        }
        if let Some(place) = places.get_mut(at) {
            *place = Some(views.undone.len());
        }
        views.undone.push(view);
    }
    views
}
