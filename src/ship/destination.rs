//! Reads the destinations in the settings, each from a `[ship.NAME]` table: what is sent to it, in
//! which form, and how to reach it. This module never contains or shows the content of a headers
//! file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Signal;
use super::endpoint::Endpoint;
use crate::model::{config, text};
use crate::store::config::{Complaint, ShipTable, ship_tables};
use crate::store::{Environment, Error, Places};

/// A place that gets telemetry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The destination's name in the settings: letters, digits, `-` and `_`. The name is also the
    /// name of a file.
    pub name: String,
    /// The URL at which the destination listens.
    pub endpoint: Endpoint,
    /// How data is sent to the destination.
    pub protocol: Protocol,
    /// What the destination gets, each signal once, in the order of [`Signal::ALL`]. Empty for
    /// [`Protocol::Observability`], which gets events.
    pub signals: Vec<Signal>,
    /// Whether calls become spans.
    pub spans: SpansSetting,
    /// The file with headers for each request, such as credentials.
    pub headers_file: Option<PathBuf>,
    /// Whether requests are compressed.
    pub compression: Compression,
    /// The largest request, in bytes before compression.
    pub batch: usize,
    /// How long one request may take, from looking up the host's name to the end of the answer.
    pub timeout: Duration,
}

/// How data is sent to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over HTTP, in JSON.
    OtlpJson,
    /// OTLP over HTTP, in protobuf.
    OtlpProtobuf,
    /// One HTTP request for each event, in the form of the observability dashboards.
    Observability,
}

/// Whether calls become spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpansSetting {
    /// Yes, unless Claude Code's own telemetry contains these spans.
    Auto,
    Always,
    Never,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    None,
}

/// A setting whose value is one of a few words.
trait Word: Copy + Sized + 'static {
    const WORDS: &'static [(&'static str, Self)];
    /// The possible words, for a message.
    const EXPECTED: &'static str;
}

impl Word for Protocol {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("http/json", Self::OtlpJson),
        ("http/protobuf", Self::OtlpProtobuf),
        ("observability", Self::Observability),
    ];
    const EXPECTED: &'static str =
        "`http/json`, `http/protobuf` or `observability` (collectors take HTTP on port 4318)";
}

impl Word for SpansSetting {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("always", Self::Always),
        ("never", Self::Never),
    ];
    const EXPECTED: &'static str = "`auto`, `always` or `never`";
}

impl Word for Compression {
    const WORDS: &'static [(&'static str, Self)] = &[("gzip", Self::Gzip), ("none", Self::None)];
    const EXPECTED: &'static str = "`gzip` or `none`";
}

fn word<W: Word + PartialEq>(value: W) -> &'static str {
    let found = W::WORDS.iter().find(|(_, of)| *of == value);
    found.map_or("", |(word, _)| word)
}

impl Protocol {
    /// Returns the word for this in the settings.
    pub fn name(self) -> &'static str {
        word(self)
    }
}

impl SpansSetting {
    /// Returns the word for this in the settings.
    pub fn name(self) -> &'static str {
        word(self)
    }
}

impl Compression {
    /// Returns the word for this in the settings.
    pub fn name(self) -> &'static str {
        word(self)
    }
}

/// All destinations in the settings.
#[derive(Debug, Default)]
pub struct Destinations {
    /// The destinations that can be used.
    pub usable: Vec<Destination>,
    /// The names of the other destinations, each with what is wrong with it.
    pub wrong: Vec<(String, Error)>,
    /// Keys in the settings that this version does not know.
    pub unknown: Vec<Complaint>,
}

impl Destinations {
    /// Reads the destinations from the configuration file.
    ///
    /// # Errors
    /// Fails if the file cannot be read or is not TOML.
    pub fn read(places: &Places, env: &Environment) -> Result<Self, Error> {
        let mut all = Self::default();
        for table in ship_tables(places)? {
            match all.parse(&table, env.home.as_deref()) {
                Ok(destination) => all.usable.push(destination),
                Err(why) => {
                    let name = text::escaped(&table.name);
                    let why = Error::Content {
                        path: table.path,
                        why: format!("ship.{name}{why}"),
                    };
                    all.wrong.push((table.name, why));
                }
            }
        }
        Ok(all)
    }

    fn parse(&mut self, table: &ShipTable, home: Option<&Path>) -> Result<Destination, String> {
        if !is_name(&table.name) {
            return Err(
                ": expected a name of letters, digits, `-` and `_`, such as [ship.team]".into(),
            );
        }
        let Some(values) = table.value.as_table() else {
            return Err(" is not a table; write [ship.NAME] above the settings".into());
        };
        let unknown = values.keys().filter(|key| !KEYS.contains(&key.as_str()));
        self.unknown
            .extend(unknown.map(|key| Complaint::UnknownKey {
                key: format!("ship.{}.{key}", table.name),
                path: table.path.clone(),
            }));
        let values = Values(values);
        let protocol = values.word("protocol")?.unwrap_or(Protocol::OtlpJson);
        let insecure = values.switch("insecure")?.unwrap_or(false);
        let endpoint = values.text("endpoint")?.ok_or(
            ".endpoint is missing: the URL of a collector, such as `https://otel.example.com`",
        )?;
        let endpoint = Endpoint::parse(endpoint, insecure)
            .map_err(|why| format!(".endpoint cannot be used: {why}"))?;
        let is_otlp = protocol != Protocol::Observability;
        if !is_otlp {
            let for_otlp = ["signals", "spans", "compression", "batch"];
            if let Some(key) = for_otlp.iter().find(|key| values.0.contains_key(**key)) {
                return Err(format!(
                    ".{key} has no meaning for the protocol `observability`; remove it"
                ));
            }
        }
        let signals = values.signals()?;
        let compression = values.word("compression")?;
        Ok(Destination {
            name: table.name.clone(),
            endpoint,
            protocol,
            signals: if is_otlp { signals } else { Vec::new() },
            spans: values.word("spans")?.unwrap_or(SpansSetting::Auto),
            headers_file: values.path("headers_file", home)?,
            compression: match compression {
                Some(compression) => compression,
                None if is_otlp => Compression::Gzip,
                None => Compression::None,
            },
            batch: values.batch()?,
            timeout: values.timeout()?,
        })
    }
}

/// The keys of a destination.
const KEYS: [&str; 9] = [
    "endpoint",
    "protocol",
    "signals",
    "spans",
    "headers_file",
    "compression",
    "batch",
    "insecure",
    "timeout",
];

/// The default size of a request, in bytes. Collectors accept it without configuration, and it
/// needs no more memory than a laptop has to spare.
const BATCH: usize = 2 << 20;
const LARGEST_BATCH: u64 = 16 << 20;
/// The default time limit for a request, from the specification of OTLP's exporters.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time limit that can be set. With a longer one, a destination that never answers
/// would hold up a run for too long.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 60);

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}

/// The settings of one destination.
struct Values<'a>(&'a toml::Table);

impl Values<'_> {
    fn text(&self, key: &str) -> Result<Option<&str>, String> {
        let Some(value) = self.0.get(key) else {
            return Ok(None);
        };
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(Some)
            .ok_or_else(|| format!(".{key} must be a text in quotes"))
    }

    fn switch(&self, key: &str) -> Result<Option<bool>, String> {
        let Some(value) = self.0.get(key) else {
            return Ok(None);
        };
        let switch = value.as_bool();
        switch
            .map(Some)
            .ok_or_else(|| format!(".{key} must be `true` or `false`, without quotes"))
    }

    fn word<W: Word>(&self, key: &str) -> Result<Option<W>, String> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let found = W::WORDS.iter().find(|(word, _)| *word == text);
        let found = found.map(|(_, value)| Some(*value));
        found.ok_or_else(|| wrong(key, text, W::EXPECTED))
    }

    fn signals(&self) -> Result<Vec<Signal>, String> {
        const KEY: &str = "signals";
        let Some(value) = self.0.get(KEY) else {
            return Ok(vec![Signal::Traces, Signal::Logs]);
        };
        let expected = "a list of `traces`, `logs` and `metrics`, such as [\"traces\", \"logs\"]";
        let names: Option<Vec<&str>> = value
            .as_array()
            .filter(|list| !list.is_empty())
            .and_then(|list| list.iter().map(toml::Value::as_str).collect());
        let names = names.ok_or_else(|| format!(".{KEY} must be {expected}"))?;
        let is_signal = |name: &str| Signal::ALL.iter().any(|signal| signal.name() == name);
        if let Some(name) = names.iter().find(|name| !is_signal(name)) {
            return Err(wrong(KEY, name, expected));
        }
        let all = Signal::ALL.into_iter();
        Ok(all.filter(|it| names.contains(&it.name())).collect())
    }

    fn path(&self, key: &str, home: Option<&Path>) -> Result<Option<PathBuf>, String> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let path = match (text.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => {
                return Err(format!(".{key} needs HOME, which is not an absolute path"));
            }
            (None, _) => PathBuf::from(text),
        };
        if path.is_absolute() {
            return Ok(Some(path));
        }
        Err(wrong(key, text, "a path that begins with `/` or `~/`"))
    }

    fn batch(&self) -> Result<usize, String> {
        const KEY: &str = "batch";
        let Some(text) = self.text(KEY)? else {
            return Ok(BATCH);
        };
        let size = config::size(text).ok();
        let size = size.filter(|size| *size <= LARGEST_BATCH);
        let size = size.and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| wrong(KEY, text, "a size from `64KiB` to `16MiB`"))
    }

    fn timeout(&self) -> Result<Duration, String> {
        const KEY: &str = "timeout";
        let Some(text) = self.text(KEY)? else {
            return Ok(TIMEOUT);
        };
        let timeout = config::duration(text).ok();
        let timeout = timeout.filter(|timeout| *timeout <= LONGEST_TIMEOUT);
        timeout.ok_or_else(|| wrong(KEY, text, "a duration up to `10m`, such as `10s`"))
    }
}

fn wrong(key: &str, value: &str, expected: &str) -> String {
    let value = text::escaped(&text::one_line(value, 100));
    format!(".{key} is `{value}`: expected {expected}")
}
