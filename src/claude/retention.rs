//! How long the client keeps transcripts, as its own settings say, and whether sessions are archived by themselves then.
//! The one place that decides it, for whoever archives and whoever tells. Hooks do not ask: they read no settings of the
//! client's, and what they mark is looked at by the cleanup that they leave behind.
//!
//! A client deletes the transcripts of **all** projects by the number that it finds where it is started. So the shortest one
//! counts, wherever it stands.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::{self, files_of, project_files};
use crate::model::config::Key;
use crate::store::config::{Loaded, Source};
use crate::store::{Environment, Places, State, file, project, shown};

/// For how many days the client keeps transcripts by itself.
pub const USUAL_DAYS: u32 = 30;

/// The client's setting.
const KEY: &str = "cleanupPeriodDays";
/// The most bytes of the client's settings that are read.
const MAX_SETTINGS: usize = 16 << 20;

/// A number of days that a settings file says.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    path: PathBuf,
    days: f64,
}

/// For how long the client keeps transcripts.
#[derive(Debug, Clone, PartialEq)]
pub struct Keeping {
    /// For how many days, never less than none.
    pub days: f64,
    /// Where that is said, if it is.
    said: Option<Said>,
    /// What the user says, or who manages the machine: for every project, and so on purpose.
    wish: Option<Said>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            days: f64::from(USUAL_DAYS),
            said: None,
            wish: None,
        }
    }
}

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.days.fmt(f)
    }
}

impl Keeping {
    /// As the settings say that count wherever a client is started: the user's, and those of whoever manages the machine,
    /// which outweigh all others.
    pub fn of_client(env: &Environment) -> Self {
        let files = files_of(env).into_iter().rev();
        let mut all = files.filter_map(|path| {
            Some(Said {
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

    /// As all settings say that are known: besides the user's those of the directory `here`, and of every directory on record.
    pub fn of_all(env: &Environment, here: Option<&Path>, state: Option<&State>) -> Self {
        let mut keeping = Self::of_client(env);
        let is_managed = |said: &Said| said.path.starts_with(settings::MANAGED_DIR);
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
                keeping.said = Some(Said { path, days });
            }
        }
        keeping
    }

    /// The file that says so, if it is not the user's own: another project's, or that of whoever manages the machine.
    pub fn elsewhere(&self) -> Option<&Path> {
        let said = self.said.as_ref()?;
        (self.wish.as_ref() != Some(said)).then_some(&said.path)
    }
}

/// The number of days in the settings file at `path`, if it is one that is heeded. A number below zero, and what is no
/// number, is as good as nothing. Zero is not: of the clients there are, some refuse it and others keep no transcript then.
pub(crate) fn said(path: &Path) -> Option<f64> {
    let content = file::read_any(path, MAX_SETTINGS).ok()??;
    days_in(&content.bytes)
}

fn days_in(bytes: &[u8]) -> Option<f64> {
    settings::number(bytes, KEY).filter(|days| *days >= 0.0 && days.is_finite())
}

/// Where the clients of all sessions on record were started.
fn starts_on_record(state: &State) -> BTreeSet<PathBuf> {
    let mut starts = BTreeSet::new();
    // What cannot be listed or read is said by whoever shows it.
    for id in state.session_ids().into_iter().flatten() {
        let Ok(Some(record)) = state.session(&id).record() else {
            continue;
        };
        starts.extend(record.cwd.as_ref().map(PathBuf::from));
        starts.insert(PathBuf::from(&record.project.root));
    }
    starts
}

/// Where a client is started that is asked about here: where the calling one was, else in the working directory.
pub fn here(env: &Environment) -> Option<PathBuf> {
    let start = env.claude_project_dir.clone();
    start.or_else(|| project::current_dir().ok())
}

/// The settings, settled whether ended sessions are archived automatically. Whoever told the client to keep transcripts for less
/// than it would wants no archives of them, unless `archive.auto` is set. What one project's settings say of it is no wish
/// for the others, whose transcripts go with it.
pub fn settled(mut loaded: Loaded, keeping: &Keeping) -> Loaded {
    if let Some(wish) = &keeping.wish
        && wish.days < f64::from(USUAL_DAYS)
    {
        loaded.archive_nothing_unasked(&wish.path);
    }
    loaded
}

/// Why nothing is archived automatically, where it is the client's settings that say so, and what helps.
pub fn objection(loaded: &Loaded, keeping: &Keeping, places: &Places) -> Option<(String, String)> {
    let Source::Client(path) = loaded.source(Key::ArchiveAuto) else {
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
