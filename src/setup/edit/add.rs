//! Appends the wanted handlers to a file in the file's own layout.

use jsonc_parser::common::{Range, Ranged};
use serde_json::Value;

use super::cut::{Splice, spliced};
use super::read::{HOOKS, Hooks, List, ParsedSettings, Style, indentation};
use super::{Before, EditRefusal, HookEntry, TextPosition, Undo};

/// Appends the wanted handlers to a text that contains none of ccsession's. Returns the new text,
/// and how to undo the change.
pub(super) fn with_wanted(
    base: Option<&str>,
    wanted: &[HookEntry<'_>],
    previous: Option<&Undo>,
) -> Result<(String, Undo), EditRefusal> {
    let settings = base.map(ParsedSettings::read).transpose()?.flatten();
    let events = groups_by_event(wanted);
    let mut undo = Undo::new();
    let text = match &settings {
        _ if wanted.is_empty() => base.unwrap_or_default().to_owned(),
        None => new_file(base, events, &mut undo),
        Some(settings) => match &settings.hooks {
            None => add_hooks(settings, events, &mut undo),
            Some(hooks) => add_events(settings, hooks, events, &mut undo)?,
        },
    };
    if let (Some(settings), Some(previous)) = (&settings, previous) {
        undo.carry(previous, settings);
    }
    Ok((text, undo))
}

fn new_file(base: Option<&str>, events: Vec<(&str, Vec<NewJson>)>, undo: &mut Undo) -> String {
    undo.file = Some(base.map_or(Before::Missing, |blank| Before::Blank(blank.to_owned())));
    let style = Style::of_new(base.unwrap_or_default());
    let root = NewJson::Object(vec![created_hooks(events, undo)]);
    root.rendered(&style, Some("")) + style.newline
}

fn add_hooks(
    settings: &ParsedSettings<'_>,
    events: Vec<(&str, Vec<NewJson>)>,
    undo: &mut Undo,
) -> String {
    undo.file = emptiness(settings, &settings.root);
    let members = NewJson::Object(vec![created_hooks(events, undo)]);
    let splice = appended(settings, &settings.root, &members);
    spliced(settings.text, vec![splice])
}

fn add_events(
    settings: &ParsedSettings<'_>,
    hooks: &Hooks,
    events: Vec<(&str, Vec<NewJson>)>,
    undo: &mut Undo,
) -> Result<String, EditRefusal> {
    let mut splices = Vec::new();
    let mut created = Vec::new();
    for (name, groups) in events {
        let Some(event) = hooks.events.iter().find(|event| event.name == name) else {
            created.push(created_event(name, groups, undo));
            continue;
        };
        if event.is_null {
            return Err(EditRefusal::WrongShape {
                at: TextPosition::of(settings.text, event.list.range.start),
                path: format!("{HOOKS}.{name}"),
                expected: "an array",
            });
        }
        if let Some(before) = emptiness(settings, &event.list) {
            undo.events.insert(name.to_owned(), before);
        }
        splices.push(appended(settings, &event.list, &NewJson::Array(groups)));
    }
    if !created.is_empty() {
        undo.hooks = emptiness(settings, &hooks.list);
        splices.push(appended(settings, &hooks.list, &NewJson::Object(created)));
    }
    Ok(spliced(settings.text, splices))
}

fn created_hooks(events: Vec<(&str, Vec<NewJson>)>, undo: &mut Undo) -> NewJson {
    undo.hooks = Some(Before::Missing);
    let created = |(name, groups)| created_event(name, groups, undo);
    NewJson::member(
        HOOKS,
        NewJson::Object(events.into_iter().map(created).collect()),
    )
}

fn created_event(name: &str, groups: Vec<NewJson>, undo: &mut Undo) -> NewJson {
    undo.events.insert(name.to_owned(), Before::Missing);
    NewJson::member(name, NewJson::Array(groups))
}

/// Returns what the undo must remember of a list that is empty now and gets its first item.
fn emptiness(settings: &ParsedSettings<'_>, list: &List) -> Option<Before> {
    let space = list.interior().text(settings.text).to_owned();
    list.items.is_empty().then_some(Before::Empty(space))
}

/// Returns the change that appends the items of `more` to a list, in the style of the list's last
/// item.
///
/// An empty list has no style. The items then get lines of their own if nothing but the list's key
/// is before it on its line.
fn appended(settings: &ParsedSettings<'_>, list: &List, more: &NewJson) -> Splice {
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
    let appended = |item: &NewJson| format!(",{gap}{}", item.rendered(style, line.as_deref()));
    Splice {
        range: Range::from_byte_index(last.end),
        with: more.items().iter().map(appended).collect(),
    }
}

fn groups_by_event<'a>(wanted: &[HookEntry<'a>]) -> Vec<(&'a str, Vec<NewJson>)> {
    let mut events: Vec<(&str, Vec<NewJson>)> = Vec::new();
    for wanted in wanted {
        let handlers = NewJson::Array(vec![wanted.handler()]);
        let group = NewJson::Object(vec![NewJson::member(HOOKS, handlers)]);
        match events.iter_mut().find(|(event, _)| *event == wanted.event) {
            Some((_, groups)) => groups.push(group),
            None => events.push((wanted.event, vec![group])),
        }
    }
    events
}

impl HookEntry<'_> {
    pub(super) fn handler(&self) -> NewJson {
        let timeout = NewJson::Scalar(self.timeout.to_string());
        let mut members = vec![
            NewJson::member("type", NewJson::string("command")),
            NewJson::member("command", NewJson::string(&self.command)),
            NewJson::member("timeout", timeout),
        ];
        if self.exec_form {
            members.insert(2, NewJson::member("args", NewJson::Array(Vec::new())));
        }
        NewJson::Object(members)
    }
}

/// JSON to be written, with members in the order in which people read them.
pub(super) enum NewJson {
    Scalar(String),
    Member(String, Box<NewJson>),
    Array(Vec<NewJson>),
    Object(Vec<NewJson>),
}

impl NewJson {
    fn string(text: &str) -> Self {
        Self::Scalar(Value::from(text).to_string())
    }

    fn member(key: &str, value: NewJson) -> Self {
        Self::Member(Value::from(key).to_string(), Box::new(value))
    }

    fn items(&self) -> &[NewJson] {
        match self {
            Self::Array(items) | Self::Object(items) => items,
            Self::Scalar(_) | Self::Member(..) => &[],
        }
    }

    pub(super) fn to_value(&self) -> Value {
        // This cannot fail: the rendered text is JSON.
        serde_json::from_str(&self.rendered(&Style::of_new(""), None)).unwrap_or_default()
    }

    /// Returns the JSON text. It has several lines if `line` is given: the indentation of the line
    /// on which it begins.
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
