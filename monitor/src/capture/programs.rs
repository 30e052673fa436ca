//! Loads the object, and reads and writes its maps. Attaching is `attach`'s; whatever is attached is
//! detached when [`Programs`] is dropped or the daemon dies, because the kernel closes its links.

use std::os::fd::RawFd;

use aya::maps::{Array, HashMap, MapData, PerCpuArray, RingBuf};
use aya::programs::{ProbeKind, ProgramError, UProbe};
use aya::{Ebpf, EbpfLoader, GlobalData, Pod, VerifierLogLevel};
use monitor_ebpf::prefilter::{TABLE_ALL, Table};
use monitor_ebpf::record::{
    Coverage, FLAG_DESTINATION, FLAG_TLS, FileId, Flow, ProcessId, ProcessInfo, SampleHead,
    Session, SessionKey,
};
use monitor_ebpf::{AREAS_PER_CPU, Counter, Offsets, SETTING_TLS, SETTING_UNIX, Settings, map};
use thiserror::Error;

use super::hooks::TapChoice;
use super::multi::{self, Multi, MultiError};
use super::prefilter::{Needs, OpaqueBudget, Prefilter};
use super::prevention::Prevention;
use super::tls;

/// The programs as the kernel gets them, built by `cargo xtask bpf build`.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/monitor.o"));

/// Lets the kernel have the pages of the object back, 1.8 MB that are read once, at loading. Should they be
/// read again they come from the file.
pub fn page_out_object() {
    use nix::libc;
    const PAGE_BYTES: usize = 4096;
    let range = OBJECT.as_ptr_range();
    let from = (range.start as usize).next_multiple_of(PAGE_BYTES);
    let to = range.end as usize / PAGE_BYTES * PAGE_BYTES;
    // SAFETY: madvise(2) with MADV_PAGEOUT changes no byte of what is mapped; the range is whole pages of
    // a static. A kernel before 5.4 refuses it, which is no loss.
    unsafe {
        libc::madvise(from as *mut _, to.saturating_sub(from), libc::MADV_PAGEOUT);
    }
}

/// Program of the TLS tap.
pub(super) const TLS_CALL: &str = "tls_call";

/// Lines of the verifier's log that an error shows.
const VERIFIER_LINES_MAX: usize = 12;

/// Why the programs could not be put in place.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The object or a map of it was refused.
    #[error("cannot load the programs: {0}")]
    Object(#[from] aya::EbpfError),
    /// One program was refused.
    #[error("{hook} was refused by the kernel: {reason}")]
    Program {
        /// Its name.
        hook: &'static str,
        /// What the kernel said, with the last lines of the verifier.
        reason: String,
    },
    /// A map is not what it should be: the object and the daemon do not belong together.
    #[error("map {0}: {1}")]
    Map(&'static str, aya::maps::MapError),
    /// An object without a part that the daemon needs.
    #[error("the object has no {0}; rebuild it with `cargo xtask bpf build`")]
    Lacks(&'static str),
}

/// A value of the contract that the kernel may be handed, and hand back, as bytes.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Raw<T>(T);

// SAFETY: `repr(C)` with integers and byte arrays only and no padding (asserted in the contract),
// so all bit patterns are values and all bytes are initialised.
unsafe impl Pod for Raw<Offsets> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Settings> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Flow> {}
// SAFETY: as above.
unsafe impl Pod for Raw<ProcessId> {}
// SAFETY: as above.
unsafe impl Pod for Raw<ProcessInfo> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Coverage> {}

// SAFETY: as above.
unsafe impl Pod for Raw<Session> {}
// SAFETY: as above.
unsafe impl Pod for Raw<SessionKey> {}
// SAFETY: as above.
unsafe impl Pod for Raw<FileId> {}

/// Executable files that the kernel has told of.
pub struct FilesKnown(HashMap<MapData, Raw<FileId>, u32>);

impl FilesKnown {
    /// Has it tell again, the next time that a process maps the file.
    pub fn forget(&mut self, file: FileId) {
        let _ = self.0.remove(&Raw(file));
    }
}

/// Bytes of the prefilter's table.
const TABLE_BYTES: usize = size_of::<Table>();

/// The programs and their maps. Dropping it detaches.
pub struct Programs {
    ebpf: Ebpf,
    /// Descriptors of the maps, by name.
    maps: Vec<(String, RawFd)>,
    /// The program of the TLS tap, where one link can be on many functions.
    pub(super) multi: Result<Multi, MultiError>,
    flows: HashMap<MapData, u64, Raw<Flow>>,
    processes: HashMap<MapData, Raw<ProcessId>, Raw<ProcessInfo>>,
    coverage: HashMap<MapData, Raw<ProcessId>, Raw<Coverage>>,
    sessions: HashMap<MapData, Raw<SessionKey>, Raw<Session>>,
    shut: HashMap<MapData, u64, u64>,
    shut_any: Array<MapData, u32>,
    counters: PerCpuArray<MapData, u64>,
    prefilter: Array<MapData, [u8; TABLE_BYTES]>,
    pub(super) prevention: Prevention,
}

/// What the daemon asks of the programs.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Bytes of a send that are examined.
    pub sample_bytes_max: u32,
    /// Bytes of the ring, a power of two.
    pub ring_bytes: u32,
    /// What the policy needs of the prefilter.
    pub needs: Needs,
    /// What may be handed over of content that is opaque.
    pub opaque: OpaqueBudget,
    /// Which way to hook sends.
    pub tap: TapChoice,
    /// Whether sends are to be stopped by the kernel itself: then the hook is better that comes before
    /// anything is copied.
    pub prevents: bool,
    /// Whether sends on Unix sockets are looked at too.
    pub unix_sockets: bool,
    /// What of TLS libraries is hooked; `None` for nothing.
    pub tls: Option<tls::Options>,
    /// Whether the programs' own debug lines are wanted.
    pub debug: bool,
}

impl Programs {
    /// Loads the object with this kernel's offsets. Nothing is attached yet.
    pub fn load(offsets: Offsets, options: &LoadOptions) -> Result<Programs, LoadError> {
        let slots = aya::util::nr_cpus().map_or(1, |cpus| cpus.next_power_of_two()) as u32;
        let offsets = Raw(offsets);
        let settings = Raw(Settings {
            self_tgid: std::process::id(),
            sample_bytes_max: options.sample_bytes_max,
            scratch_slots: slots,
            flags: if options.unix_sockets { SETTING_UNIX } else { 0 }
                | if options.tls.is_some() { SETTING_TLS } else { 0 },
        });
        let level = if options.debug { aya_log::Level::Trace as u8 } else { 0 };
        let mut ebpf = EbpfLoader::new()
            // Nothing is relocated against the kernel's BTF: offsets come as a global.
            .btf(None)
            .override_global("OFFSETS", GlobalData::from(&offsets), true)
            .override_global("SETTINGS", GlobalData::from(&settings), true)
            .override_global(aya_log::LEVEL, GlobalData::from(&level), true)
            .map_max_entries(map::SCRATCH, slots * AREAS_PER_CPU)
            .map_max_entries(map::SAMPLES, options.ring_bytes)
            .verifier_log_level(VerifierLogLevel::default())
            .load(OBJECT)?;
        let maps = ebpf.maps().filter_map(multi::descriptor).collect();
        Ok(Programs {
            maps,
            multi: Err(MultiError::Kernel),
            flows: take(&mut ebpf, map::FLOWS)?,
            processes: take(&mut ebpf, map::PROCESSES)?,
            coverage: take(&mut ebpf, map::COVERAGE)?,
            sessions: take(&mut ebpf, map::SESSIONS)?,
            shut: take(&mut ebpf, map::SHUT)?,
            shut_any: take(&mut ebpf, map::SHUT_ANY)?,
            counters: take(&mut ebpf, map::COUNTERS)?,
            prefilter: take(&mut ebpf, map::PREFILTER)?,
            prevention: Prevention::take(&mut ebpf)?,
            ebpf,
        })
    }
}

pub(super) fn take<M: TryFrom<aya::maps::Map, Error = aya::maps::MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<M, LoadError> {
    let map = ebpf.take_map(name).ok_or(LoadError::Lacks(name))?;
    M::try_from(map).map_err(|error| LoadError::Map(name, error))
}

/// Makes a table let everything through.
fn open(table: &mut [u8]) {
    let at = std::mem::offset_of!(Table, flags);
    if let Some(flags) = table.get_mut(at..at + 2) {
        flags.copy_from_slice(&TABLE_ALL.to_ne_bytes());
    }
}

/// A refusal in the kernel's words, the verifier's last lines with it.
pub(super) fn refusal(hook: &'static str, error: ProgramError) -> LoadError {
    let reason = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
            let last = &lines[lines.len().saturating_sub(VERIFIER_LINES_MAX)..];
            let said = io_error.to_string();
            std::iter::once(said.as_str())
                .chain(last.iter().copied())
                .collect::<Vec<_>>()
                .join("\n")
        }
        other => with_causes(&other),
    };
    LoadError::Program { hook, reason }
}

/// An error and what it came from, in one line.
pub(super) fn with_causes(error: &ProgramError) -> String {
    std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl Programs {
    pub(super) fn program<'a, P>(&'a mut self, hook: &'static str) -> Result<&'a mut P, LoadError>
    where
        &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
    {
        let program = self.ebpf.program_mut(hook).ok_or(LoadError::Lacks(hook))?;
        program.try_into().map_err(|error| refusal(hook, error))
    }

    /// All programs with their names.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (&str, &mut aya::programs::Program)> {
        self.ebpf.programs_mut()
    }

    /// Puts another automaton in the place of the one that runs. In between everything is let
    /// through. A flow goes on in a state of the old one, which is some state of the new one after
    /// its next byte: what begins before that and ends behind it may be lost.
    pub fn set_prefilter(&mut self, prefilter: &Prefilter) -> Result<(), LoadError> {
        let mut old =
            self.prefilter.get(&0, 0).map_err(|error| LoadError::Map(map::PREFILTER, error))?;
        open(&mut old);
        self.set_table(&old)?;
        let mut new = prefilter.to_bytes();
        open(&mut new);
        self.set_table(&new)?;
        self.set_table(&prefilter.to_bytes())
    }

    /// Puts the first automaton in.
    pub(super) fn put_prefilter(&mut self, prefilter: &Prefilter) -> Result<(), LoadError> {
        self.set_table(&prefilter.to_bytes())
    }

    fn set_table(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let bytes = <&[u8; TABLE_BYTES]>::try_from(bytes)
            .map_err(|_| LoadError::Lacks("prefilter table of this layout"))?;
        self.prefilter.set(0, bytes, 0).map_err(|error| LoadError::Map(map::PREFILTER, error))
    }

    /// A map that one part of the daemon has for itself, once.
    pub(super) fn take_map<M>(&mut self, name: &'static str) -> Result<M, LoadError>
    where
        M: TryFrom<aya::maps::Map, Error = aya::maps::MapError>,
    {
        take(&mut self.ebpf, name)
    }

    /// The ring of samples, once.
    pub fn take_samples(&mut self) -> Result<RingBuf<MapData>, LoadError> {
        take(&mut self.ebpf, map::SAMPLES)
    }

    /// What the thread of the TLS tap works with, once; its programs are loaded.
    pub(super) fn take_tls(&mut self) -> Result<tls::Programs, LoadError> {
        Ok(tls::Programs {
            program: self.tls_program()?,
            seen: take(&mut self.ebpf, map::FILES_SEEN)?,
            known: FilesKnown(take(&mut self.ebpf, map::FILES_KNOWN)?),
        })
    }

    /// What the program of the TLS tap is loaded from, many functions to a link.
    pub(super) fn multi_loader(&self) -> impl Fn() -> Result<Multi, MultiError> + use<> {
        let maps = self.maps.clone();
        move || Multi::load(OBJECT, TLS_CALL, &maps)
    }

    /// A handle of the program of the TLS tap, for another thread to attach.
    fn tls_program(&mut self) -> Result<tls::Program, LoadError> {
        let hook = TLS_CALL;
        if let Ok(multi) = &self.multi {
            let refused = |error: std::io::Error| error.to_string();
            let multi = multi.try_clone().map_err(refused);
            return multi
                .map(tls::Program::Multi)
                .map_err(|reason| LoadError::Program { hook, reason });
        }
        let program: &mut UProbe = self.program(hook)?;
        let info = program.info().map_err(|error| refusal(hook, error))?;
        // SAFETY: the program is one of probes on entries, as the object says.
        unsafe { UProbe::from_program_info(info, hook.into(), ProbeKind::Entry) }
            .map(|program| tls::Program::Single(Box::new(program)))
            .map_err(|error| refusal(hook, error))
    }

    /// The head of a sample of the TLS tap with the socket that its session is on, where that came out
    /// only when its records left.
    pub fn with_socket(&self, mut head: SampleHead) -> SampleHead {
        if head.flags & FLAG_TLS == 0 || head.socket != 0 {
            return head;
        }
        let key = SessionKey { address: head.session, tgid: head.tgid, reserved: 0 };
        let Ok(Raw(session)) = self.sessions.get(&Raw(key), 0) else { return head };
        if session.id == head.cookie && session.cookie != 0 {
            head.socket = session.cookie;
            head.family = session.family;
            head.source = session.source;
            head.source_port = session.source_port;
            head.destination = session.destination;
            head.destination_port = session.destination_port;
            head.flags |= FLAG_DESTINATION;
        }
        head
    }

    /// The programs' own log lines, carried into the `log` crate.
    pub fn take_log(&mut self) -> Result<aya_log::EbpfLogger<&'static dyn log::Log>, String> {
        aya_log::EbpfLogger::init(&mut self.ebpf).map_err(|error| error.to_string())
    }

    /// Instructions that the verifier walked to accept each program that is loaded. Minimum kernel
    /// version: 5.16.
    pub fn verified(&self) -> Vec<(String, u32)> {
        let counts = self.ebpf.programs().filter_map(|(name, program)| {
            let info = program.info().ok()?;
            Some((name.to_owned(), info.verified_instruction_count()?))
        });
        let multi = self.multi.as_ref().ok().and_then(Multi::verified);
        counts.chain(multi.map(|count| (TLS_CALL.to_owned(), count))).collect()
    }

    /// A counter, all CPUs together.
    pub fn counter(&self, counter: Counter) -> u64 {
        let values = self.counters.get(&(counter as u32), 0);
        values.map_or(0, |values| values.iter().sum())
    }

    /// What is known of a flow.
    pub fn flow(&self, cookie: u64) -> Option<Flow> {
        self.flows.get(&cookie, 0).ok().map(|flow| flow.0)
    }

    /// What the kernel noted of a process at its exec or fork.
    pub fn process(&self, id: ProcessId) -> Option<ProcessInfo> {
        self.processes.get(&Raw(id), 0).ok().map(|info| info.0)
    }

    /// Coverage of all processes that the kernel still keeps.
    pub fn coverage(&self) -> Vec<(ProcessId, Coverage)> {
        self.coverage.iter().flatten().map(|(id, coverage)| (id.0, coverage.0)).collect()
    }

    /// Lets a socket send no more: what it has queued is dropped too, retransmissions included.
    pub fn shut(&mut self, cookie: u64) -> Result<(), LoadError> {
        self.shut_any.set(0, 1, 0).map_err(|error| LoadError::Map(map::SHUT_ANY, error))?;
        self.shut.insert(cookie, 0, 0).map_err(|error| LoadError::Map(map::SHUT, error))
    }
}
