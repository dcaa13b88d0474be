//! Finds the executables: ccsession itself, its hooks, and Claude Code. Also runs other programs
//! and returns what they print.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::claude::dirs::claude_dir;
use crate::claude::versions::{EXECUTABLES, Version};
use crate::model::text::escaped;
use crate::store::places::libexec_dir;
use crate::store::{Environment, Error, Result, file, project};

/// How long another program, such as `claude --version`, may run.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to try to start a program that another process is still writing.
const BUSY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// How many bytes of Claude Code's output are searched for its version.
const MAX_OPENING: u64 = 64 << 10;
/// The longest error message that is read, in bytes.
const MAX_LINE: u64 = 4096;
/// How many links to a program are followed, as many as Linux follows.
const MAX_HOPS: usize = 40;
/// The longest crontab that is searched, in bytes.
const MAX_TABLE: u64 = 1 << 20;
/// The largest executable that is searched for its version, in bytes.
const MAX_EXECUTABLE: usize = 512 << 20;

/// Returns the path of the running executable.
///
/// # Errors
/// Returns [`Error::Io`] if the system cannot say where the executable is.
pub fn own() -> Result<PathBuf> {
    let path = std::env::current_exe().map_err(Error::io("find", Path::new("/proc/self/exe")))?;
    file::canonical(&path)
}

/// Returns a path of the running executable that stays valid after an update: the name by which it
/// was called, not the versioned folder behind that name.
///
/// # Errors
/// Fails as [`own`] does.
pub fn lasting(env: &Environment) -> Result<PathBuf> {
    let real = own()?;
    let way = ways(env, &real).into_iter().next();
    Ok(way.unwrap_or_else(|| steadier(env, &real)))
}

/// Returns a path of the folder with the hook executables that stays valid after an update.
/// Homebrew, mise and Nix install each version in a separate folder, and let links with fixed names
/// lead to it.
///
/// # Errors
/// Fails as [`own`] does.
pub fn hooks_dir(env: &Environment) -> Result<PathBuf> {
    let real = own()?;
    let exists = |dir: &Path| matches!(file::look(dir), Ok(Some(_)));
    let found = libexec_dir(env, &real, exists);
    if env.libexec.is_some() {
        return Ok(found);
    }
    let ways = ways(env, &real).into_iter();
    let mut ways = ways.map(|way| libexec_dir(env, &way, exists));
    let lasting = ways.find(|dir| is_same(dir, &found));
    Ok(steadier(env, &lasting.unwrap_or(found)))
}

/// Returns the paths that lead to the executable `real`: the one by which it was called, then each
/// link that follows. The executable itself is the last.
fn ways(env: &Environment, real: &Path) -> Vec<PathBuf> {
    let called = std::env::args_os().next().map(PathBuf::from);
    let mut way = called.and_then(|called| match called.parent() {
        Some(dir) if dir == Path::new("") => on_path(env, &called),
        _ => Some(project::current_dir().ok()?.join(called)),
    });
    let mut ways = Vec::new();
    while let Some(path) = way.map(|way| plain(&way)) {
        // Check this, because a caller can start a program under any name.
        if ways.len() == MAX_HOPS || !file::canonical(&path).is_ok_and(|path| path == real) {
            break;
        }
        way = file::link_target(&path).and_then(|target| Some(path.parent()?.join(target)));
        ways.push(path);
    }
    ways
}

fn on_path(env: &Environment, name: &Path) -> Option<PathBuf> {
    let mut dirs = std::env::split_paths(env.path.as_ref()?);
    dirs.find_map(|dir| {
        let path = dir.join(name);
        let is_program = |path: &Path| {
            let there = file::canonical(path).ok()?;
            let found = file::look(&there).ok()??;
            (found.is_file() && found.mode & 0o111 != 0).then_some(())
        };
        is_program(&path).map(|()| path)
    })
}

/// Returns a path without `.` and `..`, without looking at the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// Returns a path to the same file or folder that stays valid after an update, or `path` if none is
/// found. The path leads through a link to the versioned folder in `path`. Such a link is beside
/// that folder (`latest`), in `opt` beside Homebrew's `Cellar`, or in a Nix profile.
fn steadier(env: &Environment, path: &Path) -> PathBuf {
    let by_links = path.ancestors().find_map(|versioned| {
        let below = path.strip_prefix(versioned).ok()?;
        let links = links_to(versioned).into_iter();
        links
            .map(|link| link.join(below))
            .find(|it| is_same(it, path))
    });
    let in_profile = || {
        let below: PathBuf = path
            .strip_prefix("/nix/store")
            .ok()?
            .iter()
            .skip(1)
            .collect();
        let home = env.home.as_ref().map(|home| home.join(".nix-profile"));
        let profiles = home
            .into_iter()
            .chain([PathBuf::from("/run/current-system/sw")]);
        let mut profiles = profiles.map(|profile| profile.join(&below));
        profiles.find(|it| is_same(it, path))
    };
    by_links
        .or_else(in_profile)
        .unwrap_or_else(|| path.to_owned())
}

/// Returns links that may lead to the folder `versioned`, if it is named after a version.
fn links_to(versioned: &Path) -> Vec<PathBuf> {
    let name = versioned.file_name().and_then(|name| name.to_str());
    let is_version = |name: &str| {
        let name = name.strip_prefix('v').unwrap_or(name);
        name.starts_with(|it: char| it.is_ascii_digit()) && name.contains('.')
    };
    let (Some(true), Some(all)) = (name.map(is_version), versioned.parent()) else {
        return Vec::new();
    };
    let mut links: Vec<PathBuf> = file::names(all)
        .into_iter()
        .flatten()
        .map(|name| all.join(name))
        .filter(|path| file::link_target(path).is_some())
        .collect();
    links.sort();
    if let (Some(formula), Some(cellar)) = (all.file_name(), all.parent())
        && cellar.file_name().is_some_and(|name| name == "Cellar")
        && let Some(prefix) = cellar.parent()
    {
        links.push(prefix.join("opt").join(formula));
    }
    links
}

/// Returns whether two paths lead to the same place.
fn is_same(one: &Path, other: &Path) -> bool {
    match (file::canonical(one), file::canonical(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// What is wrong with a hook executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// The executable does not exist.
    Missing,
    /// The executable exists, but cannot be run.
    NotExecutable,
    /// The executable's version is not that of the running ccsession.
    OtherVersion,
}

/// Checks the hooks' executables in `dir`, and returns those with a defect.
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
    let is_same = memchr::memmem::find(&content.bytes, mark).is_some();
    (!is_same).then_some(Defect::OtherVersion)
}

/// An installed Claude Code that reported its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledClient {
    pub version: Version,
    /// The path of this Claude Code, if it is not the `claude` on the PATH.
    pub elsewhere: Option<PathBuf>,
}

/// Finds Claude Code. If the `claude` on the PATH does not report its version in time, searches the
/// folders where Claude Code's installers and extensions put it.
pub fn client(env: &Environment) -> Option<InstalledClient> {
    let on_path = version_of(Path::new("claude"), PATIENCE);
    if let Some(version) = on_path {
        return Some(InstalledClient {
            version,
            elsewhere: None,
        });
    }
    known_places(env).into_iter().find_map(|path| {
        let version = version_of(&path, PATIENCE)?;
        Some(InstalledClient {
            version,
            elsewhere: Some(path),
        })
    })
}

/// Returns the paths off the PATH at which Claude Code may be.
fn known_places(env: &Environment) -> Vec<PathBuf> {
    let mut places = Vec::new();
    places.extend(claude_dir(env).map(|dir| dir.join("local/claude")));
    if let Some(home) = &env.home {
        let below = [
            ".claude/local/claude",
            ".local/bin/claude",
            ".npm-global/bin/claude",
            ".bun/bin/claude",
            ".volta/bin/claude",
        ];
        places.extend(below.map(|below| home.join(below)));
        places.extend(newest(&home.join(".local/share/claude/versions"), "", ""));
        for editor in [
            ".vscode",
            ".vscode-server",
            ".cursor",
            ".cursor-server",
            ".windsurf",
        ] {
            places.extend(newest(
                &home.join(editor).join("extensions"),
                "anthropic.claude-code-",
                "resources/native-binary/claude",
            ));
        }
    }
    places.retain(|path| file::canonical(path).is_ok());
    places
}

/// Returns the program in one of the folders in `dir` whose names are `prefix` and a version. Takes
/// the folder with the newest version.
fn newest(dir: &Path, prefix: &str, program: &str) -> Option<PathBuf> {
    let version = |name: &std::ffi::OsString| {
        let name = name.to_str()?.strip_prefix(prefix)?;
        Version::parse(name.split('-').next()?)
    };
    let names = file::names(dir).ok()?;
    let versions = names.filter_map(|name| Some((version(&name)?, name)));
    let (_, name) = versions.max()?;
    Some(match program {
        "" => dir.join(name),
        program => dir.join(name).join(program),
    })
}

/// Returns the first version that `client --version` prints within `patience`, on whatever line.
///
/// Reads and drops all other output. Does not wait for processes that `client` leaves running.
pub fn version_of(client: &Path, patience: Duration) -> Option<Version> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this asks Claude Code for its version"
    )]
    let mut command = Command::new(client);
    command
        .arg("--version")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let said = ask(command, up_to_a_version, patience).ok()?;
    Version::find(&String::from_utf8_lossy(&said.text))
}

/// Runs `systemctl` for the user's systemd.
///
/// # Errors
/// Returns what systemctl reported, in words for people, if it failed.
pub fn systemctl(arguments: &[&str]) -> std::result::Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "asking systemd, where a person asked for a timer"
    )]
    let mut command = Command::new("systemctl");
    command.arg("--user").args(arguments).stdout(Stdio::null());
    done_within(command, PATIENCE)
}

/// Runs `command`, which starts `systemctl`, and stops it if it takes longer than `patience`.
fn done_within(mut command: Command, patience: Duration) -> std::result::Result<(), String> {
    command.stderr(Stdio::piped());
    match ask(command, first_line, patience) {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => {
            let line = escaped(String::from_utf8_lossy(&said.text).trim());
            Err(if line.is_empty() {
                format!("systemctl ended with {}", said.status)
            } else {
                line
            })
        }
        Err(NoOutput::NotStarted(err)) if err.kind() == io::ErrorKind::NotFound => {
            Err("there is no systemctl on the PATH".to_owned())
        }
        Err(NoOutput::NotStarted(err)) => Err(format!("systemctl could not be run: {err}")),
        Err(NoOutput::TooSlow) => Err("systemctl did not end in time".to_owned()),
    }
}

/// Returns the user's crontab. Returns `None` if there is no crontab, or no cron.
pub fn crontab() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "cron does not say where its table is"
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

/// The output of another program, and how it ended.
struct ProgramOutput {
    status: ExitStatus,
    text: Vec<u8>,
}

/// Why another program returned no output.
enum NoOutput {
    NotStarted(io::Error),
    TooSlow,
}

/// Runs a command to its end. Calls `read` with its only piped stream. Reads and drops the rest of
/// the output.
fn ask(
    mut command: Command,
    read: fn(&mut dyn BufRead) -> Vec<u8>,
    patience: Duration,
) -> std::result::Result<ProgramOutput, NoOutput> {
    let started = Instant::now();
    command.stdin(Stdio::null());
    let mut child = loop {
        match command.spawn() {
            Ok(child) => break child,
            // Another process, for example an update, is still writing the executable.
            Err(err) if err.kind() == io::ErrorKind::ExecutableFileBusy => {
                if started.elapsed() > BUSY {
                    return Err(NoOutput::NotStarted(err));
                }
                std::thread::sleep(PAUSE);
            }
            Err(err) => return Err(NoOutput::NotStarted(err)),
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
    let listening = std::thread::Builder::new().spawn(move || {
        let mut stream = BufReader::new(stream);
        let _ = said.send(read(&mut stream));
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    if let Err(err) = listening {
        let _ = child.kill();
        let _ = child.wait();
        return Err(NoOutput::NotStarted(err));
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() <= patience => std::thread::sleep(PAUSE),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(NoOutput::TooSlow);
            }
        }
    };
    let left = patience.saturating_sub(started.elapsed());
    let text = hears.recv_timeout(left).map_err(|_| NoOutput::TooSlow)?;
    Ok(ProgramOutput { status, text })
}

/// Returns the lines of the output up to the one in which Claude Code prints its version.
fn up_to_a_version(stream: &mut dyn BufRead) -> Vec<u8> {
    let mut stream = stream.take(MAX_OPENING);
    let mut text = Vec::new();
    loop {
        let before = text.len();
        let read = stream.read_until(b'\n', &mut text);
        let line = text.get(before..).unwrap_or_default();
        let is_last = Version::is_named(&String::from_utf8_lossy(line));
        if is_last || !matches!(read, Ok(1..)) {
            return text;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systemctl_that_hangs_is_not_waited_for_for_ever() {
        #[expect(clippy::disallowed_methods, reason = "a program that hangs")]
        let mut command = Command::new("sleep");
        command.arg("600").stdout(Stdio::null());
        let done = done_within(command, Duration::from_millis(50));
        assert_eq!(done, Err("systemctl did not end in time".to_owned()));
    }
}
