//! Reads a settings file strictly or not at all, with the range of every part of its hooks.
//!
//! This module must not know how a file is changed, nor which handlers are ccsession's.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonc_parser::ast::{Array, Object, ObjectProp, Value as Node};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::refusal::{EditRefusal, MAX_BYTES, MAX_DEPTH, TextPosition};
use crate::claude::commands::quoted;

/// The key of the member that contains all hooks, and of a group's member that contains its
/// handlers.
pub(super) const HOOKS: &str = "hooks";

/// A settings file: its values, and where each part of its hooks is.
pub(super) struct ParsedSettings<'t> {
    pub(super) text: &'t str,
    pub(super) json: Value,
    pub(super) style: Style,
    pub(super) root: List,
    pub(super) hooks: Option<Hooks>,
}

/// The `hooks` object. `events` has one entry for each item of `list`.
pub(super) struct Hooks {
    /// The index of `hooks` among the members of the root.
    pub(super) index: usize,
    pub(super) list: List,
    pub(super) events: Vec<EventArray>,
}

/// The array of one event. `groups` has one entry for each item of `list`.
pub(super) struct EventArray {
    pub(super) name: String,
    /// True if the value is `null`, which Claude Code ignores.
    pub(super) is_null: bool,
    pub(super) list: List,
    pub(super) groups: Vec<HookGroup>,
}

/// A matcher with its handlers. `handlers` has one entry for each item of `list`.
pub(super) struct HookGroup {
    pub(super) matcher: Option<String>,
    pub(super) list: List,
    pub(super) handlers: Vec<Value>,
}

/// The range of an object or an array, brackets included, and the ranges of its members or
/// elements.
pub(super) struct List {
    pub(super) range: Range,
    pub(super) items: Vec<Range>,
    /// The indentation of the line on which the list begins, if only the list's key is before it
    /// there.
    pub(super) line: Option<String>,
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

    /// Returns the range between the brackets.
    pub(super) fn interior(&self) -> Range {
        Range::new(self.range.start + 1, self.range.end - 1)
    }
}

/// The layout of a file.
pub(super) struct Style {
    pub(super) newline: &'static str,
    /// One level of indentation.
    pub(super) unit: String,
    /// The white space after a colon, and after a comma that does not end its line.
    pub(super) space: &'static str,
}

impl Style {
    /// Returns Claude Code's own style, with the line endings of `text`.
    pub(super) fn of_new(text: &str) -> Self {
        let first = text.split_once('\n').map(|(line, _)| line);
        let crlf = first.is_some_and(|line| line.ends_with('\r'));
        Self {
            newline: if crlf { "\r\n" } else { "\n" },
            unit: "  ".to_owned(),
            space: " ",
        }
    }

    /// Returns the style of a file, taken from the last member of its top level.
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

/// Returns the indentation of the line at `offset`, if only white space is before `offset` on that
/// line.
pub(super) fn indentation(text: &str, offset: usize) -> Option<String> {
    let (_, indent) = text.get(..offset)?.rsplit_once('\n')?;
    let is_indent = indent.chars().all(|c| matches!(c, ' ' | '\t'));
    is_indent.then(|| indent.to_owned())
}

/// The only characters that JSON allows between its tokens.
pub(super) const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

impl<'t> ParsedSettings<'t> {
    /// Reads a file. Returns `None` if it contains only white space.
    pub(super) fn read(text: &'t str) -> Result<Option<Self>, EditRefusal> {
        if text.len() > MAX_BYTES {
            return Err(EditRefusal::TooLarge { bytes: text.len() });
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

    pub(super) fn events(&self) -> impl Iterator<Item = &EventArray> {
        self.hooks.iter().flat_map(|hooks| &hooks.events)
    }
}

/// Parses twice. jsonc-parser returns positions but accepts what JSON forbids: control characters
/// in strings, other white space. serde_json decides what is JSON.
fn parse(text: &str) -> Result<(Node<'_>, Value), EditRefusal> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| not_parsed(text, &error))?;
    let node = parsed.value.ok_or_else(|| EditRefusal::NotJson {
        at: TextPosition::of(text, 0),
        why: "no value".to_owned(),
    })?;
    check_nesting(text, &node, 1)?;
    check_keys_that_matter(text, &node)?;
    let json = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    Ok((node, json))
}

/// Disables everything that jsonc-parser accepts beyond JSON.
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

fn not_parsed(text: &str, error: &ParseError) -> EditRefusal {
    let at = TextPosition::of(text, error.range().start);
    match error.kind() {
        ParseErrorKind::CommentsNotAllowed => EditRefusal::Comment(at),
        ParseErrorKind::TrailingCommasNotAllowed => EditRefusal::TrailingComma(at),
        ParseErrorKind::NestingDepthExceeded => EditRefusal::TooDeep(at),
        kind => {
            let why = kind.to_string().to_lowercase();
            EditRefusal::NotJson { at, why }
        }
    }
}

fn not_json(error: &serde_json::Error) -> EditRefusal {
    // The message ends with the position. A line break in a string is reported in column 0 of the
    // next line.
    let message = error.to_string();
    let why = message
        .rsplit_once(" at line ")
        .map_or(&*message, |(why, _)| why);
    EditRefusal::NotJson {
        at: TextPosition {
            line: error.line(),
            column: error.column().max(1),
        },
        why: why.to_owned(),
    }
}

fn check_nesting(text: &str, node: &Node<'_>, depth: usize) -> Result<(), EditRefusal> {
    if matches!(node, Node::Object(_) | Node::Array(_)) && depth > MAX_DEPTH {
        return Err(EditRefusal::TooDeep(TextPosition::of(text, node.start())));
    }
    parts(node).try_for_each(|part| check_nesting(text, part, depth + 1))
}

/// Returns the values in an object or an array.
fn parts<'n, 't>(node: &'n Node<'t>) -> Box<dyn Iterator<Item = &'n Node<'t>> + 'n> {
    match node {
        Node::Object(object) => Box::new(object.properties.iter().map(|member| &member.value)),
        Node::Array(array) => Box::new(array.elements.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Checks that no key occurs twice in the hooks. Elsewhere this does not matter, because Claude
/// Code uses the last one and we change neither.
fn check_keys_that_matter(text: &str, node: &Node<'_>) -> Result<(), EditRefusal> {
    let Node::Object(root) = node else {
        return Ok(());
    };
    let is_hooks = |member: &&ObjectProp<'_>| member.name.as_str() == HOOKS;
    let mut hooks = root.properties.iter().filter(is_hooks);
    let Some(first) = hooks.next() else {
        return Ok(());
    };
    match hooks.next() {
        Some(second) => Err(duplicate(text, second)),
        None => check_keys_below(text, &first.value),
    }
}

fn check_keys_below(text: &str, node: &Node<'_>) -> Result<(), EditRefusal> {
    if let Node::Object(object) = node {
        check_keys(text, object)?;
    }
    parts(node).try_for_each(|part| check_keys_below(text, part))
}

fn check_keys(text: &str, object: &Object<'_>) -> Result<(), EditRefusal> {
    let mut seen = HashSet::new();
    let mut members = object.properties.iter();
    match members.find(|member| !seen.insert(member.name.as_str())) {
        None => Ok(()),
        Some(second) => Err(duplicate(text, second)),
    }
}

fn duplicate(text: &str, second: &ObjectProp<'_>) -> EditRefusal {
    EditRefusal::DuplicateKey {
        at: TextPosition::of(text, second.start()),
        key: second.name.as_str().to_owned(),
    }
}

fn read_hooks(text: &str, root: &Object<'_>) -> Result<Option<Hooks>, EditRefusal> {
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

fn read_event(text: &str, member: &ObjectProp<'_>) -> Result<EventArray, EditRefusal> {
    let name = member.name.as_str();
    let path = format!("{HOOKS}.{name}");
    if matches!(member.value, Node::NullKeyword(_)) {
        return Ok(EventArray {
            name: name.to_owned(),
            is_null: true,
            list: List {
                range: member.value.range(),
                items: Vec::new(),
                line: None,
            },
            groups: Vec::new(),
        });
    }
    let array = expect_array(text, &member.value, &path)?;
    let groups = array.elements.iter().enumerate();
    let groups = groups.map(|(index, node)| read_group(text, node, &format!("{path}[{index}]")));
    Ok(EventArray {
        name: name.to_owned(),
        is_null: false,
        list: List::of_elements(array, indentation(text, member.start())),
        groups: groups.collect::<Result<_, _>>()?,
    })
}

fn read_group(text: &str, node: &Node<'_>, path: &str) -> Result<HookGroup, EditRefusal> {
    let object = expect_object(text, node, path)?;
    let path = format!("{path}.{HOOKS}");
    let Some(member) = object.get(HOOKS) else {
        return Err(wrong_shape(text, node, &path, "an array"));
    };
    let array = expect_array(text, &member.value, &path)?;
    let nodes = array.elements.iter().enumerate();
    let handlers = nodes.map(|(index, node)| read_handler(text, node, &format!("{path}[{index}]")));
    let matcher = object.get_string("matcher");
    Ok(HookGroup {
        matcher: matcher.map(|matcher| matcher.value.clone().into_owned()),
        // Nothing is ever appended to this list, so its line does not matter.
        list: List::of_elements(array, None),
        handlers: handlers.collect::<Result<_, _>>()?,
    })
}

/// Reads a handler. Accepts any `type`, because Claude Code may know more types. Refuses a handler
/// without a type, or a command hook without a command, for which every version ignores the file.
fn read_handler(text: &str, node: &Node<'_>, path: &str) -> Result<Value, EditRefusal> {
    let object = expect_object(text, node, path)?;
    let not_a_string = |key| wrong_shape(text, node, &format!("{path}.{key}"), "a string");
    let kind = object
        .get_string("type")
        .ok_or_else(|| not_a_string("type"))?;
    if kind.value == "command" && object.get_string("command").is_none() {
        return Err(not_a_string("command"));
    }
    // This cannot fail: the whole text was parsed before.
    Ok(serde_json::from_str(object.text(text)).unwrap_or_default())
}

fn expect_object<'n, 't>(
    text: &str,
    node: &'n Node<'t>,
    path: &str,
) -> Result<&'n Object<'t>, EditRefusal> {
    let object = node.as_object();
    object.ok_or_else(|| wrong_shape(text, node, path, "an object"))
}

fn expect_array<'n, 't>(
    text: &str,
    node: &'n Node<'t>,
    path: &str,
) -> Result<&'n Array<'t>, EditRefusal> {
    let array = node.as_array();
    array.ok_or_else(|| wrong_shape(text, node, path, "an array"))
}

fn wrong_shape(text: &str, node: &Node<'_>, path: &str, expected: &'static str) -> EditRefusal {
    EditRefusal::WrongShape {
        at: TextPosition::of(text, node.start()),
        path: path.to_owned(),
        expected,
    }
}

/// Returns every handler of a file, with its event and its group.
pub(super) fn handlers<'s>(
    settings: Option<&'s ParsedSettings<'_>>,
) -> impl Iterator<Item = (&'s EventArray, &'s HookGroup, &'s Value)> {
    let events = settings.into_iter().flat_map(ParsedSettings::events);
    let groups = events.flat_map(|event| event.groups.iter().map(move |group| (event, group)));
    groups.flat_map(|(event, group)| {
        let handlers = group.handlers.iter();
        handlers.map(move |handler| (event, group, handler))
    })
}

/// Returns the command of a handler, if it runs one, as a command line for a shell. Versions of
/// Claude Code that know `args` start such a command without a shell.
pub(super) fn command(handler: &Value) -> Option<Cow<'_, str>> {
    if handler.get("type")? != "command" {
        return None;
    }
    let command = handler.get("command")?.as_str()?;
    let args = handler.get("args").and_then(Value::as_array);
    let Some(args) = args.filter(|args| !args.is_empty()) else {
        return Some(Cow::Borrowed(command));
    };
    let args = args.iter().filter_map(Value::as_str);
    let words: Vec<String> = [command].into_iter().chain(args).map(quoted).collect();
    Some(Cow::Owned(words.join(" ")))
}

pub(super) fn is_ours(handler: &Value, owned: &impl Fn(&str) -> bool) -> bool {
    command(handler).is_some_and(|command| owned(&command))
}
