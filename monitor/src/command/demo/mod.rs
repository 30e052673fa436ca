//! `egress-monitor demo`: the monitor at work on this very host, with made-up data on loopback. It
//! starts the daemon as a service manager would, lets a real process leak to a receiver, and shows
//! what an operator sees: first an alert, then a kill. It leaves nothing behind.

mod daemon;
mod receiver;
mod sender;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::exit::{self, Exit};
use crate::act::Outcome;
use crate::capture::host;
use crate::report::alert::Alert;
use daemon::Daemon;
use receiver::Receiver;

/// Records of the process that is only alerted about.
const RECORDS_ALERTED: usize = 1;
/// Records that the process would send which is killed: more than it can before it dies.
const RECORDS_KILLED: usize = 50_000;
/// How long each thing that the demo waits for may take.
const WAIT: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "Example:
  sudo egress-monitor demo

All data is made up and stays on loopback. Takes a few seconds.";

/// Arguments of `egress-monitor demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Be the process that leaks: post standard input to this address
    #[arg(long, hide = true, value_name = "ADDRESS")]
    sender: Option<SocketAddr>,
    /// Which program leaks; the first that is there unless told
    #[arg(long, value_name = "PROGRAM")]
    program: Option<sender::Program>,
}

/// Plays the demo.
///
/// # Errors
///
/// Something did not happen that should have: the demo is a test of the host as well.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if let Some(address) = args.sender {
        sender::post(address, io::stdin().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let missing = host::capabilities_missing();
    if !missing.is_empty() {
        let why = host::HostError::Capabilities(missing);
        return Err(
            Exit::new(exit::NO_PERMISSION, format!("the demo arms the monitor; {why}")).into()
        );
    }
    let (alerted, killed) = (Receiver::start()?, Receiver::start()?);
    let mut story = Story { out: anstream::stdout().lock(), step: 0 };
    story.line("made-up data, on loopback only; nothing is left behind")?;
    let daemon = Daemon::start(&policy(alerted.port(), killed.port()))?;
    story.step("the daemon starts")?;
    story.line(daemon.armed())?;
    let program = args.program.unwrap_or_else(sender::Program::first);

    story.step(&format!("{program} posts a customer record to {}", alerted.address()))?;
    let status = program.send(alerted.address(), RECORDS_ALERTED)?;
    let alert = daemon.alert("alert-on-customers", Outcome::Alerted, WAIT)?;
    story.alert(&alert)?;
    let us = alert.latency_us;
    story.line(&format!("written {us} µs after the send; the process ended with {status}"))?;
    let got = alerted.bytes(WAIT)?;
    story.line(&format!("the receiver got all {got} bytes: this rule only alerts"))?;

    story.step("the same, with many records, under a rule with action = \"kill\"")?;
    let status = program.send(killed.address(), RECORDS_KILLED)?;
    let alert = daemon.alert("kill-for-customers", Outcome::Killed, WAIT)?;
    story.alert(&alert)?;
    let got = killed.bytes(WAIT)?;
    let asked = RECORDS_KILLED * sender::RECORD_BYTES;
    let Some(death_us) = alert.death_us.filter(|_| status.signal() == Some(9)) else {
        anyhow::bail!(
            "the process was to die and ended with {status}: please report this as a bug"
        );
    };
    story.line(&format!("the process died {death_us} µs after the send ({status})"))?;
    story.line(&format!("the receiver got {got} bytes of about {asked} that it had to send"))?;

    let summary = daemon.stop()?;
    story.step("the daemon is told to stop")?;
    summary.lines().try_for_each(|line| story.line(line))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what happens.
struct Story<W> {
    out: W,
    step: usize,
}

impl<W: Write> Story<W> {
    fn step(&mut self, what: &str) -> io::Result<()> {
        self.step += 1;
        let bold = Style::new().bold();
        writeln!(self.out, "\n{bold}{}. {what}{bold:#}", self.step)
    }

    fn line(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.out, "   {what}")?;
        self.out.flush()
    }

    fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into()));
        writeln!(self.out, "   {red}{}{red:#}", alert.line())?;
        self.out.flush()
    }
}

/// Two receivers, two rules.
fn policy(alerted: u16, killed: u16) -> String {
    let rule = |id: &str, action: &str, port: u16| {
        format!(
            "[[rule]]\n\
             id = \"{id}\"\n\
             clause = \"DPA 4.2\"\n\
             severity = \"high\"\n\
             action = \"{action}\"\n\
             entities = [\"CREDIT_CARD\", \"US_SSN\"]\n\
             destination = {{ cidr = [\"loopback\"], port = [{port}] }}\n\n"
        )
    };
    format!(
        "version = 1\n\n{}{}",
        rule("alert-on-customers", "alert", alerted),
        rule("kill-for-customers", "kill", killed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Date, Policy};

    #[test]
    fn the_policy_of_the_demo_holds_without_a_warning() {
        let policy = Policy::parse(&policy(4000, 4001), Date::constant(2026, 11, 24)).unwrap();
        assert!(policy.warnings.is_empty(), "{:?}", policy.warnings);
    }
}
