//! Cuts what belongs to ccsession out of a file, so that the rest reads as it did before the
//! installation.

use jsonc_parser::common::Range;

use super::read::{EventArray, Hooks, List, ParsedSettings, is_ours};
use super::{Before, Undo};

/// A change of a text that replaces the range with `with`.
pub(super) struct Splice {
    pub(super) range: Range,
    pub(super) with: String,
}

pub(super) fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
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

/// Returns the text without ccsession's handlers and without the containers created for them.
/// Returns `None` if the file itself was created for them.
pub(super) fn without_ours(
    settings: &ParsedSettings<'_>,
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

/// Returns what to cut out of the `hooks` object, or `None` to remove it as a whole.
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

/// Returns what to cut out of an event's array, or `None` to remove the event as a whole.
fn cut_event(
    event: &EventArray,
    undo: Option<&Undo>,
    owned: &impl Fn(&str) -> bool,
) -> Option<Vec<Splice>> {
    if event.is_null {
        return Some(Vec::new());
    }
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

/// Returns whether a container is removed along with its items marked in `gone`. It is if nothing
/// remains in it and we created it. Without an undo, a container that held only our items counts as
/// created by us.
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

/// Cuts the items marked in `gone`, with their commas. Brackets that become empty get their former
/// content back.
///
/// An item is cut with the comma before it, because that is how it was appended. If nothing is left
/// before the items, they are cut with the comma after them.
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
