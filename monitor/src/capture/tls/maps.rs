//! What a process has mapped to execute, out of `/proc/PID/maps`, and those very files, whatever stands
//! at their paths by now. Processes end while they are read: that is no error.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;

use monitor_ebpf::record::FileId;
use nix::fcntl::OFlag;

use crate::limits::MAPS_BYTES_MAX;

/// A file that is mapped to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
    /// The file, as the kernel names it.
    pub file: FileId,
    /// Path in the mount namespace of the process.
    pub path: String,
    /// Whether the file was removed since.
    pub deleted: bool,
}

impl Mapping {
    /// A line of `/proc/PID/maps` (proc(5)); `None` where nothing of a file is executed.
    pub fn parse(line: &str) -> Option<Mapping> {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let (rights, _offset) = (fields.next()?, fields.next()?);
        let (major, minor) = fields.next()?.split_once(':')?;
        let inode = fields.next()?.parse().ok()?;
        let path = fields.next()?.trim_start();
        let hex = |digits| u32::from_str_radix(digits, 16).ok();
        if inode == 0 || rights.as_bytes().get(2) != Some(&b'x') || !path.starts_with('/') {
            return None;
        }
        let deleted = path.strip_suffix(" (deleted)");
        Some(Mapping {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            // As the kernel composes it: include/linux/kdev_t.h.
            file: FileId { inode, device: hex(major)? << 20 | hex(minor)?, generation: 0 },
            path: deleted.unwrap_or(path).to_owned(),
            deleted: deleted.is_some(),
        })
    }

    /// Opens the file that is mapped.
    pub fn open(&self, pid: u32) -> Option<File> {
        let path = format!("/proc/{pid}/map_files/{:x}-{:x}", self.start, self.end);
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()
    }
}

/// Hands on what a process executes, each mapping.
pub fn of(pid: u32, each: &mut dyn FnMut(Mapping)) {
    let Ok(file) = File::open(format!("/proc/{pid}/maps")) else { return };
    let mut lines = BufReader::with_capacity(16 << 10, file.take(MAPS_BYTES_MAX));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes != 0) {
        // Most lines are of data: they are not even looked at.
        if line.iter().take(64).skip_while(|&&byte| byte != b' ').nth(3) == Some(&b'x') {
            let text = String::from_utf8_lossy(&line);
            if let Some(mapping) = Mapping::parse(text.trim_end_matches('\n')) {
                each(mapping);
            }
        }
        line.clear();
    }
}

/// Processes that run, at most so many.
pub fn processes(processes_max: usize) -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(processes_max)
}

/// Type of the file system that a process has on a device, as in `/proc/PID/mountinfo` (proc(5)).
pub fn file_system(pid: u32, device: u32) -> Option<String> {
    let table = File::open(format!("/proc/{pid}/mountinfo")).ok()?;
    let mut text = String::new();
    table.take(MAPS_BYTES_MAX).read_to_string(&mut text).ok()?;
    let wanted = format!("{}:{}", device >> 20, device & 0xf_ffff);
    text.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == wanted).then(|| kind.split(' ').next().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_executed_is_read_out_of_a_line() {
        let line = "7f00-7fff r-xp 00026000 fe:01 1234                       /usr/lib/a b.so";
        let file = FileId { inode: 1234, device: 0xfe << 20 | 1, generation: 0 };
        let path = "/usr/lib/a b.so".to_owned();
        let mapping = Mapping { start: 0x7f00, end: 0x7fff, file, path, deleted: false };
        assert_eq!(Mapping::parse(line), Some(mapping.clone()));
        let gone = format!("{line} (deleted)");
        assert_eq!(Mapping::parse(&gone), Some(Mapping { deleted: true, ..mapping }));
        for other in [
            "7f00-7fff r--p 00026000 fe:01 1234 /usr/lib/a.so",
            "7f00-7fff r-xp 00000000 00:00 0 [vdso]",
            "7f00-7fff r-xp 00000000 00:00 0 ",
            "7f00-7fff r-xp 00000000 00:01 7 anon_inode:x",
            "7f00 r-xp",
            "",
        ] {
            assert_eq!(Mapping::parse(other), None, "{other}");
        }
    }

    #[test]
    fn this_program_is_among_what_it_executes_and_can_be_opened() {
        use std::os::unix::fs::MetadataExt as _;
        let pid = std::process::id();
        let own = std::fs::metadata("/proc/self/exe").unwrap().ino();
        let mut found = false;
        of(pid, &mut |mapping| {
            if mapping.file.inode == own {
                let file =
                    mapping.open(pid).expect("needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE");
                found |= file.metadata().unwrap().ino() == own;
            }
        });
        assert!(found);
        assert!(processes(1_000_000).any(|process| process == pid));
    }
}
