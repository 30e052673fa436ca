//! False findings in machine traffic that is made from a seed.

use support::made::traffic;

use super::engine::Finder;
use super::falsely::Count;
use super::{Eval, Outcome};
use crate::bench::table::Aim;

/// Seed of the traffic: the figure is compared from day to day, so it is always the same.
const SEED: u64 = 20_261_125;

/// Finds in it.
pub fn measure(eval: &Eval) -> anyhow::Result<Outcome> {
    let text = traffic::dense(SEED, eval.pick(8 << 20, 1 << 20));
    let mut count = Count::new()?;
    let finder = Finder::usual();
    // Pieces as samples are: a context window sees nothing beyond.
    for piece in pieces(&text) {
        count.add("synthetic", piece, &finder.plain(piece));
    }
    let mut outcome = Outcome::default();
    let name = "false findings per MB: dense synthetic traffic";
    outcome.rows.push(count.per_mb_high().named(&format!("{name}, high")).aim(Aim::AtMost(1.0)));
    outcome.rows.push(count.per_mb().named(&format!("{name}, all")));
    outcome.notes.extend(count.offenders());
    Ok(outcome)
}

/// Lines of a text together, 16 KiB or a little less each.
pub fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const BYTES: usize = 16 << 10;
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.get(..BYTES).unwrap_or(rest);
        let line = first.iter().rposition(|byte| *byte == b'\n').map_or(first.len(), |at| at + 1);
        let (piece, behind) = rest.split_at(if first.len() < BYTES { first.len() } else { line });
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}
