//! The one process that a hook leaves behind: the sweep that is due.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::store::{Error, Result, file};

/// Starts `ccsession cleanup --if-due`, with all streams on /dev/null. It makes a session of its own and, when this
/// process has ended, has no parent here: the client neither waits for it nor ends it.
///
/// # Errors
/// [`Error::Io`] where there is no `ccsession`, or it cannot be started.
pub(super) fn start_sweep() -> Result<()> {
    let program = cli()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the one process that a hook starts"
    )]
    let started = Command::new(&program)
        .args(["cleanup", "--if-due", "--quiet", "--detach"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.map(drop).map_err(Error::io("start", &program))
}

/// The CLI that belongs to this hook: `../../bin/ccsession` from `libexec/ccsession/`, the one beside it from anywhere
/// else. Never one that only happens to be near: whoever can write there could have it run.
fn cli() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(Error::io("find", Path::new("/proc/self/exe")))?;
    let dir = own.parent().unwrap_or(Path::new("/"));
    let path = match dir.parent().and_then(Path::parent) {
        Some(prefix) if dir.ends_with("libexec/ccsession") => prefix.join("bin/ccsession"),
        _ => dir.join("ccsession"),
    };
    match file::look(&path)? {
        Some(_) => Ok(path),
        None => Err(Error::io("find", &path)(std::io::Error::from(
            std::io::ErrorKind::NotFound,
        ))),
    }
}
