//! Personal data that nobody has, and machine traffic that holds none, made from a seed: what the
//! detectors are tested and judged with. It knows the formats by their standards and asks nothing of
//! the detectors, so that the two can disagree.
//!
//! None of the values is a published test value on purpose. Some may by chance be somebody's: they
//! are drawn by lot, like every example number that is valid.

pub mod check;
pub mod record;
mod rng;
pub mod traffic;
mod value;

pub use rng::Rng;
pub use value::{Maker, makers};
