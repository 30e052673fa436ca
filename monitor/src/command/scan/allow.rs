//! Comments in a content that allow a finding: `egress-monitor:allow <reason>`, or for some entities
//! only, `egress-monitor:allow[CREDIT_CARD] <reason>`. Such a comment counts for the findings of its
//! own line; where there are none, for those of the next. It reads no files.

use std::ops::Range;
use std::sync::OnceLock;

use memchr::memmem::Finder;

use crate::limits::{SCAN_ALLOWS_MAX, SCAN_REASON_CHARS_MAX};

/// What such a comment begins with.
pub const MARK: &str = "egress-monitor:allow";

/// A comment that allows.
#[derive(Debug, PartialEq, Eq)]
pub struct Allow {
    /// Where it begins.
    pub at: usize,
    /// Its line.
    line: Range<usize>,
    /// The line after it.
    next: Range<usize>,
    /// The entities, empty for all.
    entities: Vec<String>,
    /// Why; empty where no reason is given, and then it allows nothing.
    pub reason: String,
    /// Whether something of its own line is what it counts for.
    own: bool,
}

/// The comments in a text.
pub fn allows(text: &[u8]) -> Vec<Allow> {
    static MARKS: OnceLock<Finder<'static>> = OnceLock::new();
    let marks = MARKS.get_or_init(|| Finder::new(MARK));
    marks.find_iter(text).take(SCAN_ALLOWS_MAX).filter_map(|at| allow(text, at)).collect()
}

fn allow(text: &[u8], at: usize) -> Option<Allow> {
    let line = line(text, at);
    let next = match text.get(line.end) {
        Some(_) => self::line(text, line.end.saturating_add(1)),
        None => line.end..line.end,
    };
    let rest = text.get(at.saturating_add(MARK.len())..line.end)?;
    let (entities, rest) = match rest.strip_prefix(b"[") {
        Some(rest) => {
            let (names, rest) = rest.split_at(memchr::memchr(b']', rest)?);
            let names = String::from_utf8_lossy(names);
            let names = names.split(',').map(|name| name.trim().to_owned());
            (names.filter(|name| !name.is_empty()).collect(), rest.get(1..)?)
        }
        None => (Vec::new(), rest),
    };
    // `egress-monitor:allowed` is another word.
    if rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte)) {
        return None;
    }
    Some(Allow { at, line, next, entities, reason: reason(rest), own: false })
}

/// The line that holds the byte at `at`, without its end.
fn line(text: &[u8], at: usize) -> Range<usize> {
    let before = text.get(..at).unwrap_or(text);
    let after = text.get(at..).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |end| end.saturating_add(1));
    let end = memchr::memchr(b'\n', after).map_or(text.len(), |end| at.saturating_add(end));
    start.min(end)..end
}

/// What is left of a comment without what ends it, in `*/`, `-->`, `#}` and the like.
fn reason(rest: &[u8]) -> String {
    let text = String::from_utf8_lossy(rest);
    let ends = |letter: char| letter.is_whitespace() || "*/->#}%\"'`,;)".contains(letter);
    let text = text.trim_start_matches([' ', '\t', ':', '-']).trim_end_matches(ends);
    if !text.chars().any(char::is_alphanumeric) {
        return String::new();
    }
    text.chars().filter(|letter| !letter.is_control()).take(SCAN_REASON_CHARS_MAX).collect()
}

impl Allow {
    fn names(&self, entity: &str) -> bool {
        self.entities.is_empty() || self.entities.iter().any(|name| name == entity)
    }

    fn on(&self, range: &Range<usize>, start: usize, entity: &str) -> bool {
        range.start <= start && start < range.end && self.names(entity)
    }

    /// Entities that it names and that there are none of.
    pub fn unknown<'a>(&'a self, known: &'a [String]) -> impl Iterator<Item = &'a str> {
        self.entities
            .iter()
            .map(String::as_str)
            .filter(|name| !known.iter().any(|known| known == name))
    }
}

/// Those whose line or next line holds `start`; they stand in the order of their lines.
fn near(allows: &[Allow], start: usize) -> Range<usize> {
    let first = allows.partition_point(|allow| allow.next.end <= start);
    let end = allows.partition_point(|allow| allow.line.start <= start);
    first.min(end)..end
}

/// Notes for which comments something stands on their own line. `findings` are starts and entities.
pub fn settle<'a>(allows: &mut [Allow], findings: impl Iterator<Item = (usize, &'a str)>) {
    for (start, entity) in findings {
        let near = near(allows, start);
        for allow in allows.get_mut(near).unwrap_or_default() {
            allow.own |= allow.on(&allow.line, start, entity);
        }
    }
}

/// The comment that allows a finding, with or without a reason.
pub fn allowing<'a>(allows: &'a [Allow], start: usize, entity: &str) -> Option<&'a Allow> {
    let near = allows.get(near(allows, start)).unwrap_or_default();
    let counts = |allow: &&Allow| {
        allow.on(&allow.line, start, entity) || !allow.own && allow.on(&allow.next, start, entity)
    };
    let reasoned = near.iter().filter(counts).find(|allow| !allow.reason.is_empty());
    reasoned.or_else(|| near.iter().find(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `V` stands for a finding of `CARD`, `W` for one of `MAIL`: the reasons by which they are
    /// allowed, `-` where they are not.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut allows = allows(text.as_bytes());
        let found: Vec<(usize, &str)> = text
            .match_indices(['V', 'W'])
            .map(|(at, letter)| (at, if letter == "V" { "CARD" } else { "MAIL" }))
            .collect();
        settle(&mut allows, found.iter().copied());
        let reasons: Vec<&str> = found
            .iter()
            .map(|(start, entity)| {
                allowing(&allows, *start, entity).map_or("-", |allow| allow.reason.as_str())
            })
            .collect();
        assert_eq!(reasons, expected, "{text}");
    }

    #[test]
    fn a_comment_counts_for_its_line_or_the_next() {
        check("x = V // egress-monitor:allow made up", &["made up"]);
        check("# egress-monitor:allow made up\nx = V\nx = V", &["made up", "-"]);
        check("x = V # egress-monitor:allow this\nx = V", &["this", "-"]);
        check("x = V\n# egress-monitor:allow after", &["-"]);
        check("/* egress-monitor:allow: both */\r\nV V", &["both", "both"]);
    }

    #[test]
    fn a_reason_is_needed_and_what_ends_a_comment_is_none() {
        for end in ["", " ", " */", " -->", ":", " - ", " #}"] {
            check(&format!("V egress-monitor:allow{end}"), &[""]);
        }
        check("<!-- egress-monitor:allow from the docs -->\nV", &["from the docs"]);
        check("V egress-monitor:allowed it", &["-"]);
        check("V egress-monitor:allow[CARD it", &["-"]);
    }

    #[test]
    fn a_comment_may_name_entities() {
        check("V W # egress-monitor:allow[CARD] a", &["a", "-"]);
        check("V W # egress-monitor:allow[CARD, MAIL] b", &["b", "b"]);
        check("W # egress-monitor:allow[CARD] next\nV W", &["-", "next", "-"]);
        let text = b"egress-monitor:allow[CARD,NONE] x";
        assert_eq!(allows(text)[0].unknown(&["CARD".to_owned()]).collect::<Vec<_>>(), ["NONE"]);
    }
}
