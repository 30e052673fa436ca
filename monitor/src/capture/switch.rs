//! The kill-switch in the kernel: puts its program on a cgroup, pins it, finds what is pinned, and
//! takes it away. It does not know who asked, or why: that is a text here.
//!
//! Each `on` makes a folder `on-<since boot>-<pid>` of its own with its maps and, last, its link. The
//! link is what is in force, and pinning or removing it is one step; so whatever ends in between leaves
//! it on or off. A new one is in force before the older ones go, and nothing leaves in between. Only
//! older ones are removed, so two at once leave the later one.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType};
use aya::{Ebpf, EbpfLoader};
use monitor_ebpf::switch::{
    ALLOW_HEAD_BITS, ALLOW_KEY_BYTES, PROGRAM, SESSION_KEY_BYTES, STATE_BYTES, Stopped, allow_key,
    map, session_key,
};
use thiserror::Error;

use super::allow::{Allow, bytes};
use super::bpffs;
use super::host::{self, HostError};
use super::programs::{LoadError, refusal};

/// Built by `cargo xtask bpf build`.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/switch.o"));

/// Below the BPF file system.
pub(super) const FOLDER: &str = "egress-monitor";
/// What the folders of pins are called, but for the cgroup.
const KILL_SWITCH: &str = "kill-switch";
/// Name of the pin that is in force.
const LINK: &str = "link";

/// Why it could not be turned on or off.
#[derive(Debug, Error)]
pub enum SwitchError {
    /// Rights or mounts.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The kernel refused a part.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The cgroup to shut.
    #[error("cannot open the cgroup {0}: {1}")]
    Cgroup(String, io::Error),
    /// Pins cannot be made, read or removed.
    #[error("cannot {0} {1}: {2}")]
    Pin(&'static str, String, String),
    /// More than a map takes.
    #[error("reason and allow-list are {0} bytes, limit is {STATE_BYTES}; allow wider networks")]
    State(usize),
}

/// A TCP connection that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Our side.
    pub ours: SocketAddr,
    /// The far side.
    pub theirs: SocketAddr,
}

/// One that is pinned and in force.
#[derive(Debug)]
pub struct InForce {
    folder: PathBuf,
    /// The text that it was turned on with.
    pub state: String,
    /// Packets that were stopped.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the last of them was, in nanoseconds since boot; 0 for never.
    pub last_ns: u64,
}

/// A cgroup and the pins for it.
pub struct Place {
    /// As named; the root of cgroup v2 if not.
    cgroup: Option<PathBuf>,
    /// Name of the folder of pins.
    name: String,
}

impl Place {
    /// That of a cgroup, or that of the root. Checks what each use of it needs.
    ///
    /// # Errors
    ///
    /// Rights are missing, pids are others than the host's, or there is no such cgroup.
    pub fn of(cgroup: Option<&Path>) -> Result<Place, SwitchError> {
        let missing = host::capabilities_missing();
        if !missing.is_empty() {
            return Err(HostError::Capabilities(missing).into());
        }
        if !host::sees_host_pids() {
            return Err(HostError::PidNamespace.into());
        }
        let name = match cgroup {
            None => KILL_SWITCH.into(),
            // The id of a cgroup is the number of its inode.
            Some(path) => {
                let inode = path.metadata().map_err(|error| cannot_open(path, error))?.ino();
                format!("{KILL_SWITCH}-{inode}")
            }
        };
        Ok(Place { cgroup: cgroup.map(Into::into), name })
    }

    /// What is in force, oldest first. Pins that came to nothing are removed: of a cgroup that is gone, or
    /// of a command that was killed half-way.
    ///
    /// # Errors
    ///
    /// A pin is there and cannot be read: then it may be in force.
    pub fn in_force(&self) -> Result<Vec<InForce>, SwitchError> {
        let mut found = Vec::new();
        let Some(bpffs) = bpffs::find() else { return Ok(found) };
        for pins in folders(&bpffs.join(FOLDER))? {
            let name = pins.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(KILL_SWITCH) && name != self.name {
                forget_if_gone(&pins);
            }
        }
        for folder in folders(&bpffs.join(FOLDER).join(&self.name))? {
            if !folder.join(LINK).exists() {
                if !is_at_work(&folder) {
                    remove(&folder)?;
                }
            } else if !is_attached(&folder.join(LINK))? {
                remove(&folder)?;
            } else {
                found.push(read(folder));
            }
        }
        Ok(found)
    }

    /// Shuts, in addition to what is in force already. Tells whether the BPF file system was mounted for
    /// it, which stays.
    ///
    /// # Errors
    ///
    /// The kernel refuses; nothing has changed then.
    pub fn shut(
        &self,
        allow: &[Allow],
        sessions: &[Session],
        state: &str,
    ) -> Result<bool, SwitchError> {
        host::lift_memory_lock();
        let root = match &self.cgroup {
            Some(path) => path.clone(),
            None => host::cgroup_root(&mut Vec::new())?,
        };
        let cgroup = File::open(&root).map_err(|error| cannot_open(&root, error))?;
        let (bpffs, mounted) = bpffs::find_or_mount()?;
        let mut ebpf = load(allow, sessions, state)?;
        let name = format!("on-{:016x}-{}", host::boot_ns(), std::process::id());
        let folder = bpffs.join(FOLDER).join(&self.name).join(name);
        make(&folder).map_err(|error| cannot("make", &folder, error))?;
        pin(&mut ebpf, &folder, &cgroup).inspect_err(|_| {
            let _ = remove(&folder);
        })?;
        Ok(mounted)
    }

    /// Removes what was in force before the latest.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed: what it forbids stays forbidden.
    pub fn drop_older(&self, in_force: &[InForce]) -> Result<(), SwitchError> {
        in_force.iter().try_for_each(|switch| remove(&switch.folder))
    }

    /// Opens: removes whatever is pinned.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed, the others are.
    pub fn open(&self) -> Result<(), SwitchError> {
        let Some(bpffs) = bpffs::find() else { return Ok(()) };
        let pins = bpffs.join(FOLDER).join(&self.name);
        // One that is just being made is later than this, and stays, with the folder that it is in.
        let removed: Vec<_> = folders(&pins)?
            .iter()
            .filter(|folder| folder.join(LINK).exists() || !is_at_work(folder))
            .map(|folder| remove(folder))
            .collect();
        let _ = std::fs::remove_dir(&pins);
        removed.into_iter().collect()
    }
}

pub(super) fn cannot_open(path: &Path, error: io::Error) -> SwitchError {
    SwitchError::Cgroup(path.display().to_string(), error)
}

pub(super) fn cannot(what: &'static str, path: &Path, error: impl ToString) -> SwitchError {
    SwitchError::Pin(what, path.display().to_string(), error.to_string())
}

/// The object with its maps filled; it is not attached yet.
fn load(allow: &[Allow], sessions: &[Session], state: &str) -> Result<Ebpf, SwitchError> {
    let mut text = [0; STATE_BYTES];
    let room = text.get_mut(..state.len()).ok_or(SwitchError::State(state.len()))?;
    room.copy_from_slice(state.as_bytes());
    let mut ebpf = loader().load(OBJECT).map_err(LoadError::Object)?;
    fill(&mut ebpf, map::ALLOW, |map| {
        let mut keys: LpmTrie<_, [u8; ALLOW_KEY_BYTES], u8> = map.try_into()?;
        allow.iter().try_for_each(|allow| {
            let (version, address) = bytes(allow.address);
            let key = allow_key(version, allow.port.unwrap_or(0).to_be_bytes(), &address);
            keys.insert(&Key::new(ALLOW_HEAD_BITS + u32::from(allow.prefix), key), 1, 0)
        })
    })?;
    fill(&mut ebpf, map::SESSIONS, |map| {
        let mut keys: HashMap<_, [u8; SESSION_KEY_BYTES], u8> = map.try_into()?;
        sessions.iter().try_for_each(|session| {
            let ((version, ours), (_, theirs)) =
                (bytes(session.ours.ip()), bytes(session.theirs.ip()));
            let [a, b] = session.ours.port().to_be_bytes();
            let [c, d] = session.theirs.port().to_be_bytes();
            keys.insert(session_key(version, &ours, &theirs, [a, b, c, d]), 1, 0)
        })
    })?;
    fill(&mut ebpf, map::STATE, |map| {
        let mut states: Array<_, [u8; STATE_BYTES]> = map.try_into()?;
        states.set(0, text, 0)
    })?;
    Ok(ebpf)
}

/// One that has not read the kernel's types: nothing is relocated against them, and `EbpfLoader::new`
/// takes 60 ms to read all 9 MB before it can be told so (aya 0.14, bpf.rs). For as long as that takes
/// this process, which has one thread, opens no file.
pub(super) fn loader() -> EbpfLoader<'static> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::RLIMIT_NOFILE).ok();
    if let Some((_, hard)) = limit {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, 0, hard);
    }
    let mut loader = EbpfLoader::new();
    if let Some((soft, hard)) = limit {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    }
    loader.btf(None);
    loader
}

pub(super) fn fill(
    ebpf: &mut Ebpf,
    name: &'static str,
    write: impl FnOnce(&mut Map) -> Result<(), MapError>,
) -> Result<(), LoadError> {
    let map = ebpf.map_mut(name).ok_or(LoadError::Lacks(name))?;
    write(map).map_err(|error| LoadError::Map(name, error))
}

/// Pins the maps, attaches, and pins the link.
fn pin(ebpf: &mut Ebpf, folder: &Path, cgroup: &File) -> Result<(), SwitchError> {
    for name in [map::STATE, map::STOPPED] {
        let map = ebpf.map(name).ok_or(LoadError::Lacks(name))?;
        let path = folder.join(name);
        map.pin(&path).map_err(|error| cannot("pin", &path, error))?;
    }
    let refused = |error| refusal(PROGRAM, error);
    let program = ebpf.program_mut(PROGRAM).ok_or(LoadError::Lacks(PROGRAM))?;
    let program: &mut CgroupSkb = program.try_into().map_err(refused)?;
    program.load().map_err(refused)?;
    let link = program
        .attach(cgroup, CgroupSkbAttachType::Egress, CgroupAttachMode::Single)
        .and_then(|id| program.take_link(id))
        .map_err(refused)?;
    let path = folder.join(LINK);
    let no_link = "Linux before 5.7 has no links of cgroups, which outlive a command";
    let link = FdLink::try_from(link).map_err(|_| cannot("pin", &path, no_link))?;
    link.pin(&path).map_err(|error| cannot("pin", &path, error))?;
    Ok(())
}

/// Another command may remove what is empty while this makes the next folder in it.
const TRIES_MAX: usize = 100;

pub(super) fn make(folder: &Path) -> io::Result<()> {
    let mut made = Ok(());
    for _ in 0..TRIES_MAX {
        made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        match &made {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
    }
    made
}

/// The folders of pins, oldest first.
pub(super) fn folders(pins: &Path) -> Result<Vec<PathBuf>, SwitchError> {
    let entries = match std::fs::read_dir(pins) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| cannot("read", pins, error))?,
    };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    Ok(folders)
}

/// Removes a folder of pins, the link first; one that somebody else has removed is well.
fn remove(folder: &Path) -> Result<(), SwitchError> {
    let gone = |result: io::Result<()>, path: &Path| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, error)),
        _ => Ok(()),
    };
    for name in [LINK, map::STATE, map::STOPPED] {
        let path = folder.join(name);
        gone(std::fs::remove_file(&path), &path)?;
    }
    gone(std::fs::remove_dir(folder), folder)
}

/// Removes the pins of another cgroup that is gone, which nobody can name any more.
fn forget_if_gone(pins: &Path) {
    for folder in folders(pins).unwrap_or_default() {
        if matches!(is_attached(&folder.join(LINK)), Ok(false)) {
            let _ = remove(&folder);
        }
    }
    // Where there are others it stays.
    let _ = std::fs::remove_dir(pins);
}

/// Whether the command that makes the pins is still there.
fn is_at_work(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let pid = name.rsplit('-').next().unwrap_or_default();
    Path::new("/proc").join(pid).exists()
}

/// Whether a link is on a cgroup that is still there. The kernel tells that of an open link, by its
/// number, in fdinfo alone (`bpf_cgroup_link_show_fdinfo`, kernel/bpf/cgroup.c).
fn is_attached(path: &Path) -> Result<bool, SwitchError> {
    let unread = |error: String| cannot("read", path, error);
    let link = PinnedLink::from_pin(path).map_err(|error| unread(error.to_string()))?;
    let link = FdLink::from(link);
    let id = link.info().map_err(|error| unread(error.to_string()))?.id().to_string();
    let entries =
        std::fs::read_dir("/proc/self/fdinfo").map_err(|error| unread(error.to_string()))?;
    let texts = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let field = |text: &str, name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned())
    };
    let text = texts.into_iter().find(|text| field(text, "link_id:").as_ref() == Some(&id));
    // A kernel that does not tell has none that is gone.
    let cgroup = text.and_then(|text| field(&text, "cgroup_id:"));
    Ok(cgroup.is_none_or(|cgroup| cgroup != "0"))
}

/// What is known of one that is in force; nothing, where a map is not what it was.
fn read(folder: PathBuf) -> InForce {
    let open = |name| {
        let data = MapData::from_pin(folder.join(name))?;
        Map::from_map_data(data)
    };
    let state = || Array::<_, [u8; STATE_BYTES]>::try_from(open(map::STATE)?)?.get(&0, 0);
    let state = state().map(|text| {
        let bytes = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        String::from_utf8_lossy(&text[..bytes]).into_owned()
    });
    let stopped = || PerCpuArray::<_, Stopped>::try_from(open(map::STOPPED)?)?.get(&0, 0);
    let (mut packets, mut bytes, mut last_ns) = (0, 0, 0);
    for [more_packets, more_bytes, at_ns] in stopped().iter().flat_map(|values| values.iter()) {
        packets += more_packets;
        bytes += more_bytes;
        last_ns = last_ns.max(*at_ns);
    }
    InForce { folder, state: state.unwrap_or_default(), packets, bytes, last_ns }
}
