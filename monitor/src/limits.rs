//! Every bound of the user side, by name. Units last in names. The kernel side's are in
//! `monitor_ebpf`.

/// Flows whose state is kept at once; the one idle for longest makes room.
pub const FLOWS_MAX: usize = 16_384;
/// Bytes of a flow's latest text that are kept to find a value split over sends.
pub const FLOW_CARRY_BYTES_MAX: usize = 512;
/// Bytes held for all flows together.
pub const FLOWS_CARRY_BYTES_MAX: usize = FLOWS_MAX * FLOW_CARRY_BYTES_MAX;
/// A flow that was idle for longer begins anew.
pub const FLOW_IDLE_MS: u64 = 120_000;
/// Hits of one sample that are looked at; more are counted, not listed.
pub const HITS_PER_SAMPLE_MAX: usize = 4_096;
/// Distinct findings that one alert lists; more are counted, not listed.
pub const FINDINGS_PER_ALERT_MAX: usize = 64;
/// Bytes of a command line that an alert shows.
pub const CMDLINE_BYTES_MAX: usize = 512;
/// Bytes of a policy file.
pub const POLICY_BYTES_MAX: usize = 1 << 20;
/// Rules of a policy.
pub const RULES_MAX: usize = 1_024;
/// Errors that `policy check` prints; the rest is a number.
pub const POLICY_ERRORS_MAX: usize = 1_000;
/// Characters of a line of the policy that an error shows.
pub const POLICY_EXCERPT_CHARS_MAX: usize = 120;
/// Characters of a free text of a policy: description, reason.
pub const POLICY_TEXT_CHARS_MAX: usize = 1_024;
/// Characters of a name in a policy: clause, owner.
pub const POLICY_NAME_CHARS_MAX: usize = 128;
/// Characters of a rule's id.
pub const RULE_ID_CHARS_MAX: usize = 64;
/// Entries of one list of a policy.
pub const POLICY_LIST_MAX: usize = 256;
/// Characters of one glob of a policy.
pub const POLICY_GLOB_CHARS_MAX: usize = 512;
/// Globs of a whole policy: each is compiled, at up to tens of kilobytes.
pub const POLICY_GLOBS_MAX: usize = 4_096;
/// Exceptions of one rule.
pub const EXCEPTIONS_PER_RULE_MAX: usize = 256;
/// Longest time that a threshold looks back.
pub const THRESHOLD_WITHIN_S_MAX: u64 = 86_400;
/// Distinct things a threshold remembers per rule and process. No threshold asks for more.
pub const THRESHOLD_VALUES_MAX: usize = 4_096;
/// Pairs of rule and process for which thresholds are kept; the one that ends first makes room.
pub const THRESHOLD_WINDOWS_MAX: usize = 8_192;
/// Things that all thresholds together remember, of about 40 bytes each; beyond it the pair whose
/// threshold ends first makes room.
pub const THRESHOLDS_VALUES_MAX: usize = 1 << 20;

const _: () = assert!(FLOW_CARRY_BYTES_MAX >= 256, "an escaped card is up to 222 bytes");
const _: () = assert!(POLICY_EXCERPT_CHARS_MAX >= 80, "carets stand in the middle of an excerpt");
const _: () =
    assert!(THRESHOLDS_VALUES_MAX > 2 * THRESHOLD_VALUES_MAX, "one window always has room");
