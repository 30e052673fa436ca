//! `egress-monitor doctor`: what this host can do and lacks, by trying it; and what a daemon that
//! runs says of itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use nix::sys::utsname::uname;
use serde::Serialize;

use super::exit;
use super::run::RUNTIME_DIR;
use crate::capture::hooks::{Hook, Purpose, TapChoice};
use crate::capture::prefilter::{Needs, OpaqueBudget, Shape};
use crate::capture::programs::LoadOptions;
use crate::capture::quarantine::{self, Quarantines};
use crate::capture::switch::Place;
use crate::capture::tls;
use crate::capture::{self, Armed, btf, host};
use crate::policy::Settings;
use crate::report::status::{self, Status};

const EXAMPLES: &str = "Examples:
  egress-monitor doctor
  egress-monitor doctor --json | jq .daemon.kernel.samples_lost_ring_full

Exits with 0 when the monitor can be armed here, 77 when rights are missing, 69 when the host lacks
something else.";

/// Arguments of `egress-monitor doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Print one JSON object to standard output
    #[arg(long)]
    json: bool,
    /// Where the daemon that is asked has its control socket
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    runtime_dir: PathBuf,
}

/// What was looked at.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    kernel: String,
    machine: String,
    checks: Vec<Check>,
    hooks: Vec<Hook>,
    trial: Trial,
    daemon: Option<Status>,
}

/// One thing that the monitor needs.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    found: String,
    /// What to do where it is missing.
    remedy: Option<String>,
}

/// Every hook was put in place and taken away again.
#[derive(Debug, Serialize)]
struct Trial {
    armed: bool,
    took_ms: u128,
    error: Option<String>,
    shortfalls: Vec<String>,
}

/// Looks, and prints what it found.
///
/// # Errors
///
/// Standard output cannot be written.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let kernel = uname().ok();
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let checks =
        vec![rights(), pids(), kernel_types(), cgroup2(), tracefs(), kill_switch(), quarantine()];
    let permitted = checks.first().is_some_and(|check| check.ok);
    let (trial, hooks) = trial();
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        kernel: text(kernel.as_ref().map(|kernel| kernel.release())),
        machine: text(kernel.as_ref().map(|kernel| kernel.machine())),
        checks,
        hooks,
        trial,
        daemon: status::ask(&args.runtime_dir),
    };
    let mut out = anstream::stdout().lock();
    use std::io::Write as _;
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", report.text(&args.runtime_dir))?;
    }
    Ok(ExitCode::from(match (report.trial.armed, permitted) {
        (true, _) => 0,
        (false, false) => exit::NO_PERMISSION,
        (false, true) => exit::UNAVAILABLE,
    }))
}

fn rights() -> Check {
    let missing = host::capabilities_missing();
    let ok = missing.is_empty();
    Check {
        name: "rights",
        ok,
        found: if ok { "all there".into() } else { format!("missing {}", missing.join(", ")) },
        remedy: (!ok).then(|| "run as root, or grant them with AmbientCapabilities=".into()),
    }
}

fn pids() -> Check {
    let ok = host::sees_host_pids();
    Check {
        name: "pids",
        ok,
        found: if ok { "the host's" } else { "of a namespace of its own" }.into(),
        remedy: (!ok).then(|| "run with hostPID: true, or --pid=host".into()),
    }
}

fn kernel_types() -> Check {
    let path = Path::new(btf::VMLINUX);
    let read = btf::read(path);
    Check {
        name: "BTF",
        ok: read.is_ok(),
        remedy: read.is_err().then(|| {
            "use a kernel that is built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are".into()
        }),
        found: read.map_or_else(|error| error.to_string(), |_| btf::VMLINUX.into()),
    }
}

/// A file system that the daemon mounts for itself where nobody else did.
fn mounted(name: &'static str, at: Option<PathBuf>, config: &str) -> Check {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let filesystem = if name == "cgroup v2" { "cgroup2" } else { name };
    let known = known.lines().any(|line| line.split('\t').next_back() == Some(filesystem));
    let (ok, found, remedy) = match at {
        Some(at) => (true, at.display().to_string(), None),
        None if known => (true, "not mounted; the daemon mounts it for itself".into(), None),
        None => {
            (false, "unknown to this kernel".into(), Some(format!("use a kernel with {config}=y")))
        }
    };
    Check { name, ok, found, remedy }
}

fn cgroup2() -> Check {
    mounted("cgroup v2", host::mount_point("cgroup2"), "CONFIG_CGROUP_BPF")
}

fn tracefs() -> Check {
    mounted("tracefs", host::tracefs(), "CONFIG_FTRACE_SYSCALLS")
}

/// Whether the host is shut.
fn kill_switch() -> Check {
    let in_force = Place::of(None).and_then(|place| place.in_force());
    let (ok, found) = match &in_force {
        Ok(none) if none.is_empty() => (true, "off".into()),
        Ok(_) => (false, "on: whatever leaves this host is dropped".into()),
        Err(error) => (false, error.to_string()),
    };
    let remedy = in_force.is_ok_and(|in_force| !in_force.is_empty());
    let remedy = remedy.then(|| "`egress-monitor kill-switch status` says by whom and why".into());
    Check { name: "kill-switch", ok, found, remedy }
}

/// Whether something is in quarantine, or could be.
fn quarantine() -> Check {
    let count = Quarantines::find().map(|quarantines| quarantines.map(|all| all.in_force().len()));
    let count = match count {
        Ok(Some(count)) => Ok(count),
        Ok(None) => quarantine::trial().map(|()| 0),
        Err(error) => Err(error),
    };
    let (ok, found) = match &count {
        Ok(0) => (true, "the kernel takes it; nothing is in quarantine".into()),
        Ok(count) => (false, format!("{count} in force: what they send is dropped")),
        Err(error) => (false, error.to_string()),
    };
    let remedy = count.is_ok_and(|count| count != 0);
    let remedy = remedy.then(|| "`egress-monitor quarantine list` says of whom and why".into());
    Check { name: "quarantine", ok, found, remedy }
}

/// Arms, and disarms: the ways to hook that were taken and not are those of the trial.
fn trial() -> (Trial, Vec<Hook>) {
    let started = Instant::now();
    let settings = Settings::default();
    let armed = capture::arm(LoadOptions {
        sample_bytes_max: settings.sample_bytes_max,
        ring_bytes: settings.ring_bytes,
        needs: Needs::of_shapes(Shape::NARROW),
        opaque: OpaqueBudget::default(),
        tap: TapChoice::Best,
        prevents: false,
        unix_sockets: false,
        tls: Some(tls::Options::default()),
        debug: false,
    });
    let took_ms = started.elapsed().as_millis();
    match armed {
        Ok(Armed { hooks, shortfalls, .. }) => {
            (Trial { armed: true, took_ms, error: None, shortfalls }, hooks)
        }
        Err(error) => {
            let error = Some(error.to_string());
            (Trial { armed: false, took_ms, error, shortfalls: Vec::new() }, Vec::new())
        }
    }
}

impl Report {
    fn text(&self, runtime_dir: &Path) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "egress-monitor {} on Linux {} {}\n\n",
            self.version, self.kernel, self.machine
        );
        for check in &self.checks {
            let _ = writeln!(text, "{} {:<11} {}", mark(check.ok), check.name, check.found);
            if let Some(remedy) = &check.remedy {
                let _ = writeln!(text, "  {:<11} -> {remedy}", "");
            }
        }
        let _ = writeln!(text);
        if self.hooks.is_empty() {
            let _ = writeln!(text, "- taps and gates are told where the trial arms");
        }
        for hook in &self.hooks {
            let purpose = match hook.purpose {
                Purpose::Tap => "tap",
                Purpose::Gate => "gate",
            };
            let place = format!("{} {purpose}", hook.place);
            let used = if hook.used { "used" } else { "not used" };
            let _ = writeln!(text, "{} {place:<12} {}", mark(hook.used), hook.way);
            let _ = writeln!(text, "  {:<12} {used}: {}", "", hook.why);
        }
        let trial = &self.trial;
        match &trial.error {
            None => {
                let took = trial.took_ms;
                let _ = writeln!(text, "\n{} armed in a trial, in {took} ms", mark(true));
            }
            Some(error) => {
                let _ = writeln!(text, "\n{} cannot be armed: {error}", mark(false));
            }
        }
        for shortfall in &trial.shortfalls {
            let _ = writeln!(text, "  {shortfall}");
        }
        match &self.daemon {
            None => {
                let at = runtime_dir.display();
                let rights = self.checks.iter().any(|check| check.name == "rights" && check.ok);
                let who = if rights {
                    ""
                } else {
                    "; it answers root, and whom [access] of its policy names"
                };
                let _ = writeln!(text, "\nno daemon answers in {at}{who}");
            }
            Some(daemon) => {
                let _ = write!(
                    text,
                    "\ndaemon {} (pid {}) armed for {} s, {} rules of {}\n{}",
                    daemon.version,
                    daemon.pid,
                    daemon.armed_s,
                    daemon.rules,
                    daemon.policy.as_deref().unwrap_or("the built-in policy"),
                    daemon.summary(true)
                );
                for file in daemon.tls.iter().flat_map(|tls| &tls.files) {
                    let _ = writeln!(text, "reads TLS of {} ({})", file.path, file.library);
                }
                for file in daemon.tls.iter().flat_map(|tls| &tls.refused) {
                    let _ = writeln!(text, "does not read TLS of {}: {}", file.path, file.why);
                }
            }
        }
        text
    }
}

/// A sign with a colour, which [`anstream`] leaves out where nobody sees it.
fn mark(ok: bool) -> String {
    let (colour, sign) = if ok { (AnsiColor::Green, '+') } else { (AnsiColor::Yellow, '-') };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{sign}{style:#}")
}
