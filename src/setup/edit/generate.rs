//! Proptest strategies for settings files that others could have written, without anything of
//! ccsession.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Generates no file, a blank one, or one with any content.
pub(crate) fn file() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        1 => "[ \t\r\n]{0,4}".prop_map(Some),
        18 => settings().prop_map(Some),
    ]
}

/// Generates the text of a settings file, in any layout.
pub(crate) fn settings() -> impl Strategy<Value = String> {
    (root(handler().boxed()), layout()).prop_map(|(root, layout)| layout.print(&root))
}

/// Generates a settings file in which some handlers are ours: their commands begin with `ours`.
pub(crate) fn with_ours(ours: &'static str) -> impl Strategy<Value = String> {
    let ours = text().prop_map(move |file| {
        let command = Json::Scalar(quoted(&format!("{ours}{file}"), false));
        Json::object([("type", Json::string("command")), ("command", command)])
    });
    let handler = prop_oneof![handler(), ours].boxed();
    (root(handler), layout()).prop_map(|(root, layout)| layout.print(&root))
}

/// Generates a settings file that was cut off, or had one of its characters replaced.
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

/// A change that another program makes to a settings file between two of our runs.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Set(String, u8),
    Remove(String),
    Rename(String, String),
    AddGroup(String),
    RemoveGroup(String),
    RemoveEvent(String),
}

/// Generates a few edits.
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
    /// Applies the edit. Keeps groups in which all handlers are `owned`, because other programs
    /// would not remove them.
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

/// A JSON document as written: keys and scalars keep their exact bytes.
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
        members.extend(matcher.map(|matcher| (quoted("matcher", false), Json::string(matcher))));
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
        (text(), any::<bool>()).prop_map(|(text, escaped)| Json::Scalar(quoted(&text, escaped))),
    ]
}

/// Generates keys and strings that mean nothing to Claude Code or ccsession.
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
    /// The white space before and after the document.
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
