//! The hook for PreToolUse.

use std::process::ExitCode;

fn main() -> ExitCode {
    ccsession::hook::run("PreToolUse")
}
