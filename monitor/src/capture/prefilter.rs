//! Builds the automaton of the kernel's prefilter, and runs the same scan in user space for tests
//! and recordings. What its patterns say is a promise to the detectors: whatever they find, plain
//! or in an encoding that the decoders undo, has one of these shapes in the bytes that were sent.
//!
//! It does not find anything: it only tells what cannot hold a finding.

use monitor_ebpf::{
    TABLE_ENTRIES, TAIL_BYTES,
    prefilter::{BASE, LOOK_BACK_WORDS, Wake, digits, run_is_long, stirs, wakes},
};
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson,
    util::{primitives::StateID, start, syntax},
};
use thiserror::Error;

/// One necessary shape: its name, what needs it, and the pattern over raw bytes. `SEP` is a
/// separator that is escaped or not ASCII: space, hyphen, dot, plus, parentheses, NBSP, the dashes
/// and spaces of U+2000 to U+203F, each byte of them as it is or escaped.
const SHAPES: &[(&str, &str)] = &[
    // EMAIL_ADDRESS. And a digit or a letter that somebody took the trouble to escape, or an escape
    // that is escaped: no encoder does that of its own accord, so such a text is looked at whatever
    // follows.
    (
        "escape",
        r"@|%(?:40|5[cC]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])|\\u00(?:40|25|5[cC]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    ),
    // CREDIT_CARD and US_SSN with other separators than those below.
    ("separator", r"[0-9]SEP[0-9]"),
    // PHONE_NUMBER with its plus escaped.
    ("plus", r"(?:%2[bB]|\\u002[bB])(?:[(]|%28|\\u0028)?[1-9]"),
    // CREDIT_CARD: thirteen digits, at most one separator between two of them.
    ("card", r"[0-9](?:[ \-.+]?[0-9]){12}"),
    // US_SSN as it is written. Undashed, it is a run of exactly nine digits: see [`Run`].
    ("ssn", r"[0-9]{3}[ \-.+][0-9]{2}[ \-.+][0-9]{4}"),
    // PHONE_NUMBER in international form.
    ("phone", r"\+(?:[(]?[1-9][0-9() .\-]{6}|(?:[(]?[1-9][0-9() .\-]{0,5})?SEP)"),
    // IBAN_CODE: country, check digits, and the beginning of the account.
    ("iban", r"[A-Z][A-Z][0-9][0-9](?:[A-Z0-9 .+\-]{6}|[A-Z0-9 .+\-]{0,5}SEP[0-9A-Z])"),
    // IBAN_CODE cut between its country and its check digits by such a boundary as below, with an
    // extension so long that the scan does not look back as far as the country.
    ("line", r"\r\n[A-Z]?[0-9][0-9](?:[A-Z0-9]{6}|[ .+\-][A-Z0-9]{4})"),
    // A boundary of chunked transfer (RFC 9112, 7.1) where any of these may be cut in two.
    ("chunk", r"[0-9A-Za-f+%\\(). \-u\xC2\xA0\xE2\x80-\xBF]\r\n[0-9A-Fa-f]{1,8}[;\r]"),
];

/// What `SEP` stands for in [`SHAPES`].
const SEPARATOR: &str = r"(?:%(?:2[0bBdDeE89]|[aA]0)|\\u(?:002[0bBdDeE89]|00[aA]0|20[0-3][0-9A-Fa-f])|(?:\xC2|%[cC]2)(?:\xA0|%[aA]0)|(?:\xE2|%[eE]2)(?:\x80|%80)(?:[\x80-\xBF]|%[89abAB][0-9A-Fa-f]))";

/// How many digits directly precede, up to one more than an undashed US_SSN has. Kept beside the
/// pattern's state, because a pattern cannot say "nine digits and no digit before them" without a
/// state for "no digit before", and then there would be no base state to rest in.
type Run = u8;

/// Digits of an undashed US_SSN.
const RUN_DIGITS: Run = 9;

/// Why the automaton could not be built. A bug for the built-in shapes; later, a policy that asks
/// for too many literals.
#[derive(Debug, Error)]
pub enum PrefilterError {
    /// The pattern does not compile.
    #[error("prefilter pattern: {0}")]
    Pattern(String),
    /// More states than the kernel's table holds.
    #[error("prefilter needs {needed} table entries, limit is {TABLE_ENTRIES}")]
    TooLarge {
        /// States times classes.
        needed: usize,
    },
}

/// The automaton, as `monitor_ebpf::prefilter::Table` lays it out.
pub struct Prefilter {
    class: [u8; 256],
    next: Vec<u16>,
    hit: u16,
    end_class: u16,
    states: usize,
}

impl Prefilter {
    /// Builds the automaton for all built-in shapes.
    pub fn new() -> Result<Prefilter, PrefilterError> {
        let pattern: Vec<String> = SHAPES
            .iter()
            .map(|(_, pattern)| format!("(?:{})", pattern.replace("SEP", SEPARATOR)))
            .collect();
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Unanchored)
                    .dfa_size_limit(Some(16 << 20)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .build(&pattern.join("|"))
            .map_err(|error| PrefilterError::Pattern(error.to_string()))?;
        Prefilter::lay_out(&dfa)
    }

    /// Numbers the states from the start state, in rows of one entry per class and one for the end
    /// of the text; all matches become one state.
    fn lay_out(dfa: &dense::DFA<Vec<u32>>) -> Result<Prefilter, PrefilterError> {
        let start = dfa
            .start_state(&start::Config::new().anchored(Anchored::No))
            .map_err(|error| PrefilterError::Pattern(error.to_string()))?;
        let mut rows: Vec<(StateID, Run)> = vec![(start, 0)];
        let mut numbers = std::collections::HashMap::from([((start, 0), 0usize)]);
        let mut at = 0;
        let mut edges: Vec<[Option<usize>; 257]> = Vec::new();
        while at < rows.len() {
            let mut row = [None; 257];
            let (state, run) = rows[at];
            for (symbol, edge) in row.iter_mut().enumerate() {
                let digit = (0x30..=0x39).contains(&symbol);
                let next = match u8::try_from(symbol) {
                    Ok(byte) => dfa.next_state(state, byte),
                    Err(_) => dfa.next_eoi_state(state),
                };
                if dfa.is_match_state(next) || (run == RUN_DIGITS && !digit) {
                    continue;
                }
                let run = if digit { (run + 1).min(RUN_DIGITS + 1) } else { 0 };
                // Behind the end there is nothing: the next text begins where this one stopped.
                *edge = Some(if symbol == 256 {
                    0
                } else {
                    *numbers.entry((next, run)).or_insert_with(|| {
                        rows.push((next, run));
                        rows.len() - 1
                    })
                });
            }
            edges.push(row);
            at += 1;
        }
        Prefilter::pack(&edges)
    }

    /// Lays the states out as the kernel's table; those that behave alike become one.
    fn pack(edges: &[[Option<usize>; 257]]) -> Result<Prefilter, PrefilterError> {
        let (class, firsts) = classes(edges);
        let (group, groups) = merge(edges, &firsts);
        let stride = firsts.len() + 1;
        let needed = (groups + 1) * stride;
        if needed > TABLE_ENTRIES {
            return Err(PrefilterError::TooLarge { needed });
        }
        let index = |group: usize| (group * stride) as u16;
        let hit = index(groups);
        let mut next = vec![hit; TABLE_ENTRIES];
        for (row, edges) in edges.iter().enumerate() {
            let at = group[row] * stride;
            for (entry, &symbol) in firsts.iter().chain(&[256]).enumerate() {
                next[at + entry] = edges[symbol].map_or(hit, |row| index(group[row]));
            }
        }
        Ok(Prefilter { class, next, hit, end_class: firsts.len() as u16, states: groups + 1 })
    }

    /// The map's value, byte for byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_of::<monitor_ebpf::prefilter::Table>());
        bytes.extend(self.class);
        for entry in self.next.iter().chain(&[self.hit, self.end_class, 0, 0]) {
            bytes.extend(entry.to_ne_bytes());
        }
        bytes
    }

    /// States, the one that says hit included.
    pub fn states(&self) -> usize {
        self.states
    }

    fn advance(&self, state: u16, bytes: &[u8]) -> u16 {
        bytes.iter().fold(state, |state, &byte| {
            let at = state.wrapping_add(u16::from(self.class[usize::from(byte)]));
            self.next[usize::from(at)]
        })
    }

    /// The scan of one text as the kernel does it: behind `before`, which was scanned to `state`.
    /// Gives whether the text may hold a finding, and the state behind it.
    pub fn scan(&self, state: u16, before: &[u8], text: &[u8]) -> (bool, u16) {
        let mut tail = [0u8; TAIL_BYTES];
        let kept = before.len().min(TAIL_BYTES);
        tail[TAIL_BYTES - kept..].copy_from_slice(&before[before.len() - kept..]);
        let joined = [&tail[..], text].concat();
        let word = |at: usize| -> u64 {
            let bytes = joined.get(at..joined.len().min(at + 8)).unwrap_or_default();
            let mut padded = [0u8; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(padded)
        };
        let mut state = state;
        let mut quiet = LOOK_BACK_WORDS;
        let mut at = TAIL_BYTES;
        while at < joined.len() {
            let end = joined.len().min(at + 8);
            if state == BASE {
                let near = |bytes: isize| word(at.saturating_add_signed(bytes));
                let wake = match at + 16 <= joined.len() {
                    _ if !stirs(word(at)) => Wake::No,
                    true => match wakes(word(at - 8), word(at), word(at + 8)) {
                        Wake::Digits if !run_is_long([-8, 0, 8, 16].map(near)) => Wake::No,
                        wake => wake,
                    },
                    // What follows in the next send may go on with any digit.
                    false => Wake::All,
                };
                let has_digits = |back: &usize| digits(word(at - 8 * back)) != 0;
                let back = match wake {
                    Wake::No => {
                        quiet = (quiet + 1).min(LOOK_BACK_WORDS);
                        at = end;
                        continue;
                    }
                    Wake::Digits => (1..=quiet).take_while(has_digits).count(),
                    Wake::All => quiet,
                };
                state = self.advance(state, &joined[at - 8 * back..at]);
            }
            state = self.advance(state, &joined[at..end]);
            if state == self.hit {
                return (true, state);
            }
            quiet = 0;
            at = end;
        }
        let end = self.next[usize::from(state.wrapping_add(self.end_class))];
        (state == self.hit || end == self.hit, state)
    }

    /// Whether a text alone may hold a finding.
    pub fn passes(&self, text: &[u8]) -> bool {
        self.scan(BASE, &[], text).0
    }
}

/// Bytes that all states treat alike are of one class: the class of each byte, and the first byte
/// of each class.
fn classes(edges: &[[Option<usize>; 257]]) -> ([u8; 256], Vec<usize>) {
    let mut class = [0u8; 256];
    let mut firsts: Vec<usize> = Vec::new();
    for symbol in 0..256 {
        let same = |&first: &usize| edges.iter().all(|row| row[first] == row[symbol]);
        let number = firsts.iter().position(same).unwrap_or_else(|| {
            firsts.push(symbol);
            firsts.len() - 1
        });
        class[symbol] = number as u8;
    }
    (class, firsts)
}

/// Puts states in groups that behave alike (Moore's algorithm): the group of each, and how many.
/// The first state is in group 0.
fn merge(edges: &[[Option<usize>; 257]], firsts: &[usize]) -> (Vec<usize>, usize) {
    let (mut group, mut groups) = (vec![0; edges.len()], 1);
    loop {
        let mut numbers = std::collections::HashMap::new();
        let split = edges.iter().zip(&group).map(|(row, own)| {
            let ways = firsts.iter().chain(&[256]).map(|&symbol| row[symbol]);
            let ways = ways.map(|to| to.map_or(usize::MAX, |to| group[to]) as u32);
            let key: Vec<u32> = std::iter::once(*own as u32).chain(ways).collect();
            let number = numbers.len();
            *numbers.entry(key).or_insert(number)
        });
        let split: Vec<usize> = split.collect();
        if numbers.len() == groups {
            return (split, groups);
        }
        (group, groups) = (split, numbers.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| Prefilter::new().unwrap());

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let prefilter = &*PREFILTER;
        for lead in 0..17 {
            let text = [&vec![b'x'; lead][..], b" ", text.as_bytes()].concat();
            assert_eq!(prefilter.passes(&text), expected, "{:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn shapes_of_findings_pass_at_every_alignment() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111.1111+1111",
            "219-09-9999",
            "219099999 ",
            "219099999",
            "bob@example.org",
            "bob%40example.org",
            "bob\\u0040example.org",
            "+1 (415) 555-2671",
            "%2B14155552671",
            "DE89370400440532013000",
            "GI75NWBK000000007099453",
            "KZ86 ABCDEFGHIJKLMNOP",
            "%34111",
            "4111%201111",
            "4\u{a0}1",
            "4\r\n5\r\n111",
            "DE\r\na\r\n89ABCDEFGH",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn machine_traffic_is_passed_over() {
        for text in [
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 08:02:18 GMT\r\n\
             Content-Type: text/html\r\nContent-Length: 615\r\nETag: \"6740f1a2-267\"\r\n\r\n",
            "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\n\r\n",
            "2026-11-24 08:02:18",
            "2026-11-24T08:02:18Z",
            "1795507338",
            "{\"a\":12345678,\"b\":\"3e25960a-79db\"}",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn a_card_with_any_separators_passes_wherever_it_stands_and_is_cut() {
        let prefilter = &*PREFILTER;
        for separators in 0..1 << 12 {
            let digit =
                |at: usize| if at > 0 && separators >> (at - 1) & 1 == 1 { "-1" } else { "1" };
            let card: String = (0..13).map(digit).collect();
            for lead in 0..8 {
                let text = [&"xxxxxxxx "[8 - lead..], &card, " and"].concat().into_bytes();
                assert!(prefilter.passes(&text), "{card} at {lead}");
                let cut = lead + 1 + separators % card.len();
                let (first, state) = prefilter.scan(BASE, b"", &text[..cut]);
                let (second, _) = prefilter.scan(state, &text[..cut], &text[cut..]);
                assert!(first || second, "{card} at {lead}, cut at {cut}");
            }
        }
    }

    #[test]
    fn a_shape_split_over_two_texts_at_any_place_passes_at_the_second() {
        let prefilter = &*PREFILTER;
        let text = b"{\"card\":\"4111-1111-1111-1111\"}";
        for cut in 0..text.len() {
            let (first, state) = prefilter.scan(BASE, b"", &text[..cut]);
            let (second, _) = prefilter.scan(state, &text[..cut], &text[cut..]);
            assert!(first || second, "cut at {cut}");
        }
    }

    #[test]
    fn the_table_fits_with_room_to_spare() {
        let prefilter = &*PREFILTER;
        let used = prefilter.states() * (usize::from(prefilter.end_class) + 1);
        assert!(used * 4 < TABLE_ENTRIES * 3, "{used} of {TABLE_ENTRIES} entries");
    }
}
