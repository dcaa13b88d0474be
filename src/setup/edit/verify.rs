//! Checks every edit before it may be written. The check does not trust the editor: it compares the
//! meaning of both texts, not how the new one was made.

use serde_json::Value;

use super::read::{HOOKS, HookGroup, ParsedSettings, handlers, is_ours};
use super::{EditRefusal, HookEntry};

/// Checks that everything that is not ccsession's is unchanged, and that its handlers are as
/// wanted.
pub(super) fn verify(
    before: Option<&ParsedSettings<'_>>,
    after: Option<&str>,
    wanted: &[HookEntry<'_>],
    owned: &impl Fn(&str) -> bool,
) -> Result<(), EditRefusal> {
    let wrong = |why: &str| EditRefusal::Unverified {
        why: why.to_owned(),
    };
    let after = after.map(ParsedSettings::read).transpose();
    let after = after.map_err(|refusal| match refusal {
        EditRefusal::TooLarge { .. } => refusal,
        other => wrong(&other.to_string()),
    })?;
    let after = after.flatten();
    if foreign(before, owned) != foreign(after.as_ref(), owned) {
        return Err(wrong("settings that are not ccsession's would change"));
    }
    if !is_exactly(after.as_ref(), wanted, owned) {
        return Err(wrong("ccsession's hooks would not be as wanted"));
    }
    Ok(())
}

/// Returns whether ccsession's handlers are exactly the wanted ones, each as the editor would write
/// it and for every matcher.
pub(super) fn is_exactly(
    settings: Option<&ParsedSettings<'_>>,
    wanted: &[HookEntry<'_>],
    owned: &impl Fn(&str) -> bool,
) -> bool {
    let ours = handlers(settings).filter(|(_, _, handler)| is_ours(handler, owned));
    let ours: Vec<_> = ours.collect();
    let stands = |wanted: &HookEntry<'_>| {
        let written = wanted.handler().to_value();
        ours.iter().any(|(event, group, handler)| {
            event.name == wanted.event && group.matches_all() && **handler == written
        })
    };
    ours.len() == wanted.len() && wanted.iter().all(stands)
}

impl HookGroup {
    fn matches_all(&self) -> bool {
        matches!(self.matcher.as_deref(), None | Some("" | "*"))
    }
}

/// Returns what the file means without ccsession's handlers, and without empty containers that may
/// have contained them.
fn foreign(settings: Option<&ParsedSettings<'_>>, owned: &impl Fn(&str) -> bool) -> Value {
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

/// Removes ccsession's handlers from a group. Returns whether the group contained anything else.
fn keeps_foreign(group: &mut Value, owned: &impl Fn(&str) -> bool) -> bool {
    let Some(Value::Array(handlers)) = group.get_mut(HOOKS) else {
        return true;
    };
    let count = handlers.len();
    handlers.retain(|handler| !is_ours(handler, owned));
    count == 0 || !handlers.is_empty()
}
