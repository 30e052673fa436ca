//! Puts the samples of each flow back in order: says of each sample which of its bytes are new and
//! how they lie to those before, and keeps a decoder's state per flow.
//!
//! It does not wait: a gap may be a send that the kernel's prefilter held back, which never comes,
//! so a sample that is late is handed on by itself. It does not know what the bytes mean.

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use lru::LruCache;
use zeroize::{Zeroize as _, Zeroizing};

use crate::limits::{
    FLOW_CARRY_BYTES_MAX, FLOW_IDLE_MS, FLOW_JUMP_BYTES_MAX, FLOWS_EXPIRED_PER_SAMPLE_MAX,
    FLOWS_MAX,
};
use crate::model::{FlowKey, SampleHead};

/// What lies between the bytes before and these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing: they join.
    None,
    /// So many bytes that were not seen, at least one.
    Bytes(u64),
    /// Nobody can tell: the first bytes of a flow, bytes that replace earlier ones, a datagram.
    Unknown,
}

/// State of whoever reads the bytes of a flow.
pub trait Reader: Default {
    /// The last bytes that it was fed, where it keeps them; none or others where it does not.
    fn kept(&self) -> &[u8] {
        &[]
    }
}

/// Where nobody reads them.
impl Reader for () {}

/// What a sample brought.
pub struct Piece<'flow, 'sample, D> {
    /// Bytes not handed on before; empty where the whole sample was known.
    pub fresh: &'sample [u8],
    /// How they lie to the bytes that `state` was fed last.
    pub gap: Gap,
    /// State that goes with the bytes: the flow's, or a new one for bytes that stand alone.
    pub state: &'flow mut D,
}

/// What happened beyond bytes that join, each since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Flows that made room for another.
    pub evicted_flows: u64,
    /// Flows that were idle for longer than [`FLOW_IDLE_MS`].
    pub expired_flows: u64,
    /// Flows whose position jumped by more than [`FLOW_JUMP_BYTES_MAX`].
    pub restarted_flows: u64,
    /// Samples that replace bytes which were handed on but cannot have been sent as they were.
    pub replaced_samples: u64,
    /// Samples that came after later ones.
    pub late_samples: u64,
    /// Bytes that were left out because they had been handed on before.
    pub overlap_bytes: u64,
    /// Bytes between samples that were not seen; late samples are not taken off.
    pub gap_bytes: u64,
}

/// The flows that are alive, each with the state `D` of whoever reads its bytes.
pub struct Flows<D> {
    flows: LruCache<FlowKey, Flow<D>>,
    /// State for bytes that stand alone.
    alone: D,
    /// The flow that was handed on last, which may not share its tail yet.
    latest: Option<FlowKey>,
    /// The room of a tail that a flow shares now.
    spare: Zeroizing<Vec<u8>>,
    stats: Stats,
}

struct Flow<D> {
    /// Whether anything was handed on yet; before, positions say nothing.
    begun: bool,
    /// Whether the tail is what `state` keeps, and not in `tail`.
    shares: bool,
    /// Position of the first byte of the latest sample. Where a socket took part of it only, the
    /// next send begins at or after it; so what begins before it is late.
    latest: u32,
    /// Position after the last byte seen.
    end: u32,
    /// Latest `at_ns`.
    at_ns: u64,
    /// The last bytes before `end`, without gaps.
    tail: Zeroizing<Vec<u8>>,
    state: D,
}

impl<D: Reader> Flow<D> {
    fn new(at_ns: u64) -> Self {
        let tail = Zeroizing::new(Vec::new());
        Flow { begun: false, shares: false, latest: 0, end: 0, at_ns, tail, state: D::default() }
    }

    /// Gives the room of the tail back where `state` keeps the same bytes.
    fn share(&mut self, spare: &mut Zeroizing<Vec<u8>>) {
        if !self.tail.is_empty() && self.tail.as_slice() == self.state.kept() {
            self.shares = true;
            *spare = std::mem::take(&mut self.tail);
            spare.zeroize();
        }
    }

    /// Takes the tail back, before `state` is fed what follows it.
    fn unshare(&mut self, spare: &mut Zeroizing<Vec<u8>>) {
        if std::mem::take(&mut self.shares) {
            self.tail = std::mem::take(spare);
            self.make_room();
            self.tail.extend_from_slice(self.state.kept());
        }
    }

    fn is_idle(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.at_ns) > FLOW_IDLE_MS * 1_000_000
    }
}

/// How a sample lies to what its flow has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// The first of its flow.
    First,
    /// Begins where the bytes so far end.
    Joins,
    /// Begins so many bytes after.
    After(u32),
    /// Its first bytes, so many, are those that were handed on.
    Overlaps(usize),
    /// Begins in the latest sample and goes on differently, or cannot be compared.
    Replaces,
    /// Lies before the latest sample.
    Late,
    /// Too far away to be the same stream.
    Jumps,
}

impl<D: Reader> Flow<D> {
    fn lie(&self, position: u32, bytes: &[u8]) -> Lie {
        if bytes.is_empty() {
            return Lie::Joins;
        }
        if !self.begun {
            return Lie::First;
        }
        let ahead = position.wrapping_sub(self.end);
        let behind = self.end.wrapping_sub(position);
        if ahead == 0 {
            Lie::Joins
        } else if ahead <= FLOW_JUMP_BYTES_MAX {
            Lie::After(ahead)
        } else if behind > FLOW_JUMP_BYTES_MAX {
            Lie::Jumps
        } else if self.has(behind as usize, bytes) {
            Lie::Overlaps(bytes.len().min(behind as usize))
        } else if behind > self.end.wrapping_sub(self.latest) && bytes.len() <= behind as usize {
            Lie::Late
        } else {
            Lie::Replaces
        }
    }

    /// Whether the bytes that begin `behind` bytes before the end are those that were handed on.
    ///
    /// Only the tail is there to compare with. It decides where it holds all of the overlap, and
    /// where the sample holds all of the tail: that many equal bytes at the same position are the
    /// same send, tried again by a process whose socket took a part of it.
    fn has(&self, behind: usize, bytes: &[u8]) -> bool {
        if let Some(from) = self.tail.len().checked_sub(behind) {
            let (_, known) = self.tail.split_at(from);
            let shared = known.len().min(bytes.len());
            return known.get(..shared) == bytes.get(..shared);
        }
        let overlap = bytes.get(behind - self.tail.len()..behind);
        self.tail.len() == FLOW_CARRY_BYTES_MAX && overlap == Some(self.tail.as_slice())
    }

    fn make_room(&mut self) {
        if self.tail.capacity() == 0 {
            // Once and whole: a vector that grows leaves copies that nobody wipes.
            self.tail.reserve_exact(FLOW_CARRY_BYTES_MAX);
        }
    }

    /// Notes that `bytes`, which end the flow as far as it was seen, were handed on.
    fn note(&mut self, bytes: &[u8], joins: bool) {
        self.make_room();
        let kept = bytes.len().min(FLOW_CARRY_BYTES_MAX);
        if joins {
            let room = FLOW_CARRY_BYTES_MAX - kept;
            let surplus = self.tail.len().saturating_sub(room);
            self.tail.drain(..surplus);
        } else {
            self.tail.clear();
        }
        self.tail.extend_from_slice(&bytes[bytes.len() - kept..]);
    }
}

impl<D: Reader> Default for Flows<D> {
    fn default() -> Self {
        Self::with_capacity(FLOWS_MAX)
    }
}

impl<D: Reader> Flows<D> {
    /// Flows, at most `flows_max` at once (at least one); beyond, the one idle for longest goes.
    pub fn with_capacity(flows_max: usize) -> Self {
        let flows_max = NonZeroUsize::new(flows_max).unwrap_or(NonZeroUsize::MIN);
        Flows {
            flows: LruCache::new(flows_max),
            alone: D::default(),
            latest: None,
            spare: Zeroizing::default(),
            stats: Stats::default(),
        }
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Flows that are kept now.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether no flow is kept now.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Takes in a sample. Each byte of it is in `fresh` of the answer, or was before.
    ///
    /// `head.omitted_bytes` play no part: the position of the next sample says how many of them
    /// were sent.
    pub fn push<'flow, 'sample>(
        &'flow mut self,
        head: &SampleHead,
        bytes: &'sample [u8],
    ) -> Piece<'flow, 'sample, D> {
        if !(head.transport.is_stream() && head.flow.cookie != 0) {
            return self.stands_alone(bytes);
        }
        // Of the flows that rest, most keep the same bytes twice.
        if let Some(before) = self.latest.replace(head.flow)
            && before != head.flow
            && let Some(flow) = self.flows.peek_mut(&before)
        {
            flow.share(&mut self.spare);
        }
        self.make_room(head);
        let lie = match self.flows.get_mut(&head.flow) {
            Some(flow) => {
                flow.unshare(&mut self.spare);
                flow.lie(head.position, bytes)
            }
            None => Lie::First,
        };
        self.count(lie);
        if lie == Lie::Late {
            return self.stands_alone(bytes);
        }

        let flow = self.flows.get_or_insert_mut(head.flow, || Flow::new(head.at_ns));
        flow.at_ns = flow.at_ns.max(head.at_ns);
        let (gap, known) = match lie {
            Lie::Joins => (Gap::None, 0),
            Lie::Overlaps(known) => (Gap::None, known),
            Lie::After(missing) => (Gap::Bytes(missing.into()), 0),
            Lie::Jumps => {
                flow.state = D::default();
                (Gap::Unknown, 0)
            }
            Lie::First | Lie::Replaces | Lie::Late => (Gap::Unknown, 0),
        };
        let fresh = bytes.get(known..).unwrap_or_default();
        if !fresh.is_empty() {
            flow.begun = true;
            flow.latest = head.position;
            // Positions are modulo 2^32, and so is the cast.
            flow.end = head.position.wrapping_add(bytes.len() as u32);
            flow.note(fresh, gap == Gap::None);
        }
        let gap = if fresh.is_empty() { Gap::None } else { gap };
        Piece { fresh, gap, state: &mut flow.state }
    }

    fn stands_alone<'flow, 'sample>(
        &'flow mut self,
        bytes: &'sample [u8],
    ) -> Piece<'flow, 'sample, D> {
        self.alone = D::default();
        Piece { fresh: bytes, gap: Gap::Unknown, state: &mut self.alone }
    }

    /// Drops flows that are idle, the sample's own among them, and the oldest where it is full.
    fn make_room(&mut self, head: &SampleHead) {
        if self.flows.get(&head.flow).is_some_and(|flow| flow.is_idle(head.at_ns)) {
            self.flows.pop(&head.flow);
            self.stats.expired_flows += 1;
        }
        for _ in 0..FLOWS_EXPIRED_PER_SAMPLE_MAX {
            if !self.flows.peek_lru().is_some_and(|(_, flow)| flow.is_idle(head.at_ns)) {
                break;
            }
            self.flows.pop_lru();
            self.stats.expired_flows += 1;
        }
        if self.flows.len() == self.flows.cap().get() && !self.flows.contains(&head.flow) {
            self.flows.pop_lru();
            self.stats.evicted_flows += 1;
        }
    }

    fn count(&mut self, lie: Lie) {
        match lie {
            Lie::First | Lie::Joins => {}
            Lie::After(missing) => self.stats.gap_bytes += u64::from(missing),
            Lie::Overlaps(known) => self.stats.overlap_bytes += known as u64,
            Lie::Replaces => self.stats.replaced_samples += 1,
            Lie::Late => self.stats.late_samples += 1,
            Lie::Jumps => self.stats.restarted_flows += 1,
        }
    }
}
