//! What the monitor adds to an `SSL_write`, in three sizes, of prose that the prefilter passes over: the
//! hook at the library, the one at the socket that the record is sent on, and the packet gate. Beside it
//! what the kernel itself counts for the programs of each; what is left of it are the traps.
//!
//! The writes are of a program in C, as those that use the library are; it is built on the spot.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Certificate;
use crate::bench::Bench;
use crate::bench::daemon::Daemon;
use crate::bench::numbers::{median, quantile};
use crate::bench::per_send::{QUANTILE, SIZES, size};
use crate::bench::pinned::Pinned;
use crate::bench::programs::{Counting, PerSend, Programs};
use crate::bench::table::{Aim, Row, Unit};
use crate::bench::turns::{self, Turns};

/// The program.
const SOURCE: &str = include_str!("write.c");
/// Writes between two of its figures, `BATCH` there.
const BATCH: u64 = 16;
/// What is aimed for: a trap, which takes the processor about a microsecond, and at the library and at
/// the socket what is aimed for at a send,
const AIM_NS: f64 = 1_000.0 + 2.0 * 300.0;
/// and so many nanoseconds for each byte, which is read once.
const AIM_NS_PER_BYTE: f64 = 0.4;

/// Of what was written, the share that others on the machine may add to the samples meanwhile. What is
/// handed over of one write is of all of them: this is about whether that is so, and others are no
/// reason to go without a figure.
const OTHERS_MAX: f64 = 0.2;

/// A row for each size.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let program = build(&bench.folder.0)?;
    let certificate = Certificate::make(&bench.folder.0)?;
    let each = bench.pick(Duration::from_millis(200), Duration::from_millis(60));
    let mut counted: [Vec<PerSend>; SIZES.len()] = Default::default();
    let turns = turns::take(bench, bench.pick(11, 5), |daemon| {
        let mut writer = Writer::start(&program, &certificate)?;
        // What comes first finds nothing in the caches.
        writer.write(SIZES[0], each / 4)?;
        let figures = ns_per_write(&mut writer, each, daemon)?;
        if let Some(daemon) = daemon {
            for (all, one) in counted.iter_mut().zip(count(&mut writer, each / 4, daemon)?) {
                all.push(one);
            }
        }
        writer.end()?;
        Ok(figures)
    })?;
    let all = SIZES.iter().zip(&turns).zip(&counted);
    Ok(all.map(|((&bytes, turns), counted)| row(bytes, turns, counted)).collect())
}

fn row(bytes: usize, turns: &Turns, counted: &[PerSend]) -> Row {
    let (without, with) = turns.medians();
    let of = |part: fn(&PerSend) -> f64| median(&counted.iter().map(part).collect::<Vec<_>>());
    let ns = |figure| Unit::Nanoseconds.show(figure);
    let note = format!(
        "{} without, {} with the monitor; by the kernel's own count the TLS tap takes {}, the socket's \
         {}, the gate {}",
        ns(without),
        ns(with),
        ns(of(|one| one.tls_ns)),
        ns(of(|one| one.tap_ns)),
        ns(of(|one| one.gate_ns))
    );
    let name = format!("SSL_write of {} of prose: added to a write", size(bytes));
    Row::new(name, with - without, Unit::Nanoseconds)
        .spread(turns.range_of(|without, with| with - without))
        .note(note)
        .aim(Aim::AtMost(AIM_NS + AIM_NS_PER_BYTE * bytes as f64))
}

fn build(folder: &Path) -> Result<PathBuf> {
    let (source, program) = (folder.join("write.c"), folder.join("write"));
    std::fs::write(&source, SOURCE)?;
    let output = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(&source)
        .arg("-ldl")
        .output()
        .context("cc cannot be started; install gcc and libc6-dev")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cc ended with {}: {said}", output.status);
    Ok(program)
}

fn ns_per_write(
    writer: &mut Writer,
    each: Duration,
    daemon: Option<&Daemon>,
) -> Result<[f64; SIZES.len()]> {
    let mut figures = [0.0; SIZES.len()];
    for (figure, bytes) in figures.iter_mut().zip(SIZES) {
        let before = daemon.map(Seen::of).transpose()?;
        let batches_ns = writer.write(bytes, each)?;
        *figure = quantile(&batches_ns, QUANTILE);
        if let (Some(daemon), Some(before)) = (daemon, before) {
            let writes = batches_ns.len() as u64 * BATCH;
            Seen::of(daemon)?.check(&before, writes, writes * bytes as u64)?;
        }
    }
    Ok(figures)
}

/// What the kernel counts for each of the sizes.
fn count(writer: &mut Writer, each: Duration, daemon: &Daemon) -> Result<Vec<PerSend>> {
    let _counting = Counting::begin()?;
    let mut counted = Vec::new();
    for bytes in SIZES {
        let before = Programs::of(daemon.pid())?;
        let writes = writer.write(bytes, each)?.len() as u64 * BATCH;
        counted.push(Programs::of(daemon.pid())?.since(&before, writes));
    }
    Ok(counted)
}

/// The program. Killed when dropped.
struct Writer {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Writer {
    /// Starts it on one processor, and waits until it has a connection.
    fn start(program: &Path, certificate: &Certificate) -> Result<Writer> {
        let pinned = Pinned::to_one_cpu()?;
        let mut child = Command::new(program)
            .arg(&certificate.certificate)
            .arg(&certificate.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the program that writes cannot be started")?;
        drop(pinned);
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let answers = BufReader::new(answers.context("it has no standard output")?);
        let mut writer = Writer { child, orders, answers };
        ensure!(writer.answer()?.trim() == "ready", "the program that writes is not ready");
        Ok(writer)
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the program that writes ended, and says why");
        Ok(line)
    }

    /// Writes of one size for so long: nanoseconds a write of each batch.
    fn write(&mut self, bytes: usize, each: Duration) -> Result<Vec<f64>> {
        let orders = self.orders.as_mut().context("it was ended")?;
        writeln!(orders, "{bytes} {}", each.as_millis())?;
        let answer = self.answer()?;
        let figures = answer.split_whitespace().map(|figure| figure.parse().map_err(Into::into));
        let figures: Vec<f64> = figures.collect::<Result<_>>()?;
        ensure!(!figures.is_empty(), "nothing was written");
        Ok(figures)
    }

    /// The end of its orders is its own.
    fn end(mut self) -> Result<()> {
        drop(self.orders.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the program that writes ended with {status}");
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What became of what was written.
struct Seen {
    writes: u64,
    repeated: u64,
    cleared: u64,
    sampled: u64,
    busy: u64,
}

impl Seen {
    fn of(daemon: &Daemon) -> Result<Seen> {
        let counted = daemon.counted()?;
        Ok(Seen {
            writes: counted.kernel("tls_writes_seen")?,
            repeated: counted.kernel("tls_writes_repeated")?,
            cleared: counted.kernel("bytes_cleared")?,
            sampled: counted.kernel("bytes_sampled")?,
            busy: counted.kernel("tls_bytes_busy")?,
        })
    }

    /// All that was written must have been seen at the library, and read there and cleared; what others
    /// send adds to it.
    fn check(&self, before: &Seen, writes: u64, sent: u64) -> Result<()> {
        let (seen, cleared) = (self.writes - before.writes, self.cleared - before.cleared);
        ensure!(seen >= writes, "of {writes} TLS writes the tap saw {seen}");
        let (repeated, busy) = (self.repeated - before.repeated, self.busy - before.busy);
        ensure!(
            repeated <= writes / 100 && busy <= sent / 100,
            "of {writes} TLS writes {repeated} were taken for repeated ones, of {sent} bytes {busy} found \
             no work area"
        );
        ensure!(
            cleared >= sent - busy,
            "{sent} bytes were written, the prefilter cleared {cleared}"
        );
        let (sampled, others) = (self.sampled - before.sampled, (sent as f64 * OTHERS_MAX) as u64);
        ensure!(
            sampled <= others,
            "of {sent} bytes that cannot hold a finding {sampled} were handed over"
        );
        Ok(())
    }
}
