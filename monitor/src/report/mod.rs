//! report: what the monitor says to the outside. Alerts as lines, to people and to machines; the
//! status and the coverage of a running daemon. No value of a finding comes this far: findings carry masked text and
//! fingerprints, and command lines are masked here.

pub mod alert;
pub mod coverage;
pub mod coverage_alert;
pub mod sink;
pub mod status;
