//! Decides between hits that share bytes. It looks at no text.

use std::cmp::Reverse;
use std::ops::Range;

use super::{Hit, Reasons};
use crate::model::Confidence;

/// What decides between hits that share bytes: the surer one, then the longer one, of which nothing
/// is left over, then the one with more evidence.
fn rank(hit: &Hit) -> (Confidence, usize, i16) {
    (hit.confidence, hit.end.saturating_sub(hit.start), hit.score_db)
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

/// A hit in one of the readings of a text.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Where it stands in the text.
    pub span: Range<usize>,
    /// Number of the reading.
    pub view: usize,
    /// The hit, in the reading.
    pub hit: Hit,
}

/// Orders hits of several readings of one text by where they stand in it, and of those that share
/// bytes keeps the best: what one reading takes for a value may be part of one that another reads
/// whole.
pub(super) fn settle_readings(readings: &mut Vec<Reading>) {
    let rank = |reading: &Reading| {
        let bytes = reading.span.end.saturating_sub(reading.span.start);
        (reading.hit.confidence, bytes, reading.hit.score_db, Reverse(reading.view))
    };
    readings.sort_by_key(|reading| reading.span.start);
    let mut kept: Vec<Reading> = Vec::with_capacity(readings.len());
    for reading in readings.drain(..) {
        // Of a region that was decoded as a whole many hits have the same span.
        let same = |other: &Reading| other.view == reading.view;
        match kept.last_mut().filter(|last| last.span.end > reading.span.start) {
            Some(last) if same(last) => kept.push(reading),
            Some(last) if rank(&reading) > rank(last) => *last = reading,
            Some(_) => {}
            None => kept.push(reading),
        }
    }
    *readings = kept;
}
