//! The configuration: its keys, their defaults, and how a value is parsed. `store` reads the values
//! from a file and the environment.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::duration;
use super::exclude::Exclusions;

/// The value of every setting, after the file and the environment were read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long after it was written a pointer is believed.
    pub ttl: Duration,
    /// The time without an event after which a session is idle.
    pub session_timeout: Duration,
    /// The number of live sessions at which `clock-in` and `run` refuse to begin another.
    pub max_concurrent_sessions: u32,
    /// The shortest interval between two cleanups that hooks, cron or timers start.
    pub cleanup_interval: Duration,
    /// How much of an event the journal keeps.
    pub capture: Capture,
    /// The size in bytes at which a journal continues in a new file.
    pub journal_limit: u64,
    /// Whether ended sessions are archived automatically.
    pub archive_auto: bool,
    /// The time after which an ended session's record and journal are removed; `None` means never.
    pub retention_sessions: Option<Duration>,
    /// The time after which an archive is removed; `None` means never.
    pub retention_archive: Option<Duration>,
    /// Whether the hook `session-start` passes the session id to the model.
    pub context_line: bool,
    /// Whether a cleanup logs that more sessions are live than allowed.
    pub limit_warning: bool,
    /// The directories whose sessions are never recorded.
    pub exclude: Exclusions,
}

/// How much of an event the journal keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// Names, ids, sizes and durations.
    Metadata,
    /// Also a short label of each call, made from allow-listed inputs.
    Summary,
    /// Also the bodies: tool input and output, prompts, messages and errors, redacted and limited
    /// in size.
    Full,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(24 * 60 * 60),
            session_timeout: Duration::from_secs(60 * 60),
            max_concurrent_sessions: 100,
            cleanup_interval: Duration::from_secs(5 * 60),
            capture: Capture::Summary,
            journal_limit: 64 << 20,
            archive_auto: true,
            retention_sessions: None,
            retention_archive: None,
            context_line: false,
            limit_warning: false,
            exclude: Exclusions::default(),
        }
    }
}

/// The name of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is described by the field of Config of its name"
)]
pub enum ConfigKey {
    Ttl,
    SessionTimeout,
    MaxConcurrentSessions,
    CleanupInterval,
    Capture,
    JournalLimit,
    ArchiveAuto,
    RetentionSessions,
    RetentionArchive,
    ContextLine,
    LimitWarning,
    Exclude,
}

impl ConfigKey {
    /// Every key, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Ttl,
        Self::SessionTimeout,
        Self::MaxConcurrentSessions,
        Self::CleanupInterval,
        Self::Capture,
        Self::JournalLimit,
        Self::ArchiveAuto,
        Self::RetentionSessions,
        Self::RetentionArchive,
        Self::ContextLine,
        Self::LimitWarning,
        Self::Exclude,
    ];

    /// Returns the key as it is written in the configuration file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::SessionTimeout => "session_timeout",
            Self::MaxConcurrentSessions => "max_concurrent_sessions",
            Self::CleanupInterval => "cleanup_interval",
            Self::Capture => "capture",
            Self::JournalLimit => "journal_limit",
            Self::ArchiveAuto => "archive.auto",
            Self::RetentionSessions => "retention.sessions",
            Self::RetentionArchive => "retention.archive",
            Self::ContextLine => "context_line",
            Self::LimitWarning => "limit_warning",
            Self::Exclude => "exclude",
        }
    }

    /// Returns the environment variable that overrides the file: `CCSESSION_` and the key.
    pub fn variable(self) -> &'static str {
        // Written out instead of computed, for speed: each hook reads all of them.
        match self {
            Self::Ttl => "CCSESSION_TTL",
            Self::SessionTimeout => "CCSESSION_SESSION_TIMEOUT",
            Self::MaxConcurrentSessions => "CCSESSION_MAX_CONCURRENT_SESSIONS",
            Self::CleanupInterval => "CCSESSION_CLEANUP_INTERVAL",
            Self::Capture => "CCSESSION_CAPTURE",
            Self::JournalLimit => "CCSESSION_JOURNAL_LIMIT",
            Self::ArchiveAuto => "CCSESSION_ARCHIVE_AUTO",
            Self::RetentionSessions => "CCSESSION_RETENTION_SESSIONS",
            Self::RetentionArchive => "CCSESSION_RETENTION_ARCHIVE",
            Self::ContextLine => "CCSESSION_CONTEXT_LINE",
            Self::LimitWarning => "CCSESSION_LIMIT_WARNING",
            Self::Exclude => "CCSESSION_EXCLUDE",
        }
    }

    /// Returns the environment variable of an older session manager that is read if the setting
    /// itself is not set. Times in these variables are in seconds.
    pub fn inherited_variable(self) -> Option<&'static str> {
        match self {
            Self::SessionTimeout => Some("SESSION_TIMEOUT_SECS"),
            Self::MaxConcurrentSessions => Some("SESSION_MAX_CONCURRENT"),
            Self::CleanupInterval => Some("SESSION_CLEANUP_INTERVAL"),
            _ => None,
        }
    }

    /// Returns a one-line description of the key.
    pub fn help(self) -> &'static str {
        match self {
            Self::Ttl => "how long a pointer in /tmp is fresh",
            Self::SessionTimeout => "how long after its last event a session is idle",
            Self::MaxConcurrentSessions => {
                "how many sessions may be live before `clock-in` and `run` refuse to begin another"
            }
            Self::CleanupInterval => "how often `cleanup --if-due` really sweeps",
            Self::Capture => {
                "what the journal keeps: `metadata`, `summary` with a short label of each call, or `full` with the redacted text of tools, prompts and messages"
            }
            Self::JournalLimit => "the size at which a journal continues in a new file",
            Self::ArchiveAuto => "whether sessions that have ended are archived automatically",
            Self::RetentionSessions => {
                "after how long the record and journal of an ended, archived session are removed, or `never`"
            }
            Self::RetentionArchive => "after how long an archive is removed, or `never`",
            Self::ContextLine => "whether session-start tells the model the session id",
            Self::LimitWarning => {
                "whether a cleanup logs that more sessions are live than max_concurrent_sessions"
            }
            Self::Exclude => {
                "directories whose sessions are never recorded, such as [\"~/clients/**\"]; in the environment, separated by `:`"
            }
        }
    }
}

/// The error for a value that a key does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// The text that was given.
    pub value: String,
    /// The values that the key accepts.
    pub expected: &'static str,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not {}",
            super::text::escaped(&self.value),
            self.expected
        )
    }
}

impl std::error::Error for BadValue {}

const DURATION: &str = "a duration above zero, such as `90s`, `5m` or `24h`";
const SIZE: &str = "a size of at least 64 KiB, such as `512KiB`, `64MiB` or `1GiB`";
const COUNT: &str = "a whole number from 1 to 100000";
const SECONDS: &str = "a whole number of seconds above zero";

impl Config {
    /// Sets `key` to the value in `text`.
    ///
    /// # Errors
    /// Returns [`BadValue`] if the key does not accept the value; the setting then stays as it was.
    pub fn set(&mut self, key: ConfigKey, text: &str) -> Result<(), BadValue> {
        match key {
            ConfigKey::Ttl => self.ttl = duration(text)?,
            ConfigKey::SessionTimeout => self.session_timeout = duration(text)?,
            ConfigKey::MaxConcurrentSessions => self.max_concurrent_sessions = count(text)?,
            ConfigKey::CleanupInterval => self.cleanup_interval = duration(text)?,
            ConfigKey::Capture => self.capture = capture(text)?,
            ConfigKey::JournalLimit => self.journal_limit = size(text)?,
            ConfigKey::ArchiveAuto => self.archive_auto = switch(text)?,
            ConfigKey::RetentionSessions => self.retention_sessions = retention(text)?,
            ConfigKey::RetentionArchive => self.retention_archive = retention(text)?,
            ConfigKey::ContextLine => self.context_line = switch(text)?,
            ConfigKey::LimitWarning => self.limit_warning = switch(text)?,
            ConfigKey::Exclude => self.exclude = Exclusions::parse(text)?,
        }
        Ok(())
    }

    /// Sets `key` to the value of an older session manager's variable: a whole number, which is in
    /// seconds if the setting is a time. A comment after `#` is ignored.
    ///
    /// # Errors
    /// Returns [`BadValue`] if the key does not accept the value; the setting then stays as it was.
    pub fn set_inherited(&mut self, key: ConfigKey, text: &str) -> Result<(), BadValue> {
        let number = text.split('#').next().unwrap_or_default().trim();
        if key == ConfigKey::MaxConcurrentSessions {
            return self.set(key, number).map_err(|why| BadValue {
                value: text.to_owned(),
                ..why
            });
        }
        let seconds = number.parse().ok().filter(|&seconds: &u32| seconds > 0);
        let seconds = seconds.ok_or_else(|| BadValue {
            value: text.to_owned(),
            expected: SECONDS,
        })?;
        self.set(key, &format!("{seconds}s"))
    }

    /// Returns the value of `key` in the form that [`Self::set`] reads.
    pub fn get(&self, key: ConfigKey) -> String {
        match key {
            ConfigKey::Ttl => duration::text(self.ttl),
            ConfigKey::SessionTimeout => duration::text(self.session_timeout),
            ConfigKey::MaxConcurrentSessions => self.max_concurrent_sessions.to_string(),
            ConfigKey::CleanupInterval => duration::text(self.cleanup_interval),
            ConfigKey::Capture => match self.capture {
                Capture::Metadata => "metadata".to_owned(),
                Capture::Summary => "summary".to_owned(),
                Capture::Full => "full".to_owned(),
            },
            ConfigKey::JournalLimit => written_size(self.journal_limit),
            ConfigKey::ArchiveAuto => self.archive_auto.to_string(),
            ConfigKey::RetentionSessions => written_retention(self.retention_sessions),
            ConfigKey::RetentionArchive => written_retention(self.retention_archive),
            ConfigKey::ContextLine => self.context_line.to_string(),
            ConfigKey::LimitWarning => self.limit_warning.to_string(),
            ConfigKey::Exclude => self.exclude.text(),
        }
    }
}

/// Parses a duration above zero, such as `90s`, `5m` or `24h`.
///
/// # Errors
/// Returns [`BadValue`] for anything else.
pub fn duration(text: &str) -> Result<Duration, BadValue> {
    let value = humantime::parse_duration(text.trim())
        .ok()
        .filter(|value| !value.is_zero());
    value.ok_or_else(|| BadValue {
        value: text.to_owned(),
        expected: DURATION,
    })
}

/// The value of a retention setting for data that is kept forever.
const NEVER: &str = "never";

fn retention(text: &str) -> Result<Option<Duration>, BadValue> {
    if text.trim() == NEVER {
        return Ok(None);
    }
    let wrong = |bad: BadValue| BadValue {
        expected: "`never` or a duration above zero, such as `90d`",
        ..bad
    };
    duration(text).map(Some).map_err(wrong)
}

fn written_retention(keep: Option<Duration>) -> String {
    keep.map_or_else(|| NEVER.to_owned(), duration::text)
}

fn count(text: &str) -> Result<u32, BadValue> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number| (1..=100_000).contains(number));
    number.ok_or_else(|| BadValue {
        value: text.to_owned(),
        expected: COUNT,
    })
}

/// The units of a size, the largest first.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
];
/// The least `journal_limit`, in bytes: many times the longest usual line.
const LEAST_SIZE: u64 = 64 << 10;

/// Reads a size in bytes.
///
/// # Errors
/// Returns [`BadValue`] if the text is not a size, or the size is less than 64 KiB.
pub fn size(text: &str) -> Result<u64, BadValue> {
    let text = text.trim();
    let read = UNITS.into_iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(bytes)
    });
    read.filter(|size| *size >= LEAST_SIZE)
        .ok_or_else(|| BadValue {
            value: text.to_owned(),
            expected: SIZE,
        })
}

fn written_size(size: u64) -> String {
    let whole = UNITS
        .into_iter()
        .find(|(_, bytes)| size.is_multiple_of(*bytes));
    whole.map_or_else(String::new, |(unit, bytes)| {
        format!("{}{unit}", size / bytes)
    })
}

fn capture(text: &str) -> Result<Capture, BadValue> {
    match text.trim() {
        "metadata" => Ok(Capture::Metadata),
        "summary" => Ok(Capture::Summary),
        "full" => Ok(Capture::Full),
        _ => Err(BadValue {
            value: text.to_owned(),
            expected: "`metadata`, `summary` or `full`",
        }),
    }
}

fn switch(text: &str) -> Result<bool, BadValue> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(BadValue {
            value: text.to_owned(),
            expected: "`true` or `false`",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_set() {
        let config = Config {
            capture: Capture::Full,
            context_line: true,
            limit_warning: true,
            max_concurrent_sessions: 7,
            exclude: Exclusions::of(["~/clients/**", "/srv/x"]).unwrap(),
            ..Config::default()
        };
        let mut copy = Config::default();
        for key in ConfigKey::ALL {
            copy.set(key, &config.get(key)).unwrap();
        }
        assert_eq!(copy, config);
    }

    #[test]
    fn a_bad_value_is_named_and_changes_nothing() {
        let mut config = Config::default();
        let err = config.set(ConfigKey::Ttl, "soon").unwrap_err();
        assert_eq!(
            err.to_string(),
            "`soon` is not a duration above zero, such as `90s`, `5m` or `24h`"
        );
        for (key, bad) in [
            (ConfigKey::Ttl, "0s"),
            (ConfigKey::Ttl, "-1h"),
            (ConfigKey::Capture, "everything"),
            (ConfigKey::ContextLine, "yes"),
            (ConfigKey::LimitWarning, "1"),
            (ConfigKey::MaxConcurrentSessions, "0"),
            (ConfigKey::MaxConcurrentSessions, "-1"),
            (ConfigKey::MaxConcurrentSessions, "100001"),
            (ConfigKey::MaxConcurrentSessions, "many"),
        ] {
            assert!(config.set(key, bad).is_err(), "{bad}");
        }
        assert_eq!(config, Config::default());
    }

    #[test]
    fn inherited_seconds_may_carry_a_comment() {
        let mut config = Config::default();
        config
            .set_inherited(ConfigKey::SessionTimeout, "90  # Session timeout")
            .unwrap();
        assert_eq!(config.session_timeout, Duration::from_secs(90));
        for bad in ["", "0", "-5", "1h", "99999999999999999999"] {
            assert!(
                config
                    .set_inherited(ConfigKey::SessionTimeout, bad)
                    .is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_inherited_number_may_carry_a_comment() {
        let mut config = Config::default();
        let key = ConfigKey::MaxConcurrentSessions;
        config.set_inherited(key, "7  # at once").unwrap();
        assert_eq!(config.max_concurrent_sessions, 7);
        for bad in ["# none", "0", "-5", "7s", "99999999999999999999"] {
            let why = config.set_inherited(key, bad).unwrap_err();
            assert_eq!(why.value, bad);
        }
        assert_eq!(config.max_concurrent_sessions, 7);
    }

    #[test]
    fn variables_follow_from_the_keys() {
        for key in ConfigKey::ALL {
            let name = key.name().to_ascii_uppercase().replace('.', "_");
            assert_eq!(key.variable(), format!("CCSESSION_{name}"));
        }
    }
}
