//! Claude Code's settings files: read, changed by one whole replacement, never half-written.
//!
//! Claude Code and editors rewrite these files, too. So a file is read again just before it is replaced; if it changed
//! meanwhile, the edit is made anew on what is there now.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;

use serde::{Deserialize, Serialize};

use super::client::{Version, command_for, events_for, executable_of};
use super::edit::{self, Refusal, Undo, Uninstalled, Wanted};
use crate::model::Project;
use crate::store::lock::{CLI_PATIENCE, Lock};
use crate::store::write::TEMPORARY;
use crate::store::{Error, State, Unsafe, clock, file, shown, write};

/// The seconds that Claude Code waits for a hook of ours. It needs a few milliseconds; the client's own default is 600.
const TIMEOUT: u32 = 5;
/// How often an edit is made anew because somebody else changed the file meanwhile.
const ATTEMPTS: usize = 3;
/// How many backups are kept.
const BACKUPS: usize = 5;
/// How many links and missing directories lead to a file: as many as Linux follows.
const MAX_HOPS: usize = 40;
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
    /// Whether the file's directory was created for it.
    #[serde(default)]
    made_dir: bool,
    /// The client's version, where it was known.
    #[serde(default)]
    client: Option<String>,
    undo: Undo,
}

/// Whether a change is made, or only found.
#[derive(Debug, Clone, Copy)]
pub enum Run<'a> {
    /// It is made, and remembered here.
    Real(&'a State),
    /// It is only found; nothing is created, locked or written.
    Dry(Option<&'a State>),
}

impl<'a> Run<'a> {
    fn lock(self) -> Result<Option<Lock>, Failure> {
        match self {
            Self::Real(state) => Ok(Some(state.lock(CLI_PATIENCE)?)),
            Self::Dry(_) => Ok(None),
        }
    }

    fn state(self) -> Option<&'a State> {
        match self {
            Self::Real(state) => Some(state),
            Self::Dry(state) => state,
        }
    }
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
    /// Whether the file's directory was created for it.
    made_dir: bool,
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
    /// The client's version at the last install, where it was known: for one that does not find the client, as from cron.
    pub fn client_at_last_install(&self, state: Option<&State>) -> Option<Version> {
        let remembered = recall(state?, &resolved(&self.path))?;
        Version::parse(&remembered.client?)
    }

    /// Registers the hooks that a client of `version` knows.
    ///
    /// # Errors
    /// [`Failure`]; then the file is as it was, unless only what was done could not be remembered.
    pub fn install(&self, run: Run<'_>, version: Option<Version>) -> Result<Change, Failure> {
        let _lock = run.lock()?;
        let path = resolved(&self.path);
        let remembered = run.state().and_then(|state| recall(state, &path));
        let previous = remembered.as_ref().map(|remembered| &remembered.undo);
        let wanted = self.wanted(version);
        let mut undo = None;
        let change = self.change(run, path, |text| {
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
        if let (Run::Real(state), Some(undo)) = (run, undo) {
            let made_before = remembered.is_some_and(|remembered| remembered.made_dir);
            let remembered = Remembered {
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

    /// Takes the hooks out again: the exact inverse of [`Self::install`], whatever others changed in the file meanwhile.
    ///
    /// # Errors
    /// [`Failure`]; then the file is as it was, unless only what was done could not be forgotten.
    pub fn uninstall(&self, run: Run<'_>) -> Result<Change, Failure> {
        let _lock = run.lock()?;
        let path = resolved(&self.path);
        let remembered = run.state().and_then(|state| recall(state, &path));
        let undo = remembered.as_ref().map(|remembered| &remembered.undo);
        let change = self.change(run, path, |text| {
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
        if let Run::Real(state) = run {
            let made_dir = remembered.is_some_and(|remembered| remembered.made_dir);
            if let (true, None, Some(dir)) = (made_dir, &change.after, change.path.parent()) {
                let _ = write::remove_empty_dir(dir);
            }
            write::remove(&install_record(state, &change.path))?;
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
        run: Run<'_>,
        path: PathBuf,
        mut edit: impl FnMut(Option<&str>) -> Result<Option<String>, Refusal>,
    ) -> Result<Change, Failure> {
        let mut made_dir = false;
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
                made_dir,
            };
            if matches!(run, Run::Dry(_)) || !change.is_one() {
                return Ok(change);
            }
            let put = self.put(&mut change)?;
            made_dir = change.made_dir;
            if put && read(&path)? == change.after {
                prune_backups(&path);
                return Ok(change);
            }
        }
        Err(Failure::Contended(path))
    }

    /// Puts the text after in the place of the text before. Whether it did is the answer: not if somebody else changed
    /// the file meanwhile.
    fn put(&self, change: &mut Change) -> Result<bool, Failure> {
        let Some(after) = &change.after else {
            // A file that goes holds nothing but what an install wrote.
            return Ok(read(&change.path)? == change.before && write::remove(&change.path)?);
        };
        let present = file::look(&change.path)?.map(|found| found.mode);
        if let (None, Some(dir)) = (present, change.path.parent()) {
            change.made_dir |= write::make_plain_dir(dir)?;
        }
        let mode = present.unwrap_or(self.scope.mode());
        let next = change
            .path
            .with_file_name(format!("{TEMPORARY}{}", process::id()));
        let backup = change.before.is_some().then(|| backup_path(&change.path));
        let put = || {
            write::replace_with_mode(&next, after.as_bytes(), mode)?;
            if let (Some(backup), Some(before)) = (&backup, &change.before) {
                write::create(backup, before.as_bytes())?;
            }
            // All that takes time is done: between this look and the rename nobody is likely to come.
            if read(&change.path)? != change.before {
                return Ok(false);
            }
            match change.before {
                Some(_) => write::rename(&next, &change.path).map(|()| true),
                None => write::rename_to_free(&next, &change.path),
            }
            .map_err(Failure::File)
        };
        let put = put();
        if matches!(put, Ok(true)) {
            change.backup = backup;
        } else {
            let _ = write::remove(&next);
            let _ = backup.map(|backup| write::remove(&backup));
        }
        put
    }
}

/// Where the file at `path` is or will be: links are followed, as into a folder of dotfiles, and stay.
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

/// What is remembered of the install into the file at `path`, which is resolved.
fn install_record(state: &State, path: &Path) -> PathBuf {
    let key = Project::at(path.to_owned()).key();
    state.root().join("installs").join(format!("{key}.json"))
}

fn recall(state: &State, path: &Path) -> Option<Remembered> {
    let content = file::read_own(&install_record(state, path), MAX_INSTALL_RECORD).ok()??;
    serde_json::from_slice(&content.bytes).ok()
}

fn remember(state: &State, path: &Path, remembered: &Remembered) -> Result<(), Failure> {
    let record = install_record(state, path);
    write::make_dir(record.parent().unwrap_or(state.root()))?;
    let bytes = serde_json::to_vec_pretty(remembered).unwrap_or_default();
    write::replace(&record, &bytes, write::Durability::Synced)?;
    Ok(())
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

/// Between the file's name and the time in the name of a backup.
const BACKUP: &str = ".bak-";

/// A backup of the file at `path`, beside it: `{name}.bak-20261120T142752467733Z`.
fn backup_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let time = clock::now().to_utc().format("%Y%m%dT%H%M%S%6fZ");
    name.push(format!("{BACKUP}{time}"));
    path.with_file_name(name)
}

/// Removes the oldest backups of the file at `path`, where it can. What is named otherwise is somebody else's.
fn prune_backups(path: &Path) {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut stem = path.file_name().unwrap_or_default().to_owned();
    stem.push(BACKUP);
    let is_backup = |name: &OsString| {
        let time = name.as_bytes().strip_prefix(stem.as_bytes());
        time.is_some_and(is_backup_time)
    };
    let names = file::names(dir).into_iter().flatten();
    let mut backups: Vec<OsString> = names.filter(is_backup).collect();
    backups.sort();
    let excess = backups.len().saturating_sub(BACKUPS);
    for old in backups.iter().take(excess) {
        let _ = write::remove(&dir.join(old));
    }
}

/// Whether `text` is `20261120T142752467733Z`, or another time written so.
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
    use crate::store::Places;

    struct Place {
        dir: TempDir,
        state: State,
    }

    impl Place {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let places = Places {
                state: Some(dir.path().join("state")),
                pointers: dir.path().to_owned(),
                config: None,
            };
            let state = State::create(&places).unwrap();
            Self { dir, state }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("settings.json")
        }

        /// One change by `edit`, which may itself be disturbed by others.
        fn change(
            &self,
            edit: impl FnMut(Option<&str>) -> Result<Option<String>, Refusal>,
        ) -> Result<Change, Failure> {
            let settings = Settings {
                path: self.path(),
                scope: Scope::User,
                hooks_dir: Path::new("/libexec"),
            };
            settings.change(Run::Real(&self.state), self.path(), edit)
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
            let place = Place::new();
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
            let backup = backup.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(place.files(), ["settings.json", &backup]);
        }
    }

    #[test]
    fn a_removal_in_between_is_built_upon() {
        let place = Place::new();
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
        let place = Place::new();
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
    fn somebody_who_is_always_faster_wins() {
        let place = Place::new();
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
        let place = Place::new();
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
        let backup = backup_path(Path::new("/a/settings.json"));
        let name = backup.file_name().unwrap().to_str().unwrap();
        let time = name.strip_prefix("settings.json.bak-").unwrap();
        assert!(is_backup_time(time.as_bytes()), "{time}");
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
