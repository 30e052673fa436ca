//! The detectors as a scan uses them: chosen by entity and tag, and asked for what may be shown.
//! The only place in `scan` that knows the engine's interface. It reads no files.

use std::sync::Arc;

use crate::command::names::Chosen;
use crate::decode::{LeftOut, Text, View, views};
use crate::detect::{DetectorId, Engine, Fields, Hit, KEY_BYTES, Key, Learned, Reading, Readings};
use crate::limits::{WINDOW_HELD_BYTES, WINDOW_STEP_BYTES};
use crate::model::{Confidence, Tag};

/// The detectors that are on, and the key of the fingerprints.
pub struct Finder {
    engine: Engine,
    key: Key,
    /// Names, to be shared by findings.
    names: Vec<Arc<str>>,
    show_values: bool,
}

/// A hit in a text, with nothing of its value but what may be shown.
pub struct Candidate {
    /// Where its encoded form begins in the text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The entity's name.
    pub entity: Arc<str>,
    /// How sure.
    pub confidence: Confidence,
    /// Regulations.
    pub tags: Vec<&'static str>,
    /// What may be shown.
    pub masked: String,
    /// Keyed fingerprint.
    pub fingerprint: String,
    /// Why it is one.
    pub reasons: Vec<&'static str>,
    /// What was undone.
    pub encoding: String,
    /// Whether it touches an end of the text, and may go on beyond.
    pub partial: bool,
    /// Whether it is a published test value.
    pub test_data: bool,
    /// The value, where it may be shown.
    pub value: Option<String>,
}

/// What a search uses again in the next.
#[derive(Default)]
pub struct Scratch {
    readings: Readings,
    /// What was found.
    pub candidates: Vec<Candidate>,
}

/// What a search left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left {
    /// Hits beyond their bound.
    pub hits: u64,
    /// What was not decoded.
    pub undecoded: LeftOut,
}

impl Left {
    /// Adds what another left out.
    pub fn add(&mut self, other: Left) {
        self.hits = self.hits.saturating_add(other.hits);
        self.undecoded.add(other.undecoded);
    }
}

impl Finder {
    /// With these detectors on.
    pub fn new(chosen: &Chosen, key: [u8; KEY_BYTES], show_values: bool) -> Finder {
        Finder {
            engine: chosen.engine(),
            key: Key::from_bytes(key),
            names: chosen.names().map(Into::into).collect(),
            show_values,
        }
    }

    /// Appends what is found in a text, in every reading of it, in order of places. Of
    /// readings that share bytes the best counts. `led` is the text with the byte before it, where the beginning
    /// of the text cuts nothing. `fields` is what the messages of the flow have held.
    pub fn find(
        &self,
        text: &Text<'_>,
        led: Option<&[u8]>,
        fields: &mut Fields,
        scratch: &mut Scratch,
    ) -> Left {
        let Scratch { readings, candidates } = scratch;
        let views = views(text);
        let in_order: Vec<&View<'_>> = views.iter().collect();
        let cut = readings.find(&in_order, led, |view, bytes, hits| {
            if !view.has_fields() {
                return self.hits(bytes, None, hits);
            }
            let fresh = |end| view.span(end..end).end > text.fresh;
            fields.find(bytes, fresh, hits, |learned, hits| self.hits(bytes, learned, hits))
        });
        candidates.extend(readings.found().iter().filter_map(|reading| {
            let view = in_order.get(reading.view)?;
            let value = view.bytes.get(reading.hit.start..reading.hit.end)?;
            Some(self.candidate(reading, value, &view.encoding))
        }));
        Left { hits: cut as u64, undecoded: views.left_out }
    }

    /// The hits in a reading, step by step, so that their bound is one of each step. What is said of
    /// a value depends on no more than [`WINDOW_HELD_BYTES`] on either side.
    fn hits(&self, bytes: &[u8], learned: Option<Learned<'_>>, hits: &mut Vec<Hit>) -> usize {
        let (mut cut, mut from) = (0, 0);
        while from < bytes.len() {
            let until = from.saturating_add(WINDOW_STEP_BYTES).min(bytes.len());
            let begin = from.saturating_sub(WINDOW_HELD_BYTES);
            let end = until.saturating_add(WINDOW_HELD_BYTES).min(bytes.len());
            let before = hits.len();
            let window = bytes.get(begin..end).unwrap_or_default();
            let learned = learned.map(|learned| learned.part(begin));
            cut += self.engine.find_learned(window, learned, hits);
            let mut number = 0;
            hits.retain_mut(|hit| {
                number += 1;
                if number <= before {
                    return true;
                }
                hit.start = hit.start.saturating_add(begin);
                hit.end = hit.end.saturating_add(begin);
                (from..until).contains(&hit.start)
            });
            from = until;
        }
        cut
    }

    fn candidate(&self, reading: &Reading, value: &[u8], encoding: &str) -> Candidate {
        let Reading { span, hit, .. } = reading;
        Candidate {
            start: span.start,
            end: span.end,
            entity: self.name(hit.detector),
            confidence: hit.confidence,
            tags: self.engine.tags(hit.detector).iter().map(Tag::name).collect(),
            masked: self.engine.mask(hit.detector, value),
            fingerprint: self.key.fingerprint(&self.engine, hit.detector, value),
            reasons: hit.reasons.iter().collect(),
            encoding: encoding.into(),
            partial: hit.partial,
            test_data: hit.test_data,
            value: self.show_values.then(|| String::from_utf8_lossy(value).into_owned()),
        }
    }

    fn name(&self, id: DetectorId) -> Arc<str> {
        let name = self.engine.entity(id).name();
        let known = self.names.iter().find(|known| known.as_ref() == name);
        known.map_or_else(|| name.into(), Arc::clone)
    }
}
