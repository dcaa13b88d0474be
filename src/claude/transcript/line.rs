//! What one record of a client's transcript says, most of which are a line. The format is the client's own and changes:
//! every member is optional, and one of another type than expected counts as absent.

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

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for Member<'_> {}

impl std::hash::Hash for Member<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.json().hash(state);
    }
}

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
            Cow::Owned(unescaped(json)?)
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

/// The text of a JSON string. A client that cuts a text in the middle of a character leaves half a surrogate pair, which
/// becomes the replacement character, as it does wherever the client shows it.
fn unescaped(json: &str) -> Option<String> {
    let decode = |json: &str| serde_json::from_str(json).ok();
    decode(json).or_else(|| decode(&without_half_pairs(json)))
}

/// A JSON string in which each half of a surrogate pair is replaced.
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

/// The UTF-16 unit that the escape at the beginning of `text` stands for.
fn unit_at(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// One record.
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
    pub attachment: Member<'a>,
    #[serde(borrow)]
    pub content: Member<'a>,
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
    pub interrupted_message_id: Member<'a>,
    #[serde(borrow)]
    pub version: Member<'a>,
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
    /// Reads a record; nothing where it is no JSON object.
    pub fn decode(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
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

/// What the client put into a conversation by itself: a line's `attachment`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct Attachment<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Member<'a>,
    #[serde(borrow)]
    pub command_mode: Member<'a>,
    #[serde(borrow)]
    pub prompt: Member<'a>,
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
            let line = Line::decode(&line).unwrap();
            assert_eq!(line.kind.text().as_deref(), Some(text), "{json}");
        }
    }
}
