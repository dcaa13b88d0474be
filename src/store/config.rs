//! The configuration as it is resolved: each key from the environment, else the file, else an older manager's
//! variable, else its default; and where each value came from.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::places::Places;
use super::{env, file};
use crate::model::config::{BadValue, Capture, Config, Key};

const MAX_BYTES: usize = 1 << 20;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// Somebody said something that could not be read: the value is the one that gives nothing away.
    Caution,
    /// The client's own settings, which say for how long transcripts are kept.
    Client(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(&super::error::shown(path)),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Caution => f.write_str("bad configuration"),
            Self::Client(path) => write!(f, "cleanupPeriodDays in {}", super::error::shown(path)),
        }
    }
}

/// Something in the configuration that was not taken.
#[derive(Debug)]
pub enum Complaint {
    /// A value that its key cannot have.
    Value {
        /// Which key.
        key: &'static str,
        /// Who said so.
        source: Source,
        /// What is wrong with it.
        why: BadValue,
    },
    /// A key that this version does not know.
    UnknownKey {
        /// The key.
        key: String,
        /// The file it is in.
        path: PathBuf,
    },
    /// The file could not be used at all.
    File(Error),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { key, source, why } => {
                write!(f, "could not use {key} from {source}: {why}")
            }
            Self::UnknownKey { key, path } => {
                let key = crate::model::text::escaped(key);
                write!(
                    f,
                    "could not use {key} from {}: no such key",
                    super::error::shown(path)
                )
            }
            Self::File(err) => err.fmt(f),
        }
    }
}

/// The configuration, with the source of each value and what was not taken.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each value came from, in the order of [`Key::ALL`].
    pub sources: Vec<(Key, Source)>,
    /// What was not taken. A hook goes on with the default, but captures the least; the CLI says so and stops.
    pub complaints: Vec<Complaint>,
}

impl Complaint {
    /// Whether it may be that less was to be captured than is by default.
    pub fn is_about_capture(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Value { key, .. } => *key == Key::Capture.name(),
            Self::UnknownKey { .. } => false,
        }
    }
}

impl Loaded {
    /// Captures the least, unless a variable says how much: what was meant to say it could not be read.
    pub fn capture_least(&mut self) {
        for (_, source) in self
            .sources
            .iter_mut()
            .filter(|(key, source)| *key == Key::Capture && !matches!(source, Source::Variable(_)))
        {
            *source = Source::Caution;
            self.config.capture = Capture::Metadata;
        }
    }

    /// Archives nothing by itself, unless somebody said whether to: the client's settings at `path` do not want it.
    pub fn archive_nothing_unasked(&mut self, path: &Path) {
        for (_, source) in self
            .sources
            .iter_mut()
            .filter(|(key, source)| *key == Key::ArchiveAuto && *source == Source::Default)
        {
            *source = Source::Client(path.to_owned());
            self.config.archive_auto = false;
        }
    }

    /// Where the value of `key` came from.
    pub fn source(&self, key: Key) -> &Source {
        let of_key = self.sources.iter().find(|(of, _)| *of == key);
        of_key.map_or(&Source::Default, |(_, source)| source)
    }
}

/// Resolves the configuration. Where it cannot be told what was to be captured, it is as little as possible.
pub fn load(places: &Places) -> Loaded {
    let mut complaints = Vec::new();
    let path = places.config.as_deref();
    let table = path.and_then(|path| {
        read(path).unwrap_or_else(|err| note(&mut complaints, Complaint::File(err)))
    });
    if let (Some(table), Some(path)) = (&table, path) {
        let known = |key: &str| Key::ALL.iter().any(|known| known.name() == key);
        let unknown = table.keys().filter(|key| !known(key));
        complaints.extend(unknown.map(|key| Complaint::UnknownKey {
            key: key.clone(),
            path: path.to_owned(),
        }));
    }
    let mut config = Config::default();
    let mut sources = Vec::new();
    for key in Key::ALL {
        let source = match resolve(&mut config, key, table.as_ref().zip(path)) {
            Ok(source) => source,
            Err((source, why)) => {
                complaints.push(Complaint::Value {
                    key: key.name(),
                    source,
                    why,
                });
                Source::Default
            }
        };
        sources.push((key, source));
    }
    let mut loaded = Loaded {
        config,
        sources,
        complaints,
    };
    if loaded.complaints.iter().any(Complaint::is_about_capture) {
        loaded.capture_least();
    }
    loaded
}

fn note<T>(complaints: &mut Vec<Complaint>, complaint: Complaint) -> Option<T> {
    complaints.push(complaint);
    None
}

/// Sets `key` from the first source that says anything.
fn resolve(
    config: &mut Config,
    key: Key,
    file: Option<(&toml::Table, &Path)>,
) -> std::result::Result<Source, (Source, BadValue)> {
    if let Some(setting) = env::setting(key) {
        let source = Source::Variable(setting.variable);
        return match config.set(key, &setting.value) {
            Ok(()) => Ok(source),
            Err(why) => Err((source, why)),
        };
    }
    if let Some((value, path)) = file.and_then(|(table, path)| Some((table.get(key.name())?, path)))
    {
        let source = Source::File(path.to_owned());
        return match config.set(key, &as_text(value)) {
            Ok(()) => Ok(source),
            Err(why) => Err((source, why)),
        };
    }
    if let Some(setting) = env::inherited_setting(key) {
        let source = Source::Variable(setting.variable);
        return match config.set_inherited(key, &setting.value) {
            Ok(()) => Ok(source),
            Err(why) => Err((source, why)),
        };
    }
    Ok(Source::Default)
}

fn as_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Boolean(value) => value.to_string(),
        toml::Value::Integer(value) => value.to_string(),
        other => other.type_str().to_owned(),
    }
}

fn read(path: &Path) -> Result<Option<toml::Table>> {
    let Some(content) = file::read_trusted(path, MAX_BYTES)? else {
        // A link that leads nowhere says that there is a configuration.
        return match file::look(path)? {
            Some(_) => Err(Error::io("open", path)(rustix::io::Errno::NOENT)),
            None => Ok(None),
        };
    };
    let wrong = |why: String| Error::Content {
        path: path.to_owned(),
        why,
    };
    let text = std::str::from_utf8(&content.bytes).map_err(|err| wrong(err.to_string()))?;
    text.parse()
        .map(|table| Some(flat(table)))
        .map_err(|err: toml::de::Error| wrong(err.message().to_owned() + &position(text, &err)))
}

/// The table with the members of tables in it beside its own, by dotted names: `archive.auto`. A table where a value should
/// be stays one.
fn flat(table: toml::Table) -> toml::Table {
    let is_part = |name: &str| Key::ALL.iter().any(|key| key.name() == name);
    let mut flat = toml::Table::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) if !is_part(&key) => {
                let named = |(name, value)| (format!("{key}.{name}"), value);
                flat.extend(inner.into_iter().map(named));
            }
            value => {
                flat.insert(key, value);
            }
        }
    }
    flat
}

fn position(text: &str, err: &toml::de::Error) -> String {
    let line = err
        .span()
        .and_then(|span| Some(text.get(..span.start)?.matches('\n').count() + 1));
    line.map(|line| format!(" (line {line})"))
        .unwrap_or_default()
}
