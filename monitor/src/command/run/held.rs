//! Samples of TLS sessions whose socket is not known yet. It comes out when the records of the text leave,
//! microseconds later, and rules ask where to: so they wait for it, a bounded time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use monitor_ebpf::record::{FLAG_TLS, SampleHead};
use zeroize::Zeroizing;

use crate::limits::{HELD_BYTES_MAX, HELD_SAMPLES_MAX};

/// How long after the text a library's records leave at most: a program that waits longer with what it
/// has encrypted is answered for without its destination.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// How often it is looked whether the socket is known.
pub const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What waits, in the order in which it came.
#[derive(Default)]
pub struct Held {
    samples: VecDeque<Sample>,
    bytes: usize,
    looked: Option<Instant>,
}

struct Sample {
    session: u64,
    since: Instant,
    record: Zeroizing<Vec<u8>>,
}

impl Held {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Whether something waits and was not looked at for a while.
    pub fn is_due(&mut self) -> bool {
        if self.samples.is_empty() || self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return false;
        }
        self.looked = Some(Instant::now());
        true
    }

    /// Whether a sample is to wait: its socket is not known, or one of the same session waits.
    pub fn wants(&self, head: &SampleHead) -> bool {
        head.flags & FLAG_TLS != 0
            && self.samples.len() < HELD_SAMPLES_MAX
            && self.bytes < HELD_BYTES_MAX
            && (head.socket == 0 || self.samples.iter().any(|held| held.session == head.cookie))
    }

    /// Keeps a record.
    pub fn push(&mut self, head: &SampleHead, record: &[u8]) {
        self.bytes += record.len();
        self.samples.push_back(Sample {
            session: head.cookie,
            since: Instant::now(),
            record: Zeroizing::new(record.to_vec()),
        });
    }

    /// Takes out the records that `is_known` says the socket of is known, and those that have waited for
    /// long enough, in their order. It asks once for each, which is a call to the kernel.
    pub fn take(&mut self, is_known: impl Fn(&[u8]) -> bool) -> Vec<Zeroizing<Vec<u8>>> {
        let mut ready = Vec::new();
        for held in std::mem::take(&mut self.samples) {
            if held.since.elapsed() >= WAIT_MAX || is_known(&held.record) {
                self.bytes -= held.record.len();
                ready.push(held.record);
            } else {
                self.samples.push_back(held);
            }
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(session: u64, socket: u64, flags: u32) -> SampleHead {
        let bytes = [0; monitor_ebpf::record::SAMPLE_HEAD_BYTES];
        let head = SampleHead::parse(&bytes).unwrap();
        SampleHead { cookie: session, socket, flags, ..head }
    }

    #[test]
    fn what_has_no_socket_waits_and_what_follows_it_too() {
        let mut held = Held::default();
        assert!(!held.wants(&head(1, 7, FLAG_TLS)));
        assert!(!held.wants(&head(1, 0, 0)), "not of a TLS session");
        assert!(held.wants(&head(1, 0, FLAG_TLS)));
        held.push(&head(1, 0, FLAG_TLS), b"first");
        assert!(held.wants(&head(1, 7, FLAG_TLS)), "the first of its session waits");
        assert!(!held.wants(&head(2, 7, FLAG_TLS)));
        held.push(&head(1, 7, FLAG_TLS), b"second");
        assert!(held.take(|_| false).is_empty());
        let [second] = &held.take(|record| record == b"second")[..] else { panic!("one is known") };
        assert_eq!(second.as_slice(), b"second");
        std::thread::sleep(WAIT_MAX);
        let [first] = &held.take(|_| false)[..] else { panic!("one has waited") };
        assert_eq!(first.as_slice(), b"first");
        assert!(held.is_empty() && held.bytes == 0 && held.take(|_| true).is_empty());
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut held = Held::default();
        for _ in 0..HELD_SAMPLES_MAX {
            assert!(held.wants(&head(1, 0, FLAG_TLS)));
            held.push(&head(1, 0, FLAG_TLS), b"");
        }
        assert!(!held.wants(&head(1, 0, FLAG_TLS)));
        let mut held = Held::default();
        held.push(&head(1, 0, FLAG_TLS), &vec![0; HELD_BYTES_MAX]);
        assert!(!held.wants(&head(1, 0, FLAG_TLS)));
    }
}
