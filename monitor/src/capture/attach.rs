//! Puts the programs on their hooks, the best of what the kernel takes, and says what it took and why
//! not the rest. Takes them off again.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, FEntry, Iter, Lsm, Program,
    ProgramError, ProgramType, RawTracePoint, SockOps, TracePoint, UProbe,
};
use aya::sys::is_program_supported;

use super::btf::{self, Kernel, Need};
use super::hooks::{Hook, TapChoice, TapWay};
use super::host;
use super::programs::{LoadError, Programs, TLS_CALL, refusal};
use super::tls::{self, TlsTap};
use crate::limits::ITERATOR_RESTS_MAX;

/// Syscalls of the socket tap: program, tracepoint.
const SEND_HOOKS: [(&str, &str); 6] = [
    ("send_write", "sys_enter_write"),
    ("send_writev", "sys_enter_writev"),
    ("send_pwritev2", "sys_enter_pwritev2"),
    ("send_sendto", "sys_enter_sendto"),
    ("send_sendmsg", "sys_enter_sendmsg"),
    ("send_sendmmsg", "sys_enter_sendmmsg"),
];

/// Syscalls whose bytes are read at the packet gate.
const PAGE_HOOKS: [(&str, &str); 2] =
    [("pages_sendfile", "sys_enter_sendfile64"), ("pages_splice", "sys_enter_splice")];

/// Requests of io_uring: program, names of its raw tracepoint, newest first (renamed in 6.3).
const RING_HOOK: (&str, [&str; 2]) =
    ("ring_submit", ["io_uring_submit_req", "io_uring_submit_sqe"]);

/// The transports: program, function, whether it cannot be done without. Of what is not hooked the
/// packet gate reads the bytes.
const TRANSPORT_HOOKS: [(&str, &str, bool); 9] = [
    ("transport_tcp", "tcp_sendmsg", true),
    ("transport_udp", "udp_sendmsg", true),
    ("transport_udp6", "udpv6_sendmsg", false),
    ("transport_raw", "raw_sendmsg", false),
    ("transport_raw6", "rawv6_sendmsg", false),
    ("transport_ping", "ping_v4_sendmsg", false),
    ("transport_ping6", "ping_v6_sendmsg", false),
    ("transport_mptcp", "mptcp_sendmsg", false),
    ("transport_other", "security_socket_sendmsg", false),
];

/// Program and hook of the tap by LSM, and of the send gate.
const LSM_TAP: &str = "lsm_tap";
const LSM_GATE: &str = "gate_send";
const LSM_HOOK: &str = "socket_sendmsg";
const LSM_FUNCTION: &str = "bpf_lsm_socket_sendmsg";

/// Processes followed: program, raw tracepoint.
const PROCESS_HOOKS: [(&str, &str); 3] = [
    ("process_exec", "sched_process_exec"),
    ("process_fork", "sched_process_fork"),
    ("process_exit", "sched_process_exit"),
];

/// What tells the TLS tap of executable files: program, tracepoint.
const FILE_HOOK: (&str, &str) = ("file_mmap", "sys_enter_mmap");

/// Programs of the TLS tap.
const TLS_HOOKS: [&str; 2] = [TLS_CALL, FILE_HOOK.0];

/// The packet gate, and the hooks that give sockets their cookies.
const GATE: &str = "gate_egress";
const COOKIE_CREATE: &str = "cookie_create";
const COOKIE_ACCEPT: &str = "cookie_accept";
const COOKIE_OPEN: &str = "cookie_open";

impl Programs {
    /// Exec, fork and exit.
    pub fn attach_processes(&mut self) -> Result<(), LoadError> {
        for (hook, tracepoint) in PROCESS_HOOKS {
            let program: &mut RawTracePoint = self.program(hook)?;
            program.load().map_err(|error| refusal(hook, error))?;
            program.attach(tracepoint).map_err(|error| refusal(hook, error))?;
        }
        Ok(())
    }

    /// The packet gate, which needs the prefilter's table, and the cookies that it knows sockets by.
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
        gate.attach(cgroup_root, CgroupSkbAttachType::Egress, CgroupAttachMode::Single)
            .map_err(|error| refusal(GATE, error))?;
        Ok(())
    }

    /// Gives the sockets that are open already their cookies, once, by the kernel's iterator over
    /// all open files.
    pub fn name_open_sockets(&mut self, kernel: &Kernel) -> Result<(), LoadError> {
        let hook = COOKIE_OPEN;
        let lost = |error: String| LoadError::Program { hook, reason: error };
        let btf = types(kernel, &[btf::TASK_FILE_ITERATOR]).map_err(lost)?;
        let program: &mut Iter = self.program(hook)?;
        program.load("task_file", &btf).map_err(|error| refusal(hook, error))?;
        let link = program.attach().map_err(|error| refusal(hook, error))?;
        let link = program.take_link(link).map_err(|error| refusal(hook, error))?;
        let mut file = link.into_file().map_err(|error| lost(error.to_string()))?;
        walk(&mut file).map_err(|error| lost(error.to_string()))
    }

    /// Loads what the verifier takes longest for, side by side: the gate, and the tracepoints of the
    /// socket tap where nothing better can be.
    pub fn load_gate(&mut self, choice: TapChoice, tls: bool) -> Result<(), LoadError> {
        let better = [TapWay::Fentry, TapWay::Lsm].into_iter().any(|way| choice.may_be(way));
        let better = better && is_program_supported(ProgramType::Tracing).unwrap_or(false);
        let sends = !better && choice.may_be(TapWay::Tracepoints);
        let (multi, load_multi) = (OnceLock::new(), self.multi_loader());
        self.side_by_side(
            |name| {
                let gate = (name == GATE).then_some(GATE).or_else(|| one_of(&PAGE_HOOKS, name));
                gate.or_else(|| one_of(&SEND_HOOKS, name).filter(|_| sends))
                    .or_else(|| TLS_HOOKS.into_iter().find(|hook| tls && *hook == name))
            },
            |hook, program| {
                if hook == TLS_CALL && multi.get_or_init(&load_multi).is_ok() {
                    return Ok(());
                }
                load(hook, program)
            },
        )?;
        if let Some(multi) = multi.into_inner() {
            self.multi = multi;
        }
        Ok(())
    }

    /// Does to the programs that are wanted what is to be done, each in a thread of its own and with
    /// what is said of it by its name.
    fn side_by_side<T: Send>(
        &mut self,
        wanted: impl Fn(&str) -> Option<T>,
        to_do: impl Fn(T, &mut Program) -> Result<(), LoadError> + Sync,
    ) -> Result<(), LoadError> {
        let to_do = &to_do;
        std::thread::scope(|scope| {
            let mut done = Vec::new();
            for (name, program) in self.all() {
                if let Some(said) = wanted(name) {
                    done.push(scope.spawn(move || to_do(said, program)));
                }
            }
            done.into_iter()
                .map(|done| done.join())
                .try_for_each(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// The socket tap, whose programs run the automaton that is in the prefilter's map: the best way
    /// that the kernel takes, or the one that is chosen. Says of each way whether it is used and why.
    pub fn attach_socket_tap(
        &mut self,
        kernel: &Kernel,
        choice: TapChoice,
        prevents: bool,
    ) -> Result<Vec<Hook>, LoadError> {
        for (hook, tracepoint) in PAGE_HOOKS {
            self.attach_tracepoint(hook, tracepoint)?;
        }
        let mut hooks = Vec::new();
        let mut used: Option<TapWay> = None;
        let mut refused = None;
        let mut ways = TapWay::ALL;
        if prevents {
            // Refused by LSM, a send fails before anything of it is copied.
            ways.swap(0, 1);
        }
        for way in ways {
            let why = if let Some(better) = used {
                format!("not needed: {} does it", better.name())
            } else if !choice.may_be(way) {
                "not chosen (--tap)".into()
            } else {
                match self.attach_way(kernel, way) {
                    Ok(how) => {
                        used = Some(way);
                        how
                    }
                    Err(error) => {
                        self.detach_way(way)?;
                        let why = error.to_string();
                        refused = Some(error);
                        why
                    }
                }
            };
            hooks.push(Hook::tap(way, used == Some(way), why));
        }
        match (used, refused) {
            (None, Some(error)) => Err(error),
            _ => Ok(hooks),
        }
    }

    fn attach_way(&mut self, kernel: &Kernel, way: TapWay) -> Result<String, LoadError> {
        match way {
            TapWay::Fentry => self.attach_transports(kernel),
            TapWay::Lsm => self.attach_lsm(kernel, LSM_TAP),
            TapWay::Tracepoints => self.attach_tracepoints(kernel),
        }
    }

    fn attach_transports(&mut self, kernel: &Kernel) -> Result<String, LoadError> {
        let refused = |reason| LoadError::Program { hook: "fentry", reason };
        kernel.has(Need::Transports).map_err(refused)?;
        let present = |function: &str| kernel.function(function).is_some();
        let (hooks, absent): (Vec<_>, Vec<_>) =
            TRANSPORT_HOOKS.into_iter().partition(|(_, function, _)| present(function));
        if let Some((_, function, _)) = absent.iter().find(|(_, _, needed)| *needed) {
            return Err(refused(format!("this kernel has no function {function}")));
        }
        let functions: Vec<&str> = hooks.iter().map(|(_, function, _)| *function).collect();
        let btf = &types(kernel, &functions).map_err(refused)?;
        self.side_by_side(
            |name| hooks.iter().find(|(hook, ..)| *hook == name),
            |(hook, function, _), program| {
                <&mut FEntry>::try_from(program)
                    .and_then(|program| {
                        program.load(function, btf)?;
                        program.attach()
                    })
                    .map(drop)
                    .map_err(|error| refusal(hook, error))
            },
        )?;
        let absent: Vec<&str> = absent.iter().map(|(_, function, _)| *function).collect();
        Ok(match absent.as_slice() {
            [] => "the kernel takes it, and it sees every send".into(),
            absent => format!("the kernel takes it, but for {}, which it lacks", absent.join(", ")),
        })
    }

    fn attach_lsm(&mut self, kernel: &Kernel, hook: &'static str) -> Result<String, LoadError> {
        let refused = |reason| LoadError::Program { hook, reason };
        if !host::lsm_runs_programs() {
            return Err(refused(
                "bpf is not among the security modules that run (boot with lsm=…,bpf)".into(),
            ));
        }
        if hook == LSM_TAP {
            kernel.has(Need::Transports).map_err(refused)?;
        }
        let btf = types(kernel, &[LSM_FUNCTION]).map_err(refused)?;
        let program: &mut Lsm = self.program(hook)?;
        program
            .load(LSM_HOOK, &btf)
            .and_then(|()| program.attach().map(drop))
            .map_err(|error| refusal(hook, error))?;
        Ok("the kernel takes it".into())
    }

    fn attach_tracepoints(&mut self, kernel: &Kernel) -> Result<String, LoadError> {
        self.side_by_side(|name| one_of(&SEND_HOOKS, name), load)?;
        for (hook, tracepoint) in SEND_HOOKS {
            self.attach_tracepoint(hook, tracepoint)?;
        }
        let rings = self.attach_rings(kernel).err();
        Ok(match rings {
            None => "the kernel takes it; what no call names is read at the packet gate".into(),
            Some(why) => format!("the kernel takes it, but io_uring is not followed: {why}"),
        })
    }

    fn attach_rings(&mut self, kernel: &Kernel) -> Result<(), String> {
        kernel.has(Need::Rings)?;
        let (hook, tracepoints) = RING_HOOK;
        let program: &mut RawTracePoint = self.program(hook).map_err(|error| error.to_string())?;
        let attached = program.load().and_then(|()| {
            program.attach(tracepoints[0]).or_else(|_| program.attach(tracepoints[1]))
        });
        attached.map(drop).map_err(|error| refusal(hook, error).to_string())
    }

    fn attach_tracepoint(
        &mut self,
        hook: &'static str,
        tracepoint: &'static str,
    ) -> Result<(), LoadError> {
        let program: &mut TracePoint = self.program(hook)?;
        program.attach("syscalls", tracepoint).map(drop).map_err(|error| refusal(hook, error))
    }

    /// The TLS tap: files are told of from here on, and hooked by a thread of its own.
    pub fn attach_tls_tap(&mut self, options: tls::Options) -> Result<TlsTap, LoadError> {
        if self.multi.is_err() {
            let program: &mut UProbe = self.program(TLS_CALL)?;
            match program.load() {
                Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
                Err(error) => return Err(refusal(TLS_CALL, error)),
            }
        }
        let programs = self.take_tls()?;
        self.attach_tracepoint(FILE_HOOK.0, FILE_HOOK.1)?;
        let started = TlsTap::start(programs, options);
        started.map_err(|error| LoadError::Program { hook: TLS_CALL, reason: error.to_string() })
    }

    /// The gates: the packet gate is in place; the send gate comes where the kernel takes it.
    pub fn attach_send_gate(&mut self, kernel: &Kernel) -> Result<Vec<Hook>, LoadError> {
        let attached = self.attach_lsm(kernel, LSM_GATE);
        if attached.is_err() {
            let program: &mut Lsm = self.program(LSM_GATE)?;
            unloaded(LSM_GATE, program.unload())?;
        }
        let used = attached.is_ok();
        let why = attached.unwrap_or_else(|error| error.to_string());
        Ok(vec![Hook::send_gate(used, why), Hook::packet_gate()])
    }

    fn detach_way(&mut self, way: TapWay) -> Result<(), LoadError> {
        match way {
            TapWay::Fentry => {
                for (hook, ..) in TRANSPORT_HOOKS {
                    let program: &mut FEntry = self.program(hook)?;
                    unloaded(hook, program.unload())?;
                }
            }
            TapWay::Lsm => {
                let program: &mut Lsm = self.program(LSM_TAP)?;
                unloaded(LSM_TAP, program.unload())?;
            }
            TapWay::Tracepoints => {
                for (hook, _) in SEND_HOOKS {
                    let program: &mut TracePoint = self.program(hook)?;
                    unloaded(hook, program.unload())?;
                }
                let program: &mut RawTracePoint = self.program(RING_HOOK.0)?;
                unloaded(RING_HOOK.0, program.unload())?;
            }
        }
        Ok(())
    }

    /// Detaches every hook, the tap first and the processes last, so that no sample is of a process
    /// that was not followed. Programs that run end before it returns; the maps can still be read,
    /// and what is in the ring is the last there will be.
    pub fn detach(&mut self) -> Result<(), LoadError> {
        for way in TapWay::ALL {
            self.detach_way(way)?;
        }
        for (hook, _) in PAGE_HOOKS {
            let program: &mut TracePoint = self.program(hook)?;
            unloaded(hook, program.unload())?;
        }
        let files: &mut TracePoint = self.program(FILE_HOOK.0)?;
        unloaded(FILE_HOOK.0, files.unload())?;
        let gate: &mut Lsm = self.program(LSM_GATE)?;
        unloaded(LSM_GATE, gate.unload())?;
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
}

/// Runs an iterator that prints nothing to its end. It rests with EAGAIN after each million of objects
/// (`MAX_ITER_OBJECTS`, kernel/bpf/bpf_iter.c).
fn walk(iterator: &mut File) -> io::Result<()> {
    let mut byte = [0];
    for _ in 0..ITERATOR_RESTS_MAX {
        match iterator.read(&mut byte) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("it does not come to its end"))
}

/// BTF that has these functions, for aya to look up.
fn types(kernel: &Kernel, functions: &[&str]) -> Result<aya::Btf, String> {
    let mut ids = Vec::new();
    for function in functions {
        let id = kernel.function(function);
        ids.push((*function, id.ok_or_else(|| format!("this kernel has no {function}"))?));
    }
    aya::Btf::parse(&btf::functions_alone(&ids), aya::Endianness::default())
        .map_err(|error| error.to_string())
}

/// The name of a program where it is one of these. Those of the tables live as long as errors do.
fn one_of(hooks: &[(&'static str, &str)], name: &str) -> Option<&'static str> {
    hooks.iter().map(|(hook, _)| *hook).find(|hook| *hook == name)
}

/// Loads the gate or a tracepoint, unless it is already.
fn load(hook: &'static str, program: &mut Program) -> Result<(), LoadError> {
    let loaded = match program {
        Program::CgroupSkb(program) => program.load(),
        Program::TracePoint(program) => program.load(),
        Program::UProbe(program) => program.load(),
        _ => Ok(()),
    };
    match loaded {
        Err(ProgramError::AlreadyLoaded) => Ok(()),
        // Of the TLS tap it is asked again, and the rest goes on without it.
        Err(_) if TLS_HOOKS.contains(&hook) => Ok(()),
        loaded => loaded.map_err(|error| refusal(hook, error)),
    }
}

/// A program that was never attached is no failure to detach it.
fn unloaded(hook: &'static str, outcome: Result<(), ProgramError>) -> Result<(), LoadError> {
    match outcome {
        Err(ProgramError::NotLoaded) => Ok(()),
        outcome => outcome.map_err(|error| refusal(hook, error)),
    }
}
