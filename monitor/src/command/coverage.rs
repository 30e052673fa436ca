//! `egress-monitor coverage`: what a daemon that runs did not see, per process and by reason. It asks
//! the daemon and looks at nothing itself.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit::{self, Exit};
use super::run::RUNTIME_DIR;
use crate::report::coverage::CoverageReport;
use crate::report::status;

const EXAMPLES: &str = "Examples:
  egress-monitor coverage
      the processes that sent most: bytes sent, bytes examined, and what was not, by reason
  egress-monitor coverage --all --json | jq '.processes[] | select(.share_examined < 0.99)'
      who was not seen well

Pid 0 stands for what nobody is known to have sent. docs/coverage.md says what each reason means and
what to do about it.

Exits with 0 when a daemon answered, 69 when none did.";

/// Arguments of `egress-monitor coverage`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CoverageArgs {
    /// Print one JSON object to standard output
    #[arg(long)]
    json: bool,
    /// List every process that the daemon keeps, up to 1024, and not only the 32 that sent most
    #[arg(long)]
    all: bool,
    /// Where the daemon that is asked has its control socket
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    runtime_dir: PathBuf,
}

/// Asks, and prints the answer.
///
/// # Errors
///
/// An [`Exit`] where no daemon answers; standard output cannot be written.
pub fn run(args: &CoverageArgs) -> anyhow::Result<ExitCode> {
    let report = ask(&args.runtime_dir, args.all)?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", report.text())?;
        if report.processes_more > 0 && !args.all {
            writeln!(out, "\n--all lists more")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(runtime_dir: &Path, all: bool) -> Result<CoverageReport, Exit> {
    let command = if all { "coverage all" } else { "coverage" };
    let at = runtime_dir.join(status::SOCKET);
    let at = at.display();
    let unavailable = |message| Exit::new(exit::UNAVAILABLE, message);
    let answer = status::answer(runtime_dir, command).map_err(|error| {
        let what_to_do = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "it answers root, and whom [access] of its policy names: run as root"
            }
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                "start one with `egress-monitor run`, or name its --runtime-dir"
            }
            _ => "try again; `egress-monitor doctor` says more",
        };
        unavailable(format!("no daemon answers on {at}: {error}; {what_to_do}"))
    })?;
    serde_json::from_slice(&answer).map_err(|_| {
        let what = "does not know what was asked: it is of another version";
        unavailable(format!("the daemon on {at} {what}; restart it with this one"))
    })
}
