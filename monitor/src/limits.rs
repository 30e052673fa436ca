//! Every bound of the user side, by name. Units last in names. The kernel side's are in
//! `monitor_ebpf`.

/// Flows whose state is kept at once; the one idle for longest makes room. A flow takes up to
/// 1.2 KiB, and only those take any of which the prefilter let a send through.
pub const FLOWS_MAX: usize = 8_192;
/// Bytes of a flow's latest text that are kept to find a value split over sends.
pub const FLOW_CARRY_BYTES_MAX: usize = 512;
/// Bytes held for all flows together: each flow's latest bytes as sent, and as decoded, and the
/// beginning of a line that is cut.
pub const FLOWS_CARRY_BYTES_MAX: usize =
    FLOWS_MAX * (2 * FLOW_CARRY_BYTES_MAX + HTTP_LINE_KEPT_BYTES_MAX);
/// A flow that was idle for longer begins anew.
pub const FLOW_IDLE_MS: u64 = 120_000;
/// Idle flows that one sample clears away.
pub const FLOWS_EXPIRED_PER_SAMPLE_MAX: usize = 2;
/// A position that jumps by more, either way, is another stream and no gap: no socket buffer holds
/// as much (`net.ipv4.tcp_wmem` is at most 2 GiB, and half of the sequence space says nothing).
pub const FLOW_JUMP_BYTES_MAX: u32 = 1 << 30;
/// Bytes of an HTTP head or trailer; a longer one is read as text.
pub const HTTP_HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of an HTTP start line; RFC 9112 section 3 recommends to support at least 8000.
pub const HTTP_START_LINE_BYTES_MAX: usize = 8 << 10;
/// Bytes of a header field line that is cut between two sends; what follows is not interpreted.
pub const HTTP_LINE_KEPT_BYTES_MAX: usize = 256;
/// Bytes of the line that frames an HTTP chunk, extension included.
pub const HTTP_CHUNK_LINE_BYTES_MAX: usize = 256;
/// Layers of escapes that are undone, one over the other. The framing of chunks is no escape.
pub const ESCAPE_DEPTH_MAX: usize = 2;
/// Bytes of a key's name that the place of a finding shows.
pub const PLACE_KEY_BYTES_MAX: usize = 40;
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
const _: () = assert!(HTTP_CHUNK_LINE_BYTES_MAX <= HTTP_LINE_KEPT_BYTES_MAX);

/// Processes whose identity is remembered; the one not seen for longest makes room.
pub const PROCESSES_KNOWN_MAX: usize = 1_024;
/// Directories of the cgroup tree that are looked at to find the path of one that a process that
/// is gone was in.
pub const CGROUPS_WALKED_MAX: usize = 4_096;
/// Records that are handled before signals, timers and commands get a turn.
pub const RECORDS_PER_TURN_MAX: usize = 256;
/// How long a kill is watched for the process to be gone.
pub const DEATH_WAIT_MS: u64 = 1_000;
/// Kills that are watched at once; more are reported as sent.
pub const DEATHS_WATCHED_MAX: usize = 256;
/// Processes that a status lists, those that sent most.
pub const STATUS_PROCESSES_MAX: usize = 256;
/// Bytes of a status that a client takes.
pub const STATUS_BYTES_MAX: u64 = 4 << 20;
/// Distinct values of one sample that become findings; more are counted.
pub const FINDINGS_PER_SAMPLE_MAX: usize = 256;
/// Connections to the control socket that are answered at once.
pub const CONTROL_CLIENTS_MAX: usize = 16;
/// Bytes of a command on the control socket.
pub const CONTROL_COMMAND_BYTES_MAX: usize = 256;
/// How long a client of the control socket may take for its command, and for its answer.
pub const CONTROL_WAIT_MS: u64 = 2_000;
/// Processes that were killed and are remembered, so that what they still sent is told as killed.
pub const KILLED_KNOWN_MAX: usize = 1_024;
/// Alerts of about 1 KiB that wait for the end of a process that was killed; more go out as
/// `signalled`.
pub const ALERTS_WAITING_MAX: usize = 4_096;

/// Opaque bytes (compressed, binary, base64) that the kernel hands over of one flow within a second.
/// A form or a record fits; of a download its beginning.
pub const OPAQUE_FLOW_BYTES_PER_S: u32 = 1 << 20;
/// And of all flows of the host: the daemon undoes and searches some tens of megabytes a second, so
/// this is a tenth of one core.
pub const OPAQUE_HOST_BYTES_PER_S: u32 = 8 << 20;
