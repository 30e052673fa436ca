//! Sliding windows of thresholds, one per rule and process, all within limits. They know how much
//! was found and when, not what it was.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::limits::{THRESHOLD_WINDOWS_MAX, THRESHOLDS_VALUES_MAX};
use crate::model::{Finding, ProcessKey};
use crate::policy::Threshold;

/// Index of a rule, and a process.
pub(super) type WindowKey = (usize, ProcessKey);

/// What a threshold had gathered when it was reached, `None` for what it does not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Hits within the time that the threshold looks back. Hits beyond what it asks for are
    /// forgotten while `distinct` is not reached.
    pub count: Option<u64>,
    /// Different values within that time.
    pub distinct: Option<u64>,
}

/// The windows of all rules and processes.
#[derive(Debug, Default)]
pub(super) struct Windows {
    windows: HashMap<WindowKey, Window>,
    /// Sum of [`Window::values`] over all.
    values: usize,
    evicted: u64,
}

/// What one rule saw of one process since its threshold was last reached.
#[derive(Debug, Default)]
struct Window {
    latest_ns: u64,
    /// When all of it is forgotten.
    end_ns: u64,
    /// When, and how many hits; oldest first. Empty where the threshold asks for no count.
    hits: VecDeque<(u64, u64)>,
    /// Sum of the hits.
    count: u64,
    /// Fingerprint of each value, and when it was last seen. Empty where the threshold asks for no
    /// distinct.
    seen: HashMap<u64, u64>,
}

impl Windows {
    /// Windows that were dropped to make room.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many windows there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// How many things all of them remember.
    #[cfg(test)]
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// Adds findings of one message. Returns what was gathered if that reaches the threshold, which
    /// then begins anew: the next alert takes as much again.
    pub(super) fn add<'a>(
        &mut self,
        key: WindowKey,
        threshold: &Threshold,
        at_ns: u64,
        findings: impl Iterator<Item = &'a Finding>,
    ) -> Option<Reached> {
        if self.windows.len() >= THRESHOLD_WINDOWS_MAX && !self.windows.contains_key(&key) {
            self.make_room(at_ns);
        }
        let window = self.windows.entry(key).or_default();
        let before = window.values();
        window.add(threshold, at_ns, findings);
        let reached = window.reached(threshold);
        if reached.is_none() {
            window.forget_surplus(threshold);
        }
        self.values = self.values.saturating_sub(before).saturating_add(window.values());
        if reached.is_some() {
            self.remove(key);
        }
        while self.values > THRESHOLDS_VALUES_MAX {
            self.make_room(at_ns);
        }
        reached
    }

    /// Keeps the windows of the rules in `kept`, under their new indexes.
    pub(super) fn renumber(&mut self, kept: &HashMap<usize, usize>) {
        self.windows = std::mem::take(&mut self.windows)
            .into_iter()
            .filter_map(|((rule, process), window)| Some(((*kept.get(&rule)?, process), window)))
            .collect();
        self.values = self.windows.values().map(Window::values).sum();
    }

    /// Drops what has ended, or else the window that ends first.
    fn make_room(&mut self, now_ns: u64) {
        let windows_before = self.windows.len();
        self.windows.retain(|_, window| window.end_ns > now_ns);
        if self.windows.len() < windows_before {
            self.values = self.windows.values().map(Window::values).sum();
        } else if let Some((&key, _)) = self.windows.iter().min_by_key(|(_, window)| window.end_ns)
        {
            self.remove(key);
            self.evicted = self.evicted.saturating_add(1);
        } else {
            self.values = 0;
        }
    }

    fn remove(&mut self, key: WindowKey) {
        let values = self.windows.remove(&key).map_or(0, |window| window.values());
        self.values = self.values.saturating_sub(values);
    }
}

impl Window {
    /// How many things it remembers. While its threshold is not reached, that is at most `count`
    /// hits and as many values as the larger of `count` and `distinct`: each value was a hit.
    fn values(&self) -> usize {
        self.hits.len() + self.seen.len()
    }

    fn add<'a>(
        &mut self,
        threshold: &Threshold,
        at_ns: u64,
        findings: impl Iterator<Item = &'a Finding>,
    ) {
        // Processors hand over their samples out of order by little: a late one counts as now.
        let now_ns = at_ns.max(self.latest_ns);
        let within_ns = u64::try_from(threshold.within.as_nanos()).unwrap_or(u64::MAX);
        self.latest_ns = now_ns;
        self.end_ns = now_ns.saturating_add(within_ns);
        let in_window = |then_ns: u64| now_ns.saturating_sub(then_ns) < within_ns;
        self.seen.retain(|_, &mut then_ns| in_window(then_ns));
        while self.hits.front().is_some_and(|&(then_ns, _)| !in_window(then_ns)) {
            self.forget_oldest();
        }

        let mut hits = 0_u64;
        for finding in findings {
            hits = hits.saturating_add(u64::from(finding.count));
            if threshold.distinct.is_some() {
                self.seen.insert(fingerprint(finding), now_ns);
            }
        }
        if threshold.count.is_some() && hits > 0 {
            self.count = self.count.saturating_add(hits);
            self.hits.push_back((now_ns, hits));
        }
    }

    fn reached(&self, threshold: &Threshold) -> Option<Reached> {
        let seen = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        let reached = threshold.count.is_none_or(|count| self.count >= count)
            && threshold.distinct.is_none_or(|distinct| seen >= distinct);
        reached.then_some(Reached {
            count: threshold.count.map(|_| self.count),
            distinct: threshold.distinct.map(|_| seen),
        })
    }

    /// Drops the oldest hits while the later ones suffice for `count`: nothing can turn on them.
    fn forget_surplus(&mut self, threshold: &Threshold) {
        let Some(enough) = threshold.count else { return };
        while self
            .hits
            .front()
            .is_some_and(|&(_, oldest)| self.count.saturating_sub(oldest) >= enough)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, hits)) = self.hits.pop_front() {
            self.count = self.count.saturating_sub(hits);
        }
    }
}

/// The fingerprint as a number: it is 16 hex digits, and whatever else it should be is hashed.
fn fingerprint(finding: &Finding) -> u64 {
    u64::from_str_radix(&finding.fingerprint, 16).unwrap_or_else(|_| {
        let mut hasher = DefaultHasher::new();
        finding.fingerprint.hash(&mut hasher);
        hasher.finish()
    })
}
