//! Which of the bytes that leave a tap has seen. A tap *claims* what a send asks for; the packet gate
//! looks at what leaves and nobody claimed: pages handed over by sendfile(2) and splice(2), requests
//! of io_uring, calls of 32-bit programs, buffers that were not in memory, sends from before the
//! start.
//!
//! For TCP a claim is a range of sequence numbers; for what has none it is a number of bytes, which
//! the next packets use up. A send may be refused or cut short after it was claimed, so the next
//! claim of the flow begins where the socket really stands, and a call whose bytes no tap reads
//! takes back what is left of the claims before it ([`Flow::unclaim`]). Numbers are modulo 2^32, as
//! TCP's are (RFC 9293, 3.4); none of this is trusted for more than what is looked at twice or not.

use crate::record::{FLOW_CLAIMED, FLOW_GATE_POSITION, FLOW_HOLE, Flow};

/// How far `to` lies behind `from`; negative where it lies before.
#[inline(always)]
fn ahead(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

impl Flow {
    /// A tap has seen the bytes from a sequence number to another.
    #[inline(always)]
    pub fn claim(&mut self, from: u32, to: u32) {
        let claimed = self.flags & FLOW_CLAIMED != 0;
        let sent = self.flags & FLOW_GATE_POSITION != 0;
        if claimed || sent {
            let mut known = if claimed { self.claimed } else { self.gate_position };
            if sent && ahead(known, self.gate_position) > 0 {
                known = self.gate_position;
            }
            // In between something was sent that no tap saw, and it has not left yet.
            if ahead(known, from) > 0 {
                self.leave_out(known, from);
            }
        }
        // What was left out from here on was not taken: these bytes stand there.
        if self.flags & FLOW_HOLE != 0 && ahead(from, self.hole_to) > 0 {
            self.hole_to = from;
            if ahead(self.hole_from, from) <= 0 {
                self.flags &= !FLOW_HOLE;
            }
        }
        self.claimed = to;
        self.flags |= FLOW_CLAIMED;
    }

    /// Of what is claimed, or will be, a tap could not read the bytes from a sequence number to
    /// another.
    #[inline(always)]
    pub fn leave_out(&mut self, from: u32, to: u32) {
        if self.flags & FLOW_HOLE == 0 || ahead(self.hole_from, from) < 0 {
            self.hole_from = from;
        }
        if self.flags & FLOW_HOLE == 0 || ahead(self.hole_to, to) > 0 {
            self.hole_to = to;
        }
        self.flags |= FLOW_HOLE;
    }

    /// A tap has seen so many bytes for which there is no sequence number.
    #[inline(always)]
    pub fn claim_bytes(&mut self, bytes: u32) {
        self.claimed_bytes = self.claimed_bytes.saturating_add(bytes);
    }

    /// Something is sent from here on whose bytes no tap reads; `position` is where the socket stands.
    #[inline(always)]
    pub fn unclaim(&mut self, position: u32, is_stream: bool) {
        self.claimed_bytes = 0;
        if is_stream {
            self.claim(position, position);
        }
    }

    /// The bytes from `from` to `to` leave for the first time: from which on nobody claimed them.
    #[inline(always)]
    pub fn unclaimed(&mut self, from: u32, to: u32) -> Option<u32> {
        if self.flags & FLOW_CLAIMED == 0 {
            if self.claimed_bytes == 0 {
                return Some(from);
            }
            // Sent before there were sequence numbers, with the connection (RFC 7413).
            self.claimed = from.wrapping_add(self.claimed_bytes);
            self.claimed_bytes = 0;
            self.flags |= FLOW_CLAIMED;
        }
        let mut begins = None;
        if ahead(self.claimed, to) > 0 {
            begins = Some(if ahead(from, self.claimed) > 0 { self.claimed } else { from });
            self.claimed = to;
        }
        if self.flags & FLOW_HOLE != 0 {
            if ahead(from, self.hole_to) > 0 && ahead(self.hole_from, to) > 0 {
                begins = Some(if ahead(from, self.hole_from) > 0 { self.hole_from } else { from });
            }
            if ahead(to, self.hole_to) <= 0 {
                self.flags &= !FLOW_HOLE;
            }
        }
        begins
    }

    /// A packet of so many bytes without a sequence number leaves: whether nobody claimed them all.
    #[inline(always)]
    pub fn unclaimed_bytes(&mut self, bytes: u32) -> bool {
        if self.claimed_bytes >= bytes {
            self.claimed_bytes -= bytes;
            return false;
        }
        self.claimed_bytes = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        Flow::NEW
    }

    /// What the gate does first.
    fn leaves(flow: &mut Flow, from: u32, to: u32) -> Option<u32> {
        flow.flags |= FLOW_GATE_POSITION;
        flow.gate_position = to;
        flow.unclaimed(from, to)
    }

    #[test]
    fn what_was_claimed_is_not_looked_at_again() {
        let mut flow = flow();
        flow.claim(u32::MAX - 9, 90);
        assert_eq!(leaves(&mut flow, u32::MAX - 9, 40), None);
        assert_eq!(leaves(&mut flow, 40, 90), None);
    }

    #[test]
    fn what_was_not_is_looked_at_once() {
        let mut flow = flow();
        assert_eq!(leaves(&mut flow, 10, 20), Some(10));
        flow.claim(20, 30);
        assert_eq!(leaves(&mut flow, 20, 35), Some(30));
        flow.claim(35, 40);
        assert_eq!(leaves(&mut flow, 35, 40), None);
    }

    #[test]
    fn what_lies_before_a_claim_and_leaves_after_it_is_looked_at() {
        let mut flow = flow();
        flow.claim(100, 200);
        flow.unclaim(200, true);
        // 300 bytes of a file are queued, then 50 are written, and nothing has left.
        flow.claim(500, 550);
        assert_eq!(leaves(&mut flow, 100, 300), Some(200));
        assert_eq!(leaves(&mut flow, 300, 550), Some(300));
        flow.claim(550, 560);
        assert_eq!(leaves(&mut flow, 550, 560), None);
    }

    #[test]
    fn a_claim_beyond_what_was_taken_ends_at_the_next() {
        let mut flow = flow();
        flow.claim(0, 1_000_000);
        assert_eq!(leaves(&mut flow, 0, 100), None);
        flow.unclaim(100, true);
        assert_eq!(leaves(&mut flow, 100, 200), Some(100));
    }

    #[test]
    fn what_could_not_be_read_is_looked_at() {
        let mut flow = flow();
        flow.claim(0, 50);
        flow.leave_out(20, 30);
        assert_eq!(leaves(&mut flow, 0, 15), None);
        assert_eq!(leaves(&mut flow, 15, 25), Some(20));
        assert_eq!(leaves(&mut flow, 25, 50), Some(25));
        assert_eq!(flow.flags & FLOW_HOLE, 0);
    }

    #[test]
    fn what_could_not_be_read_and_was_refused_is_not_looked_at() {
        let mut flow = flow();
        flow.claim(0, 100);
        flow.leave_out(0, 100);
        flow.claim(0, 21);
        assert_eq!(leaves(&mut flow, 0, 21), None);
        flow.claim(21, 100);
        flow.leave_out(90, 100);
        flow.claim(95, 120);
        assert_eq!(leaves(&mut flow, 21, 120), Some(90));
    }

    #[test]
    fn what_is_sent_with_the_connection_is_claimed() {
        let mut flow = flow();
        flow.claim_bytes(100);
        assert_eq!(leaves(&mut flow, 7_001, 7_101), None);
        assert_eq!(leaves(&mut flow, 7_101, 7_102), Some(7_101));
    }

    #[test]
    fn datagrams_use_claims_up() {
        let mut flow = flow();
        flow.claim_bytes(100);
        flow.claim_bytes(50);
        assert!(!flow.unclaimed_bytes(100));
        assert!(!flow.unclaimed_bytes(50));
        assert!(flow.unclaimed_bytes(1));
        flow.claim_bytes(100);
        flow.unclaim(0, false);
        assert!(flow.unclaimed_bytes(100));
    }
}
