//! The detectors as a scan uses them: chosen by entity and tag, and asked for what may be shown.
//! The only place in `scan` that knows the engine's interface. It reads no files.

use std::sync::Arc;

use crate::decode::{Text, views};
use crate::detect::{Engine, Hit, KEY_BYTES, Key, mask};
use crate::model::{Confidence, Entity};

/// The detectors that are on, and the key of the fingerprints.
pub struct Finder {
    engine: Engine,
    key: Key,
    names: Vec<(Entity, Arc<str>)>,
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
            names: entities.iter().map(|entity| (*entity, entity.name().into())).collect(),
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
            hits.clear();
            cut += self.engine.find(&view.bytes, hits) as u64;
            for hit in hits.iter() {
                let span = view.span(hit.start..hit.end);
                let Some(value) = view.bytes.get(hit.start..hit.end) else { continue };
                let fingerprint = self.key.fingerprint(hit.entity, value);
                let known =
                    found.get_mut(first..before).unwrap_or_default().iter_mut().find(|known| {
                        known.start < span.end
                            && span.start < known.end
                            && known.fingerprint == fingerprint
                    });
                if let Some(known) = known {
                    known.confidence = known.confidence.max(hit.confidence);
                    continue;
                }
                found.push(self.candidate(hit, span, value, fingerprint, view.encoding));
            }
        }
        cut
    }

    fn candidate(
        &self,
        hit: &Hit,
        span: std::ops::Range<usize>,
        value: &[u8],
        fingerprint: String,
        encoding: &str,
    ) -> Candidate {
        let name = self.names.iter().find(|(entity, _)| *entity == hit.entity);
        Candidate {
            start: span.start,
            end: span.end,
            entity: name.map_or_else(|| hit.entity.name().into(), |(_, name)| Arc::clone(name)),
            confidence: hit.confidence,
            tags: tags(hit.entity).to_vec(),
            masked: mask(hit.entity, value),
            fingerprint,
            reasons: Vec::new(),
            encoding: encoding.into(),
            partial: hit.partial,
            test_data: hit.test_data,
            value: self.show_values.then(|| String::from_utf8_lossy(value).into_owned()),
        }
    }
}

/// What is told of an entity.
pub struct About {
    /// Its name.
    pub entity: Entity,
    /// In a few words.
    pub title: &'static str,
    /// How much evidence it needs, from 1.
    pub tier: u8,
    /// Regulations.
    pub tags: &'static [&'static str],
    /// Where its format is defined.
    pub standard: &'static str,
    /// A published or reserved value of its kind.
    pub example: &'static str,
}

/// Every entity that there is a detector for.
pub fn all() -> Vec<About> {
    Entity::ALL.into_iter().map(about).collect()
}

/// Every tag that there is.
pub fn all_tags() -> Vec<&'static str> {
    let mut all: Vec<&str> = Entity::ALL.iter().flat_map(|entity| tags(*entity)).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn tags(entity: Entity) -> &'static [&'static str] {
    about(entity).tags
}

fn about(entity: Entity) -> About {
    let (tier, title, tags, standard, example): (_, _, &[&str], _, _) = match entity {
        Entity::CreditCard => {
            (1, "Payment card number", &["PCI-DSS"], "ISO/IEC 7812-1", "4111 1111 1111 1111")
        }
        Entity::EmailAddress => (
            3,
            "E-mail address",
            &["GDPR", "CCPA"],
            "RFC 5321 section 4.1.2",
            "someone@example.com",
        ),
        Entity::IbanCode => (
            1,
            "International bank account number",
            &["GDPR", "GLBA"],
            "ISO 13616-1",
            "GB82 WEST 1234 5698 7654 32",
        ),
        Entity::PhoneNumber => (
            3,
            "Telephone number in international form",
            &["GDPR", "CCPA"],
            "ITU-T E.164",
            "+1 202-555-0123",
        ),
        Entity::UsSsn => (
            3,
            "United States social security number",
            &["CCPA", "HIPAA"],
            "SSA, 20 CFR 422.103",
            "078-05-1120",
        ),
    };
    About { entity, title, tier, tags, standard, example }
}
