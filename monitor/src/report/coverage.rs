//! Coverage: bytes sent against bytes examined, per process, and why the rest was not. It puts the
//! accounts of the kernel in words and looks nobody up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use monitor_ebpf::record::Coverage;
use serde::{Deserialize, Serialize};

/// Why bytes were not examined.
pub struct Reason {
    /// Its name in outputs.
    pub name: &'static str,
    /// What it means, and what can be done, in one line.
    pub meaning: &'static str,
    amount: fn(&Coverage) -> u64,
}

/// What left through the packet gate, was not examined, and has no other reason.
pub const UNSEEN: &str = "unseen";

const UNSEEN_MEANING: &str =
    "left through the packet gate, and nothing tells why it was not examined";

/// Why bytes were not examined; [`UNSEEN`] is the rest.
pub const REASONS: [Reason; 10] = [
    Reason {
        name: "over_sample_max",
        meaning: "beyond sample_bytes_max of one send, which the policy can raise",
        amount: |coverage| coverage.over_max_bytes,
    },
    Reason {
        name: "unreadable",
        meaning: "not in memory, or gone, when the send was looked at",
        amount: |coverage| coverage.unreadable_bytes,
    },
    Reason {
        name: "ring_full",
        meaning: "sent faster than the daemon takes in; the policy can raise ring_bytes",
        amount: |coverage| coverage.ring_full_bytes,
    },
    Reason {
        name: "opaque_budget",
        meaning: "compressed, encoded or binary, beyond the budget; the policy can raise \
                  opaque_flow_bytes_per_s and opaque_host_bytes_per_s",
        amount: |coverage| coverage.opaque_bytes,
    },
    Reason {
        name: "tls",
        meaning: "encrypted by a TLS library that is not read, before it came to the socket",
        amount: |coverage| coverage.tls_bytes,
    },
    Reason {
        name: "tls_busy",
        meaning: "handed to TLS libraries while as many others were looked at as there is room for",
        amount: |coverage| coverage.tls_busy_bytes,
    },
    Reason {
        name: "tls_sendfile",
        meaning: "from files by SSL_sendfile, which the kernel reads and encrypts",
        amount: |coverage| coverage.tls_file_bytes,
    },
    Reason {
        name: "flows_full",
        meaning: "on more sockets at once than are followed",
        amount: |coverage| coverage.flows_full_bytes,
    },
    Reason {
        name: "gate_busy",
        meaning: "in packets that left while the packet gate looked at another",
        amount: |coverage| coverage.gate_busy_bytes,
    },
    Reason {
        name: "over_packet_max",
        meaning: "beyond what the packet gate looks at in one packet",
        amount: |coverage| coverage.packet_over_max_bytes,
    },
];

/// Sends, and not bytes, of which nobody knows how much they sent.
pub const UNKNOWN_SENDS: [Reason; 2] = [
    Reason {
        name: "unreadable_sends",
        meaning: "what says where the bytes of the send are could not be read",
        amount: |coverage| coverage.unreadable_sends,
    },
    Reason {
        name: "packet_ring_sends",
        meaning: "sent from memory that is shared with a packet socket (PACKET_TX_RING)",
        amount: |coverage| coverage.packet_ring_sends,
    },
];

/// Bytes sent against bytes examined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Sends seen at the taps.
    pub sends: u64,
    /// Payload bytes that left through the packet gate. What leaves by another way (Unix sockets,
    /// packet sockets) is not among them.
    pub bytes_sent: u64,
    /// Bytes that were examined: cleared in the kernel, or handed over.
    pub bytes_examined: u64,
    /// Of what was examined or should have been, the share that was, from 0 to 1, rounded down.
    pub share_examined: f64,
    /// Bytes that were not, by reason.
    pub gaps: BTreeMap<String, u64>,
    /// Sends of which nobody knows how much they sent, by reason.
    pub unknown_sends: BTreeMap<String, u64>,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger::of(&Coverage::default())
    }
}

impl Ledger {
    /// What the kernel counted of one process.
    pub fn of(coverage: &Coverage) -> Ledger {
        let of = |reason: &Reason| (reason.name.to_owned(), (reason.amount)(coverage));
        let gaps: BTreeMap<String, u64> = REASONS.iter().map(of).filter(|gap| gap.1 != 0).collect();
        let unknown = UNKNOWN_SENDS.iter().map(of).filter(|gap| gap.1 != 0).collect();
        let mut ledger = Ledger {
            sends: coverage.sends,
            bytes_sent: coverage.sent_bytes,
            bytes_examined: coverage.examined_bytes,
            share_examined: 1.0,
            gaps,
            unknown_sends: unknown,
        };
        let unseen = ledger.bytes_sent.saturating_sub(ledger.bytes());
        if unseen != 0 {
            ledger.gaps.insert(UNSEEN.into(), unseen);
        }
        ledger.share_examined = ledger.share();
        ledger
    }

    /// Adds that of another process.
    pub fn add(&mut self, other: &Ledger) {
        self.sends = self.sends.saturating_add(other.sends);
        self.bytes_sent = self.bytes_sent.saturating_add(other.bytes_sent);
        self.bytes_examined = self.bytes_examined.saturating_add(other.bytes_examined);
        add_all(&mut self.gaps, &other.gaps);
        add_all(&mut self.unknown_sends, &other.unknown_sends);
        self.share_examined = self.share();
    }

    /// Bytes that were not examined, whatever the reason.
    pub fn gap_bytes(&self) -> u64 {
        self.gaps.values().fold(0, |sum, &bytes| sum.saturating_add(bytes))
    }

    /// Bytes that were examined or should have been.
    pub fn bytes(&self) -> u64 {
        self.bytes_examined.saturating_add(self.gap_bytes())
    }

    /// Rounded down, so that only all is 1.
    fn share(&self) -> f64 {
        const STEPS: u128 = 1_000_000;
        let steps = u128::from(self.bytes_examined) * STEPS;
        match steps.checked_div(u128::from(self.bytes())) {
            Some(steps) => steps as f64 / STEPS as f64,
            None => 1.0,
        }
    }

    /// The gaps for a person: bytes by reason, most first, then sends.
    pub fn gaps_text(&self) -> String {
        let mut gaps: Vec<_> = self.gaps.iter().collect();
        gaps.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        let gaps = gaps.into_iter().map(|(why, &bytes)| format!("{why} {}", bytes_text(bytes)));
        let unknown = self.unknown_sends.iter().map(|(why, count)| format!("{why} {count}"));
        gaps.chain(unknown).collect::<Vec<_>>().join(", ")
    }

    /// The share for a person, rounded down.
    pub fn share_text(&self) -> String {
        let per_mille = (self.share_examined * 1_000.0) as u64;
        format!("{}.{} %", per_mille / 10, per_mille % 10)
    }
}

fn add_all(to: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, amount) in from {
        let sum = to.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

/// A number of bytes for a person.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10) as usize;
    let unit = UNITS.get(power - 1).copied().unwrap_or("EiB");
    format!("{:.1} {unit}", bytes as f64 / (1_u64 << (10 * power)) as f64)
}

/// Coverage of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessCoverage {
    /// Process id; 0 for what nobody is known to have sent.
    pub pid: u32,
    /// Its start, nanoseconds since boot.
    pub start_ns: u64,
    /// What it sent.
    #[serde(flatten)]
    pub ledger: Ledger,
}

/// Coverage of one process that was looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamedCoverage {
    /// Executable, without what detectors find in it; `null` where nobody knows.
    pub exe: Option<String>,
    /// Whether it still runs.
    pub running: bool,
    /// Of whom, and how much.
    #[serde(flatten)]
    pub process: ProcessCoverage,
}

/// What a daemon says of its coverage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CoverageReport {
    /// Version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it was armed.
    pub armed_s: u64,
    /// All processes together, those included that are not listed.
    pub total: Ledger,
    /// Those that sent most, most first.
    pub processes: Vec<NamedCoverage>,
    /// Processes that are not listed.
    pub processes_more: usize,
}

/// Stands in the table for what nobody is known to have sent.
const NOBODY: &str = "(nobody is known to have sent it)";
/// Characters of an executable that the table shows, its end.
const EXE_CHARS_MAX: usize = 48;

impl NamedCoverage {
    /// Who it is, for a person.
    fn who(&self) -> String {
        if self.process.pid == 0 {
            return NOBODY.into();
        }
        let exe = self.exe.as_deref().unwrap_or("(unknown)");
        let chars = exe.chars().count();
        let mut who: String = if chars > EXE_CHARS_MAX {
            std::iter::once('…').chain(exe.chars().skip(chars - EXE_CHARS_MAX + 1)).collect()
        } else {
            exe.into()
        };
        if !self.running {
            who.push_str(" (ended)");
        }
        who.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

impl CoverageReport {
    /// A table for a person, with the meaning of each reason that stands in it.
    pub fn text(&self) -> String {
        let mut text =
            format!("daemon {} (pid {}) armed for {} s\n\n", self.version, self.pid, self.armed_s);
        if self.processes.is_empty() {
            text.push_str("nothing was sent since then\n");
            return text;
        }
        let row = |pid: String, ledger: &Ledger, who: String| {
            let sent = bytes_text(ledger.bytes_sent);
            let examined = bytes_text(ledger.bytes_examined);
            [pid, sent, examined, ledger.share_text(), who, ledger.gaps_text()]
        };
        let head = ["PID", "SENT", "EXAMINED", "SHARE", "EXECUTABLE", "NOT EXAMINED"];
        let mut rows = vec![head.map(str::to_owned)];
        for process in &self.processes {
            let pid = process.process.pid.to_string();
            rows.push(row(pid, &process.process.ledger, process.who()));
        }
        let all = self.processes.len() + self.processes_more;
        let processes = if all == 1 { "1 process".into() } else { format!("{all} processes") };
        rows.push(row("total".into(), &self.total, processes));
        write_table(&mut text, &rows);
        if self.processes_more > 0 {
            let more = self.processes_more;
            let _ = writeln!(text, "\n{more} more are in the total and not listed");
        }
        self.write_reasons(&mut text);
        text
    }

    fn write_reasons(&self, text: &mut String) {
        let known =
            REASONS.iter().chain(&UNKNOWN_SENDS).map(|reason| (reason.name, reason.meaning));
        let known = known.chain([(UNSEEN, UNSEEN_MEANING)]);
        let stands = |name: &str| {
            self.total.gaps.contains_key(name) || self.total.unknown_sends.contains_key(name)
        };
        let mut before = "\n";
        for (name, meaning) in known.filter(|(name, _)| stands(name)) {
            let _ = writeln!(text, "{before}{name}: {meaning}");
            before = "";
        }
    }
}

/// Numbers to the right, words to the left, as wide as the widest.
fn write_table(text: &mut String, rows: &[[String; 6]]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let [w0, w1, w2, w3, w4] = widths;
    for [pid, sent, examined, share, who, gaps] in rows {
        let line =
            format!("{pid:>w0$}  {sent:>w1$}  {examined:>w2$}  {share:>w3$}  {who:<w4$}  {gaps}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = include_str!("../../../docs/coverage.md");

    fn coverage() -> Coverage {
        Coverage { sends: 3, sent_bytes: 1_000, examined_bytes: 700, ..Coverage::default() }
    }

    #[track_caller]
    fn check(coverage: Coverage, gaps: &[(&str, u64)], share: f64) {
        let ledger = Ledger::of(&coverage);
        let told: Vec<(&str, u64)> =
            ledger.gaps.iter().map(|(why, n)| (why.as_str(), *n)).collect();
        assert_eq!(told, gaps);
        assert!((ledger.share_examined - share).abs() < 1e-9, "{ledger:?}");
    }

    #[test]
    fn what_left_and_has_no_reason_is_unseen() {
        check(coverage(), &[("unseen", 300)], 0.7);
        check(Coverage { tls_bytes: 200, ..coverage() }, &[("tls", 200), ("unseen", 100)], 0.7);
        check(Coverage { tls_bytes: 300, ..coverage() }, &[("tls", 300)], 0.7);
        // It was seen, and has not left.
        check(Coverage { tls_bytes: 700, ..coverage() }, &[("tls", 700)], 0.5);
        check(Coverage { sent_bytes: 0, ..coverage() }, &[], 1.0);
        check(Coverage::default(), &[], 1.0);
    }

    #[test]
    fn sends_of_unknown_size_are_no_bytes() {
        let coverage =
            Coverage { unreadable_sends: 2, packet_ring_sends: 1, ..Coverage::default() };
        let ledger = Ledger::of(&coverage);
        assert!(ledger.gaps.is_empty());
        assert_eq!(ledger.unknown_sends.values().sum::<u64>(), 3);
        assert_eq!(ledger.gaps_text(), "packet_ring_sends 1, unreadable_sends 2");
    }

    #[test]
    fn no_counter_overflows() {
        let most = Coverage {
            sent_bytes: u64::MAX,
            examined_bytes: u64::MAX,
            tls_bytes: u64::MAX,
            over_max_bytes: u64::MAX,
            ..Coverage::default()
        };
        let mut ledger = Ledger::of(&most);
        ledger.add(&Ledger::of(&most));
        assert_eq!(ledger.gap_bytes(), u64::MAX);
        assert_eq!(bytes_text(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn all_is_said_only_where_all_was_examined() {
        let almost = Coverage { sent_bytes: 1 << 40, examined_bytes: (1 << 40) - 1, ..coverage() };
        assert_eq!(Ledger::of(&almost).share_text(), "99.9 %");
        assert!(Ledger::of(&almost).share_examined < 1.0);
        assert_eq!(Ledger::of(&Coverage::default()).share_text(), "100.0 %");
    }

    #[test]
    fn the_table_is_aligned_and_says_what_each_reason_means() {
        let process = |pid, exe: Option<&str>, running, coverage: Coverage| NamedCoverage {
            exe: exe.map(str::to_owned),
            running,
            process: ProcessCoverage { pid, start_ns: 1, ledger: Ledger::of(&coverage) },
        };
        let tls = Coverage { sent_bytes: 1 << 21, tls_bytes: 1 << 20, ..coverage() };
        let processes = vec![
            process(4_321, Some("/usr/bin/curl\u{1b}"), true, tls),
            process(77, None, false, Coverage { sent_bytes: 700, ..coverage() }),
            process(0, None, false, Coverage { sent_bytes: 12, ..Coverage::default() }),
        ];
        let mut total = Ledger::default();
        processes.iter().for_each(|process| total.add(&process.process.ledger));
        let report = CoverageReport {
            version: "0.1.0".into(),
            pid: 812,
            armed_s: 60,
            total,
            processes,
            processes_more: 2,
        };
        let expected = "\
daemon 0.1.0 (pid 812) armed for 60 s

  PID     SENT  EXAMINED    SHARE  EXECUTABLE                         NOT EXAMINED
 4321  2.0 MiB     700 B    0.0 %  /usr/bin/curl                      tls 1.0 MiB, unseen 1023.3 KiB
   77    700 B     700 B  100.0 %  (unknown) (ended)
    0     12 B       0 B    0.0 %  (nobody is known to have sent it)  unseen 12 B
total  2.0 MiB   1.4 KiB    0.0 %  5 processes                        tls 1.0 MiB, unseen 1023.3 KiB

2 more are in the total and not listed

tls: encrypted by a TLS library that is not read, before it came to the socket
unseen: left through the packet gate, and nothing tells why it was not examined
";
        assert_eq!(report.text(), expected);
    }

    #[test]
    fn every_reason_is_in_the_docs() {
        let names = REASONS.iter().chain(&UNKNOWN_SENDS).map(|reason| reason.name);
        for name in names.chain([UNSEEN]) {
            assert!(DOC.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn the_example_in_the_docs_is_a_report_key_for_key() {
        let (_, rest) = DOC.split_once("```json\n").unwrap();
        let example: serde_json::Value =
            serde_json::from_str(rest.split_once("```").unwrap().0).unwrap();
        let report: CoverageReport = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&report).unwrap(), example);
    }
}
