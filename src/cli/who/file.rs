//! Finds the sessions that edited a file, by the labels of their calls.

use std::cmp::Reverse;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::commit_search::{CallWords, PromptWords};
use super::super::gather::{Count, GatheredSession, SessionSelection, gather};
use super::super::output;
use super::super::status::Status;
use super::super::table::TextTable;
use super::{SessionWords, WhoArgs, WhoQuestion};
use crate::model::call::CallState;
use crate::model::label::label;
use crate::model::redact::Redactor;
use crate::model::{Call, Record, Timestamp};
use crate::store::{clock, project, shown};

/// The tools that edit a file, each labelled with its path.
const TOOLS: [&str; 4] = ["Edit", "Write", "MultiEdit", "NotebookEdit"];

/// A session that edited the file.
struct Editor {
    record: Record,
    /// The session's edits of the file, the last one first.
    edits: Vec<FileEdit>,
}

struct FileEdit {
    call: CallWords,
    at: Timestamp,
    prompt: Option<PromptWords>,
}

/// Prints which sessions edited the file. Returns `None` if none did.
pub(super) fn answer(
    question: &WhoQuestion<'_>,
    args: &WhoArgs,
    path: &Path,
) -> Result<Option<Status>> {
    let paths = project::whole_paths(path)?;
    let labels: Vec<String> = paths.iter().filter_map(|path| label_of(path)).collect();
    let judge = question.context.judge(question.config, question.state);
    let counting = || EditCounter {
        labels: &labels,
        found: Vec::new(),
    };
    let gathered = gather(&judge, &SessionSelection::All, counting)?;
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let mut found = gathered.counts.found;
    if found.is_empty() {
        return Ok(None);
    }
    let last = |editor: &Editor| editor.edits.first().map(|edit| edit.at);
    found.sort_by_cached_key(|it| (Reverse(last(it)), it.record.session_id.clone()));
    let mut editors: Vec<(SessionWords, Editor)> = Vec::new();
    for mut editor in found {
        for edit in &mut editor.edits {
            if let Some(prompt) = &mut edit.prompt {
                prompt.what = question.label(prompt.what.take());
            }
        }
        editors.push((question.words(&editor.record), editor));
    }
    if args.json {
        let whole = paths.first().map(|path| path.to_string_lossy());
        let sessions: Vec<Value> = editors.iter().map(as_json).collect();
        output::json(&json!({"v": 1, "file": whole, "sessions": sessions}));
    } else {
        let drawn = !args.screen.screen().is_plain;
        args.screen.print(&as_text(path, &editors), drawn);
    }
    Ok(Some(Status::Done))
}

/// Returns the label that a call has if it edited this file.
fn label_of(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    let input = |key: &str| (key == "file_path").then_some(path);
    label(input, &mut Redactor::default())
}

struct EditCounter<'a> {
    labels: &'a [String],
    found: Vec<Editor>,
}

impl Count for EditCounter<'_> {
    const WITH_LABELS: bool = true;

    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let is_edit = |call: &&Call<'_>| {
            let has_failed = matches!(call.state, CallState::Failed | CallState::Denied);
            call.tool.is_some_and(|tool| TOOLS.contains(&tool))
                && call
                    .what
                    .is_some_and(|what| self.labels.iter().any(|it| it == what))
                && !has_failed
        };
        let calls = session.activity.calls.iter().filter(is_edit);
        let mut edits: Vec<FileEdit> = calls
            .map(|call| FileEdit {
                call: CallWords::from(call),
                at: call.ended.unwrap_or(call.began).ts,
                prompt: PromptWords::of(&session.activity, call, call.began.ts),
            })
            .collect();
        if !edits.is_empty() {
            edits.reverse();
            self.found.push(Editor {
                record: session.record.clone(),
                edits,
            });
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.found.extend(other.found);
    }
}

fn as_json((words, editor): &(SessionWords, Editor)) -> Value {
    let edits = editor
        .edits
        .iter()
        .map(|edit| json!({"at": edit.at, "call": edit.call, "prompt": edit.prompt}));
    words.with(json!({"edits": edits.collect::<Vec<_>>()}))
}

fn as_text(path: &Path, editors: &[(SessionWords, Editor)]) -> String {
    let mut facts = TextTable::new(&["FILE", &shown(path)]);
    for (words, editor) in editors {
        let mut fact = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                facts.row([name.to_owned(), value]);
            }
        };
        fact("session", Some(words.session_id.to_string()));
        fact("title", Some(words.title()));
        fact("project", Some(words.project.name.clone()));
        fact("edits", Some(editor.edits.len().to_string()));
        let last = editor.edits.first();
        let call = last.map(|edit| {
            let tool = edit.call.tool.clone().unwrap_or_default();
            format!("{} {tool}", clock::local_text(edit.at))
        });
        fact("last", call);
        fact("subagent", last.and_then(|edit| edit.call.agent_id.clone()));
        let prompt = last.and_then(|edit| edit.prompt.as_ref());
        fact("prompt", prompt.and_then(|prompt| prompt.what.clone()));
    }
    facts.to_string()
}
