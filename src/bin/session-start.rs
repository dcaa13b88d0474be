//! The hook for SessionStart.

use std::process::ExitCode;

fn main() -> ExitCode {
    ccsession::hook::run("SessionStart")
}
