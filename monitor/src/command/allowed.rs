//! Where a command that shuts something lets sends go: what it names, and `[kill_switch] allow` of the
//! policy. A policy that cannot be read keeps nobody from shutting.

use std::io;
use std::path::{Path, PathBuf};

use super::audit::warn;
use crate::capture::allow::Allow;
use crate::policy::Policy;

/// Where a service has its policy.
pub const POLICY_FILE: &str = "/etc/egress-monitor/policy.toml";

/// What both take.
#[derive(Debug, clap::Args)]
pub struct AllowArgs {
    /// A destination that may still be sent to: network and port of the far side, or * for any
    #[arg(long, value_name = "CIDR:PORT", num_args = 1.., value_parser = crate::capture::allow::parse)]
    pub allow: Vec<Allow>,
    /// The policy whose `[kill_switch] allow` may be sent to as well
    #[arg(long, value_name = "FILE", default_value = POLICY_FILE)]
    pub policy: PathBuf,
}

impl AllowArgs {
    /// Whether somebody else than root may say that to a daemon.
    ///
    /// # Errors
    ///
    /// They may not.
    pub fn demand(&self) -> Result<(), &'static str> {
        // What is wrong with a file would be told, and with it what stands there.
        let is_default = self.policy == Path::new(POLICY_FILE);
        if is_default { Ok(()) } else { Err("--policy is for root") }
    }

    /// What is named, then what the policy allows, so many at most. What of the policy cannot be had is
    /// told, and left out.
    pub fn all(&self, max: usize) -> Vec<Allow> {
        let mut all = self.allow.clone();
        let of_policy = match of_policy(&self.policy) {
            Ok(allow) => allow,
            Err(why) => {
                warn(&format!("{why}: only what the command names may be sent to"));
                return all;
            }
        };
        let more: Vec<Allow> = of_policy.into_iter().filter(|one| !all.contains(one)).collect();
        if all.len() + more.len() > max {
            warn(&format!(
                "what the policy allows is left out: with it there are {} networks, limit is {max}",
                all.len() + more.len()
            ));
            return all;
        }
        all.extend(more);
        all
    }
}

/// None where there is no policy at the usual place.
fn of_policy(path: &Path) -> Result<Vec<Allow>, String> {
    // Nobody may write to a pipe, and nothing would be shut.
    let is_file = path.metadata().map(|metadata| metadata.is_file());
    let read = is_file.and_then(|is_file| match is_file {
        true => super::policy::read(path),
        false => Err(io::Error::other("it is no regular file")),
    });
    let bytes = match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path == Path::new(POLICY_FILE) => {
            return Ok(Vec::new());
        }
        bytes => {
            bytes.map_err(|error| format!("cannot read the policy {}: {error}", path.display()))?
        }
    };
    Policy::kill_switch_allow(&bytes).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("the policy does not hold: {}:{first}", path.display())
    })
}
