//! The hook for every other event.

use std::process::ExitCode;

fn main() -> ExitCode {
    ccsession::hook::run("SessionEvent")
}
