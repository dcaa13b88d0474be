//! How long the client keeps transcripts, as its own settings say, and whether sessions are archived by themselves then.
//! The one place that decides it, for whoever archives and whoever tells. Hooks do not ask: they read no settings of the
//! client's, and what they mark is looked at by the cleanup that they leave behind.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lifecycle::transcript::claude_dir;
use crate::model::config::Key;
use crate::store::config::{Loaded, Source};
use crate::store::{Environment, Places, file, shown};

/// For how many days the client keeps transcripts by itself.
pub const USUAL_DAYS: u32 = 30;

/// The client's setting.
const KEY: &str = "cleanupPeriodDays";
/// The most bytes of the client's settings that are read.
const MAX_SETTINGS: usize = 16 << 20;

/// For how long the client keeps transcripts.
#[derive(Debug, Clone, PartialEq)]
pub struct Keeping {
    /// For how many days, never less than none.
    pub days: f64,
    /// Where that is said, if it is, and the words.
    said: Option<(PathBuf, String)>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            days: f64::from(USUAL_DAYS),
            said: None,
        }
    }
}

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.said {
            Some((_, days)) => f.write_str(days),
            None => self.days.fmt(f),
        }
    }
}

impl Keeping {
    /// As the user's settings of the client say. Where they cannot be read the client cannot go by them either.
    pub fn of_client(env: &Environment) -> Self {
        let read = || {
            let path = claude_dir(env)?.join("settings.json");
            let content = file::read_any(&path, MAX_SETTINGS).ok()??;
            Some(Self::in_text(
                &path,
                &String::from_utf8(content.bytes).ok()?,
            ))
        };
        read().unwrap_or_default()
    }

    /// As this text of the settings at `path` says. A number below zero, and what is no number, is as good as nothing. Zero
    /// is not: of the clients there are, some refuse it and others keep no transcript then.
    pub fn in_text(path: &Path, text: &str) -> Self {
        let said = || {
            let settings: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
            let value = settings.get(KEY)?;
            let days = value.as_f64().filter(|days| *days >= 0.0)?;
            Some((days, value.to_string()))
        };
        said().map_or_else(Self::default, |(days, text)| Self {
            days,
            said: Some((path.to_owned(), text)),
        })
    }
}

/// The settings, settled whether sessions that have ended are archived by themselves. Whoever told the client to keep transcripts for less
/// than it would wants no archives of them, unless `archive.auto` is set.
pub fn settled(mut loaded: Loaded, keeping: &Keeping) -> Loaded {
    if let Some((path, _)) = &keeping.said
        && keeping.days < f64::from(USUAL_DAYS)
    {
        loaded.archive_nothing_unasked(path);
    }
    loaded
}

/// Why nothing is archived by itself, where it is the client's settings that say so, and what helps.
pub fn objection(loaded: &Loaded, keeping: &Keeping, places: &Places) -> Option<(String, String)> {
    let Source::Client(path) = loaded.source(Key::ArchiveAuto) else {
        return None;
    };
    let found = format!(
        "nothing is archived by itself: {KEY} is {keeping} in {}",
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
    fn check(text: &str, days: f64) {
        let keeping = Keeping::in_text(Path::new("/settings.json"), text);
        assert_eq!(keeping.days.to_bits(), days.to_bits(), "{text}");
    }

    #[test]
    fn only_a_number_says_how_long() {
        for value in ["-1", "\"7\"", "null", "true", "[7]", "{}", "1e999"] {
            check(&format!("{{\"{KEY}\": {value}}}"), f64::from(USUAL_DAYS));
        }
        for (value, days) in [
            ("0", 0.0),
            ("0.5", 0.5),
            ("7", 7.0),
            ("99999", 99_999.0),
            ("1e300", 1e300),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ] {
            check(&format!("{{\"{KEY}\": {value}}}"), days);
        }
        for text in ["", "{}", "[]", "{\"cleanupPeriodDays\": 7,}", "7"] {
            check(text, f64::from(USUAL_DAYS));
        }
        check("\u{feff}{\"cleanupPeriodDays\": 7}", 7.0);
    }
}
