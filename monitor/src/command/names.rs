//! Entities and tags by name, as the options of several commands take them.

use crate::detect::{Engine, detector, detectors};
use crate::model::{Entity, Tag, Tags};
use crate::policy::suggest;

/// An engine of the detectors that are among `entities` and have one of `tags`; an empty list asks
/// for all but what is only looked for by name.
///
/// # Errors
///
/// What is wrong with the first name that is none, and what to write instead.
pub fn engine(entities: &[String], tags: &[String]) -> Result<Engine, String> {
    if entities.is_empty() && tags.is_empty() {
        return Ok(Engine::usual());
    }
    let known: Vec<&str> = detectors().iter().map(|row| row.entity).collect();
    if let Some(name) = entities.iter().find(|name| detector(name.trim()).is_none()) {
        return Err(format!(
            "--entities: no entity {name:?}; {}",
            suggest(name, &known, "entities")
        ));
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
    Ok(Engine::new(&rows.map(|row| Entity::of(row.entity)).collect::<Vec<_>>()))
}
