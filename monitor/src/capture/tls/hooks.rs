//! Puts the programs of the TLS tap on the functions of a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeScope};
use aya::programs::{ProgramError, UProbe};
use monitor_ebpf::call;

use super::entry::{self, ENTRY_BYTES};
use super::image::{Call, Image, Site};
use crate::capture::programs::with_causes;
use crate::limits::TLS_HURRIES_PER_SECOND_MAX;

/// The programs.
pub(super) struct Hooks {
    /// On functions that take text.
    pub(super) write: UProbe,
    /// On functions that work for a session.
    pub(super) session: UProbe,
    pub(super) hurries: Hurries,
}

/// The functions of a file that were hooked, and those that were not with what the kernel said.
#[derive(Default)]
pub(super) struct Attached {
    pub(super) links: Vec<UProbeLink>,
    pub(super) functions: Vec<String>,
    pub(super) refused: Vec<String>,
}

impl Hooks {
    pub(super) fn attach(&mut self, file: &File, image: &Image) -> Attached {
        // The file that was read, whatever stands at its path by now.
        let target = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut attached = Attached::default();
        let _hurry = self.hurries.begin();
        // What takes text first: a program may be about to call it.
        let (writes, others): (Vec<&Site>, Vec<&Site>) =
            image.sites.iter().partition(|site| site.call.is_write());
        for site in writes.into_iter().chain(others) {
            let mut code = [0; ENTRY_BYTES];
            let read = file.read_at(&mut code, site.offset).unwrap_or(0);
            let offset = site.offset + entry::best(code.get(..read).unwrap_or_default(), site.call);
            match self.attach_one(site, offset, &target) {
                Ok(link) => {
                    attached.links.push(link);
                    attached.functions.push(site.function.to_owned());
                }
                Err(error) => {
                    attached.refused.push(format!("{}: {}", site.function, with_causes(&error)));
                }
            }
        }
        attached
    }

    fn attach_one(
        &mut self,
        site: &Site,
        offset: u64,
        target: &str,
    ) -> Result<UProbeLink, ProgramError> {
        let (probe, way) = match site.call {
            Call::Write => (&mut self.write, call::WRITE),
            Call::NsprWrite => (&mut self.write, call::WRITE_NSPR),
            Call::GoWrite => (&mut self.write, call::WRITE_GO),
            Call::GoWriteStack => (&mut self.write, call::WRITE_GO_STACK),
            Call::RustlsWrite => (&mut self.write, call::WRITE_RUSTLS),
            Call::RustlsWriteVectored => (&mut self.write, call::WRITE_RUSTLS_VECTORED),
            Call::Enter => (&mut self.session, call::ENTER),
            Call::End => (&mut self.session, call::END),
            Call::SendFile => (&mut self.session, call::SEND_FILE),
        };
        let location = UProbeAttachLocation::AbsoluteOffset(offset);
        let cookie = way | site.ordinal() << call::FUNCTION_SHIFT;
        let point = UProbeAttachPoint { location, cookie: Some(cookie) };
        let link = probe.attach(point, target, UProbeScope::AllProcesses)?;
        probe.take_link(link)
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
