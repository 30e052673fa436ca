//! The binary `egress-monitor`.
fn main() {}
