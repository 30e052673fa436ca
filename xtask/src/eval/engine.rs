//! The engine as the measurements ask it: which entities there are, what stands where in a text.
//! The only place here that knows its interface.

use std::ops::Range;

use egress_monitor::decode::{Decoder, Part, Text, views};
use egress_monitor::detect::{self, Engine, Hit, Reading, Readings, Tier};
use egress_monitor::model::{Confidence, Entity};
use egress_monitor::reassemble::Gap;

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The entity's name.
    pub entity: &'static str,
    /// Where in the text, encodings and all.
    pub span: Range<usize>,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it is a published test value.
    pub test_data: bool,
    /// What may be shown of it.
    pub masked: String,
}

/// Finds some entities or all.
pub struct Finder(Engine);

impl Finder {
    /// Every detector that is on where nobody asks for one by name.
    pub fn usual() -> Finder {
        Finder(Engine::usual())
    }

    /// Those, and one that is only on where it is asked for.
    pub fn usual_and(entity: &str) -> Finder {
        let usual = detect::detectors().iter().filter(|row| !row.only_by_name);
        let mut entities: Vec<Entity> = usual.map(|row| Entity::of(row.entity)).collect();
        entities.push(Entity::named(entity));
        Finder(Engine::new(&entities))
    }

    /// One entity alone, where it has a detector.
    pub fn only(entity: &str) -> Option<Finder> {
        Some(Finder(Engine::new(&[Entity::of(detect::detector(entity)?.entity)])))
    }

    /// The name of what was hit; the policy's own detectors are not on here.
    fn entity(&self, hit: &Hit) -> &'static str {
        self.0.detector(hit.detector).map_or("?", |row| row.entity)
    }

    /// What stands in a text as it is.
    pub fn plain(&self, text: &[u8]) -> Vec<Found> {
        let mut hits = Vec::new();
        self.0.find(text, &mut hits);
        let found = |hit: &Hit| self.found(hit, text.get(hit.start..hit.end).unwrap_or_default());
        hits.iter().map(found).collect()
    }

    /// What stands in a text in any of its readings, judged and settled as `scan` does.
    pub fn decoded(&self, text: &[u8]) -> Vec<Found> {
        let views = views(&Text { bytes: text, fresh: 0, part: Part::Text });
        let in_order: Vec<_> = views.iter().collect();
        let mut readings = Readings::default();
        readings.find(&in_order, None, |_, bytes, hits| self.0.find(bytes, hits));
        let found = |reading: &Reading| {
            let bytes = &in_order.get(reading.view)?.bytes;
            let value = bytes.get(reading.hit.start..reading.hit.end)?;
            Some(Found { span: reading.span.clone(), ..self.found(&reading.hit, value) })
        };
        readings.found().iter().filter_map(found).collect()
    }

    fn found(&self, hit: &Hit, value: &[u8]) -> Found {
        Found {
            entity: self.entity(hit),
            span: hit.start..hit.end,
            confidence: hit.confidence,
            test_data: hit.test_data,
            masked: self.0.mask(hit.detector, value),
        }
    }
}

/// The letters and digits of a value.
pub fn letters(text: &[u8]) -> Vec<u8> {
    text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

impl Finder {
    /// What stands in the texts of a flow, as entities and values.
    pub fn flow(&self, bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut all = Vec::new();
        Decoder::default().feed(bytes, Gap::Unknown, &mut |text| {
            for view in views(&text).iter() {
                for found in self.plain(&view.bytes) {
                    all.push((
                        found.entity,
                        view.bytes.get(found.span).unwrap_or_default().to_vec(),
                    ));
                }
            }
        });
        all
    }
}

/// Whether a value is reported without a key or a word near it.
pub fn is_strong(entity: &str) -> bool {
    detect::detector(entity).is_some_and(|row| row.tier == Tier::Strong)
}

/// Whether an entity is only looked for where it is asked for by name.
pub fn is_only_by_name(entity: &str) -> bool {
    detect::detector(entity).is_some_and(|row| row.only_by_name)
}

/// The names of all entities that have a detector.
pub fn entities() -> Vec<&'static str> {
    detect::detectors().iter().map(|row| row.entity).collect()
}

/// Whether an entity has a check of its own.
pub fn has_check(entity: &str) -> bool {
    is_valid(entity, "").is_some()
}

/// What an entity's own check says of a value without separators; `None` where it has none.
pub fn is_valid(entity: &str, compact: &str) -> Option<bool> {
    detect::is_valid(entity, compact.as_bytes())
}
