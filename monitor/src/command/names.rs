//! Entities by name, as the options of several commands take them.

use std::str::FromStr;

use crate::model::Entity;
use crate::policy::suggest;

/// The entities of these names; empty for none.
///
/// # Errors
///
/// What is wrong with the first that is none, and what to write instead.
pub fn entities(names: &[String]) -> Result<Vec<Entity>, String> {
    names
        .iter()
        .map(|name| {
            Entity::from_str(name.trim()).map_err(|()| {
                let known: Vec<&str> = Entity::ALL.iter().map(|entity| entity.name()).collect();
                format!("--entities: no entity {name:?}; {}", suggest(name, &known, "entities"))
            })
        })
        .collect()
}
