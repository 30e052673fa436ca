//! The values of a text: where each stands in it, and what is written in its place. It writes
//! nothing.

use std::cmp::Reverse;
use std::ops::Range;

use super::Redactor;
use super::replace::replace;
use crate::decode::{Part, Text, View, views};
use crate::detect::Hit;
use crate::model::{Confidence, Entity};

/// A value that is taken out.
pub(super) struct Strike {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) entity: Entity,
    confidence: Confidence,
    /// Bytes of the quotes that are put around it, 0 where it needs none.
    pub(super) quote: usize,
    /// What is written for it, in [`Strikes::written`].
    written: Range<usize>,
}

/// The values of one text, in the order of their start, none of them within another. The room is
/// used again for the next text.
#[derive(Default)]
pub(super) struct Strikes {
    list: Vec<Strike>,
    written: Vec<u8>,
    hits: Vec<Hit>,
}

impl Strikes {
    pub(super) fn list(&self) -> &[Strike] {
        &self.list
    }

    /// What is written for a value whose bytes up to `at` were written already.
    pub(super) fn written(&self, strike: &Strike, at: usize) -> &[u8] {
        let written = self.written.get(strike.written.clone()).unwrap_or_default();
        // Byte for byte a part stands for itself; anything else stands whole.
        let skip = if written.len() == strike.end.saturating_sub(strike.start) {
            at.saturating_sub(strike.start)
        } else {
            0
        };
        written.get(skip..).unwrap_or_default()
    }

    /// Finds the values in `text` that end after `from`. Gives how many candidates were not looked
    /// at.
    pub(super) fn find(&mut self, redactor: &Redactor, text: &[u8], from: usize) -> usize {
        self.list.clear();
        self.written.clear();
        let mut cut = 0;
        for view in views(&Text { bytes: text, fresh: 0, part: Part::Text }).iter() {
            self.hits.clear();
            cut += redactor.engine.find(&view.bytes, &mut self.hits);
            let mut hits = std::mem::take(&mut self.hits);
            for hit in hits.drain(..).filter(|hit| redactor.wants(hit)) {
                if view.span(hit.start..hit.end).end > from {
                    self.add(redactor, text, view, &hit);
                }
            }
            self.hits = hits;
        }
        self.settle();
        cut
    }

    fn add(&mut self, redactor: &Redactor, text: &[u8], view: &View<'_>, hit: &Hit) {
        let begin = self.written.len();
        let replaced = replace(redactor, text, view, hit, &mut self.written);
        self.list.push(Strike {
            start: replaced.span.start,
            end: replaced.span.end,
            entity: hit.entity,
            confidence: hit.confidence,
            quote: replaced.quote,
            written: begin..self.written.len(),
        });
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
        let mut before = to;
        for strike in self.list.iter().rev() {
            if strike.start < before && before < strike.end {
                before = strike.start;
            }
        }
        if before > from {
            return before;
        }
        self.list.iter().fold(to, |after, strike| {
            if strike.start < after && after < strike.end { strike.end } else { after }
        })
    }
}
