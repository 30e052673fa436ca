//! Where each byte of a reading came from. It knows offsets only, no bytes.

use std::ops::Range;

/// From the unit `view` on, units come from `source` on, up to the next break. Offsets in 32 bits:
/// a text with an escape in every third byte has as many breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Break {
    view: u32,
    source: u32,
    /// Bytes of the source that each unit takes up. 0 where the units stand for all that lies
    /// between here and the next break.
    stride: u8,
}

/// Where a reading came from in what it was read from.
#[derive(Debug)]
pub(super) struct Map {
    /// Bits that a unit of the source carries: 8, of base64 6, of base32 5, of hexadecimal 4.
    bits: usize,
    /// In ascending order. Two at the same `view` are bytes left out between the two `source`s.
    breaks: Vec<Break>,
    /// One past the last byte it was read from.
    end: u32,
}

/// Bytes of memory that a break takes.
pub(super) const BREAK_BYTES: usize = size_of::<Break>();

/// Offsets beyond are not told apart; `view` refuses texts as long.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

impl Map {
    /// A reading of units of `bits` bits, which begins at `source`.
    pub(super) fn new(bits: usize, source: usize) -> Map {
        let first = Break { view: 0, source: narrow(source), stride: 1 };
        Map { bits, breaks: vec![first], end: narrow(source) }
    }

    /// A reading of which only the region as a whole is known.
    pub(super) fn region(region: Range<usize>) -> Map {
        let first = Break { view: 0, source: narrow(region.start), stride: 0 };
        Map { bits: 8, breaks: vec![first], end: narrow(region.end) }
    }

    /// From the unit `view` on, each takes up `stride` bytes of the source, from `source` on.
    pub(super) fn go_on(&mut self, view: usize, source: usize, stride: u8) {
        let next = Break { view: narrow(view), source: narrow(source), stride };
        self.end = self.end.max(next.source);
        if let Some(last) = self.breaks.last_mut() {
            let ahead = next.view.saturating_sub(last.view).saturating_mul(last.stride.into());
            if last.stride == stride
                && stride > 0
                && last.source.checked_add(ahead) == Some(next.source)
            {
                return;
            }
            if *last == next {
                return;
            }
        }
        self.breaks.push(next);
    }

    /// Before the unit `view`, the byte `source` and what follows were left out.
    pub(super) fn leave_out(&mut self, view: usize, source: usize) {
        self.end = self.end.max(narrow(source));
        self.breaks.push(Break { view: narrow(view), source: narrow(source), stride: 0 });
    }

    /// The reading ends before the byte `source`.
    pub(super) fn close(&mut self, source: usize) {
        self.end = self.end.max(narrow(source));
    }

    pub(super) fn len(&self) -> usize {
        self.breaks.len()
    }

    /// Where the byte at `offset` begins.
    pub(super) fn start(&self, offset: usize) -> usize {
        let unit = narrow(offset.saturating_mul(8) / self.bits.max(1));
        let after = self.breaks.partition_point(|stop| stop.view <= unit);
        let Some(stop) = after.checked_sub(1).and_then(|at| self.breaks.get(at)) else {
            return self.end as usize;
        };
        self.shift(*stop, unit, self.breaks.get(after)) as usize
    }

    /// Where the bytes before `offset` end.
    pub(super) fn end(&self, offset: usize) -> usize {
        let unit = narrow(offset.saturating_mul(8).div_ceil(self.bits.max(1)));
        // The first break at `unit`: the second is behind what was left out there.
        let before = self.breaks.partition_point(|stop| stop.view < unit);
        let next = self.breaks.get(before);
        if let Some(stop) = next.filter(|stop| stop.view == unit) {
            return stop.source as usize;
        }
        let Some(stop) = before.checked_sub(1).and_then(|at| self.breaks.get(at)) else {
            return self.end as usize;
        };
        if stop.stride == 0 {
            return next.map_or(self.end, |next| next.source) as usize;
        }
        self.shift(*stop, unit, next) as usize
    }

    fn shift(&self, stop: Break, unit: u32, next: Option<&Break>) -> u32 {
        let ahead = unit.saturating_sub(stop.view).saturating_mul(stop.stride.into());
        let last = next.map_or(self.end, |next| next.source).max(stop.source);
        stop.source.saturating_add(ahead).min(last)
    }
}
