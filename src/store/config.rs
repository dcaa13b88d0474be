//! Resolves the configuration: each key from the environment, else the file, else an older session
//! manager's variable, else its default. It also records where each value came from.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::places::Places;
use super::{env, file};
use crate::model::Exclusions;
use crate::model::config::{BadValue, Capture, Config, ConfigKey};
use crate::model::prices::{ModelPrice, Prices};

const MAX_BYTES: usize = 1 << 20;

/// Where the value of a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// The default, because nothing sets the key.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A source could not be read, so the value is the one that records least.
    Caution,
    /// The file of Claude Code's own settings, because it keeps transcripts only for a short time.
    Client(PathBuf),
}

impl fmt::Display for ConfigSource {
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

/// A part of the configuration that was rejected.
#[derive(Debug)]
pub enum Complaint {
    /// An invalid value for a key.
    Value {
        /// The name of the key.
        key: &'static str,
        /// Where the value came from.
        source: ConfigSource,
        /// Why the value is invalid.
        why: BadValue,
    },
    /// A key that this version does not know.
    UnknownKey {
        key: String,
        /// The configuration file that contains the unknown key.
        path: PathBuf,
    },
    /// The whole file was rejected.
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

/// The resolved configuration, with the source of each value and what was rejected.
#[derive(Debug)]
pub struct LoadedConfig {
    pub config: Config,
    /// The source of each value, in the order of [`ConfigKey::ALL`].
    pub sources: Vec<(ConfigKey, ConfigSource)>,
    /// The parts that were rejected. A hook then continues with defaults, but captures the least;
    /// the CLI prints them and stops.
    pub complaints: Vec<Complaint>,
}

impl Complaint {
    /// Returns whether the rejected part may have requested less capture than the default.
    pub fn is_about_capture(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Value { key, .. } => *key == ConfigKey::Capture.name(),
            Self::UnknownKey { .. } => false,
        }
    }
}

impl LoadedConfig {
    /// Sets the least capture, unless an environment variable sets the level. Called if the level
    /// that the user wants could not be read.
    pub fn capture_least(&mut self) {
        for (_, source) in self.sources.iter_mut().filter(|(key, source)| {
            *key == ConfigKey::Capture && !matches!(source, ConfigSource::Variable(_))
        }) {
            *source = ConfigSource::Caution;
            self.config.capture = Capture::Metadata;
        }
    }

    /// Marks the exclusions as unknown, unless an environment variable sets them. Called if the
    /// exclusions that the user wants could not be read. Then no new session is recorded.
    fn exclude_most(&mut self) {
        for (_, source) in self.sources.iter_mut().filter(|(key, source)| {
            *key == ConfigKey::Exclude && !matches!(source, ConfigSource::Variable(_))
        }) {
            *source = ConfigSource::Caution;
            self.config.exclude = Exclusions::unknown();
        }
    }

    /// Disables automatic archiving, unless the user has set it. Called if Claude Code's settings
    /// at `path` keep transcripts only for a short time, which suggests that the user wants no
    /// copies.
    pub fn archive_nothing_unasked(&mut self, path: &Path) {
        for (_, source) in self.sources.iter_mut().filter(|(key, source)| {
            *key == ConfigKey::ArchiveAuto && *source == ConfigSource::Default
        }) {
            *source = ConfigSource::Client(path.to_owned());
            self.config.archive_auto = false;
        }
    }

    /// Returns where the value of `key` came from.
    pub fn source(&self, key: ConfigKey) -> &ConfigSource {
        let of_key = self.sources.iter().find(|(of, _)| *of == key);
        of_key.map_or(&ConfigSource::Default, |(_, source)| source)
    }
}

/// Resolves the configuration. If the capture level that the user wants is unknown, chooses the
/// least.
pub fn load(places: &Places) -> LoadedConfig {
    let mut complaints = Vec::new();
    let path = places.config.as_deref();
    let table = path.and_then(|path| {
        read(path).unwrap_or_else(|err| note(&mut complaints, Complaint::File(err)))
    });
    if let (Some(table), Some(path)) = (&table, path) {
        let known = |key: &str| {
            key.starts_with(PRICES)
                || key.starts_with(SHIP)
                || ConfigKey::ALL.iter().any(|known| known.name() == key)
        };
        let unknown = table.keys().filter(|key| !known(key));
        complaints.extend(unknown.map(|key| Complaint::UnknownKey {
            key: key.clone(),
            path: path.to_owned(),
        }));
    }
    let mut config = Config::default();
    let mut sources = Vec::with_capacity(ConfigKey::ALL.len());
    for key in ConfigKey::ALL {
        let source = match resolve(&mut config, key, table.as_ref().zip(path)) {
            Ok(source) => source,
            Err((source, why)) => {
                complaints.push(Complaint::Value {
                    key: key.name(),
                    source,
                    why,
                });
                ConfigSource::Default
            }
        };
        sources.push((key, source));
    }
    let mut loaded = LoadedConfig {
        config,
        sources,
        complaints,
    };
    if loaded.complaints.iter().any(Complaint::is_about_capture) {
        loaded.capture_least();
    }
    let is_unknown = |complaint: &Complaint| match complaint {
        Complaint::Value { key, .. } => *key == ConfigKey::Exclude.name(),
        Complaint::File(_) => path.is_some_and(mentions_exclude),
        Complaint::UnknownKey { .. } => false,
    };
    if loaded.complaints.iter().any(is_unknown) {
        loaded.exclude_most();
    }
    loaded
}

/// Returns whether a configuration file that was rejected contains the name of the setting.
fn mentions_exclude(path: &Path) -> bool {
    let name = ConfigKey::Exclude.name().as_bytes();
    let content = file::read_any(path, MAX_BYTES).ok().flatten();
    content.is_some_and(|content| memchr::memmem::find(&content.bytes, name).is_some())
}

/// Reads the price table: `[prices."MODEL"]` with four prices each.
///
/// # Errors
/// Returns [`Error::Content`] if a price is missing or is not a number. Also fails if the
/// configuration file cannot be read or trusted.
pub fn prices(places: &Places) -> Result<Prices> {
    let Some(path) = places.config.as_deref() else {
        return Ok(Prices::default());
    };
    let Some(table) = read(path)? else {
        return Ok(Prices::default());
    };
    let of_model = |(key, value): (&String, &toml::Value)| {
        let model = key.strip_prefix(PRICES)?;
        let price = |name: &str| {
            let number = value.get(name);
            let number =
                number.and_then(|it| it.as_float().or(it.as_integer().map(|it| it as f64)));
            let number = number.filter(|number| number.is_finite() && *number >= 0.0);
            number.ok_or_else(|| Error::Content {
                path: path.to_owned(),
                why: format!(
                    "prices.{}.{name} must be a number: US dollars for a million tokens",
                    crate::model::text::escaped(model)
                ),
            })
        };
        let [input, output, cache_read, cache_write] = ModelPrice::NAMES.map(price);
        Some((|| {
            let price = ModelPrice {
                input: input?,
                output: output?,
                cache_read: cache_read?,
                cache_write: cache_write?,
            };
            Ok((model.to_owned(), price))
        })())
    };
    table.iter().filter_map(of_model).collect()
}

/// A table `[ship.NAME]` of the configuration file, not yet checked.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub struct ShipTable {
    /// The name of the destination.
    pub name: String,
    /// The value of `ship.NAME`. It should be a table.
    pub value: toml::Value,
    /// The configuration file.
    pub path: PathBuf,
}

/// Reads the tables of the destinations for `ship`, by name.
///
/// # Errors
/// Fails if the configuration file cannot be read or trusted. [`load`] reports the same error as a
/// complaint.
#[cfg(feature = "cli")]
pub fn ship_tables(places: &Places) -> Result<Vec<ShipTable>> {
    let Some(path) = places.config.as_deref() else {
        return Ok(Vec::new());
    };
    let tables = read(path)?.unwrap_or_default().into_iter();
    let of_name = |(key, value): (String, toml::Value)| {
        Some(ShipTable {
            name: key.strip_prefix(SHIP)?.to_owned(),
            value,
            path: path.to_owned(),
        })
    };
    Ok(tables.filter_map(of_name).collect())
}

fn note<T>(complaints: &mut Vec<Complaint>, complaint: Complaint) -> Option<T> {
    complaints.push(complaint);
    None
}

/// Sets `key` from the first source that has a value.
fn resolve(
    config: &mut Config,
    key: ConfigKey,
    file: Option<(&toml::Table, &Path)>,
) -> std::result::Result<ConfigSource, (ConfigSource, BadValue)> {
    if let Some(setting) = env::setting(key) {
        let source = ConfigSource::Variable(setting.variable);
        return match config.set(key, &setting.value) {
            Ok(()) => Ok(source),
            Err(why) => Err((source, why)),
        };
    }
    if let Some((value, path)) = file.and_then(|(table, path)| Some((table.get(key.name())?, path)))
    {
        let source = ConfigSource::File(path.to_owned());
        let set = match key {
            ConfigKey::Exclude => exclusions(value).map(|exclude| config.exclude = exclude),
            _ => config.set(key, &as_text(value)),
        };
        return match set {
            Ok(()) => Ok(source),
            Err(why) => Err((source, why)),
        };
    }
    if let Some(setting) = env::inherited_setting(key) {
        let source = ConfigSource::Variable(setting.variable);
        return match config.set_inherited(key, &setting.value) {
            Ok(()) => Ok(source),
            Err(why) => Err((source, why)),
        };
    }
    Ok(ConfigSource::Default)
}

fn exclusions(value: &toml::Value) -> std::result::Result<Exclusions, BadValue> {
    let not_a_list = || Exclusions::not_a_list(&as_text(value));
    let list = value.as_array().ok_or_else(not_a_list)?;
    let texts: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
    Exclusions::of(texts.ok_or_else(not_a_list)?)
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
        // A link without a target is an error, because it shows that the user wants a
        // configuration.
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

/// The prefix of the keys of the price table.
const PRICES: &str = "prices.";
/// The prefix of the keys of the destinations for `ship`.
const SHIP: &str = "ship.";

/// Flattens nested tables to dotted names, such as `archive.auto`. A table that is given for a
/// setting stays a table, so that it is rejected as a value.
fn flat(table: toml::Table) -> toml::Table {
    let is_part = |name: &str| ConfigKey::ALL.iter().any(|key| key.name() == name);
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
