//! What a `[[detector]]` looks for: a regular expression, literals or a dictionary, each within its
//! limits. Files are handed in; it opens none.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::RegexBuilder;

use super::Parser;
use crate::detect::{Dictionary, Matcher, WORDS_MAX};
use crate::limits::{
    CUSTOM_LITERAL_CHARS_MAX, CUSTOM_REGEX_BYTES_MAX, CUSTOM_REGEX_CHARS_MAX,
    CUSTOM_REGEX_DEPTH_MAX, DICTIONARY_BYTES_MAX, DICTIONARY_TERMS_MAX, POLICY_TEXT_CHARS_MAX,
};
use crate::policy::read::{self, Node, Section};
use crate::policy::words::quoted;

const CASES: [(&str, bool); 2] = [("exact", false), ("ignore", true)];
const EXAMPLE: &str = "regex = 'EMP-[0-9]{6}'";
/// What to do about a regex that does not compile.
const SYNTAX: &str = "the syntax is Rust's: no look-around, no backreferences, and a \\ before \
                      what is meant as itself";

impl Parser<'_> {
    /// The one of the three that is given.
    pub(super) fn matcher(&mut self, section: &Section<'_, '_>) -> Option<Matcher> {
        let given: Vec<(&str, &Node<'_>)> = ["regex", "literals", "dictionary"]
            .into_iter()
            .filter_map(|key| Some((key, section.get(key)?)))
            .collect();
        let case = self.word(section, "case", "cases", &CASES);
        let ignore_case = case.unwrap_or(false);
        match given.as_slice() {
            [] => {
                let wrong = "[[detector]] has no regex, literals or dictionary";
                let instead = format!("add one of them, such as {EXAMPLE}");
                self.problems.missing(section.span.clone(), wrong, instead);
                None
            }
            [("regex", node)] => self.regex(node, ignore_case),
            [("literals", node)] => self.literals(node, ignore_case),
            [(_, node)] => {
                if let Some(node) = section.get("case").filter(|_| case == Some(false)) {
                    let wrong = "case is \"exact\", and dictionaries know no case";
                    self.problems.error(node.span(), wrong, "leave it out, or use literals");
                }
                self.dictionary(node)
            }
            [(first, _), (second, node), ..] => {
                let wrong = format!("[[detector]] has both {first} and {second}");
                let instead = "leave one of them out, or make it a detector of its own";
                self.problems.error(node.span(), wrong, instead);
                None
            }
        }
    }

    fn regex(&mut self, node: &Node<'_>, ignore_case: bool) -> Option<Matcher> {
        let pattern = read::string(node, "regex", EXAMPLE, self.problems)?;
        let chars = pattern.chars().count();
        if chars > CUSTOM_REGEX_CHARS_MAX {
            let wrong = format!("regex is {chars} characters, limit is {CUSTOM_REGEX_CHARS_MAX}");
            self.problems.error(node.span(), wrong, "shorten it, or use literals or a dictionary");
            return None;
        }
        self.regex_parses(node, pattern, ignore_case)?;
        let built = RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .nest_limit(CUSTOM_REGEX_DEPTH_MAX)
            .size_limit(CUSTOM_REGEX_BYTES_MAX)
            .dfa_size_limit(CUSTOM_REGEX_BYTES_MAX)
            .build();
        match built {
            Ok(regex) => Some(Matcher::Regex(regex)),
            Err(regex::Error::CompiledTooBig(_)) => {
                let wrong = format!("regex compiles to more than {CUSTOM_REGEX_BYTES_MAX} bytes");
                let instead = "repeat less, and write [0-9] in place of \\d, [a-z] of \\w";
                self.problems.error(node.span(), wrong, instead);
                None
            }
            Err(error) => {
                self.no_regex(node.span(), &error.to_string());
                None
            }
        }
    }

    /// What the compiler does not say in words of the policy: where the pattern is wrong, and that it
    /// finds nothing.
    fn regex_parses(&mut self, node: &Node<'_>, pattern: &str, ignore_case: bool) -> Option<()> {
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .case_insensitive(ignore_case)
            .nest_limit(CUSTOM_REGEX_DEPTH_MAX)
            .build()
            .parse(pattern);
        let hir = match parsed {
            Ok(hir) => hir,
            Err(error) => {
                let (what, part) = match &error {
                    regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
                    regex_syntax::Error::Translate(error) => {
                        (error.kind().to_string(), error.span())
                    }
                    _ => {
                        self.no_regex(node.span(), &error.to_string());
                        return None;
                    }
                };
                let part = part.start.offset..part.end.offset;
                self.no_regex(part_of(self.text, node.span(), part), &what);
                return None;
            }
        };
        let (wrong, instead) = match hir.properties().minimum_len() {
            None => ("regex never matches", "write what a value looks like"),
            Some(0) => (
                "regex matches what is empty",
                "write what every value has, such as + in place of *",
            ),
            Some(_) => return Some(()),
        };
        self.problems.error(node.span(), wrong, instead);
        None
    }

    fn no_regex(&mut self, span: Range<usize>, what: &str) {
        self.problems.error(span, format!("regex: {what}"), SYNTAX);
    }

    fn literals(&mut self, node: &Node<'_>, ignore_case: bool) -> Option<Matcher> {
        let mut literals = Vec::new();
        let entries = read::list(node, "literals", "[\"Project Falcon\"]", self.problems);
        for entry in entries {
            let literal = read::text(entry, "literal", CUSTOM_LITERAL_CHARS_MAX, self.problems)?;
            literals.push(literal);
        }
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(ignore_case)
            .build(&literals);
        match built {
            _ if literals.is_empty() => None,
            Ok(automaton) => Some(Matcher::Literals(automaton)),
            Err(error) => {
                let wrong = format!("literals are too many or too long: {error}");
                self.problems.error(node.span(), wrong, "use a dictionary");
                None
            }
        }
    }

    fn dictionary(&mut self, node: &Node<'_>) -> Option<Matcher> {
        let path = read::text(node, "dictionary", POLICY_TEXT_CHARS_MAX, self.problems)?;
        let name = format!("dictionary {}", quoted(&path));
        let read = (self.files)(&path);
        let built = read.map_err(|why| {
            let instead = "put it beside the policy, or write its path from there";
            (format!("{name} cannot be read: {why}"), instead.to_owned())
        });
        let room = DICTIONARY_TERMS_MAX.saturating_sub(self.terms);
        match built.and_then(|bytes| terms(&name, &bytes, room)) {
            Ok(dictionary) => {
                self.terms += dictionary.len();
                Some(Matcher::Dictionary(dictionary))
            }
            Err((wrong, instead)) => {
                self.problems.error(node.span(), wrong, instead);
                None
            }
        }
    }
}

/// The terms of a dictionary file, at most `room`; else what is wrong with it, and what to do. No
/// term is told: the file is of what must not get out.
fn terms(name: &str, bytes: &[u8], room: usize) -> Result<Dictionary, (String, String)> {
    if bytes.len() > DICTIONARY_BYTES_MAX {
        let wrong = format!("{name} is larger than {DICTIONARY_BYTES_MAX} bytes");
        return Err((wrong, "shorten it".to_owned()));
    }
    let mut dictionary = Dictionary::default();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let Ok(line) = std::str::from_utf8(line) else {
            let wrong = format!("{name} is not UTF-8 in line {number}");
            return Err((wrong, "save the file as UTF-8".to_owned()));
        };
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if dictionary.len() >= room {
            let wrong = format!(
                "{name} has more terms than are left in line {number}, limit for all dictionaries \
                 is {DICTIONARY_TERMS_MAX}"
            );
            return Err((wrong, "shorten it".to_owned()));
        }
        if !dictionary.add(line) {
            let wrong = format!("{name} has a term in line {number} of no word or too many");
            return Err((wrong, format!("write 1 to {WORDS_MAX} words a line")));
        }
    }
    if dictionary.is_empty() {
        return Err((format!("{name} is empty"), "write one term a line".to_owned()));
    }
    Ok(dictionary)
}

/// Where a part of the value of a TOML string stands in `text`: the string may hold escapes.
fn part_of(text: &str, string: Range<usize>, part: Range<usize>) -> Range<usize> {
    let raw = text.get(string.clone()).unwrap_or("");
    let quote = raw.chars().next().unwrap_or('"');
    let triple = raw.len() >= 6 && raw.starts_with(&String::from(quote).repeat(3));
    let quotes = if triple { 3 } else { 1 };
    let inner = raw.get(quotes..raw.len().saturating_sub(quotes)).unwrap_or("");
    let skipped = match inner {
        // A newline right behind three quotes is none of the value.
        inner if triple && inner.starts_with("\r\n") => 2,
        inner if triple && inner.starts_with('\n') => 1,
        _ => 0,
    };
    let first = string.start + quotes + skipped;
    let inner = inner.get(skipped..).unwrap_or("");
    let (mut start, mut end) = (inner.len(), inner.len());
    let (mut at, mut value) = (0, 0);
    while let Some(rest) = inner.get(at..).filter(|rest| !rest.is_empty()) {
        if value <= part.start {
            start = at;
        }
        if value <= part.end {
            end = at;
        }
        let (written, means) = piece(rest, quote == '"');
        at += written;
        value += means;
    }
    if value <= part.end {
        end = inner.len();
    }
    if value <= part.start {
        start = inner.len();
    }
    first + start..first + end.max(start)
}

/// How many bytes the first piece of a string is written in, and how many it stands for.
fn piece(rest: &str, escapes: bool) -> (usize, usize) {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let Some(escape) = rest.strip_prefix('\\').filter(|_| escapes) else { return (first, first) };
    let hex = |digits: usize| {
        let code = escape.get(1..=digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match escape.chars().next() {
        Some('x') => hex(2),
        Some('u') => hex(4),
        Some('U') => hex(8),
        // The end of the line and what the next begins with are none of the value.
        Some(c) if c.is_whitespace() => (1 + escape.len() - escape.trim_start().len(), 0),
        Some(c) => (1 + c.len_utf8(), 1),
        None => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a dictionary where there is room for three terms.
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let (wrong, instead) = terms("dictionary \"names\"", bytes, 3).err().unwrap_or_default();
        assert_eq!(format!("{wrong}; {instead}"), format!("dictionary \"names\" {expected}"));
    }

    #[test]
    fn what_is_wrong_in_a_dictionary_is_told_by_its_line() {
        check(b"# none\n\n", "is empty; write one term a line");
        check(
            b"Jane\r\none two three four five six seven\n",
            "has a term in line 2 of no word or too many; write 1 to 6 words a line",
        );
        check(
            b"Jane\n---\n",
            "has a term in line 2 of no word or too many; write 1 to 6 words a line",
        );
        check(b"Jane\n\xff\n", "is not UTF-8 in line 2; save the file as UTF-8");
        check(
            b"Jane\nJoe\nJane\nJim\nJack\n",
            "has more terms than are left in line 5, limit for all dictionaries is 1000000; shorten it",
        );
        check(&vec![b'\n'; DICTIONARY_BYTES_MAX + 1], "is larger than 67108864 bytes; shorten it");
        let three = terms("", b"\xef\xbb\xbfJane Roe\r\n Joe #1 \n# a\nJim", 3);
        assert_eq!(three.map(|terms| terms.len()).ok(), Some(3));
    }
}
