//! `egress-monitor run`: the daemon. This file finds whatever is wrong before anything is attached,
//! puts the hooks in place and gives up the rights that are not needed any more; [`daemon`] is what
//! runs then.

mod answer;
mod control;
mod coverage;
mod daemon;
mod files;
mod gate;
mod held;
mod prevent;
mod status;
mod warden;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::exit::{self, Exit};
use super::{log, policy::today};
use crate::capture::hooks::TapChoice;
use crate::capture::prefilter::{Needs, OpaqueBudget};
use crate::capture::programs::{LoadOptions, page_out_object};
use crate::capture::tls;
use crate::capture::{self, CaptureError, host};
use crate::limits::{LOOKUP_THREADS_MAX, POLICY_ERRORS_MAX};
use crate::policy::{Policy, Settings};
use crate::report::sink::{Sink, Target};
use daemon::{Daemon, Options};
use warden::Warden;

/// Where the lock and the control socket are unless told otherwise.
pub const RUNTIME_DIR: &str = "/run/egress-monitor";
/// Where the key of the fingerprints is unless told otherwise.
pub const STATE_DIR: &str = "/var/lib/egress-monitor";

const EXAMPLES: &str = "Examples:
  egress-monitor run
      every built-in entity, alerts as JSON lines to standard output
  egress-monitor run --policy /etc/egress-monitor/policy.toml --alerts /var/log/egress-monitor.jsonl
      what a service does
  egress-monitor run --policy policy.toml --dry-run
      tells what rules with `action = \"kill\"` would have killed

Signals: SIGTERM and SIGINT detach and print a summary; SIGHUP reads the policy again and opens the
alert file anew.";

/// Arguments of `egress-monitor run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The policy; without one every built-in entity raises an alert
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where alerts go, a JSON object a line; - for standard output, lines for people on a terminal
    #[arg(long, value_name = "FILE", default_value = "-")]
    alerts: PathBuf,
    /// Kill nothing; alerts tell what would have been killed
    #[arg(long)]
    dry_run: bool,
    /// How to hook sends: best, fentry, lsm or tracepoints
    ///
    /// The best that the kernel takes, unless one is named; `egress-monitor doctor` tells which and why.
    #[arg(long, value_name = "WAY", default_value = "best")]
    tap: TapChoice,
    /// What to log to standard error
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = ["error", "warn", "info", "debug"])]
    log: String,
    /// Log what the programs in the kernel say of their own work
    #[arg(long)]
    kernel_log: bool,
    /// Where the lock and the control socket are
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    runtime_dir: PathBuf,
    /// Where the key of the fingerprints is kept
    #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
    state_dir: PathBuf,
}

impl ValueEnum for TapChoice {
    fn value_variants<'a>() -> &'a [TapChoice] {
        &TapChoice::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
///
/// An [`Exit`] with its code, or what the runtime says.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    host::share_one_heap();
    log::start(&args.log, args.kernel_log)?;
    log::hide_what_panics_say();
    let policy = read_policy(args.policy.as_deref())?;
    let missing = host::capabilities_missing();
    if !missing.is_empty() {
        let why = host::HostError::Capabilities(missing).to_string();
        return Err(Exit::new(exit::NO_PERMISSION, why).into());
    }
    host::forbid_core_dumps();
    let lock = files::lock(&args.runtime_dir)?;
    let key = files::key(&args.state_dir)?;
    let (target, file) = open_alerts(&args.alerts)?;
    let settings = policy.settings;
    let armed = capture::arm(LoadOptions {
        sample_bytes_max: settings.sample_bytes_max,
        ring_bytes: settings.ring_bytes,
        needs: Needs::of(policy.entities()),
        opaque: opaque_budget(&settings),
        tap: args.tap,
        prevents: policy.prevents(),
        unix_sockets: settings.unix_sockets,
        tls: policy.tls.enabled.then(|| tls::Options {
            exclude: policy.tls.exclude.clone(),
            runtime_dir: Some(args.runtime_dir.clone()),
        }),
        debug: args.kernel_log,
    })
    .map_err(|error| Exit::new(code_of(&error), error.to_string()))?;
    for shortfall in &armed.shortfalls {
        tracing::warn!("{shortfall}");
    }
    let warden = match Warden::is_needed(&policy) {
        true => Some(
            Warden::start(args.state_dir.clone(), args.policy.clone())
                .context("cannot start a thread")?,
        ),
        false => None,
    };
    if let Err(error) = host::give_up_rights() {
        tracing::warn!("the daemon keeps rights that it does not need: {error}");
    }
    host::return_free_memory();
    page_out_object();
    host::ask_for_short_turns();
    let sink = Sink::start(target, file, settings.alerts_queue_max as usize)
        .context("cannot start the writer of alerts")?;
    let options = Options {
        policy_file: args.policy.clone(),
        dry_run: args.dry_run,
        runtime_dir: args.runtime_dir.clone(),
        state_dir: args.state_dir.clone(),
        kernel_log: args.kernel_log,
        started,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUP_THREADS_MAX)
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let daemon = Daemon::new(options, armed, Arc::new(policy), key, sink, warden)?;
        daemon.run().await
    });
    // Whatever still looks something up is not waited for.
    runtime.shutdown_background();
    drop(lock);
    result.map(|()| ExitCode::SUCCESS)
}

fn code_of(error: &CaptureError) -> u8 {
    match error {
        CaptureError::Host(host::HostError::Capabilities(_)) => exit::NO_PERMISSION,
        _ => exit::UNAVAILABLE,
    }
}

/// The policy of a file, or the embedded one. All that is wrong with it goes to standard error.
fn read_policy(path: Option<&Path>) -> Result<Policy, Exit> {
    let Some(path) = path else { return Ok(Policy::default_policy(today())) };
    let bytes = super::policy::read(path).map_err(|error| {
        Exit::new(exit::NO_INPUT, format!("cannot read the policy {}: {error}", path.display()))
    })?;
    let name = path.display().to_string();
    let policy = Policy::parse_bytes(&bytes, today(), &mut super::policy::dictionaries(path))
        .map_err(|problems| {
            for problem in problems.iter().take(POLICY_ERRORS_MAX) {
                let _ = write!(std::io::stderr(), "{}", problem.render(&name, false));
            }
            let what = format!(
                "{name}: the policy does not hold; `egress-monitor policy check` checks it"
            );
            Exit::new(exit::CONFIG, what)
        })?;
    for warning in &policy.warnings {
        tracing::warn!("{name}:{}: {}", warning.line, warning.wrong);
    }
    Ok(policy)
}

fn open_alerts(path: &Path) -> Result<(Target, Option<std::fs::File>), Exit> {
    let target = match path {
        path if path == Path::new("-") => Target::Stdout,
        path => Target::File(path.to_owned()),
    };
    let file = target.open().map_err(|error| {
        let what = format!("cannot open the alert file {}: {error}", path.display());
        Exit::new(exit::CANNOT_CREATE, what)
    })?;
    Ok((target, file))
}

/// What a policy lets the kernel hand over of opaque content.
fn opaque_budget(settings: &Settings) -> OpaqueBudget {
    OpaqueBudget {
        flow_bytes_per_s: settings.opaque_flow_bytes_per_s,
        host_bytes_per_s: settings.opaque_host_bytes_per_s,
    }
}
