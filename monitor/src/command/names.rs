//! Entities and tags by name, as the options of several commands take them.

use crate::detect::{Detector, Engine, detector, detectors};
use crate::model::{Entity, Tag, Tags};
use crate::policy::suggest;

/// An engine of [`rows`].
///
/// # Errors
///
/// Those of [`rows`].
pub fn engine(entities: &[String], tags: &[String]) -> Result<Engine, String> {
    if entities.is_empty() && tags.is_empty() {
        return Ok(Engine::usual());
    }
    Ok(Engine::new(&entities_of(&rows(entities, tags)?)))
}

/// The entities of detectors.
pub fn entities_of(rows: &[&'static Detector]) -> Vec<Entity> {
    rows.iter().map(|row| Entity::of(row.entity)).collect()
}

/// The detectors that are among `entities` and have one of `tags`; an empty list asks for all but
/// what is only looked for by name.
///
/// # Errors
///
/// What is wrong with the first name that is none, and what to write instead; or that nothing is
/// left.
pub fn rows(entities: &[String], tags: &[String]) -> Result<Vec<&'static Detector>, String> {
    if let Some(name) = entities.iter().find(|name| detector(name.trim()).is_none()) {
        return Err(format!("--entities: {}", unknown(name)));
    }
    let of_name = |name: &String| {
        Tag::from_name(&name.trim().to_ascii_uppercase()).ok_or_else(|| {
            let known: Vec<&str> = Tag::NAMES.iter().map(|(name, _)| *name).collect();
            format!("--tags: no tag {name:?}; {}", suggest(name, &known, "tags"))
        })
    };
    let tags: Vec<Tag> = tags.iter().map(of_name).collect::<Result<_, _>>()?;
    let wanted = Tags::of(&tags);
    let named = |entity: &str| entities.iter().any(|name| name.trim() == entity);
    let rows = detectors().iter().filter(|row| {
        let by_name = if entities.is_empty() { !row.only_by_name } else { named(row.entity) };
        by_name && (tags.is_empty() || row.tag_set().meets(wanted))
    });
    let rows: Vec<&'static Detector> = rows.collect();
    if rows.is_empty() {
        return Err("--entities and --tags leave nothing to look for; leave one out".into());
    }
    Ok(rows)
}

/// Says of a name that it is no entity's, and what to write instead.
pub fn unknown(name: &str) -> String {
    let known: Vec<&str> = detectors().iter().map(|row| row.entity).collect();
    format!("no entity {name:?}; {}", suggest(name, &known, "entities"))
}
