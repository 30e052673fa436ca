//! Which brackets are open at a place of a text: the objects and arrays that a value stands in. It
//! reads forward, each byte once while the places asked for go forward, and knows no format: a
//! bracket in a string counts like any other.

use super::set::Set;
use super::text::{HIGH, LOW, byte};

/// Bytes before a place in which an open bracket counts.
pub(super) const PATH_BYTES_MAX: usize = 1024;
/// Keys above a value that are looked at.
pub(super) const PATH_KEYS_MAX: usize = 6;
/// Brackets that are open at one time; of more the outer ones are forgotten.
const DEPTH_MAX: usize = 64;

/// A bracket that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    /// Where it stands.
    pub at: usize,
    /// The span of the key before it, once that was asked for, and what that key names.
    pub key: Option<(Option<(usize, usize)>, Set)>,
}

/// The brackets that are open at a place.
#[derive(Default)]
pub(super) struct Brackets {
    open: Vec<Open>,
    /// Where the last bracket was that opened or closed.
    last: usize,
    /// Up to where the text was read.
    upto: usize,
}

impl Brackets {
    /// Reads on to `at`; from before it, where something was closed since.
    pub fn seek(&mut self, text: &[u8], at: usize) {
        if at < self.last {
            self.open.clear();
            self.last = 0;
            self.upto = at.saturating_sub(PATH_BYTES_MAX);
        }
        if at <= self.upto {
            return;
        }
        let far = at.saturating_sub(PATH_BYTES_MAX);
        if self.upto < far {
            // What is further back does not count.
            self.open.clear();
            self.upto = far;
        }
        let mut here = self.upto;
        let rest = text.get(here..at).unwrap_or_default();
        let mut words = rest.chunks_exact(8);
        for word in &mut words {
            let word = <[u8; 8]>::try_from(word).map_or(0, u64::from_le_bytes);
            let mut found = brackets(word);
            while found != 0 {
                self.add(text, here + found.trailing_zeros() as usize / 8);
                found &= found - 1;
            }
            here += 8;
        }
        for place in here..here + words.remainder().len() {
            self.add(text, place);
        }
        self.upto = at;
    }

    fn add(&mut self, text: &[u8], at: usize) {
        match byte(text, at) {
            b'{' | b'[' => {
                if self.open.len() == DEPTH_MAX {
                    self.open.remove(0);
                }
                self.open.push(Open { at, key: None });
            }
            b'}' | b']' => {
                self.open.pop();
            }
            _ => return,
        }
        self.last = at;
    }

    /// The brackets that count at `at`, up to where the text was read: the innermost first.
    pub fn above(&mut self, at: usize) -> impl Iterator<Item = &mut Open> {
        let floor = at.saturating_sub(PATH_BYTES_MAX);
        let nearest = self.open.iter_mut().rev().take(PATH_KEYS_MAX);
        nearest.take_while(move |open| open.at >= floor)
    }
}

/// The highest bit of each byte that may be one of `[`, `]`, `{` and `}`.
fn brackets(word: u64) -> u64 {
    // With these bits set both pairs are 0x7F, and so are Y, _, y and DEL.
    let other = (word | (LOW * 0x26)) ^ (LOW * 0x7F);
    // A byte that is 0 here; one above it may be told wrongly, which `add` looks at again.
    other.wrapping_sub(LOW) & !other & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, asked: &[(usize, &[usize])]) {
        let mut brackets = Brackets::default();
        for (at, open) in asked {
            brackets.seek(text.as_bytes(), *at);
            let found: Vec<usize> = brackets.open.iter().map(|open| open.at).collect();
            assert_eq!(found, *open, "{text} at {at}");
        }
    }

    #[test]
    fn what_is_open_at_a_place_is_known_in_any_order() {
        let text = r#"{"a":[{"b":1},{"yY_":22}],"c":}"#;
        check(text, &[(0, &[]), (1, &[0]), (11, &[0, 5, 6]), (13, &[0, 5])]);
        check(text, &[(21, &[0, 5, 14]), (11, &[0, 5, 6]), (30, &[0]), (31, &[])]);
        check("]}x", &[(3, &[])]);
        let far = format!("{{{}{{", " ".repeat(PATH_BYTES_MAX));
        check(&far, &[(far.len(), &[far.len() - 1])]);
    }
}
