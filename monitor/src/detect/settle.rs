//! Decides between hits that share bytes. It looks at no text.

use super::{Hit, Reasons};
use crate::model::Confidence;

/// What decides between hits that share bytes: the surer one, then the one with more evidence, then
/// the longer one.
fn rank(hit: &Hit) -> (Confidence, i16, usize) {
    (hit.confidence, hit.score_db, hit.end.saturating_sub(hit.start))
}

/// Orders the hits from `first` on, and of those that share bytes keeps the best, which says that
/// there was another.
pub(super) fn settle(hits: &mut Vec<Hit>, first: usize) {
    let Some(found) = hits.get_mut(first..) else { return };
    found.sort_by_key(|hit| hit.start);
    let mut kept = first;
    for index in first..hits.len() {
        let Some(&(mut hit)) = hits.get(index) else { break };
        let mut wins = true;
        let mut back = kept;
        while let Some(last) =
            back.checked_sub(1).filter(|at| *at >= first).and_then(|at| hits.get(at))
        {
            if last.end <= hit.start {
                break;
            }
            wins &= rank(&hit) > rank(last);
            back -= 1;
        }
        if wins {
            if back < kept
                && let Some(loser) = hits.get(back)
            {
                claim(&mut hit, *loser);
            }
            if let Some(slot) = hits.get_mut(back) {
                *slot = hit;
            }
            kept = back + 1;
        } else if let Some(winner) = kept.checked_sub(1).and_then(|at| hits.get_mut(at)) {
            claim(winner, hit);
        }
    }
    hits.truncate(kept);
}

/// Notes that `loser` claims bytes of `winner`.
fn claim(winner: &mut Hit, loser: Hit) {
    if winner.detector != loser.detector && winner.rival.is_none() {
        winner.rival = Some(loser.detector);
        winner.reasons = winner.reasons.and(Reasons::CLAIMED);
    }
}
