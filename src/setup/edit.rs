//! Edits Claude Code's `settings.json` and keeps every byte that does not belong to ccsession. Text
//! in, text out.
//!
//! [`install`] makes our handlers, those of ccsession, exactly the wanted set; [`uninstall`] is its
//! inverse. [`registered`], [`all_commands`] and [`setting`] only read. A file that is not strict
//! JSON of the shape that Claude Code accepts is refused, never repaired: a wrong guess would
//! damage the user's settings.
//!
//! This module must not know files, the environment, the clock, or the names of ccsession's
//! executables. The caller's `owned` decides which commands are ours.

mod add;
mod cut;
#[cfg(test)]
pub(crate) mod generate;
mod read;
mod refusal;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use self::add::with_wanted;
use self::cut::without_ours;
use self::read::{ParsedSettings, command, handlers, is_ours};
pub use self::refusal::{EditRefusal, MAX_BYTES, MAX_DEPTH, TextPosition};
use self::verify::{is_exactly, verify};

/// A handler to register, for every matcher of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEntry<'a> {
    /// Claude Code's name for the event.
    pub event: &'a str,
    /// The command for Claude Code: an absolute path, quoted for a shell unless `exec_form`.
    pub command: String,
    /// True to write `"args": []`. If Claude Code knows `args`, it then starts no shell.
    pub exec_form: bool,
    /// Seconds until Claude Code gives up on the hook.
    pub timeout: u32,
}

/// What an installation replaced, so that [`uninstall`] can restore it.
///
/// A container is the file, `hooks` or an event's array. One that is not mentioned here had content
/// before. Discard the undo once the result of `uninstall` has been written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    #[serde(deserialize_with = "known_version")]
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<Before>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hooks: Option<Before>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    events: BTreeMap<String, Before>,
}

/// The content of a container before the installation, if it cannot be derived afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Before {
    /// The container did not exist.
    Missing,
    /// The file existed and contained only this white space.
    Blank(String),
    /// The brackets existed and contained only this white space.
    Empty(String),
}

impl Undo {
    const VERSION: u32 = 1;

    fn new() -> Self {
        Self {
            v: Self::VERSION,
            file: None,
            hooks: None,
            events: BTreeMap::new(),
        }
    }

    /// Adds what an earlier installation recorded about containers that are still in `settings`.
    fn carry(&mut self, previous: &Undo, settings: &ParsedSettings<'_>) {
        self.file = self.file.take().or_else(|| previous.file.clone());
        self.hooks = self.hooks.take().or_else(|| previous.hooks.clone());
        for event in settings.events() {
            if let Some(before) = previous.events.get(&event.name) {
                let entry = self.events.entry(event.name.clone());
                entry.or_insert_with(|| before.clone());
            }
        }
    }
}

fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        Undo::VERSION => Ok(Undo::VERSION),
        v => Err(serde::de::Error::custom(format_args!(
            "version {v} is not known"
        ))),
    }
}

/// The result of [`install`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The whole new text. If nothing `changed`, it is the old text, byte for byte.
    pub text: String,
    /// What [`uninstall`] needs. Keep it until then, and pass it to the next [`install`].
    pub undo: Undo,
    /// True if there is anything to write.
    pub changed: bool,
}

/// The result of [`uninstall`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uninstalled {
    /// The file contains nothing of ours.
    Unchanged,
    /// The whole new text.
    Text(String),
    /// We created the file, and it contains only what we wrote: the caller should delete it.
    Delete,
}

/// One of ccsession's handlers, as a file contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The event's name, unescaped.
    pub event: String,
    /// The command, unescaped.
    pub command: String,
    /// True if the handler has `args`.
    pub exec_form: bool,
    /// The timeout in seconds, if it is a whole number.
    pub timeout: Option<u64>,
    /// The matcher of the handler's group. `None`, `""` and `"*"` match everything.
    pub matcher: Option<String>,
}

/// Makes ccsession's handlers in `text` exactly the wanted ones: adds missing handlers, and removes
/// those that are not wanted.
///
/// `text` is `None` if there is no file. A file with only white space counts as empty. `previous`
/// is the undo of the last installation, if known. `owned` returns whether a command is ours: one
/// of the wanted ones, or one with an older path. To remove all handlers, use [`uninstall`]; this
/// function would leave an empty file.
///
/// # Errors
///
/// Returns an [`EditRefusal`] if the file should not be changed.
pub fn install(
    text: Option<&str>,
    wanted: &[HookEntry<'_>],
    previous: Option<&Undo>,
    owned: impl Fn(&str) -> bool,
) -> Result<Installed, EditRefusal> {
    let (mark, text) = match text.map(split_mark) {
        Some((mark, text)) => (mark, Some(text)),
        None => ("", None),
    };
    let settings = text.map(ParsedSettings::read).transpose()?.flatten();
    let changed = !is_exactly(settings.as_ref(), wanted, &owned);
    if let (false, Some(undo)) = (changed, previous) {
        return Ok(Installed {
            text: format!("{mark}{}", text.unwrap_or_default()),
            undo: undo.clone(),
            changed,
        });
    }
    let base = match &settings {
        Some(settings) => without_ours(settings, previous, &owned),
        None => text.map(str::to_owned),
    };
    let (after, undo) = with_wanted(base.as_deref(), wanted, previous)?;
    verify(settings.as_ref(), Some(&after), wanted, &owned)?;
    let text = match changed {
        true => &after,
        false => text.unwrap_or_default(),
    };
    Ok(Installed {
        text: format!("{mark}{text}"),
        undo,
        changed,
    })
}

/// Removes ccsession's handlers, and the containers that the installation created if they are empty
/// now.
///
/// Without the undo, an event's array and the `hooks` object are removed if they become empty.
///
/// # Errors
///
/// Returns an [`EditRefusal`] if the file should not be changed.
pub fn uninstall(
    text: &str,
    undo: Option<&Undo>,
    owned: impl Fn(&str) -> bool,
) -> Result<Uninstalled, EditRefusal> {
    let (mark, text) = split_mark(text);
    let settings = ParsedSettings::read(text)?;
    let after = match &settings {
        Some(settings) => without_ours(settings, undo, &owned),
        None if undo.is_some_and(|undo| undo.file == Some(Before::Missing)) => None,
        None => Some(text.to_owned()),
    };
    verify(settings.as_ref(), after.as_deref(), &[], &owned)?;
    Ok(match after {
        None => Uninstalled::Delete,
        Some(after) if after == text => Uninstalled::Unchanged,
        Some(after) => Uninstalled::Text(format!("{mark}{after}")),
    })
}

/// Splits off a byte order mark, if there is one. It has no meaning, but it must stay in the file.
fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with(MARK) {
        MARK.len_utf8()
    } else {
        0
    })
}

const MARK: char = '\u{feff}';

/// Lists ccsession's handlers, in the order of the file.
///
/// # Errors
///
/// Returns an [`EditRefusal`] if [`install`] would refuse to change the file.
pub fn registered(
    text: &str,
    owned: impl Fn(&str) -> bool,
) -> Result<Vec<Registered>, EditRefusal> {
    let settings = ParsedSettings::read(split_mark(text).1)?;
    let ours = handlers(settings.as_ref()).filter(|(_, _, handler)| is_ours(handler, &owned));
    let registered = ours.filter_map(|(event, group, handler)| {
        Some(Registered {
            event: event.name.clone(),
            command: command(handler)?.into_owned(),
            exec_form: handler.get("args").is_some(),
            timeout: handler.get("timeout").and_then(Value::as_u64),
            matcher: group.matcher.clone(),
        })
    });
    Ok(registered.collect())
}

/// Lists the event and the command of every handler that runs a command, ccsession's and others.
///
/// # Errors
///
/// Returns an [`EditRefusal`] if [`install`] would refuse to change the file.
pub fn all_commands(text: &str) -> Result<Vec<(String, String)>, EditRefusal> {
    let settings = ParsedSettings::read(split_mark(text).1)?;
    let commands = handlers(settings.as_ref()).filter_map(|(event, _, handler)| {
        Some((event.name.clone(), command(handler)?.into_owned()))
    });
    Ok(commands.collect())
}

/// Returns the value of a top-level key.
///
/// # Errors
///
/// Returns an [`EditRefusal`] if [`install`] would refuse to change the file.
pub fn setting(text: &str, key: &str) -> Result<Option<Value>, EditRefusal> {
    let settings = ParsedSettings::read(split_mark(text).1)?;
    Ok(settings.and_then(|settings| settings.json.get(key).cloned()))
}
