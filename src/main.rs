//! The `ccsession` command.
//!
//! Under glibc it has a C `main`, as the hooks have and for the same reason: see [`ccsession::hook::main`].
#![cfg_attr(all(target_os = "linux", target_env = "gnu"), no_main)]
#![allow(
    unsafe_code,
    reason = "a C main has a fixed symbol; nothing else here is unsafe"
)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    ccsession::cli::main().into()
}

// Elsewhere, a program gets its arguments only if Rust's own runtime starts it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() -> std::process::ExitCode {
    ccsession::cli::main().into()
}
