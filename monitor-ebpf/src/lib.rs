//! The contract between the programs in the kernel and the daemon.
#![no_std]
