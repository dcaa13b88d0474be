//! Opens a page in the user's browser.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Result;

use super::status::{Status, refusal};
use crate::store::{env, file, shown};

/// The programs that can open a page. The first one that exists is used.
const PROGRAMS: &[&str] = if cfg!(target_os = "macos") {
    &["open"]
} else {
    &["xdg-open", "wslview", "open"]
};

/// How often a program that was started is checked at most, and how long to wait between two
/// checks.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(50);

/// Opens a file in the browser. If that fails, the message names the file, which stays where it is.
///
/// # Errors
/// Fails if no program can open it.
pub(super) fn open(path: &Path) -> Result<()> {
    let path = file::canonical(path)?;
    start(path.as_os_str()).map_err(|why| {
        let text = format!(
            "could not open `{}`: {why}; open it in a browser",
            shown(&path)
        );
        refusal(Status::Failed, text)
    })
}

/// Opens a page, by its path or address, in the browser.
///
/// # Errors
/// Fails with the reason, in words for people, if no program could be started or the program
/// failed.
pub(super) fn start(page: &OsStr) -> Result<(), String> {
    let given = env::browsers();
    let programs = given.iter().map(String::as_str);
    for program in programs.chain(PROGRAMS.iter().copied()) {
        #[expect(
            clippy::disallowed_methods,
            reason = "which program is a person's browser is theirs to choose"
        )]
        let mut command = Command::new(program);
        command.arg(page).process_group(0);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(child) = command.spawn() {
            return settle(child, program);
        }
    }
    let names: Vec<String> = PROGRAMS.iter().map(|name| format!("`{name}`")).collect();
    Err(format!("there is no {} here", names.join(" and no ")))
}

/// Waits until the program has ended, or has run so long that it must be the browser itself.
fn settle(mut child: Child, program: &str) -> Result<(), String> {
    for _ in 0..LOOKS {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            Ok(Some(status)) if !status.success() => return Err(format!("`{program}` failed")),
            Ok(Some(_)) | Err(_) => break,
        }
    }
    Ok(())
}
