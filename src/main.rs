//! The `ccsession` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ccsession::cli::run(std::env::args_os())
}
