//! A program on many functions of a file at once, by one link (`BPF_TRACE_UPROBE_MULTI`). Where each
//! function has a perf event of its own, taking it off waits for all processors, one event after the
//! other under a lock of the kernel's: a tenth of a second each. Minimum kernel version: 6.6. aya 0.14
//! neither loads nor attaches such programs, so the three calls of bpf(2) are made here, with what
//! `aya-obj`, on which aya stands, makes of the object.

use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use aya::maps::Map;
use aya_obj::Object;
use nix::libc;
use thiserror::Error;

/// `enum bpf_cmd`, include/uapi/linux/bpf.h.
const PROG_LOAD: u32 = 5;
const BTF_LOAD: u32 = 18;
const LINK_CREATE: u32 = 28;
/// `BPF_PROG_TYPE_KPROBE`.
const KPROBE: u32 = 2;
/// `BPF_TRACE_UPROBE_MULTI`.
const UPROBE_MULTI: u32 = 48;

/// Why there is no such program.
#[derive(Debug, Error)]
pub enum MultiError {
    /// A kernel before 6.6.
    #[error("this kernel has no link of many uprobes")]
    Kernel,
    /// The object is not what it should be.
    #[error("the object cannot be read: {0}")]
    Object(String),
    /// It was refused.
    #[error("{0} was refused by the kernel: {1}")]
    Refused(&'static str, io::Error),
}

/// A program that is loaded.
#[derive(Debug)]
pub struct Multi {
    program: OwnedFd,
}

/// The name of a map, and its descriptor where it is of a kind that the programs use.
pub fn descriptor((name, map): (&str, &Map)) -> Option<(String, RawFd)> {
    let (Map::Array(data)
    | Map::PerCpuArray(data)
    | Map::HashMap(data)
    | Map::LruHashMap(data)
    | Map::RingBuf(data)) = map
    else {
        return None;
    };
    Some((name.to_owned(), std::os::fd::AsFd::as_fd(data.fd()).as_raw_fd()))
}

impl Multi {
    /// Loads the program of this name out of an object whose maps are there already.
    ///
    /// # Errors
    ///
    /// The kernel is older, or refuses it.
    pub fn load(
        object: &[u8],
        name: &'static str,
        maps: &[(String, RawFd)],
    ) -> Result<Multi, MultiError> {
        if !is_known() {
            return Err(MultiError::Kernel);
        }
        let unread = |error: &dyn std::error::Error| MultiError::Object(error.to_string());
        let mut object = Object::parse(object).map_err(|error| unread(&error))?;
        let types = aya::features().btf().map(|features| object.fixup_and_sanitize_btf(features));
        let types = types.transpose().map_err(|error| unread(&error))?.flatten();
        let types = types.ok_or_else(|| MultiError::Object("it has no types".into()))?.to_bytes();
        let texts: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let known = std::mem::take(&mut object.maps);
        let of = maps.iter().filter_map(|(name, fd)| Some((name.as_str(), *fd, known.get(name)?)));
        object.relocate_maps(of, &texts).map_err(|error| unread(&error))?;
        object.relocate_calls(&texts).map_err(|error| unread(&error))?;
        let program = object.programs.get(name);
        let program = program.ok_or_else(|| MultiError::Object(format!("it has no {name}")))?;
        let function = object.functions.get(&program.function_key());
        let function = function.ok_or_else(|| MultiError::Object(format!("{name} is empty")))?;
        let refused = |error| MultiError::Refused(name, error);
        let types = load_types(&types).map_err(refused)?;
        let infos = function.func_info.func_info_bytes();
        let mut attributes = ProgLoad {
            kind: KPROBE,
            instructions_count: function.instructions.len() as u32,
            instructions: function.instructions.as_ptr() as u64,
            license: program.license.as_ptr() as u64,
            attach_type: UPROBE_MULTI,
            types: types.as_raw_fd() as u32,
            info_bytes: function.func_info_rec_size as u32,
            infos: infos.as_ptr() as u64,
            infos_count: function.func_info.len() as u32,
            ..ProgLoad::default()
        };
        // The last byte is the end of the name.
        let named = attributes.name.iter_mut().take(NAME_BYTES - 1);
        named.zip(name.bytes()).for_each(|(to, byte)| *to = byte);
        // SAFETY: all that the attributes point to lives until the call is over, and is as long as they say.
        let program = unsafe { bpf(PROG_LOAD, &attributes) }.map_err(refused)?;
        Ok(Multi { program })
    }

    /// Puts it on functions of a file, by their offsets in it and each with its cookie. They are hooked in
    /// this order, and no more when what is handed back is closed.
    ///
    /// # Errors
    ///
    /// The kernel refuses one of them: then none is hooked.
    pub fn attach(&self, path: &CStr, points: &[(u64, u64)]) -> io::Result<OwnedFd> {
        attach(&self.program, path, points)
    }

    /// Another handle.
    ///
    /// # Errors
    ///
    /// There are no more descriptors.
    pub fn try_clone(&self) -> io::Result<Multi> {
        Ok(Multi { program: self.program.try_clone()? })
    }

    /// Instructions that the verifier walked to accept it, as the kernel says of the descriptor.
    pub fn verified(&self) -> Option<u32> {
        let path = format!("/proc/self/fdinfo/{}", self.program.as_raw_fd());
        let text = std::fs::read_to_string(path).ok()?;
        let count = text.lines().find_map(|line| line.strip_prefix("verified_insns:"));
        count?.trim().parse().ok()
    }
}

/// Whether the kernel has such links. One that has none takes the program, and says so only of a link.
fn is_known() -> bool {
    /// `r0 = 0; exit`, include/uapi/linux/bpf.h.
    const NOTHING: [u64; 2] = [0xb7, 0x95];
    let attributes = ProgLoad {
        kind: KPROBE,
        instructions_count: NOTHING.len() as u32,
        instructions: NOTHING.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        attach_type: UPROBE_MULTI,
        ..ProgLoad::default()
    };
    // SAFETY: instructions and license are constants.
    let Ok(program) = (unsafe { bpf(PROG_LOAD, &attributes) }) else { return false };
    // Nothing can be hooked in a directory (`bpf_uprobe_multi_link_attach`, kernel/trace/bpf_trace.c).
    let said = attach(&program, c"/", &[(0, 0)]);
    said.is_err_and(|error| error.raw_os_error() == Some(libc::EBADF))
}

fn attach(program: &OwnedFd, path: &CStr, points: &[(u64, u64)]) -> io::Result<OwnedFd> {
    let (offsets, cookies): (Vec<u64>, Vec<u64>) = points.iter().copied().unzip();
    let attributes = LinkCreate {
        program: program.as_raw_fd() as u32,
        attach_type: UPROBE_MULTI,
        path: path.as_ptr() as u64,
        offsets: offsets.as_ptr() as u64,
        cookies: cookies.as_ptr() as u64,
        count: points.len() as u32,
        ..LinkCreate::default()
    };
    // SAFETY: all that the attributes point to lives until the call is over, and is as long as they say.
    unsafe { bpf(LINK_CREATE, &attributes) }
}

fn load_types(types: &[u8]) -> io::Result<OwnedFd> {
    let attributes =
        BtfLoad { types: types.as_ptr() as u64, log: 0, bytes: types.len() as u32, log_bytes: 0 };
    // SAFETY: the types live until the call is over, and are as long as it says.
    unsafe { bpf(BTF_LOAD, &attributes) }
}

/// bpf(2) of a command that makes a descriptor.
///
/// # Safety
///
/// `T` is the beginning of `union bpf_attr` for this command, without padding, and what it points to is
/// there.
unsafe fn bpf<T>(command: u32, attributes: &T) -> io::Result<OwnedFd> {
    let attributes: *const T = attributes;
    // SAFETY: the kernel reads as many bytes as it is told; the caller answers for what they point to.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the kernel has just made for us, close-on-exec as all that bpf(2) makes.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `BPF_OBJ_NAME_LEN`.
const NAME_BYTES: usize = 16;

/// Beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    kind: u32,
    instructions_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_bytes: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME_BYTES],
    device: u32,
    attach_type: u32,
    types: u32,
    info_bytes: u32,
    infos: u64,
    infos_count: u32,
    line_bytes: u32,
}

/// The same for `BPF_BTF_LOAD`.
#[repr(C)]
struct BtfLoad {
    types: u64,
    log: u64,
    bytes: u32,
    log_bytes: u32,
}

/// The same for `BPF_LINK_CREATE` of this type.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    path: u64,
    offsets: u64,
    reference_offsets: u64,
    cookies: u64,
    count: u32,
    multi_flags: u32,
    pid: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<ProgLoad>() == 96);
const _: () = assert!(size_of::<BtfLoad>() == 24);
const _: () = assert!(size_of::<LinkCreate>() == 64);
