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

/// Bytes before and behind the beginning of a value on which depends what is said of it: the longest
/// value, the keys above it, the words near by.
pub const WINDOW_HELD_BYTES: usize = 12 << 10;
/// Bytes of a text in pieces that are looked at in one go, beside those that are held.
pub const WINDOW_STEP_BYTES: usize = 232 << 10;

/// Detectors that a policy brings along: each looks at every text.
pub const CUSTOM_DETECTORS_MAX: usize = 64;
/// Characters of the regex of a detector of a policy.
pub const CUSTOM_REGEX_CHARS_MAX: usize = 1_024;
/// Bytes that such a regex compiles to, and of what is kept of it while it runs, each: all of a
/// policy are then at most 128 MiB for each thread.
pub const CUSTOM_REGEX_BYTES_MAX: usize = 1 << 20;
/// Groups within groups of such a regex: its parser goes as deep.
pub const CUSTOM_REGEX_DEPTH_MAX: u32 = 50;
/// Characters of a literal of a detector of a policy: longer ones are not seen whole where two
/// samples meet ([`FLOW_CARRY_BYTES_MAX`], four bytes a character).
pub const CUSTOM_LITERAL_CHARS_MAX: usize = 128;
/// Characters of a context word of a detector of a policy.
pub const CUSTOM_WORD_CHARS_MAX: usize = 64;
/// Bytes of a dictionary file: a million terms of 64 bytes.
pub const DICTIONARY_BYTES_MAX: usize = 64 << 20;
/// Terms of all dictionaries of a policy, of 20 bytes each in memory, 40 where it has several words.
pub const DICTIONARY_TERMS_MAX: usize = 1_000_000;

const _: () = assert!(FLOW_CARRY_BYTES_MAX >= 256, "an escaped card is up to 222 bytes");
const _: () = assert!(POLICY_EXCERPT_CHARS_MAX >= 80, "carets stand in the middle of an excerpt");
const _: () =
    assert!(THRESHOLDS_VALUES_MAX > 2 * THRESHOLD_VALUES_MAX, "one window always has room");
const _: () = assert!(HTTP_CHUNK_LINE_BYTES_MAX <= HTTP_LINE_KEPT_BYTES_MAX);

/// Processes whose identity is remembered; the one not seen for longest makes room.
pub const PROCESSES_KNOWN_MAX: usize = 1_024;
/// Processes that alerts told of last and whose names, as they may be shown, are kept.
pub const PROCESSES_SHOWN_MAX: usize = 64;
/// Directories of the cgroup tree that are looked at to find the path of one that a process that
/// is gone was in.
pub const CGROUPS_WALKED_MAX: usize = 4_096;
/// Records that are handled before signals, timers and commands get a turn.
pub const RECORDS_PER_TURN_MAX: usize = 256;
/// How long a kill is watched for the process to be gone.
pub const DEATH_WAIT_MS: u64 = 1_000;
/// Programs that were started of which is found out in one turn in which clauses they are.
pub const PROGRAMS_PER_TURN_MAX: usize = 64;
/// Descriptors of a process among which the socket is searched whose connection is to end.
pub const DESCRIPTORS_SEARCHED_MAX: usize = 4_096;
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
/// Bytes of a command on the control socket: a reason of 1 KiB and an allow-list of 256 networks.
pub const CONTROL_COMMAND_BYTES_MAX: usize = 16 << 10;
/// Lines of the audit trail about peers of the control socket that were refused, within a minute.
pub const REFUSALS_NOTED_PER_MINUTE_MAX: u32 = 10;
/// Characters of what they asked for in such a line.
pub const REFUSED_CHARS_MAX: usize = 256;
/// How long a client of the control socket may take for its command, and for its answer.
pub const CONTROL_WAIT_MS: u64 = 2_000;
/// Processes that wait to be put in quarantine by a rule.
pub const WARDEN_ORDERS_MAX: usize = 4;
/// How long records wait for a process to be put in quarantine: some milliseconds, where no command is at
/// it too.
pub const WARDEN_WAIT_MS: u64 = 500;
/// Processes that were killed and are remembered, so that what they still sent is told as killed.
pub const KILLED_KNOWN_MAX: usize = 1_024;
/// Alerts of about 1 KiB that wait for the end of a process that was killed; more go out as
/// `signalled`.
pub const ALERTS_WAITING_MAX: usize = 4_096;

// Reading files and archives for `scan` and `redact`.

/// First bytes of a content by which its kind is told: a tar header stands in its first 512, and a
/// NUL within 8 KiB makes a file binary for git (`buffer_is_binary`) as well.
pub const INPUT_HEAD_BYTES: usize = 8 << 10;
/// Containers in containers that are opened: a log in a gz in a zip in a tar.gz takes five.
pub const INPUT_DEPTH_MAX: usize = 6;
/// Members of one file, over all its levels.
pub const INPUT_MEMBERS_MAX: u64 = 1_000_000;
/// Bytes that one file may unpack to, whatever its size.
pub const INPUT_UNPACKED_BYTES_FREE: u64 = 256 << 20;
/// Bytes beyond those for each byte of the file: logs shrink by 10 to 100, deflate by 1,032 at most,
/// and only bombs come near it.
pub const INPUT_UNPACKED_RATIO_MAX: u64 = 200;
/// Bytes of a zip that is not a file of its own, but lies in another or comes from a pipe: its
/// directory stands at its end, so it is held whole.
pub const INPUT_NESTED_ZIP_BYTES_MAX: u64 = 64 << 20;
/// Bytes of history that a zstd frame may ask for: what `zstd -d` itself takes (2^27).
pub const INPUT_ZSTD_WINDOW_BYTES_MAX: u64 = 128 << 20;
/// Bytes of the name of a tar member; PATH_MAX of linux/limits.h.
pub const INPUT_TAR_NAME_BYTES_MAX: u64 = 4_096;
/// Bytes of the extended header of a tar member.
pub const INPUT_TAR_HEADER_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a block of a capture, a packet mostly: the largest snapshot length of libpcap
/// (MAXIMUM_SNAPLEN) is 256 KiB, and a jumbo of USB takes more.
pub const PCAP_BLOCK_BYTES_MAX: usize = 1 << 20;
/// Interfaces of a section of a pcapng.
pub const PCAP_INTERFACES_MAX: usize = 4_096;
/// Directions of connections that are followed at once; beyond it all begin anew.
pub const PCAP_DIRECTIONS_MAX: usize = 65_536;
/// Bytes of one direction that are read as one text.
pub const PCAP_TEXT_BYTES_MAX: usize = 4 << 20;
/// Bytes of all directions together that wait to be read.
pub const PCAP_HELD_BYTES_MAX: usize = 64 << 20;
/// Bytes of one direction that came before those that they follow.
pub const PCAP_AHEAD_BYTES_MAX: usize = 256 << 10;

// `scan`.

/// Bytes that are looked at in one piece; a longer content is read piece by piece. A thread holds
/// one piece, and its readings, which are [`DECODE_EXPANSION_MAX`] times as much at most.
pub const SCAN_PIECE_BYTES: usize = 4 << 20;
/// Bytes that two pieces share, so that what is cut by one is whole in the other.
pub const SCAN_OVERLAP_BYTES: usize = 64 << 10;
/// Findings of one file that are listed; more are counted.
pub const SCAN_FINDINGS_PER_FILE_MAX: usize = 65_536;
/// Findings that one run lists, unless told otherwise; more are counted.
pub const SCAN_FINDINGS_MAX: usize = 100_000;
/// Files that may be read ahead of the one whose findings are printed next.
pub const SCAN_AHEAD_FILES_MAX: usize = 65_536;
/// Files that wait for a thread.
pub const SCAN_QUEUE_FILES_MAX: usize = 1_024;
/// Comments in one piece that allow a finding; more are not looked at.
pub const SCAN_ALLOWS_MAX: usize = 65_536;
/// Characters of the reason in such a comment that are shown.
pub const SCAN_REASON_CHARS_MAX: usize = 200;
/// Places that a summary lists for each reason to skip.
pub const SCAN_SKIPS_LISTED_MAX: usize = 10;
/// Bytes of a baseline.
pub const SCAN_BASELINE_BYTES_MAX: u64 = 64 << 20;

const _: () = assert!(SCAN_PIECE_BYTES >= 4 * SCAN_OVERLAP_BYTES);
const _: () =
    assert!(SCAN_OVERLAP_BYTES >= 4 * WINDOW_HELD_BYTES, "the half of it holds both sides");
const _: () = assert!(SCAN_PIECE_BYTES > INPUT_HEAD_BYTES);
// redact

/// Bytes of a text that are held at once, however long its lines are. Of these
/// [`REDACT_BEHIND_BYTES`] and [`REDACT_AHEAD_BYTES`] are looked at twice, 3 %.
pub const REDACT_WINDOW_BYTES: usize = 256 << 10;
/// Bytes before a place that are looked at for what they say about it: keys and words stand within
/// 64 bytes, a private key of RSA with 4096 bits in PEM is 3.2 KiB.
pub const REDACT_BEHIND_BYTES: usize = 4 << 10;
/// The same where each line goes out by itself: keys, words, and a few lines of the same record.
pub const REDACT_BEHIND_LINE_BYTES: usize = 512;
/// Bytes after a place that are looked at before it is written: the longest value that is found
/// whole wherever a window ends.
pub const REDACT_AHEAD_BYTES: usize = 4 << 10;
/// Bytes of a text that are looked at in one go at least; with more candidates in them than
/// [`HITS_PER_SAMPLE_MAX`] they are struck out whole.
pub const REDACT_PIECE_BYTES_MIN: usize = 2 * REDACT_AHEAD_BYTES;

/// Encodings as a whole (base64, gzip, …) in each other that are encoded again; what is in more of
/// them is made unreadable.
pub const REDACT_ARMOUR_DEPTH_MAX: usize = 3;
/// Bytes that are read at a time.
pub const REDACT_READ_BYTES: usize = 64 << 10;
/// Bytes of a file that holds a key for tokens.
pub const REDACT_KEY_FILE_BYTES_MAX: usize = 4_096;

const _: () = assert!(
    REDACT_WINDOW_BYTES >= 4 * (REDACT_BEHIND_BYTES + REDACT_PIECE_BYTES_MIN),
    "each window moves on"
);

// explain

/// Bytes of a text that is explained.
pub const EXPLAIN_BYTES_MAX: u64 = 1 << 20;
/// Things that were not found and are explained.
pub const EXPLAIN_CANDIDATES_MAX: usize = 64;
// What decoding may take, for each text.

/// Encodings that are undone one over the other: `percent+json+base64+gzip+json+json` is six, and
/// nothing in the wild was seen to be deeper.
pub const DECODE_DEPTH_MAX: usize = 6;
/// Views of a text, beside one more for each [`DECODE_BYTES_PER_VIEW`] of it.
pub const DECODE_VIEWS_MAX: usize = 512;
/// Bytes of a text that allow one view more: an escape every kilobyte is an island each.
pub const DECODE_BYTES_PER_VIEW: usize = 1_024;
/// Bytes of all views of a text together, beside [`DECODE_EXPANSION_MAX`] times its own: a sample of
/// 64 KiB may grow 24-fold, which is as far as zstd takes a log file.
pub const DECODE_EXPANDED_BYTES_MAX: usize = 1 << 20;
/// How many times its own length the views of a text may take, notes of where bytes came from
/// included. Two layers of dense escapes take seven.
pub const DECODE_EXPANSION_MAX: usize = 8;
/// Bytes that decoders may go over in vain or more than once, beside [`DECODE_WORK_PER_BYTE_MAX`]
/// for each byte of a text. A try that needs tables, such as a gzip header that is none, counts as
/// [`DECODE_TRY_BYTES`].
pub const DECODE_WORK_BYTES_MAX: usize = 4 << 20;
/// See [`DECODE_WORK_BYTES_MAX`].
pub const DECODE_WORK_PER_BYTE_MAX: usize = 16;
/// What setting up a decompressor costs, in bytes gone over at 1 GB/s.
pub const DECODE_TRY_BYTES: usize = 16 << 10;
/// Bytes before and after an escape that are read with it undone. A value with an escape in it, its
/// key and the words around both lie within; what does not, the plain reading has.
pub const ISLAND_REACH_BYTES: usize = 600;
/// Bytes from an island's edge in which a hit is left to the reading beyond it. More than the key
/// and the words next to a value take.
pub const ISLAND_EDGE_BYTES: usize = 128;
/// Bytes of an island with escapes of several kinds that is also read with each kind alone, for what
/// the others would break: a password with `%41` in it, in JSON.
pub const ISLAND_ALONE_BYTES_MAX: usize = 4 << 10;
/// How many times its own length the readings of a text with escapes undone may have together, and of
/// what was decoded from it otherwise: each is searched once more. JSON in JSON in a form takes less
/// than two. Beside it every text has [`UNDONE_BYTES_MAX`].
pub const UNDONE_PER_BYTE_MAX: usize = 3;
/// See [`UNDONE_PER_BYTE_MAX`]: a short text that is escaped as deep as any may be.
pub const UNDONE_BYTES_MAX: usize = 16 << 10;
/// Bytes of a part of a multipart body that are read under its name; what follows is read as it
/// stands in the body.
pub const PART_READ_BYTES_MAX: usize = 1_024;
/// Messages in messages, maps in maps, of protobuf, MessagePack and CBOR.
pub const BINARY_DEPTH_MAX: usize = 16;
/// Fields that are walked in one binary message; what follows is left out.
pub const BINARY_FIELDS_MAX: usize = 65_536;

/// Fields of protobuf messages of one flow of which it is remembered what they held, in 32 bytes each:
/// a message has few that hold personal data.
pub const FIELDS_LEARNED_MAX: usize = 32;
/// Values of one entity, each sure by itself, after which a field speaks for others.
pub const FIELD_HELD_MIN: u8 = 3;

const _: () = assert!(ISLAND_REACH_BYTES > 3 * ISLAND_EDGE_BYTES);
const _: () = assert!(ESCAPE_DEPTH_MAX <= DECODE_DEPTH_MAX);
/// Window of zstd and brotli that is given room. RFC 9659 asks no more of what is sent over HTTP.
pub const CONTENT_WINDOW_BYTES_MAX: usize = 8 << 20;
/// Codings of one message, one over the other: a content coding and a transfer coding.
pub const CONTENT_CODINGS_MAX: usize = 2;
/// Memory of the decompressors of all flows together: a thousand of gzip, or sixteen of zstd.
pub const CONTENT_MEMORY_BYTES_MAX: usize = 128 << 20;
/// Bytes of decompressed content that are handed on together.
pub const CONTENT_TEXT_BYTES_MAX: usize = 64 << 10;
/// Streams of one HTTP/2 connection whose latest bytes and decompressor are kept; the one that began
/// first makes room. Each takes up to 600 bytes beside the decompressor.
pub const HTTP2_STREAMS_MAX: usize = 32;
/// Bytes of an HTTP/2 frame: what is said to be longer is no frame. Senders stay at 16 KiB unless
/// they were asked for more (RFC 9113 section 4.2), which nobody does beyond this.
pub const HTTP2_FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes of the table of header fields of one direction; 4 KiB unless the other side asks for more.
pub const HPACK_TABLE_BYTES_MAX: usize = 64 << 10;
/// Opaque bytes (compressed, binary, base64) that the kernel hands over of one flow within a second.
/// A form or a record fits; of a download its beginning.
pub const OPAQUE_FLOW_BYTES_PER_S: u32 = 1 << 20;
/// And of all flows of the host: the daemon undoes and searches some tens of megabytes a second, so
/// this is a tenth of one core.
pub const OPAQUE_HOST_BYTES_PER_S: u32 = 8 << 20;

// Coverage.

/// Processes that `coverage` lists unless it is asked for all: a screen of them.
pub const COVERAGE_LISTED_MAX: usize = 32;
/// Processes that `coverage --all` lists; the rest is in the total.
pub const COVERAGE_PROCESSES_MAX: usize = 1_024;
/// Bytes of an executable that is listed, its end; PATH_MAX is 4096, and few are longer than 100.
pub const COVERAGE_EXE_BYTES_MAX: usize = 256;
/// Bytes that `[coverage]` may ask for before a process is looked at.
pub const COVERAGE_MIN_BYTES_MAX: u64 = 1 << 40;
/// Longest time between two looks at coverage.
pub const COVERAGE_EVERY_S_MAX: u64 = 3_600;
/// Alerts about coverage of one look, the largest gaps; others follow at the next. Each looks a
/// process up, in some fifty microseconds.
pub const COVERAGE_ALERTS_PER_LOOK_MAX: usize = 64;
/// Processes whose gaps were told and are remembered: as many as the kernel keeps.
pub const COVERAGE_TOLD_MAX: usize = monitor_ebpf::PROCESSES_MAX as usize;
/// Threads that look processes up for whoever asks: one does, and one more while it waits for a disk.
pub const LOOKUP_THREADS_MAX: usize = 2;

// A byte of a name takes six in JSON at most (RFC 8259 section 7), the numbers and keys of a process
// less than a kilobyte.
const _: () = assert!(
    (COVERAGE_PROCESSES_MAX * (6 * COVERAGE_EXE_BYTES_MAX + 1_024)) as u64 <= STATUS_BYTES_MAX
);

/// Times that the walk over all open files rests before it is given up: after each million of them. A
/// hundred million files of as many as a host can hold take it seconds.
pub const ITERATOR_RESTS_MAX: u32 = 100;
/// Samples of TLS sessions that wait until their socket is known: 20 ms of a busy host.
pub const HELD_SAMPLES_MAX: usize = 1_024;
/// Bytes of those.
pub const HELD_BYTES_MAX: usize = 4 << 20;
/// Bytes of `/proc/PID/maps` that are read: of a process with 50,000 mappings.
pub const MAPS_BYTES_MAX: u64 = 8 << 20;
/// Processes that one walk of the TLS tap looks at: twice the default of `kernel.pid_max`.
pub const PROCESSES_WALKED_MAX: usize = 65_536;
/// Files of which the TLS tap knows whether there is something to hook; the one unused for longest goes.
pub const TLS_FILES_MAX: usize = 16_384;
/// Files that wait to be searched whole, each with a descriptor.
pub const TLS_FILES_DEEPER_MAX: usize = 256;
/// Files that the kernel has told of and that are not mapped yet.
pub const TLS_UNMAPPED_MAX: usize = 256;
/// Times a second that the kernel is made to hurry, each an interrupt for every processor.
pub const TLS_HURRIES_PER_SECOND_MAX: usize = 64;
/// Threads that take hooks off at a time. Each waits, most of the time, for the same moment as the others.
pub const TLS_UNHOOKS_AT_ONCE_MAX: usize = 32;
/// Files that one walk tells apart.
pub const TLS_FILES_SEEN_MAX: usize = 65_536;
/// TLS libraries that cannot be hooked, of which the status says why.
pub const TLS_REFUSED_LISTED_MAX: usize = 32;

// ELF files in which functions are looked for (`capture::tls::image`).

/// Bytes that are read of one file. A Go program of 60 MB takes 20 MB, and one of C++ with all of its
/// symbols has 100 MB of names and 40 MB of symbols in 500 MB.
pub const IMAGE_BYTES_MAX: u64 = 256 << 20;
/// Bytes that a read counts as at least, so that half a million small ones are the end, 0.2 s.
pub const IMAGE_READ_COST_BYTES: u64 = 512;
/// Bytes that are held of a file at once: a part that is read whole, a piece of one that is not.
pub const IMAGE_PIECE_BYTES: usize = 256 << 10;
/// Segments of a file. Linkers write a dozen.
pub const IMAGE_SEGMENTS_MAX: u16 = 256;
/// Sections of a file. Programs have 40; object files with a section for each function are not read.
pub const IMAGE_SECTIONS_MAX: u64 = 4_096;
/// Symbols of a bucket of a hash table that are looked at. Linkers make a bucket for every two to four.
pub const IMAGE_CHAIN_SYMBOLS_MAX: u64 = 1_024;
/// Bytes of the longest name of a function that is looked for, twice: rustc's v0 mangling takes 130.
pub const IMAGE_NAME_BYTES_MAX: usize = 1_024;
/// Names in a table of symbols that end as one that is looked for. Each name is there once.
pub const IMAGE_NAMES_MAX: usize = 4_096;
/// Functions of a file that are hooked: all rows of the table, some of them twice.
pub const IMAGE_SITES_MAX: usize = 64;
/// Functions of a Go program; the largest seen have 300,000.
pub const IMAGE_GO_FUNCTIONS_MAX: u64 = 4 << 20;
/// Places that look like Go's table of functions, and are none but for one.
pub const IMAGE_CANDIDATES_MAX: usize = 256;
/// Pointers to Go's table of functions that are looked at: its module data has one or two.
pub const IMAGE_POINTERS_MAX: usize = 8;
/// Bytes of the version of a Go program.
pub const IMAGE_GO_VERSION_BYTES_MAX: u64 = 128;

const _: () = assert!(IMAGE_NAME_BYTES_MAX >= 4 * 130, "a name is whole in one of two pieces");
