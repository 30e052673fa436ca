//! One file per subcommand, and what they share: exit codes and the log. Errors are anyhow here,
//! and end as one sentence with what to do.

mod allowed;
mod asked;
mod audit;
pub mod coverage;
pub mod demo;
pub mod doctor;
pub mod entities;
pub mod exit;
pub mod input;
pub mod explain;
pub mod kill_switch;
pub mod log;
mod names;
pub mod policy;
pub mod quarantine;
pub mod redact;
pub mod run;
pub mod scan;
