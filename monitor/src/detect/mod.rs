//! Finds personal data in decoded text: where it stands, how sure that is, why, and what may be
//! shown of it. Text comes as bytes, may be cut at both ends and may hold binary.
//!
//! It decodes nothing, knows no policy beyond which entities are on, keeps nothing between texts,
//! does no I/O, and never copies a value.
//!
//! One pass looks for *anchors*, the bytes at which a value can be recognised: the first digit of a
//! group, `@`, `+`, `:`, the operator behind a key, and the beginnings of secrets. At each anchor
//! the detectors that can begin there look left and right and judge by what the entity's standard
//! says: range, length, check digits, written form. What passes is weighed with what stands around
//! it, the key it is stored under first. A detector is a row of data in [`table`].
//!
//! The kernel lets a send pass unseen where no hit can be: what shapes every hit has is written in
//! `capture/prefilter`. A detector that finds more than that makes the kernel blind to it.
#![forbid(unsafe_code)]

mod anchors;
mod brackets;
mod checksum;
mod columns;
mod custom;
mod detector;
mod evidence;
mod explain;
mod fields;
mod fingerprint;
mod forms;
mod headings;
mod index;
mod key;
mod keys;
mod lexicon;
mod mask;
mod pass;
mod probe;
mod proof;
mod readings;
mod set;
mod settle;
mod stream;
mod table;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use custom::{Check, Custom, Dictionary, Matcher, VALIDATORS, WORDS_MAX, validator};
pub use detector::{Detector, Find, Tier, Words};
pub use evidence::Reasons;
pub use explain::{Explained, Outcome};
pub use fields::{Fields, Learned, in_words};
pub use fingerprint::{KEY_BYTES, Key};
pub use proof::{PROVEN, tables as proof_tables};
pub use readings::Readings;
pub use settle::Reading;
pub use stream::{Stream, Window};

use std::sync::Arc;

use crate::limits::CUSTOM_DETECTORS_MAX;
use crate::model::{Confidence, Entity, Tags};
use index::Index;
use lexicon::{Lexicon, Terms};
use pass::Pass;
pub use probe::Table;

/// The table that a text is part of.
#[derive(Clone, Copy)]
pub struct TableOf<'t> {
    /// Its header.
    pub table: &'t Table,
    /// Whether the header is not in the text, which may begin in the middle of a row.
    pub goes_on: bool,
}

/// A detector of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DetectorId(u16);

impl DetectorId {
    fn built_in(index: usize) -> DetectorId {
        DetectorId(u16::try_from(index).unwrap_or(u16::MAX))
    }
}

/// A value in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// What, for [`Engine::entity`].
    pub detector: DetectorId,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// How sure.
    pub confidence: Confidence,
    /// The evidence for it, in decibans.
    pub score_db: i16,
    /// What speaks for and against it.
    pub reasons: Reasons,
    /// Whether it touches an end of the text, and so may go on beyond it.
    pub partial: bool,
    /// Whether it is one of the published test values of its kind.
    pub test_data: bool,
    /// The span of the key, column or field name that it is stored under, where there is one right
    /// before it. It may name nothing of interest.
    pub key: Option<(usize, usize)>,
    /// Another detector that claims the same bytes.
    pub rival: Option<DetectorId>,
}

/// Every built-in detector, in the order of [`DetectorId`]s.
pub fn detectors() -> &'static [Detector] {
    &table::DETECTORS
}

/// The built-in detector of an entity.
pub fn detector(entity: &str) -> Option<&'static Detector> {
    table::DETECTORS.iter().find(|row| row.entity == entity)
}

/// Whether a value without separators, letters in upper case, may have been issued. `None` where
/// there is no such detector, or it has no check.
pub fn is_valid(entity: &str, compact: &[u8]) -> Option<bool> {
    detector(entity)?.valid.map(|valid| valid(compact))
}

/// The detectors that are on. Built once per policy, shared by any number of threads.
pub struct Engine {
    lexicon: Lexicon,
    index: Index,
    customs: Vec<Arc<Custom>>,
    entities: Vec<Entity>,
}

impl Engine {
    /// An engine that finds `entities` and no other.
    pub fn new(entities: &[Entity]) -> Engine {
        Engine::with(|row| entities.iter().any(|entity| entity.name() == row.entity), &[])
    }

    /// An engine that finds everything but what is only looked for by name.
    pub fn usual() -> Engine {
        Engine::with(|row| !row.only_by_name, &[])
    }

    /// An engine that finds everything.
    pub fn all() -> Engine {
        Engine::with(|_| true, &[])
    }

    /// An engine with the built-in detectors that are `on`, and at most
    /// [`CUSTOM_DETECTORS_MAX`] of a policy.
    pub fn with(on: impl Fn(&Detector) -> bool, customs: &[Arc<Custom>]) -> Engine {
        Engine::reaching(on, customs, true)
    }

    /// As [`Engine::with`], and where not `wide` only in those ways that the shapes of the entities
    /// in the kernel's prefilter cover.
    pub fn reaching(on: impl Fn(&Detector) -> bool, customs: &[Arc<Custom>], wide: bool) -> Engine {
        let customs: Vec<Arc<Custom>> =
            customs.iter().take(CUSTOM_DETECTORS_MAX).cloned().collect();
        let rows: Vec<(usize, &Detector)> =
            table::DETECTORS.iter().enumerate().filter(|(_, row)| on(row)).collect();
        let terms = rows.iter().map(|(index, row)| (*index, Terms::BuiltIn(row.words)));
        let brought = customs.iter().enumerate();
        let brought = brought.map(|(at, custom)| (table::COUNT + at, Terms::Near(&custom.words)));
        let built_in = table::DETECTORS.iter().map(|row| Entity::of(row.entity));
        if rows.iter().any(|(_, row)| row.entity == table::LOADED) {
            table::load();
        }
        Engine {
            lexicon: Lexicon::new(terms.chain(brought)),
            index: Index::new(&rows, wide),
            entities: built_in.chain(customs.iter().map(|custom| custom.entity.clone())).collect(),
            customs,
        }
    }

    /// The entity of a hit.
    pub fn entity(&self, id: DetectorId) -> &Entity {
        static UNKNOWN: Entity = Entity::of("");
        self.entities.get(usize::from(id.0)).unwrap_or(&UNKNOWN)
    }

    /// The built-in detector of an entity, for what is asked of hits.
    pub fn id(&self, entity: &str) -> Option<DetectorId> {
        table::DETECTORS.iter().position(|row| row.entity == entity).map(DetectorId::built_in)
    }

    /// The built-in detector of a hit.
    pub fn detector(&self, id: DetectorId) -> Option<&'static Detector> {
        table::DETECTORS.get(usize::from(id.0))
    }

    /// The regulations that a hit falls under.
    pub fn tags(&self, id: DetectorId) -> Tags {
        match self.detector(id) {
            Some(row) => row.tag_set(),
            None => self.custom(id).map(|custom| custom.tags).unwrap_or_default(),
        }
    }

    /// What may be shown of a value; of one that is too short for its kind nothing is.
    pub fn mask(&self, id: DetectorId, value: &[u8]) -> String {
        self.detector(id).map_or_else(|| mask::nothing(value), |row| (row.mask)(value))
    }

    /// Hands on the bytes that are the same however a value is written.
    pub fn plain(&self, id: DetectorId, value: &[u8], out: &mut dyn FnMut(u8)) {
        match self.detector(id) {
            Some(row) => (row.plain)(value, out),
            None => mask::each(value, |_| true, &mut |byte| out(byte.to_ascii_lowercase())),
        }
    }

    fn custom(&self, id: DetectorId) -> Option<&Arc<Custom>> {
        usize::from(id.0).checked_sub(table::COUNT).and_then(|at| self.customs.get(at))
    }

    /// Appends the hits in `text` in order of their start, no two of them sharing a byte. Returns
    /// how many candidates were left out because there were more than [`HITS_PER_SAMPLE_MAX`](crate::limits::HITS_PER_SAMPLE_MAX).
    pub fn find(&self, text: &[u8], hits: &mut Vec<Hit>) -> usize {
        self.find_in(text, TableOf { table: &self.table(text), goes_on: false }, hits)
    }

    /// The table that a text begins with, for what goes on from it.
    pub fn table(&self, text: &[u8]) -> Table {
        Table::read(text, &self.lexicon)
    }

    /// As [`Engine::find`], in a text that is part of a table.
    pub fn find_in(&self, text: &[u8], table: TableOf<'_>, hits: &mut Vec<Hit>) -> usize {
        self.pass(text, table, hits, None, None)
    }

    /// As [`Engine::find`], in the fields of a message, with what they have held before.
    pub fn find_learned(
        &self,
        text: &[u8],
        learned: Option<Learned<'_>>,
        hits: &mut Vec<Hit>,
    ) -> usize {
        let table = TableOf { table: &self.table(text), goes_on: false };
        self.pass(text, table, hits, None, learned)
    }

    fn pass(
        &self,
        text: &[u8],
        table: TableOf<'_>,
        hits: &mut Vec<Hit>,
        seen: Option<&mut Vec<Explained>>,
        learned: Option<Learned<'_>>,
    ) -> usize {
        let first = hits.len();
        let cut = Pass::new(self, text, table, hits, seen).with(learned).run();
        settle::settle(hits, first);
        cut
    }
}
