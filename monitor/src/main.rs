//! The binary `egress-monitor`: reads the command line and hands over to [`command`].

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use egress_monitor::command::{
    coverage, demo, doctor, entities, exit, explain, kill_switch, policy, quarantine, redact, run,
    scan,
};

const EXAMPLES: &str = "Examples:
  egress-monitor demo                        see it work on this host, harmlessly
  egress-monitor doctor                      what this kernel can do
  egress-monitor policy check policy.toml    find all errors of a policy
  egress-monitor run --policy policy.toml    the daemon
  egress-monitor coverage                    what it did not see, and why
  egress-monitor kill-switch on --reason X   nothing leaves this host any more
  egress-monitor quarantine --pid 812 --reason X
                                             nor from this process
  egress-monitor scan src                    find personal data in files
  egress-monitor redact < app.log            without the personal data in it

Exit codes of scan: 0 clean, 1 findings, 2 trouble; of kill-switch status: 0 on, 3 off. Of all
others: 0 well, 1 trouble, 2 wrong arguments, 66 a file cannot be read, 69 the kernel cannot, 73 a
file cannot be made, 75 another instance runs, 77 not permitted, 78 the policy has errors.";

/// See what personal data leaves this host, and alert or kill as the policy says
#[derive(Parser)]
#[command(name = "egress-monitor", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch this host until told to stop
    Run(run::RunArgs),
    /// Show it working on this host: a process leaks made-up data, is seen, and is killed
    Demo(demo::DemoArgs),
    /// Say what this kernel can do, what is missing, and what a running daemon does
    Doctor(doctor::DoctorArgs),
    /// Say what a running daemon did not see, per process and by reason
    Coverage(coverage::CoverageArgs),
    /// Stop whatever leaves this host, at once, with or without a daemon
    #[command(subcommand_required = true, arg_required_else_help = true)]
    KillSwitch(kill_switch::KillSwitchArgs),
    /// Stop whatever leaves from one process, cgroup or systemd unit, with or without a daemon
    #[command(arg_required_else_help = true)]
    Quarantine(quarantine::QuarantineArgs),
    /// Look for personal data in files, archives and captures before they leave
    Scan(scan::ScanArgs),
    /// List what can be found, with the standard that each goes by
    Entities(entities::EntitiesArgs),
    /// Take personal data out of what passes through
    Redact(redact::RedactArgs),
    /// Say why something in a text was found, and why something else was not
    Explain(explain::ExplainArgs),
    /// Work on policies
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Policy(policy::PolicyArgs),
    /// Print a completion script for a shell
    ///
    /// Example: egress-monitor completions bash > /etc/bash_completion.d/egress-monitor
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::KillSwitch(args) => kill_switch::run(&args),
        Command::Quarantine(args) => quarantine::run(&args),
        Command::Scan(args) => scan::run(&args).map_err(Into::into),
        Command::Entities(args) => entities::run(&args),
        Command::Redact(args) => redact::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Policy(args) => {
            policy::run(&args, policy::today()).map(ExitCode::from).map_err(Into::into)
        }
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "egress-monitor", &mut script);
            let written = std::io::stdout().write_all(&script);
            written.map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    };
    exit::code(result)
}
