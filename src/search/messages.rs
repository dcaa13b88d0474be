//! The messages in a record of a transcript, as a person sees them: what was said, and the inputs
//! and outputs of tools.

use std::borrow::Cow;

use serde_json::Value;

use super::hits::{HitKind, SearchRole};
use crate::claude::transcript::line::{Block, LazyMember, Message, blocks};
use crate::claude::transcript::said::{Speaker, SpokenRecord, plain_text};
use crate::model::redact::Redactor;
use crate::model::text::without_lone_surrogates;

/// One message.
#[derive(Debug)]
pub(super) struct SearchedMessage<'a> {
    pub(super) role: SearchRole,
    pub(super) kind: HitKind,
    text: MessageText<'a>,
    /// The tool, for a call.
    pub(super) tool: Option<Cow<'a, str>>,
    /// The id of the call.
    pub(super) call: Option<Cow<'a, str>>,
    /// True for the result of a call that failed or was denied.
    pub(super) is_failed: bool,
    /// True for a message that waited in Claude Code's queue while the model worked. Such a message
    /// is often in another record, too.
    pub(super) is_queued: bool,
}

#[derive(Debug)]
enum MessageText<'a> {
    Said(Cow<'a, str>),
    /// The input of a call, as JSON.
    Input(&'a str),
}

impl SearchedMessage<'_> {
    /// Returns the text that is searched: without names of members, quotes and escapes.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match &self.text {
            MessageText::Said(text) => Cow::Borrowed(text),
            MessageText::Input(json) => values_in(json).into(),
        }
    }

    /// Returns the text as [`Self::text`] does, with secrets redacted.
    pub(super) fn redacted(&self, redactor: &mut Redactor) -> String {
        match &self.text {
            MessageText::Said(text) => redactor.text(text).into_owned(),
            // Redact before the names of members are dropped, because they show which values are
            // secrets.
            MessageText::Input(json) => values_in(&redactor.json(json)),
        }
    }
}

/// Returns the members of a record that can contain messages, as JSON. Other members contain words
/// that are in every line, such as `sessionId`.
pub(super) fn sources<'a>(record: &SpokenRecord<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let SpokenRecord {
        message,
        attachment,
        content,
        tool_use_result,
        ..
    } = *record;
    // Only the answers of a person come from `toolUseResult`. The rest of it is large and often
    // repeats the message.
    let answers = tool_use_result
        .json()
        .filter(|details| memchr::memmem::find(details.as_bytes(), b"\"answers\"").is_some());
    let members = [message, attachment, content].into_iter();
    members.filter_map(LazyMember::json).chain(answers)
}

/// Returns the messages in a record. If `is_of_agent`, the model wrote the prompts, because the
/// record is from a subagent's transcript.
pub(super) fn messages<'a>(
    record: &SpokenRecord<'a>,
    is_of_agent: bool,
) -> Vec<SearchedMessage<'a>> {
    if let Some((_, said)) = record.queued() {
        let said = said.into_iter();
        return said
            .map(|said| SearchedMessage {
                is_queued: true,
                ..message(said.speaker, said.text, false)
            })
            .collect();
    }
    let is_of_agent = is_of_agent || !record.is_main();
    // `said` skips the records of subagents, so pretend that this one is of the main thread.
    let record = SpokenRecord {
        is_sidechain: LazyMember::default(),
        ..*record
    };
    let said = record.said().into_iter();
    let mut all: Vec<SearchedMessage<'a>> = said
        .map(|said| message(said.speaker, said.text, is_of_agent))
        .collect();
    if record.is_turn() && !record.is_meta.is_true() {
        let content: Message<'a> = record.message.get().unwrap_or_default();
        let calls: Vec<_> = blocks(content.content).iter().filter_map(call).collect();
        for call in calls {
            // A result that only repeats a person's answer or objection is not added.
            let is_told = |said: &SearchedMessage<'_>| call.text().contains(&*said.text());
            if call.kind != HitKind::Result || !all.iter().any(is_told) {
                all.push(call);
            }
        }
    }
    all
}

fn message(speaker: Speaker, text: Cow<'_, str>, is_of_agent: bool) -> SearchedMessage<'_> {
    let (role, kind) = match speaker {
        Speaker::User if is_of_agent => (SearchRole::Assistant, HitKind::Message),
        Speaker::User => (SearchRole::User, HitKind::Message),
        Speaker::Assistant => (SearchRole::Assistant, HitKind::Message),
        Speaker::Notice => (SearchRole::Notice, HitKind::Message),
        Speaker::Summary => (SearchRole::Notice, HitKind::Summary),
        Speaker::Output => (SearchRole::Tool, HitKind::Output),
    };
    SearchedMessage {
        role,
        kind,
        text: MessageText::Said(text),
        tool: None,
        call: None,
        is_failed: false,
        is_queued: false,
    }
}

fn call<'a>(block: &Block<'a>) -> Option<SearchedMessage<'a>> {
    let (kind, text, call) = match block.kind.text().as_deref()? {
        "tool_use" => (
            HitKind::Call,
            MessageText::Input(block.input.json()?),
            block.id,
        ),
        "tool_result" => {
            let text = MessageText::Said(plain_text(block.content));
            (HitKind::Result, text, block.tool_use_id)
        }
        _ => return None,
    };
    Some(SearchedMessage {
        role: SearchRole::Tool,
        kind,
        text,
        tool: block.name.text(),
        call: call.text(),
        is_failed: block.is_error.is_true(),
        is_queued: false,
    })
}

/// Returns the values in a JSON text, one a line, without the names of members.
fn values_in(json: &str) -> String {
    let value = serde_json::from_str(json);
    let value: Value = value
        .or_else(|_| serde_json::from_str(&without_lone_surrogates(json)))
        .unwrap_or_default();
    let mut text = String::new();
    add_values(&value, &mut text);
    text
}

fn add_values(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => add_line(&number.to_string(), text),
        Value::String(said) => add_line(said, text),
        Value::Array(items) => items.iter().for_each(|item| add_values(item, text)),
        Value::Object(members) => members.values().for_each(|member| add_values(member, text)),
    }
}

fn add_line(line: &str, text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}
