//! Reads Claude Code's settings files, and changes them by atomic replacement, so that they are
//! never half-written.
//!
//! Claude Code and editors rewrite these files, too. So a file is read again just before it is
//! replaced. If it changed meanwhile, the edit starts again from the new text.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::edit::{self, EditRefusal, HookEntry, Undo, Uninstalled};
use super::ours::OurPrograms;
use crate::claude::commands::command_for;
use crate::claude::settings::SettingsSource;
use crate::claude::versions::{Registration, Version, events_for};
use crate::model::{Project, Timestamp};
use crate::store::lock::{CLI_PATIENCE, Lock};
use crate::store::write::next::{GuardedChange, NextContent, remove_or_empty};
use crate::store::{Environment, Error, StateDir, Untrusted, clock, file, shown, write};

/// How many seconds Claude Code waits for a hook of ccsession. A hook needs a few milliseconds;
/// Claude Code's own default is 600 seconds.
const TIMEOUT: u32 = 5;
/// How often an edit is tried if other programs keep changing the file.
const ATTEMPTS: usize = 3;
/// How many backups of a settings file are kept.
const BACKUPS: usize = 5;
/// How many links and missing directories of a path are followed, as many as Linux follows.
const MAX_HOPS: usize = 40;
const MAX_INSTALL_RECORD: usize = 1 << 20;

/// Which settings file the hooks are registered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsScope {
    /// `~/.claude/settings.json`.
    User,
    /// `.claude/settings.json` of the project.
    Project,
    /// `.claude/settings.local.json` of the project.
    Local,
}

impl SettingsScope {
    /// Every scope, the widest first.
    pub const ALL: [Self; 3] = [Self::User, Self::Project, Self::Local];

    /// Returns the scope's name, as `--scope` accepts it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }

    /// Returns what Claude Code calls the source of this scope's file.
    pub fn source(self) -> SettingsSource {
        match self {
            Self::User => SettingsSource::User,
            Self::Project => SettingsSource::Project,
            Self::Local => SettingsSource::Local,
        }
    }

    /// Returns the path of the scope's file.
    pub fn path(self, claude_dir: &Path, project: &Project) -> PathBuf {
        match self {
            Self::User => claude_dir.join("settings.json"),
            Self::Project => project.root().join(".claude/settings.json"),
            Self::Local => project.root().join(".claude/settings.local.json"),
        }
    }

    /// Returns the permission bits of a new file. Everybody can read the project's file; the others
    /// are private.
    fn mode(self) -> u32 {
        match self {
            Self::User | Self::Local => 0o600,
            Self::Project => 0o644,
        }
    }
}

/// Why a settings file was not changed.
#[derive(Debug)]
pub enum SettingsError {
    /// The file cannot be read or written.
    File(Error),
    /// The file's text must not be edited.
    Refused {
        /// The settings file.
        path: PathBuf,
        /// The reason, with its remedy.
        why: EditRefusal,
    },
    /// Other programs kept changing the file.
    Contended(PathBuf),
}

impl fmt::Display for SettingsError {
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

impl std::error::Error for SettingsError {}

impl From<Error> for SettingsError {
    fn from(err: Error) -> Self {
        Self::File(err)
    }
}

/// What is stored about an install, so that uninstalling restores exactly what was there.
#[derive(Debug, Serialize, Deserialize)]
struct InstallRecord {
    v: u64,
    settings: String,
    hooks_dir: String,
    /// True if the directory of the settings file was created for it.
    #[serde(default)]
    made_dir: bool,
    /// The version of Claude Code at the install, if it was known.
    #[serde(default)]
    client: Option<String>,
    undo: Undo,
}

/// Whether to make a change, or only to compute it.
#[derive(Debug, Clone, Copy)]
pub enum ChangeMode<'a> {
    /// Makes the change, and stores in this state directory how to undo it.
    Real(&'a StateDir),
    /// Computes the change; creates, locks and writes nothing.
    Dry(Option<&'a StateDir>),
}

impl<'a> ChangeMode<'a> {
    fn lock(self) -> Result<Option<Lock>, SettingsError> {
        match self {
            Self::Real(state) => Ok(Some(state.lock(CLI_PATIENCE)?)),
            Self::Dry(_) => Ok(None),
        }
    }

    fn state(self) -> Option<&'a StateDir> {
        match self {
            Self::Real(state) => Some(state),
            Self::Dry(state) => state,
        }
    }
}

/// A change of a settings file. On a dry run it was computed, but not made.
#[derive(Debug)]
pub struct Change {
    /// The path of the file, with links followed.
    pub path: PathBuf,
    /// The text of the file before the change; `None` if there was no file.
    pub before: Option<String>,
    /// The text of the file after the change; `None` if the file is deleted.
    pub after: Option<String>,
    /// The backup with the text before the change, if a file was replaced.
    pub backup: Option<PathBuf>,
    /// True if the directory of the settings file was created for it.
    made_dir: bool,
}

impl Change {
    /// Returns whether the change changes anything.
    pub fn is_one(&self) -> bool {
        self.before != self.after
    }
}

/// A settings file and what is needed to edit it.
#[derive(Debug)]
pub struct SettingsEditor {
    /// The path of the file.
    pub path: PathBuf,
    /// The scope of the file.
    pub scope: SettingsScope,
    /// The folder of the hooks' executables.
    pub hooks_dir: PathBuf,
    /// Recognises the commands of ccsession in the file.
    ours: OurPrograms,
}

impl SettingsEditor {
    /// Describes the settings file at `path`, for the executables in `hooks_dir`.
    pub fn new(env: &Environment, path: PathBuf, scope: SettingsScope, hooks_dir: &Path) -> Self {
        let ours = OurPrograms::new(env, hooks_dir, Vec::new()).in_file(&path);
        Self {
            path,
            scope,
            hooks_dir: hooks_dir.to_owned(),
            ours,
        }
    }

    /// Lets the editor also recognise the folders of all recorded installs as ccsession's.
    #[must_use]
    pub fn knowing(mut self, installs: &[Install]) -> Self {
        let earlier = installs.iter().map(|install| install.hooks_dir.clone());
        self.ours.add(earlier);
        self
    }

    /// Returns Claude Code's version at the last install, if it was known. Useful for a process
    /// that cannot find Claude Code, for example one that cron starts.
    pub fn client_at_last_install(&self, state: Option<&StateDir>) -> Option<Version> {
        let remembered = recall(state?, &resolved(&self.path))?;
        Version::parse(&remembered.client?)
    }

    /// Registers the hooks that Claude Code of this `version` knows.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if the file cannot be read, edited or written. The file is
    /// unchanged, unless only storing the undo failed.
    pub fn install(
        &self,
        run: ChangeMode<'_>,
        version: Option<Version>,
    ) -> Result<Change, SettingsError> {
        let _lock = run.lock()?;
        let path = resolved(&self.path);
        let remembered = run.state().and_then(|state| recall(state, &path));
        let previous = remembered.as_ref().map(|remembered| &remembered.undo);
        let wanted = self.wanted(version);
        let mut undo = None;
        let change = self.change(run, path, |text| {
            let ours = self.ours_in(text, remembered.as_ref());
            let installed = edit::install(text, &wanted, previous, |command| {
                ours.only(command).is_some()
            })?;
            undo = Some(installed.undo);
            Ok(if installed.changed {
                Some(installed.text)
            } else {
                text.map(str::to_owned)
            })
        })?;
        if let (ChangeMode::Real(state), Some(undo)) = (run, undo) {
            let made_before = remembered.is_some_and(|remembered| remembered.made_dir);
            let remembered = InstallRecord {
                v: 1,
                settings: self.path.to_string_lossy().into_owned(),
                hooks_dir: self.hooks_dir.to_string_lossy().into_owned(),
                made_dir: change.made_dir || made_before,
                client: version.map(|version| version.to_string()),
                undo,
            };
            remember(state, &change.path, &remembered)?;
        }
        Ok(change)
    }

    /// Removes the hooks again: the exact inverse of [`Self::install`], whatever other programs
    /// changed in the file meanwhile.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if the file cannot be read, edited or written. The file is
    /// unchanged, unless only removing the undo failed.
    pub fn uninstall(&self, run: ChangeMode<'_>) -> Result<Change, SettingsError> {
        let _lock = run.lock()?;
        let path = resolved(&self.path);
        let remembered = run.state().and_then(|state| recall(state, &path));
        let undo = remembered.as_ref().map(|remembered| &remembered.undo);
        let change = self.change(run, path, |text| {
            let Some(text) = text else {
                return Ok(None);
            };
            let ours = self.ours_in(Some(text), remembered.as_ref());
            let uninstalled = edit::uninstall(text, undo, |command| ours.only(command).is_some())?;
            Ok(match uninstalled {
                Uninstalled::Unchanged => Some(text.to_owned()),
                Uninstalled::Text(text) => Some(text),
                Uninstalled::Delete => None,
            })
        })?;
        if let ChangeMode::Real(state) = run {
            let made_dir = remembered.is_some_and(|remembered| remembered.made_dir);
            if let (true, None, Some(dir)) = (made_dir, &change.after, change.path.parent()) {
                let _ = write::remove_empty_dir(dir);
            }
            write::remove(&install_record(state, &change.path))?;
        }
        Ok(change)
    }

    /// Returns what recognises the commands of ccsession in this text of the file.
    pub fn ours(&self, text: &str) -> OurPrograms {
        self.ours_in(Some(text), None)
    }

    fn ours_in(&self, text: Option<&str>, remembered: Option<&InstallRecord>) -> OurPrograms {
        let mut ours = self.ours.clone();
        ours.add(remembered.map(|remembered| PathBuf::from(&remembered.hooks_dir)));
        let commands = text.and_then(|text| edit::all_commands(text).ok());
        let commands = commands.unwrap_or_default();
        let commands = commands.iter();
        ours.with_gone(commands.map(|(event, command)| (event.as_str(), command.as_str())))
    }

    fn wanted(&self, version: Option<Version>) -> Vec<HookEntry<'static>> {
        let handler = |registration: Registration| {
            let (command, exec_form) = command_for(
                &self
                    .hooks_dir
                    .join(registration.executable)
                    .to_string_lossy(),
            );
            HookEntry {
                event: registration.event,
                command,
                exec_form,
                timeout: TIMEOUT,
            }
        };
        events_for(version).into_iter().map(handler).collect()
    }

    /// Edits the file, and tries again if another program changed it meanwhile.
    fn change(
        &self,
        run: ChangeMode<'_>,
        path: PathBuf,
        mut edit: impl FnMut(Option<&str>) -> Result<Option<String>, EditRefusal>,
    ) -> Result<Change, SettingsError> {
        let mut made_dir = false;
        for _ in 0..ATTEMPTS {
            let before = read(&path)?;
            let after = edit(before.as_deref()).map_err(|why| SettingsError::Refused {
                path: path.clone(),
                why,
            })?;
            let mut change = Change {
                path: path.clone(),
                before,
                after,
                backup: None,
                made_dir,
            };
            if !change.is_one() {
                return Ok(change);
            }
            if change.before.is_none() {
                check_new(&path)?;
            }
            let ChangeMode::Real(state) = run else {
                return Ok(change);
            };
            let put = self.put(state, &mut change)?;
            made_dir = change.made_dir;
            if put == GuardedChange::Done && read(&path)? == change.after {
                if let ChangeMode::Real(state) = run {
                    prune_backups(state, &path);
                }
                return Ok(change);
            }
        }
        Err(SettingsError::Contended(path))
    }

    /// Replaces the file's text before the change by the text after it.
    fn put(&self, state: &StateDir, change: &mut Change) -> Result<GuardedChange, SettingsError> {
        let Some(after) = &change.after else {
            // A file that is deleted contains only what an install wrote, so it needs no backup.
            let before = change.before.as_deref().unwrap_or_default();
            return Ok(remove_or_empty(&change.path, before.as_bytes())?);
        };
        if let (None, Some(dir)) = (&change.before, change.path.parent()) {
            change.made_dir |= write::make_plain_dir(dir)?;
        }
        let next = NextContent::of(&change.path, after.as_bytes(), self.scope.mode())?;
        let Some(before) = &change.before else {
            let is_created = read(&change.path)?.is_none() && next.create()?;
            return Ok(match is_created {
                true => GuardedChange::Done,
                false => GuardedChange::Overtaken,
            });
        };
        let backup = backup_path(state, &change.path);
        write::make_dir(backup.parent().unwrap_or(state.root()))?;
        write::create(&backup, before.as_bytes(), write::Durability::Synced)?;
        let put = next.put(before.as_bytes());
        match put {
            Ok(GuardedChange::Done) => change.backup = Some(backup),
            _ => drop(write::remove(&backup)),
        }
        Ok(put?)
    }
}

/// Returns the path at which the file at `path` really is or will be. An edit then keeps links, for
/// example into a folder of dotfiles.
pub fn resolved(path: &Path) -> PathBuf {
    follow(path, MAX_HOPS)
}

fn follow(path: &Path, hops: usize) -> PathBuf {
    if let Ok(found) = file::canonical(path) {
        return found;
    }
    let (Some(dir), Some(name), Some(hops)) =
        (path.parent(), path.file_name(), hops.checked_sub(1))
    else {
        return path.to_owned();
    };
    match file::link_target(path) {
        Some(target) => follow(&dir.join(target), hops),
        None => follow(dir, hops).join(name),
    }
}

/// A recorded install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The settings file.
    pub settings: PathBuf,
    /// The folder of the executables that were registered.
    pub hooks_dir: PathBuf,
    /// The file with the install's record.
    record: PathBuf,
}

impl Install {
    /// Returns the scope of the settings file, if Claude Code's own directory is `claude_dir`.
    pub fn scope(&self, claude_dir: Option<&Path>) -> SettingsScope {
        let is_local = self
            .settings
            .file_name()
            .is_some_and(|name| name == "settings.local.json");
        match self.settings.parent() {
            Some(dir) if Some(dir) == claude_dir => SettingsScope::User,
            _ if is_local => SettingsScope::Local,
            Some(dir) if dir.ends_with(".claude") => SettingsScope::Project,
            _ => SettingsScope::User,
        }
    }
}

/// Returns every recorded install, sorted by settings file.
///
/// # Errors
/// Fails if the records cannot be listed. A record that cannot be read is skipped.
pub fn installs(state: &StateDir) -> Result<Vec<Install>, SettingsError> {
    let dir = state.root().join(INSTALLS);
    let mut found: Vec<Install> = Vec::new();
    for name in file::names(&dir)? {
        let record = dir.join(name);
        let Some(remembered) = recalled(&record) else {
            continue;
        };
        found.push(Install {
            settings: PathBuf::from(remembered.settings),
            hooks_dir: PathBuf::from(remembered.hooks_dir),
            record,
        });
    }
    found.sort_by(|one, other| one.settings.cmp(&other.settings));
    Ok(found)
}

/// Returns when hooks were last registered, or `None` if that is not on record.
pub fn installed_at(state: &StateDir) -> Option<Timestamp> {
    let installs = installs(state).ok()?.into_iter();
    let at = installs.filter_map(|it| Some(file::look(&it.record).ok()??.meta.modified));
    at.max()
}

/// The folder of the install records, in the state directory.
const INSTALLS: &str = "installs";

/// Returns the path of the install record for the settings file at `path`, which must be resolved.
fn install_record(state: &StateDir, path: &Path) -> PathBuf {
    let key = Project::at(path.to_owned()).key();
    state.root().join(INSTALLS).join(format!("{key}.json"))
}

fn recall(state: &StateDir, path: &Path) -> Option<InstallRecord> {
    recalled(&install_record(state, path))
}

fn recalled(record: &Path) -> Option<InstallRecord> {
    let content = file::read_own(record, MAX_INSTALL_RECORD).ok()??;
    serde_json::from_slice(&content.bytes).ok()
}

fn remember(
    state: &StateDir,
    path: &Path,
    remembered: &InstallRecord,
) -> Result<(), SettingsError> {
    let record = install_record(state, path);
    write::make_dir(record.parent().unwrap_or(state.root()))?;
    let bytes = serde_json::to_vec_pretty(remembered).unwrap_or_default();
    write::replace(&record, &bytes, write::Durability::Synced)?;
    Ok(())
}

/// Returns the text of a settings file, or `None` if there is no file.
///
/// # Errors
/// Returns [`SettingsError::File`] if the file belongs to another user, is not a regular file, is
/// not UTF-8, or cannot be read.
pub fn read(path: &Path) -> Result<Option<String>, SettingsError> {
    let Some(content) = file::read_any(path, edit::MAX_BYTES)? else {
        return Ok(None);
    };
    let target = file::canonical(path)?;
    if let Some(found) = file::look(&target)?.filter(|found| found.owner != file::me()) {
        return Err(Error::Untrusted {
            path: target,
            why: Untrusted::ForeignOwner(found.owner),
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

/// Fails if root would create the file at `path` among another user's files. That user could not
/// change the file, and Claude Code could not either.
fn check_new(path: &Path) -> Result<(), SettingsError> {
    if file::me() != 0 {
        return Ok(());
    }
    for dir in path.ancestors().skip(1) {
        let Some(found) = file::look(dir)? else {
            continue;
        };
        return match found.owner {
            0 => Ok(()),
            other => Err(Error::Untrusted {
                path: dir.to_owned(),
                why: Untrusted::ForeignOwner(other),
            }
            .into()),
        };
    }
    Ok(())
}

/// The folder of the backups, in the state directory. There, nobody commits a backup to a
/// repository, and no other user reads it.
const BACKUPS_DIR: &str = "backups";
/// The part of a backup's name between the file's name and the time.
const BACKUP: &str = ".bak-";

/// Returns the beginning of the names of all backups of the file at `path`.
fn backup_stem(path: &Path) -> OsString {
    let mut stem = OsString::from(Project::at(path.to_owned()).key().to_string());
    stem.push(".");
    stem.push(path.file_name().unwrap_or_default());
    stem.push(BACKUP);
    stem
}

/// Returns the path of a new backup of the file at `path`:
/// `{key}.{name}.bak-20261120T142752467733Z`.
fn backup_path(state: &StateDir, path: &Path) -> PathBuf {
    let mut name = backup_stem(path);
    name.push(
        clock::now()
            .to_utc()
            .format("%Y%m%dT%H%M%S%6fZ")
            .to_string(),
    );
    state.root().join(BACKUPS_DIR).join(name)
}

/// Removes the oldest backups of the file at `path`. Ignores failures.
fn prune_backups(state: &StateDir, path: &Path) {
    let dir = state.root().join(BACKUPS_DIR);
    let stem = backup_stem(path);
    let is_backup = |name: &OsString| {
        let time = name.as_bytes().strip_prefix(stem.as_bytes());
        time.is_some_and(is_backup_time)
    };
    let names = file::names(&dir).into_iter().flatten();
    let mut backups: Vec<OsString> = names.filter(is_backup).collect();
    backups.sort();
    let excess = backups.len().saturating_sub(BACKUPS);
    for old in backups.iter().take(excess) {
        let _ = write::remove(&dir.join(old));
    }
}

/// Returns whether `text` is a time in the form `20261120T142752467733Z`.
fn is_backup_time(text: &[u8]) -> bool {
    let stands = |(place, byte): (usize, &u8)| match place {
        8 => *byte == b'T',
        21 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 22 && text.iter().enumerate().all(stands)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests are the others who change the file"
)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::store::{Decompressor, Places};

    struct Fixture {
        dir: TempDir,
        state: StateDir,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let places = Places {
                state: Some(dir.path().join("state")),
                pointers: dir.path().to_owned(),
                config: None,
            };
            let state = StateDir::create(&places, Decompressor::BUILT_IN).unwrap();
            Self { dir, state }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("settings.json")
        }

        /// Makes one change by `edit`, which others may disturb.
        fn change(
            &self,
            edit: impl FnMut(Option<&str>) -> Result<Option<String>, EditRefusal>,
        ) -> Result<Change, SettingsError> {
            let env = Environment::default();
            let settings = SettingsEditor::new(
                &env,
                self.path(),
                SettingsScope::User,
                Path::new("/libexec"),
            );
            settings.change(ChangeMode::Real(&self.state), self.path(), edit)
        }

        fn text(&self) -> Option<String> {
            fs::read_to_string(self.path()).ok()
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(self.dir.path()).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name != "state")
                .collect();
            names.sort();
            names
        }
    }

    fn append(text: Option<&str>) -> Option<String> {
        Some(format!("{}+ours", text.unwrap_or_default()))
    }

    #[test]
    fn a_change_in_between_is_built_upon() {
        for before in [None, Some("a")] {
            let place = Fixture::new();
            before.inspect(|before| fs::write(place.path(), before).unwrap());
            let mut rounds = 0;
            let change = place.change(|text| {
                rounds += 1;
                if rounds == 1 {
                    fs::write(place.path(), "theirs").unwrap();
                }
                Ok(append(text))
            });
            let change = change.unwrap();
            assert_eq!((rounds, change.before.as_deref()), (2, Some("theirs")));
            assert_eq!(place.text().as_deref(), Some("theirs+ours"));
            let backup = change.backup.unwrap();
            assert_eq!(fs::read_to_string(&backup).unwrap(), "theirs");
            assert!(backup.starts_with(place.state.root().join(BACKUPS_DIR)));
            assert_eq!(place.files(), ["settings.json"]);
        }
    }

    #[test]
    fn a_removal_in_between_is_built_upon() {
        let place = Fixture::new();
        fs::write(place.path(), "a").unwrap();
        let mut rounds = 0;
        let change = place.change(|text| {
            rounds += 1;
            if rounds == 1 {
                fs::remove_file(place.path()).unwrap();
            }
            Ok(append(text))
        });
        assert_eq!((rounds, change.unwrap().backup), (2, None));
        assert_eq!(place.text().as_deref(), Some("+ours"));
        assert_eq!(place.files(), ["settings.json"]);
    }

    #[test]
    fn what_somebody_changed_is_not_removed() {
        let place = Fixture::new();
        fs::write(place.path(), "a").unwrap();
        let change = place.change(|text| {
            let goes = text == Some("a");
            fs::write(place.path(), "theirs").unwrap();
            Ok(if goes { None } else { text.map(str::to_owned) })
        });
        assert!(!change.unwrap().is_one());
        assert_eq!(place.text().as_deref(), Some("theirs"));
    }

    #[test]
    fn a_writer_that_is_always_faster_wins() {
        let place = Fixture::new();
        fs::write(place.path(), "a").unwrap();
        let mut rounds = 0;
        let change = place.change(|text| {
            rounds += 1;
            fs::write(place.path(), format!("theirs {rounds}")).unwrap();
            Ok(append(text))
        });
        let why = change.unwrap_err().to_string();
        let path = place.path();
        assert_eq!(
            why,
            format!(
                "could not edit `{}`: somebody else keeps changing it; try again",
                path.display()
            )
        );
        assert_eq!(rounds, ATTEMPTS);
        assert_eq!(place.text().as_deref(), Some("theirs 3"));
        assert_eq!(place.files(), ["settings.json"]);
    }

    #[test]
    fn the_mode_that_somebody_set_in_between_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let place = Fixture::new();
        fs::write(place.path(), "a").unwrap();
        let change = place.change(|text| {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(0o640)).unwrap();
            Ok(append(text))
        });
        assert!(change.unwrap().is_one());
        let mode = fs::metadata(place.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn only_a_time_as_we_write_it_makes_a_backup() {
        let place = Fixture::new();
        let path = Path::new("/a/settings.json");
        let backup = backup_path(&place.state, path);
        let name = backup.file_name().unwrap();
        let time = name.as_bytes().strip_prefix(backup_stem(path).as_bytes());
        assert!(is_backup_time(time.unwrap()), "{name:?}");
        for other in [
            "",
            "mine",
            "20261120",
            "20261120T142752467733z",
            "20261120 142752467733Z",
            "20261120T142752467733Z.gz",
            "2026112aT142752467733Z",
        ] {
            assert!(!is_backup_time(other.as_bytes()), "{other}");
        }
    }
}
