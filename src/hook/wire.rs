//! Selects the members of a hook's payload that are kept, and turns them into an event.
//!
//! The types in a payload are not trusted: a member of an unexpected type counts as absent.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::body::{self, Bodies};
use super::scan::{MemberAction, MemberPlan, Progress, ScannedMember, Scanner};
use crate::claude::messages::{
    ended_tasks, error_class, is_task_notification, is_word, outcome_in,
};
use crate::model::event::{self, BatchCall};
use crate::model::label::{self, beginning, label, prompt_label};
use crate::model::redact::Redactor;
use crate::model::{Capture, Event, SessionId};

/// The most bytes that are kept of an id or a name, as JSON text.
const NAME: usize = 512;
/// The most bytes that are kept of the id or the tool of a call in a batch. It is less than
/// [`NAME`], because a batch may have many calls.
const CALL_NAME: usize = 192;
/// The most bytes that are kept of a path, as JSON text.
const PATH: usize = 16 * 1024;
/// The most bytes that are kept of a text that is only classified, such as an error.
const OPENING: usize = 256;
/// How much of a prompt is kept, in bytes. Claude Code joins the notices of several tasks in one.
const PROMPT: usize = 4096;

/// The members of a payload that the plan keeps.
#[derive(Debug)]
pub(super) struct Payload {
    members: Vec<ScannedMember>,
    /// The size of the whole input, in bytes.
    pub(super) size: u64,
    /// Whether the input was one complete JSON object.
    pub(super) progress: Progress,
}

/// The session that a payload claims to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SessionClaim {
    /// The payload names this session.
    Session(SessionId),
    /// The payload names its event but no session, as older versions of Claude Code send it.
    Missing,
    /// The input is not a complete object that names its event.
    NoPayload,
    /// The payload's session id is invalid; the number is its size in bytes.
    Invalid(u64),
}

/// Returns the plan that selects the members to keep under this setting.
pub(super) fn plan_for(capture: Capture) -> MemberPlan {
    match capture {
        Capture::Metadata | Capture::Summary => plan,
        Capture::Full => plan_with_bodies,
    }
}

fn plan_with_bodies(parent: &str, key: &str) -> MemberAction {
    match (parent, key) {
        ("", "tool_input" | "tool_response") => MemberAction::EnterAndKeep(body::MAX_BYTES),
        ("", "prompt" | "error" | "last_assistant_message") => MemberAction::Keep(body::MAX_BYTES),
        _ => plan(parent, key),
    }
}

pub(super) fn plan(parent: &str, key: &str) -> MemberAction {
    match (parent, key) {
        ("", "tool_input" | "tool_response" | "tool_calls") => MemberAction::Enter,
        ("", "prompt") => MemberAction::Keep(PROMPT),
        ("", "error") => MemberAction::Keep(OPENING),
        ("", "cwd" | "transcript_path" | "old_cwd" | "new_cwd" | "session_title") => {
            MemberAction::Keep(PATH)
        }
        (
            "",
            "session_id" | "hook_event_name" | "prompt_id" | "agent_id" | "agent_type"
            | "tool_name" | "tool_use_id" | "duration_ms" | "is_interrupt" | "source" | "reason"
            | "trigger" | "model" | "from_model" | "to_model" | "notification_type" | "task_id",
        ) => MemberAction::Keep(NAME),
        ("tool_input", key) if label::INPUTS.contains(&key) => MemberAction::Keep(label::PART),
        ("tool_response", "backgroundTaskId" | "agentId" | "isAsync") => MemberAction::Keep(NAME),
        ("tool_calls", "tool_name" | "tool_use_id") => MemberAction::Keep(CALL_NAME),
        ("tool_calls", "tool_response") => MemberAction::Keep(OPENING),
        _ => MemberAction::Skip,
    }
}

impl Payload {
    pub(super) fn new(scan: Scanner) -> Self {
        Self {
            size: scan.size(),
            progress: scan.progress(),
            members: scan.into_members(),
        }
    }

    /// Returns the last member of this name, which is the one that JavaScript uses.
    fn member(&self, parent: &str, key: &str) -> Option<&ScannedMember> {
        self.members
            .iter()
            .rev()
            .find(|member| member.parent == parent && member.key == key)
    }

    fn get<T: DeserializeOwned>(&self, parent: &str, key: &str) -> Option<T> {
        whole(self.member(parent, key)?)
    }

    /// Returns the text of a member at the top level, or `None` if it is empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get("", key).filter(|text: &String| !text.is_empty())
    }

    /// Returns the kept beginning of the text of a member at the top level.
    fn opening(&self, key: &str) -> Option<String> {
        opening(self.member("", key)?)
    }

    /// Returns the session that the payload claims to belong to.
    pub(super) fn claim(&self) -> SessionClaim {
        let Some(member) = self.member("", "session_id") else {
            let is_payload = self.progress == Progress::Complete && self.event_name().is_some();
            return if is_payload {
                SessionClaim::Missing
            } else {
                SessionClaim::NoPayload
            };
        };
        let id = whole::<String>(member).and_then(|id| id.parse().ok());
        id.map_or(SessionClaim::Invalid(member.size), SessionClaim::Session)
    }

    /// Returns the event's name, if the payload has a valid one.
    pub(super) fn event_name(&self) -> Option<String> {
        let name = self.text("hook_event_name")?;
        is_event_name(&name).then_some(name)
    }

    /// Returns whether the event comes from a subagent.
    pub(super) fn is_subagent(&self) -> bool {
        self.text("agent_id").is_some()
    }

    /// Returns whether the prompt is not a person's, but Claude Code's report that a background
    /// task ended.
    pub(super) fn is_task_notification(&self) -> bool {
        self.opening("prompt")
            .is_some_and(|prompt| is_task_notification(&prompt))
    }

    /// Converts the payload to an event named `event`. The caller adds the time and the session.
    pub(super) fn event(&self, event: &str, capture: Capture) -> Event {
        let notification = self.is_task_notification();
        let mut redactor = Redactor::default();
        let what = match event {
            event::name::USER_PROMPT_SUBMIT if !notification => {
                self.prompt_label(capture, &mut redactor)
            }
            _ => self.what(capture, &mut redactor),
        };
        let event = Event {
            v: event::VERSION,
            event: event.to_owned(),
            tool: self.text("tool_name"),
            tool_use_id: self.text("tool_use_id"),
            agent_id: self.text("agent_id"),
            agent_type: self.text("agent_type"),
            prompt_id: self.text("prompt_id"),
            cwd: self.text("cwd"),
            transcript_path: self.text("transcript_path"),
            ok: outcome_of(event),
            error: self.error(event),
            duration_ms: self.get("", "duration_ms"),
            input_bytes: self.member("", "tool_input").map(|member| member.size),
            output_bytes: self.member("", "tool_response").map(|member| member.size),
            what,
            source: if notification {
                Some(event::TASK_NOTIFICATION.to_owned())
            } else {
                self.text("source")
            },
            reason: self
                .text("reason")
                .filter(|_| event == event::name::SESSION_END),
            trigger: self.text("trigger"),
            model: self.text("model"),
            calls: self.calls(),
            old_cwd: self.text("old_cwd"),
            new_cwd: self.text("new_cwd"),
            from_model: self.text("from_model"),
            to_model: self.text("to_model"),
            notification_type: self.text("notification_type"),
            background: self.background(),
            spawned_agent: self.get("tool_response", "agentId"),
            task_id: self.text("task_id").or_else(|| self.ended_tasks()),
            incomplete: self.progress != Progress::Complete,
            ..Event::default()
        };
        let event = match capture {
            Capture::Metadata | Capture::Summary => event,
            Capture::Full => self.with_bodies(event, &mut redactor),
        };
        let mut event = Event {
            redacted: redactor.into_counts(),
            ..event
        };
        event.redact_words();
        event
    }

    /// Adds the bodies that `capture = "full"` keeps.
    fn with_bodies(&self, event: Event, redactor: &mut Redactor) -> Event {
        let is_failure = event.event == event::name::POST_TOOL_USE_FAILURE;
        let mut bodies = Bodies::new(redactor);
        let mut body = |name, key| bodies.take(name, self.member("", key)?);
        Event {
            input: body("input", "tool_input"),
            output: body("output", "tool_response"),
            prompt: body("prompt", "prompt"),
            message: body("message", "last_assistant_message"),
            error_text: is_failure.then(|| body("error_text", "error")).flatten(),
            cut: bodies.into_cut(),
            ..event
        }
    }

    fn what(&self, capture: Capture, redactor: &mut Redactor) -> Option<String> {
        if capture == Capture::Metadata {
            return None;
        }
        let inputs: Vec<(&str, String)> = label::INPUTS
            .into_iter()
            .filter_map(|key| Some((key, shown(self.member("tool_input", key)?)?)))
            .collect();
        let input = |key: &str| {
            let mut inputs = inputs.iter();
            inputs
                .find(|(name, _)| *name == key)
                .map(|(_, text)| text.as_str())
        };
        label(input, redactor)
    }

    fn prompt_label(&self, capture: Capture, redactor: &mut Redactor) -> Option<String> {
        if capture == Capture::Metadata {
            return None;
        }
        let member = self.member("", "prompt")?;
        let prompt = opening(member)?;
        prompt_label(&prompt, member.is_whole(), redactor)
    }

    fn error(&self, event: &str) -> Option<String> {
        match event {
            event::name::POST_TOOL_USE_FAILURE if self.get("", "is_interrupt") == Some(true) => {
                Some("interrupted".to_owned())
            }
            event::name::POST_TOOL_USE_FAILURE => {
                Some(error_class(&self.opening("error").unwrap_or_default()))
            }
            event::name::STOP_FAILURE => {
                let named = self.text("error").filter(|error| is_word(error));
                Some(named.unwrap_or_else(|| "other".to_owned()))
            }
            _ => None,
        }
    }

    fn calls(&self) -> Vec<BatchCall> {
        let mut calls: Vec<BatchCall> = Vec::new();
        for member in self
            .members
            .iter()
            .filter(|member| member.parent == "tool_calls")
        {
            if calls.len() <= member.element {
                calls.resize_with(member.element + 1, BatchCall::default);
            }
            let Some(call) = calls.get_mut(member.element) else {
                continue;
            };
            match member.key.as_str() {
                "tool_name" => call.tool = whole(member),
                "tool_use_id" => call.tool_use_id = whole(member),
                _ => call.outcome = opening(member).and_then(|text| outcome_in(&text)),
            }
        }
        calls
    }

    fn background(&self) -> Option<String> {
        let agent = || {
            let is_async = self.get("tool_response", "isAsync") == Some(true);
            is_async
                .then(|| self.get("tool_response", "agentId"))
                .flatten()
        };
        self.get("tool_response", "backgroundTaskId").or_else(agent)
    }

    /// Returns the tasks whose end a `<task-notification>` reports.
    fn ended_tasks(&self) -> Option<String> {
        if !self.is_task_notification() {
            return None;
        }
        event::task_id_of(&ended_tasks(&self.opening("prompt")?))
    }

    /// Returns the session's working directory that the payload states, if the path is absolute.
    pub(super) fn cwd(&self) -> Option<String> {
        self.text("cwd").filter(|cwd| Path::new(cwd).is_absolute())
    }
}

/// Returns whether `text` can be an event's name.
pub fn is_event_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn whole<T: DeserializeOwned>(member: &ScannedMember) -> Option<T> {
    member
        .is_whole()
        .then(|| serde_json::from_slice(&member.text).ok())
        .flatten()
}

/// Returns the beginning of a text, from which a label is made.
fn shown(member: &ScannedMember) -> Option<String> {
    let text = opening(member)?;
    Some(beginning(&text, member.is_whole()).to_owned())
}

/// Decodes a string that may have been cut. The cut may be inside a character or an escape, so
/// drops the last few bytes until the rest decodes.
fn opening(member: &ScannedMember) -> Option<String> {
    const LONGEST_ESCAPE: usize = r"\ud83d\ude00".len();
    if member.is_whole() {
        return whole(member);
    }
    (0..LONGEST_ESCAPE).find_map(|less| {
        let mut text = member
            .text
            .get(..member.text.len().checked_sub(less)?)?
            .to_vec();
        text.push(b'"');
        serde_json::from_slice(&text).ok()
    })
}

fn outcome_of(event: &str) -> Option<bool> {
    match event {
        event::name::POST_TOOL_USE => Some(true),
        event::name::POST_TOOL_USE_FAILURE => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::event::CallOutcome;

    fn payload(text: &str) -> Payload {
        let mut scan = Scanner::new(plan);
        scan.feed(text.as_bytes());
        Payload::new(scan)
    }

    fn event(text: &str) -> Event {
        let payload = payload(text);
        payload.event(&payload.event_name().unwrap(), Capture::Summary)
    }

    #[test]
    fn members_after_the_output_are_kept_and_the_output_is_not() {
        let output = "x".repeat(100_000);
        let event = event(&format!(
            r#"{{"hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{{"command":"secret","description":"List files"}},
                "tool_response":{{"stdout":"{output}","backgroundTaskId":"b1"}},"tool_use_id":"t1","duration_ms":38}}"#
        ));
        assert_eq!(event.tool_use_id.as_deref(), Some("t1"));
        assert_eq!(event.duration_ms, Some(38));
        assert_eq!(event.what.as_deref(), Some("List files"));
        assert_eq!(event.background.as_deref(), Some("b1"));
        assert_eq!(event.ok, Some(true));
        assert!(event.output_bytes.unwrap() > 100_000);
        assert!(event.encode().len() < 400);
    }

    #[track_caller]
    fn check_error(rest: &str, class: &str) {
        let event = event(&format!(
            r#"{{"hook_event_name":"PostToolUseFailure",{rest}}}"#
        ));
        assert_eq!(
            (event.ok, event.error.as_deref()),
            (Some(false), Some(class)),
            "{rest}"
        );
    }

    #[test]
    fn an_error_is_journaled_as_its_class() {
        check_error(
            r#""error":"Exit code 3\nto-out\nto-err","is_interrupt":false"#,
            "exit:3",
        );
        check_error(r#""error":"Exit code 9""#, "exit:9");
        check_error(r#""error":"anything","is_interrupt":true"#, "interrupted");
        check_error(r#""error":"Command timed out after 2m""#, "timeout");
        check_error(r#""error":"File does not exist.""#, "other");
        check_error(r#""error":7"#, "other");
        check_error(
            &format!(r#""error":"Exit code 1\n{}""#, "é".repeat(500)),
            "exit:1",
        );
    }

    #[test]
    fn a_batch_names_every_call_and_what_its_result_says() {
        let event = event(
            r#"{"hook_event_name":"PostToolBatch","tool_calls":[
                {"tool_name":"Read","tool_input":{"tool_name":"no"},"tool_use_id":"t1","tool_response":"1\talpha"},
                {"tool_name":"Nope","tool_input":{},"tool_use_id":"t2","tool_response":"<tool_use_error>Error: No such tool"},
                {"tool_name":"Bash","tool_input":{},"tool_use_id":"t3","tool_response":"Permission to use Bash has been denied because"}]}"#,
        );
        let calls: Vec<_> = event
            .calls
            .iter()
            .map(|c| (c.tool.as_deref().unwrap(), c.outcome))
            .collect();
        assert_eq!(
            calls,
            [
                ("Read", None),
                ("Nope", Some(CallOutcome::Failed)),
                ("Bash", Some(CallOutcome::Denied))
            ]
        );
        assert_eq!(event.calls[2].tool_use_id.as_deref(), Some("t3"));
    }

    #[test]
    fn members_of_another_type_are_absent() {
        let event = event(
            r#"{"hook_event_name":"PreToolUse","tool_name":7,"tool_use_id":null,"duration_ms":"x","tool_input":[1]}"#,
        );
        assert_eq!(
            (event.tool, event.tool_use_id, event.duration_ms),
            (None, None, None)
        );
    }

    #[test]
    fn ids_are_checked_where_they_come_in() {
        assert_eq!(
            payload(r#"{"session_id":"s-1"}"#).claim(),
            SessionClaim::Session("s-1".parse().unwrap())
        );
        assert_eq!(
            payload(r#"{"hook_event_name":"Stop"}"#).claim(),
            SessionClaim::Missing
        );
        for nothing in ["", "{}", "[]", r#"{"hook_event_name":"Stop""#] {
            assert_eq!(
                payload(nothing).claim(),
                SessionClaim::NoPayload,
                "{nothing}"
            );
        }
        assert_eq!(
            payload(r#"{"session_id":"../../x"}"#).claim(),
            SessionClaim::Invalid(9)
        );
        assert_eq!(
            payload(r#"{"session_id":7}"#).claim(),
            SessionClaim::Invalid(1)
        );
        assert_eq!(
            payload(r#"{"session_id":"unknown"}"#).claim(),
            SessionClaim::Invalid(9)
        );
    }

    #[test]
    fn a_finished_task_is_not_a_persons_prompt() {
        let text = r#"{"hook_event_name":"UserPromptSubmit","prompt":"<task-notification>\n<task-id>afab1</task-id>\n<status>failed</status> more"}"#;
        assert!(payload(text).is_task_notification());
        let event = event(text);
        assert_eq!(event.source.as_deref(), Some("task-notification"));
        assert_eq!(event.task_id.as_deref(), Some("afab1"));
        for text in [
            "What is a <task-notification>?",
            "<task-notification> is what?",
        ] {
            let prompt = format!(r#"{{"prompt":"{text}"}}"#);
            assert!(!payload(&prompt).is_task_notification(), "{text}");
        }
    }

    #[test]
    fn joined_notices_end_each_of_their_tasks_and_one_that_goes_on_ends_none() {
        let notice = |task: &str, status: &str| {
            format!(
                "<task-notification>\n<task-id>{task}</task-id>\n<output-file>/tmp/{}</output-file>\n{status}</task-notification>",
                "x".repeat(300)
            )
        };
        let done = "<status>completed</status>\n";
        for (prompt, ended) in [
            (
                notice("b1", done) + "\n\n" + &notice("b2", done) + &notice("b3", done),
                Some("b1,b2,b3"),
            ),
            (
                notice("b1", done) + &notice("b2", "<status>running</status>"),
                Some("b1"),
            ),
            (notice("b1", "<summary>waits for input</summary>"), None),
        ] {
            let prompt = json!({"hook_event_name": "UserPromptSubmit", "prompt": prompt});
            let event = event(&prompt.to_string());
            assert_eq!(event.source.as_deref(), Some("task-notification"));
            assert_eq!(event.task_id.as_deref(), ended);
        }
    }

    proptest! {
        #[test]
        fn a_text_cut_anywhere_is_still_valid(text in any::<String>(), keep in 1usize..60) {
            let raw = serde_json::to_vec(&text).unwrap();
            let kept: Vec<u8> = raw.iter().copied().take(keep).collect();
            let member = ScannedMember { parent: String::new(), element: 0, key: "prompt".into(), size: raw.len() as u64, text: kept };
            let read = opening(&member).unwrap();
            prop_assert!(text.starts_with(&read));
        }
    }
}
