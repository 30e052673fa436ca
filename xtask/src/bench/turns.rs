//! With and without the monitor in turn, so that what drifts on a machine, drifts in both.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Bench;
use super::daemon::{Daemon, Setup};
use super::machine::monitors;
use super::numbers::{median, range};

/// How often a turn is taken at most, where other monitors come in between.
const TRIES: u32 = 3;
/// How long they are given to end before one,
const WAIT: Duration = Duration::from_secs(10);
/// and how often it is looked whether they have.
const POLL: Duration = Duration::from_millis(20);

/// One quantity, round for round.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    with: Vec<f64>,
    without: Vec<f64>,
}

/// Measures `N` quantities under the default policy and without a monitor, in so many rounds; which
/// of the two comes first alternates.
pub fn take<const N: usize>(
    bench: &Bench,
    rounds: usize,
    measure: impl FnMut(Option<&Daemon>) -> Result<[f64; N]>,
) -> Result<[Turns; N]> {
    take_with(bench, Setup::default(), rounds, measure)
}

/// The same with a monitor that is set up so.
pub fn take_with<const N: usize>(
    bench: &Bench,
    setup: Setup<'_>,
    rounds: usize,
    mut measure: impl FnMut(Option<&Daemon>) -> Result<[f64; N]>,
) -> Result<[Turns; N]> {
    let mut turns: [Turns; N] = std::array::from_fn(|_| Turns::default());
    for round in 0..rounds {
        for monitored in [round % 2 == 1, round % 2 == 0] {
            let daemon = monitored.then(|| Daemon::start_with(bench, setup)).transpose()?;
            let figures = undisturbed(usize::from(monitored), || measure(daemon.as_ref()))?;
            if let Some(daemon) = daemon {
                daemon.stop()?;
            }
            for (turns, figure) in turns.iter_mut().zip(figures) {
                let side = if monitored { &mut turns.with } else { &mut turns.without };
                side.push(figure);
            }
        }
    }
    Ok(turns)
}

/// Measures, and again where other monitors came in between: their hooks are in the way of both, with
/// and without.
fn undisturbed<T>(own: usize, mut measure: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        let began = Instant::now();
        while monitors()? > own && began.elapsed() < WAIT {
            thread::sleep(POLL);
        }
        let figures = measure()?;
        if monitors()? <= own {
            return Ok(figures);
        }
    }
    measure()
}

impl Turns {
    /// The median without and the one with the monitor.
    pub fn medians(&self) -> (f64, f64) {
        (median(&self.without), median(&self.with))
    }

    /// Range of what `of` makes of each round's figure without and with the monitor.
    pub fn range_of(&self, of: impl Fn(f64, f64) -> f64) -> (f64, f64) {
        let each: Vec<f64> = self
            .without
            .iter()
            .zip(&self.with)
            .map(|(&without, &with)| of(without, with))
            .collect();
        range(&each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_compared_each_with_itself() {
        let turns = Turns { without: vec![100.0, 200.0, 400.0], with: vec![90.0, 190.0, 400.0] };
        assert_eq!(turns.medians(), (200.0, 190.0));
        assert_eq!(turns.range_of(|without, with| with / without), (0.9, 1.0));
    }
}
