//! One family of attach points per file.

mod cookie;
mod gate;
mod process;
mod send;
