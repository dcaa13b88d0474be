//! Reads Claude Code's settings as Claude Code does: which files it reads for a start directory,
//! which of them it ignores, and which hooks the rest enables. Editing is separate: `setup::edit`
//! knows what may be changed.
//!
//! [`Document::read`] and everything below it is pure; [`LoadedSettings::of`] reads the files.

mod hooks;
mod json;
mod places;
mod policy;
mod schema;

use std::fmt;
use std::path::{Path, PathBuf};

pub use self::hooks::Command;
use self::json::JsonValue;
use self::places::SettingsDirs;
pub use self::places::{MANAGED_DIR, files_of, project_files};
use self::policy::Policy;
use super::versions::Version;
use crate::model::text::one_line;
use crate::store::{Environment, file, shown};

/// The largest settings file that Claude Code reads, in bytes.
const MAX_BYTES: usize = 2 << 20;
/// How much of a key or a path a message shows, in characters.
const SHOWN: usize = 80;

/// The origin of a settings file. A later one takes precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingsSource {
    /// `~/.claude/settings.json`.
    User,
    /// `.claude/settings.json` in the start directory.
    Project,
    /// `.claude/settings.local.json` of the repository, or in the start directory.
    Local,
    /// The managed settings of the machine, and their drop-ins.
    Managed,
}

impl SettingsSource {
    /// Returns the source's name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
            Self::Managed => "managed",
        }
    }
}

/// How a version of Claude Code treats an error in a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The behaviour of the versions tested up to 2.1.197: one wrong hook invalidates the whole
    /// file, and an error in managed settings has no effect.
    Old,
    /// The behaviour of the versions tested from 2.1.329 on.
    New,
}

impl ErrorPolicy {
    /// Returns the behaviour of this version. An unknown version counts as new.
    pub fn of(version: Option<Version>) -> Self {
        match version {
            Some(version) if version <= LAST_OLD => Self::Old,
            _ => Self::New,
        }
    }
}

/// The newest version that was seen to behave in the old way.
const LAST_OLD: Version = Version(2, 1, 197);

/// Why Claude Code ignores a whole settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoreReason {
    /// The file is not JSON.
    NotJson,
    /// The file is JSON, but not an object.
    NotAnObject,
    /// The file has more bytes than Claude Code reads.
    TooLarge,
    /// One value in the file does not have the required shape.
    Value {
        /// The path to the value, such as `permissions.allow`.
        path: String,
        /// What is wrong with the value, such as `is not a list`.
        why: String,
    },
    /// The file cannot be read, for this reason.
    Unreadable(String),
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("it is not JSON"),
            Self::NotAnObject => f.write_str("it is not a JSON object"),
            Self::TooLarge => write!(f, "it has more than {MAX_BYTES} bytes"),
            Self::Value { path, why } => {
                write!(f, "`{}` {}", one_line(path, SHOWN), one_line(why, SHOWN))
            }
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// The content of a settings file that Claude Code obeys.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    json: JsonValue,
    commands: Vec<Command>,
}

impl Document {
    /// Reads a file's bytes as Claude Code does.
    ///
    /// # Errors
    /// Fails with the reason why Claude Code ignores the whole file.
    pub fn read(
        bytes: &[u8],
        source: SettingsSource,
        manner: ErrorPolicy,
    ) -> Result<Self, IgnoreReason> {
        if bytes.len() > MAX_BYTES {
            return Err(IgnoreReason::TooLarge);
        }
        let text = decoded(bytes);
        if text.trim().is_empty() {
            return Ok(Self {
                json: JsonValue::Object(Vec::new()),
                commands: Vec::new(),
            });
        }
        let json = JsonValue::parse(&text).ok_or(IgnoreReason::NotJson)?;
        let members = json.members().ok_or(IgnoreReason::NotAnObject)?;
        let ignored = |(path, why)| IgnoreReason::Value { path, why };
        let commands = match (source, hooks::commands(&json, manner)) {
            // In managed settings, an error in the hooks makes Claude Code ignore only the hooks.
            (SettingsSource::Managed, commands) => commands.unwrap_or_default(),
            (_, commands) => {
                let commands = commands.map_err(ignored)?;
                if let Some((path, expected)) = schema::misfit(members) {
                    return Err(ignored((path, format!("is not {expected}"))));
                }
                commands
            }
        };
        Ok(Self { json, commands })
    }

    /// Returns the commands that Claude Code runs for this file, in the order of the file.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Returns the names of the enabled plugins.
    pub fn plugins(&self) -> impl Iterator<Item = &str> {
        let plugins = self.json.get("enabledPlugins").and_then(JsonValue::members);
        let plugins = plugins.unwrap_or_default().iter();
        let is_on = |(_, value): &&(String, JsonValue)| *value == JsonValue::Bool(true);
        plugins.filter(is_on).map(|(name, _)| name.as_str())
    }

    fn switch(&self, key: &str) -> Option<bool> {
        match self.json.get(key) {
            Some(JsonValue::Bool(value)) => Some(*value),
            _ => None,
        }
    }
}

/// Decodes a file: UTF-8 or, with its byte order mark, UTF-16. Invalid bytes are replaced.
fn decoded(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let pairs = rest.chunks_exact(2);
            let units: Vec<u16> = pairs
                .filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?)))
                .collect();
            String::from_utf16_lossy(&units)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Returns the number that `key` has at the top level of a settings file, if the file is JSON.
/// Errors elsewhere in the file do not matter, because some versions of Claude Code accept them.
pub fn number(bytes: &[u8], key: &str) -> Option<f64> {
    match JsonValue::parse(&decoded(bytes))?.get(key)? {
        JsonValue::Number(number) => Some(*number),
        _ => None,
    }
}

/// A settings file that exists at one of Claude Code's paths.
#[derive(Debug)]
pub struct SettingsFile {
    /// The origin of the file.
    pub source: SettingsSource,
    /// The path of the file.
    pub path: PathBuf,
    /// The settings, or the reason why Claude Code ignores the file.
    pub content: Result<Document, IgnoreReason>,
}

/// Why Claude Code does not run the hooks of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HooksOff {
    /// `disableAllHooks` is set in this file.
    Disabled(PathBuf),
    /// The managed settings in this file allow only managed hooks, by this key.
    ManagedOnly(PathBuf, &'static str),
    /// The managed settings in this file are not a JSON object, so Claude Code does not start.
    NoStart(PathBuf),
}

impl fmt::Display for HooksOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled(path) => write!(
                f,
                "disableAllHooks is true in {}: Claude Code runs no hook",
                shown(path)
            ),
            Self::ManagedOnly(path, key) => write!(
                f,
                "{key} in the managed settings {}: Claude Code runs no hook of yours",
                shown(path)
            ),
            Self::NoStart(path) => write!(
                f,
                "the managed settings {} are not a JSON object: Claude Code does not start",
                shown(path)
            ),
        }
    }
}

/// All settings files that Claude Code reads when it is started in one directory.
#[derive(Debug)]
pub struct LoadedSettings {
    /// The files that exist, in the order of precedence, the lowest first.
    pub files: Vec<SettingsFile>,
    manner: ErrorPolicy,
}

impl LoadedSettings {
    /// Reads the files that this version of Claude Code reads when it is started in `start`.
    pub fn of(env: &Environment, start: &Path, version: Option<Version>) -> Self {
        let manner = ErrorPolicy::of(version);
        let mut files: Vec<SettingsFile> = Vec::new();
        for (source, path) in SettingsDirs::of(env, start).files() {
            // In the home directory, the user's settings are also the project's.
            if files.iter().any(|read| read.path == path) {
                continue;
            }
            if let Some(content) = content(&path, source, manner) {
                files.push(SettingsFile {
                    source,
                    path,
                    content,
                });
            }
        }
        Self { files, manner }
    }

    /// Returns the files that Claude Code obeys.
    pub fn heeded(&self) -> impl Iterator<Item = (&SettingsFile, &Document)> {
        let files = self.files.iter();
        files.filter_map(|read| Some((read, read.content.as_ref().ok()?)))
    }

    /// Returns the files that Claude Code ignores completely.
    pub fn ignored(&self) -> impl Iterator<Item = (&SettingsFile, &IgnoreReason)> {
        let files = self.files.iter();
        files.filter_map(|read| Some((read, read.content.as_ref().err()?)))
    }

    /// Returns why hooks of `source` do not run, or `None` if they do.
    pub fn disarmed(&self, source: SettingsSource) -> Option<HooksOff> {
        let is_managed = |read: &&SettingsFile| read.source == SettingsSource::Managed;
        let broken = self.files.iter().filter(is_managed).find(|read| {
            matches!(
                read.content,
                Err(IgnoreReason::NotJson | IgnoreReason::NotAnObject | IgnoreReason::TooLarge)
            )
        });
        if let (Some(read), ErrorPolicy::New) = (broken, self.manner) {
            return Some(HooksOff::NoStart(read.path.clone()));
        }
        let mut policy = Policy::default();
        let mut disabled = None;
        for (read, document) in self.heeded() {
            if read.source == SettingsSource::Managed {
                policy.add(&document.json, &read.path, self.manner);
            } else if let Some(value) = document.switch("disableAllHooks") {
                disabled = Some((value, read.path.clone()));
            }
        }
        let is_managed = source == SettingsSource::Managed;
        if let Some((value, path)) = policy.disables_all {
            if value {
                return Some(HooksOff::Disabled(path));
            }
        } else if let (Some((true, path)), false) = (disabled, is_managed) {
            return Some(HooksOff::Disabled(path));
        }
        let only = [
            (policy.managed_only, "allowManagedHooksOnly"),
            (policy.plugins_only, "strictPluginOnlyCustomization"),
        ];
        let only = only.into_iter().find_map(|(said, key)| match said {
            Some((true, path)) => Some(HooksOff::ManagedOnly(path, key)),
            _ => None,
        });
        only.filter(|_| !is_managed)
    }
}

/// Reads a settings file. Returns `None` if there is none.
fn content(
    path: &Path,
    source: SettingsSource,
    manner: ErrorPolicy,
) -> Option<Result<Document, IgnoreReason>> {
    match file::read_any(path, MAX_BYTES + 1) {
        Ok(None) => None,
        Ok(Some(content)) => Some(Document::read(&content.bytes, source, manner)),
        Err(crate::store::Error::Untrusted {
            why: crate::store::Untrusted::TooLarge(_),
            ..
        }) => Some(Err(IgnoreReason::TooLarge)),
        Err(err) => Some(Err(IgnoreReason::Unreadable(err.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: SettingsSource, text: &str) -> SettingsFile {
        SettingsFile {
            source,
            path: PathBuf::from(format!("/{}", source.name())),
            content: Document::read(text.as_bytes(), source, ErrorPolicy::New),
        }
    }

    /// Returns why the user's hooks and the managed hooks do not run.
    fn disarmed(files: &[(SettingsSource, &str)]) -> [Option<HooksOff>; 2] {
        let files = files.iter().map(|(source, text)| read(*source, text));
        let reading = LoadedSettings {
            files: files.collect(),
            manner: ErrorPolicy::New,
        };
        [SettingsSource::User, SettingsSource::Managed].map(|source| reading.disarmed(source))
    }

    #[test]
    fn the_switch_counts_as_the_client_merges_it() {
        let (on, off) = (
            r#"{"disableAllHooks": true}"#,
            r#"{"disableAllHooks": false}"#,
        );
        let by =
            |source: SettingsSource| Some(HooksOff::Disabled(format!("/{}", source.name()).into()));
        let cases = [
            (
                vec![(SettingsSource::User, on)],
                [by(SettingsSource::User), None],
            ),
            (
                vec![(SettingsSource::User, on), (SettingsSource::Project, off)],
                [None, None],
            ),
            (
                vec![(SettingsSource::Project, on), (SettingsSource::Local, off)],
                [None, None],
            ),
            (
                vec![(SettingsSource::User, on), (SettingsSource::Managed, off)],
                [None, None],
            ),
            (
                vec![(SettingsSource::Local, off), (SettingsSource::Managed, on)],
                [by(SettingsSource::Managed), by(SettingsSource::Managed)],
            ),
            (
                vec![(SettingsSource::Local, on)],
                [by(SettingsSource::Local), None],
            ),
            // An ignored file has no effect.
            (
                vec![(
                    SettingsSource::User,
                    r#"{"disableAllHooks": true, "model": 4}"#,
                )],
                [None, None],
            ),
        ];
        for (files, expected) in cases {
            assert_eq!(disarmed(&files), expected, "{files:?}");
        }
    }

    #[test]
    fn a_policy_that_allows_only_its_own_hooks_disarms_the_rest() {
        for (text, key) in [
            (
                r#"{"allowManagedHooksOnly": true}"#,
                "allowManagedHooksOnly",
            ),
            (
                "\u{feff}{\"allowManagedHooksOnly\": true}",
                "allowManagedHooksOnly",
            ),
            (
                r#"{"allowManagedHooksOnly": true, "model": 4}"#,
                "allowManagedHooksOnly",
            ),
            (
                r#"{"strictPluginOnlyCustomization": ["hooks"]}"#,
                "strictPluginOnlyCustomization",
            ),
        ] {
            let expected = HooksOff::ManagedOnly("/managed".into(), key);
            assert_eq!(
                disarmed(&[(SettingsSource::Managed, text)]),
                [Some(expected), None]
            );
        }
        // In other files the key has no effect.
        let text = r#"{"allowManagedHooksOnly": true}"#;
        assert_eq!(disarmed(&[(SettingsSource::User, text)]), [None, None]);
        let no_start = Some(HooksOff::NoStart("/managed".into()));
        for text in ["x", "[]", "{\"allowManagedHooksOnly\":true,}"] {
            let found = disarmed(&[(SettingsSource::Managed, text)]);
            assert_eq!(found, [no_start.clone(), no_start.clone()], "{text}");
        }
        assert_eq!(disarmed(&[(SettingsSource::Managed, " \n")]), [None, None]);
    }

    #[test]
    fn a_file_is_decoded_as_the_client_decodes_it() {
        let ours = r#"{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}}"#;
        let mut sixteen = vec![0xff, 0xfe];
        sixteen.extend(ours.encode_utf16().flat_map(u16::to_le_bytes));
        let with_mark = format!("\u{feff}{ours}").into_bytes();
        let mut not_utf8 = br#"{"a":""#.to_vec();
        not_utf8.push(0xff);
        not_utf8.extend_from_slice(format!("\",{}", &ours[1..]).as_bytes());
        for bytes in [ours.as_bytes().to_vec(), with_mark, sixteen, not_utf8] {
            let document = Document::read(&bytes, SettingsSource::User, ErrorPolicy::New).unwrap();
            assert_eq!(document.commands().len(), 1);
        }
        assert_eq!(
            Document::read(b"", SettingsSource::User, ErrorPolicy::New)
                .unwrap()
                .commands(),
            []
        );
    }

    #[test]
    fn a_file_that_is_ignored_says_for_which_value() {
        for (text, said) in [
            ("[]", "it is not a JSON object"),
            ("{,}", "it is not JSON"),
            (r#"{"model": 4}"#, "`model` is not a string"),
            (
                r#"{"hooks": {"PreToolUse": [{"hooks": 3}]}}"#,
                "`hooks.PreToolUse[0].hooks` is not a list",
            ),
        ] {
            let why = Document::read(text.as_bytes(), SettingsSource::Project, ErrorPolicy::New)
                .unwrap_err();
            assert_eq!(why.to_string(), said);
        }
    }

    #[test]
    fn an_old_client_ignores_a_file_for_any_hook_and_no_managed_settings_stop_it() {
        let wrong = br#"{"hooks": {"Stop": [{"hooks": [{"type": "nope"}]}]}}"#;
        assert!(Document::read(wrong, SettingsSource::User, ErrorPolicy::New).is_ok());
        assert!(Document::read(wrong, SettingsSource::User, ErrorPolicy::Old).is_err());
        for text in ["[]", r#"{"allowManagedHooksOnly": 1}"#] {
            let reading = |manner| LoadedSettings {
                files: vec![read(SettingsSource::Managed, text)],
                manner,
            };
            assert_eq!(
                reading(ErrorPolicy::Old).disarmed(SettingsSource::User),
                None,
                "{text}"
            );
            assert!(
                reading(ErrorPolicy::New)
                    .disarmed(SettingsSource::User)
                    .is_some(),
                "{text}"
            );
        }
        assert_eq!(ErrorPolicy::of(Some(Version(2, 1, 50))), ErrorPolicy::Old);
        assert_eq!(ErrorPolicy::of(Some(Version(2, 1, 329))), ErrorPolicy::New);
        assert_eq!(ErrorPolicy::of(None), ErrorPolicy::New);
    }
}
