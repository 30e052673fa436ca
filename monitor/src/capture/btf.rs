//! Field offsets of the running kernel's structures, out of its BTF. Nothing else of BTF is read,
//! and nothing is trusted: a file that is cut or lies gives an error, never a wrong offset.
//!
//! aya parses BTF too, but keeps the members of structures to itself (aya-obj 0.3).

use std::path::Path;

use monitor_ebpf::{ABSENT, Offsets, SOCK_COMMON_BYTES};
use thiserror::Error;

/// Where the kernel shows its BTF. Minimum kernel version 5.4, with `CONFIG_DEBUG_INFO_BTF`.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Why offsets could not be had.
#[derive(Debug, Error)]
pub enum BtfError {
    /// No file, or not readable.
    #[error("cannot read {path}: {source}; the kernel needs CONFIG_DEBUG_INFO_BTF=y")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not BTF, or cut short.
    #[error("{0} is not valid BTF")]
    Malformed(String),
    /// This kernel calls them otherwise.
    #[error("this kernel's BTF lacks {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A `sock_common` of another shape.
    #[error("this kernel's struct sock_common is longer than {SOCK_COMMON_BYTES} bytes")]
    SockCommon,
}

/// Types nested deeper than this in each other are not followed.
const NESTING_MAX: u32 = 8;

/// Sizes and kinds: Documentation/bpf/btf.rst.
const HEADER_BYTES: usize = 24;
const MAGIC: u16 = 0xeb9f;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FWD: u32 = 7;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC: u32 = 12;
const KIND_MAX: u32 = 19;

/// Function that stands for the iterator over all open files (kernel/bpf/task_iter.c).
pub const TASK_FILE_ITERATOR: &str = "bpf_iter_task_file";

struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`; type ids count from 1.
    starts: Vec<u32>,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Bytes that follow the 12 common to all types.
fn extra_bytes(kind: u32, vlen: usize) -> usize {
    match kind {
        1 | 14 | 17 => 4,
        3 => 12,
        KIND_STRUCT | KIND_UNION | 15 | 19 => vlen * 12,
        6 | 13 => vlen * 8,
        _ => 0,
    }
}

impl<'a> Btf<'a> {
    fn parse(data: &'a [u8]) -> Option<Btf<'a>> {
        if u16::from_ne_bytes(*data.first_chunk()?) != MAGIC {
            return None;
        }
        let header = word(data, 4)? as usize;
        let section = |offset: usize, bytes: usize| {
            let from = header.checked_add(offset)?;
            data.get(from..from.checked_add(bytes)?)
        };
        if header < HEADER_BYTES {
            return None;
        }
        let types = section(word(data, 8)? as usize, word(data, 12)? as usize)?;
        let strings = section(word(data, 16)? as usize, word(data, 20)? as usize)?;
        let mut starts = Vec::new();
        let mut at = 0;
        while at < types.len() {
            let info = word(types, at + 4)?;
            let kind = info >> 24 & 0x1f;
            if kind == 0 || kind > KIND_MAX {
                return None;
            }
            starts.push(at as u32);
            at += 12 + extra_bytes(kind, (info & 0xffff) as usize);
        }
        Some(Btf { types, strings, starts })
    }

    fn name(&self, offset: u32) -> Option<&'a [u8]> {
        self.strings.get(offset as usize..)?.split(|&byte| byte == 0).next()
    }

    /// Offset in bytes of a member of the type that begins at `start`, or of a member of that: `a.b`.
    fn path(&self, start: usize, path: &str) -> Option<u32> {
        let Some((name, rest)) = path.split_once('.') else { return self.member(start, path, 0) };
        let offset = self.member(start, name, 0)?;
        Some(offset + self.path(self.structure_of(start, name)?, rest)?)
    }

    /// Where the type of a member begins, without the names that it was given.
    fn structure_of(&self, start: usize, name: &str) -> Option<usize> {
        let info = word(self.types, start + 4)?;
        let at = (0..(info & 0xffff) as usize).map(|index| start + 12 + index * 12);
        let mut member = at.filter(|&at| {
            word(self.types, at).and_then(|at| self.name(at)) == Some(name.as_bytes())
        });
        let mut id = word(self.types, member.next()? + 4)?;
        for _ in 0..NESTING_MAX {
            let start = *self.starts.get((id as usize).checked_sub(1)?)? as usize;
            if word(self.types, start + 4)? >> 24 & 0x1f != KIND_TYPEDEF {
                return Some(start);
            }
            id = word(self.types, start + 8)?;
        }
        None
    }

    /// Offset in bytes of a member of the type that begins at `start`, looked up in the unnamed
    /// structures within it too.
    fn member(&self, start: usize, name: &str, depth: u32) -> Option<u32> {
        let info = word(self.types, start + 4)?;
        if !matches!(info >> 24 & 0x1f, KIND_STRUCT | KIND_UNION) || depth > NESTING_MAX {
            return None;
        }
        for index in 0..(info & 0xffff) as usize {
            let at = start + 12 + index * 12;
            let raw = word(self.types, at + 8)?;
            let bits = if info >> 31 != 0 { raw & 0x00ff_ffff } else { raw };
            let member = self.name(word(self.types, at)?)?;
            if member == name.as_bytes() {
                return (bits % 8 == 0).then_some(bits / 8);
            }
            if member.is_empty() {
                let id = word(self.types, at + 4)? as usize;
                let inner = id.checked_sub(1).and_then(|id| self.starts.get(id));
                let found = inner.and_then(|&at| self.member(at as usize, name, depth + 1));
                if let Some(offset) = found {
                    return Some(bits / 8 + offset);
                }
            }
        }
        None
    }

    /// A value of the enumeration that begins at `start`, by its name.
    fn value(&self, start: usize, name: &str) -> Option<u32> {
        let info = word(self.types, start + 4)?;
        (0..(info & 0xffff) as usize).find_map(|index| {
            let at = start + 12 + index * 8;
            let named = self.name(word(self.types, at)?)? == name.as_bytes();
            named.then(|| word(self.types, at + 4))?
        })
    }
}

/// What a field is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Everything: without it nothing starts.
    All,
    /// Reading a send in the transports or the LSM hook.
    Transports,
    /// Following requests of io_uring to their socket.
    Rings,
    /// Following MPTCP sockets to their subflow.
    Mptcp,
    /// The quarantine.
    Quarantine,
}

/// What is asked of BTF: for what, structure, its member (or other names of it, newest first), where
/// the offset goes.
type Wanted = (Need, &'static str, &'static [&'static str], fn(&mut Offsets) -> &mut u32);

use Need::{All, Mptcp, Quarantine, Rings, Transports};

const WANTED: &[Wanted] = &[
    (All, "task_struct", &["files"], |o| &mut o.task_files),
    (All, "task_struct", &["group_leader"], |o| &mut o.task_group_leader),
    // real_start_time until 5.4, commit cf25e24db61c.
    (All, "task_struct", &["start_boottime", "real_start_time"], |o| &mut o.task_start_boottime),
    (All, "task_struct", &["tgid"], |o| &mut o.task_tgid),
    (All, "task_struct", &["pid"], |o| &mut o.task_pid),
    (All, "task_struct", &["real_parent"], |o| &mut o.task_real_parent),
    (All, "task_struct", &["mm"], |o| &mut o.task_mm),
    (All, "mm_struct", &["arg_start"], |o| &mut o.mm_arg_start),
    (All, "mm_struct", &["arg_end"], |o| &mut o.mm_arg_end),
    (All, "linux_binprm", &["interp"], |o| &mut o.binprm_interp),
    (All, "linux_binprm", &["file"], |o| &mut o.binprm_file),
    (All, "files_struct", &["fdt"], |o| &mut o.files_fdt),
    (All, "fdtable", &["max_fds"], |o| &mut o.fdtable_max_fds),
    (All, "fdtable", &["fd"], |o| &mut o.fdtable_fd),
    (All, "file", &["f_inode"], |o| &mut o.file_inode),
    (All, "file", &["private_data"], |o| &mut o.file_private_data),
    (All, "inode", &["i_mode"], |o| &mut o.inode_mode),
    (All, "inode", &["i_ino"], |o| &mut o.inode_number),
    (All, "inode", &["i_sb"], |o| &mut o.inode_super),
    (All, "inode", &["i_generation"], |o| &mut o.inode_generation),
    (All, "super_block", &["s_dev"], |o| &mut o.super_device),
    (All, "pt_regs", &["sp"], |o| &mut o.regs_sp),
    (All, "socket", &["sk"], |o| &mut o.socket_sk),
    // `struct sock` begins with its `sock_common` (include/net/sock.h), so these hold for both.
    (All, "sock_common", &["skc_family"], |o| &mut o.sock_family),
    (All, "sock_common", &["skc_daddr"], |o| &mut o.sock_daddr),
    (All, "sock_common", &["skc_rcv_saddr"], |o| &mut o.sock_saddr),
    (All, "sock_common", &["skc_dport"], |o| &mut o.sock_dport),
    (All, "sock_common", &["skc_num"], |o| &mut o.sock_num),
    (All, "sock_common", &["skc_v6_daddr"], |o| &mut o.sock_v6_daddr),
    (All, "sock_common", &["skc_v6_rcv_saddr"], |o| &mut o.sock_v6_saddr),
    (All, "sock_common", &["skc_cookie"], |o| &mut o.sock_cookie),
    (All, "sock_common", &["skc_state"], |o| &mut o.sock_state),
    (All, "sock", &["sk_protocol"], |o| &mut o.sock_protocol),
    (All, "tcp_sock", &["write_seq"], |o| &mut o.tcp_write_seq),
    (Quarantine, "sock", &["sk_socket"], |o| &mut o.sock_socket),
    (Quarantine, "sock", &["sk_lock.owned"], |o| &mut o.sock_lock_owned),
    (Quarantine, "socket", &["file"], |o| &mut o.socket_file),
    (Quarantine, "cgroup", &["kn"], |o| &mut o.cgroup_node),
    (Quarantine, "cgroup", &["root"], |o| &mut o.cgroup_root),
    (Quarantine, "cgroup_root", &["hierarchy_id"], |o| &mut o.root_hierarchy),
    (Quarantine, "kernfs_node", &["id"], |o| &mut o.node_id),
    (Mptcp, "mptcp_sock", &["first"], |o| &mut o.mptcp_first),
    (Rings, "io_kiocb", &["opcode"], |o| &mut o.io_kiocb_opcode),
    (Rings, "io_kiocb", &["flags"], |o| &mut o.io_kiocb_flags),
    (Rings, "io_kiocb", &["cqe"], |o| &mut o.io_kiocb_cqe),
    (Rings, "io_cqe", &["fd"], |o| &mut o.io_cqe_fd),
    (Transports, "msghdr", &["msg_iter"], |o| &mut o.msghdr_iter),
    (Transports, "msghdr", &["msg_name"], |o| &mut o.msghdr_name),
    (Transports, "msghdr", &["msg_namelen"], |o| &mut o.msghdr_namelen),
    (Transports, "iov_iter", &["iter_type"], |o| &mut o.iter_type),
    (Transports, "iov_iter", &["iov_offset"], |o| &mut o.iter_offset),
    (Transports, "iov_iter", &["count"], |o| &mut o.iter_count),
    // iov until 6.3, commit de4f5fed3f23.
    (Transports, "iov_iter", &["__iov", "iov"], |o| &mut o.iter_iov),
    (Transports, "iov_iter", &["nr_segs"], |o| &mut o.iter_segments),
];

/// Likewise, of the values of `enum iter_type`, which are numbered anew now and then.
type WantedValue = (&'static str, fn(&mut Offsets) -> &mut u32);

const WANTED_VALUES: &[WantedValue] = &[
    ("ITER_IOVEC", |o| &mut o.iter_is_iovec),
    ("ITER_KVEC", |o| &mut o.iter_is_kvec),
    // Since 6.0, and `iov_iter.ubuf` with it.
    ("ITER_UBUF", |o| &mut o.iter_is_ubuf),
];

/// Functions that programs may be attached to.
pub const FUNCTIONS: &[&str] = &[
    TASK_FILE_ITERATOR,
    "tcp_sendmsg",
    "udp_sendmsg",
    "udpv6_sendmsg",
    "raw_sendmsg",
    "rawv6_sendmsg",
    "ping_v4_sendmsg",
    "ping_v6_sendmsg",
    "mptcp_sendmsg",
    "security_socket_sendmsg",
    "bpf_lsm_socket_sendmsg",
];

/// What is read of the kernel's BTF.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    /// Where fields stand; [`ABSENT`] where that can be done without.
    pub offsets: Offsets,
    /// Type ids of those of [`FUNCTIONS`] that the kernel has.
    pub functions: Vec<(&'static str, u32)>,
    /// What of the fields that can be done without is not there.
    pub missing: Vec<(Need, String)>,
}

impl Kernel {
    /// Type id of a function.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.functions.iter().find(|(function, _)| *function == name).map(|(_, id)| *id)
    }

    /// Whether everything for a need is there; else what is not.
    pub fn has(&self, need: Need) -> Result<(), String> {
        let missing: Vec<&str> = self
            .missing
            .iter()
            .filter(|(of, _)| *of == need)
            .map(|(_, name)| name.as_str())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("this kernel's BTF lacks {}", missing.join(", ")))
    }
}

/// Reads all offsets; what is missing and needed is named, all of it.
pub fn read(path: &Path) -> Result<Kernel, BtfError> {
    let shown = || path.display().to_string();
    let data = std::fs::read(path).map_err(|source| BtfError::Read { path: shown(), source })?;
    let btf = Btf::parse(&data).ok_or_else(|| BtfError::Malformed(shown()))?;
    let mut kernel = Kernel::default();
    let mut found = [false; WANTED.len()];
    let mut values = [false; WANTED_VALUES.len()];
    let mut ubuf = None;
    for (index, &start) in btf.starts.iter().enumerate() {
        let start = start as usize;
        // Only whole structures count: a forward declaration is of another kind.
        let Some(info) = word(btf.types, start + 4) else { break };
        let kind = info >> 24 & 0x1f;
        if !matches!(kind, KIND_STRUCT | KIND_FUNC | KIND_ENUM) {
            continue;
        }
        let Some(name) = word(btf.types, start).and_then(|at| btf.name(at)) else { continue };
        if kind == KIND_FUNC {
            if let Some(function) = FUNCTIONS.iter().find(|wanted| name == wanted.as_bytes()) {
                kernel.functions.push((function, index as u32 + 1));
            }
            continue;
        }
        if kind == KIND_ENUM {
            if name == b"iter_type" {
                for ((value, field), found) in WANTED_VALUES.iter().zip(&mut values) {
                    if let Some(number) = btf.value(start, value) {
                        *field(&mut kernel.offsets) = number;
                        *found = true;
                    }
                }
            }
            continue;
        }
        if name == b"iov_iter" {
            ubuf = btf.member(start, "ubuf", 0);
        }
        for ((_, owner, members, field), found) in WANTED.iter().zip(&mut found) {
            if !*found && name == owner.as_bytes() {
                let offset = members.iter().find_map(|member| btf.path(start, member));
                if let Some(offset) = offset {
                    *field(&mut kernel.offsets) = offset;
                    *found = true;
                }
            }
        }
    }
    let mut missing = Vec::new();
    for ((need, owner, members, field), found) in WANTED.iter().zip(found) {
        let Some(member) = members.first().filter(|_| !found) else { continue };
        let name = format!("{owner}.{member}");
        if *need == All {
            missing.push(name);
        } else {
            *field(&mut kernel.offsets) = ABSENT;
            kernel.missing.push((*need, name));
        }
    }
    for ((value, field), found) in WANTED_VALUES.iter().zip(values) {
        if !found {
            *field(&mut kernel.offsets) = ABSENT;
            if *value != "ITER_UBUF" {
                kernel.missing.push((Transports, (*value).into()));
            }
        }
    }
    match ubuf {
        Some(at) => kernel.offsets.iter_ubuf = at,
        None => kernel.offsets.iter_is_ubuf = ABSENT,
    }
    // The longest of them is an IPv6 address.
    if kernel.offsets.sock_common().iter().any(|&at| at as usize + 16 > SOCK_COMMON_BYTES) {
        return Err(BtfError::SockCommon);
    }
    if !missing.is_empty() {
        return Err(BtfError::Missing(missing));
    }
    Ok(kernel)
}

/// BTF in which functions have the ids that they have in the kernel's, and nothing else has a name.
/// aya looks an id up by name in BTF that it has parsed, and to parse all of the kernel's takes it
/// 20 ms and 100,000 allocations.
pub fn functions_alone(functions: &[(&str, u32)]) -> Vec<u8> {
    let mut functions = functions.to_vec();
    functions.sort_unstable_by_key(|(_, id)| *id);
    let mut strings = vec![0];
    let mut types = Vec::new();
    let mut next = 1;
    let unnamed = [0, KIND_FWD << 24, 0];
    for (name, id) in functions {
        types.extend(std::iter::repeat_n(unnamed, id.saturating_sub(next) as usize).flatten());
        types.extend([strings.len() as u32, KIND_FUNC << 24, 0]);
        next = id + 1;
        strings.extend(name.as_bytes());
        strings.push(0);
    }
    let types_bytes = types.len() as u32 * 4;
    let mut file = MAGIC.to_ne_bytes().to_vec();
    file.extend([1, 0]);
    let header = [HEADER_BYTES as u32, 0, types_bytes, types_bytes, strings.len() as u32];
    file.extend(header.into_iter().chain(types).flat_map(u32::to_ne_bytes));
    file.extend(strings);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `struct task_struct { int files; struct { int tgid; }; }`
    fn sample() -> Vec<u8> {
        let strings = b"\0task_struct\0files\0tgid\0int\0";
        let int = [24u32, 1 << 24, 4, 0x20];
        let inner = [0u32, 4 << 24 | 1, 4, 19, 1, 0];
        let outer = [1u32, 4 << 24 | 2, 8, 13, 1, 0, 0, 2, 32];
        let types: Vec<u8> =
            [&int[..], &inner, &outer].concat().iter().flat_map(|w| w.to_ne_bytes()).collect();
        let mut file = MAGIC.to_ne_bytes().to_vec();
        file.extend([1, 0]);
        for part in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            file.extend(part.to_ne_bytes());
        }
        file.extend(types);
        file.extend(strings);
        file
    }

    #[test]
    fn members_are_found_in_unnamed_structures_too() {
        let file = sample();
        let btf = Btf::parse(&file).unwrap();
        let outer = btf.starts[2] as usize;
        assert_eq!(btf.member(outer, "files", 0), Some(0));
        assert_eq!(btf.member(outer, "tgid", 0), Some(4));
        assert_eq!(btf.member(outer, "pid", 0), None);
    }

    #[test]
    fn what_is_missing_is_named_all_of_it() {
        let folder = std::env::temp_dir().join(format!("btf-{}", std::process::id()));
        std::fs::write(&folder, sample()).unwrap();
        let error = read(&folder).unwrap_err().to_string();
        std::fs::remove_file(&folder).unwrap();
        assert!(error.starts_with("this kernel's BTF lacks task_struct.group_leader, "), "{error}");
        assert!(error.ends_with("tcp_sock.write_seq"), "{error}");
    }

    /// This kernel's BTF with another name for a structure that only some ways to hook need.
    #[test]
    fn what_one_way_to_hook_needs_rules_out_that_way_alone() {
        let Ok(mut data) = std::fs::read(VMLINUX) else { return };
        let name = b"\0iov_iter\0";
        let at = data.windows(name.len()).position(|window| window == name).unwrap();
        data[at + 1] = b'x';
        let path = std::env::temp_dir().join(format!("btf-iter-{}", std::process::id()));
        std::fs::write(&path, data).unwrap();
        let kernel = read(&path);
        std::fs::remove_file(&path).unwrap();
        let kernel = kernel.unwrap();
        let why = kernel.has(Transports).unwrap_err();
        assert!(why.starts_with("this kernel's BTF lacks iov_iter.iter_type, "), "{why}");
        assert_eq!(kernel.has(Rings), Ok(()));
        assert_eq!(kernel.offsets.iter_count, ABSENT);
    }

    #[test]
    fn functions_alone_keep_their_ids() {
        for ids in [[1, 2], [70_001, 2], [3, 70_000]] {
            let file = functions_alone(&[("first", ids[0]), ("second", ids[1])]);
            let btf = Btf::parse(&file).unwrap();
            for (name, id) in [("first", ids[0]), ("second", ids[1])] {
                let at = btf.starts[id as usize - 1] as usize;
                assert_eq!(word(btf.types, at + 4), Some(KIND_FUNC << 24));
                assert_eq!(btf.name(word(btf.types, at).unwrap()), Some(name.as_bytes()));
            }
            assert!(aya::Btf::parse(&file, aya::Endianness::default()).is_ok());
        }
    }

    proptest! {
        #[test]
        fn damaged_btf_never_panics(at in 0usize..160, byte: u8, cut in 0usize..160) {
            let mut file = sample();
            let at = at % file.len();
            file[at] = byte;
            file.truncate(cut.max(24));
            if let Some(btf) = Btf::parse(&file) {
                for &start in &btf.starts {
                    btf.member(start as usize, "tgid", 0);
                }
            }
        }
    }
}
