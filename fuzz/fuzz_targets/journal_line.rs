#![no_main]
#![allow(dead_code, reason = "it calls one of the checks")]

#[path = "../../tests/it/fuzz/checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::journal_line(data));
