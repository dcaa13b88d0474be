//! Where the programs are: this one, the hooks' executables, Claude Code and its directory.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::client::{EXECUTABLES, Version};
use crate::store::places::libexec_dir;
use crate::store::{Environment, Error, Result, file};

/// How long `claude --version` may take.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
/// The longest line that could be a version.
const MAX_LINE: u64 = 4096;
/// The largest executable that is searched for its version.
const MAX_EXECUTABLE: usize = 64 << 20;

/// This program.
///
/// # Errors
/// [`Error::Io`] where the system does not say.
pub fn own() -> Result<PathBuf> {
    let path = std::env::current_exe().map_err(Error::io("find", Path::new("/proc/self/exe")))?;
    file::canonical(&path)
}

/// The folder of the hooks' executables.
///
/// # Errors
/// As [`own`].
pub fn hooks_dir(env: &Environment) -> Result<PathBuf> {
    Ok(libexec_dir(env, &own()?, |dir| {
        matches!(file::look(dir), Ok(Some(_)))
    }))
}

/// What is wrong with a hook's executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// It is not there.
    Missing,
    /// It is there and cannot be run.
    NotExecutable,
    /// It is not of this program's version.
    OtherVersion,
}

/// Checks the hooks' executables in `dir`, and names those that are not as they should be.
pub fn defects(dir: &Path) -> Vec<(PathBuf, Defect)> {
    let check = |name: &&str| {
        let path = dir.join(name);
        defect(&path).map(|defect| (path, defect))
    };
    EXECUTABLES.iter().filter_map(check).collect()
}

fn defect(path: &Path) -> Option<Defect> {
    let found = file::canonical(path)
        .ok()
        .and_then(|path| file::look(&path).ok()?);
    let Some(found) = found else {
        return Some(Defect::Missing);
    };
    let Ok(Some(content)) = file::read_any(path, MAX_EXECUTABLE) else {
        return Some(Defect::NotExecutable);
    };
    if found.mode & 0o111 == 0 {
        return Some(Defect::NotExecutable);
    }
    let mark = crate::hook::VERSION_MARK.as_bytes();
    let same = content
        .bytes
        .windows(mark.len())
        .any(|window| window == mark);
    (!same).then_some(Defect::OtherVersion)
}

/// The version of the `claude` on the PATH; nothing where there is none, or it does not say in time.
pub fn client_version() -> Option<Version> {
    version_of(Path::new("claude"), PATIENCE)
}

/// The version that `client --version` says within `patience`.
///
/// Whatever else it prints is read and dropped, and what it leaves running is not waited for.
pub fn version_of(client: &Path, patience: Duration) -> Option<Version> {
    let started = Instant::now();
    #[expect(
        clippy::disallowed_methods,
        reason = "asking the client for its version"
    )]
    let mut child = Command::new(client)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdout = BufReader::new(child.stdout.take()?);
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = Vec::new();
        let _ = stdout.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let _ = said.send(line);
        let _ = io::copy(&mut stdout, &mut io::sink());
    });
    while child.try_wait().ok()?.is_none() {
        if started.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(PAUSE);
    }
    let line = hears
        .recv_timeout(patience.saturating_sub(started.elapsed()))
        .ok()?;
    Version::parse(std::str::from_utf8(&line).ok()?)
}
