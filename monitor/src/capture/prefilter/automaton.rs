//! Builds the automaton: the patterns of the shapes as one table of states, beside which the run of
//! digits and the bytes of a character are counted. Behind it is regex-automata; what the kernel
//! walks is a table of 16-bit rows.

use std::collections::HashMap;

use monitor_ebpf::TABLE_ENTRIES;
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson,
    util::{primitives::StateID, start, syntax},
};

use super::PrefilterError;
use super::shapes::{Needs, Shape};

/// How many digits directly precede, up to one more than an undashed US_SSN has. Kept beside the
/// pattern's state, because a pattern cannot say "nine digits and no digit before them" without a
/// state for "no digit before", and then there would be no base state to rest in.
type Run = u8;

/// Digits of an undashed US_SSN.
const RUN_DIGITS: Run = 9;

/// How many bytes are missing of a character of UTF-8. Likewise: no pattern can say that nothing
/// stands before a byte.
type Missing = u8;

/// Byte 256 stands for the end of a text.
const SYMBOLS: usize = 257;

/// Bytes of the automaton while it is built.
const DFA_BYTES_MAX: usize = 16 << 20;

/// Where a byte leads.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Edge {
    Row(usize),
    Hit,
    Opaque,
}

/// The table's parts, as `monitor_ebpf::prefilter::Table` lays them out.
pub(super) struct Automaton {
    pub(super) class: [u8; 256],
    pub(super) next: Vec<u16>,
    pub(super) hit: u16,
    pub(super) opaque: u16,
    pub(super) end_class: u16,
    pub(super) states: usize,
}

/// Builds the automaton for the shapes that are needed.
pub(super) fn build(needs: &Needs) -> Result<Automaton, PrefilterError> {
    let pattern: Vec<String> =
        needs.patterns().iter().map(|pattern| format!("(?:{pattern})")).collect();
    let dfa = dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Unanchored)
                .dfa_size_limit(Some(DFA_BYTES_MAX)),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build(&pattern.join("|"))
        .map_err(refused)?;
    lay_out(&dfa, needs.has(Shape::Ssn) && !needs.counts_no_digits())
}

/// An automaton of regex-automata that outgrows its bound is far beyond the kernel's.
fn refused(error: dense::BuildError) -> PrefilterError {
    if error.is_size_limit_exceeded() {
        PrefilterError::TooLarge { needed: usize::MAX }
    } else {
        PrefilterError::Pattern(error.to_string())
    }
}

/// Bytes that are missing behind one, `None` where it cannot stand there (RFC 3629, 4; what is too
/// long or no character is let stand).
fn utf8(missing: Missing, symbol: usize) -> Option<Missing> {
    match (missing, symbol) {
        (_, 256) => Some(0),
        (0, 0..=0x7F) => Some(0),
        (0, 0xC2..=0xDF) => Some(1),
        (0, 0xE0..=0xEF) => Some(2),
        (0, 0xF0..=0xF4) => Some(3),
        (1..=3, 0x80..=0xBF) => Some(missing - 1),
        // Framing may cut a character in two.
        (1..=3, 0x0D) => Some(0),
        _ => None,
    }
}

/// Numbers the states from the start state, in rows of one entry per byte and one for the end of
/// the text; all matches become one state, and so does all that is no text.
fn lay_out(dfa: &dense::DFA<Vec<u32>>, ssn: bool) -> Result<Automaton, PrefilterError> {
    let start = dfa
        .start_state(&start::Config::new().anchored(Anchored::No))
        .map_err(|error| PrefilterError::Pattern(error.to_string()))?;
    let mut rows: Vec<(StateID, Run, Missing)> = vec![(start, 0, 0)];
    let mut numbers = HashMap::from([((start, 0, 0), 0usize)]);
    let mut edges: Vec<[Edge; SYMBOLS]> = Vec::new();
    while let Some(&(state, run, missing)) = rows.get(edges.len()) {
        if rows.len() > TABLE_ENTRIES {
            return Err(PrefilterError::TooLarge { needed: rows.len() });
        }
        let mut row = [Edge::Hit; SYMBOLS];
        for (symbol, edge) in row.iter_mut().enumerate() {
            let digit = (0x30..=0x39).contains(&symbol);
            let next = match u8::try_from(symbol) {
                Ok(byte) => dfa.next_state(state, byte),
                Err(_) => dfa.next_eoi_state(state),
            };
            if dfa.is_match_state(next) || (ssn && run == RUN_DIGITS && !digit) {
                continue;
            }
            let Some(missing) = utf8(missing, symbol) else {
                *edge = Edge::Opaque;
                continue;
            };
            let run = if ssn && digit { (run + 1).min(RUN_DIGITS + 1) } else { 0 };
            // Behind the end there is nothing: the next text begins where this one stopped.
            *edge = Edge::Row(if symbol == 256 {
                0
            } else {
                *numbers.entry((next, run, missing)).or_insert_with(|| {
                    rows.push((next, run, missing));
                    rows.len() - 1
                })
            });
        }
        edges.push(row);
    }
    pack(&edges)
}

/// Lays the states out as the kernel's table; those that behave alike become one.
fn pack(edges: &[[Edge; SYMBOLS]]) -> Result<Automaton, PrefilterError> {
    let (class, firsts) = classes(edges);
    let (group, groups) = merge(edges, &firsts);
    let stride = firsts.len() + 1;
    let needed = (groups + 2) * stride;
    if needed > TABLE_ENTRIES {
        return Err(PrefilterError::TooLarge { needed });
    }
    let index = |group: usize| (group * stride) as u16;
    let (hit, opaque) = (index(groups), index(groups + 1));
    let mut next = vec![hit; TABLE_ENTRIES];
    next[usize::from(opaque)..][..stride].fill(opaque);
    for (row, edges) in edges.iter().enumerate() {
        let at = group[row] * stride;
        for (entry, &symbol) in firsts.iter().chain(&[256]).enumerate() {
            next[at + entry] = match edges[symbol] {
                Edge::Row(row) => index(group[row]),
                Edge::Hit => hit,
                Edge::Opaque => opaque,
            };
        }
    }
    let end_class = firsts.len() as u16;
    Ok(Automaton { class, next, hit, opaque, end_class, states: groups + 2 })
}

/// Bytes that all states treat alike are of one class: the class of each byte, and the first byte
/// of each class.
fn classes(edges: &[[Edge; SYMBOLS]]) -> ([u8; 256], Vec<usize>) {
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
fn merge(edges: &[[Edge; SYMBOLS]], firsts: &[usize]) -> (Vec<usize>, usize) {
    let (mut group, mut groups) = (vec![0; edges.len()], 1);
    loop {
        let mut numbers = HashMap::new();
        let split = edges.iter().zip(&group).map(|(row, own)| {
            let ways = firsts.iter().chain(&[256]).map(|&symbol| row[symbol]);
            let ways = ways.map(|to| match to {
                Edge::Row(row) => group[row] as u32,
                Edge::Hit => u32::MAX,
                Edge::Opaque => u32::MAX - 1,
            });
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
