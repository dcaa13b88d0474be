//! What one line of a client's transcript says. The format is the client's own and changes: every member is optional,
//! and one of another type than expected counts as absent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Timestamp;

/// The model of messages that the client makes up, for errors and interruptions.
pub const MADE_UP: &str = "<synthetic>";

/// A member of a JSON object, read when it is asked for.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub struct Member<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl<'a> Member<'a> {
    /// Its JSON text, if it is there and not null.
    pub fn json(self) -> Option<&'a str> {
        self.0.map(RawValue::get)
    }

    /// The size of its JSON text in bytes.
    pub fn size(self) -> Option<u64> {
        self.json().map(|json| json.len() as u64)
    }

    /// It as a `T`, if it is one.
    pub fn get<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.json()?).ok()
    }

    /// It as a text that is not empty.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let json = self.json()?;
        let plain = json.strip_prefix('"')?.strip_suffix('"')?;
        let text = if plain.contains('\\') {
            Cow::Owned(serde_json::from_str(json).ok()?)
        } else {
            Cow::Borrowed(plain)
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// As [`Self::text`], to be kept.
    pub fn owned(self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    /// Whether it is `true`.
    pub fn is_true(self) -> bool {
        self.json() == Some("true")
    }
}

/// One line.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct Line<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Member<'a>,
    #[serde(borrow)]
    pub subtype: Member<'a>,
    #[serde(borrow)]
    pub uuid: Member<'a>,
    #[serde(borrow)]
    pub timestamp: Member<'a>,
    #[serde(borrow)]
    pub session_id: Member<'a>,
    #[serde(borrow)]
    pub agent_id: Member<'a>,
    #[serde(borrow)]
    pub is_sidechain: Member<'a>,
    #[serde(borrow)]
    pub message: Member<'a>,
    #[serde(borrow)]
    pub cwd: Member<'a>,
    #[serde(borrow)]
    pub git_branch: Member<'a>,
    #[serde(borrow)]
    pub prompt_id: Member<'a>,
    #[serde(borrow)]
    pub parent_uuid: Member<'a>,
    #[serde(borrow)]
    pub is_meta: Member<'a>,
    #[serde(borrow)]
    pub is_compact_summary: Member<'a>,
    #[serde(borrow)]
    pub is_visible_in_transcript_only: Member<'a>,
    #[serde(borrow)]
    pub is_api_error_message: Member<'a>,
    #[serde(borrow)]
    pub error: Member<'a>,
    #[serde(borrow)]
    pub tool_use_result: Member<'a>,
    #[serde(borrow)]
    pub permission_decision: Member<'a>,
    #[serde(borrow)]
    pub tool_denial_kind: Member<'a>,
    #[serde(borrow)]
    pub tool_denial_before_run: Member<'a>,
    #[serde(borrow)]
    pub forked_from: Member<'a>,
    #[serde(borrow)]
    pub compact_metadata: Member<'a>,
    #[serde(borrow)]
    pub custom_title: Member<'a>,
    #[serde(borrow)]
    pub agent_setting: Member<'a>,
    #[serde(borrow)]
    pub attribution_agent: Member<'a>,
    #[serde(borrow, rename = "costUSD")]
    pub cost_usd: Member<'a>,
    #[serde(borrow, rename = "totalCostUSD")]
    pub total_cost_usd: Member<'a>,
}

impl<'a> Line<'a> {
    /// Reads a line; nothing where it is no JSON object.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        // As a text it is checked once, and not each of its strings.
        let line = match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(bytes),
        };
        line.ok()
    }

    /// When it was written.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.timestamp.text()?).ok()
    }
}

/// The message in a line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the API's")]
pub struct Message<'a> {
    #[serde(borrow)]
    pub id: Member<'a>,
    #[serde(borrow)]
    pub model: Member<'a>,
    #[serde(borrow)]
    pub content: Member<'a>,
    #[serde(borrow)]
    pub stop_reason: Member<'a>,
    #[serde(borrow)]
    pub usage: Member<'a>,
}

/// A block of a message's content.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the API's")]
pub struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Member<'a>,
    #[serde(borrow)]
    pub text: Member<'a>,
    #[serde(borrow)]
    pub id: Member<'a>,
    #[serde(borrow)]
    pub name: Member<'a>,
    #[serde(borrow)]
    pub input: Member<'a>,
    #[serde(borrow)]
    pub tool_use_id: Member<'a>,
    #[serde(borrow)]
    pub content: Member<'a>,
    #[serde(borrow)]
    pub is_error: Member<'a>,
}

/// What a line says of a result, besides its text: its `toolUseResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct ResultDetails<'a> {
    #[serde(borrow)]
    pub agent_id: Member<'a>,
    #[serde(borrow)]
    pub is_async: Member<'a>,
    #[serde(borrow)]
    pub background_task_id: Member<'a>,
    #[serde(borrow)]
    pub interrupted: Member<'a>,
    #[serde(borrow)]
    pub total_duration_ms: Member<'a>,
    #[serde(borrow)]
    pub duration_ms: Member<'a>,
}

/// What was decided about a call: a line's `permissionDecision`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct Permission<'a> {
    #[serde(borrow)]
    pub decision: Member<'a>,
}

/// Where a copied line is from: its `forkedFrom`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct Origin<'a> {
    #[serde(borrow)]
    pub session_id: Member<'a>,
}

/// What started a compaction: a line's `compactMetadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct Compaction<'a> {
    #[serde(borrow)]
    pub trigger: Member<'a>,
}

/// What a subagent's `.meta.json` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct AgentMeta<'a> {
    #[serde(borrow)]
    pub agent_type: Member<'a>,
    #[serde(borrow)]
    pub tool_use_id: Member<'a>,
}

/// The blocks of a content; a mere text is none. What is no block is passed over.
pub fn blocks(content: Member<'_>) -> Vec<Block<'_>> {
    let each = || {
        let items: Vec<Member<'_>> = content.get().unwrap_or_default();
        items.into_iter().filter_map(Member::get).collect()
    };
    content.get().unwrap_or_else(each)
}

/// The text of a content: itself, or its first block of text.
pub fn text_of(content: Member<'_>) -> Option<Cow<'_, str>> {
    let is_text = |block: &Block<'_>| block.kind.text().as_deref() == Some("text");
    content
        .text()
        .or_else(|| blocks(content).into_iter().find(is_text)?.text.text())
}
