//! Events in the form that the observability dashboards use: what their server stores for each hook
//! event.
//!
//! The server needs `source_app`, `session_id`, `hook_event_type` and `payload`; `timestamp` is in
//! milliseconds. The payload uses the names in Claude Code's hook payloads, because the dashboards'
//! pages look for them.

use serde::Serialize;
use serde_json::Value;

use crate::model::{Event, Record};

/// What is sent of an event.
#[derive(Serialize)]
struct HookEvent<'a> {
    source_app: &'a str,
    session_id: &'a str,
    hook_event_type: &'a str,
    payload: Payload<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
}

/// What Claude Code passed to the hook, as far as the journal contains it.
#[derive(Serialize)]
struct Payload<'a> {
    session_id: &'a str,
    hook_event_name: &'a str,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<&'static str, Value>,
}

/// Returns an event of a session as a JSON object. It contains the texts of tools and people only
/// if the journal does, which requires `capture = "full"`.
pub fn event(record: &Record, event: &Event) -> Vec<u8> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    // The dashboards' pages shorten these texts, and break if one is not a string.
    let body = |body: &Option<Value>| body.clone().filter(Value::is_string);
    let members = [
        ("cwd", text(&event.cwd)),
        ("tool_name", text(&event.tool)),
        ("tool_use_id", text(&event.tool_use_id)),
        ("tool_input", event.input.clone()),
        ("tool_response", event.output.clone()),
        ("prompt", body(&event.prompt)),
        ("last_assistant_message", body(&event.message)),
        (
            "error",
            body(&event.error_text).or_else(|| text(&event.error)),
        ),
        ("label", text(&event.what)),
        ("duration_ms", event.duration_ms.map(Value::from)),
        ("agent_id", text(&event.agent_id)),
        ("agent_type", text(&event.agent_type)),
        ("prompt_id", text(&event.prompt_id)),
        ("source", text(&event.source)),
        ("reason", text(&event.reason)),
        ("trigger", text(&event.trigger)),
        ("model", text(&event.model)),
        ("notification_type", text(&event.notification_type)),
    ];
    let members = members.into_iter();
    let session_id = record.session_id.as_str();
    let sent = HookEvent {
        source_app: match record.project.name.as_str() {
            "" => "unknown",
            name => name,
        },
        session_id,
        hook_event_type: &event.event,
        payload: Payload {
            session_id,
            hook_event_name: &event.event,
            rest: members
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        },
        timestamp: event.ts.map(|ts| ts.to_utc().timestamp_millis()),
        model_name: event.model.as_deref().or(record.model.as_deref()),
        summary: event.what.as_deref(),
    };
    // Strings, integers and JSON values always serialise.
    serde_json::to_vec(&sent).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::model::{Project, Timestamp};

    fn sent(members: Value) -> Value {
        let project = Project::at(Path::new("/home/dev/shop").to_owned());
        let start = Timestamp::from_unix(1_800_000_000, 0);
        let mut record = Record::new("s-1".parse().unwrap(), &project, start);
        record.model = Some("claude-a".to_owned());
        let mut line = json!({"v": 1, "ts": "2027-01-15T08:00:00.123456Z", "session_id": "s-1"});
        let members = members.as_object().unwrap().clone();
        line.as_object_mut().unwrap().extend(members);
        let decoded = Event::decode(line.to_string().as_bytes()).unwrap();
        serde_json::from_slice(&event(&record, &decoded)).unwrap()
    }

    #[test]
    fn an_event_has_what_the_server_needs_and_the_label_as_its_summary() {
        let call = json!({"event": "PreToolUse", "tool": "Bash", "tool_use_id": "t1", "what": "List files",
            "cwd": "/home/dev/shop", "transcript_path": "/home/dev/.claude/x.jsonl", "input_bytes": 17});
        let expected = json!({
            "source_app": "shop", "session_id": "s-1", "hook_event_type": "PreToolUse",
            "timestamp": 1_800_000_000_123_i64, "model_name": "claude-a", "summary": "List files",
            "payload": {"session_id": "s-1", "hook_event_name": "PreToolUse", "cwd": "/home/dev/shop",
                "tool_name": "Bash", "tool_use_id": "t1", "label": "List files"},
        });
        assert_eq!(sent(call), expected);
    }

    #[test]
    fn the_texts_are_there_if_the_journal_has_them() {
        let failed = json!({"event": "PostToolUseFailure", "tool": "Bash", "input": {"command": "make"},
            "output": [1], "error": "exit:2", "error_text": "no rule", "duration_ms": 38});
        let payload = &sent(failed)["payload"];
        assert_eq!(payload["tool_input"], json!({"command": "make"}));
        assert_eq!(payload["tool_response"], json!([1]));
        assert_eq!(payload["error"], "no rule");
        assert_eq!(payload["duration_ms"], 38);
        let prompt = sent(json!({"event": "UserPromptSubmit", "prompt": "fix it"}));
        assert_eq!(prompt["payload"]["prompt"], "fix it");
        let odd = sent(json!({"event": "UserPromptSubmit", "prompt": {"a": 1}, "error": "x"}));
        assert_eq!(odd["payload"].get("prompt"), None);
        assert_eq!(odd["payload"]["error"], "x");
    }
}
