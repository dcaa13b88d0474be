//! Makes the user's own systemd run a cleanup every five minutes.
//!
//! ccsession marks its two unit files in their first line. A file without that line belongs to the
//! user, and is neither replaced nor removed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::programs;
use crate::store::lock::CLI_PATIENCE;
use crate::store::write::{self, Durability};
use crate::store::{Environment, Error, StateDir, file, shown};

/// The unit that is enabled.
pub const TIMER: &str = "ccsession-cleanup.timer";
const SERVICE: &str = "ccsession-cleanup.service";
/// The unit files for installation by hand, for a ccsession in `~/.local/bin`.
const SERVICE_TEXT: &str = include_str!("../../contrib/ccsession-cleanup.service");
const TIMER_TEXT: &str = include_str!("../../contrib/ccsession-cleanup.timer");
const COPIED_PROGRAM: &str = "ExecStart=%h/.local/bin/ccsession ";
/// The first line of every unit file that ccsession wrote.
const MARK: &str = "# Written by `ccsession install --timer`, and removed by `ccsession uninstall`. To keep your changes, remove this line.";
const MAX_UNIT: usize = 64 * 1024;

/// Why a timer was not changed.
#[derive(Debug)]
pub enum TimerError {
    /// A file cannot be read or written.
    File(Error),
    /// Something other than ccsession wrote this unit file.
    NotOurs(PathBuf),
    /// There is no directory for unit files.
    NoPlace,
    /// systemd would not accept this path.
    BadPath(PathBuf),
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(err) => err.fmt(f),
            Self::NotOurs(path) => write!(
                f,
                "could not write `{}`: it exists and was not written by `ccsession install --timer`; remove or rename it first",
                shown(path)
            ),
            Self::NoPlace => f.write_str(
                "could not find a place for a timer: HOME is not an absolute path; set HOME or XDG_CONFIG_HOME",
            ),
            Self::BadPath(path) => write!(
                f,
                "could not write a timer for `{}`: systemd accepts no path with quotes, backslashes, control characters or bytes that are not UTF-8; use cron",
                shown(path)
            ),
        }
    }
}

impl std::error::Error for TimerError {}

impl From<Error> for TimerError {
    fn from(err: Error) -> Self {
        Self::File(err)
    }
}

/// A unit file before and after a change. `None` means that it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The path of the unit file.
    pub path: PathBuf,
    /// The text of the file before the change.
    pub before: Option<String>,
    /// The text of the file after the change.
    pub after: Option<String>,
}

impl Unit {
    /// Returns whether anything changes.
    pub fn is_changed(&self) -> bool {
        self.before != self.after
    }
}

/// The unit files that exist.
#[derive(Debug, Default)]
pub struct ExistingUnits {
    /// The unit files that ccsession wrote.
    pub ours: Vec<Unit>,
    /// The unit files that other programs or users wrote.
    pub others: Vec<PathBuf>,
}

/// The directories created for the unit files, the topmost first, so that they can be removed
/// again.
#[derive(Debug, Serialize, Deserialize)]
struct CreatedDirs {
    v: u64,
    made_dirs: Vec<PathBuf>,
}

/// Returns the folder of the user's unit files, or `None` without an absolute HOME.
pub fn unit_dir(env: &Environment) -> Option<PathBuf> {
    let config = env.xdg_config_home.clone();
    let config = config.or_else(|| Some(env.home.as_ref()?.join(".config")))?;
    Some(config.join("systemd/user"))
}

/// Returns what installing the timer for `program` would change. Writes nothing.
///
/// # Errors
/// Returns a [`TimerError`] if the timer cannot be installed.
pub fn plan(env: &Environment, program: &Path) -> Result<Vec<Unit>, TimerError> {
    let dir = unit_dir(env).ok_or(TimerError::NoPlace)?;
    let wanted = [
        (SERVICE, service(env, program)?),
        (TIMER, format!("{MARK}\n{TIMER_TEXT}")),
    ];
    let unit = |(name, after): (&str, String)| {
        let path = dir.join(name);
        match read(&path)? {
            UnitOrigin::Others => Err(TimerError::NotOurs(path)),
            UnitOrigin::Ours(before) => Ok(Unit {
                path,
                before: Some(before),
                after: Some(after),
            }),
            UnitOrigin::Nothing => Ok(Unit {
                path,
                before: None,
                after: Some(after),
            }),
        }
    };
    wanted.into_iter().map(unit).collect()
}

/// Writes the planned unit files.
///
/// # Errors
/// Returns a [`TimerError`] if a file cannot be written, or if someone else wrote it meanwhile.
/// Files that are already written stay, and the next attempt recognises them.
pub fn put(units: &[Unit], state: &StateDir) -> Result<(), TimerError> {
    let _lock = state.lock(CLI_PATIENCE)?;
    for unit in units.iter().filter(|unit| unit.is_changed()) {
        let text = unit.after.as_deref().unwrap_or_default();
        let dir = unit.path.parent().unwrap_or(Path::new("/"));
        remember(state, write::make_missing_dirs(dir)?)?;
        match read(&unit.path)? {
            UnitOrigin::Ours(_) => {
                let text = text.as_bytes();
                write::replace_nameless(&unit.path, text, 0o644, Durability::Synced)?;
            }
            UnitOrigin::Nothing if write::create_with_mode(&unit.path, text.as_bytes(), 0o644)? => {
            }
            UnitOrigin::Nothing | UnitOrigin::Others => {
                return Err(TimerError::NotOurs(unit.path.clone()));
            }
        }
    }
    Ok(())
}

/// Returns the unit files that exist.
///
/// # Errors
/// Returns [`TimerError::File`] if a file cannot be read.
pub fn present(env: &Environment) -> Result<ExistingUnits, TimerError> {
    let mut present = ExistingUnits::default();
    let Some(dir) = unit_dir(env) else {
        return Ok(present);
    };
    for path in [TIMER, SERVICE].map(|name| dir.join(name)) {
        match read(&path)? {
            UnitOrigin::Nothing => {}
            UnitOrigin::Others => present.others.push(path),
            UnitOrigin::Ours(text) => present.ours.push(Unit {
                path,
                before: Some(text),
                after: None,
            }),
        }
    }
    Ok(present)
}

/// Removes ccsession's unit files, and the link by which systemd enabled the timer, if it still
/// exists. Also removes the directories created for them, if they are empty.
///
/// # Errors
/// Returns [`TimerError::File`] if something cannot be removed.
pub fn remove(units: &[Unit], state: &StateDir) -> Result<(), TimerError> {
    let _lock = state.lock(CLI_PATIENCE)?;
    for unit in units {
        if !matches!(read(&unit.path)?, UnitOrigin::Ours(_)) {
            continue;
        }
        write::remove(&unit.path)?;
        if let Some(link) = enabling_link(&unit.path).filter(|_| unit.path.ends_with(TIMER)) {
            write::remove(&link)?;
            write::remove_empty_dir(link.parent().unwrap_or(&link))?;
        }
    }
    for dir in remembered(state).iter().rev() {
        write::remove_empty_dir(dir)?;
    }
    write::remove(&record(state))?;
    Ok(())
}

/// Returns the link by which systemd enabled the timer, if the link exists. It points to the unit
/// file `timer`, even if that file was removed.
pub fn enabling_link(timer: &Path) -> Option<PathBuf> {
    let wants = timer.parent()?.join("timers.target.wants");
    let link = wants.join(timer.file_name()?);
    let target = file::link_target(&link)?;
    let is_it = target == timer || target == Path::new("..").join(timer.file_name()?);
    is_it.then_some(link)
}

/// Returns the program in the service file `text`, as written there.
pub fn starts(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))?;
    line.strip_suffix(" cleanup --if-due --quiet")
}

/// Returns `program` in the form in which a service file names it.
///
/// # Errors
/// Returns [`TimerError::BadPath`] if systemd does not accept the path.
pub fn named(program: &Path) -> Result<String, TimerError> {
    let bad = || TimerError::BadPath(program.to_owned());
    let path = program.to_str().ok_or_else(bad)?;
    if path.contains(|c: char| c.is_control() || matches!(c, '"' | '\'' | '\\')) {
        return Err(bad());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+@-".contains(c);
    // A percent sign begins a specifier, even in quotes, so it must be escaped. A dollar sign has
    // no meaning in a program's path.
    Ok(if path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("\"{}\"", path.replace('%', "%%"))
    })
}

fn service(env: &Environment, program: &Path) -> Result<String, TimerError> {
    let mut start = format!("ExecStart={} ", named(program)?);
    // systemd does not know what a shell has exported, so the service file sets these variables.
    let places = [
        ("CCSESSION_STATE_DIR", &env.state_dir),
        ("CCSESSION_POINTER_DIR", &env.pointer_dir),
        ("CCSESSION_CONFIG", &env.config),
        ("CLAUDE_CONFIG_DIR", &env.claude_config_dir),
        ("XDG_STATE_HOME", &env.xdg_state_home),
        ("XDG_CONFIG_HOME", &env.xdg_config_home),
    ];
    for (variable, path) in places {
        if let Some(path) = path {
            let line = format!("Environment=\"{variable}={}\"\n", quoted(path)?);
            start.insert_str(0, &line);
        }
    }
    let text = SERVICE_TEXT.replace(COPIED_PROGRAM, &start);
    Ok(format!("{MARK}\n{text}"))
}

/// Returns a path in the form that it has between the quotes of a unit file.
fn quoted(path: &Path) -> Result<String, TimerError> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(|c: char| c.is_control()));
    let text = text.ok_or_else(|| TimerError::BadPath(path.to_owned()))?;
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(text.replace('%', "%%"))
}

enum UnitOrigin {
    Nothing,
    Ours(String),
    Others,
}

fn read(path: &Path) -> Result<UnitOrigin, TimerError> {
    let content = match file::read_own(path, MAX_UNIT) {
        Ok(content) => content,
        // Something that is not a plain file of this user is not ccsession's: a link (made for
        // example by `systemctl mask`), a folder or another user's file.
        Err(Error::Untrusted { .. }) => return Ok(UnitOrigin::Others),
        Err(err) => return Err(err.into()),
    };
    let Some(content) = content else {
        return Ok(UnitOrigin::Nothing);
    };
    let text = String::from_utf8(content.bytes).ok();
    let is_marked = |text: &String| text.lines().next() == Some(MARK);
    Ok(text
        .filter(is_marked)
        .map_or(UnitOrigin::Others, UnitOrigin::Ours))
}

fn record(state: &StateDir) -> PathBuf {
    state.root().join("installs").join("timer.json")
}

fn remembered(state: &StateDir) -> Vec<PathBuf> {
    let content = file::read_own(&record(state), MAX_UNIT).ok().flatten();
    let remembered: Option<CreatedDirs> =
        content.and_then(|content| serde_json::from_slice(&content.bytes).ok());
    remembered.map_or_else(Vec::new, |it| it.made_dirs)
}

/// Stores which directories were created, in addition to earlier ones.
fn remember(state: &StateDir, made: Vec<PathBuf>) -> Result<(), TimerError> {
    if made.is_empty() {
        return Ok(());
    }
    let mut made_dirs = remembered(state);
    made_dirs.extend(made);
    let bytes = serde_json::to_vec(&CreatedDirs { v: 1, made_dirs }).unwrap_or_default();
    let record = record(state);
    write::make_dir(record.parent().unwrap_or(state.root()))?;
    write::replace(&record, &bytes, write::Durability::Synced)?;
    Ok(())
}

/// Makes systemd reload the unit files, if any changed, and start the timer, now and at each login.
///
/// # Errors
/// Returns what systemctl reported, in words for people, if it failed.
pub fn enable(is_changed: bool) -> Result<(), String> {
    if is_changed {
        programs::systemctl(&["daemon-reload"])?;
    }
    programs::systemctl(&["enable", "--now", TIMER])
}

/// Stops the timer. The caller removes its files only afterwards.
///
/// # Errors
/// Fails as [`enable`] does.
pub fn disable() -> Result<(), String> {
    programs::systemctl(&["disable", "--now", TIMER])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(program: &str, expected: Option<&str>) {
        assert_eq!(named(Path::new(program)).ok().as_deref(), expected);
    }

    #[test]
    fn a_program_is_named_as_systemd_reads_it() {
        check(
            "/home/dev/.local/bin/ccsession",
            Some("/home/dev/.local/bin/ccsession"),
        );
        check("/a b/ccsession", Some("\"/a b/ccsession\""));
        check("/100%/$HOME/x", Some("\"/100%%/$HOME/x\""));
        for refused in ["/a\"b", "/a'b", "/a\\b", "/a\nb"] {
            check(refused, None);
        }
    }

    #[test]
    fn a_path_in_quotes_ends_where_it_ends() {
        let path = quoted(Path::new("/a\"b\\c%d")).unwrap();
        assert_eq!(path, "/a\\\"b\\\\c%%d");
        assert!(quoted(Path::new("/a\nb")).is_err());
    }

    #[test]
    fn the_units_to_be_copied_are_those_that_are_written() {
        let env = Environment {
            state_dir: Some("/s".into()),
            ..Environment::default()
        };
        let text = service(&env, Path::new("/p/ccsession")).unwrap();
        assert_eq!(starts(&text), Some("/p/ccsession"));
        assert!(
            text.contains("\nEnvironment=\"CCSESSION_STATE_DIR=/s\"\nExecStart=/p/"),
            "{text}"
        );
        assert!(!text.contains("%h"), "{text}");
        assert_eq!(starts(SERVICE_TEXT), Some("%h/.local/bin/ccsession"));
    }
}
