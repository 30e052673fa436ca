//! capture: loads the programs into the kernel, attaches them, reads what they hand over, and says
//! who sent it.
pub mod btf;
pub mod prefilter;
pub mod programs;
