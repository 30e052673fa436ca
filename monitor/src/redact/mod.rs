//! Takes the values of findings out of a text and leaves the text otherwise as it is, so that what
//! read it before reads it still. It reads and writes no file, and keeps no value.
//!
//! What is found in any reading of the text is taken out where it stands in the text, escapes and
//! all. A text that comes in pieces goes through a [`Stream`].

mod armour;
mod number;
mod replace;
mod stream;
mod strike;

pub use stream::Stream;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::detect::{DetectorId, Engine, Hit, KEY_BYTES, Key};
use crate::model::Confidence;
use strike::Strikes;

/// What stands for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `*` for each byte, separators as they are: the length stays.
    Mask,
    /// The entity and the fingerprint of the value: the same for the same value under one key.
    Token,
    /// The whole keyed hash of the value.
    Hash,
    /// The entity in brackets.
    Remove,
    /// What the detector shows of a value, such as its last four digits.
    Partly,
}

/// Which findings are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Which {
    /// The least confidence.
    pub min_confidence: Confidence,
    /// Whether published test values stay.
    pub keep_test_data: bool,
}

impl Default for Which {
    /// Every one.
    fn default() -> Which {
        Which { min_confidence: Confidence::Low, keep_test_data: false }
    }
}

/// What was taken out, and of how much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes in.
    pub bytes_in: u64,
    /// Bytes out.
    pub bytes_out: u64,
    /// Bytes that held more candidates than are looked at, and were struck out whole.
    pub bytes_struck: u64,
    /// Values taken out, by detector.
    pub values: BTreeMap<DetectorId, u64>,
}

/// Takes values out of texts. One serves many texts.
pub struct Redactor {
    engine: Engine,
    key: Key,
    mode: Mode,
    which: Which,
}

impl Redactor {
    /// One that takes out what `engine` finds and `which` asks for. `key` is for tokens and hashes.
    pub fn new(engine: Engine, key: Key, mode: Mode, which: Which) -> Redactor {
        Redactor { engine, key, mode, which }
    }

    /// One that shows of what `engine` finds what the detectors show.
    pub fn partly(engine: Engine) -> Redactor {
        Redactor::new(engine, Key::from_bytes([0; KEY_BYTES]), Mode::Partly, Which::default())
    }

    /// A short text without its values.
    pub fn strike(&self, text: &str) -> String {
        let mut redacted = Vec::with_capacity(text.len());
        let mut out = |bytes: &[u8]| redacted.extend_from_slice(bytes);
        let mut stream = Stream::new(self, false);
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        String::from_utf8_lossy(&redacted).into_owned()
    }

    /// The detectors.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn wants(&self, hit: &Hit) -> bool {
        hit.confidence >= self.which.min_confidence && !(hit.test_data && self.which.keep_test_data)
    }

    /// Writes `text` from `from` on without the values that `strikes` has of it, up to `to`, where
    /// no value of them goes on. Its first bytes, up to `from`, were written before.
    fn write(
        text: &[u8],
        from: usize,
        to: usize,
        strikes: &Strikes,
        counts: &mut Counts,
        out: &mut dyn FnMut(&[u8]),
    ) {
        let mut put = |bytes: &[u8], counts: &mut Counts| {
            if !bytes.is_empty() {
                counts.bytes_out += bytes.len() as u64;
                out(bytes);
            }
        };
        let mut at = from;
        for strike in strikes.list().iter().filter(|strike| strike.start < to) {
            if strike.end <= at {
                continue;
            }
            put(text.get(at..strike.start).unwrap_or_default(), counts);
            put(strikes.written(strike, at, to), counts);
            if strike.start >= from {
                for id in strikes.detectors(strike) {
                    *counts.values.entry(*id).or_default() += 1;
                }
            }
            at = if strike.in_parts { strike.end.min(to) } else { strike.end };
        }
        put(text.get(at..to).unwrap_or_default(), counts);
    }
}

/// Strikes out every finding of every usual detector in a short text, showing what the detectors show:
/// for command lines and the like before they are written anywhere, whatever the policy says.
pub fn partly(text: &str) -> String {
    // Built once: what is written often should not build the detectors each time.
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR.get_or_init(|| Redactor::partly(Engine::usual())).strike(text)
}
