//! Field offsets of the running kernel's structures, out of its BTF. Nothing else of BTF is read,
//! and nothing is trusted: a file that is cut or lies gives an error, never a wrong offset.
//!
//! aya parses BTF too, but keeps the members of structures to itself (aya-obj 0.3).

use std::path::Path;

use monitor_ebpf::Offsets;
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
}

/// Types nested deeper than this in each other are not followed.
const NESTING_MAX: u32 = 8;

/// Sizes and kinds: Documentation/bpf/btf.rst.
const HEADER_BYTES: usize = 24;
const MAGIC: u16 = 0xeb9f;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_FWD: u32 = 7;
const KIND_FUNC: u32 = 12;
const KIND_MAX: u32 = 19;

/// Function that stands for the iterator over all open files (kernel/bpf/task_iter.c).
const TASK_FILE_ITERATOR: &str = "bpf_iter_task_file";

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
}

/// What is asked of BTF: structure, its member (or the older name of it), where the offset goes.
type Wanted = (&'static str, &'static [&'static str], fn(&mut Offsets) -> &mut u32);

const WANTED: &[Wanted] = &[
    ("task_struct", &["files"], |o| &mut o.task_files),
    ("task_struct", &["group_leader"], |o| &mut o.task_group_leader),
    // real_start_time until 5.4, commit cf25e24db61c.
    ("task_struct", &["start_boottime", "real_start_time"], |o| &mut o.task_start_boottime),
    ("task_struct", &["tgid"], |o| &mut o.task_tgid),
    ("task_struct", &["pid"], |o| &mut o.task_pid),
    ("task_struct", &["real_parent"], |o| &mut o.task_real_parent),
    ("task_struct", &["mm"], |o| &mut o.task_mm),
    ("mm_struct", &["arg_start"], |o| &mut o.mm_arg_start),
    ("mm_struct", &["arg_end"], |o| &mut o.mm_arg_end),
    ("linux_binprm", &["interp"], |o| &mut o.binprm_interp),
    ("files_struct", &["fdt"], |o| &mut o.files_fdt),
    ("fdtable", &["max_fds"], |o| &mut o.fdtable_max_fds),
    ("fdtable", &["fd"], |o| &mut o.fdtable_fd),
    ("file", &["f_inode"], |o| &mut o.file_inode),
    ("file", &["private_data"], |o| &mut o.file_private_data),
    ("inode", &["i_mode"], |o| &mut o.inode_mode),
    ("socket", &["sk"], |o| &mut o.socket_sk),
    // `struct sock` begins with its `sock_common` (include/net/sock.h), so these hold for both.
    ("sock_common", &["skc_family"], |o| &mut o.sock_family),
    ("sock_common", &["skc_daddr"], |o| &mut o.sock_daddr),
    ("sock_common", &["skc_rcv_saddr"], |o| &mut o.sock_saddr),
    ("sock_common", &["skc_dport"], |o| &mut o.sock_dport),
    ("sock_common", &["skc_num"], |o| &mut o.sock_num),
    ("sock_common", &["skc_v6_daddr"], |o| &mut o.sock_v6_daddr),
    ("sock_common", &["skc_v6_rcv_saddr"], |o| &mut o.sock_v6_saddr),
    ("sock_common", &["skc_cookie"], |o| &mut o.sock_cookie),
    ("sock", &["sk_protocol"], |o| &mut o.sock_protocol),
    ("tcp_sock", &["write_seq"], |o| &mut o.tcp_write_seq),
];

/// What is read of the kernel's BTF.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// Where fields stand.
    pub offsets: Offsets,
    /// Type id of the iterator over all open files, `bpf_iter_task_file`: kernel 5.8.
    pub task_file_iterator: Option<u32>,
}

/// Reads all offsets; what is missing is named, all of it.
pub fn read(path: &Path) -> Result<Kernel, BtfError> {
    let shown = || path.display().to_string();
    let data = std::fs::read(path).map_err(|source| BtfError::Read { path: shown(), source })?;
    let btf = Btf::parse(&data).ok_or_else(|| BtfError::Malformed(shown()))?;
    let mut offsets = Offsets::default();
    let mut found = vec![false; WANTED.len()];
    let mut task_file_iterator = None;
    for (index, &start) in btf.starts.iter().enumerate() {
        let start = start as usize;
        // Only whole structures count: a forward declaration is of another kind.
        let Some(info) = word(btf.types, start + 4) else { break };
        let kind = info >> 24 & 0x1f;
        if kind != KIND_STRUCT && kind != KIND_FUNC {
            continue;
        }
        let Some(name) = word(btf.types, start).and_then(|at| btf.name(at)) else { continue };
        if kind == KIND_FUNC {
            if name == TASK_FILE_ITERATOR.as_bytes() {
                task_file_iterator = Some(index as u32 + 1);
            }
            continue;
        }
        for (index, (owner, members, field)) in WANTED.iter().enumerate() {
            if !found[index] && name == owner.as_bytes() {
                let offset = members.iter().find_map(|member| btf.member(start, member, 0));
                if let Some(offset) = offset {
                    *field(&mut offsets) = offset;
                    found[index] = true;
                }
            }
        }
    }
    let missing: Vec<String> = WANTED
        .iter()
        .zip(&found)
        .filter(|(_, found)| !**found)
        .map(|((owner, members, _), _)| format!("{owner}.{}", members[0]))
        .collect();
    if !missing.is_empty() {
        return Err(BtfError::Missing(missing));
    }
    Ok(Kernel { offsets, task_file_iterator })
}

/// The offsets alone.
pub fn offsets(path: &Path) -> Result<Offsets, BtfError> {
    read(path).map(|kernel| kernel.offsets)
}

/// BTF in which the iterator over all open files has the id that it has in the kernel's, and
/// nothing else has a name. aya looks that id up by name in BTF that it has parsed, and to parse all
/// of the kernel's takes it 20 ms and 100,000 allocations.
pub fn iterator_alone(id: u32) -> Vec<u8> {
    let strings = format!("\0{TASK_FILE_ITERATOR}\0");
    let types_bytes = id * 12;
    let mut file = Vec::with_capacity(HEADER_BYTES + types_bytes as usize + strings.len());
    file.extend(MAGIC.to_ne_bytes());
    file.extend([1, 0]);
    let header = HEADER_BYTES as u32;
    for part in [header, 0, types_bytes, types_bytes, strings.len() as u32] {
        file.extend(part.to_ne_bytes());
    }
    for (name, kind) in std::iter::repeat_n((0, KIND_FWD), id as usize - 1).chain([(1, KIND_FUNC)])
    {
        for part in [name, kind << 24, 0u32] {
            file.extend(part.to_ne_bytes());
        }
    }
    file.extend(strings.as_bytes());
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

    #[test]
    fn the_iterator_alone_keeps_its_id() {
        for id in [1, 2, 70_000] {
            let file = iterator_alone(id);
            let btf = Btf::parse(&file).unwrap();
            assert_eq!(btf.starts.len(), id as usize);
            let last = btf.starts[id as usize - 1] as usize;
            assert_eq!(word(btf.types, last + 4), Some(KIND_FUNC << 24));
            assert_eq!(
                btf.name(word(btf.types, last).unwrap()),
                Some(TASK_FILE_ITERATOR.as_bytes())
            );
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
