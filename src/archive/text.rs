//! An archive's text for people: who said what, below a head that describes the session.
//!
//! Many teams already have session exports in this format. It has horizontal rules 80 columns wide,
//! and a head of `Name: value` lines. Each message is below `[user]` or `[assistant]`, and the last
//! line counts the messages.

use std::borrow::Cow;

use crate::claude::transcript::line::{Block, LazyMember, Message, blocks};
use crate::claude::transcript::said::{Speaker, SpokenRecord, Utterance};
use crate::model::call::CallState;
use crate::model::text::one_line;
use crate::model::{Activity, Record, Timestamp};
use crate::store::archive::PartWriter;
use crate::store::{Result, clock};

/// The width of a horizontal rule, in characters.
const WIDTH: usize = 80;
/// The longest input or result of a call that is shown whole, in characters.
const MAX_SHOWN: usize = 2000;

/// Which parts of a transcript the text contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextScope {
    /// The messages of people and of the model.
    Messages,
    /// The messages, and the tool calls with their results.
    Tools,
}

/// Returns the first lines of the text, which describe the session.
pub(super) fn head(record: &Record, description: Option<&str>, now: Timestamp) -> String {
    let rule = "=".repeat(WIDTH);
    let line = |text: &str| one_line(text, usize::MAX);
    let local = |time| {
        clock::to_civil(time)
            .format("%Y-%m-%dT%H:%M:%S%.6f")
            .to_string()
    };
    let directory = record.cwd.as_deref().unwrap_or(&record.project.root);
    let mut head = format!("{rule}\nClaude Code Session Export\n");
    let fields = [
        ("Session ID", Some(record.session_id.to_string())),
        (
            "Role",
            Some(record.role.as_deref().map_or("unknown".into(), line)),
        ),
        (
            "Focus",
            Some(record.focus.as_deref().map_or("general".into(), line)),
        ),
        ("Started", Some(local(record.started_at))),
        ("Exported", Some(local(now))),
        ("Description", description.map(line)),
        ("Working Directory", Some(line(directory))),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            head += &format!("{name}: {value}\n");
        }
    }
    head + &notes(record) + &rule + "\n\n"
}

/// Returns the notes in the session's record, one a line.
fn notes(record: &Record) -> String {
    let notes = record.notes.as_ref().and_then(|notes| notes.as_array());
    let said = |note: &serde_json::Value| {
        let text = note.get("text")?.as_str()?;
        Some(format!("Note: {}\n", one_line(text, usize::MAX)))
    };
    notes.into_iter().flatten().filter_map(said).collect()
}

/// Returns the last lines of the text, with the number of messages.
pub(super) fn end(messages: u64) -> String {
    let rule = "=".repeat(WIDTH);
    format!("{rule}\nEnd of session ({messages} messages)\n{rule}")
}

/// Returns a block of the text with one speaker's words, or `None` if they are not wanted.
pub(super) fn block(said: &Utterance<'_>, wanted: TextScope) -> Option<String> {
    let who = match said.speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Notice => "notice",
        Speaker::Summary => "summary",
        Speaker::Output if wanted == TextScope::Tools => {
            return Some(headed("output", &shortened(&said.text)));
        }
        Speaker::Output => return None,
    };
    Some(headed(who, &said.text))
}

/// Returns blocks for the tool calls and results in a record.
pub(super) fn calls(told: &SpokenRecord<'_>) -> Vec<String> {
    let is_turn = told.is_turn() && !told.is_meta.is_true();
    let message: Option<Message<'_>> = told.message.get().filter(|_| is_turn);
    let blocks = message.map_or_else(Vec::new, |message| blocks(message.content));
    blocks.iter().filter_map(call).collect()
}

fn call(block: &Block<'_>) -> Option<String> {
    match block.kind.text().as_deref()? {
        "tool_use" => {
            let name = block.name.text().unwrap_or("unknown".into());
            let input = block.input.json().unwrap_or_default();
            let head = format!("tool: {}", one_line(&name, 120));
            Some(headed(&head, &shortened(input)))
        }
        "tool_result" => {
            let head = match block.is_error.is_true() {
                true => "tool error",
                false => "tool result",
            };
            Some(headed(head, &shortened(&result_of(block.content))))
        }
        _ => None,
    }
}

/// Returns the text of a tool result. Names the type of any other content, for example `[image]`.
fn result_of(content: LazyMember<'_>) -> Cow<'_, str> {
    if let Some(text) = content.text() {
        return text;
    }
    let part = |block: &Block<'_>| {
        let kind = block.kind.text()?;
        match &*kind {
            "text" => block.text.owned(),
            kind => Some(format!("[{}]", one_line(kind, 40))),
        }
    };
    let parts: Vec<String> = blocks(content).iter().filter_map(part).collect();
    parts.join("\n").into()
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.into(),
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            format!("{kept}… ({} bytes)", text.len()).into()
        }
    }
}

fn headed(who: &str, said: &str) -> String {
    format!("[{who}]\n{said}\n\n")
}

/// Appends a text to the part that `writer` writes, and counts its lines.
pub(super) fn add(writer: &mut PartWriter, text: &str) -> Result<()> {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() as u64;
    writer.write(text.as_bytes(), lines)
}

/// Returns the text for a session without a transcript: what hooks recorded about it.
pub(super) fn of_activity(activity: &Activity<'_>) -> String {
    let time = |at| clock::to_civil(at).format("%Y-%m-%d %H:%M:%S").to_string();
    let mut text = String::from(
        "[no transcript was found for this session; what follows is what hooks recorded about it]\n\n",
    );
    let mut rows: Vec<(Timestamp, String)> = Vec::new();
    for prompt in &activity.prompts {
        rows.push((prompt.at.ts, "prompt".to_owned()));
    }
    for call in &activity.calls {
        let tool = one_line(call.tool.unwrap_or("unknown"), 120);
        let mut row = format!("{tool}: {}", call.state.as_str());
        if let Some(error) = call.error.filter(|_| call.state == CallState::Failed) {
            row += &format!(" ({})", one_line(error, 120));
        }
        if let Some(duration) = call.duration() {
            row += &format!(", {} ms", duration.as_millis());
        }
        if let Some(what) = call.what {
            row += &format!(", {}", one_line(what, 200));
        }
        rows.push((call.began.ts, row));
    }
    rows.sort_by_key(|(at, _)| *at);
    for (at, row) in rows {
        text += &format!("{}  {row}\n", time(at));
    }
    text.push('\n');
    text
}
