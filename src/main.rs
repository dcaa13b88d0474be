//! The `ccsession` command.
//!
//! With glibc, it has a C `main` to start faster, like the hooks: see [`ccsession::hook::main`].
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

// Without glibc, a program gets its arguments only if Rust's own runtime starts it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() -> std::process::ExitCode {
    ccsession::cli::main().into()
}
