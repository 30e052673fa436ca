//! Samples in, pieces out, as data; and that no byte is lost whatever the positions.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{Endpoint, Process, ProcessKey, Tap, Transport};

impl Reader for u32 {}

/// Keeps what it is told to.
#[derive(Default)]
struct Keeps(Vec<u8>);

impl Reader for Keeps {
    fn kept(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn a_tail_that_the_reader_keeps_is_as_good_as_ones_own() {
    for keeps in [&b"abcd"[..], b"", b"bcd", b"xxxx"] {
        let mut flows: Flows<Keeps> = Flows::default();
        flows.push(&head(1, 0, 0), b"abcd").state.0 = keeps.to_vec();
        // Another flow: the first rests, and shares what it can.
        flows.push(&head(2, 0, 0), b"-");
        let shares = flows.flows.peek(&head(1, 0, 0).flow).is_some_and(|flow| flow.shares);
        assert_eq!(shares, keeps == b"abcd");
        let piece = flows.push(&head(1, 2, 0), b"cdef");
        assert_eq!((piece.fresh, piece.gap), (&b"ef"[..], Gap::None));
        // It keeps something else by now.
        piece.state.0 = b"ef".to_vec();
        flows.push(&head(2, 1, 0), b"-");
        let piece = flows.push(&head(1, 0, 0), b"abcdefg");
        assert_eq!((piece.fresh, piece.gap), (&b"g"[..], Gap::None));
    }
}

fn head(cookie: u64, position: u32, at_ms: u64) -> SampleHead {
    let process = Process {
        key: ProcessKey { pid: 1, start_ns: 1 },
        parent_pid: 0,
        exe: String::new(),
        cmdline: String::new(),
        comm: String::new(),
        uid: 0,
        cgroup: String::new(),
        unit: None,
    };
    SampleHead {
        at_ns: at_ms * 1_000_000,
        flow: FlowKey { cookie, tls: false },
        socket: 0,
        tap: Tap::Socket,
        transport: Transport::Tcp,
        process: Arc::new(process),
        source: Endpoint { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 1 },
        destination: None,
        position,
        omitted_bytes: 0,
    }
}

/// Pushes samples of one flow; what comes out is `gap fresh`, with `alone` where the state is not
/// the flow's.
#[track_caller]
fn check(samples: &[(u32, &str)], expected: &[&str]) -> Stats {
    let mut flows: Flows<u32> = Flows::default();
    let mut pieces = Vec::new();
    for (position, bytes) in samples {
        let piece = flows.push(&head(1, *position, 0), bytes.as_bytes());
        let gap = match piece.gap {
            Gap::None => "joins".to_owned(),
            Gap::Bytes(missing) => format!("after {missing}"),
            Gap::Unknown if *piece.state == 0 => "new".to_owned(),
            Gap::Unknown => "unknown".to_owned(),
        };
        *piece.state += 1;
        pieces.push(format!("{gap}: {}", String::from_utf8_lossy(piece.fresh)));
    }
    assert_eq!(pieces, expected);
    flows.stats()
}

#[test]
fn samples_in_order_join() {
    let stats = check(&[(7, "abc"), (10, "de"), (12, "f")], &["new: abc", "joins: de", "joins: f"]);
    assert_eq!(stats, Stats::default());
}

#[test]
fn positions_wrap() {
    check(&[(u32::MAX - 1, "abc"), (1, "de")], &["new: abc", "joins: de"]);
    check(&[(u32::MAX - 1, "abc"), (0, "cde")], &["new: abc", "joins: de"]);
}

#[test]
fn gap_has_its_length() {
    let stats = check(&[(0, "abc"), (10, "de")], &["new: abc", "after 7: de"]);
    assert_eq!(stats.gap_bytes, 7);
}

#[test]
fn bytes_that_were_handed_on_are_left_out() {
    let stats = check(&[(0, "abcd"), (2, "cdef")], &["new: abcd", "joins: ef"]);
    assert_eq!(stats.overlap_bytes, 2);
    check(&[(0, "abcd"), (1, "bc"), (4, "ef")], &["new: abcd", "joins: ", "joins: ef"]);
    check(
        &[(0, "ab"), (2, "cd"), (0, "abcdef"), (6, "g")],
        &["new: ab", "joins: cd", "joins: ef", "joins: g"],
    );
}

#[test]
fn tail_that_was_not_sent_is_replaced() {
    let stats =
        check(&[(0, "abcd"), (2, "xy"), (4, "z")], &["new: abcd", "unknown: xy", "joins: z"]);
    assert_eq!(stats.replaced_samples, 1);
    // None of it was sent.
    check(&[(0, "abcd"), (0, "xyz"), (3, "!")], &["new: abcd", "unknown: xyz", "joins: !"]);
}

#[test]
fn long_send_that_is_tried_again_is_known_by_its_end() {
    let long: String = (0..4000).map(|at| char::from(b'a' + (at / 7 % 26) as u8)).collect();
    let again = format!("{}!", &long[100..]);
    check(&[(0, &long), (100, &again)], &[&format!("new: {long}"), "joins: !"]);
    // In pieces that do not reach the end there is nothing to compare with: twice rather than never.
    let stats = check(
        &[(0, &long), (100, &long[100..200]), (200, "!")],
        &[&format!("new: {long}"), &format!("unknown: {}", &long[100..200]), "joins: !"],
    );
    assert_eq!(stats.replaced_samples, 1);
}

#[test]
fn late_sample_stands_alone() {
    let stats = check(
        &[(0, "ab"), (4, "ef"), (2, "cd"), (6, "gh")],
        &["new: ab", "after 2: ef", "new: cd", "joins: gh"],
    );
    assert_eq!(stats.late_samples, 1);
}

#[test]
fn jump_begins_anew() {
    for position in [1 << 31, (1 << 30) + 3, 0_u32.wrapping_sub(1 << 30)] {
        let stats = check(&[(0, "ab"), (position, "cd")], &["new: ab", "new: cd"]);
        assert_eq!(stats.restarted_flows, 1, "{position}");
    }
}

#[test]
fn empty_sample_changes_nothing() {
    let stats = check(
        &[(9, ""), (0, "ab"), (99, ""), (1 << 31, ""), (2, "cd")],
        &["joins: ", "unknown: ab", "joins: ", "joins: ", "joins: cd"],
    );
    assert_eq!(stats, Stats::default());
}

#[test]
fn datagrams_stand_alone() {
    let mut flows: Flows<u32> = Flows::default();
    let head = SampleHead { transport: Transport::Udp, ..head(1, 0, 0) };
    for _ in 0..2 {
        let piece = flows.push(&head, b"ab");
        assert_eq!((piece.fresh, piece.gap, *piece.state), (&b"ab"[..], Gap::Unknown, 0));
        *piece.state += 1;
    }
    assert!(flows.is_empty());
}

#[test]
fn tls_and_the_socket_under_it_are_two_flows() {
    let mut flows: Flows<u32> = Flows::default();
    flows.push(&head(1, 0, 0), b"ab");
    let flow = FlowKey { cookie: 1, tls: true };
    let piece = flows.push(&SampleHead { flow, transport: Transport::Tls, ..head(1, 0, 0) }, b"ab");
    assert_eq!(piece.gap, Gap::Unknown);
    assert_eq!(flows.len(), 2);
}

#[test]
fn flow_idle_for_longest_makes_room() {
    let mut flows: Flows<u32> = Flows::with_capacity(2);
    for cookie in [1, 2, 1, 3] {
        *flows.push(&head(cookie, 0, 0), b"ab").state = 9;
    }
    assert_eq!((flows.len(), flows.stats().evicted_flows), (2, 1));
    assert_eq!(*flows.push(&head(1, 2, 0), b"cd").state, 9);
    assert_eq!(*flows.push(&head(2, 2, 0), b"cd").state, 0);
}

#[test]
fn idle_flow_begins_anew_and_makes_room() {
    let mut flows: Flows<u32> = Flows::default();
    for cookie in 1..=4 {
        *flows.push(&head(cookie, 0, cookie), b"ab").state = 9;
    }
    let piece = flows.push(&head(1, 2, FLOW_IDLE_MS + 1), b"cd");
    assert_eq!((piece.gap, *piece.state), (Gap::None, 9));
    let piece = flows.push(&head(4, 2, FLOW_IDLE_MS + 5), b"cd");
    assert_eq!((piece.gap, *piece.state), (Gap::Unknown, 0));
    // Its own, and the two oldest.
    assert_eq!((flows.len(), flows.stats().expired_flows), (2, 3));
}

#[test]
fn time_that_goes_back_is_no_idle_time() {
    let mut flows: Flows<u32> = Flows::default();
    flows.push(&head(1, 0, u64::from(u32::MAX)), b"ab");
    assert_eq!(flows.push(&head(1, 2, 0), b"cd").gap, Gap::None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_handed_on_or_was_before(
        samples in prop::collection::vec((0_u32..64, 0_usize..40), 1..40),
        base in any::<u32>(),
    ) {
        // The stream says at each position what the position is, so that a byte proves its place.
        let stream: Vec<u8> = (0..128).collect();
        let mut flows: Flows<()> = Flows::default();
        let mut seen = [false; 128];
        let mut end = None;
        for (position, len) in samples {
            let from = position as usize;
            let bytes = &stream[from..from + len];
            let piece = flows.push(&head(1, base.wrapping_add(position), 0), bytes);
            if let (Some(first), Some(end), Gap::None) = (piece.fresh.first(), end, piece.gap) {
                prop_assert_eq!(*first, end);
            }
            if let (Some(first), Some(end), Gap::Bytes(missing)) = (piece.fresh.first(), end, piece.gap) {
                prop_assert_eq!(u64::from(*first), u64::from(end) + missing);
            }
            for byte in piece.fresh {
                seen[usize::from(*byte)] = true;
            }
            prop_assert!(seen[from..from + len].iter().all(|seen| *seen));
            end = match (piece.gap, piece.fresh.last()) {
                // Bytes that stand alone, or that the flow goes on from: it does not say.
                (Gap::Unknown, _) => None,
                (_, Some(last)) => Some(last + 1),
                (_, None) => end,
            };
        }
    }

    #[test]
    fn any_positions_and_times_are_borne(
        samples in prop::collection::vec(
            (0_u64..4, any::<u32>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..600)),
            0..40,
        ),
    ) {
        let mut flows: Flows<()> = Flows::with_capacity(2);
        for (cookie, position, at_ns, bytes) in samples {
            let head = SampleHead { at_ns, ..head(cookie, position, 0) };
            let piece = flows.push(&head, &bytes);
            prop_assert!(bytes.ends_with(piece.fresh));
            prop_assert!(flows.len() <= 2);
        }
    }
}
