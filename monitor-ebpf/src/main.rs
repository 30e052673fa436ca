//! The programs: the list of hooks. Each entry calls a `try_…` of its family; all else stands in
//! the modules.
//!
//! Built for `bpfel-unknown-none` by `cargo xtask bpf build`; the licence is dual because the
//! kernel lends helpers such as `bpf_probe_read_kernel` to GPL-compatible programs alone.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "atomic exchange and addition, see `work::take_tap` and `account::add`"
)]

mod account;
mod examine;
mod gather;
mod hook;
mod kernel;
mod prove;
mod say;
mod scan;
mod session;
mod tls;
mod verdict;
mod work;

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Nothing here panics; were it to, the verifier refuses the loop and the object does not load.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[expect(clippy::empty_loop, reason = "there is nobody to tell, and it must not be reachable")]
    loop {}
}
