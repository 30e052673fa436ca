//! What the end-to-end tests share: the built daemon with directories of its own, receivers on
//! loopback, senders that are real programs, and personal data that is made up on the spot.
//!
//! Nothing here judges the daemon but [`monitor`], which looks through everything that a daemon
//! wrote for the values that were sent. Several daemons run at once: a test only looks at alerts
//! of processes that it started.

pub mod alert;
pub mod cgroup;
pub mod data;
pub mod made;
pub mod monitor;
pub mod net;
pub mod nginx;
pub mod paths;
pub mod pcap;
pub mod program;
pub mod scan;
pub mod skip;
pub mod tls;
pub mod wait;

pub use alert::Alert;
pub use data::{Data, Kind};
pub use monitor::{Monitor, Start};
pub use net::Receiver;
pub use program::{Running, python, tool};
