//! The check that every edit has to pass before anybody may write it. It does not trust the editor: it compares what
//! both texts say, not how they were made.

use serde_json::Value;

use super::read::{Group, HOOKS, Settings, handlers, is_ours};
use super::{Refusal, Wanted};

/// Checks an edit: everything that is not ours is what it was, and what is ours is what was wanted.
pub(super) fn verify(
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
pub(super) fn is_exactly(
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
