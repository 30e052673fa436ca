//! The values of a text: where each stands in it, and what is written in its place. It writes
//! nothing.

use std::cmp::Reverse;
use std::ops::Range;

use super::armour::{self, Armour, Place};
use super::replace::replace;
use super::{Mode, Redactor};
use crate::decode::{Part, Text, View, views};
use crate::detect::{DetectorId, Hit};
use crate::limits::REDACT_ARMOUR_DEPTH_MAX;
use crate::model::Confidence;

/// A value that is taken out.
pub(super) struct Strike {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The detectors of the values that it is the place of, in [`Strikes::detectors`].
    detectors: Range<usize>,
    confidence: Confidence,
    /// Bytes of the quotes that are put around it, 0 where it needs none.
    pub(super) quote: usize,
    /// What is written for it, in [`Strikes::written`].
    written: Range<usize>,
    /// Whether it may be written in parts, as the letters of what is encoded as a whole.
    pub(super) in_parts: bool,
}

/// The values of one text, in the order of their start, none of them within another. The room is
/// used again for the next text.
#[derive(Default)]
pub(super) struct Strikes {
    list: Vec<Strike>,
    written: Vec<u8>,
    detectors: Vec<DetectorId>,
    hits: Vec<Hit>,
    /// Where compressed bytes begin that go on beyond the text.
    held: Option<usize>,
}

impl Strikes {
    pub(super) fn list(&self) -> &[Strike] {
        &self.list
    }

    /// What is written for a value from `at` up to `to`.
    pub(super) fn written(&self, strike: &Strike, at: usize, to: usize) -> &[u8] {
        let written = self.written.get(strike.written.clone()).unwrap_or_default();
        // Byte for byte a part stands for itself; anything else stands whole.
        if written.len() != strike.end.saturating_sub(strike.start) {
            return written;
        }
        let skip = at.saturating_sub(strike.start);
        let end = if strike.in_parts { to.saturating_sub(strike.start) } else { written.len() };
        written.get(skip..end.min(written.len())).unwrap_or_default()
    }

    /// The detectors of the values that a strike takes out.
    pub(super) fn detectors(&self, strike: &Strike) -> &[DetectorId] {
        self.detectors.get(strike.detectors.clone()).unwrap_or_default()
    }

    /// Finds the values in `text` that end after `from`. Gives how many candidates were not looked
    /// at.
    pub(super) fn find(&mut self, redactor: &Redactor, text: &[u8], from: usize) -> usize {
        self.find_in(redactor, redactor.mode, text, from, 0)
    }

    fn find_in(
        &mut self,
        redactor: &Redactor,
        mode: Mode,
        text: &[u8],
        from: usize,
        depth: usize,
    ) -> usize {
        self.list.clear();
        self.written.clear();
        self.detectors.clear();
        self.held = None;
        let mut cut = 0;
        for view in views(&Text { bytes: text, fresh: 0, part: Part::Text }).iter() {
            let region = view.span(0..view.bytes.len());
            let letters = text.get(region.clone()).unwrap_or_default();
            let scrambled = match armour::place(&view.encoding, letters) {
                Place::Within if depth < REDACT_ARMOUR_DEPTH_MAX => continue,
                Place::Under(armour) if depth < REDACT_ARMOUR_DEPTH_MAX => {
                    if region.end > from {
                        cut += self.under(redactor, mode, text, view, armour, depth);
                    }
                    continue;
                }
                Place::Open => None,
                Place::Under(armour) | Place::Mixed(armour) => Some(armour),
                Place::Within => Some(Armour::Other),
            };
            self.hits.clear();
            cut += redactor.engine.find(&view.bytes, &mut self.hits);
            let mut hits = std::mem::take(&mut self.hits);
            let whole = |hit: &Hit| !view.is_at_edge(&(hit.start..hit.end));
            for hit in hits.drain(..).filter(|hit| redactor.wants(hit) && whole(hit)) {
                let span = view.span(hit.start..hit.end);
                match scrambled {
                    _ if span.end <= from => {}
                    None => self.add(redactor, mode, text, view, &hit),
                    Some(armour) => self.scramble(text, armour, span, &hit),
                }
            }
            self.hits = hits;
        }
        self.settle();
        cut
    }

    fn push(
        &mut self,
        span: Range<usize>,
        written: &[u8],
        in_parts: bool,
        detectors: &[DetectorId],
    ) {
        let (begin, first) = (self.written.len(), self.detectors.len());
        self.written.extend_from_slice(written);
        self.detectors.extend_from_slice(detectors);
        self.list.push(Strike {
            start: span.start,
            end: span.end,
            detectors: first..self.detectors.len(),
            confidence: Confidence::High,
            quote: 0,
            written: begin..self.written.len(),
            in_parts,
        });
    }

    fn add(&mut self, redactor: &Redactor, mode: Mode, text: &[u8], view: &View<'_>, hit: &Hit) {
        let (begin, first) = (self.written.len(), self.detectors.len());
        let replaced = replace(redactor, mode, text, view, hit, &mut self.written);
        self.detectors.push(hit.detector);
        self.list.push(Strike {
            start: replaced.span.start,
            end: replaced.span.end,
            detectors: first..self.detectors.len(),
            confidence: hit.confidence,
            quote: replaced.quote,
            written: begin..self.written.len(),
            in_parts: false,
        });
    }

    /// A value in what is encoded as a whole, where it cannot be encoded again.
    fn scramble(&mut self, text: &[u8], armour: Armour, span: Range<usize>, hit: &Hit) {
        let raw = text.get(span.clone()).unwrap_or_default();
        self.push(span, &armour::scramble(armour, raw), false, &[hit.detector]);
    }

    /// The values in what is encoded as a whole, which `view` is the reading of.
    fn under(
        &mut self,
        redactor: &Redactor,
        mode: Mode,
        text: &[u8],
        view: &View<'_>,
        armour: Armour,
        depth: usize,
    ) -> usize {
        let region = view.span(0..view.bytes.len());
        let letters = text.get(region.clone()).unwrap_or_default();
        let rest = text.get(region.end..).unwrap_or_default();
        let padding = rest.iter().take(2).take_while(|byte| **byte == b'=').count();
        let packed = matches!(armour, Armour::Gzip | Armour::Zlib | Armour::Other);
        if packed && rest.is_empty() {
            self.held = Some(self.held.map_or(region.start, |held| held.min(region.start)));
        }
        // What goes on beyond the text keeps its length, for what follows to stay aligned to it.
        let whole = region.start > 0 && !rest.is_empty();
        let mode = if packed || (whole && armour != Armour::Base32) { mode } else { Mode::Mask };
        let mut inner = Strikes::default();
        let cut = inner.find_in(redactor, mode, &view.bytes, 0, depth + 1);
        if inner.list.is_empty() {
            return cut;
        }
        if mode != Mode::Mask || packed {
            let padding = if armour == Armour::Base64 { padding } else { 0 };
            let encoded = armour::encode(armour, letters, padding, &inner.apply(&view.bytes));
            let written = encoded.unwrap_or_else(|| armour::scramble(armour, letters));
            let span = region.start..region.end + padding;
            self.push(span, &written, false, &inner.detectors);
            return cut;
        }
        for strike in &inner.list {
            let bytes = strike.start..strike.end;
            let span = view.span(bytes.clone());
            let raw = text.get(span.clone()).unwrap_or_default();
            let anew = inner.written(strike, strike.start, strike.end);
            let written = armour::overwrite(armour, letters, raw, bytes, anew);
            let written = written.unwrap_or_else(|| armour::scramble(armour, raw));
            self.push(span, &written, true, inner.detectors(strike));
        }
        cut
    }

    /// A whole text without its values.
    fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut counts = super::Counts::default();
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        Redactor::write(text, 0, text.len(), self, &mut counts, &mut put);
        out
    }

    /// Puts them in order, and drops what stands within another.
    fn settle(&mut self) {
        // A value that is found in several readings is quoted as in the one with most escapes
        // undone, whose quotes are the longest in the text.
        self.list.sort_by_key(|strike| {
            (strike.start, Reverse(strike.end), Reverse(strike.quote), Reverse(strike.confidence))
        });
        let mut end = 0;
        self.list.retain(|strike| {
            let news = strike.end > end;
            end = end.max(strike.end);
            news
        });
    }

    /// The last place at or before `to`, and after `from`, where no value goes on; where there is
    /// none, the first after it.
    pub(super) fn between(&self, from: usize, to: usize) -> usize {
        // What is compressed is packed again as a whole, where there is room for it.
        let mut before = self.held.filter(|held| *held > from).map_or(to, |held| held.min(to));
        for strike in self.list.iter().rev().filter(|strike| !strike.in_parts) {
            if strike.start < before && before < strike.end {
                before = strike.start;
            }
        }
        if before > from {
            return before;
        }
        let whole = self.list.iter().filter(|strike| !strike.in_parts);
        whole.fold(
            to,
            |after, strike| {
                if strike.start < after && after < strike.end { strike.end } else { after }
            },
        )
    }
}
