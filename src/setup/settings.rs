//! Claude Code's settings files: read, changed by one whole replacement, never half-written.
//!
//! Claude Code and editors rewrite these files, too. So a file is read again just before it is replaced; if it changed
//! meanwhile, the edit is made anew on what is there now.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::client::{Version, command_for, events_for, executable_of};
use super::edit::{self, Refusal, Undo, Uninstalled, Wanted};
use crate::model::Project;
use crate::store::file::Unsafe;
use crate::store::lock::CLI_PATIENCE;
use crate::store::{Error, State, clock, file, shown, write};

/// The seconds that Claude Code waits for a hook of ours. It needs a few milliseconds; the client's own default is 600.
const TIMEOUT: u32 = 5;
/// How often an edit is made anew because somebody else changed the file meanwhile.
const ATTEMPTS: usize = 3;
/// How many backups are kept.
const BACKUPS: usize = 5;
const MAX_INSTALL_RECORD: usize = 1 << 20;

/// Which settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `~/.claude/settings.json`.
    User,
    /// `.claude/settings.json` of the project.
    Project,
    /// `.claude/settings.local.json` of the project.
    Local,
}

impl Scope {
    /// Every scope, the widest first.
    pub const ALL: [Self; 3] = [Self::User, Self::Project, Self::Local];

    /// The scope's name, as `--scope` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }

    /// The scope's file.
    pub fn path(self, claude_dir: &Path, project: &Project) -> PathBuf {
        match self {
            Self::User => claude_dir.join("settings.json"),
            Self::Project => project.root().join(".claude/settings.json"),
            Self::Local => project.root().join(".claude/settings.local.json"),
        }
    }

    /// The permission bits of a file that is created: yours alone, or as others in the project need it.
    fn mode(self) -> u32 {
        match self {
            Self::User | Self::Local => 0o600,
            Self::Project => 0o644,
        }
    }
}

/// Why settings were not changed.
#[derive(Debug)]
pub enum Failure {
    /// The file cannot be read or written.
    File(Error),
    /// The file's text is not one that may be edited.
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why, and what helps.
        why: Refusal,
    },
    /// Others kept changing the file.
    Contended(PathBuf),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(err) => err.fmt(f),
            Self::Refused { path, why } => write!(
                f,
                "could not edit `{}`: {why}; {}",
                shown(path),
                why.remedy()
            ),
            Self::Contended(path) => {
                write!(
                    f,
                    "could not edit `{}`: somebody else keeps changing it; try again",
                    shown(path)
                )
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(err: Error) -> Self {
        Self::File(err)
    }
}

/// What is remembered of an install, so that uninstalling is its exact inverse.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    v: u64,
    settings: String,
    hooks_dir: String,
    undo: Undo,
}

/// A change of a settings file, made or, on a dry run, only found.
#[derive(Debug)]
pub struct Change {
    /// The file: a link's target.
    pub path: PathBuf,
    /// Its text before; none where there was no file.
    pub before: Option<String>,
    /// Its text after; none where the file goes.
    pub after: Option<String>,
    /// The copy of the text before.
    pub backup: Option<PathBuf>,
}

impl Change {
    /// Whether anything changes.
    pub fn is_one(&self) -> bool {
        self.before != self.after
    }
}

/// A settings file and what is known about editing it.
#[derive(Debug)]
pub struct Settings<'a> {
    /// Which file.
    pub path: PathBuf,
    /// Whose.
    pub scope: Scope,
    /// Where the hooks' executables are.
    pub hooks_dir: &'a Path,
}

impl Settings<'_> {
    /// Registers the hooks that a client of `version` knows.
    ///
    /// # Errors
    /// [`Failure`]; then the file is as it was.
    pub fn install(
        &self,
        state: &State,
        version: Option<Version>,
        dry_run: bool,
    ) -> Result<Change, Failure> {
        let _lock = state.lock(CLI_PATIENCE)?;
        let remembered = self.remembered(state);
        let wanted = self.wanted(version);
        let previous = remembered.as_ref().map(|remembered| &remembered.undo);
        let mut undo = None;
        let change = self.change(dry_run, |text| {
            let installed = edit::install(text, &wanted, previous, |command| {
                self.owns(command, remembered.as_ref())
            })?;
            undo = Some(installed.undo);
            Ok(if installed.changed {
                Some(installed.text)
            } else {
                text.map(str::to_owned)
            })
        })?;
        if let (Some(undo), false) = (undo, dry_run) {
            self.remember(state, undo)?;
        }
        Ok(change)
    }

    /// Takes the hooks out again: the exact inverse of [`Self::install`], whatever others changed in the file meanwhile.
    ///
    /// # Errors
    /// [`Failure`]; then the file is as it was.
    pub fn uninstall(&self, state: &State, dry_run: bool) -> Result<Change, Failure> {
        let _lock = state.lock(CLI_PATIENCE)?;
        let remembered = self.remembered(state);
        let undo = remembered.as_ref().map(|remembered| &remembered.undo);
        let change = self.change(dry_run, |text| {
            let Some(text) = text else {
                return Ok(None);
            };
            let uninstalled = edit::uninstall(text, undo, |command| {
                self.owns(command, remembered.as_ref())
            })?;
            Ok(match uninstalled {
                Uninstalled::Unchanged => Some(text.to_owned()),
                Uninstalled::Text(text) => Some(text),
                Uninstalled::Delete => None,
            })
        })?;
        if !dry_run {
            write::remove(&self.install_record(state))?;
        }
        Ok(change)
    }

    /// Whether `command` is a hook of ours: by its executable's name, in the folder of now or of an earlier install.
    pub fn is_ours(&self, command: &str) -> bool {
        self.owns(command, None)
    }

    fn owns(&self, command: &str, remembered: Option<&Remembered>) -> bool {
        let Some(executable) = executable_of(command).map(PathBuf::from) else {
            return false;
        };
        let name = executable
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let dir = executable.parent().unwrap_or(Path::new(""));
        super::client::EXECUTABLES.contains(&name)
            && (dir == self.hooks_dir
                || dir.ends_with("libexec/ccsession")
                || remembered.is_some_and(|remembered| dir == Path::new(&remembered.hooks_dir)))
    }

    fn wanted(&self, version: Option<Version>) -> Vec<Wanted<'static>> {
        let handler = |registration: super::client::Registration| {
            let (command, exec_form) = command_for(
                &self
                    .hooks_dir
                    .join(registration.executable)
                    .to_string_lossy(),
            );
            Wanted {
                event: registration.event,
                command,
                exec_form,
                timeout: TIMEOUT,
            }
        };
        events_for(version).into_iter().map(handler).collect()
    }

    /// Makes one edit of the file, and another if somebody else changed it meanwhile.
    fn change(
        &self,
        dry_run: bool,
        mut edit: impl FnMut(Option<&str>) -> Result<Option<String>, Refusal>,
    ) -> Result<Change, Failure> {
        // A link leads to where the file really is, as into a folder of dotfiles: the link stays.
        let path = file::canonical(&self.path).unwrap_or_else(|_| self.path.clone());
        for _ in 0..ATTEMPTS {
            let before = read(&path)?;
            let after = edit(before.as_deref()).map_err(|why| Failure::Refused {
                path: path.clone(),
                why,
            })?;
            let mut change = Change {
                path: path.clone(),
                before,
                after,
                backup: None,
            };
            if dry_run || !change.is_one() {
                return Ok(change);
            }
            // A file that goes holds nothing but what an install wrote.
            if change.after.is_some() {
                change.backup = back_up(&change)?;
            }
            if read(&path)? != change.before {
                continue;
            }
            match &change.after {
                Some(text) => self.put(&path, text)?,
                None => drop(write::remove(&path)?),
            }
            if read(&path)? == change.after {
                return Ok(change);
            }
        }
        Err(Failure::Contended(path))
    }

    fn put(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let present = file::look(path)?.map(|found| found.mode);
        if present.is_none()
            && let Some(dir) = path.parent()
        {
            write::make_dir(dir)?;
        }
        write::replace_with_mode(path, text.as_bytes(), present.unwrap_or(self.scope.mode()))?;
        Ok(())
    }

    fn install_record(&self, state: &State) -> PathBuf {
        let path = file::canonical(&self.path).unwrap_or_else(|_| self.path.clone());
        state
            .root()
            .join("installs")
            .join(format!("{}.json", Project::at(path).key()))
    }

    fn remembered(&self, state: &State) -> Option<Remembered> {
        let content = file::read_own(&self.install_record(state), MAX_INSTALL_RECORD).ok()??;
        serde_json::from_slice(&content.bytes).ok()
    }

    fn remember(&self, state: &State, undo: Undo) -> Result<(), Failure> {
        let path = self.install_record(state);
        let remembered = Remembered {
            v: 1,
            settings: self.path.to_string_lossy().into_owned(),
            hooks_dir: self.hooks_dir.to_string_lossy().into_owned(),
            undo,
        };
        write::make_dir(path.parent().unwrap_or(state.root()))?;
        let bytes = serde_json::to_vec_pretty(&remembered).unwrap_or_default();
        write::replace(&path, &bytes, write::Durability::Synced)?;
        Ok(())
    }
}

/// The text of a settings file; none where there is no file.
///
/// # Errors
/// [`Failure::File`] where it is another user's, is no regular file or not UTF-8, or cannot be read.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    let Some(content) = file::read_any(path, edit::MAX_BYTES)? else {
        return Ok(None);
    };
    let target = file::canonical(path)?;
    if let Some(found) = file::look(&target)?.filter(|found| found.owner != file::me()) {
        return Err(Error::Unsafe {
            path: target,
            why: Unsafe::ForeignOwner(found.owner),
        }
        .into());
    }
    let text = String::from_utf8(content.bytes);
    let why = |_| Error::Content {
        path: path.to_owned(),
        why: "it is not UTF-8".to_owned(),
    };
    Ok(Some(text.map_err(why)?))
}

/// Copies the text before to `{name}.bak-{time}` beside the file, 0600, and removes the oldest such copies.
fn back_up(change: &Change) -> Result<Option<PathBuf>, Failure> {
    let Some(before) = &change.before else {
        return Ok(None);
    };
    let name = change.path.file_name().unwrap_or_default();
    let mut stem = OsString::from(name);
    stem.push(".bak-");
    let time = clock::now()
        .to_utc()
        .format("%Y%m%dT%H%M%S%6fZ")
        .to_string();
    let mut backup = stem.clone();
    backup.push(time);
    let backup = change.path.with_file_name(backup);
    write::create(&backup, before.as_bytes())?;
    let dir = change.path.parent().unwrap_or(Path::new("/"));
    let mut backups: Vec<OsString> = file::names(dir)?
        .filter(|name| name.as_bytes().starts_with(stem.as_bytes()))
        .collect();
    backups.sort();
    let excess = backups.len().saturating_sub(BACKUPS);
    for old in backups.iter().take(excess) {
        write::remove(&dir.join(old))?;
    }
    Ok(Some(backup))
}
