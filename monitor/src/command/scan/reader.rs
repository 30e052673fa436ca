//! Looks through contents, piece by piece, with buffers that are used again: reads, has the pieces
//! searched, counts lines where something was found, and applies the comments that allow. One of
//! these for each thread. It chooses no files and prints nothing.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::allow::{self, MARK};
use super::capture::{Capture, Search};
use super::changed::Lines;
use super::engine::{Finder, Scratch};
use super::found::{Found, Report, Warning};
use super::place::Place;
use crate::command::input::{Kind, Payload, Skip, Unpack, Visit, fill};
use crate::decode::{Part, Text};
use crate::detect::Fields;
use crate::limits::{SCAN_FINDINGS_PER_FILE_MAX, SCAN_OVERLAP_BYTES, SCAN_PIECE_BYTES};
use crate::model::Confidence;

/// What holds for every file of a scan.
pub struct Rules {
    /// The detectors that are on.
    pub finder: Finder,
    /// Their names.
    pub entities: Vec<String>,
    /// Whether contents that are no text are searched as well.
    pub binary: bool,
    /// What is less sure is left out.
    pub min_confidence: Confidence,
    /// Whether comments may allow.
    pub allow: bool,
}

/// The buffers of a thread.
pub struct Reader<'a> {
    rules: &'a Rules,
    /// The byte before a content, or a line end; the content; room for a line end.
    buffer: Zeroizing<Vec<u8>>,
    scratch: Scratch,
}

/// Beginning with room for most files of a tree.
const BUFFER_BYTES: usize = 256 << 10;

impl<'a> Reader<'a> {
    /// With empty buffers.
    pub fn new(rules: &'a Rules) -> Self {
        let buffer = Zeroizing::new(vec![0; BUFFER_BYTES]);
        Reader { rules, buffer, scratch: Scratch::default() }
    }

    /// Looks through a file, of which only some lines may count.
    pub fn file(&mut self, path: &Path, lines: Lines<'_>) -> Report {
        let mut report = Report { is_file: true, ..Report::default() };
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (about, mut file) = match opened {
            Ok(opened) => opened,
            Err(error) => return unreadable(report, path, &error),
        };
        if !about.is_file() {
            return self.stream(&shown(path), &mut file);
        }
        report.size = about.len();
        // A byte more than there should be: the end is seen without another read. Two more for what
        // stands before and behind.
        let size = usize::try_from(about.len()).unwrap_or(SCAN_PIECE_BYTES).saturating_add(3);
        self.make_room(size, 0);
        let (filled, read) = self.fill(0, &mut file);
        if let Err(error) = read {
            return unreadable(report, path, &error);
        }
        let kind = Kind::of(self.buffer.get(1..=filled).unwrap_or_default());
        if kind.is_container() {
            return match io::Seek::rewind(&mut file) {
                Ok(()) => self.unpack(&shown(path), kind, &file, report),
                Err(error) => unreadable(report, path, &error),
            };
        }
        if kind != Kind::Text && !self.rules.binary {
            let (why, what) = match kind {
                Kind::Unsupported(name) => (Skip::Unsupported, format!("{name} is not opened")),
                _ => (Skip::Binary, "no text".into()),
            };
            report.skipped.push((shown(path), why, what));
            report.is_file = false;
            return report;
        }
        match self.pieces(filled, &mut file, Name::File(path), lines, &mut report) {
            Ok(()) => report,
            Err(error) => unreadable(report, path, &error),
        }
    }

    /// Looks through what can only be read once.
    pub fn stream(&mut self, path: &str, from: &mut dyn Read) -> Report {
        let report = Report { is_file: true, ..Report::default() };
        let binary = self.rules.binary;
        let mut visit = Opened { reader: self, file_len: path.len(), report, capture: None };
        Unpack::new(binary, &mut visit).stream(path, from);
        visit.report
    }

    fn unpack(&mut self, path: &str, kind: Kind, file: &File, report: Report) -> Report {
        let binary = self.rules.binary;
        let mut visit = Opened { reader: self, file_len: path.len(), report, capture: None };
        Unpack::new(binary, &mut visit).file(path, kind, file);
        visit.report
    }

    /// Makes the buffer as large as that, or as a piece may be; `have` bytes of content stay.
    fn make_room(&mut self, bytes: usize, have: usize) {
        let bytes = bytes.checked_next_power_of_two().unwrap_or(bytes).min(SCAN_PIECE_BYTES);
        if self.buffer.len() < bytes {
            let mut larger = Zeroizing::new(vec![0; bytes]);
            let kept = self.buffer.iter().take(have.saturating_add(1));
            larger.iter_mut().zip(kept).for_each(|(slot, byte)| *slot = *byte);
            // The old one is wiped as it goes.
            self.buffer = larger;
        }
    }

    /// Fills the buffer behind the `have` bytes of content that are there.
    fn fill(&mut self, have: usize, from: &mut dyn Read) -> (usize, io::Result<()>) {
        let (begin, end) = (have.saturating_add(1), self.buffer.len().saturating_sub(1));
        self.buffer.get_mut(begin..end).map_or((0, Ok(())), |room| fill(from, room))
    }

    /// Searches a content of which `have` bytes are in the buffer.
    fn pieces(
        &mut self,
        mut have: usize,
        from: &mut dyn Read,
        name: Name<'_>,
        lines: Lines<'_>,
        report: &mut Report,
    ) -> io::Result<()> {
        let (mut place, mut begin) = (Place::default(), 0);
        if let Some(before) = self.buffer.first_mut() {
            *before = b'\n';
        }
        loop {
            let (read, result) = self.fill(have, from);
            have = have.saturating_add(read);
            let end = have.saturating_add(2) < self.buffer.len() || result.is_err();
            if !end && self.buffer.len() < SCAN_PIECE_BYTES {
                self.make_room(self.buffer.len().saturating_mul(4), have);
                continue;
            }
            let until = if end { have } else { cut(self.buffer.get(1..=have).unwrap_or_default()) };
            let Reader { rules, buffer, scratch } = self;
            let led = whole(buffer, have, end && result.is_ok());
            let piece = Piece { bytes: led.get(1..).unwrap_or_default(), window: begin..until };
            let telling = Telling { rules, name, lines, report: &mut *report };
            telling.search(scratch, &piece, led, &mut place);
            report.bytes = report.bytes.saturating_add(until.saturating_sub(begin) as u64);
            if end {
                return result;
            }
            let shared = until.saturating_sub(SCAN_OVERLAP_BYTES);
            // With the byte before.
            self.buffer.copy_within(shared..have.saturating_add(1), 0);
            (have, begin) = (have.saturating_sub(shared), until.saturating_sub(shared));
        }
    }
}

fn unreadable(mut report: Report, path: &Path, error: &io::Error) -> Report {
    report.skipped.push((shown(path), Skip::Unreadable, told(error)));
    report
}

/// The content in the buffer with the byte before it; at its end with a line end, so that what stands
/// there is not taken for cut.
fn whole(buffer: &mut [u8], have: usize, end: bool) -> &[u8] {
    let mut len = have.saturating_add(1);
    let ended = buffer.get(have) == Some(&b'\n');
    if end
        && !ended
        && let Some(byte) = buffer.get_mut(len)
    {
        *byte = b'\n';
        len = len.saturating_add(1);
    }
    buffer.get(..len).unwrap_or_default()
}

/// Where a piece ends for good: what follows is searched again with the next. At a line end if there
/// is one near.
fn cut(piece: &[u8]) -> usize {
    let latest = piece.len().saturating_sub(SCAN_OVERLAP_BYTES / 2);
    let earliest = piece.len().saturating_sub(SCAN_OVERLAP_BYTES);
    let end = piece.get(earliest..latest).and_then(|near| memchr::memrchr(b'\n', near));
    end.map_or(latest, |at| earliest.saturating_add(at).saturating_add(1))
}

/// What is searched at once.
pub(super) struct Piece<'a> {
    pub bytes: &'a [u8],
    /// Where findings have to begin to count; the rest is there for what stands around them.
    pub window: Range<usize>,
}

/// The name of a content, made only where it is told.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    File(&'a Path),
    /// With so many bytes for the file itself.
    Member(&'a str, usize),
}

impl Name<'_> {
    fn make(self) -> (Arc<str>, usize) {
        match self {
            Name::File(path) => {
                let path = shown(path);
                let len = path.len();
                (path.into(), len)
            }
            Name::Member(path, len) => (path.into(), len),
        }
    }
}

/// What is told of a content, and to whom.
pub(super) struct Telling<'t> {
    pub rules: &'t Rules,
    pub name: Name<'t>,
    pub lines: Lines<'t>,
    pub report: &'t mut Report,
}

impl Telling<'_> {
    /// Searches a piece of a file; `led` is the piece with the byte before it.
    fn search(self, scratch: &mut Scratch, piece: &Piece<'_>, led: &[u8], place: &mut Place) {
        scratch.candidates.clear();
        let text = Text { bytes: piece.bytes, fresh: 0, part: Part::Text };
        let left = self.rules.finder.find(&text, Some(led), &mut Fields::default(), scratch);
        self.report.left.add(left);
        scratch.candidates.retain(|found| piece.window.contains(&found.start));
        let allows = if self.rules.allow { allow::allows(piece.bytes) } else { Vec::new() };
        // Nobody asks where the end of the last piece is.
        let last = piece.window.end >= piece.bytes.len().saturating_sub(1);
        if scratch.candidates.is_empty() && allows.is_empty() && last {
            return;
        }
        self.tell(scratch, piece, allows, place);
    }

    /// Makes findings of the candidates, whose places are in the piece, and goes on to its end.
    pub(super) fn tell(
        self,
        scratch: &mut Scratch,
        piece: &Piece<'_>,
        mut allows: Vec<allow::Allow>,
        place: &mut Place,
    ) {
        let Telling { rules, name, lines, report } = self;
        let candidates = &mut scratch.candidates;
        candidates.sort_by_key(|found| (found.start, found.end));
        let starts = candidates.iter().map(|found| (found.start, found.entity.as_ref()));
        allow::settle(&mut allows, starts);
        let (path, file_len) = name.make();
        let begin = Walk { bytes: piece.bytes, at: piece.window.start, place: *place };
        let mut walk = begin;
        for allow in allows.iter().filter(|allow| piece.window.contains(&allow.at)) {
            walk.warn(allow, &rules.entities, &path, lines, report);
        }
        walk = begin;
        for found in candidates.drain(..) {
            walk.to(found.start);
            let mut behind = walk;
            behind.to(found.end);
            let (start, end) = (walk.place.point(), behind.place.point());
            if found.confidence < rules.min_confidence || !lines.touch(start.line, end.line) {
                continue;
            }
            if report.found.len() >= SCAN_FINDINGS_PER_FILE_MAX {
                report.left.hits = report.left.hits.saturating_add(1);
                continue;
            }
            let allowed = allow::allowing(&allows, found.start, &found.entity)
                .map(|allow| allow.reason.clone())
                .filter(|reason| !reason.is_empty());
            let path = Arc::clone(&path);
            report.found.push(Found { path, file_len, start, end, allowed, what: found });
        }
        walk.to(piece.window.end);
        *place = walk.place;
    }
}

/// Goes through a piece and counts.
#[derive(Clone, Copy)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    place: Place,
}

impl Walk<'_> {
    fn to(&mut self, at: usize) {
        self.place.advance(self.bytes.get(self.at..at).unwrap_or_default());
        self.at = self.at.max(at);
    }

    fn warn(
        &mut self,
        allow: &allow::Allow,
        entities: &[String],
        path: &Arc<str>,
        lines: Lines<'_>,
        report: &mut Report,
    ) {
        let mut messages = Vec::new();
        if allow.reason.is_empty() {
            messages.push(format!("{MARK} allows nothing without a reason; write it behind it"));
        }
        if let Some(name) = allow.unknown(entities).next() {
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let what = "which is no entity that is looked for; see `egress-monitor entities`";
            messages.push(format!("{MARK} names {name:?}, {what}"));
        }
        if messages.is_empty() {
            return;
        }
        self.to(allow.at);
        let point = self.place.point();
        if !lines.touch(point.line, point.line) {
            return;
        }
        for message in messages {
            let (path, line, column) = (Arc::clone(path), point.line, point.column);
            report.warnings.push(Warning { path, line, column, message });
        }
    }
}

/// A container that is being looked through.
struct Opened<'r, 'a> {
    reader: &'r mut Reader<'a>,
    file_len: usize,
    report: Report,
    capture: Option<Box<Capture>>,
}

impl Opened<'_, '_> {
    fn search<'s>(&'s mut self, path: &'s str) -> Search<'s> {
        Search {
            rules: self.reader.rules,
            scratch: &mut self.reader.scratch,
            path,
            file_len: self.file_len,
            report: &mut self.report,
        }
    }
}

impl Visit for Opened<'_, '_> {
    fn content(&mut self, path: &str, from: &mut dyn Read) -> io::Result<()> {
        let name = Name::Member(path, self.file_len);
        self.reader.pieces(0, from, name, Lines::All, &mut self.report)
    }

    fn payload(&mut self, path: &str, payload: &Payload<'_>) {
        let mut capture = self.capture.take().unwrap_or_default();
        capture.take(payload, &mut self.search(path));
        self.capture = Some(capture);
    }

    fn capture_ends(&mut self, path: &str) {
        if let Some(mut capture) = self.capture.take() {
            capture.finish(&mut self.search(path));
        }
    }

    fn skipped(&mut self, path: &str, why: Skip, what: &str) {
        self.report.skipped.push((path.into(), why, what.into()));
    }
}

/// A path as it is printed.
pub fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).to_string_lossy().into_owned()
}

/// An error of the system without its number.
pub fn told(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
