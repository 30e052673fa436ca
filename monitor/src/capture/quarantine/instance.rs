//! The programs and maps that all quarantines of a host share: made where there are none, found where
//! there are, taken away with the last. They are pinned in one folder, which gets its name when it is
//! complete, and nobody changes anything in it without holding the lock.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aya::maps::lpm_trie::LpmTrie;
use aya::maps::{Array, HashMap, Map, MapData, PerCpuHashMap, SkStorage};
use aya::programs::links::FdLink;
use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, Program, RawTracePoint,
};
use aya::{Ebpf, GlobalData, Pod};
use monitor_ebpf::Offsets;
use monitor_ebpf::quarantine::{
    Ids, KEY_BYTES, Member, PATH_BYTES, STATE_BYTES, Terms, VERSION, map, program, slot,
};
use monitor_ebpf::switch::Stopped;
use nix::fcntl::{Flock, FlockArg};

use super::QuarantineError;
use crate::capture::bpffs;
use crate::capture::btf::{self, Need, VMLINUX};
use crate::capture::host::{self, HostError};
use crate::capture::programs::{LoadError, refusal};
use crate::capture::switch::{FOLDER, SwitchError, cannot, cannot_open, folders, make};

/// Built by `cargo xtask bpf build`.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/quarantine.o"));

/// A value of the contract that the kernel may be handed, and hand back, as bytes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Raw<T>(pub T);

// SAFETY: `repr(C)` with integers only and no padding (asserted in the contract), so all bit patterns are
// values and all bytes are initialised.
unsafe impl Pod for Raw<Member> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Terms> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Offsets> {}

/// How long another command may take.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often is looked whether it is done.
const LOCK_LOOK: Duration = Duration::from_millis(2);

/// What is pinned.
pub(super) struct Instance {
    folder: PathBuf,
    pub allow: LpmTrie<MapData, [u8; KEY_BYTES], u8>,
    pub quarantines: HashMap<MapData, u32, Raw<Terms>>,
    pub processes: HashMap<MapData, u32, Raw<Member>>,
    pub cgroups: HashMap<MapData, u64, Ids>,
    pub paths: HashMap<MapData, [u8; PATH_BYTES], Ids>,
    pub numbers: Array<MapData, u32>,
    pub stopped: PerCpuHashMap<MapData, u32, Stopped>,
    pub states: HashMap<MapData, u32, [u8; STATE_BYTES]>,
    pub sockets: SkStorage<MapData, Ids>,
    /// The last to go.
    _lock: Flock<File>,
}

/// Maps that are pinned.
const MAPS: [&str; 9] = [
    map::ALLOW,
    map::QUARANTINES,
    map::PROCESSES,
    map::CGROUPS,
    map::PATHS,
    map::NUMBERS,
    map::STOPPED,
    map::STATES,
    map::SOCKETS,
];

fn name() -> String {
    format!("quarantine-v{VERSION}")
}

/// Checks what each use needs.
fn check() -> Result<(), QuarantineError> {
    let missing = host::capabilities_missing();
    if !missing.is_empty() {
        return Err(HostError::Capabilities(missing).into());
    }
    if !host::sees_host_pids() {
        return Err(HostError::PidNamespace.into());
    }
    Ok(())
}

/// Nobody else changes anything as long as it is held.
fn lock(pins: &Path) -> Result<Flock<File>, QuarantineError> {
    let begun = Instant::now();
    let mut file = File::open(pins).map_err(|error| cannot("open", pins, error))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((_, nix::Error::EWOULDBLOCK)) if begun.elapsed() >= LOCK_WAIT => {
                return Err(QuarantineError::Busy);
            }
            Err((back, nix::Error::EWOULDBLOCK)) => file = back,
            Err((_, error)) => return Err(cannot("lock", pins, error).into()),
        }
        std::thread::sleep(LOCK_LOOK);
    }
}

impl Instance {
    /// The one that there is.
    pub fn find() -> Result<Option<Instance>, QuarantineError> {
        check()?;
        let Some(pins) = bpffs::find().map(|bpffs| bpffs.join(FOLDER)) else { return Ok(None) };
        let folder = pins.join(name());
        if !folder.exists() {
            return Ok(None);
        }
        let lock = lock(&pins)?;
        // The last one may have been released meanwhile.
        if folder.exists() { Instance::open(folder, lock).map(Some) } else { Ok(None) }
    }

    /// The one that there is, or a new one; and whether the BPF file system was mounted for it.
    pub fn find_or_make() -> Result<(Instance, bool), QuarantineError> {
        check()?;
        host::lift_memory_lock();
        let (bpffs, mounted) = bpffs::find_or_mount()?;
        let pins = bpffs.join(FOLDER);
        make(&pins).map_err(|error| cannot("make", &pins, error))?;
        let lock = lock(&pins)?;
        let folder = pins.join(name());
        if !folder.exists() {
            // Whoever was at it holds no lock any more.
            for left in folders(&pins)?.iter().filter(|folder| is_left(folder)) {
                remove(left)?;
            }
            let making = pins.join("making");
            make(&making).map_err(|error| cannot("make", &making, error))?;
            let pinned = load().and_then(|mut ebpf| pin(&mut ebpf, &making));
            let renamed = pinned.and_then(|()| {
                std::fs::rename(&making, &folder)
                    .map_err(|error| cannot("rename", &making, error).into())
            });
            renamed.inspect_err(|_| {
                let _ = remove(&making);
            })?;
        }
        Ok((Instance::open(folder, lock)?, mounted))
    }

    fn open(folder: PathBuf, lock: Flock<File>) -> Result<Instance, QuarantineError> {
        let open = |name: &'static str| {
            let data = MapData::from_pin(folder.join(name));
            data.and_then(Map::from_map_data).map_err(|error| LoadError::Map(name, error))
        };
        macro_rules! typed {
            ($name:expr) => {
                open($name)?.try_into().map_err(|error| LoadError::Map($name, error))?
            };
        }
        Ok(Instance {
            allow: typed!(map::ALLOW),
            quarantines: typed!(map::QUARANTINES),
            processes: typed!(map::PROCESSES),
            cgroups: typed!(map::CGROUPS),
            paths: typed!(map::PATHS),
            numbers: typed!(map::NUMBERS),
            stopped: typed!(map::STOPPED),
            states: typed!(map::STATES),
            sockets: typed!(map::SOCKETS),
            folder,
            _lock: lock,
        })
    }

    /// A number of [`slot`]; 0 where it cannot be read.
    pub fn number(&self, slot: u32) -> u32 {
        self.numbers.get(&slot, 0).unwrap_or(0)
    }

    /// Takes it away.
    pub fn remove(self) -> Result<(), QuarantineError> {
        let leaving = self.folder.with_file_name("leaving");
        std::fs::rename(&self.folder, &leaving)
            .map_err(|error| cannot("rename", &self.folder, error))?;
        remove(&leaving)
    }
}

fn is_left(folder: &Path) -> bool {
    folder.ends_with("making") || folder.ends_with("leaving")
}

/// Removes a folder of pins with all that is in it.
fn remove(folder: &Path) -> Result<(), QuarantineError> {
    std::fs::remove_dir_all(folder).map_err(|error| cannot("remove", folder, error).into())
}

fn load() -> Result<Ebpf, QuarantineError> {
    let refused = |reason| LoadError::Program { hook: program::EGRESS, reason };
    let kernel = btf::read(Path::new(VMLINUX))?;
    kernel.has(Need::Quarantine).map_err(refused)?;
    let offsets = Raw(kernel.offsets);
    let mut loader = crate::capture::switch::loader();
    loader.override_global("OFFSETS", GlobalData::from(&offsets), true);
    Ok(loader.load(OBJECT).map_err(LoadError::Object)?)
}

fn typed<'e, T>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut T, LoadError>
where
    &'e mut T: TryFrom<&'e mut Program, Error = aya::programs::ProgramError>,
{
    let program = ebpf.program_mut(name).ok_or(LoadError::Lacks(name))?;
    program.try_into().map_err(|error| refusal(name, error))
}

/// Whether the kernel takes the programs; nothing is attached.
pub(super) fn trial() -> Result<(), QuarantineError> {
    check()?;
    host::lift_memory_lock();
    let mut ebpf = load()?;
    let refused = |name| move |error| refusal(name, error);
    let name = program::EGRESS;
    typed::<CgroupSkb>(&mut ebpf, name)?.load().map_err(refused(name))?;
    let name = program::CREATE;
    typed::<CgroupSock>(&mut ebpf, name)?.load().map_err(refused(name))?;
    for name in [program::FORK, program::FREE, program::MKDIR] {
        typed::<RawTracePoint>(&mut ebpf, name)?.load().map_err(refused(name))?;
    }
    Ok(())
}

/// Pins the maps, attaches, and pins the links.
fn pin(ebpf: &mut Ebpf, folder: &Path) -> Result<(), QuarantineError> {
    for name in MAPS {
        let map = ebpf.map(name).ok_or(LoadError::Lacks(name))?;
        let path = folder.join(name);
        map.pin(&path).map_err(|error| cannot("pin", &path, error))?;
    }
    let root = host::cgroup_root(&mut Vec::new())?;
    let cgroup = File::open(&root).map_err(|error| cannot_open(&root, error))?;
    let mode = CgroupAttachMode::Single;

    let name = program::EGRESS;
    let egress: &mut CgroupSkb = typed(ebpf, name)?;
    let link = egress
        .load()
        .and_then(|()| egress.attach(cgroup.as_fd(), CgroupSkbAttachType::Egress, mode))
        .and_then(|id| egress.take_link(id))
        .map_err(|error| refusal(name, error))?;
    keep(link.try_into(), folder, name)?;

    let name = program::CREATE;
    let create: &mut CgroupSock = typed(ebpf, name)?;
    let link = create
        .load()
        .and_then(|()| create.attach(cgroup.as_fd(), mode))
        .and_then(|id| create.take_link(id))
        .map_err(|error| refusal(name, error))?;
    keep(link.try_into(), folder, name)?;

    for (name, tracepoint) in [
        (program::FORK, "sched_process_fork"),
        (program::FREE, "sched_process_free"),
        (program::MKDIR, "cgroup_mkdir"),
    ] {
        let follow: &mut RawTracePoint = typed(ebpf, name)?;
        let link = follow
            .load()
            .and_then(|()| follow.attach(tracepoint))
            .and_then(|id| follow.take_link(id))
            .map_err(|error| refusal(name, error))?;
        keep(Ok::<FdLink, SwitchError>(link.into()), folder, name)?;
    }
    Ok(())
}

/// Pins a link under the name of its program.
fn keep<E>(link: Result<FdLink, E>, folder: &Path, name: &str) -> Result<(), QuarantineError> {
    let path = folder.join(name);
    let no_link = "this kernel has no links that outlive a command";
    let link = link.map_err(|_| cannot("pin", &path, no_link))?;
    link.pin(&path).map_err(|error| cannot("pin", &path, error))?;
    Ok(())
}

/// Slot of the next number, for the one who gives them.
pub(super) const NEXT: u32 = slot::NEXT;
