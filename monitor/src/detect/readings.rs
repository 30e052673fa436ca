//! What is found in all readings of a text, as one list: what stands at a reading's edge is left to
//! another, what is cut is no more than likely, and of what shares bytes the best stays. It decodes
//! nothing and finds nothing itself. `redact`, which takes out whatever any reading has, and
//! `explain`, which says of each what it has, go through the readings by themselves.

use super::Hit;
use super::settle::{Reading, settle_readings};
use crate::decode::View;

/// The room is used again for the next text.
#[derive(Default)]
pub struct Readings {
    hits: Vec<Hit>,
    found: Vec<Reading>,
}

impl Readings {
    /// Has `find` look through the bytes of each view, which appends hits and gives how many there was no room
    /// for. `led` is the plain view with the byte before it, where the beginning of the text cuts
    /// nothing. Gives the sum of what there was no room for.
    pub fn find(
        &mut self,
        views: &[&View<'_>],
        led: Option<&[u8]>,
        mut find: impl FnMut(&View<'_>, &[u8], &mut Vec<Hit>) -> usize,
    ) -> usize {
        self.found.clear();
        let mut cut = 0;
        for (number, view) in views.iter().enumerate() {
            // The first is the text itself.
            let led = led.filter(|_| number == 0);
            self.hits.clear();
            cut += find(view, led.unwrap_or(&view.bytes), &mut self.hits);
            for hit in &self.hits {
                let hit = match led {
                    Some(_) => behind_a_byte(hit),
                    None => judged(view, hit),
                };
                let Some(hit) = hit else { continue };
                let span = view.span(hit.start..hit.end);
                self.found.push(Reading { span, view: number, hit });
            }
        }
        settle_readings(&mut self.found);
        cut
    }

    /// What was found, in the order of places.
    pub fn found(&self) -> &[Reading] {
        &self.found
    }
}

/// A hit in a text that has a byte before it, as one in the text.
fn behind_a_byte(hit: &Hit) -> Option<Hit> {
    Some(Hit { start: hit.start.checked_sub(1)?, end: hit.end.saturating_sub(1), ..*hit })
}

/// A hit in a view; `None` where another view has it with all that is around it.
fn judged(view: &View<'_>, hit: &Hit) -> Option<Hit> {
    let range = hit.start..hit.end;
    if view.is_at_edge(&range) {
        return None;
    }
    let (confidence, partial) = view.judge(&range, hit.confidence, hit.partial);
    Some(Hit { confidence, partial, ..*hit })
}
