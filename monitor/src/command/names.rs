//! Entities and tags by name, as the options of several commands take them, with those of a policy.

use std::path::Path;
use std::sync::Arc;

use super::policy;
use crate::detect::{Custom, Detector, Engine, detector, detectors};
use crate::model::{Tag, Tags};
use crate::policy::suggest;

/// The detectors that were asked for.
pub struct Chosen {
    /// Built-in ones.
    pub rows: Vec<&'static Detector>,
    /// Those of a policy.
    pub customs: Vec<Arc<Custom>>,
}

impl Chosen {
    /// The detectors, those of the policy `file` too, that are among `entities` and have one of
    /// `tags`; an empty list asks for all but what is only looked for by name.
    ///
    /// # Errors
    ///
    /// What is wrong with the policy, as `policy check` says it; or with the first name that is none,
    /// and what to write instead; or that nothing is left.
    pub fn new(
        entities: &[String],
        tags: &[String],
        file: Option<&Path>,
    ) -> Result<Chosen, String> {
        let customs = file.map(policy::detectors).transpose()?.unwrap_or_default();
        let of_name = |name: &String| {
            Tag::from_name(&name.trim().to_ascii_uppercase()).ok_or_else(|| {
                let known: Vec<&str> = Tag::NAMES.iter().map(|(name, _)| *name).collect();
                format!("--tags: no tag {name:?}; {}", suggest(name, &known, "tags"))
            })
        };
        let own = |name: &str| customs.iter().any(|custom| custom.entity.name() == name);
        let is_unknown = |name: &&String| detector(name.trim()).is_none() && !own(name.trim());
        if let Some(name) = entities.iter().find(is_unknown) {
            let own = customs.iter().map(|custom| custom.entity.name());
            return Err(format!("--entities: {}", unknown_among(name, own)));
        }
        let tags: Vec<Tag> = tags.iter().map(of_name).collect::<Result<_, _>>()?;
        let wanted = Tags::of(&tags);
        let named = |entity: &str| entities.iter().any(|name| name.trim() == entity);
        let tagged = |of: Tags| tags.is_empty() || of.meets(wanted);
        let rows = detectors().iter().filter(|row| {
            let by_name = if entities.is_empty() { !row.only_by_name } else { named(row.entity) };
            by_name && tagged(row.tag_set())
        });
        let rows: Vec<&'static Detector> = rows.collect();
        let mut customs = customs;
        customs.retain(|custom| {
            (entities.is_empty() || named(custom.entity.name())) && tagged(custom.tags)
        });
        if rows.is_empty() && customs.is_empty() {
            return Err("--entities and --tags leave nothing to look for; leave one out".into());
        }
        Ok(Chosen { rows, customs })
    }

    /// An engine of them.
    pub fn engine(&self) -> Engine {
        let on = |row: &Detector| self.rows.iter().any(|known| known.entity == row.entity);
        Engine::with(on, &self.customs)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.customs.iter().map(|custom| custom.entity.name());
        self.rows.iter().map(|row| row.entity).chain(own)
    }
}

/// Says of a name that it is no entity's, and what to write instead.
pub fn unknown(name: &str) -> String {
    unknown_among(name, std::iter::empty())
}

fn unknown_among<'a>(name: &str, own: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = detectors().iter().map(|row| row.entity).chain(own).collect();
    format!("no entity {name:?}; {}", suggest(name, &known, "entities"))
}
