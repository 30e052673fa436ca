//! Loads the programs, attaches them, and reads and writes their maps. Whatever is attached is
//! detached when [`Programs`] is dropped or the daemon dies, because the kernel closes its links.

use std::fs::File;

use aya::maps::{Array, HashMap, MapData, PerCpuArray, RingBuf};
use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, Iter, ProgramError,
    RawTracePoint, SockOps, TracePoint,
};
use aya::{Ebpf, EbpfLoader, GlobalData, Pod, VerifierLogLevel};
use monitor_ebpf::prefilter::{TABLE_ALL, Table};
use monitor_ebpf::record::{Coverage, Flow, ProcessId, ProcessInfo};
use monitor_ebpf::{Counter, Offsets, Settings, map};
use thiserror::Error;

use super::btf;
use super::prefilter::{Needs, OpaqueBudget, Prefilter};

/// The programs as the kernel gets them, built by `cargo xtask bpf build`.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/monitor.o"));

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

/// Bytes of the prefilter's table.
const TABLE_BYTES: usize = size_of::<Table>();

/// The programs and their maps. Dropping it detaches.
pub struct Programs {
    ebpf: Ebpf,
    flows: HashMap<MapData, u64, Raw<Flow>>,
    processes: HashMap<MapData, Raw<ProcessId>, Raw<ProcessInfo>>,
    coverage: HashMap<MapData, Raw<ProcessId>, Raw<Coverage>>,
    shut: HashMap<MapData, u64, u64>,
    shut_any: Array<MapData, u32>,
    counters: PerCpuArray<MapData, u64>,
    prefilter: Array<MapData, [u8; TABLE_BYTES]>,
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
    /// Whether the programs' own debug lines are wanted.
    pub debug: bool,
}

/// Syscalls of the socket tap: program, tracepoint.
const SEND_HOOKS: [(&str, &str); 5] = [
    ("send_write", "sys_enter_write"),
    ("send_writev", "sys_enter_writev"),
    ("send_sendto", "sys_enter_sendto"),
    ("send_sendmsg", "sys_enter_sendmsg"),
    ("send_sendmmsg", "sys_enter_sendmmsg"),
];

/// Processes followed: program, raw tracepoint.
const PROCESS_HOOKS: [(&str, &str); 3] = [
    ("process_exec", "sched_process_exec"),
    ("process_fork", "sched_process_fork"),
    ("process_exit", "sched_process_exit"),
];

/// The packet gate, and the hooks that give sockets their cookies.
const GATE: &str = "gate_egress";
const COOKIE_CREATE: &str = "cookie_create";
const COOKIE_ACCEPT: &str = "cookie_accept";
const COOKIE_OPEN: &str = "cookie_open";

impl Programs {
    /// Loads the object with this kernel's offsets. Nothing is attached yet.
    pub fn load(offsets: Offsets, options: &LoadOptions) -> Result<Programs, LoadError> {
        let slots = aya::util::nr_cpus().map_or(1, |cpus| cpus.next_power_of_two()) as u32;
        let offsets = Raw(offsets);
        let settings = Raw(Settings {
            self_tgid: std::process::id(),
            sample_bytes_max: options.sample_bytes_max,
            scratch_slots: slots,
            reserved: 0,
        });
        let level = if options.debug { aya_log::Level::Trace as u8 } else { 0 };
        let mut ebpf = EbpfLoader::new()
            // Nothing is relocated against the kernel's BTF: offsets come as a global.
            .btf(None)
            .override_global("OFFSETS", GlobalData::from(&offsets), true)
            .override_global("SETTINGS", GlobalData::from(&settings), true)
            .override_global(aya_log::LEVEL, GlobalData::from(&level), true)
            .map_max_entries(map::SCRATCH, slots)
            .map_max_entries(map::SAMPLES, options.ring_bytes)
            .verifier_log_level(VerifierLogLevel::default())
            .load(OBJECT)?;
        Ok(Programs {
            flows: take(&mut ebpf, map::FLOWS)?,
            processes: take(&mut ebpf, map::PROCESSES)?,
            coverage: take(&mut ebpf, map::COVERAGE)?,
            shut: take(&mut ebpf, map::SHUT)?,
            shut_any: take(&mut ebpf, map::SHUT_ANY)?,
            counters: take(&mut ebpf, map::COUNTERS)?,
            prefilter: take(&mut ebpf, map::PREFILTER)?,
            ebpf,
        })
    }
}

fn take<M: TryFrom<aya::maps::Map, Error = aya::maps::MapError>>(
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
fn refusal(hook: &'static str, error: ProgramError) -> LoadError {
    let reason = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
            let last = &lines[lines.len().saturating_sub(VERIFIER_LINES_MAX)..];
            format!("{io_error}\n{}", last.join("\n"))
        }
        other => std::iter::successors(Some(&other as &dyn std::error::Error), |e| e.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": "),
    };
    LoadError::Program { hook, reason }
}

/// A program that was never attached is no failure to detach it.
fn unloaded(hook: &'static str, outcome: Result<(), ProgramError>) -> Result<(), LoadError> {
    match outcome {
        Err(ProgramError::NotLoaded) => Ok(()),
        outcome => outcome.map_err(|error| refusal(hook, error)),
    }
}

impl Programs {
    fn program<'a, P>(&'a mut self, hook: &'static str) -> Result<&'a mut P, LoadError>
    where
        &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
    {
        let program = self.ebpf.program_mut(hook).ok_or(LoadError::Lacks(hook))?;
        program.try_into().map_err(|error| refusal(hook, error))
    }

    /// The socket tap, with the automaton that its prefilter runs. Needs tracefs mounted.
    pub fn attach_socket_tap(&mut self, prefilter: &Prefilter) -> Result<(), LoadError> {
        self.set_table(&prefilter.to_bytes())?;
        self.load_socket_tap()?;
        for (hook, tracepoint) in SEND_HOOKS {
            let program: &mut TracePoint = self.program(hook)?;
            program.attach("syscalls", tracepoint).map_err(|error| refusal(hook, error))?;
        }
        Ok(())
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

    fn set_table(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let bytes = <&[u8; TABLE_BYTES]>::try_from(bytes)
            .map_err(|_| LoadError::Lacks("prefilter table of this layout"))?;
        self.prefilter.set(0, bytes, 0).map_err(|error| LoadError::Map(map::PREFILTER, error))
    }

    /// Loads them side by side: the verifier takes several milliseconds for each.
    fn load_socket_tap(&mut self) -> Result<(), LoadError> {
        std::thread::scope(|scope| {
            let mut loads = Vec::new();
            for (name, program) in self.ebpf.programs_mut() {
                let Some((hook, _)) = SEND_HOOKS.into_iter().find(|(hook, _)| *hook == name) else {
                    continue;
                };
                loads.push(scope.spawn(move || {
                    <&mut TracePoint>::try_from(program)
                        .and_then(TracePoint::load)
                        .map_err(|error| refusal(hook, error))
                }));
            }
            loads
                .into_iter()
                .map(|load| load.join())
                .try_for_each(|load| load.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Exec, fork and exit.
    pub fn attach_processes(&mut self) -> Result<(), LoadError> {
        for (hook, tracepoint) in PROCESS_HOOKS {
            let program: &mut RawTracePoint = self.program(hook)?;
            program.load().map_err(|error| refusal(hook, error))?;
            program.attach(tracepoint).map_err(|error| refusal(hook, error))?;
        }
        Ok(())
    }

    /// The packet gate, and the cookies that it knows sockets by.
    pub fn attach_packet_gate(&mut self, cgroup_root: &File) -> Result<(), LoadError> {
        let create: &mut CgroupSock = self.program(COOKIE_CREATE)?;
        create
            .load()
            .and_then(|()| create.attach(cgroup_root, CgroupAttachMode::Single))
            .map_err(|error| refusal(COOKIE_CREATE, error))?;
        let accept: &mut SockOps = self.program(COOKIE_ACCEPT)?;
        accept
            .load()
            .and_then(|()| accept.attach(cgroup_root, CgroupAttachMode::Single))
            .map_err(|error| refusal(COOKIE_ACCEPT, error))?;
        let gate: &mut CgroupSkb = self.program(GATE)?;
        // `bpf_link_create` takes no flags for cgroups: its links are always multi.
        gate.load()
            .and_then(|()| {
                gate.attach(cgroup_root, CgroupSkbAttachType::Egress, CgroupAttachMode::Single)
            })
            .map_err(|error| refusal(GATE, error))?;
        Ok(())
    }

    /// Gives the sockets that are open already their cookies, once, by the kernel's iterator over
    /// all open files, whose BTF type id this is.
    pub fn name_open_sockets(&mut self, iterator: Option<u32>) -> Result<(), LoadError> {
        let hook = COOKIE_OPEN;
        let lost = |error: String| LoadError::Program { hook, reason: error };
        let id = iterator.ok_or_else(|| lost("this kernel has no iterator over files".into()))?;
        let btf = aya::Btf::parse(&btf::iterator_alone(id), aya::Endianness::default())
            .map_err(|error| lost(error.to_string()))?;
        let program: &mut Iter = self.program(hook)?;
        program.load("task_file", &btf).map_err(|error| refusal(hook, error))?;
        let link = program.attach().map_err(|error| refusal(hook, error))?;
        let link = program.take_link(link).map_err(|error| refusal(hook, error))?;
        let mut file = link.into_file().map_err(|error| lost(error.to_string()))?;
        std::io::copy(&mut file, &mut std::io::sink()).map_err(|error| lost(error.to_string()))?;
        Ok(())
    }

    /// Detaches every hook, the tap first and the processes last, so that no sample is of a process
    /// that was not followed. Programs that run end before it returns; the maps can still be read,
    /// and what is in the ring is the last there will be.
    pub fn detach(&mut self) -> Result<(), LoadError> {
        for (hook, _) in SEND_HOOKS {
            let program: &mut TracePoint = self.program(hook)?;
            unloaded(hook, program.unload())?;
        }
        let gate: &mut CgroupSkb = self.program(GATE)?;
        unloaded(GATE, gate.unload())?;
        let accept: &mut SockOps = self.program(COOKIE_ACCEPT)?;
        unloaded(COOKIE_ACCEPT, accept.unload())?;
        let create: &mut CgroupSock = self.program(COOKIE_CREATE)?;
        unloaded(COOKIE_CREATE, create.unload())?;
        for (hook, _) in PROCESS_HOOKS {
            let program: &mut RawTracePoint = self.program(hook)?;
            unloaded(hook, program.unload())?;
        }
        Ok(())
    }

    /// The ring of samples, once.
    pub fn take_samples(&mut self) -> Result<RingBuf<MapData>, LoadError> {
        take(&mut self.ebpf, map::SAMPLES)
    }

    /// The programs' own log lines, carried into the `log` crate.
    pub fn take_log(&mut self) -> Result<aya_log::EbpfLogger<&'static dyn log::Log>, String> {
        aya_log::EbpfLogger::init(&mut self.ebpf).map_err(|error| error.to_string())
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
