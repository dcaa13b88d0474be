//! The hook for PreToolUse. Why it has a C `main`: see [`ccsession::hook::main`].
#![no_main]
#![allow(
    unsafe_code,
    reason = "a C main has a fixed symbol; nothing else here is unsafe"
)]

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    ccsession::hook::main()
}
