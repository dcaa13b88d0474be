//! An archive's text, for people: who said what, below a head that says which session it was.
//!
//! The format is that of the session exports that teams have lying about: rules of 80 columns, a head of `Name: value`,
//! each message below `[user]` or `[assistant]`, and a last line that counts them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::lifecycle::transcript::line::{Block, Member, Message, blocks};
use crate::lifecycle::transcript::records;
use crate::model::call::State;
use crate::model::text::one_line;
use crate::model::{Activity, Record, Timestamp};
use crate::store::clock;

/// The width of a rule.
const WIDTH: usize = 80;
/// The longest input or result of a call that is shown whole, in characters.
const MAX_SHOWN: usize = 2000;

/// What of a transcript is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What people and the model said.
    Messages,
    /// That and the tool calls with their results.
    Tools,
}

/// The head of the text.
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

/// The notes that were taken with a session, a line each.
fn notes(record: &Record) -> String {
    let notes = record.notes.as_ref().and_then(|notes| notes.as_array());
    let said = |note: &serde_json::Value| {
        let text = note.get("text")?.as_str()?;
        Some(format!("Note: {}\n", one_line(text, usize::MAX)))
    };
    notes.into_iter().flatten().filter_map(said).collect()
}

/// The end of the text.
pub(super) fn end(messages: u64) -> String {
    let rule = "=".repeat(WIDTH);
    format!("{rule}\nEnd of session ({messages} messages)\n{rule}")
}

/// What a line says to people, read at once: a line whose message is none says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Told<'a> {
    #[serde(borrow, rename = "type")]
    kind: Member<'a>,
    #[serde(borrow)]
    is_meta: Member<'a>,
    #[serde(borrow)]
    is_sidechain: Member<'a>,
    #[serde(borrow)]
    message: Message<'a>,
}

/// Adds what a transcript's line says to `text`, and returns how many messages that were: one in each record, or none.
pub(super) fn add_message(text: &mut String, line: &str, wanted: Wanted) -> u64 {
    let mut messages = 0;
    records::read_as(line.as_bytes(), |json| {
        let told = serde_json::from_str(json);
        messages += told.as_ref().map_or(0, |told| add_told(text, told, wanted));
        told.is_ok()
    });
    messages
}

/// Adds what a record says. How many messages that were is the answer: one or none.
fn add_told(text: &mut String, line: &Told<'_>, wanted: Wanted) -> u64 {
    let who = match line.kind.text().as_deref() {
        Some("user") => "user",
        Some("assistant") => "assistant",
        _ => return 0,
    };
    // What the client told the model by itself, and what subagents of old clients said, is nobody's message.
    if line.is_meta.is_true() || line.is_sidechain.is_true() {
        return 0;
    }
    let content = line.message.content;
    // Most of a transcript is what tools were told and said.
    let is_wanted = wanted == Wanted::Tools || content.json().is_some_and(may_have_text);
    let blocks = match is_wanted {
        true => blocks(content),
        false => Vec::new(),
    };
    let said = said(content, &blocks);
    if !said.is_empty() {
        add(text, who, &said);
    }
    if wanted == Wanted::Tools {
        blocks.iter().for_each(|block| add_call(text, block));
    }
    u64::from(!said.is_empty())
}

/// Whether a content may have a block of text.
fn may_have_text(content: &str) -> bool {
    memchr::memmem::find(content.as_bytes(), b"\"text\"").is_some()
}

/// The text of a message: itself, or its blocks of text, a line each.
fn said<'a>(content: Member<'a>, blocks: &[Block<'a>]) -> Cow<'a, str> {
    if let Some(text) = content.text() {
        return text;
    }
    let is_text = |block: &&Block<'a>| block.kind.text().as_deref() == Some("text");
    let texts: Vec<Cow<'a, str>> = blocks
        .iter()
        .filter(is_text)
        .filter_map(|block| block.text.text())
        .collect();
    texts.join("\n").into()
}

fn add_call(text: &mut String, block: &Block<'_>) {
    match block.kind.text().as_deref() {
        Some("tool_use") => {
            let name = block.name.text().unwrap_or("unknown".into());
            let input = block.input.json().unwrap_or_default();
            add(
                text,
                &format!("tool: {}", one_line(&name, 120)),
                &shortened(input),
            );
        }
        Some("tool_result") => {
            let who = match block.is_error.is_true() {
                true => "tool error",
                false => "tool result",
            };
            let parts = blocks(block.content);
            let result = said(block.content, &parts);
            add(text, who, &shortened(&result));
        }
        _ => {}
    }
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

fn add(text: &mut String, who: &str, said: &str) {
    for part in ["[", who, "]\n", said, "\n\n"] {
        text.push_str(part);
    }
}

/// What stands in the place of messages where there is no transcript: what hooks have recorded.
pub(super) fn of_activity(activity: &Activity<'_>) -> String {
    let time = |at| clock::to_civil(at).format("%Y-%m-%d %H:%M:%S").to_string();
    let mut text = String::from(
        "[no transcript was found of this session; what follows is what was recorded of it]\n\n",
    );
    let mut rows: Vec<(Timestamp, String)> = Vec::new();
    for prompt in &activity.prompts {
        rows.push((prompt.at.ts, "prompt".to_owned()));
    }
    for call in &activity.calls {
        let tool = one_line(call.tool.unwrap_or("unknown"), 120);
        let mut row = format!("{tool}: {}", call.state.as_str());
        if let Some(error) = call.error.filter(|_| call.state == State::Failed) {
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
