//! Finds out how long Claude Code keeps transcripts, and decides whether ended sessions are
//! archived automatically. No other module decides this. Hooks do not read Claude Code's settings:
//! they put every ended session into the archive queue, and the cleanup decides.
//!
//! Claude Code deletes the transcripts of **all** projects by the number of days in the settings of
//! the directory where it is started. So the smallest number counts, whichever file has it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::{self, files_of, project_files};
use crate::model::config::ConfigKey;
use crate::store::config::{ConfigSource, LoadedConfig};
use crate::store::{Environment, Places, StateDir, file, project, shown};

/// How many days Claude Code keeps transcripts by default.
pub const USUAL_DAYS: u32 = 30;

/// The key of the retention period in Claude Code's settings.
const KEY: &str = "cleanupPeriodDays";
/// The largest settings file that is read, in bytes.
const MAX_SETTINGS: usize = 16 << 20;

/// A number of days, and the settings file that sets it.
#[derive(Debug, Clone, PartialEq)]
struct PeriodSetting {
    path: PathBuf,
    days: f64,
}

/// How long Claude Code keeps transcripts.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// How many days Claude Code keeps transcripts; never negative.
    pub days: f64,
    /// The setting that decides, if any file has one.
    said: Option<PeriodSetting>,
    /// The setting of the user or of the machine's administrator. It holds for every project, so it
    /// is a deliberate choice.
    wish: Option<PeriodSetting>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            days: f64::from(USUAL_DAYS),
            said: None,
            wish: None,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.days.fmt(f)
    }
}

impl Retention {
    /// Reads the settings that hold wherever Claude Code is started: the user's and the managed
    /// ones. Managed settings override all others.
    pub fn of_client(env: &Environment) -> Self {
        let files = files_of(env).into_iter().rev();
        let mut all = files.filter_map(|path| {
            Some(PeriodSetting {
                days: said(&path)?,
                path,
            })
        });
        let Some(wish) = all.next() else {
            return Self::default();
        };
        Self {
            days: wish.days,
            said: Some(wish.clone()),
            wish: Some(wish),
        }
    }

    /// Reads all known settings: the user's and the managed ones, those of the directory `here`,
    /// and those of every directory on record.
    pub fn of_all(env: &Environment, here: Option<&Path>, state: Option<&StateDir>) -> Self {
        let mut keeping = Self::of_client(env);
        let is_managed = |said: &PeriodSetting| said.path.starts_with(settings::MANAGED_DIR);
        if keeping.wish.as_ref().is_some_and(is_managed) {
            return keeping;
        }
        let mut starts: BTreeSet<PathBuf> = here.into_iter().map(Path::to_owned).collect();
        starts.extend(state.into_iter().flat_map(starts_on_record));
        let files: BTreeSet<PathBuf> = starts
            .iter()
            .flat_map(|start| project_files(env, start))
            .collect();
        for path in files {
            if let Some(days) = said(&path).filter(|days| *days < keeping.days) {
                keeping.days = days;
                keeping.said = Some(PeriodSetting { path, days });
            }
        }
        keeping
    }

    /// Returns the settings file of a project, if such a file decides. Returns `None` if the user's
    /// or the managed settings decide.
    pub fn elsewhere(&self) -> Option<&Path> {
        let said = self.said.as_ref()?;
        (self.wish.as_ref() != Some(said)).then_some(&said.path)
    }
}

/// Returns the number of days in the settings file at `path`. A negative number or any other value
/// counts as absent. Zero counts: some versions of Claude Code refuse it, and others keep no
/// transcript at all.
pub(crate) fn said(path: &Path) -> Option<f64> {
    let content = file::read_any(path, MAX_SETTINGS).ok()??;
    days_in(&content.bytes)
}

fn days_in(bytes: &[u8]) -> Option<f64> {
    settings::number(bytes, KEY).filter(|days| *days >= 0.0 && days.is_finite())
}

/// Returns the directories in which the recorded sessions started, and their projects' directories.
fn starts_on_record(state: &StateDir) -> BTreeSet<PathBuf> {
    let mut starts = BTreeSet::new();
    // Skip what cannot be listed or read: the commands that show sessions report it.
    for id in state.session_ids().into_iter().flatten() {
        let Ok(Some(record)) = state.session(&id).record() else {
            continue;
        };
        starts.extend(record.cwd.as_ref().map(PathBuf::from));
        starts.insert(PathBuf::from(&record.project.root));
    }
    starts
}

/// Returns the start directory whose settings matter: that of the calling Claude Code, or else the
/// working directory.
pub fn here(env: &Environment) -> Option<PathBuf> {
    let start = env.claude_project_dir.clone();
    start.or_else(|| project::current_dir().ok())
}

/// Turns automatic archiving off for a user who makes Claude Code keep transcripts for less than
/// its default, unless `archive.auto` is set. Such a user wants no archives. The settings of one
/// project do not decide this, although they delete the transcripts of all others too.
pub fn settled(mut loaded: LoadedConfig, keeping: &Retention) -> LoadedConfig {
    if let Some(wish) = &keeping.wish
        && wish.days < f64::from(USUAL_DAYS)
    {
        loaded.archive_nothing_unasked(&wish.path);
    }
    loaded
}

/// If Claude Code's settings are the reason why nothing is archived automatically, returns a
/// sentence that says so, and the remedy.
pub fn objection(
    loaded: &LoadedConfig,
    keeping: &Retention,
    places: &Places,
) -> Option<(String, String)> {
    let ConfigSource::Client(path) = loaded.source(ConfigKey::ArchiveAuto) else {
        return None;
    };
    let days = keeping.wish.as_ref().map_or(keeping.days, |wish| wish.days);
    let found = format!(
        "nothing is archived automatically: {KEY} is {days} in {}",
        shown(path)
    );
    let place = match &places.config {
        Some(path) => format!("in {}", shown(path)),
        None => "in the configuration file".to_owned(),
    };
    Some((found, format!("set `archive.auto = true` {place}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, days: Option<f64>) {
        let found = days_in(text.as_bytes());
        assert_eq!(found.map(f64::to_bits), days.map(f64::to_bits), "{text}");
    }

    #[test]
    fn only_a_number_says_how_long() {
        for value in ["-1", "\"7\"", "null", "true", "[7]", "{}", "1e999"] {
            check(&format!("{{\"{KEY}\": {value}}}"), None);
        }
        for (value, days) in [
            ("0", 0.0),
            ("0.5", 0.5),
            ("7", 7.0),
            ("99999", 99_999.0),
            ("1e300", 1e300),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ] {
            check(&format!("{{\"{KEY}\": {value}}}"), Some(days));
        }
        for text in ["", "{}", "[]", "{\"cleanupPeriodDays\": 7,}", "7"] {
            check(text, None);
        }
        check("\u{feff}{\"cleanupPeriodDays\": 7}", Some(7.0));
        check(
            "{\"cleanupPeriodDays\": 7, \"cleanupPeriodDays\": 3}",
            Some(3.0),
        );
    }
}
