//! Reads the hooks of a settings file as Claude Code does: which handlers it runs, and which errors
//! make it ignore the whole file.
//!
//! A hook that can block an action must not be lost without notice. So if such a hook is wrong,
//! Claude Code ignores the whole file. For all other events it skips only the wrong part.

use super::ErrorPolicy;
use super::json::JsonValue;
use super::schema::ValueShape;
use super::schema::ValueShape::{Bool, List, Map, Object, OneOf, SomeText, Text};
use crate::claude::commands::quoted;

/// The key of all hooks in the settings, and of the list of handlers in a group.
const HOOKS: &str = "hooks";

/// The events whose hooks can block an action. In this file, a guard is a hook for one of these
/// events.
const GUARDS: [&str; 3] = ["PreToolUse", "PermissionRequest", "PreSkillShellCommand"];

/// Every event that Claude Code knows.
const EVENTS: [&str; 34] = [
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "Notification",
    "UserPromptSubmit",
    "UserPromptExpansion",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "StopFailure",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "PreModelSwitch",
    "PostModelSwitch",
    "PermissionRequest",
    "PermissionDenied",
    "Setup",
    "TeammateIdle",
    "TaskCreated",
    "TaskCompleted",
    "Elicitation",
    "ElicitationResult",
    "ConfigChange",
    "WorktreeCreate",
    "WorktreeRemove",
    "InstructionsLoaded",
    "CwdChanged",
    "FileChanged",
    "DirectoryAdded",
    "MessageDisplay",
    "PreSkillShellCommand",
];

/// Keys below which Claude Code does not look for misplaced hooks.
const NO_HOOKS_BELOW: [&str; 9] = [
    "mcpServers",
    "managedMcpServers",
    "lspServers",
    "pluginConfigs",
    "enabledPlugins",
    "extraKnownMarketplaces",
    "env",
    "skillOverrides",
    "modelSettings",
];

const SECONDS: ValueShape = ValueShape::Number {
    least: 0.0,
    most: f64::MAX,
    above: true,
    whole: false,
};
const ON_FAILURE: ValueShape = OneOf(&["continue", "block"]);

/// The types of handlers, with the required and the optional members of each.
const HANDLERS: [(&str, ValueShape); 5] = [
    (
        "command",
        Object(
            &[("command", Text)],
            &[
                ("args", List(&Text)),
                ("shell", OneOf(&["bash", "powershell"])),
                ("if", Text),
                ("timeout", SECONDS),
                ("statusMessage", Text),
                ("once", Bool),
                ("async", Bool),
                ("asyncRewake", Bool),
                ("rewakeMessage", SomeText),
                ("rewakeSummary", SomeText),
                ("onFailure", ON_FAILURE),
            ],
        ),
    ),
    (
        "prompt",
        Object(
            &[("prompt", Text)],
            &[
                ("if", Text),
                ("timeout", SECONDS),
                ("model", Text),
                ("continueOnBlock", Bool),
                ("statusMessage", Text),
                ("once", Bool),
            ],
        ),
    ),
    (
        "agent",
        Object(
            &[("prompt", Text)],
            &[
                ("if", Text),
                ("timeout", SECONDS),
                ("model", Text),
                ("statusMessage", Text),
                ("once", Bool),
            ],
        ),
    ),
    (
        "mcp_tool",
        Object(
            &[("server", Text), ("tool", Text)],
            &[
                ("input", Map(&ValueShape::Any)),
                ("if", Text),
                ("timeout", SECONDS),
                ("statusMessage", Text),
                ("once", Bool),
            ],
        ),
    ),
    (
        "http",
        Object(
            &[("url", Text)],
            &[
                ("if", Text),
                ("timeout", SECONDS),
                ("onFailure", ON_FAILURE),
                ("headers", Map(&Text)),
                ("allowedEnvVars", List(&Text)),
                ("statusMessage", Text),
                ("once", Bool),
            ],
        ),
    ),
];

/// A command that Claude Code runs at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The name of the event.
    pub event: String,
    /// The command as a shell command line.
    pub text: String,
    /// True if the command runs for every event of this name: no matcher restricts it.
    pub for_all: bool,
}

/// Returns the commands that Claude Code runs, in the order of the file.
///
/// # Errors
/// Fails with the path to the value for which Claude Code ignores the whole file, and with what is
/// wrong there.
pub(super) fn commands(
    settings: &JsonValue,
    manner: ErrorPolicy,
) -> Result<Vec<Command>, (String, String)> {
    let wrong = |path: &str, why: &str| Err((path.to_owned(), why.to_owned()));
    if let Some(key) = guard_outside(settings) {
        return wrong(key, "holds hooks that belong under `hooks`");
    }
    let Some(hooks) = settings.get(HOOKS) else {
        return Ok(Vec::new());
    };
    let Some(events) = hooks.members() else {
        // Claude Code ignores anything but an object. A list, however, may contain hooks that
        // somebody wrote in the wrong form, which is an error.
        let may_be_hooks = hooks.elements().is_some_and(|elements| {
            let is_object = |element: &JsonValue| element.members().is_some();
            elements.iter().any(is_object) || holds_guard_anywhere(hooks)
        });
        return match may_be_hooks {
            true => wrong(HOOKS, "is not an object"),
            false => Ok(Vec::new()),
        };
    };
    if is_group(hooks) {
        return wrong(HOOKS, "is not an object of events");
    }
    let mut commands = Vec::new();
    for (event, groups) in events {
        let path = format!("{HOOKS}.{event}");
        let is_guard = GUARDS.contains(&event.as_str());
        if !EVENTS.contains(&event.as_str()) {
            let counts = groups.elements().is_none();
            if holds_guard(groups, 3, counts, &[], false) {
                return wrong(&path, "is not an event, but holds hooks of one");
            }
            continue;
        }
        let Some(groups) = groups.elements() else {
            let is_lost = is_guard && *groups != JsonValue::Null;
            if is_lost || holds_guard(groups, 3, false, &[], false) {
                return wrong(&path, "is not a list");
            }
            continue;
        };
        for (index, group) in groups.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if holds_guard(group, 3, false, &[], false) {
                return wrong(&path, "holds hooks of another event");
            }
            let is_strict = is_guard || manner == ErrorPolicy::Old;
            group_commands(event, group, &path, is_strict, &mut commands)?;
        }
    }
    Ok(commands)
}

/// Adds the commands of a group, which is a matcher with its handlers. A wrong part is an error if
/// `is_strict`, and is skipped otherwise.
fn group_commands(
    event: &str,
    group: &JsonValue,
    path: &str,
    is_strict: bool,
    commands: &mut Vec<Command>,
) -> Result<(), (String, String)> {
    let left_out = |path: String, why: &str| match is_strict {
        true => Err((path, why.to_owned())),
        false => Ok(()),
    };
    if group.members().is_none() {
        return left_out(path.to_owned(), "is not an object");
    }
    let Some(handlers) = group.get(HOOKS).and_then(JsonValue::elements) else {
        return left_out(format!("{path}.{HOOKS}"), "is not a list");
    };
    let matcher = match group.get("matcher") {
        None => "",
        Some(JsonValue::Text(matcher)) => matcher,
        Some(_) => return left_out(format!("{path}.matcher"), "is not a string"),
    };
    for (index, handler) in handlers.iter().enumerate() {
        let mut path = format!("{path}.{HOOKS}[{index}]");
        let kind = handler.get("type").and_then(JsonValue::as_text);
        let Some((_, shape)) = HANDLERS.iter().find(|(name, _)| Some(*name) == kind) else {
            left_out(format!("{path}.type"), "is not a type of hook")?;
            continue;
        };
        if let Some(expected) = shape.misfit(handler, &mut path) {
            left_out(path, &format!("is not {expected}"))?;
            continue;
        }
        if let Some(text) = command_line(handler) {
            commands.push(Command {
                event: event.to_owned(),
                text,
                for_all: matches!(matcher, "" | "*"),
            });
        }
    }
    Ok(())
}

/// Returns the command of a handler as a shell command line.
fn command_line(handler: &JsonValue) -> Option<String> {
    let command = handler.get("command")?.as_text()?;
    let args = handler.get("args").and_then(JsonValue::elements);
    let Some(args) = args.filter(|args| !args.is_empty()) else {
        return Some(command.to_owned());
    };
    let args = args.iter().filter_map(JsonValue::as_text);
    let words: Vec<String> = [command].into_iter().chain(args).map(quoted).collect();
    Some(words.join(" "))
}

/// Returns the settings key that contains guards although they belong under `hooks`.
fn guard_outside(settings: &JsonValue) -> Option<&str> {
    let members = settings.members()?;
    let found = members.iter().find(|(key, value)| {
        let is_guard = GUARDS.contains(&key.as_str()) && is_something(value);
        let may_hold = key != HOOKS && !NO_HOOKS_BELOW.contains(&key.as_str());
        let counts = !EVENTS.contains(&key.as_str());
        is_guard || (may_hold && holds_guard(value, 3, counts, &NO_HOOKS_BELOW, false))
    });
    found.map(|(key, _)| key.as_str())
}

/// Returns true if `value` has a guard among its members.
fn names_guard(value: &JsonValue) -> bool {
    let mut members = value.members().unwrap_or_default().iter();
    members.any(|(key, value)| GUARDS.contains(&key.as_str()) && is_something(value))
}

fn is_something(value: &JsonValue) -> bool {
    *value != JsonValue::Null && value.elements() != Some(&[])
}

/// Returns true if `value` looks like a matcher with its handlers.
fn is_group(value: &JsonValue) -> bool {
    let Some(members) = value.members() else {
        return false;
    };
    let has_matcher = value.get("matcher").is_some();
    let is_event = |(key, _): &(String, JsonValue)| EVENTS.contains(&key.as_str());
    if !has_matcher && members.iter().any(is_event) {
        return false;
    }
    match value.get(HOOKS) {
        Some(JsonValue::List(handlers)) => !handlers.is_empty(),
        Some(hooks @ JsonValue::Object(_)) => {
            has_matcher || hooks.get("type").and_then(JsonValue::as_text).is_some()
        }
        _ => false,
    }
}

/// Returns true if `value` contains guards, at most `depth` levels down, as Claude Code looks for
/// them. With `group_counts`, any group counts as a guard. Skips the members named in
/// `passed_over`.
fn holds_guard(
    value: &JsonValue,
    depth: u8,
    group_counts: bool,
    passed_over: &[&str],
    is_handlers: bool,
) -> bool {
    if names_guard(value) || (group_counts && is_group(value)) {
        return true;
    }
    let Some(deeper) = depth.checked_sub(1) else {
        return false;
    };
    match value {
        JsonValue::List(elements) => {
            let mut elements = elements.iter();
            elements.any(|it| holds_guard(it, deeper, group_counts, passed_over, is_handlers))
        }
        JsonValue::Object(_)
            if is_handlers && matches!(value.get("type"), Some(JsonValue::Text(_))) =>
        {
            false
        }
        JsonValue::Object(members) => members.iter().any(|(key, value)| {
            let counts = group_counts && !EVENTS.contains(&key.as_str());
            let is_handlers = key == HOOKS && value.elements().is_some();
            !passed_over.contains(&key.as_str())
                && holds_guard(value, deeper, counts, passed_over, is_handlers)
        }),
        _ => false,
    }
}

fn holds_guard_anywhere(value: &JsonValue) -> bool {
    let elements = value.elements().unwrap_or_default();
    is_group(value) || names_guard(value) || elements.iter().any(holds_guard_anywhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#""SessionStart":[{"hooks":[{"type":"command","command":"ours"}]}]"#;

    /// Checks how many commands run with this beside a correct one; `None` if Claude Code ignores
    /// the file.
    #[track_caller]
    fn check(more: &str, expected: Option<usize>) {
        let json = JsonValue::parse(&format!("{{\"hooks\":{{{OURS},{more}}}}}")).unwrap();
        assert_eq!(
            commands(&json, ErrorPolicy::New).ok().map(|it| it.len()),
            expected,
            "{more}"
        );
    }

    #[test]
    fn an_invalid_guard_makes_the_client_ignore_the_file() {
        let wrong = [
            "3",
            "{}",
            "[3]",
            "[{}]",
            r#"[{"hooks":3}]"#,
            r#"[{"hooks":[3]}]"#,
            r#"[{"hooks":[{"type":"nope"}]}]"#,
            r#"[{"hooks":[{"command":"x"}]}]"#,
            r#"[{"hooks":[{"type":"command"}]}]"#,
            r#"[{"hooks":[{"type":"command","command":3}]}]"#,
            r#"[{"hooks":[{"type":"command","command":"x","timeout":"5"}]}]"#,
            r#"[{"hooks":[{"type":"command","command":"x","timeout":-1}]}]"#,
            r#"[{"hooks":[{"type":"command","command":"x","args":"y"}]}]"#,
            r#"[{"hooks":[{"type":"command","command":"x","shell":"fish"}]}]"#,
            r#"[{"matcher":{"tools":["Bash"]},"hooks":[{"type":"command","command":"x"}]}]"#,
            r#"[{"matcher":3,"hooks":[]}]"#,
        ];
        for value in wrong {
            for guard in ["PreToolUse", "PermissionRequest"] {
                check(&format!("\"{guard}\":{value}"), None);
            }
            check(&format!("\"Stop\":{value}"), Some(1));
        }
    }

    #[test]
    fn empty_and_unknown_entries_are_accepted() {
        for (more, count) in [
            (r#""PreToolUse":null"#, 1),
            (r#""PreToolUse":[{"hooks":[]}]"#, 1),
            (r#""Elicitation":null"#, 1),
            (r#""Nope":3"#, 1),
            (
                r#""Nope":[{"hooks":[{"type":"command","command":"x"}]}]"#,
                1,
            ),
            (
                r#""Stop":[{"hooks":[{"type":"command","command":"x","foo":"y"}],"extra":3}]"#,
                2,
            ),
            (
                r#""Stop":[{"hooks":[{"type":"nope"},{"type":"command","command":"x"}]}]"#,
                2,
            ),
            (r#""SessionStart":[]"#, 0),
        ] {
            check(more, Some(count));
        }
    }

    #[test]
    fn hooks_in_the_wrong_place_make_the_client_ignore_the_file() {
        for text in [
            r#"{"PreToolUse":[{"hooks":[{"type":"command","command":"x"}]}]}"#,
            r#"{"hook":{"PreToolUse":[{"hooks":[]}]}}"#,
            r#"{"hooks":[{"hooks":[{"type":"command","command":"x"}]}]}"#,
            r#"{"hooks":{"matcher":"","hooks":[{"type":"command","command":"x"}]}}"#,
            r#"{"hooks":{"Nope":{"PreToolUse":[3]}}}"#,
        ] {
            assert!(
                commands(&JsonValue::parse(text).unwrap(), ErrorPolicy::New).is_err(),
                "{text}"
            );
        }
        for text in [
            r#"{"hooks":"x"}"#,
            r#"{"hooks":null}"#,
            r#"{"hooks":[]}"#,
            r#"{"PreToolUse":[]}"#,
            r#"{"env":{"PreToolUse":"x"}}"#,
            r#"{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}"#,
        ] {
            assert_eq!(
                commands(&JsonValue::parse(text).unwrap(), ErrorPolicy::New),
                Ok(Vec::new()),
                "{text}"
            );
        }
    }
}
