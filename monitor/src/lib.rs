//! The library behind `egress-monitor`, its modules in the order in which the data passes them:
//!
//! ```text
//! capture -> reassemble -> decode -> detect -> decide -> act -> report
//! ```
//!
//! Only [`capture`], [`act`] and [`report`] do I/O. Nothing between them reads a clock, a file or
//! the network: time and identity come in with the record. A module uses those before it, and
//! [`model`] and [`limits`]; never one after it.

pub mod limits;

pub mod model;

pub mod capture;

pub mod reassemble;

pub mod decode;

pub mod detect;

pub mod redact;

pub mod policy;

pub mod decide;

pub mod act;

pub mod report;

pub mod pipeline;

pub mod command;
