//! Measures egress-monitor's detectors and others' on the same text, in turns, one thread. Prints
//! JSON. Run by `cargo xtask bench detect`, pinned to one core.
//!
//! `peers throughput FILE ROUNDS` · `peers latency FILE ROUNDS` · `peers start ROUNDS`

use std::time::Instant;

use serde::Serialize;

mod rules;
mod subject;

use subject::{ours, subjects};

/// Bytes of a piece: a sample of the daemon's.
const PIECE_BYTES: usize = 4 << 10;

/// What one subject did, round for round.
#[derive(Serialize)]
struct Figures {
    name: &'static str,
    /// 10⁶ bytes a second; microseconds a sample; milliseconds a start.
    rounds: Vec<f64>,
    findings: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
    let figures = match argument(1) {
        "throughput" => throughput(&pieces(argument(2)), rounds(argument(3))),
        "latency" => latency(&pieces(argument(2)), rounds(argument(3))),
        "start" => start(rounds(argument(2))),
        other => panic!("{other} is none of throughput, latency, start"),
    };
    println!("{}", serde_json::to_string(&figures).expect("figures are JSON"));
}

fn rounds(text: &str) -> usize {
    text.parse().expect("the number of rounds is a number")
}

/// The file in pieces, cut between characters.
fn pieces(path: &str) -> Vec<String> {
    let bytes = std::fs::read(path).expect("the corpus can be read");
    bytes.chunks(PIECE_BYTES).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

fn throughput(pieces: &[String], rounds: usize) -> Vec<Figures> {
    let mut subjects = subjects();
    let mut figures: Vec<Figures> = subjects
        .iter()
        .map(|subject| Figures { name: subject.name, rounds: Vec::new(), findings: 0 })
        .collect();
    // One more round at the start, which warms caches and is not counted.
    for round in 0..=rounds {
        for (subject, figures) in subjects.iter_mut().zip(&mut figures) {
            let taken = (subject.bytes_max / PIECE_BYTES).min(pieces.len());
            let begun = Instant::now();
            let mut bytes = 0;
            let mut findings = 0;
            for piece in &pieces[..taken] {
                findings += (subject.find)(piece);
                bytes += piece.len();
            }
            let seconds = begun.elapsed().as_secs_f64();
            if round > 0 {
                figures.rounds.push(bytes as f64 / 1e6 / seconds);
                figures.findings = findings;
            }
        }
    }
    figures
}

/// Microseconds of each piece.
fn latency(pieces: &[String], rounds: usize) -> Vec<Figures> {
    let mut figures = Vec::new();
    for mut subject in ours() {
        let mut times = Vec::new();
        let mut findings = 0;
        for round in 0..=rounds {
            for piece in pieces {
                let begun = Instant::now();
                findings += (subject.find)(piece);
                if round > 0 {
                    times.push(begun.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
        figures.push(Figures { name: subject.name, rounds: times, findings });
    }
    figures
}

/// Milliseconds to build the engine; the first is the one that counts.
fn start(rounds: usize) -> Vec<Figures> {
    let times = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(subject::engine());
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    vec![Figures { name: "egress-monitor", rounds: times, findings: 0 }]
}
