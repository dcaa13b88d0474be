//! What a record of a transcript says to people, and who says it.
//!
//! The client writes much in the user's name: the output of commands, notices, summaries, reminders to the model. And much
//! that a person typed stands elsewhere than in a message: in an attachment, in the queue of messages that were typed while
//! the model worked, in the result of a call that was refused. [`wrapping`] knows the client's own words, this file the
//! records.

pub mod wrapping;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::line::{Block, MADE_UP, Member, Message, blocks};
use wrapping::Piece;

/// How the result of a call begins that the user refused.
const REFUSALS: [&str; 2] = [
    "The user doesn't want to proceed with this tool use.",
    "Permission for this tool use was denied.",
];
/// What stands before the words with which the user refused it.
const REFUSED_WITH: [&str; 2] = [
    "the user said:",
    "The user provided the following reason for the rejection:",
];
/// What the client adds behind them.
const REFUSAL_NOTE: &str = "\n\nNote: The user's next message may contain";
/// How the client sums up the questions that a person did not answer but wants to talk about.
const CLARIFIED: &str = "The user wants to clarify these questions.";
const ANSWERED: &str = "User has answered your questions:";
/// What stands before a plan that the user changed.
const CHANGED_PLAN: &str = "## Approved Plan (edited by user):\n";
/// What the client puts in the place of an answer without text, because the API wants one.
const NO_CONTENT: &str = "(no content)";

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A person.
    User,
    /// The model.
    Assistant,
    /// The client: an interruption, an error, the end of a task in the background.
    Notice,
    /// The client, in the place of the messages before a compaction.
    Summary,
    /// A command that a person started.
    Output,
}

impl Speaker {
    /// Whether what it says is a message of the conversation.
    pub fn is_heard(self) -> bool {
        matches!(self, Self::User | Self::Assistant)
    }
}

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<'a> {
    /// Who says it.
    pub speaker: Speaker,
    /// The words, without what the client wraps around them.
    pub text: Cow<'a, str>,
}

/// What happens to a message that was typed while the model worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// It waits.
    Added,
    /// The first one becomes a message of its own.
    Taken,
    /// It was told to the model while that worked.
    Absorbed,
    /// All go back to where they were typed.
    Withdrawn,
}

/// A record, read for what it says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the client's")]
pub struct Told<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Member<'a>,
    #[serde(borrow)]
    pub subtype: Member<'a>,
    #[serde(borrow)]
    pub uuid: Member<'a>,
    #[serde(borrow, deserialize_with = "written")]
    pub parent_uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub logical_parent_uuid: Member<'a>,
    #[serde(borrow)]
    pub timestamp: Member<'a>,
    #[serde(borrow)]
    pub is_meta: Member<'a>,
    #[serde(borrow)]
    pub is_sidechain: Member<'a>,
    #[serde(borrow)]
    pub is_compact_summary: Member<'a>,
    #[serde(borrow)]
    pub is_visible_in_transcript_only: Member<'a>,
    #[serde(borrow)]
    pub is_api_error_message: Member<'a>,
    #[serde(borrow)]
    pub origin: Member<'a>,
    #[serde(borrow, rename = "sourceToolUseID")]
    pub source_tool_use_id: Member<'a>,
    #[serde(borrow)]
    pub tool_use_result: Member<'a>,
    #[serde(borrow)]
    pub message: Member<'a>,
    #[serde(borrow)]
    pub attachment: Member<'a>,
    #[serde(borrow)]
    pub operation: Member<'a>,
    #[serde(borrow)]
    pub reason: Member<'a>,
    #[serde(borrow)]
    pub content: Member<'a>,
}

/// A member that may be null: a first record says so of its parent, and others do not speak of one.
fn written<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(json).map(Some)
}

/// Where a message came from: its `origin`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Origin<'a> {
    #[serde(borrow)]
    kind: Member<'a>,
}

/// What the client attaches to a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attachment<'a> {
    #[serde(borrow, rename = "type")]
    kind: Member<'a>,
    #[serde(borrow)]
    prompt: Member<'a>,
    #[serde(borrow)]
    command_mode: Member<'a>,
    #[serde(borrow)]
    origin: Member<'a>,
    #[serde(borrow)]
    is_meta: Member<'a>,
}

/// What a line says of the answers to questions: its `toolUseResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answers<'a> {
    #[serde(borrow)]
    questions: Member<'a>,
    #[serde(borrow)]
    answers: Member<'a>,
    #[serde(borrow)]
    annotations: Member<'a>,
}

/// What was noted beside an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotation<'a> {
    #[serde(borrow)]
    notes: Member<'a>,
}

impl<'a> Told<'a> {
    /// Whether it is a record of the main conversation, and not a subagent's in an old client's transcript.
    pub fn is_main(&self) -> bool {
        !self.is_sidechain.is_true()
    }

    /// Whether it is a message or the result of a call.
    pub fn is_turn(&self) -> bool {
        let kind = self.kind.text();
        self.is_main() && matches!(kind.as_deref(), Some("user" | "assistant"))
    }

    /// Whether it tells the model the results of calls.
    pub fn is_result(&self) -> bool {
        let message: Message<'_> = self.message.get().unwrap_or_default();
        let json = message.content.json().unwrap_or_default();
        let may_have = memchr::memmem::find(json.as_bytes(), b"\"tool_result\"").is_some();
        may_have
            && blocks(message.content)
                .iter()
                .any(|block| is(block, "tool_result"))
    }

    /// The record that it follows, and whether it says that it is a first one. The records before a compaction are still
    /// those that it follows.
    pub fn parent(&self) -> (Option<Cow<'a, str>>, bool) {
        let json = self.parent_uuid.map(RawValue::get);
        let parent = json.and_then(|json| serde_json::from_str::<Cow<'a, str>>(json).ok());
        match parent.or_else(|| self.logical_parent_uuid.text()) {
            Some(parent) => (Some(parent), false),
            None => (None, json == Some("null")),
        }
    }

    /// What it says, in the order in which it is said.
    pub fn said(&self) -> Vec<Said<'a>> {
        if !self.is_main() {
            return Vec::new();
        }
        match self.kind.text().as_deref() {
            Some("user") if self.is_meta.is_true() => Vec::new(),
            Some("user") => self.by_user(),
            Some("assistant") => self.by_model(),
            Some("attachment") => self.attached().unwrap_or_default(),
            Some("system") => self.by_system(),
            _ => Vec::new(),
        }
    }

    /// Of a record of the queue of messages: what happens, and to which message, if a person typed it.
    pub fn queued(&self) -> Option<(Queued, Option<Said<'a>>)> {
        if self.kind.text().as_deref() != Some("queue-operation") {
            return None;
        }
        let operation = match self.operation.text().as_deref()? {
            "enqueue" => Queued::Added,
            "dequeue" => Queued::Taken,
            // Clients before 2.1.246 give no reason. Any other is none for which the model would have been told.
            "remove"
                if matches!(
                    self.reason.text().as_deref(),
                    None | Some("absorbed_mid_turn")
                ) =>
            {
                Queued::Absorbed
            }
            "remove" => Queued::Taken,
            "popAll" => Queued::Withdrawn,
            _ => return None,
        };
        let said = self.typed(self.content, None);
        let typed = said.into_iter().find(|said| said.speaker == Speaker::User);
        Some((operation, typed))
    }

    fn by_user(&self) -> Vec<Said<'a>> {
        let message: Message<'a> = self.message.get().unwrap_or_default();
        let content = message.content;
        if self.is_compact_summary.is_true() {
            return saying(Speaker::Summary, plain_text(content));
        }
        if self.is_visible_in_transcript_only.is_true() {
            return saying(Speaker::Notice, plain_text(content));
        }
        let blocks = blocks(content);
        let results: Vec<&Block<'a>> = blocks
            .iter()
            .filter(|block| is(block, "tool_result"))
            .collect();
        if results.is_empty() {
            // A skill or a command that the model called for is no person's.
            let is_called = self.source_tool_use_id.json().is_some();
            let speaker = (is_called || is_from_elsewhere(self.origin)).then_some(Speaker::Notice);
            return self.typed(content, speaker);
        }
        let mut all = Vec::new();
        for result in &results {
            let details = match results.len() {
                1 => self.tool_use_result,
                _ => Member::default(),
            };
            all.extend(words_in(result, details));
        }
        let texts = blocks.iter().filter(|block| is(block, "text"));
        for text in texts.filter_map(|block| block.text.text()) {
            all.extend(unwrapped(&text));
        }
        all
    }

    /// What a content says that a person may have typed; by the `speaker`, where it is known who says it.
    fn typed(&self, content: Member<'a>, speaker: Option<Speaker>) -> Vec<Said<'a>> {
        if let Some(speaker) = speaker {
            let text = plain_text(content);
            let mut said = unwrapped(&text);
            let typed = said.iter_mut().filter(|said| said.speaker == Speaker::User);
            typed.for_each(|said| said.speaker = speaker);
            return said;
        }
        if let Some(text) = content.text() {
            return match wrapping::is_plain(&text) {
                true => saying(Speaker::User, text),
                false => unwrapped(&text),
            };
        }
        let mut all: Vec<Said<'a>> = Vec::new();
        for block in blocks(content) {
            let said = match block.kind.text().as_deref() {
                Some("text") => block.text.text().map(|text| unwrapped(&text)),
                Some(kind @ ("image" | "document")) => {
                    Some(saying(Speaker::User, format!("[{kind}]").into()))
                }
                _ => None,
            };
            // The blocks of one message are one, a line each.
            for said in said.into_iter().flatten() {
                match all.last_mut().filter(|last| last.speaker == said.speaker) {
                    Some(last) => {
                        let text = last.text.to_mut();
                        text.push('\n');
                        text.push_str(&said.text);
                    }
                    None => all.push(said),
                }
            }
        }
        all
    }

    fn by_model(&self) -> Vec<Said<'a>> {
        let message: Message<'a> = self.message.get().unwrap_or_default();
        let is_made_up =
            self.is_api_error_message.is_true() || message.model.text().as_deref() == Some(MADE_UP);
        let speaker = match is_made_up {
            true => Speaker::Notice,
            false => Speaker::Assistant,
        };
        let mut said = saying(speaker, plain_text(message.content));
        said.retain(|said| said.text != NO_CONTENT);
        said
    }

    /// What a person typed while the model worked.
    fn attached(&self) -> Option<Vec<Said<'a>>> {
        let attachment: Attachment<'a> = self.attachment.get()?;
        if attachment.kind.text().as_deref() != Some("queued_command")
            || attachment.is_meta.is_true()
        {
            return None;
        }
        let mode = attachment.command_mode.text();
        let is_other = is_from_elsewhere(attachment.origin) || is_from_elsewhere(self.origin);
        let is_notice = is_other || mode.as_deref() == Some("task-notification");
        let mut said = self.typed(attachment.prompt, is_notice.then_some(Speaker::Notice));
        if mode.as_deref() == Some("bash") {
            for said in said.iter_mut().filter(|said| said.speaker == Speaker::User) {
                said.text = format!("! {}", said.text).into();
            }
        }
        Some(said)
    }

    /// Newer clients note a command that runs in the client itself as the system's.
    fn by_system(&self) -> Vec<Said<'a>> {
        match self.subtype.text().as_deref() {
            Some("local_command") => self
                .content
                .text()
                .map_or_else(Vec::new, |text| unwrapped(&text)),
            _ => Vec::new(),
        }
    }
}

fn is(block: &Block<'_>, kind: &str) -> bool {
    block.kind.text().as_deref() == Some(kind)
}

/// Whether the client says that somebody else than the person at it says so: a task, another session, a channel.
fn is_from_elsewhere(origin: Member<'_>) -> bool {
    let origin: Option<Origin<'_>> = origin.get();
    let kind = origin.and_then(|origin| origin.kind.owned());
    kind.is_some_and(|kind| kind != "human")
}

fn saying(speaker: Speaker, text: Cow<'_, str>) -> Vec<Said<'_>> {
    match text.trim().is_empty() {
        true => Vec::new(),
        false => vec![Said { speaker, text }],
    }
}

/// The text of a message: itself, or its blocks of text, a line each.
pub fn plain_text(content: Member<'_>) -> Cow<'_, str> {
    if let Some(text) = content.text() {
        return text;
    }
    // Most contents are of tools.
    if !content.json().is_some_and(may_have_text) {
        return Cow::default();
    }
    let blocks = blocks(content);
    let texts = blocks.iter().filter(|block| is(block, "text"));
    let texts: Vec<Cow<'_, str>> = texts.filter_map(|block| block.text.text()).collect();
    texts.join("\n").into()
}

/// Whether a content may have a block of text.
fn may_have_text(content: &str) -> bool {
    memchr::memmem::find(content.as_bytes(), b"\"text\"").is_some()
}

/// What a text says in which the client may have wrapped words, its own or a person's.
fn unwrapped(text: &str) -> Vec<Said<'static>> {
    let said = |piece: Piece| {
        let (speaker, text) = match piece {
            Piece::Typed(text) => (Speaker::User, text),
            Piece::Output(text) => (Speaker::Output, text),
            Piece::Notice(text) => (Speaker::Notice, text),
            Piece::Summary(text) => (Speaker::Summary, text),
        };
        saying(speaker, text.into())
    };
    wrapping::pieces(text).into_iter().flat_map(said).collect()
}

/// What a person said in the result of a call: while it was refused, as the answer to a question, in a plan.
fn words_in<'a>(result: &Block<'a>, details: Member<'a>) -> Vec<Said<'a>> {
    if let Some(answers) = answers(details) {
        return saying(Speaker::User, answers.into());
    }
    // Most results are long, and of tools.
    let json = result.content.json().unwrap_or_default();
    let may_have = |words: &str| memchr::memmem::find(json.as_bytes(), words.as_bytes()).is_some();
    if !result.is_error.is_true() && !may_have("User has a") {
        return Vec::new();
    }
    let text = plain_text(result.content);
    let said = refused(result, &text)
        .or_else(|| answered(&text).map(str::to_owned))
        .or_else(|| changed_plan(&text).map(str::to_owned));
    saying(Speaker::User, said.unwrap_or_default().into())
}

/// The answers in a result that has them only as a text.
fn answered(text: &str) -> Option<&str> {
    let answers = text.strip_prefix(ANSWERED)?;
    let (answers, _) = answers
        .rsplit_once(". You can now continue")
        .unwrap_or((answers, ""));
    Some(answers.trim())
}

/// The plan, where the user changed it.
fn changed_plan(text: &str) -> Option<&str> {
    let approved = Some(text).filter(|text| text.starts_with("User has approved"));
    Some(approved?.split_once(CHANGED_PLAN)?.1)
}

fn refused(result: &Block<'_>, text: &str) -> Option<String> {
    let text = text.trim_start().trim_start_matches("<tool_use_error>");
    let text = text.trim_start_matches("Error: ");
    if !result.is_error.is_true() || !REFUSALS.iter().any(|begin| text.starts_with(begin)) {
        return None;
    }
    let said = REFUSED_WITH
        .iter()
        .find_map(|before| Some(text.split_once(before)?.1))?;
    let said = said.split(REFUSAL_NOTE).next()?;
    let said = said.trim().trim_end_matches("</tool_use_error>").trim();
    if !said.starts_with(CLARIFIED) {
        return Some(said.to_owned());
    }
    let answers = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Answer: "));
    Some(answers.collect::<Vec<_>>().join("\n"))
}

/// The answers to questions that the model asked, each behind its question.
fn answers(details: Member<'_>) -> Option<String> {
    let json = details.json()?.as_bytes();
    memchr::memmem::find(json, b"\"answers\"")?;
    let told: Answers<'_> = details.get()?;
    told.questions.json()?;
    let answers: BTreeMap<String, Member<'_>> = told.answers.get()?;
    let notes: BTreeMap<String, Annotation<'_>> = told.annotations.get().unwrap_or_default();
    let line = |(question, answer): (&String, &Member<'_>)| {
        let several = || Some(answer.get::<Vec<String>>()?.join(", "));
        let answer = answer.owned().or_else(several).unwrap_or_default();
        let note = notes.get(question).and_then(|noted| noted.notes.owned());
        let note = note.map_or_else(String::new, |note| format!(" ({note})"));
        format!("{question} {answer}{note}")
    };
    Some(answers.iter().map(line).collect::<Vec<_>>().join("\n"))
}
