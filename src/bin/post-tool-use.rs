//! The hook for PostToolUse, PostToolUseFailure and PostToolBatch.

use std::process::ExitCode;

fn main() -> ExitCode {
    ccsession::hook::run("PostToolUse")
}
