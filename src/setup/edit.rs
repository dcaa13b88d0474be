//! Claude Code's `settings.json`, edited so that every byte that is not ours stays as it is. Text in, text out.
//!
//! [`install`] brings our handlers to exactly the wanted set, [`uninstall`] is its inverse; [`registered`],
//! [`all_commands`] and [`setting`] only read. A file that is not strict JSON of the shape the client accepts is
//! refused, never repaired: a guess here would cost somebody their settings.
//!
//! It knows no files, no environment, no clock, and not what our executables are called: the caller's `owned` says
//! which commands are ours.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use jsonc_parser::ast::{Array, Object, ObjectProp, Value as Node};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::model::text::one_line;

/// One handler to be registered, for every matcher of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Claude Code's name of the event.
    pub event: &'a str,
    /// What the client runs: an absolute path, shell-quoted unless `exec_form`.
    pub command: String,
    /// Whether `"args": []` is written, so that a client that knows it spawns no shell.
    pub exec_form: bool,
    /// Seconds until the client gives up on the hook.
    pub timeout: u32,
}

/// What stood where an installation put something of its own, so that [`uninstall`] can put it back.
///
/// A container that is not mentioned had content of its own. Forget the undo once `uninstall` has been written.
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

/// What the file, `hooks` or the array of an event was before, where that cannot be seen afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Before {
    /// It did not exist.
    Missing,
    /// The file was there and held only this white space.
    Blank(String),
    /// The brackets were there and held only this white space.
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

    /// Adds what an earlier installation knew of the containers that outlived it in `settings`.
    fn carry(&mut self, previous: &Undo, settings: &Settings<'_>) {
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

/// What [`install`] makes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The whole new text; the old one, byte for byte, if nothing `changed`.
    pub text: String,
    /// To be kept until [`uninstall`], and to be passed to the next [`install`].
    pub undo: Undo,
    /// Whether there is anything to write.
    pub changed: bool,
}

/// What [`uninstall`] makes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uninstalled {
    /// Nothing of ours is in it.
    Unchanged,
    /// The whole new text.
    Text(String),
    /// We created the file and nothing else is in it: it should go.
    Delete,
}

/// A handler of ours as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The event, unescaped.
    pub event: String,
    /// The command, unescaped.
    pub command: String,
    /// Whether it has `args`.
    pub exec_form: bool,
    /// Seconds, if it is a whole number.
    pub timeout: Option<u64>,
    /// The matcher of its group; none, `""` and `"*"` match everything.
    pub matcher: Option<String>,
}

/// Brings our handlers in `text` to exactly the wanted ones: adds what is missing, removes what is ours and not wanted.
///
/// `text` is `None` where there is no file; one of white space only counts as empty. `previous` is the undo of the last
/// installation, if it is known. `owned` tells whether a command is ours: the wanted ones, and older paths of ours. To
/// want nothing is [`uninstall`]'s part: here it would leave a file that we created empty.
///
/// # Errors
///
/// A [`Refusal`] where the file should not be touched.
pub fn install(
    text: Option<&str>,
    wanted: &[Wanted<'_>],
    previous: Option<&Undo>,
    owned: impl Fn(&str) -> bool,
) -> Result<Installed, Refusal> {
    let settings = text.map(Settings::read).transpose()?.flatten();
    let changed = !is_exactly(settings.as_ref(), wanted, &owned);
    if let (false, Some(undo)) = (changed, previous) {
        let (text, undo) = (text.unwrap_or_default().to_owned(), undo.clone());
        return Ok(Installed {
            text,
            undo,
            changed,
        });
    }
    let base = match &settings {
        Some(settings) => without_ours(settings, previous, &owned),
        None => text.map(str::to_owned),
    };
    let (after, undo) = with_wanted(base.as_deref(), wanted, previous)?;
    verify(settings.as_ref(), Some(&after), wanted, &owned)?;
    let text = if changed {
        after
    } else {
        text.unwrap_or_default().to_owned()
    };
    Ok(Installed {
        text,
        undo,
        changed,
    })
}

/// Removes our handlers, and what the installation created for them where it is empty now.
///
/// Without the undo, an event's array and the `hooks` object go if they become empty by this.
///
/// # Errors
///
/// A [`Refusal`] where the file should not be touched.
pub fn uninstall(
    text: &str,
    undo: Option<&Undo>,
    owned: impl Fn(&str) -> bool,
) -> Result<Uninstalled, Refusal> {
    let settings = Settings::read(text)?;
    let after = match &settings {
        Some(settings) => without_ours(settings, undo, &owned),
        None if undo.is_some_and(|undo| undo.file == Some(Before::Missing)) => None,
        None => Some(text.to_owned()),
    };
    verify(settings.as_ref(), after.as_deref(), &[], &owned)?;
    Ok(match after {
        None => Uninstalled::Delete,
        Some(after) if after == text => Uninstalled::Unchanged,
        Some(after) => Uninstalled::Text(after),
    })
}

/// Lists our handlers, in the order of the file.
///
/// # Errors
///
/// A [`Refusal`] where [`install`] would not touch the file.
pub fn registered(text: &str, owned: impl Fn(&str) -> bool) -> Result<Vec<Registered>, Refusal> {
    let settings = Settings::read(text)?;
    let ours = handlers(settings.as_ref()).filter(|(_, _, handler)| is_ours(handler, &owned));
    let registered = ours.filter_map(|(event, group, handler)| {
        Some(Registered {
            event: event.name.clone(),
            command: command(handler)?.to_owned(),
            exec_form: handler.get("args").is_some(),
            timeout: handler.get("timeout").and_then(Value::as_u64),
            matcher: group.matcher.clone(),
        })
    });
    Ok(registered.collect())
}

/// Lists the event and the command of every handler that runs a command, ours and others.
///
/// # Errors
///
/// A [`Refusal`] where [`install`] would not touch the file.
pub fn all_commands(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let settings = Settings::read(text)?;
    let commands = handlers(settings.as_ref())
        .filter_map(|(event, _, handler)| Some((event.name.clone(), command(handler)?.to_owned())));
    Ok(commands.collect())
}

/// The value of a top-level key.
///
/// # Errors
///
/// A [`Refusal`] where [`install`] would not touch the file.
pub fn setting(text: &str, key: &str) -> Result<Option<Value>, Refusal> {
    let settings = Settings::read(text)?;
    Ok(settings.and_then(|settings| settings.json.get(key).cloned()))
}

/// The largest file that is read or written, in bytes. Real ones have a few thousand.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting that is read: as deep as `serde_json` goes, whose limit of 128 counts one level more.
pub const MAX_DEPTH: usize = 127;

/// Why a settings file is left as it is. Displayed as the `why` of `could not edit `path`: why`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has, or would have, more than [`MAX_BYTES`].
    TooLarge {
        /// That size.
        bytes: usize,
    },
    /// It starts with a byte order mark.
    ByteOrderMark,
    /// It has a comment.
    Comment(Position),
    /// It has a comma after the last member or element.
    TrailingComma(Position),
    /// It is not JSON for another reason.
    NotJson {
        /// Where the parser stopped.
        at: Position,
        /// What the parser said.
        why: String,
    },
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep(Position),
    /// An object has a key twice: what it means depends on who reads it.
    DuplicateKey {
        /// Where the second one is.
        at: Position,
        /// The key.
        key: String,
    },
    /// A part of `hooks` is not what the client expects there; it would ignore the whole file.
    WrongShape {
        /// Where the part is, or what should hold it.
        at: Position,
        /// Its path, such as `hooks.Stop[0]`.
        path: String,
        /// What it should be, with its article.
        expected: &'static str,
    },
    /// The edit did not do what it should have done: an error of this program, found before anything was written.
    Unverified {
        /// What is wrong with the result.
        why: String,
    },
}

impl Refusal {
    /// What the user can do about it, in the imperative and without a full stop.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "make the file smaller",
            Self::ByteOrderMark => "save the file as UTF-8 without a byte order mark",
            Self::Comment(_) => "remove the comment: Claude Code reads strict JSON only",
            Self::TrailingComma(_) => "remove the comma: Claude Code reads strict JSON only",
            Self::NotJson { .. } => "correct the file: Claude Code cannot read it either",
            Self::TooDeep(_) => "nest the settings less deeply",
            Self::DuplicateKey { .. } => "remove one of the two",
            Self::WrongShape { .. } => "correct it: Claude Code may ignore the whole file for it",
            Self::Unverified { .. } => "report this with the file; nothing was written",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes are more than {MAX_BYTES}"),
            Self::ByteOrderMark => write!(f, "it starts with a byte order mark"),
            Self::Comment(at) => write!(f, "comment at {at}"),
            Self::TrailingComma(at) => write!(f, "trailing comma at {at}"),
            Self::NotJson { at, why } => write!(f, "not JSON at {at}: {why}"),
            Self::TooDeep(at) => write!(f, "nested deeper than {MAX_DEPTH} levels at {at}"),
            Self::DuplicateKey { at, key } => {
                write!(f, "duplicate key `{}` at {at}", one_line(key, SHOWN))
            }
            Self::WrongShape { at, path, expected } => {
                let path = one_line(path, SHOWN);
                write!(f, "{path} at {at} is not {expected}")
            }
            Self::Unverified { why } => write!(f, "the edited text is wrong: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// How much of a key or a path a message shows, in characters.
const SHOWN: usize = 80;

/// A place in a text, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl Position {
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let (line, column) = match before.rsplit_once('\n') {
            Some((above, line)) => (above.matches('\n').count() + 2, line),
            None => (1, before),
        };
        let column = column.chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The key of the member that holds all hooks, and of the member of a group that holds its handlers.
const HOOKS: &str = "hooks";

/// A settings file as it stands: what it says, and where each part of its hooks is.
struct Settings<'t> {
    text: &'t str,
    json: Value,
    style: Style,
    root: List,
    hooks: Option<Hooks>,
}

/// The `hooks` object; `events` has one entry for each item of `list`.
struct Hooks {
    /// Which member of the root it is.
    index: usize,
    list: List,
    events: Vec<Event>,
}

/// The array of one event; `groups` has one entry for each item of `list`.
struct Event {
    name: String,
    list: List,
    groups: Vec<Group>,
}

/// A matcher with its handlers; `handlers` has one entry for each item of `list`.
struct Group {
    matcher: Option<String>,
    list: List,
    handlers: Vec<Value>,
}

/// An object or an array: its own place, brackets included, and those of its members or elements.
struct List {
    range: Range,
    items: Vec<Range>,
    /// The indentation of the line it begins on, if nothing but its key stands before it there.
    line: Option<String>,
}

impl List {
    fn of_members(object: &Object<'_>, line: Option<String>) -> Self {
        let items = object.properties.iter().map(Ranged::range).collect();
        let range = object.range;
        Self { range, items, line }
    }

    fn of_elements(array: &Array<'_>, line: Option<String>) -> Self {
        let items = array.elements.iter().map(Ranged::range).collect();
        let range = array.range;
        Self { range, items, line }
    }

    /// The place between the brackets.
    fn interior(&self) -> Range {
        Range::new(self.range.start + 1, self.range.end - 1)
    }
}

/// How a file is laid out.
struct Style {
    newline: &'static str,
    /// One level of indentation.
    unit: String,
    /// What stands after a colon, and after a comma that does not end its line.
    space: &'static str,
}

impl Style {
    /// The client's own style, with the line endings of `text`.
    fn of_new(text: &str) -> Self {
        let first = text.split_once('\n').map(|(line, _)| line);
        let crlf = first.is_some_and(|line| line.ends_with('\r'));
        Self {
            newline: if crlf { "\r\n" } else { "\n" },
            unit: "  ".to_owned(),
            space: " ",
        }
    }

    /// The style of a file, read off the last member of its top level.
    fn of(text: &str, root: &Object<'_>) -> Self {
        let mut style = Self::of_new(text);
        let Some(last) = root.properties.last() else {
            return style;
        };
        if let Some(unit) = indentation(text, last.start()) {
            style.unit = unit;
        }
        let after_key = text.get(last.name.end()..last.value.start());
        if after_key.is_some_and(|colon| colon.ends_with(':')) {
            style.space = "";
        }
        style
    }
}

/// The indentation of the line `offset` is on, if nothing else stands before it on that line.
fn indentation(text: &str, offset: usize) -> Option<String> {
    let (_, indent) = text.get(..offset)?.rsplit_once('\n')?;
    let is_indent = indent.chars().all(|c| matches!(c, ' ' | '\t'));
    is_indent.then(|| indent.to_owned())
}

/// The only characters JSON allows between its tokens.
const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

impl<'t> Settings<'t> {
    /// Reads a file; one of white space only is `None`.
    fn read(text: &'t str) -> Result<Option<Self>, Refusal> {
        if text.len() > MAX_BYTES {
            return Err(Refusal::TooLarge { bytes: text.len() });
        }
        if text.starts_with('\u{feff}') {
            return Err(Refusal::ByteOrderMark);
        }
        if text.trim_matches(JSON_SPACE).is_empty() {
            return Ok(None);
        }
        let (node, json) = parse(text)?;
        let root = expect_object(text, &node, "the top level")?;
        Ok(Some(Self {
            text,
            json,
            style: Style::of(text, root),
            root: List::of_members(root, Some(String::new())),
            hooks: read_hooks(text, root)?,
        }))
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.hooks.iter().flat_map(|hooks| &hooks.events)
    }
}

/// Parses twice: jsonc-parser knows where things are but lets pass what JSON forbids (control characters in strings,
/// other white space); serde_json decides what is JSON.
fn parse(text: &str) -> Result<(Node<'_>, Value), Refusal> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| not_parsed(text, &error))?;
    let node = parsed.value.ok_or_else(|| Refusal::NotJson {
        at: Position::of(text, 0),
        why: "no value".to_owned(),
    })?;
    check_nesting_and_keys(text, &node, 1)?;
    let json = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    Ok((node, json))
}

/// Everything off that jsonc-parser would accept beyond JSON.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn not_parsed(text: &str, error: &ParseError) -> Refusal {
    let at = Position::of(text, error.range().start);
    match error.kind() {
        ParseErrorKind::CommentsNotAllowed => Refusal::Comment(at),
        ParseErrorKind::TrailingCommasNotAllowed => Refusal::TrailingComma(at),
        ParseErrorKind::NestingDepthExceeded => Refusal::TooDeep(at),
        kind => {
            let why = kind.to_string().to_lowercase();
            Refusal::NotJson { at, why }
        }
    }
}

fn not_json(error: &serde_json::Error) -> Refusal {
    // The message ends in the position. A line break in a string is reported in column 0 of the next line.
    let message = error.to_string();
    let why = message
        .rsplit_once(" at line ")
        .map_or(&*message, |(why, _)| why);
    Refusal::NotJson {
        at: Position {
            line: error.line(),
            column: error.column().max(1),
        },
        why: why.to_owned(),
    }
}

fn check_nesting_and_keys(text: &str, node: &Node<'_>, depth: usize) -> Result<(), Refusal> {
    match node {
        Node::Object(_) | Node::Array(_) if depth > MAX_DEPTH => {
            Err(Refusal::TooDeep(Position::of(text, node.start())))
        }
        Node::Object(object) => {
            check_keys(text, object)?;
            let mut values = object.properties.iter().map(|member| &member.value);
            values.try_for_each(|value| check_nesting_and_keys(text, value, depth + 1))
        }
        Node::Array(array) => {
            let mut values = array.elements.iter();
            values.try_for_each(|value| check_nesting_and_keys(text, value, depth + 1))
        }
        _ => Ok(()),
    }
}

fn check_keys(text: &str, object: &Object<'_>) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let mut members = object.properties.iter();
    match members.find(|member| !seen.insert(member.name.as_str())) {
        None => Ok(()),
        Some(second) => Err(Refusal::DuplicateKey {
            at: Position::of(text, second.start()),
            key: second.name.as_str().to_owned(),
        }),
    }
}

fn read_hooks(text: &str, root: &Object<'_>) -> Result<Option<Hooks>, Refusal> {
    let mut members = root.properties.iter().enumerate();
    let Some((index, member)) = members.find(|(_, member)| member.name.as_str() == HOOKS) else {
        return Ok(None);
    };
    let object = expect_object(text, &member.value, HOOKS)?;
    let events = object.properties.iter();
    let events = events.map(|member| read_event(text, member));
    Ok(Some(Hooks {
        index,
        list: List::of_members(object, indentation(text, member.start())),
        events: events.collect::<Result<_, _>>()?,
    }))
}

fn read_event(text: &str, member: &ObjectProp<'_>) -> Result<Event, Refusal> {
    let name = member.name.as_str();
    let path = format!("{HOOKS}.{name}");
    let array = expect_array(text, &member.value, &path)?;
    let groups = array.elements.iter().enumerate();
    let groups = groups.map(|(index, node)| read_group(text, node, &format!("{path}[{index}]")));
    Ok(Event {
        name: name.to_owned(),
        list: List::of_elements(array, indentation(text, member.start())),
        groups: groups.collect::<Result<_, _>>()?,
    })
}

fn read_group(text: &str, node: &Node<'_>, path: &str) -> Result<Group, Refusal> {
    let object = expect_object(text, node, path)?;
    let path = format!("{path}.{HOOKS}");
    let Some(member) = object.get(HOOKS) else {
        return Err(wrong_shape(text, node, &path, "an array"));
    };
    let array = expect_array(text, &member.value, &path)?;
    let nodes = array.elements.iter().enumerate();
    let handlers = nodes.map(|(index, node)| read_handler(text, node, &format!("{path}[{index}]")));
    let matcher = object.get_string("matcher");
    Ok(Group {
        matcher: matcher.map(|matcher| matcher.value.clone().into_owned()),
        // Nothing is ever appended to it, so its line does not matter.
        list: List::of_elements(array, None),
        handlers: handlers.collect::<Result<_, _>>()?,
    })
}

/// Reads a handler. A `type` that is unknown here may be known to the client; without a type, or as a command hook
/// without its command, it makes every client drop the file.
fn read_handler(text: &str, node: &Node<'_>, path: &str) -> Result<Value, Refusal> {
    let object = expect_object(text, node, path)?;
    let not_a_string = |key| wrong_shape(text, node, &format!("{path}.{key}"), "a string");
    let kind = object
        .get_string("type")
        .ok_or_else(|| not_a_string("type"))?;
    if kind.value == "command" && object.get_string("command").is_none() {
        return Err(not_a_string("command"));
    }
    // It cannot fail: the whole text was parsed before.
    Ok(serde_json::from_str(object.text(text)).unwrap_or_default())
}

fn expect_object<'n, 't>(
    text: &str,
    node: &'n Node<'t>,
    path: &str,
) -> Result<&'n Object<'t>, Refusal> {
    let object = node.as_object();
    object.ok_or_else(|| wrong_shape(text, node, path, "an object"))
}

fn expect_array<'n, 't>(
    text: &str,
    node: &'n Node<'t>,
    path: &str,
) -> Result<&'n Array<'t>, Refusal> {
    let array = node.as_array();
    array.ok_or_else(|| wrong_shape(text, node, path, "an array"))
}

fn wrong_shape(text: &str, node: &Node<'_>, path: &str, expected: &'static str) -> Refusal {
    Refusal::WrongShape {
        at: Position::of(text, node.start()),
        path: path.to_owned(),
        expected,
    }
}

/// Every handler of a file, with its event and its group.
fn handlers<'s>(
    settings: Option<&'s Settings<'_>>,
) -> impl Iterator<Item = (&'s Event, &'s Group, &'s Value)> {
    let events = settings.into_iter().flat_map(Settings::events);
    let groups = events.flat_map(|event| event.groups.iter().map(move |group| (event, group)));
    groups.flat_map(|(event, group)| {
        let handlers = group.handlers.iter();
        handlers.map(move |handler| (event, group, handler))
    })
}

/// The command of a handler that runs one.
fn command(handler: &Value) -> Option<&str> {
    let kind = handler.get("type")?;
    if kind == "command" {
        handler.get("command")?.as_str()
    } else {
        None
    }
}

fn is_ours(handler: &Value, owned: &impl Fn(&str) -> bool) -> bool {
    command(handler).is_some_and(owned)
}

/// A change of a text: what stands in the range gives way to `with`.
struct Splice {
    range: Range,
    with: String,
}

fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.range.start);
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for splice in &splices {
        result.push_str(text.get(done..splice.range.start).unwrap_or_default());
        result.push_str(&splice.with);
        done = splice.range.end;
    }
    result.push_str(text.get(done..).unwrap_or_default());
    result
}

/// The text without our handlers and without what was created for them; `None` if the file itself was.
fn without_ours(
    settings: &Settings<'_>,
    undo: Option<&Undo>,
    owned: &impl Fn(&str) -> bool,
) -> Option<String> {
    let hooks = settings.hooks.as_ref();
    let cut = hooks.map(|hooks| (hooks.index, cut_hooks(hooks, undo, owned)));
    let gone_member = match &cut {
        Some((index, None)) => Some(*index),
        _ => None,
    };
    let members = 0..settings.root.items.len();
    let gone: Vec<_> = members.map(|index| Some(index) == gone_member).collect();
    let before = undo.and_then(|undo| undo.file.as_ref());
    match before {
        Some(Before::Missing) if all(&gone) => return None,
        Some(Before::Blank(text)) if all(&gone) => return Some(text.clone()),
        _ => {}
    }
    let mut splices = cut_items(&settings.root, &gone, before);
    splices.extend(cut.and_then(|(_, inner)| inner).into_iter().flatten());
    Some(spliced(settings.text, splices))
}

/// What is to be cut out of the `hooks` object; `None` if it goes as a whole.
fn cut_hooks(
    hooks: &Hooks,
    undo: Option<&Undo>,
    owned: &impl Fn(&str) -> bool,
) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    let mut gone = Vec::new();
    for event in &hooks.events {
        let inner = cut_event(event, undo, owned);
        gone.push(inner.is_none());
        splices.extend(inner.into_iter().flatten());
    }
    let before = undo.and_then(|undo| undo.hooks.as_ref());
    splices.extend(cut_items(&hooks.list, &gone, before));
    (!goes(&gone, undo, before)).then_some(splices)
}

/// What is to be cut out of the array of an event; `None` if the event goes as a whole.
fn cut_event(
    event: &Event,
    undo: Option<&Undo>,
    owned: &impl Fn(&str) -> bool,
) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    let mut gone = Vec::new();
    for group in &event.groups {
        let handlers = group.handlers.iter();
        let ours: Vec<_> = handlers.map(|handler| is_ours(handler, owned)).collect();
        let only_ours = !ours.is_empty() && all(&ours);
        if !only_ours {
            splices.extend(cut_items(&group.list, &ours, None));
        }
        gone.push(only_ours);
    }
    let before = undo.and_then(|undo| undo.events.get(&event.name));
    splices.extend(cut_items(&event.list, &gone, before));
    (!goes(&gone, undo, before)).then_some(splices)
}

/// Whether a container goes when its `gone` items are cut: if nothing is left in it and we created it. Without an undo,
/// one that held nothing but ours counts as created by us.
fn goes(gone: &[bool], undo: Option<&Undo>, before: Option<&Before>) -> bool {
    let created = match undo {
        Some(_) => before == Some(&Before::Missing),
        None => !gone.is_empty(),
    };
    all(gone) && created
}

fn all(flags: &[bool]) -> bool {
    flags.iter().all(|flag| *flag)
}

/// Cuts the `gone` items with the commas that joined them; brackets that end up empty get back what they held.
///
/// An item goes with the comma before it, which is how it was appended. Items with nothing left before them go with the
/// comma after them.
fn cut_items(list: &List, gone: &[bool], before: Option<&Before>) -> Vec<Splice> {
    let cut = |start, end| Splice {
        range: Range::new(start, end),
        with: String::new(),
    };
    let leading = gone.iter().take_while(|gone| **gone).count();
    let Some(first) = list.items.first().filter(|_| gone.contains(&true)) else {
        return Vec::new();
    };
    let Some(kept) = list.items.get(leading) else {
        return vec![emptied(list, before)];
    };
    let pairs = list.items.iter().zip(list.items.iter().skip(1));
    let pairs = pairs.zip(gone.iter().skip(1)).skip(leading);
    let gone_pairs = pairs.filter(|(_, gone)| **gone).map(|(pair, _)| pair);
    let mut splices = vec![cut(first.start, kept.start)];
    splices.extend(gone_pairs.map(|(previous, item)| cut(previous.end, item.end)));
    splices
}

fn emptied(list: &List, before: Option<&Before>) -> Splice {
    let with = match before {
        Some(Before::Empty(space)) => space.clone(),
        _ => String::new(),
    };
    Splice {
        range: list.interior(),
        with,
    }
}

/// The text with the wanted handlers appended, from one without ours, and how to undo that.
fn with_wanted(
    base: Option<&str>,
    wanted: &[Wanted<'_>],
    previous: Option<&Undo>,
) -> Result<(String, Undo), Refusal> {
    let settings = base.map(Settings::read).transpose()?.flatten();
    let events = groups_by_event(wanted);
    let mut undo = Undo::new();
    let text = match &settings {
        _ if wanted.is_empty() => base.unwrap_or_default().to_owned(),
        None => new_file(base, events, &mut undo),
        Some(settings) => match &settings.hooks {
            None => add_hooks(settings, events, &mut undo),
            Some(hooks) => add_events(settings, hooks, events, &mut undo),
        },
    };
    if let (Some(settings), Some(previous)) = (&settings, previous) {
        undo.carry(previous, settings);
    }
    Ok((text, undo))
}

fn new_file(base: Option<&str>, events: Vec<(&str, Vec<New>)>, undo: &mut Undo) -> String {
    undo.file = Some(base.map_or(Before::Missing, |blank| Before::Blank(blank.to_owned())));
    let style = Style::of_new(base.unwrap_or_default());
    let root = New::Object(vec![created_hooks(events, undo)]);
    root.rendered(&style, Some("")) + style.newline
}

fn add_hooks(settings: &Settings<'_>, events: Vec<(&str, Vec<New>)>, undo: &mut Undo) -> String {
    undo.file = emptiness(settings, &settings.root);
    let members = New::Object(vec![created_hooks(events, undo)]);
    let splice = appended(settings, &settings.root, &members);
    spliced(settings.text, vec![splice])
}

fn add_events(
    settings: &Settings<'_>,
    hooks: &Hooks,
    events: Vec<(&str, Vec<New>)>,
    undo: &mut Undo,
) -> String {
    let mut splices = Vec::new();
    let mut created = Vec::new();
    for (name, groups) in events {
        let Some(event) = hooks.events.iter().find(|event| event.name == name) else {
            created.push(created_event(name, groups, undo));
            continue;
        };
        if let Some(before) = emptiness(settings, &event.list) {
            undo.events.insert(name.to_owned(), before);
        }
        splices.push(appended(settings, &event.list, &New::Array(groups)));
    }
    if !created.is_empty() {
        undo.hooks = emptiness(settings, &hooks.list);
        splices.push(appended(settings, &hooks.list, &New::Object(created)));
    }
    spliced(settings.text, splices)
}

fn created_hooks(events: Vec<(&str, Vec<New>)>, undo: &mut Undo) -> New {
    undo.hooks = Some(Before::Missing);
    let created = |(name, groups)| created_event(name, groups, undo);
    New::member(
        HOOKS,
        New::Object(events.into_iter().map(created).collect()),
    )
}

fn created_event(name: &str, groups: Vec<New>, undo: &mut Undo) -> New {
    undo.events.insert(name.to_owned(), Before::Missing);
    New::member(name, New::Array(groups))
}

/// What has to be remembered of a list that gets its first item from us.
fn emptiness(settings: &Settings<'_>, list: &List) -> Option<Before> {
    let space = list.interior().text(settings.text).to_owned();
    list.items.is_empty().then_some(Before::Empty(space))
}

/// The change that appends the items of `more` to a list, in the manner of its last item.
///
/// An empty list has no manner: it is spread over lines if it begins on a line of its own.
fn appended(settings: &Settings<'_>, list: &List, more: &New) -> Splice {
    let style = &settings.style;
    let Some(last) = list.items.last() else {
        return Splice {
            range: list.range,
            with: more.rendered(style, list.line.as_deref()),
        };
    };
    let line = indentation(settings.text, last.start);
    let gap = match &line {
        Some(line) => format!("{}{line}", style.newline),
        None => style.space.to_owned(),
    };
    let appended = |item: &New| format!(",{gap}{}", item.rendered(style, line.as_deref()));
    Splice {
        range: Range::from_byte_index(last.end),
        with: more.items().iter().map(appended).collect(),
    }
}

fn groups_by_event<'a>(wanted: &[Wanted<'a>]) -> Vec<(&'a str, Vec<New>)> {
    let mut events: Vec<(&str, Vec<New>)> = Vec::new();
    for wanted in wanted {
        let handlers = New::Array(vec![wanted.handler()]);
        let group = New::Object(vec![New::member(HOOKS, handlers)]);
        match events.iter_mut().find(|(event, _)| *event == wanted.event) {
            Some((_, groups)) => groups.push(group),
            None => events.push((wanted.event, vec![group])),
        }
    }
    events
}

impl Wanted<'_> {
    fn handler(&self) -> New {
        let timeout = New::Scalar(self.timeout.to_string());
        let mut members = vec![
            New::member("type", New::string("command")),
            New::member("command", New::string(&self.command)),
            New::member("timeout", timeout),
        ];
        if self.exec_form {
            members.insert(2, New::member("args", New::Array(Vec::new())));
        }
        New::Object(members)
    }
}

/// JSON to be written, its members in the order in which people read them.
enum New {
    Scalar(String),
    Member(String, Box<New>),
    Array(Vec<New>),
    Object(Vec<New>),
}

impl New {
    fn string(text: &str) -> Self {
        Self::Scalar(Value::from(text).to_string())
    }

    fn member(key: &str, value: New) -> Self {
        Self::Member(Value::from(key).to_string(), Box::new(value))
    }

    fn items(&self) -> &[New] {
        match self {
            Self::Array(items) | Self::Object(items) => items,
            Self::Scalar(_) | Self::Member(..) => &[],
        }
    }

    fn to_value(&self) -> Value {
        // It cannot fail: what is rendered is JSON.
        serde_json::from_str(&self.rendered(&Style::of_new(""), None)).unwrap_or_default()
    }

    /// Prints it: over several lines if it begins on a line of its own, indented by `line`, on one line otherwise.
    fn rendered(&self, style: &Style, line: Option<&str>) -> String {
        let (open, close) = match self {
            Self::Scalar(text) => return text.clone(),
            Self::Member(key, value) => {
                return format!("{key}:{}{}", style.space, value.rendered(style, line));
            }
            Self::Array(_) => ('[', ']'),
            Self::Object(_) => ('{', '}'),
        };
        let items = self.items().iter();
        let Some(line) = line.filter(|_| !self.items().is_empty()) else {
            let items: Vec<_> = items.map(|item| item.rendered(style, None)).collect();
            return format!("{open}{}{close}", items.join(&format!(",{}", style.space)));
        };
        let newline = style.newline;
        let inner = format!("{line}{}", style.unit);
        let items: Vec<_> = items
            .map(|item| item.rendered(style, Some(&inner)))
            .collect();
        let items = items.join(&format!(",{newline}{inner}"));
        format!("{open}{newline}{inner}{items}{newline}{line}{close}")
    }
}

/// Checks an edit: everything that is not ours is what it was, and what is ours is what was wanted.
fn verify(
    before: Option<&Settings<'_>>,
    after: Option<&str>,
    wanted: &[Wanted<'_>],
    owned: &impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let wrong = |why: &str| Refusal::Unverified {
        why: why.to_owned(),
    };
    let after = after.map(Settings::read).transpose();
    let after = after.map_err(|refusal| match refusal {
        Refusal::TooLarge { .. } => refusal,
        other => wrong(&other.to_string()),
    })?;
    let after = after.flatten();
    if foreign(before, owned) != foreign(after.as_ref(), owned) {
        return Err(wrong("something that is not ours would differ"));
    }
    if !is_exactly(after.as_ref(), wanted, owned) {
        return Err(wrong("our hooks would not be the wanted ones"));
    }
    Ok(())
}

/// Whether our handlers are the wanted ones: no more, no fewer, each as we would write it and for every matcher.
fn is_exactly(
    settings: Option<&Settings<'_>>,
    wanted: &[Wanted<'_>],
    owned: &impl Fn(&str) -> bool,
) -> bool {
    let ours = handlers(settings).filter(|(_, _, handler)| is_ours(handler, owned));
    let ours: Vec<_> = ours.collect();
    let stands = |wanted: &Wanted<'_>| {
        let written = wanted.handler().to_value();
        ours.iter().any(|(event, group, handler)| {
            event.name == wanted.event && group.matches_all() && **handler == written
        })
    };
    ours.len() == wanted.len() && wanted.iter().all(stands)
}

impl Group {
    fn matches_all(&self) -> bool {
        matches!(self.matcher.as_deref(), None | Some("" | "*"))
    }
}

/// What a file says to others: without ours, and without what is empty where ours could have been.
fn foreign(settings: Option<&Settings<'_>>, owned: &impl Fn(&str) -> bool) -> Value {
    let mut json = match settings {
        Some(settings) => settings.json.clone(),
        None => Value::Object(serde_json::Map::new()),
    };
    let Some(Value::Object(hooks)) = json.get_mut(HOOKS) else {
        return json;
    };
    for groups in hooks.values_mut().filter_map(Value::as_array_mut) {
        groups.retain_mut(|group| keeps_foreign(group, owned));
    }
    hooks.retain(|_, groups| groups.as_array().is_none_or(|groups| !groups.is_empty()));
    let empty = hooks.is_empty();
    if let Some(root) = json.as_object_mut().filter(|_| empty) {
        root.remove(HOOKS);
    }
    json
}

/// Removes our handlers from a group, and says whether it was more than a holder of them.
fn keeps_foreign(group: &mut Value, owned: &impl Fn(&str) -> bool) -> bool {
    let Some(Value::Array(handlers)) = group.get_mut(HOOKS) else {
        return true;
    };
    let count = handlers.len();
    handlers.retain(|handler| !is_ours(handler, owned));
    count == 0 || !handlers.is_empty()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use serde_json::json;

    use super::generate::{Edit, edits, file, settings, spoiled, with_ours};
    use super::*;

    const OURS: &str = "/opt/ccsession/libexec/";

    fn owned(command: &str) -> bool {
        command.starts_with(OURS)
    }

    fn wanted(events: &[&'static str]) -> Vec<Wanted<'static>> {
        let handler = |event: &&'static str| Wanted {
            event,
            command: format!("{OURS}session-event"),
            exec_form: true,
            timeout: 5,
        };
        events.iter().map(handler).collect()
    }

    fn installed(text: &str, events: &[&'static str]) -> Installed {
        install(Some(text), &wanted(events), None, owned).unwrap()
    }

    /// The file after an uninstallation; `None` if it is gone.
    fn uninstalled(text: &str, undo: Option<&Undo>) -> Option<String> {
        match uninstall(text, undo, owned).unwrap() {
            Uninstalled::Unchanged => Some(text.to_owned()),
            Uninstalled::Text(text) => Some(text),
            Uninstalled::Delete => None,
        }
    }

    /// The undo as the next process reads it.
    fn reread(undo: &Undo) -> Undo {
        serde_json::from_str(&serde_json::to_string(undo).unwrap()).unwrap()
    }

    /// An installation of `Stop` gives exactly `after`, and its undo gives back `before`.
    #[track_caller]
    fn check_there_and_back(before: &str, after: &str) {
        let done = installed(before, &["Stop"]);
        assert_eq!(done.text, after);
        assert!(done.changed);
        assert_eq!(
            uninstalled(&done.text, Some(&reread(&done.undo))).as_deref(),
            Some(before)
        );
    }

    #[test]
    fn a_new_file_is_written_as_the_client_writes_it() {
        let mut wanted = wanted(&["Stop", "SessionEnd"]);
        wanted[1].exec_form = false;
        wanted[1].command = format!("{OURS}o\"neil");
        let done = install(None, &wanted, None, owned).unwrap();
        let expected = r#"{
  "hooks": {
    "Stop": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "/opt/ccsession/libexec/session-event",
            "args": [],
            "timeout": 5
          }
        ]
      }
    ],
    "SessionEnd": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "/opt/ccsession/libexec/o\"neil",
            "timeout": 5
          }
        ]
      }
    ]
  }
}
"#;
        assert_eq!(done.text, expected);
        assert!(done.changed);
        assert_eq!(
            uninstall(&done.text, Some(&done.undo), owned),
            Ok(Uninstalled::Delete)
        );
    }

    #[test]
    fn a_blank_file_gets_its_white_space_back() {
        for blank in ["", "\n", " \r\n\t"] {
            let done = installed(blank, &["Stop"]);
            assert_eq!(
                uninstalled(&done.text, Some(&done.undo)).as_deref(),
                Some(blank)
            );
        }
        assert!(
            installed(" \r\n\t", &["Stop"])
                .text
                .starts_with("{\r\n  \"hooks\": {\r\n")
        );
    }

    #[test]
    fn an_empty_object_is_spread_over_lines() {
        let after = r#"{
  "hooks": {
    "Stop": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "/opt/ccsession/libexec/session-event",
            "args": [],
            "timeout": 5
          }
        ]
      }
    ]
  }
}"#;
        check_there_and_back("{}", after);
        check_there_and_back("{ \n }", after);
        check_there_and_back("{\r\n}\r\n", &format!("{after}\n").replace('\n', "\r\n"));
    }

    #[test]
    fn a_file_on_one_line_stays_on_one_line() {
        check_there_and_back(
            r#"{"a":1}"#,
            r#"{"a":1,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"/opt/ccsession/libexec/session-event","args":[],"timeout":5}]}]}}"#,
        );
        check_there_and_back(
            r#"{"a": 1, "hooks": {"Stop": []}}"#,
            r#"{"a": 1, "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "/opt/ccsession/libexec/session-event", "args": [], "timeout": 5}]}]}}"#,
        );
    }

    #[test]
    fn indentation_and_line_endings_are_those_of_the_file() {
        let before = "{\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [ ]\r\n\t},\r\n\t\"a\": 1\r\n}";
        let after = concat!(
            "{\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [\r\n\t\t\t{\r\n\t\t\t\t\"hooks\": [\r\n",
            "\t\t\t\t\t{\r\n\t\t\t\t\t\t\"type\": \"command\",\r\n",
            "\t\t\t\t\t\t\"command\": \"/opt/ccsession/libexec/session-event\",\r\n",
            "\t\t\t\t\t\t\"args\": [],\r\n\t\t\t\t\t\t\"timeout\": 5\r\n\t\t\t\t\t}\r\n",
            "\t\t\t\t]\r\n\t\t\t}\r\n\t\t]\r\n\t},\r\n\t\"a\": 1\r\n}",
        );
        check_there_and_back(before, after);
    }

    #[test]
    fn ours_are_appended_after_what_is_there() {
        let before = r#"{
    "hooks": {
        "Stop": [
            {"hooks": []}
        ]
    }
}
"#;
        let after = r#"{
    "hooks": {
        "Stop": [
            {"hooks": []},
            {
                "hooks": [
                    {
                        "type": "command",
                        "command": "/opt/ccsession/libexec/session-event",
                        "args": [],
                        "timeout": 5
                    }
                ]
            }
        ]
    }
}
"#;
        check_there_and_back(before, after);
    }

    #[test]
    fn empty_containers_come_back_and_created_ones_go() {
        let files = [
            "{}",
            r#"{"hooks":{}}"#,
            r#"{"hooks":{"Stop":[]}}"#,
            r#"{"hooks":{"Stop":[ ]}}"#,
            r#"{"hooks":{"SessionEnd":[]}}"#,
        ];
        for file in files {
            let done = installed(file, &["Stop", "SessionStart"]);
            let back = uninstalled(&done.text, Some(&reread(&done.undo)));
            assert_eq!(back.as_deref(), Some(file));
        }
    }

    #[test]
    fn without_the_undo_what_became_empty_goes() {
        let gone = |text| uninstalled(&installed(text, &["Stop"]).text, None).unwrap();
        assert_eq!(gone(r#"{"hooks":{"Stop":[]}}"#), "{}");
        assert_eq!(
            gone(r#"{"hooks":{"SessionEnd":[]}}"#),
            r#"{"hooks":{"SessionEnd":[]}}"#
        );
        assert_eq!(gone(r#"{"a":1}"#), r#"{"a":1}"#);
        let new = install(None, &wanted(&["Stop"]), None, owned).unwrap();
        assert_eq!(uninstalled(&new.text, None).as_deref(), Some("{}\n"));
    }

    #[test]
    fn nothing_of_ours_is_nothing_to_remove() {
        let undo = installed("{}", &["Stop"]).undo;
        for text in ["", "{}", r#"{"hooks":{"A":[]}}"#, r#"{"hooks":{}}"#] {
            assert_eq!(
                uninstall(text, None, owned),
                Ok(Uninstalled::Unchanged),
                "{text}"
            );
        }
        assert_eq!(
            uninstall("", Some(&undo), owned),
            Ok(Uninstalled::Unchanged)
        );
        assert_eq!(
            uninstall("{ }", Some(&undo), owned),
            Ok(Uninstalled::Unchanged)
        );
    }

    #[test]
    fn a_file_of_ours_that_was_emptied_goes() {
        let undo = install(None, &wanted(&["Stop"]), None, owned).unwrap().undo;
        for text in ["", "\n", "{}", r#"{"hooks":{"Stop":[]}}"#] {
            assert_eq!(
                uninstall(text, Some(&undo), owned),
                Ok(Uninstalled::Delete),
                "{text}"
            );
        }
        let kept = uninstalled(r#"{"theme":"dark","hooks":{"Stop":[]}}"#, Some(&undo));
        assert_eq!(kept.as_deref(), Some(r#"{"theme":"dark"}"#));
    }

    #[test]
    fn a_second_installation_changes_nothing() {
        let first = installed("{\n  \"a\": 1\n}\n", &["Stop", "SessionEnd"]);
        let wanted = wanted(&["SessionEnd", "Stop"]);
        let second = install(Some(&first.text), &wanted, Some(&first.undo), owned).unwrap();
        assert_eq!(
            second,
            Installed {
                changed: false,
                ..first
            }
        );
    }

    #[test]
    fn the_undo_is_found_again_after_it_was_lost() {
        let first = installed("{\n  \"a\": 1\n}\n", &["Stop"]);
        let second = install(Some(&first.text), &wanted(&["Stop"]), None, owned).unwrap();
        assert_eq!(
            second,
            Installed {
                changed: false,
                ..first
            }
        );
    }

    #[test]
    fn an_older_installation_is_brought_to_the_wanted_one() {
        let first = installed(r#"{"hooks":{"Stop":[]}}"#, &["Stop", "Notification"]);
        let old = first.text.replace("session-event", "old/session-event");
        let events = ["SessionStart", "Stop"];
        let moved = install(Some(&old), &wanted(&events), Some(&first.undo), owned).unwrap();
        assert!(moved.changed);
        assert_eq!(
            moved.text,
            installed(r#"{"hooks":{"Stop":[]}}"#, &events).text
        );
        let back = uninstalled(&moved.text, Some(&moved.undo));
        assert_eq!(back.as_deref(), Some(r#"{"hooks":{"Stop":[]}}"#));
    }

    #[test]
    fn every_difference_from_the_wanted_handler_is_corrected() {
        let right = installed("{}", &["Stop"]);
        let differences = [
            ("\"args\": []", "\"args\": [\"x\"]"),
            ("\"args\": [],", ""),
            ("\"timeout\": 5", "\"timeout\": 50"),
            ("\"timeout\": 5", "\"timeout\": 5, \"async\": true"),
            ("session-event", "other"),
            ("\"hooks\": [", "\"matcher\": \"Bash\", \"hooks\": ["),
        ];
        for (ours, theirs) in differences {
            let wrong = right.text.replacen(ours, theirs, 1);
            assert_ne!(wrong, right.text);
            let done = install(Some(&wrong), &wanted(&["Stop"]), Some(&right.undo), owned);
            assert_eq!(
                done,
                Ok(Installed {
                    changed: true,
                    ..right.clone()
                }),
                "{theirs}"
            );
        }
    }

    #[test]
    fn a_handler_under_another_event_is_moved() {
        let first = installed(r#"{"a":1}"#, &["Stop"]);
        let moved = first.text.replace("\"Stop\"", "\"SubagentStop\"");
        let done = install(Some(&moved), &wanted(&["Stop"]), Some(&first.undo), owned).unwrap();
        let ours = registered(&done.text, owned).unwrap();
        assert_eq!(
            ours.iter()
                .map(|ours| ours.event.as_str())
                .collect::<Vec<_>>(),
            ["Stop"]
        );
    }

    #[test]
    fn an_exact_duplicate_is_removed() {
        let once = installed(r#"{"a":1}"#, &["Stop"]);
        let group = &once.text[once.text.find("[{").unwrap() + 1..once.text.len() - 3];
        let twice = once.text.replace(group, &format!("{group},{group}"));
        assert_eq!(registered(&twice, owned).unwrap().len(), 2);
        let done = install(Some(&twice), &wanted(&["Stop"]), Some(&once.undo), owned);
        assert_eq!(done, Ok(once));
    }

    #[test]
    fn wanting_nothing_removes_ours() {
        let once = installed(r#"{"a":1}"#, &["Stop"]);
        let none = install(Some(&once.text), &[], Some(&once.undo), owned).unwrap();
        assert_eq!((none.text.as_str(), none.changed), (r#"{"a":1}"#, true));
        assert!(!install(Some("{}"), &[], None, owned).unwrap().changed);
    }

    #[test]
    fn an_edit_that_went_wrong_is_found() {
        let before = r#"{"a":1}"#;
        let check = |after: Option<&str>| {
            let settings = Settings::read(before).unwrap();
            verify(settings.as_ref(), after, &wanted(&["Stop"]), &owned)
                .unwrap_err()
                .to_string()
        };
        let foreign = "the edited text is wrong: something that is not ours would differ";
        assert_eq!(check(Some(r#"{"a":2}"#)), foreign);
        assert_eq!(check(None), foreign);
        let ours = "the edited text is wrong: our hooks would not be the wanted ones";
        assert_eq!(check(Some(before)), ours);
        let spoiled = "the edited text is wrong: trailing comma at line 1, column 7";
        assert_eq!(check(Some(r#"{"a":1,}"#)), spoiled);
    }

    #[test]
    fn a_wanted_command_that_would_not_be_recognised_is_refused() {
        let refused = install(Some("{}"), &wanted(&["Stop"]), None, |_| false);
        assert!(
            matches!(refused, Err(Refusal::Unverified { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn a_matcher_of_everything_is_left_alone() {
        let text = installed("{}", &["Stop"]).text;
        for matcher in ["", "*"] {
            let with = format!("\"matcher\": \"{matcher}\", \"hooks\": [");
            let text = text.replacen("\"hooks\": [", &with, 1);
            assert!(!installed(&text, &["Stop"]).changed);
        }
    }

    #[test]
    fn duplicates_of_ours_are_removed() {
        let ours = json!({"type": "command", "command": format!("{OURS}x")});
        let foreign = json!({"type": "command", "command": "x"});
        let text = json!({"hooks": {
            "Stop": [{"hooks": [ours, foreign, ours]}, {"hooks": [ours]}, {"hooks": [ours, ours]}],
            "SubagentStop": [{"matcher": "a", "hooks": [ours]}],
        }})
        .to_string();
        let done = installed(&text, &["Stop"]);
        assert_eq!(registered(&done.text, owned).unwrap().len(), 1);
        let back = uninstalled(&done.text, Some(&done.undo)).unwrap();
        let expected = json!({"hooks": {"Stop": [{"hooks": [foreign]}]}});
        assert_eq!(back, expected.to_string());
    }

    #[test]
    fn a_container_created_by_us_stays_ours_over_a_second_installation() {
        let first = install(None, &wanted(&["Stop"]), None, owned).unwrap();
        let group = json!({"hooks": [{"type": "command", "command": "foreign"}]});
        let mut edited: Value = serde_json::from_str(&first.text).unwrap();
        edited["hooks"]["Stop"]
            .as_array_mut()
            .unwrap()
            .push(group.clone());
        let wanted = wanted(&["Stop", "SessionEnd"]);
        let second = install(Some(&edited.to_string()), &wanted, Some(&first.undo), owned).unwrap();
        let kept = uninstalled(&second.text, Some(&second.undo)).unwrap();
        assert_eq!(kept, json!({"hooks": {"Stop": [group]}}).to_string());
        assert_eq!(
            uninstalled(r#"{"hooks":{"Stop":[]}}"#, Some(&second.undo)),
            None
        );
    }

    #[test]
    fn an_undo_of_another_version_is_not_read() {
        let undo = |v: u32| serde_json::from_value::<Undo>(json!({ "v": v }));
        assert_eq!(undo(1).unwrap(), Undo::new());
        assert_eq!(undo(2).unwrap_err().to_string(), "version 2 is not known");
    }

    #[test]
    fn an_undo_that_would_spoil_the_file_is_refused() {
        let text = installed("{}", &["Stop"]).text;
        for file in [
            json!({"empty": "\"x\":1"}),
            json!({"blank": "{"}),
            json!({"empty": "}"}),
        ] {
            let undo =
                json!({"v": 1, "file": file, "hooks": "missing", "events": {"Stop": "missing"}});
            let undo = serde_json::from_value(undo).unwrap();
            let refused = uninstall(&text, Some(&undo), owned);
            assert!(
                matches!(refused, Err(Refusal::Unverified { .. })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn what_is_registered_is_listed_as_it_stands() {
        let text = r#"{"hooks": {"Stop": [{"matcher": "*", "hooks": [
            {"type": "command", "command": "/opt/ccsession/libexec/x", "args": [], "timeout": 7},
            {"type": "command", "command": "foreign"},
            {"type": "http", "command": "/opt/ccsession/libexec/x"}]}],
            "SessionEnd": [{"hooks": [{"type": "command", "command": "/opt/ccsession/libexec/y"}]}]}}"#;
        let ours = |event: &str, file, exec_form, timeout, matcher: Option<&str>| Registered {
            event: event.to_owned(),
            command: format!("{OURS}{file}"),
            exec_form,
            timeout,
            matcher: matcher.map(str::to_owned),
        };
        let expected = [
            ours("Stop", "x", true, Some(7), Some("*")),
            ours("SessionEnd", "y", false, None, None),
        ];
        assert_eq!(registered(text, owned).unwrap(), expected);
        let commands = all_commands(text).unwrap();
        let commands: Vec<_> = commands
            .iter()
            .map(|(e, c)| (e.as_str(), c.as_str()))
            .collect();
        let expected = [
            ("Stop", "/opt/ccsession/libexec/x"),
            ("Stop", "foreign"),
            ("SessionEnd", "/opt/ccsession/libexec/y"),
        ];
        assert_eq!(commands, expected);
        assert_eq!(registered("\n", owned), Ok(Vec::new()));
    }

    #[test]
    fn a_setting_is_read_from_the_top_level_only() {
        let text = r#"{"env": {"disableAllHooks": 1}, "cleanupPeriodDays": 7}"#;
        assert_eq!(setting(text, "cleanupPeriodDays"), Ok(Some(json!(7))));
        assert_eq!(setting(text, "disableAllHooks"), Ok(None));
        assert_eq!(setting("", "cleanupPeriodDays"), Ok(None));
    }

    #[test]
    fn size_and_depth_are_bounded_and_the_bounds_are_inside() {
        let sized = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(setting(&sized(MAX_BYTES), "a").is_ok());
        let refused = Err(Refusal::TooLarge {
            bytes: MAX_BYTES + 1,
        });
        assert_eq!(setting(&sized(MAX_BYTES + 1), "a"), refused);
        let grown = install(Some(&sized(MAX_BYTES)), &wanted(&["Stop"]), None, owned);
        assert!(matches!(grown, Err(Refusal::TooLarge { .. })));

        let nested = |depth: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(setting(&nested(MAX_DEPTH), "a").is_ok());
        let at = Position {
            line: 1,
            column: MAX_DEPTH + 5,
        };
        assert_eq!(
            setting(&nested(MAX_DEPTH + 1), "a"),
            Err(Refusal::TooDeep(at))
        );
        assert!(setting(&nested(100_000), "a").is_err());
    }

    #[test]
    fn a_key_from_the_file_is_shown_on_one_line() {
        let refused = setting("{\"a\\n\\u001b[2J\": 1, \"a\\n\\u001b[2J\": 1}", "a").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "duplicate key `a [2J` at line 1, column 21"
        );
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the files are this repository's own"
    )]
    fn files(folder: &str) -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/settings")
            .join(folder);
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
        paths.sort();
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        paths
            .iter()
            .map(|path| (name(path), fs::read_to_string(path).unwrap()))
            .collect()
    }

    #[test]
    fn every_good_file_comes_back_byte_for_byte() {
        let files = files("");
        assert!(files.len() >= 28);
        for (name, text) in files {
            let done = installed(&text, &["SessionStart", "PreToolUse", "Stop", "CwdChanged"]);
            assert_eq!(registered(&done.text, owned).unwrap().len(), 4, "{name}");
            let back = uninstalled(&done.text, Some(&reread(&done.undo)));
            assert_eq!(back.as_deref(), Some(text.as_str()), "{name}");
        }
    }

    /// What is said of each refused file; the table and the folder must agree.
    const REFUSED: [(&str, &str); 23] = [
        ("block-comment.json", "comment at line 2, column 19"),
        ("bom.json", "it starts with a byte order mark"),
        ("comment.json", "comment at line 2, column 3"),
        (
            "duplicate-event.json",
            "duplicate key `Stop` at line 4, column 5",
        ),
        (
            "duplicate-hooks-spelled-differently.json",
            "duplicate key `hooks` at line 3, column 3",
        ),
        (
            "duplicate-key-elsewhere.json",
            "duplicate key `A` at line 2, column 22",
        ),
        (
            "duplicate-key.json",
            "duplicate key `model` at line 4, column 3",
        ),
        (
            "event-is-object.json",
            "hooks.Stop at line 3, column 13 is not an array",
        ),
        (
            "group-is-string.json",
            "hooks.Stop[0] at line 3, column 14 is not an object",
        ),
        (
            "group-without-hooks.json",
            "hooks.Stop[0].hooks at line 4, column 7 is not an array",
        ),
        (
            "handler-is-string.json",
            "hooks.Stop[0].hooks[0] at line 4, column 19 is not an object",
        ),
        (
            "handler-without-command.json",
            "hooks.Stop[0].hooks[0].command at line 4, column 20 is not a string",
        ),
        (
            "hooks-is-array.json",
            "hooks at line 2, column 12 is not an object",
        ),
        (
            "hooks-is-null.json",
            "hooks at line 2, column 12 is not an object",
        ),
        (
            "missing-comma.json",
            "not JSON at line 2, column 18: expected comma",
        ),
        (
            "newline-in-string.json",
            "not JSON at line 3, column 1: control character (\\u0000-\\u001F) found while parsing a string",
        ),
        (
            "single-quotes.json",
            "not JSON at line 2, column 3: single-quoted strings are not allowed",
        ),
        (
            "too-deep.json",
            "nested deeper than 127 levels at line 2, column 136",
        ),
        (
            "top-level-array.json",
            "the top level at line 1, column 1 is not an object",
        ),
        (
            "trailing-comma-in-hooks.json",
            "trailing comma at line 4, column 60",
        ),
        ("trailing-comma.json", "trailing comma at line 2, column 18"),
        (
            "truncated.json",
            "not JSON at line 4, column 13: unterminated array",
        ),
        (
            "two-documents.json",
            "not JSON at line 2, column 1: text cannot contain more than one json value",
        ),
    ];

    #[test]
    fn every_refused_file_is_refused_with_its_place_and_reason() {
        let files = files("refused");
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, REFUSED.map(|(name, _)| name));
        for ((name, text), (_, why)) in files.iter().zip(REFUSED) {
            let refusal = install(Some(text), &wanted(&["Stop"]), None, owned).unwrap_err();
            assert_eq!(refusal.to_string(), why, "{name}");
            assert!(!refusal.remedy().is_empty());
            assert_eq!(uninstall(text, None, owned), Err(refusal.clone()), "{name}");
            assert_eq!(registered(text, owned), Err(refusal.clone()), "{name}");
            assert_eq!(setting(text, "model"), Err(refusal), "{name}");
        }
    }

    fn some_wanted() -> impl Strategy<Value = Vec<Wanted<'static>>> {
        let events = [
            "SessionStart",
            "Stop",
            "PreToolUse",
            "SessionEnd",
            "PostToolBatch",
        ];
        let handlers = (any::<bool>(), 1u32..100, "[a-z \"\\\\é]{1,8}");
        (prop::sample::subsequence(events.to_vec(), 1..=5), handlers).prop_map(
            |(events, handler)| {
                let (exec_form, timeout, file) = handler;
                let command = format!("{OURS}{file}");
                let handler = |event| Wanted {
                    event,
                    command: command.clone(),
                    exec_form,
                    timeout,
                };
                events.into_iter().map(handler).collect()
            },
        )
    }

    fn value(text: Option<&str>) -> Value {
        match text.map(str::trim) {
            None | Some("") => json!({}),
            Some(text) => serde_json::from_str(text).unwrap(),
        }
    }

    fn edited(text: Option<&str>, edits: &[Edit]) -> Value {
        let mut value = value(text);
        edits.iter().for_each(|edit| edit.apply(&mut value, &owned));
        value
    }

    /// Without the empty containers that `original` did not have. Whether one of those is ours or was left by others,
    /// who created it and emptied it again, cannot be told and does not matter.
    fn without_new_empties(mut value: Value, original: Option<&str>) -> Value {
        let original = self::value(original);
        if let Some(Value::Object(hooks)) = value.get_mut(HOOKS) {
            hooks.retain(|event, groups| {
                *groups != json!([]) || original.pointer(&format!("/hooks/{event}")).is_some()
            });
            if hooks.is_empty() && original.get(HOOKS).is_none() {
                value.as_object_mut().unwrap().remove(HOOKS);
            }
        }
        value
    }

    /// After the edits, `back` says what the original would.
    #[track_caller]
    fn check_edited(original: Option<&str>, edits: &[Edit], back: Option<&str>) {
        let expected = without_new_empties(edited(original, edits), original);
        assert_eq!(without_new_empties(value(back), original), expected);
    }

    fn foreign_commands(text: &str) -> Vec<(String, String)> {
        let mut commands = all_commands(text).unwrap();
        commands.retain(|(_, command)| !owned(command));
        commands
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 512,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn uninstall_is_the_inverse_of_install(text in file(), wanted in some_wanted()) {
            let text = text.as_deref();
            let done = install(text, &wanted, None, owned).unwrap();
            prop_assert!(done.changed);
            prop_assert_eq!(registered(&done.text, owned).unwrap().len(), wanted.len());
            let back = uninstalled(&done.text, Some(&reread(&done.undo)));
            prop_assert_eq!(back.as_deref(), text);
        }

        #[test]
        fn installing_twice_is_installing_once(text in file(), wanted in some_wanted()) {
            let first = install(text.as_deref(), &wanted, None, owned).unwrap();
            let second = install(Some(&first.text), &wanted, Some(&first.undo), owned).unwrap();
            prop_assert_eq!(&second, &Installed { changed: false, ..first.clone() });
            let forgetful = install(Some(&first.text), &wanted, None, owned).unwrap();
            prop_assert!(!forgetful.changed);
            prop_assert_eq!(forgetful.text, first.text);
        }

        #[test]
        fn uninstall_is_the_inverse_of_a_chain_of_installs(
            text in file(),
            chain in prop::collection::vec(some_wanted(), 2..4),
        ) {
            let mut done: Option<Installed> = None;
            for wanted in &chain {
                let undo = done.as_ref().map(|done| reread(&done.undo));
                let now = done.as_ref().map(|done| done.text.as_str()).or(text.as_deref());
                done = Some(install(now, wanted, undo.as_ref(), owned).unwrap());
            }
            let done = done.unwrap();
            let last = install(text.as_deref(), chain.last().unwrap(), None, owned).unwrap();
            prop_assert_eq!(&done.text, &last.text);
            prop_assert_eq!(uninstalled(&done.text, Some(&done.undo)), text);
        }

        #[test]
        fn edits_of_others_in_between_survive(
            text in file(),
            wanted in some_wanted(),
            edits in edits(),
        ) {
            let done = install(text.as_deref(), &wanted, None, owned).unwrap();
            let theirs = serde_json::to_string_pretty(&edited(Some(&done.text), &edits)).unwrap();
            let back = uninstalled(&theirs, Some(&done.undo));
            check_edited(text.as_deref(), &edits, back.as_deref());
        }

        #[test]
        fn edits_of_others_before_a_second_installation_survive(
            text in file(),
            wanted in some_wanted(),
            again in some_wanted(),
            edits in edits(),
        ) {
            let first = install(text.as_deref(), &wanted, None, owned).unwrap();
            let theirs = edited(Some(&first.text), &edits).to_string();
            let second = install(Some(&theirs), &again, Some(&first.undo), owned).unwrap();
            let back = uninstalled(&second.text, Some(&second.undo));
            check_edited(text.as_deref(), &edits, back.as_deref());
        }

        #[test]
        fn bytes_that_others_insert_in_between_survive(
            text in settings().prop_filter("no member", |text| value(Some(text)) != json!({})),
            wanted in some_wanted(),
        ) {
            let insert = |text: &str| {
                let (start, end) = (text.find('{').unwrap() + 1, text.rfind('}').unwrap());
                let (head, body, tail) = (&text[..start], &text[start..end], &text[end..]);
                format!("{head}\t\"stranger\" :1e0,{body},\"guest\":[ ]{tail}")
            };
            let done = install(Some(&text), &wanted, None, owned).unwrap();
            let back = uninstalled(&insert(&done.text), Some(&done.undo));
            prop_assert_eq!(back, Some(insert(&text)));
        }

        #[test]
        fn others_are_never_touched_wherever_ours_are_found(
            text in with_ours(OURS),
            wanted in some_wanted(),
        ) {
            let done = install(Some(&text), &wanted, None, owned).unwrap();
            prop_assert_eq!(registered(&done.text, owned).unwrap().len(), wanted.len());
            prop_assert_eq!(foreign_commands(&done.text), foreign_commands(&text));
            let back = uninstalled(&done.text, Some(&done.undo)).unwrap();
            prop_assert_eq!(registered(&back, owned), Ok(Vec::new()));
            prop_assert_eq!(foreign_commands(&back), foreign_commands(&text));
            let lost = uninstalled(&text, None).unwrap();
            prop_assert_eq!(registered(&lost, owned), Ok(Vec::new()));
            prop_assert_eq!(foreign_commands(&lost), foreign_commands(&text));
        }

        #[test]
        fn where_nothing_is_ours_nothing_is_removed(text in with_ours(OURS)) {
            prop_assert_eq!(uninstall(&text, None, |_| false), Ok(Uninstalled::Unchanged));
        }

        #[test]
        fn what_is_not_json_is_refused(text in spoiled()) {
            let json = serde_json::from_str::<Value>(&text);
            let done = install(Some(&text), &wanted(&["Stop"]), None, owned);
            if json.is_err() && !text.trim_matches(JSON_SPACE).is_empty() {
                prop_assert!(done.is_err(), "{done:?}");
                prop_assert!(uninstall(&text, None, owned).is_err());
                prop_assert!(registered(&text, owned).is_err());
            }
        }

        #[test]
        fn no_text_is_a_reason_to_panic(text in any::<String>(), start in "[{}\\[\\]\",:a1 /]{0,20}") {
            for text in [text, start] {
                let _ = install(Some(&text), &wanted(&["Stop"]), None, owned);
                let _ = uninstall(&text, None, owned);
            }
        }
    }
}

/// Settings files as others could have written them, as proptest strategies. None of them has anything of ours.
#[cfg(test)]
pub(crate) mod generate {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde_json::{Value, json};

    /// A settings file: none, a blank one, or one with anything in it.
    pub(crate) fn file() -> impl Strategy<Value = Option<String>> {
        prop_oneof![
            1 => Just(None),
            1 => "[ \t\r\n]{0,4}".prop_map(Some),
            18 => settings().prop_map(Some),
        ]
    }

    /// The text of a settings file, in any layout.
    pub(crate) fn settings() -> impl Strategy<Value = String> {
        (root(handler().boxed()), layout()).prop_map(|(root, layout)| layout.print(&root))
    }

    /// The same with handlers of ours, whose commands start with `ours`, in any place among the others.
    pub(crate) fn with_ours(ours: &'static str) -> impl Strategy<Value = String> {
        let ours = text().prop_map(move |file| {
            let command = Json::Scalar(quoted(&format!("{ours}{file}"), false));
            Json::object([("type", Json::string("command")), ("command", command)])
        });
        let handler = prop_oneof![handler(), ours].boxed();
        (root(handler), layout()).prop_map(|(root, layout)| layout.print(&root))
    }

    /// A text that was a settings file until it was cut off or had one of its characters replaced.
    pub(crate) fn spoiled() -> impl Strategy<Value = String> {
        (settings(), any::<Index>(), prop::option::of(any::<char>())).prop_map(spoil)
    }

    fn spoil((text, place, by): (String, Index, Option<char>)) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let place = place.index(chars.len());
        match by {
            Some(by) => chars[place] = by,
            None => chars.truncate(place),
        }
        chars.into_iter().collect()
    }

    /// What somebody else does to a settings file between two runs of ours.
    #[derive(Debug, Clone)]
    pub(crate) enum Edit {
        Set(String, u8),
        Remove(String),
        Rename(String, String),
        AddGroup(String),
        RemoveGroup(String),
        RemoveEvent(String),
    }

    /// A few edits.
    pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
        let edit = prop_oneof![
            (text(), any::<u8>()).prop_map(|(key, value)| Edit::Set(key, value)),
            text().prop_map(Edit::Remove),
            (text(), text()).prop_map(|(from, to)| Edit::Rename(from, to)),
            event().prop_map(Edit::AddGroup),
            event().prop_map(Edit::RemoveGroup),
            event().prop_map(Edit::RemoveEvent),
        ];
        vec(edit, 0..6)
    }

    impl Edit {
        /// Does it; groups that hold only what is `owned` are not the others' to remove.
        pub(crate) fn apply(&self, settings: &mut Value, owned: &impl Fn(&str) -> bool) {
            let root = settings.as_object_mut().unwrap();
            match self {
                Self::Set(key, value) => {
                    root.insert(key.clone(), json!(value));
                }
                Self::Remove(key) => {
                    root.remove(key);
                }
                Self::Rename(from, to) => {
                    if let Some(value) = root.remove(from) {
                        root.insert(to.clone(), value);
                    }
                }
                Self::AddGroup(event) => {
                    let hooks = root.entry("hooks").or_insert_with(|| json!({}));
                    let hooks = hooks.as_object_mut().unwrap();
                    let groups = hooks.entry(event).or_insert_with(|| json!([]));
                    let handler = json!({"type": "command", "command": "added", "timeout": 1.0});
                    groups
                        .as_array_mut()
                        .unwrap()
                        .push(json!({"hooks": [handler]}));
                }
                Self::RemoveGroup(event) => {
                    let is_ours = |handler: &Value| handler["command"].as_str().is_some_and(owned);
                    let others = |group: &Value| {
                        let handlers = group["hooks"].as_array().unwrap();
                        handlers.is_empty() || !handlers.iter().all(is_ours)
                    };
                    let groups = settings.pointer_mut(&format!("/hooks/{event}"));
                    if let Some(Value::Array(groups)) = groups
                        && let Some(index) = groups.iter().position(others)
                    {
                        groups.remove(index);
                    }
                }
                Self::RemoveEvent(event) => {
                    if let Some(Value::Object(hooks)) = root.get_mut("hooks") {
                        hooks.remove(event);
                    }
                }
            }
        }
    }

    /// A JSON document as it is spelled: keys and scalars are the very bytes.
    #[derive(Debug, Clone)]
    enum Json {
        Scalar(String),
        Array(Vec<Json>),
        Object(Vec<(String, Json)>),
    }

    impl Json {
        fn string(text: &str) -> Self {
            Self::Scalar(quoted(text, false))
        }

        fn object<const N: usize>(members: [(&str, Json); N]) -> Self {
            Self::Object(
                members
                    .map(|(key, value)| (quoted(key, false), value))
                    .into(),
            )
        }
    }

    fn root(handler: BoxedStrategy<Json>) -> impl Strategy<Value = Json> {
        let hooks = prop::option::of((any::<bool>(), hooks(handler), any::<Index>()));
        (members(value(), 0..5), hooks).prop_map(|(mut members, hooks)| {
            if let Some((escaped, hooks, place)) = hooks {
                let place = place.index(members.len() + 1);
                members.insert(place, (quoted("hooks", escaped), hooks));
            }
            Json::Object(members)
        })
    }

    fn hooks(handler: BoxedStrategy<Json>) -> impl Strategy<Value = Json> {
        let groups = vec(group(handler), 0..3).prop_map(Json::Array);
        let events = btree_map(event(), (any::<bool>(), groups), 0..5);
        let spelled = |(event, (escaped, groups)): (String, _)| (quoted(&event, escaped), groups);
        events
            .prop_map(move |events| events.into_iter().map(spelled).collect::<Vec<_>>())
            .prop_shuffle()
            .prop_map(Json::Object)
    }

    fn group(handler: BoxedStrategy<Json>) -> impl Strategy<Value = Json> {
        let matcher = prop::option::of(select(vec!["", "*", "Bash", "Edit|Write", "mcp__.*"]));
        let handlers = vec(handler, 0..3).prop_map(Json::Array);
        (handlers, matcher, members(value(), 0..2)).prop_map(|(handlers, matcher, mut members)| {
            members.push((quoted("hooks", false), handlers));
            members
                .extend(matcher.map(|matcher| (quoted("matcher", false), Json::string(matcher))));
            Json::Object(members)
        })
    }

    fn handler() -> impl Strategy<Value = Json> {
        let handler = prop_oneof![
            (text(), any::<bool>()).prop_map(|(text, escaped)| {
                let command = Json::Scalar(quoted(&format!("run {text}"), escaped));
                Json::object([("type", Json::string("command")), ("command", command)])
            }),
            Just(Json::object([
                ("type", Json::string("http")),
                ("url", Json::string("https://example.org")),
            ])),
            Just(Json::object([
                ("type", Json::string("command")),
                (
                    "command",
                    Json::string("echo /opt/ccsession/libexec/session-start")
                ),
                ("args", Json::Array(Vec::new())),
            ])),
            Just(Json::object([
                ("future", Json::Scalar("1e0".into())),
                ("type", Json::string("x"))
            ])),
        ];
        (handler, members(value(), 0..2)).prop_map(|(handler, more)| match handler {
            Json::Object(mut members) => {
                members.extend(more);
                Json::Object(members)
            }
            other => other,
        })
    }

    fn event() -> impl Strategy<Value = String> {
        let names = [
            "SessionStart",
            "Stop",
            "PreToolUse",
            "SessionEnd",
            "Setup",
            "FromTheFuture",
        ];
        select(names.map(str::to_owned).to_vec())
    }

    fn value() -> impl Strategy<Value = Json> {
        scalar().prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Json::Array),
                members(inner, 0..4).prop_map(Json::Object),
            ]
        })
    }

    fn members(
        value: impl Strategy<Value = Json> + 'static,
        count: std::ops::Range<usize>,
    ) -> impl Strategy<Value = Vec<(String, Json)>> {
        let spelled = |(key, (escaped, value)): (String, _)| (quoted(&key, escaped), value);
        btree_map(text(), (any::<bool>(), value), count)
            .prop_map(move |members| members.into_iter().map(spelled).collect::<Vec<_>>())
            .prop_shuffle()
    }

    fn scalar() -> impl Strategy<Value = Json> {
        let plain = vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.0",
            "1e5",
            "-1.5E+3",
            "0.10",
            "1e-7",
            "5",
            "12345678901234567890123",
        ];
        prop_oneof![
            select(plain).prop_map(|text| Json::Scalar(text.to_owned())),
            (text(), any::<bool>())
                .prop_map(|(text, escaped)| Json::Scalar(quoted(&text, escaped))),
        ]
    }

    /// Keys and strings; no key the client or this program gives a meaning to.
    fn text() -> impl Strategy<Value = String> {
        let odd = [
            "", "größe", "日本", "a\tb", "\"", "\\", "😀", "\u{2028}", "// no", "{", "],", "\u{1}",
        ];
        prop_oneof![select(odd.map(str::to_owned).to_vec()), "[a-d]{1,2}"]
    }

    fn quoted(text: &str, escaped: bool) -> String {
        if !escaped {
            return Value::from(text).to_string();
        }
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        format!("\"{}\"", units.collect::<String>())
    }

    /// How a document is printed.
    #[derive(Debug, Clone)]
    struct Layout {
        kind: Kind,
        newline: &'static str,
        colon: &'static str,
        comma: &'static str,
        /// Before and after the document.
        around: (String, String),
    }

    #[derive(Debug, Clone)]
    enum Kind {
        OneLine,
        Indented {
            unit: &'static str,
            empty: &'static str,
        },
        /// Any white space anywhere, taken in turn.
        Ragged(Vec<String>),
    }

    fn layout() -> impl Strategy<Value = Layout> {
        let units = select(vec!["  ", "    ", "\t", " ", ""]);
        let kind = prop_oneof![
            1 => Just(Kind::OneLine),
            3 => (units, select(vec!["", " ", "\n"]))
                .prop_map(|(unit, empty)| Kind::Indented { unit, empty }),
            1 => vec("[ \t\r\n]{0,3}", 1..9).prop_map(Kind::Ragged),
        ];
        let newline = select(vec!["\n", "\r\n"]);
        let marks = (select(vec![":", ": ", " : "]), select(vec![",", ", "]));
        let around = (
            "[ \t\r\n]{0,2}",
            select(vec!["", "\n", "\r\n", "\n\n", " "]),
        );
        (kind, newline, marks, around).prop_map(|(kind, newline, (colon, comma), around)| Layout {
            kind,
            newline,
            colon,
            comma,
            around: (around.0, around.1.to_owned()),
        })
    }

    impl Layout {
        fn print(&self, json: &Json) -> String {
            let mut text = self.around.0.clone();
            self.value(json, 0, &mut text);
            text + &self.around.1
        }

        fn value(&self, json: &Json, depth: usize, text: &mut String) {
            match json {
                Json::Scalar(scalar) => text.push_str(scalar),
                Json::Array(items) => {
                    let items = items.iter().map(|item| (None, item)).collect();
                    self.list(('[', ']'), items, depth, text);
                }
                Json::Object(members) => {
                    let members = members
                        .iter()
                        .map(|(key, value)| (Some(key), value))
                        .collect();
                    self.list(('{', '}'), members, depth, text);
                }
            }
        }

        fn list(
            &self,
            (open, close): (char, char),
            items: Vec<(Option<&String>, &Json)>,
            depth: usize,
            text: &mut String,
        ) {
            text.push(open);
            let count = items.len();
            for (index, (key, value)) in items.into_iter().enumerate() {
                if index > 0 {
                    text.push_str(if matches!(self.kind, Kind::OneLine) {
                        self.comma
                    } else {
                        ","
                    });
                }
                self.space(depth + 1, text);
                if let Some(key) = key {
                    text.push_str(key);
                    text.push_str(self.colon);
                }
                self.value(value, depth + 1, text);
            }
            match &self.kind {
                Kind::Indented { empty, .. } if count == 0 => text.push_str(empty),
                _ => self.space(depth, text),
            }
            text.push(close);
        }

        fn space(&self, depth: usize, text: &mut String) {
            match &self.kind {
                Kind::OneLine => {}
                Kind::Indented { unit, .. } => {
                    text.push_str(self.newline);
                    text.push_str(&unit.repeat(depth));
                }
                Kind::Ragged(spaces) => text.push_str(&spaces[text.len() % spaces.len()]),
            }
        }
    }
}
