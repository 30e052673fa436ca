//! The detectors as a scan uses them: chosen by entity and tag, and asked for what may be shown.
//! The only place in `scan` that knows the engine's interface. It reads no files.

use std::ops::Range;
use std::sync::Arc;

use crate::decode::{Text, views};
use crate::detect::{Detector, DetectorId, Engine, Hit, KEY_BYTES, Key, detectors};
use crate::limits::{WINDOW_HELD_BYTES, WINDOW_STEP_BYTES};
use crate::model::{Confidence, Entity, Tag};

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

impl Finder {
    /// With these entities on.
    pub fn new(entities: &[Entity], key: [u8; KEY_BYTES], show_values: bool) -> Finder {
        Finder {
            engine: Engine::new(entities),
            key: Key::from_bytes(key),
            names: entities.iter().map(|entity| entity.name().into()).collect(),
            show_values,
        }
    }

    /// Appends what is found in a text, in every reading of it, in no order. The same value in two
    /// readings at one place is one. Gives the number of hits that were left out.
    pub fn find(&self, text: &Text<'_>, hits: &mut Vec<Hit>, found: &mut Vec<Candidate>) -> u64 {
        let (first, mut cut) = (found.len(), 0);
        for view in views(text).iter() {
            // Only readings before this one have the same value: within one, hits share no byte.
            let before = found.len();
            cut += self.hits(&view.bytes, hits);
            for hit in hits.iter().filter(|hit| !view.is_at_edge(&(hit.start..hit.end))) {
                let mut hit = *hit;
                (hit.confidence, hit.partial) =
                    view.judge(&(hit.start..hit.end), hit.confidence, hit.partial);
                let hit = &hit;
                let span = view.span(hit.start..hit.end);
                let Some(value) = view.bytes.get(hit.start..hit.end) else { continue };
                let fingerprint = self.key.fingerprint(&self.engine, hit.detector, value);
                let mut known = found.get_mut(first..before).unwrap_or_default().iter_mut();
                let known = known.find(|known| {
                    known.start < span.end
                        && span.start < known.end
                        && known.fingerprint == fingerprint
                });
                match known {
                    Some(known) => known.confidence = known.confidence.max(hit.confidence),
                    None => {
                        found.push(self.candidate(hit, span, value, fingerprint, &view.encoding));
                    }
                }
            }
        }
        cut
    }

    /// The hits in a reading, step by step, so that their bound is one of each step. What is said of
    /// a value depends on no more than [`WINDOW_HELD_BYTES`] on either side.
    fn hits(&self, bytes: &[u8], hits: &mut Vec<Hit>) -> u64 {
        let (mut cut, mut from) = (0, 0);
        hits.clear();
        while from < bytes.len() {
            let until = from.saturating_add(WINDOW_STEP_BYTES).min(bytes.len());
            let begin = from.saturating_sub(WINDOW_HELD_BYTES);
            let end = until.saturating_add(WINDOW_HELD_BYTES).min(bytes.len());
            let before = hits.len();
            let window = bytes.get(begin..end).unwrap_or_default();
            cut += self.engine.find(window, hits) as u64;
            let mut at = before;
            hits.retain_mut(|hit| {
                let is_new = at > 0;
                at = at.saturating_sub(1);
                if is_new {
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

    fn candidate(
        &self,
        hit: &Hit,
        span: Range<usize>,
        value: &[u8],
        fingerprint: String,
        encoding: &str,
    ) -> Candidate {
        Candidate {
            start: span.start,
            end: span.end,
            entity: self.name(hit.detector),
            confidence: hit.confidence,
            tags: self.engine.tags(hit.detector).iter().map(Tag::name).collect(),
            masked: self.engine.mask(hit.detector, value),
            fingerprint,
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

/// What is looked for unless entities are named.
pub fn usual() -> impl Iterator<Item = &'static Detector> {
    detectors().iter().filter(|row| !row.only_by_name)
}

/// Every tag that there is a detector for.
pub fn all_tags() -> Vec<&'static str> {
    let has = |tag: Tag| detectors().iter().any(|row| row.tags.contains(&tag));
    Tag::NAMES.iter().filter(|(_, tag)| has(*tag)).map(|(name, _)| *name).collect()
}

/// What to write instead of a name that is no entity's.
pub fn unknown(name: &str) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
    let like = |known: &str| strsim::jaro_winkler(&name.to_ascii_uppercase(), known);
    let near = detectors().iter().map(|row| row.entity);
    let near = near.max_by(|a, b| like(a).total_cmp(&like(b))).unwrap_or_default();
    format!("{name:?} is no entity; did you mean {near}? `egress-monitor entities` lists them all")
}
