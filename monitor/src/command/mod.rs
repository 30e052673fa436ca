//! One file per subcommand, and what they share: exit codes and folders. Errors are anyhow here,
//! and end as one sentence with what to do.

pub mod exit;
pub mod policy;
