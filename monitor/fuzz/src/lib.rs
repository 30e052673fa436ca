//! What is fuzzed: the engine, whole and in pieces, the readings of a text, the decoder of a flow,
//! the reassembly of samples, the policy, ELF files. Each target takes any bytes.
//!
//! Beside panics it looks for cost: no input may take more than [`CPU_PER_MIB`] of processor time or
//! [`MEMORY_PER_BYTE`] times its length in memory beyond what the limits state. A short input says
//! little about either, so some inputs are repeated until they are long.

mod cost;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use egress_monitor::capture::tls::image;
use egress_monitor::decode::{Decoder, Part, Text, views};
use egress_monitor::detect::{Engine, Hit, Stream};
use egress_monitor::model::{Endpoint, FlowKey, Process, ProcessKey, SampleHead, Tap, Transport};
use egress_monitor::policy::{Date, Policy};
use egress_monitor::reassemble::{Flows, Gap};

use cost::within_bounds;
pub use cost::{CPU_PER_MIB, MEMORY_PER_BYTE};

/// Bytes to which an input is repeated.
const LONG_BYTES: usize = 128 << 10;

/// Every detector, built once.
fn all() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(Engine::all)
}

/// The first byte says whether the rest is repeated: one input in eight is.
fn drawn_out(data: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = data.split_first()?;
    if rest.is_empty() || first % 8 != 0 {
        return Some(rest.to_vec());
    }
    Some(rest.iter().copied().cycle().take(LONG_BYTES).collect())
}

fn check_spans(text: &[u8], hits: &[Hit]) {
    let mut end = 0;
    for hit in hits {
        assert!(hit.start < hit.end && hit.end <= text.len(), "a hit lies outside of its text");
        assert!(hit.start >= end, "two hits share a byte");
        end = hit.end;
    }
}

/// Finds in any bytes. Hits lie in the text, in order and apart.
pub fn engine(data: &[u8]) {
    let engine = all();
    let Some(text) = drawn_out(data) else { return };
    let mut hits = Vec::new();
    within_bounds(text.len(), || {
        engine.find(&text, &mut hits);
    });
    check_spans(&text, &hits);
    for hit in &hits {
        let value = &text[hit.start..hit.end];
        engine.mask(hit.detector, value);
        engine.plain(hit.detector, value, &mut |_| ());
    }
}

/// The same found in pieces as whole. The first bytes say how long the pieces are.
pub fn stream(data: &[u8]) {
    let engine = all();
    let Some((lengths, text)) = data.split_at_checked(4) else { return };
    let mut whole = Vec::new();
    if engine.find(text, &mut whole) > 0 {
        return;
    }
    let mut hits = Vec::new();
    let mut stream = Stream::new(engine);
    let mut rest = text;
    for length in lengths.iter().cycle() {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length).max(1)));
        stream.push(piece, &mut |base, hit| hits.push((base, *hit)));
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    stream.finish(&mut |base, hit| hits.push((base, *hit)));
    let places =
        |base: u64, hit: &Hit| (base + hit.start as u64, base + hit.end as u64, hit.detector);
    let whole: Vec<_> = whole.iter().map(|hit| places(0, hit)).collect();
    let pieces: Vec<_> = hits.iter().map(|(base, hit)| places(*base, hit)).collect();
    assert_eq!(whole, pieces, "pieces give other hits than the whole");
}

/// Reads a text in every way, and finds in each. Places lead back into the text.
pub fn views_of(data: &[u8]) {
    let Some(bytes) = drawn_out(data) else { return };
    let text = Text { bytes: &bytes, fresh: 0, part: Part::Text };
    let mut hits = Vec::new();
    within_bounds(bytes.len(), || {
        for view in views(&text).iter() {
            hits.clear();
            all().find(&view.bytes, &mut hits);
            check_spans(&view.bytes, &hits);
            for hit in &hits {
                let span = view.span(hit.start..hit.end);
                assert!(
                    span.start <= span.end && span.end <= bytes.len(),
                    "a place outside of the text"
                );
            }
        }
    });
}

/// Feeds a flow in pieces, with gaps. The first byte of each piece says how long it is, and whether
/// bytes are missing before it.
pub fn decoder(data: &[u8]) {
    let Some(bytes) = drawn_out(data) else { return };
    within_bounds(bytes.len(), || {
        let mut decoder = Decoder::default();
        let mut rest = bytes.as_slice();
        while let Some((&first, behind)) = rest.split_first() {
            let gap = match first {
                0..240 => Gap::None,
                240..248 => Gap::Bytes(first.into()),
                _ => Gap::Unknown,
            };
            let length = (usize::from(first) * 16 + 1).min(behind.len());
            let (piece, after) = behind.split_at(length);
            decoder.feed(piece, gap, &mut |text| {
                assert!(text.fresh <= text.bytes.len(), "fresh lies outside of the text");
                std::hint::black_box(text.bytes);
            });
            rest = after;
        }
    });
}

fn head(cookie: u64, position: u32, at_ns: u64) -> SampleHead {
    static PROCESS: OnceLock<Arc<Process>> = OnceLock::new();
    let process = PROCESS.get_or_init(|| {
        Arc::new(Process {
            key: ProcessKey { pid: 1, start_ns: 1 },
            parent_pid: 0,
            exe: String::new(),
            cmdline: String::new(),
            comm: String::new(),
            uid: 0,
            cgroup: String::new(),
            unit: None,
        })
    });
    SampleHead {
        at_ns,
        flow: FlowKey { cookie, tls: false },
        socket: 0,
        tap: Tap::Socket,
        transport: if cookie == 7 { Transport::Udp } else { Transport::Tcp },
        process: Arc::clone(process),
        source: Endpoint { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 1 },
        destination: None,
        position,
        omitted_bytes: 0,
    }
}

/// Samples of eight flows, at any positions and times. What is fresh is part of the sample.
pub fn reassemble(data: &[u8]) {
    let mut flows: Flows<Decoder> = Flows::with_capacity(4);
    let mut rest = data;
    let mut at_ns = 0u64;
    while let Some((&[cookie, length, a, b, c, later], behind)) = rest.split_first_chunk() {
        let (sample, after) = behind.split_at(usize::from(length).min(behind.len()));
        // Near each other for the most part, and at the end of the numbers.
        let position = if c < 200 { u32::from(a) } else { u32::from_le_bytes([a, b, c, 255]) };
        at_ns = at_ns.wrapping_add(u64::from(later) << 32);
        let piece = flows.push(&head(u64::from(cookie % 8), position, at_ns), sample);
        assert!(piece.fresh.len() <= sample.len(), "more is fresh than came");
        piece.state.feed(piece.fresh, piece.gap, &mut |_| {});
        rest = after;
    }
    assert!(flows.len() <= 4, "more flows than there is room for");
}

/// Reads any bytes as a policy; each problem can be shown.
pub fn policy(data: &[u8]) {
    let problems =
        Policy::parse_bytes(data, Date::constant(2026, 11, 25), &mut |_| Err(String::new())).err();
    for problem in problems.into_iter().flatten() {
        problem.render("policy.toml", false);
    }
}

/// Reads any bytes as an ELF file. Functions lie in it.
pub fn image_of(data: &[u8]) {
    within_bounds(data.len(), || {
        let Ok(image) = image::read_bytes(data) else { return };
        for site in &image.sites {
            assert!(site.offset < data.len() as u64, "a function beyond the end of its file");
        }
    });
}
