//! What a process has mapped to execute, out of `/proc/PID/maps`, and those very files, whatever stands
//! at their paths by now. Processes end while they are read: that is no error.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use monitor_ebpf::record::{FileId, FileSeen};
use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};

use crate::limits::MAPS_BYTES_MAX;

/// What names a file in a process, below `/proc/PID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where it is mapped: first address, address behind the last.
    Mapped(u64, u64),
    /// The descriptor that it is mapped from, which is about to be closed.
    Descriptor(u32),
    /// The program is that.
    Executed,
}

impl Place {
    fn path(self, pid: u32) -> String {
        match self {
            Place::Mapped(from, to) => format!("/proc/{pid}/map_files/{from:x}-{to:x}"),
            Place::Descriptor(fd) => format!("/proc/{pid}/fd/{fd}"),
            Place::Executed => format!("/proc/{pid}/exe"),
        }
    }
}

/// A file that is mapped to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// What names it in the process.
    pub place: Place,
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
        let (from, to) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16));
        // As the kernel composes it: include/linux/kdev_t.h.
        let file = FileId { inode, device: hex(major)? << 20 | hex(minor)?, generation: 0 };
        Some(Mapping::named(Place::Mapped(from.ok()?, to.ok()?), file, path))
    }

    fn named(place: Place, file: FileId, path: &str) -> Mapping {
        let deleted = path.strip_suffix(" (deleted)");
        let (path, deleted) = (deleted.unwrap_or(path).to_owned(), deleted.is_some());
        Mapping { place, file, path, deleted }
    }

    /// A file that the kernel has told of, by what it was mapped from, whether or not it is mapped yet. By
    /// then that may name another: see [`Mapping::is`].
    pub fn told(seen: &FileSeen) -> Option<Mapping> {
        let place = match seen.fd {
            FileSeen::EXECUTED => Place::Executed,
            fd => Place::Descriptor(fd),
        };
        let path = std::fs::read_link(place.path(seen.tgid)).ok()?;
        path.is_absolute().then(|| Mapping::named(place, seen.file, &path.to_string_lossy()))
    }

    /// Opens the file that is mapped.
    pub fn open(&self, pid: u32) -> Option<File> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        OpenOptions::new().read(true).custom_flags(flags.bits()).open(self.place.path(pid)).ok()
    }

    /// Whether a file is the one that is meant, as far as its numbers tell: on some file systems they are
    /// not those that the kernel says.
    pub fn is(&self, file: &File) -> bool {
        file.metadata().is_ok_and(|file| {
            let device = (major(file.dev()) as u32) << 20 | minor(file.dev()) as u32;
            (file.ino(), device) == (self.file.inode, self.file.device)
        })
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
    let mut bytes = Vec::new();
    table.take(MAPS_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
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
        let mapping = Mapping { place: Place::Mapped(0x7f00, 0x7fff), file, path, deleted: false };
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
    fn a_file_that_was_told_of_is_known_by_its_descriptor_and_no_other_is() {
        use std::os::fd::AsRawFd as _;
        let own = File::open("/proc/self/exe").unwrap();
        let mut of_own = None;
        of(std::process::id(), &mut |mapping| {
            if mapping.is(&own) {
                of_own = Some(mapping);
            }
        });
        let of_own = of_own.expect("this program executes itself");
        let (fd, tgid) = (own.as_raw_fd() as u32, std::process::id());
        for fd in [fd, FileSeen::EXECUTED] {
            let told = Mapping::told(&FileSeen { file: of_own.file, at_ns: 0, tgid, fd });
            let told = told.expect("it has a name");
            assert_eq!((told.path.as_str(), told.file), (of_own.path.as_str(), of_own.file));
            assert!(told.is(&told.open(tgid).expect("it can be opened")));
        }
        let other = File::open("/proc/self/maps").unwrap();
        let fd = other.as_raw_fd() as u32;
        let told = Mapping::told(&FileSeen { file: of_own.file, at_ns: 0, tgid, fd });
        assert!(!told.is_some_and(|told| told.open(tgid).is_some_and(|file| told.is(&file))));
    }

    #[test]
    fn this_program_is_among_what_it_executes_and_can_be_opened() {
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
