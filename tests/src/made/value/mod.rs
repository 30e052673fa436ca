//! How to make a value of each entity, and the keys that such values are stored under. One file a
//! part of the world.

use super::Rng;

mod america;
mod asia;
mod europe;
mod general;
mod north;
mod paper;
mod secret;

/// Makes values of one entity.
pub struct Maker {
    /// The entity's name.
    pub entity: &'static str,
    /// Names of fields, as words in small letters with spaces between.
    pub keys: &'static [&'static str],
    /// A new value, as people write it.
    pub make: fn(&mut Rng) -> String,
}

/// A row of a table.
const fn maker(
    entity: &'static str,
    keys: &'static [&'static str],
    make: fn(&mut Rng) -> String,
) -> Maker {
    Maker { entity, keys, make }
}

/// Every maker.
pub fn makers() -> impl Iterator<Item = &'static Maker> {
    let tables = [
        general::MAKERS,
        america::MAKERS,
        europe::MAKERS,
        north::MAKERS,
        asia::MAKERS,
        paper::MAKERS,
        secret::MAKERS,
    ];
    tables.into_iter().flatten()
}

/// A day that somebody alive may be born on.
struct Birth {
    year: u64,
    month: u64,
    day: u64,
}

impl Birth {
    fn new(rng: &mut Rng) -> Birth {
        Birth { year: rng.within(1935, 2006), month: rng.within(1, 12), day: rng.within(1, 28) }
    }

    /// Between two years, both included.
    fn between(rng: &mut Rng, least: u64, greatest: u64) -> Birth {
        Birth { year: rng.within(least, greatest), ..Birth::new(rng) }
    }

    /// `yymmdd`
    fn yymmdd(&self) -> String {
        format!("{:02}{:02}{:02}", self.year % 100, self.month, self.day)
    }

    /// `ddmmyy`
    fn ddmmyy(&self) -> String {
        format!("{:02}{:02}{:02}", self.day, self.month, self.year % 100)
    }

    /// `yyyymmdd`
    fn yyyymmdd(&self) -> String {
        format!("{}{:02}{:02}", self.year, self.month, self.day)
    }
}

/// Draws until one is some.
fn until<T>(rng: &mut Rng, mut draw: impl FnMut(&mut Rng) -> Option<T>) -> T {
    loop {
        if let Some(drawn) = draw(rng) {
            return drawn;
        }
    }
}

/// The digit with which a weighed sum becomes a multiple of `modulus`, where it is one digit.
fn complement(sum: u32, modulus: u32) -> Option<char> {
    char::from_digit((modulus - sum % modulus) % modulus, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entity_is_made_once_and_has_keys() {
        let mut names: Vec<&str> = makers().map(|maker| maker.entity).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(makers().all(|maker| maker.keys.len() >= 2));
    }

    #[test]
    fn values_can_be_made() {
        let mut rng = Rng::new(1);
        for maker in makers() {
            for _ in 0..200 {
                let value = (maker.make)(&mut rng);
                assert!(!value.is_empty(), "{}", maker.entity);
            }
        }
    }
}
