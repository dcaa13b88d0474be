//! Where the programs are: this one, the hooks' executables, Claude Code and its directory; and what other programs say.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::client::{EXECUTABLES, Version};
use crate::model::text::escaped;
use crate::store::places::libexec_dir;
use crate::store::{Environment, Error, Result, file};

/// How long another program may take, such as `claude --version`.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a program that is just being written is waited for.
const BUSY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// The longest line that could be a version.
const MAX_LINE: u64 = 4096;
/// The longest table for cron that is looked through.
const MAX_TABLE: u64 = 1 << 20;
/// The largest executable that is searched for its version.
const MAX_EXECUTABLE: usize = 512 << 20;

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
    #[expect(
        clippy::disallowed_methods,
        reason = "asking the client for its version"
    )]
    let mut command = Command::new(client);
    command
        .arg("--version")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let said = ask(command, first_line, patience).ok()?;
    Version::parse(std::str::from_utf8(&said.text).ok()?)
}

/// Lets the user's systemd do something.
///
/// # Errors
/// Why it did not, in words for people.
pub fn systemctl(arguments: &[&str]) -> std::result::Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "asking systemd, where a person asked for a timer"
    )]
    let mut command = Command::new("systemctl");
    command
        .arg("--user")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    match ask(command, first_line, PATIENCE) {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => {
            let line = escaped(String::from_utf8_lossy(&said.text).trim());
            Err(if line.is_empty() {
                format!("systemctl ended with {}", said.status)
            } else {
                line
            })
        }
        Err(Unheard::NotStarted(err)) if err.kind() == io::ErrorKind::NotFound => {
            Err("there is no systemctl on the PATH".to_owned())
        }
        Err(Unheard::NotStarted(err)) => Err(format!("systemctl could not be run: {err}")),
        Err(Unheard::TooSlow) => Err("systemctl did not end in time".to_owned()),
    }
}

/// The user's table for cron; nothing where there is none, or no cron.
pub fn crontab() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "only cron knows where its table is"
    )]
    let mut command = Command::new("crontab");
    command
        .arg("-l")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let said = ask(command, everything, PATIENCE).ok()?;
    let text = String::from_utf8_lossy(&said.text);
    said.status.success().then(|| text.into_owned())
}

/// What another program said, and how it ended.
struct Said {
    status: ExitStatus,
    text: Vec<u8>,
}

/// Why nothing was heard of another program.
enum Unheard {
    NotStarted(io::Error),
    TooSlow,
}

/// Runs a command to its end, and takes by `read` what it says on the one stream that is piped. What else it says is read
/// and dropped.
fn ask(
    mut command: Command,
    read: fn(&mut dyn BufRead) -> Vec<u8>,
    patience: Duration,
) -> std::result::Result<Said, Unheard> {
    let started = Instant::now();
    command.stdin(Stdio::null());
    let mut child = loop {
        match command.spawn() {
            Ok(child) => break child,
            // Somebody is writing it, as an update does.
            Err(err) if err.kind() == io::ErrorKind::ExecutableFileBusy => {
                if started.elapsed() > BUSY {
                    return Err(Unheard::NotStarted(err));
                }
                std::thread::sleep(PAUSE);
            }
            Err(err) => return Err(Unheard::NotStarted(err)),
        }
    };
    let stdout = child
        .stdout
        .take()
        .map(|it| Box::new(it) as Box<dyn Read + Send>);
    let stderr = child
        .stderr
        .take()
        .map(|it| Box::new(it) as Box<dyn Read + Send>);
    let stream = stdout.or(stderr).unwrap_or_else(|| Box::new(io::empty()));
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let _ = said.send(read(&mut stream));
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() <= patience => std::thread::sleep(PAUSE),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Unheard::TooSlow);
            }
        }
    };
    let left = patience.saturating_sub(started.elapsed());
    let text = hears.recv_timeout(left).map_err(|_| Unheard::TooSlow)?;
    Ok(Said { status, text })
}

fn first_line(stream: &mut dyn BufRead) -> Vec<u8> {
    let mut line = Vec::new();
    let _ = stream.take(MAX_LINE).read_until(b'\n', &mut line);
    line
}

fn everything(stream: &mut dyn BufRead) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = stream.take(MAX_TABLE).read_to_end(&mut text);
    text
}
