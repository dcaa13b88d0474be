//! Decodes one record of a transcript; most records are a line. The format is Claude Code's own and
//! changes. Every member is optional, and a member of an unexpected type counts as absent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::times;
use crate::model::Timestamp;

/// The model name in messages that Claude Code writes itself, for errors and interruptions.
pub const MADE_UP: &str = "<synthetic>";

/// A member of a JSON object, decoded only on request.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub struct LazyMember<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl PartialEq for LazyMember<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for LazyMember<'_> {}

impl std::hash::Hash for LazyMember<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.json().hash(state);
    }
}

impl<'a> LazyMember<'a> {
    /// Returns the member's JSON text, if it is present and not null.
    pub fn json(self) -> Option<&'a str> {
        self.0.map(RawValue::get)
    }

    /// Returns the size of the member's JSON text in bytes.
    pub fn size(self) -> Option<u64> {
        self.json().map(|json| json.len() as u64)
    }

    /// Decodes the member as a `T`, if it is one.
    pub fn get<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.json()?).ok()
    }

    /// Returns the member's text, if it is a string and not empty.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let json = self.json()?;
        let plain = json.strip_prefix('"')?.strip_suffix('"')?;
        let text = if plain.contains('\\') {
            Cow::Owned(unescaped(json)?)
        } else {
            Cow::Borrowed(plain)
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Returns an owned copy of [`Self::text`].
    pub fn owned(self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    /// Returns the member as a time, in any of the forms that other tools write: RFC 3339, ISO 8601,
    /// or seconds or milliseconds since 1970.
    pub fn time(self) -> Option<Timestamp> {
        match self.text() {
            Some(text) => times::read(&text),
            None => times::since_1970(self.json()?),
        }
    }

    /// Returns true if the member is `true`.
    pub fn is_true(self) -> bool {
        self.json() == Some("true")
    }
}

/// Decodes a JSON string. When Claude Code cuts a text in the middle of a character, it leaves half
/// a surrogate pair. That half becomes the replacement character, as it does where Claude Code
/// shows it.
fn unescaped(json: &str) -> Option<String> {
    let decode = |json: &str| serde_json::from_str(json).ok();
    decode(json).or_else(|| decode(&without_half_pairs(json)))
}

/// Replaces each half of a surrogate pair in a JSON string.
fn without_half_pairs(json: &str) -> String {
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        whole.push_str(before);
        let (kept, length) = match (unit_at(escape), escape.get(6..).and_then(unit_at)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (escape.get(..12), 12),
            (Some(0xd800..=0xdfff), _) => (Some("\\ufffd"), 6),
            (Some(_), _) => (escape.get(..6), 6),
            (None, _) => (escape.get(..2), 2),
        };
        whole.push_str(kept.unwrap_or(escape));
        rest = escape.get(length..).unwrap_or_default();
    }
    whole + rest
}

/// Returns the UTF-16 unit of the escape at the beginning of `text`.
fn unit_at(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// One record of a transcript.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct TranscriptLine<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: LazyMember<'a>,
    #[serde(borrow)]
    pub subtype: LazyMember<'a>,
    #[serde(borrow)]
    pub uuid: LazyMember<'a>,
    #[serde(borrow)]
    pub timestamp: LazyMember<'a>,
    #[serde(borrow)]
    pub session_id: LazyMember<'a>,
    #[serde(borrow)]
    pub agent_id: LazyMember<'a>,
    #[serde(borrow)]
    pub is_sidechain: LazyMember<'a>,
    #[serde(borrow)]
    pub message: LazyMember<'a>,
    #[serde(borrow)]
    pub attachment: LazyMember<'a>,
    #[serde(borrow)]
    pub content: LazyMember<'a>,
    #[serde(borrow)]
    pub cwd: LazyMember<'a>,
    #[serde(borrow)]
    pub git_branch: LazyMember<'a>,
    #[serde(borrow)]
    pub prompt_id: LazyMember<'a>,
    #[serde(borrow)]
    pub parent_uuid: LazyMember<'a>,
    #[serde(borrow)]
    pub is_meta: LazyMember<'a>,
    #[serde(borrow)]
    pub is_compact_summary: LazyMember<'a>,
    #[serde(borrow)]
    pub is_visible_in_transcript_only: LazyMember<'a>,
    #[serde(borrow)]
    pub is_api_error_message: LazyMember<'a>,
    #[serde(borrow)]
    pub error: LazyMember<'a>,
    #[serde(borrow)]
    pub tool_use_result: LazyMember<'a>,
    #[serde(borrow)]
    pub permission_decision: LazyMember<'a>,
    #[serde(borrow)]
    pub tool_denial_kind: LazyMember<'a>,
    #[serde(borrow)]
    pub tool_denial_before_run: LazyMember<'a>,
    #[serde(borrow)]
    pub interrupted_message_id: LazyMember<'a>,
    #[serde(borrow)]
    pub version: LazyMember<'a>,
    #[serde(borrow)]
    pub forked_from: LazyMember<'a>,
    #[serde(borrow)]
    pub compact_metadata: LazyMember<'a>,
    #[serde(borrow)]
    pub custom_title: LazyMember<'a>,
    #[serde(borrow)]
    pub agent_setting: LazyMember<'a>,
    #[serde(borrow)]
    pub attribution_agent: LazyMember<'a>,
    #[serde(borrow, rename = "costUSD")]
    pub cost_usd: LazyMember<'a>,
    #[serde(borrow, rename = "totalCostUSD")]
    pub total_cost_usd: LazyMember<'a>,
}

impl<'a> TranscriptLine<'a> {
    /// Decodes a record. Returns `None` if it is not a JSON object.
    pub fn decode(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Returns the time at which the record was written.
    pub fn at(&self) -> Option<Timestamp> {
        self.timestamp.time()
    }
}

/// The message in a record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the API's")]
pub struct Message<'a> {
    #[serde(borrow)]
    pub id: LazyMember<'a>,
    #[serde(borrow)]
    pub model: LazyMember<'a>,
    #[serde(borrow)]
    pub content: LazyMember<'a>,
    #[serde(borrow)]
    pub stop_reason: LazyMember<'a>,
    #[serde(borrow)]
    pub usage: LazyMember<'a>,
}

/// A block of a message's content.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the API's")]
pub struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: LazyMember<'a>,
    #[serde(borrow)]
    pub text: LazyMember<'a>,
    #[serde(borrow)]
    pub id: LazyMember<'a>,
    #[serde(borrow)]
    pub name: LazyMember<'a>,
    #[serde(borrow)]
    pub input: LazyMember<'a>,
    #[serde(borrow)]
    pub tool_use_id: LazyMember<'a>,
    #[serde(borrow)]
    pub content: LazyMember<'a>,
    #[serde(borrow)]
    pub is_error: LazyMember<'a>,
}

/// The details of a result besides its text: a record's `toolUseResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct ResultDetails<'a> {
    #[serde(borrow)]
    pub agent_id: LazyMember<'a>,
    #[serde(borrow)]
    pub is_async: LazyMember<'a>,
    #[serde(borrow)]
    pub background_task_id: LazyMember<'a>,
    #[serde(borrow)]
    pub interrupted: LazyMember<'a>,
    #[serde(borrow)]
    pub total_duration_ms: LazyMember<'a>,
    #[serde(borrow)]
    pub duration_ms: LazyMember<'a>,
}

/// Something that Claude Code added to a conversation: a record's `attachment`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct Attachment<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: LazyMember<'a>,
    #[serde(borrow)]
    pub command_mode: LazyMember<'a>,
    #[serde(borrow)]
    pub prompt: LazyMember<'a>,
}

/// The decision about a call: a record's `permissionDecision`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct Permission<'a> {
    #[serde(borrow)]
    pub decision: LazyMember<'a>,
}

/// The source of a copied record: its `forkedFrom`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct ForkOrigin<'a> {
    #[serde(borrow)]
    pub session_id: LazyMember<'a>,
}

/// The cause of a compaction: a record's `compactMetadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct CompactMetadata<'a> {
    #[serde(borrow)]
    pub trigger: LazyMember<'a>,
}

/// The content of a subagent's `.meta.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct AgentMeta<'a> {
    #[serde(borrow)]
    pub agent_type: LazyMember<'a>,
    #[serde(borrow)]
    pub tool_use_id: LazyMember<'a>,
}

/// Returns the blocks of a message's content. Content that is plain text has none, and anything
/// that is not a block is skipped.
pub fn blocks(content: LazyMember<'_>) -> Vec<Block<'_>> {
    let each = || {
        let items: Vec<LazyMember<'_>> = content.get().unwrap_or_default();
        items.into_iter().filter_map(LazyMember::get).collect()
    };
    content.get().unwrap_or_else(each)
}

/// Returns the text of a message's content: the content itself, or its first block of text.
pub fn text_of(content: LazyMember<'_>) -> Option<Cow<'_, str>> {
    let is_text = |block: &Block<'_>| block.kind.text().as_deref() == Some("text");
    content
        .text()
        .or_else(|| blocks(content).into_iter().find(is_text)?.text.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_spoils_no_text() {
        let cases = [
            (r#"a \ud83d b"#, "a \u{fffd} b"),
            (r#"\udc00\ud83d"#, "\u{fffd}\u{fffd}"),
            (
                r#"\ud83d\ude00 \ud83d\n\u00e9"#,
                "\u{1f600} \u{fffd}\n\u{e9}",
            ),
            (r#"\ud83d\ud83d\ude00"#, "\u{fffd}\u{1f600}"),
            (r#"\\ud83d \ud83d"#, "\\ud83d \u{fffd}"),
            (r#"\"\ud83d"#, "\"\u{fffd}"),
        ];
        for (json, text) in cases {
            let line = format!(r#"{{"type":"{json}"}}"#);
            let line = TranscriptLine::decode(&line).unwrap();
            assert_eq!(line.kind.text().as_deref(), Some(text), "{json}");
        }
    }
}
