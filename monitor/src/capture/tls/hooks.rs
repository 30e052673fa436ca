//! Puts the programs of the TLS tap on the functions of a file.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeScope};
use monitor_ebpf::call;

use super::entry::{self, ENTRY_BYTES};
use super::image::{Call, Image, Site};
use crate::capture::multi::Multi;
use crate::capture::programs::with_causes;
use crate::limits::{TLS_HURRIES_PER_SECOND_MAX, TLS_UNHOOKS_AT_ONCE_MAX};

/// The program of the tap.
pub enum Program {
    /// A link of it is on many functions of a file.
    Multi(Multi),
    /// A link of it is on one.
    Single(Box<UProbe>),
}

/// Hooks on functions: off, when it is dropped.
#[expect(dead_code, reason = "held, and closed at the end")]
pub(super) enum Link {
    /// On many.
    Multi(OwnedFd),
    /// On one.
    Single(UProbeLink),
}

/// Takes hooks off, many at a time: each link waits until all processors have come by, and those that
/// wait together wait once.
pub(super) fn take_off(links: Vec<Link>) {
    let threads = links.len().min(TLS_UNHOOKS_AT_ONCE_MAX);
    let links = Mutex::new(links);
    let next = || links.lock().unwrap_or_else(PoisonError::into_inner).pop();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let thread = std::thread::Builder::new().name("tls-unhook".into());
            // Without one the others do it.
            let _ = thread.spawn_scoped(scope, || while next().is_some() {});
        }
        while next().is_some() {}
    });
}

/// How functions are hooked.
pub(super) struct Hooks {
    pub(super) program: Program,
    pub(super) hurries: Hurries,
}

/// The functions of a file that were hooked, and those that were not with what the kernel said.
#[derive(Default)]
pub(super) struct Attached {
    pub(super) links: Vec<Link>,
    pub(super) functions: Vec<String>,
    pub(super) refused: Vec<String>,
}

/// Where a function is hooked, and what the program is to know of it.
struct Point {
    function: &'static str,
    offset: u64,
    cookie: u64,
}

impl Point {
    fn of(file: &File, site: &Site) -> Point {
        let mut code = [0; ENTRY_BYTES];
        let read = file.read_at(&mut code, site.offset).unwrap_or(0);
        let offset = site.offset + entry::best(code.get(..read).unwrap_or_default(), site.call);
        let way = match site.call {
            Call::Write => call::WRITE,
            Call::NsprWrite => call::WRITE_NSPR,
            Call::GoWrite => call::WRITE_GO,
            Call::GoWriteStack => call::WRITE_GO_STACK,
            Call::RustlsWrite => call::WRITE_RUSTLS,
            Call::RustlsWriteVectored => call::WRITE_RUSTLS_VECTORED,
            Call::Enter => call::ENTER,
            Call::End => call::END,
            Call::SendFile => call::SEND_FILE,
        };
        let cookie = way | site.ordinal() << call::FUNCTION_SHIFT;
        Point { function: site.function, offset, cookie }
    }
}

impl Program {
    /// Hooks functions with one link; one of many that is refused leaves none hooked.
    fn attach(&mut self, points: &[Point], path: &CStr) -> Result<Link, String> {
        match self {
            Program::Multi(program) => {
                let points: Vec<_> = points.iter().map(|at| (at.offset, at.cookie)).collect();
                program.attach(path, &points).map(Link::Multi).map_err(|error| error.to_string())
            }
            Program::Single(program) => {
                let [Point { offset, cookie, .. }] = points else {
                    return Err("a link takes one function".into());
                };
                let location = UProbeAttachLocation::AbsoluteOffset(*offset);
                let point = UProbeAttachPoint { location, cookie: Some(*cookie) };
                let path = Path::new(OsStr::from_bytes(path.to_bytes()));
                let link = program.attach(point, path, UProbeScope::AllProcesses);
                let link = link.and_then(|link| program.take_link(link));
                link.map(Link::Single).map_err(|error| with_causes(&error))
            }
        }
    }
}

impl Hooks {
    pub(super) fn attach(&mut self, file: &File, image: &Image) -> Attached {
        // What takes text first: a program may be about to call it.
        let (writes, others): (Vec<&Site>, Vec<&Site>) =
            image.sites.iter().partition(|site| site.call.is_write());
        let sites = writes.into_iter().chain(others);
        let points: Vec<Point> = sites.map(|site| Point::of(file, site)).collect();
        let mut attached = Attached::default();
        // The file that was read, whatever stands at its path by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let Ok(path) = CString::new(path) else { return attached };
        let _hurry = self.hurries.begin();
        let together = matches!(self.program, Program::Multi(_)).then_some(points.len());
        for points in points.chunks(together.unwrap_or(1).max(1)) {
            self.attach_to(&mut attached, points, &path);
        }
        attached
    }

    fn attach_to(&mut self, attached: &mut Attached, points: &[Point], path: &CStr) {
        match (self.program.attach(points, path), points) {
            (Ok(link), _) => {
                attached.links.push(link);
                attached.functions.extend(points.iter().map(|point| point.function.to_owned()));
            }
            (Err(error), [point]) => attached.refused.push(format!("{}: {error}", point.function)),
            // One that is refused is to keep none of the others.
            (Err(_), _) => points.chunks(1).for_each(|one| self.attach_to(attached, one, path)),
        }
    }
}

/// What makes the kernel hurry.
const RCU_EXPEDITED: &str = "/sys/kernel/rcu_expedited";
/// What stands in the runtime directory while it does so on our behalf.
const MARKER: &str = "rcu_expedited";
/// Processors that are kept from interruptions (Documentation/admin-guide/cpu-isolation.rst).
const ISOLATED: [&str; 2] =
    ["/sys/devices/system/cpu/isolated", "/sys/devices/system/cpu/nohz_full"];

/// Has the kernel hurry where it waits for all processors to come by, which hooking a file does: 0.2 ms and
/// not 8 to 17, in which a program may have sent its first request. It costs each processor an interrupt
/// (`rcu_expedited`, Documentation/admin-guide/kernel-parameters.txt), so not where processors are kept from
/// them, and not more often than a few times a second.
pub(super) struct Hurries {
    /// Where to note that it is on; `None`: never.
    marker: Option<PathBuf>,
    lately: VecDeque<Instant>,
}

impl Hurries {
    pub(super) fn new(runtime_dir: Option<&Path>) -> Hurries {
        let is_set = |path: &&str| {
            let list = std::fs::read_to_string(path).unwrap_or_default();
            !matches!(list.trim(), "" | "(null)")
        };
        let marker = runtime_dir.filter(|_| !ISOLATED.iter().any(is_set));
        let marker = marker.map(|folder| folder.join(MARKER));
        // One that was killed in the middle has left it on.
        if let Some(marker) = marker.as_ref().filter(|marker| marker.exists()) {
            let _ = std::fs::write(RCU_EXPEDITED, "0");
            let _ = std::fs::remove_file(marker);
        }
        Hurries { marker, lately: VecDeque::new() }
    }

    pub(super) fn begin(&mut self) -> Hurry {
        let now = Instant::now();
        while self.lately.front().is_some_and(|at| now - *at > Duration::from_secs(1)) {
            self.lately.pop_front();
        }
        if self.lately.len() >= TLS_HURRIES_PER_SECOND_MAX {
            return Hurry(None);
        }
        self.lately.push_back(now);
        Hurry(self.marker.as_deref().and_then(on))
    }
}

/// Turns it on, unless somebody has: they keep it.
fn on(marker: &Path) -> Option<(File, PathBuf)> {
    if std::fs::read(RCU_EXPEDITED).ok()? != b"0\n" {
        return None;
    }
    let mut file = File::options().write(true).open(RCU_EXPEDITED).ok()?;
    File::create(marker).ok()?;
    if file.write_all(b"1").is_err() {
        let _ = std::fs::remove_file(marker);
        return None;
    }
    Some((file, marker.to_owned()))
}

/// It is on as long as this lives.
pub(super) struct Hurry(Option<(File, PathBuf)>);

impl Drop for Hurry {
    fn drop(&mut self) {
        if let Some((file, marker)) = &mut self.0 {
            let _ = file.write_all(b"0");
            let _ = std::fs::remove_file(marker);
        }
    }
}
