//! What the monitor adds to a send, in nanoseconds: for each way to hook that this kernel takes, over
//! UDP and TCP, in three sizes, of prose that the prefilter passes over; and, beside it, what the
//! kernel itself counts for the programs.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::socket::{MsgFlags, recv};

use super::Bench;
use super::daemon::{Daemon, Setup};
use super::numbers::{median, quantile};
use super::pinned::Pinned;
use super::programs::{Counting, PerSend, Programs};
use super::table::{Aim, Row, Unit};
use super::turns::{self, Turns};

/// Ways to hook, as `--tap` names them.
const WAYS: [&str; 3] = ["tracepoints", "fentry", "lsm"];
/// What a daemon says of one that the kernel does not take.
const REFUSED: &str = "was refused by the kernel: ";

/// Bytes of a send.
pub const SIZES: [usize; 3] = [64, 1024, 16 * 1024];
/// UDP and TCP, each in all sizes.
const MEASUREMENTS: usize = 2 * SIZES.len();
/// What is aimed for: so many nanoseconds a send,
const AIM_NS: f64 = 300.0;
/// and so many for each byte.
const AIM_NS_PER_BYTE: f64 = 0.4;

/// A line without a digit: the prefilter has nothing to look at.
const LINE: &[u8; 64] = b"the quick brown fox jumps over the lazy dog and then runs away.\n";
/// Sends between two looks at the clock: few, so that most are over before anybody else gets the
/// processor.
const BATCH: u32 = 16;
/// Of a round's batches the one that counts: so many of them were faster. What disturbs a batch makes it
/// slower, whichever of the two is measured.
pub const QUANTILE: f64 = 0.25;
/// Of what was sent, the share that others on the machine may add to the samples meanwhile.
const OTHERS_MAX: f64 = 0.001;

/// A row for each way, transport and size.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for way in WAYS {
        match measure_way(bench, way) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                let said = format!("{error:#}");
                let refusal = said.lines().find(|line| line.contains(REFUSED)).ok_or(error)?;
                rows.push(Row::not_there(&format!("a send hooked by {way}"), refusal));
            }
        }
    }
    Ok(rows)
}

fn measure_way(bench: &Bench, way: &str) -> Result<Vec<Row>> {
    // Refused or not is known before anything is measured.
    let setup = Setup { tap: Some(way), ..Setup::default() };
    Daemon::start_with(bench, setup)?.stop()?;
    let each = bench.pick(Duration::from_millis(150), Duration::from_millis(60));
    let mut counted: [Vec<PerSend>; MEASUREMENTS] = std::array::from_fn(|_| Vec::new());
    let turns = turns::take_with(bench, setup, bench.pick(11, 5), |daemon| {
        let figures = ns_per_send(each, daemon)?;
        if let Some(daemon) = daemon {
            for (all, one) in counted.iter_mut().zip(count(each / 3, daemon)?) {
                all.push(one);
            }
        }
        Ok(figures)
    })?;
    Ok((0..MEASUREMENTS).map(|at| row(way, at, &turns[at], &counted[at])).collect())
}

fn row(way: &str, at: usize, turns: &Turns, counted: &[PerSend]) -> Row {
    let (bytes, transport) =
        (SIZES[at % SIZES.len()], if at < SIZES.len() { "UDP" } else { "TCP" });
    let (without, with) = turns.medians();
    let of = |part: fn(&PerSend) -> f64| median(&counted.iter().map(part).collect::<Vec<_>>());
    let ns = |figure| Unit::Nanoseconds.show(figure);
    let note = format!(
        "{} without; by the kernel's own count the tap takes {}, the gate {}",
        ns(without),
        ns(of(|one| one.tap_ns)),
        ns(of(|one| one.gate_ns))
    );
    let name =
        format!("{} of prose over {transport}, hooked by {way}: added to a send", size(bytes));
    Row::new(name, with - without, Unit::Nanoseconds)
        .spread(turns.range_of(|without, with| with - without))
        .note(note)
        .aim(Aim::AtMost(AIM_NS + AIM_NS_PER_BYTE * bytes as f64))
}

/// A size as a person reads it.
pub fn size(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KiB", bytes / 1024) }
}

/// Two connected sockets.
struct Sockets {
    udp: UdpSocket,
    /// Nobody reads: its queue is full from the beginning on, and each send is the same.
    _udp_receiver: UdpSocket,
    tcp: TcpStream,
    tcp_receiver: TcpStream,
}

impl Sockets {
    fn connect() -> Result<Sockets> {
        let udp_receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        udp.connect(udp_receiver.local_addr()?)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let tcp = TcpStream::connect(listener.local_addr()?)?;
        tcp.set_nodelay(true)?;
        let (tcp_receiver, _) = listener.accept()?;
        Ok(Sockets { udp, _udp_receiver: udp_receiver, tcp, tcp_receiver })
    }

    /// One send of a measurement. What TCP brings is taken off the queue by the same thread, unread: a
    /// thread on the other processor would add its own time or take it away.
    fn send(&mut self, at: usize, text: &mut [u8]) -> Result<()> {
        let bytes = SIZES[at % SIZES.len()];
        if at < SIZES.len() {
            self.udp.send(&text[..bytes])?;
            return Ok(());
        }
        self.tcp.write_all(&text[..bytes])?;
        let mut left = bytes;
        while left > 0 {
            // MSG_TRUNC drops bytes instead of copying them (tcp(7)).
            let receiver = self.tcp_receiver.as_raw_fd();
            let taken = recv(receiver, &mut text[..left], MsgFlags::MSG_TRUNC)?;
            ensure!(taken > 0, "a connection over loopback ended");
            left -= taken;
        }
        Ok(())
    }
}

fn ns_per_send(each: Duration, daemon: Option<&Daemon>) -> Result<[f64; MEASUREMENTS]> {
    let before = daemon.map(Cleared::of).transpose()?;
    let mut sent = 0;
    let mut figures = [0.0; MEASUREMENTS];
    loops(each, |at, batches_ns, sends| {
        figures[at] = quantile(batches_ns, QUANTILE);
        sent += sends * SIZES[at % SIZES.len()] as u64;
        Ok(())
    })?;
    if let (Some(daemon), Some(before)) = (daemon, before) {
        Cleared::of(daemon)?.check(&before, sent)?;
    }
    Ok(figures)
}

/// What the kernel counts for each of the measurements.
fn count(each: Duration, daemon: &Daemon) -> Result<Vec<PerSend>> {
    let _counting = Counting::begin()?;
    let mut counted = Vec::new();
    let mut before = Programs::of(daemon.pid())?;
    loops(each, |_, _, sends| {
        let after = Programs::of(daemon.pid())?;
        counted.push(after.since(&before, sends));
        before = after;
        Ok(())
    })?;
    Ok(counted)
}

/// Sends for so long in each of the measurements, and tells of each: nanoseconds a send of each batch,
/// and how many sends there were.
fn loops(each: Duration, mut tell: impl FnMut(usize, &[f64], u64) -> Result<()>) -> Result<()> {
    let _pinned = Pinned::to_one_cpu()?;
    let mut sockets = Sockets::connect()?;
    let mut text = LINE.repeat(SIZES[SIZES.len() - 1] / LINE.len());
    for at in 0..MEASUREMENTS {
        let mut batches_ns = Vec::new();
        let (begun, mut last) = (Instant::now(), Instant::now());
        while begun.elapsed() < each {
            for _ in 0..BATCH {
                sockets.send(at, &mut text)?;
            }
            let now = Instant::now();
            batches_ns.push((now - last).as_nanos() as f64 / f64::from(BATCH));
            last = now;
        }
        let sends = batches_ns.len() as u64 * u64::from(BATCH);
        tell(at, &batches_ns, sends)?;
    }
    Ok(())
}

/// What became of the bytes that were sent.
struct Cleared {
    cleared: u64,
    sampled: u64,
    at_gate: u64,
}

impl Cleared {
    fn of(daemon: &Daemon) -> Result<Cleared> {
        let counted = daemon.counted()?;
        Ok(Cleared {
            cleared: counted.kernel("bytes_cleared")?,
            sampled: counted.kernel("bytes_sampled")?,
            at_gate: counted.kernel("bytes_examined_at_gate")?,
        })
    }

    /// All that was sent must have been read and cleared, once; what others send adds to it.
    fn check(&self, before: &Cleared, sent: u64) -> Result<()> {
        let cleared = self.cleared - before.cleared;
        ensure!(cleared >= sent, "{sent} bytes were sent, the prefilter cleared {cleared}");
        let others = (sent as f64 * OTHERS_MAX) as u64;
        let (sampled, at_gate) = (self.sampled - before.sampled, self.at_gate - before.at_gate);
        ensure!(
            sampled <= others && at_gate <= others,
            "of {sent} bytes that cannot hold a finding {sampled} were handed over, and {at_gate} read \
             again at the gate"
        );
        Ok(())
    }
}
