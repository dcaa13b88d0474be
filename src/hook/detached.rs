//! Starts the cleanup when it is due. It is the only process that a hook leaves running.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::identity::process;
use crate::store::{Error, Result, file};

/// How long the hook waits for the cleanup if nothing else would reap that process. Most cleanups
/// take a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(250);
/// The first pause between two checks of the cleanup. Each pause is twice as long as the one
/// before.
const PAUSE: Duration = Duration::from_millis(1);

/// Starts `ccsession cleanup --if-due`, with all streams on /dev/null. The cleanup starts its own
/// process session (setsid(2)), and becomes an orphan when this process ends. So Claude Code
/// neither waits for it nor ends it.
///
/// If the first process reaps no orphans, as in a container with `sleep infinity`, an orphaned
/// cleanup would stay a zombie while the container runs. The hook then waits for the cleanup, in
/// most cases to its end.
///
/// # Errors
/// Returns [`Error::Io`] if there is no `ccsession`, or it cannot be started.
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
    let child = started.map_err(Error::io("start", &program))?;
    if !process::reaps_orphans() {
        wait(child, PATIENCE);
    }
    Ok(())
}

/// Waits until the child has ended, or until `patience` has passed.
fn wait(mut child: Child, patience: Duration) {
    let (started, mut pause) = (Instant::now(), PAUSE);
    while matches!(child.try_wait(), Ok(None)) && started.elapsed() + pause <= patience {
        thread::sleep(pause);
        pause *= 2;
    }
}

/// Finds the `ccsession` that belongs to this hook. A hook in `libexec/ccsession/` uses
/// `../../bin/ccsession`, any other the one in its own folder. No other folder is searched: anyone
/// who can write to a searched folder could make this hook run a program.
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
