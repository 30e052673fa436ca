//! The connections in a capture: each direction is put in order by [`crate::reassemble`], taken apart
//! by [`crate::decode`] and searched, datagram by datagram or in texts as long as bounds allow. It
//! reads no packets: [`crate::command::input`] does.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

use super::changed::Lines;
use super::engine::Scratch;
use super::found::Report;
use super::place::Place;
use super::reader::{Name, Piece, Rules, Telling};
use crate::command::input::{Payload, Skip};
use crate::decode::{Decoder, Part, Text};
use crate::detect::Fields;
use crate::limits::{
    PCAP_AHEAD_BYTES_MAX, PCAP_DIRECTIONS_MAX, PCAP_HELD_BYTES_MAX, PCAP_TEXT_BYTES_MAX,
};
use crate::model::{Endpoint, FlowKey, Process, ProcessKey, SampleHead, Tap, Transport};
use crate::reassemble::{Flows, Gap};

/// What searching needs, of whoever owns it.
pub(super) struct Search<'s> {
    pub rules: &'s Rules,
    pub scratch: &'s mut Scratch,
    /// The capture's path, of which so many bytes name the file.
    pub path: &'s str,
    pub file_len: usize,
    pub report: &'s mut Report,
}

/// Who sends to whom; whether in datagrams.
type Ends = (SocketAddr, SocketAddr, bool);

/// A capture that is being read.
pub(super) struct Capture {
    known: HashMap<Ends, usize>,
    directions: Vec<Direction>,
    flows: Flows<()>,
    nobody: Arc<Process>,
    held: usize,
}

impl Default for Capture {
    fn default() -> Self {
        Capture {
            known: HashMap::new(),
            directions: Vec::new(),
            flows: Flows::with_capacity(PCAP_DIRECTIONS_MAX),
            nobody: Arc::new(nobody()),
            held: 0,
        }
    }
}

struct Direction {
    ends: Ends,
    /// The sequence number that comes next, once one was seen.
    next: Option<u32>,
    /// What came before its time, by how far it is from the first of them.
    ahead: BTreeMap<u32, Zeroizing<Vec<u8>>>,
    ahead_bytes: usize,
    decoder: Decoder,
    /// What the fields of its messages have held.
    fields: Fields,
    /// In order and not yet read.
    text: Zeroizing<Vec<u8>>,
    /// How `text` lies to what was before.
    gap: Gap,
    place: Place,
}

impl Capture {
    /// Takes the next payload.
    pub(super) fn take(&mut self, payload: &Payload<'_>, search: &mut Search<'_>) {
        let Some(sequence) = payload.sequence else {
            return self.datagram(payload, search);
        };
        if payload.bytes.is_empty() && !payload.opens {
            return;
        }
        let at = self.direction((payload.source, payload.destination, false), search);
        let Some(direction) = self.directions.get_mut(at) else { return };
        let sequence = sequence.wrapping_add(u32::from(payload.opens));
        let next = *direction.next.get_or_insert(sequence);
        // Signed: how far ahead, or behind (RFC 9293 section 3.4).
        let ahead = sequence.wrapping_sub(next).cast_signed();
        if payload.opens && payload.bytes.is_empty() {
            // A new connection of the same ends begins anew, a repeated SYN changes nothing.
            if ahead != 0 {
                self.let_go(at, search);
                if let Some(direction) = self.directions.get_mut(at) {
                    direction.next = Some(sequence);
                }
            }
            return;
        }
        if ahead > 0 {
            direction.ahead_bytes = direction.ahead_bytes.saturating_add(payload.bytes.len());
            self.held = self.held.saturating_add(payload.bytes.len());
            direction.ahead.insert(sequence, Zeroizing::new(payload.bytes.to_vec()));
            if direction.ahead_bytes > PCAP_AHEAD_BYTES_MAX {
                self.let_go(at, search);
            }
        } else {
            self.push(at, sequence, payload.bytes, search);
            self.follow(at, false, search);
        }
        if self.held > PCAP_HELD_BYTES_MAX {
            self.finish(search);
        }
    }

    /// Reads all that is held.
    pub(super) fn finish(&mut self, search: &mut Search<'_>) {
        for at in 0..self.directions.len() {
            self.let_go(at, search);
            self.read(at, search);
        }
    }

    fn direction(&mut self, ends: Ends, search: &mut Search<'_>) -> usize {
        if let Some(at) = self.known.get(&ends) {
            return *at;
        }
        if self.directions.len() >= PCAP_DIRECTIONS_MAX {
            self.finish(search);
            let what = format!(
                "more than {PCAP_DIRECTIONS_MAX} directions: what is split over packets here may be lost"
            );
            search.report.skipped.push((search.path.into(), Skip::TooManyMembers, what));
            *self = Capture::default();
        }
        let at = self.directions.len();
        self.known.insert(ends, at);
        self.directions.push(Direction {
            ends,
            next: None,
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
            decoder: Decoder::default(),
            fields: Fields::default(),
            text: Zeroizing::default(),
            gap: Gap::Unknown,
            place: Place::default(),
        });
        at
    }

    /// Takes what came before its time and is next now; with `all`, over gaps as well.
    fn follow(&mut self, at: usize, all: bool, search: &mut Search<'_>) {
        while let Some(direction) = self.directions.get_mut(at) {
            let next = direction.next.unwrap_or_default();
            let distance = |sequence: &u32| sequence.wrapping_sub(next).cast_signed();
            let Some(first) = direction.ahead.keys().min_by_key(|key| distance(key)).copied()
            else {
                break;
            };
            if distance(&first) > 0 && !all {
                break;
            }
            let Some(bytes) = direction.ahead.remove(&first) else { break };
            direction.ahead_bytes = direction.ahead_bytes.saturating_sub(bytes.len());
            self.held = self.held.saturating_sub(bytes.len());
            self.push(at, first, &bytes, search);
        }
    }

    fn let_go(&mut self, at: usize, search: &mut Search<'_>) {
        self.follow(at, true, search);
    }

    /// Hands bytes to the flow, and what of them is new to the text.
    fn push(&mut self, at: usize, sequence: u32, bytes: &[u8], search: &mut Search<'_>) {
        let Some(direction) = self.directions.get_mut(at) else { return };
        let head = head(&self.nobody, direction.ends, at, sequence);
        let piece = self.flows.push(&head, bytes);
        // Sequence numbers are modulo 2^32, and so is the cast.
        let end = sequence.wrapping_add(bytes.len() as u32);
        let next = direction.next.unwrap_or(end);
        if end.wrapping_sub(next).cast_signed() > 0 {
            direction.next = Some(end);
        }
        let (fresh, gap) = (piece.fresh, piece.gap);
        if fresh.is_empty() {
            return;
        }
        if gap != Gap::None {
            self.read(at, search);
        }
        let Some(direction) = self.directions.get_mut(at) else { return };
        if direction.text.is_empty() {
            direction.gap = gap;
        }
        extend(&mut direction.text, fresh);
        self.held = self.held.saturating_add(fresh.len());
        if direction.text.len() >= PCAP_TEXT_BYTES_MAX {
            self.read(at, search);
        }
    }

    /// Decodes and searches what is held of a direction in order.
    fn read(&mut self, at: usize, search: &mut Search<'_>) {
        let Some(direction) = self.directions.get_mut(at) else { return };
        if direction.text.is_empty() {
            return;
        }
        let text = std::mem::take(&mut direction.text);
        self.held = self.held.saturating_sub(text.len());
        let Search { rules, scratch, path, file_len, report } = search;
        let mut candidates = Vec::new();
        let Direction { decoder, fields, .. } = direction;
        decoder.feed(&text, direction.gap, &mut |part| {
            scratch.candidates.clear();
            report.left.add(rules.finder.find(&part, None, fields, scratch));
            // What ended in the bytes before was found there.
            scratch.candidates.retain(|found| found.end > part.fresh);
            for mut found in scratch.candidates.drain(..) {
                (found.start, found.end) = placed(&text, &part, found.start, found.end);
                candidates.push(found);
            }
        });
        scratch.candidates.append(&mut candidates);
        let piece = Piece { bytes: &text, window: 0..text.len() };
        report.bytes = report.bytes.saturating_add(text.len() as u64);
        let name = name(path, direction.ends);
        let name = Name::Member(&name, *file_len);
        // What was sent allows nothing.
        let telling = Telling { rules, name, lines: Lines::All, report };
        telling.tell(scratch, &piece, Vec::new(), &mut direction.place);
        direction.gap = Gap::None;
    }

    fn datagram(&mut self, payload: &Payload<'_>, search: &mut Search<'_>) {
        if payload.bytes.is_empty() {
            return;
        }
        let ends = (payload.source, payload.destination, true);
        let at = self.direction(ends, search);
        let Some(direction) = self.directions.get_mut(at) else { return };
        let name = name(search.path, ends);
        // With a line end: what stands at the end of a datagram is not cut.
        let bytes = Zeroizing::new([payload.bytes, b"\n"].concat());
        let piece = Piece { bytes: &bytes, window: 0..payload.bytes.len() };
        let text = Text { bytes: &bytes, fresh: 0, part: Part::Text };
        let Search { rules, scratch, file_len, report, .. } = search;
        scratch.candidates.clear();
        report.left.add(rules.finder.find(&text, None, &mut direction.fields, scratch));
        report.bytes = report.bytes.saturating_add(payload.bytes.len() as u64);
        let name = Name::Member(&name, *file_len);
        let telling = Telling { rules, name, lines: Lines::All, report };
        telling.tell(scratch, &piece, Vec::new(), &mut direction.place);
    }
}

/// Where in `text` a finding in a part of it stands. A part that the decoder had to copy is looked
/// for: what stands in more than one place is told at the first.
fn placed(text: &[u8], part: &Text<'_>, start: usize, end: usize) -> (usize, usize) {
    let inside = text.as_ptr_range();
    let begin = part.bytes.as_ptr();
    if inside.contains(&begin) {
        let offset = begin.addr().saturating_sub(inside.start.addr());
        return (offset.saturating_add(start), offset.saturating_add(end));
    }
    let fresh = part.bytes.get(start.max(part.fresh)..end).unwrap_or_default();
    let at = memchr::memmem::find(text, fresh).unwrap_or(0);
    (at, at.saturating_add(fresh.len()).min(text.len()))
}

/// A vector that grows leaves copies behind that nobody wipes: it is moved by hand.
fn extend(text: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let need = text.len().saturating_add(bytes.len());
    if text.capacity() < need {
        let mut larger = Vec::with_capacity(need.next_power_of_two());
        larger.extend_from_slice(text);
        text.zeroize();
        *text = Zeroizing::new(larger);
    }
    text.extend_from_slice(bytes);
}

fn name(path: &str, (source, destination, datagrams): Ends) -> String {
    let transport = if datagrams { "/udp" } else { "" };
    format!("{path}!{source}->{destination}{transport}")
}

fn head(process: &Arc<Process>, ends: Ends, at: usize, position: u32) -> SampleHead {
    let end = |at: SocketAddr| Endpoint { address: at.ip(), port: at.port() };
    SampleHead {
        at_ns: 0,
        // A cookie of 0 is of no flow.
        flow: FlowKey { cookie: (at as u64).saturating_add(1), tls: false },
        socket: 0,
        tap: Tap::Socket,
        transport: Transport::Tcp,
        process: Arc::clone(process),
        source: end(ends.0),
        destination: Some(end(ends.1)),
        position,
        omitted_bytes: 0,
    }
}

/// A capture does not say who sent.
fn nobody() -> Process {
    Process {
        key: ProcessKey { pid: 0, start_ns: 0 },
        parent_pid: 0,
        exe: String::new(),
        cmdline: String::new(),
        comm: String::new(),
        uid: 0,
        cgroup: String::new(),
        unit: None,
    }
}
