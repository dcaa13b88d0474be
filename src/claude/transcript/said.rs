//! Extracts the messages from a record of a transcript, and who said them.
//!
//! Claude Code writes much in the user's name: the output of commands, notices, summaries,
//! reminders to the model. On the other hand, some of what a person typed is not in a message. It
//! is in an attachment, in the queue of messages typed while the model worked, or in the result of
//! a refused call. [`wrapping`] recognises Claude Code's own texts; this file knows the types of
//! records.

pub mod wrapping;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::line::{Block, LazyMember, MADE_UP, Message, blocks};
use super::records;
use wrapping::TextPiece;

/// How the result of a call begins if the user refused it.
const REFUSALS: [&str; 2] = [
    "The user doesn't want to proceed with this tool use.",
    "Permission for this tool use was denied.",
];
/// The text before the user's words in a refusal.
const REFUSED_WITH: [&str; 2] = [
    "the user said:",
    "The user provided the following reason for the rejection:",
];
/// The text that Claude Code adds after the user's words.
const REFUSAL_NOTE: &str = "\n\nNote: The user's next message may contain";
/// How Claude Code introduces questions that a person wants to discuss instead of answering.
const CLARIFIED: &str = "The user wants to clarify these questions.";
/// How a result that has a person's answers only as text begins.
const ANSWERED: [&str; 3] = [
    "User has answered your questions:",
    "Your questions have been answered:",
    "The user answered:",
];
/// What follows such answers.
const BEHIND_ANSWERS: [&str; 2] = [". You can now continue", ". Read the answers carefully"];
/// How the result of a plan that the user approved begins.
const APPROVED: &str = "User has approved";
/// The text before a plan that the user changed.
const CHANGED_PLAN: &str = "## Approved Plan (edited by user):\n";
/// Claude Code's placeholder for an answer without text, because the API requires one.
const NO_CONTENT: &str = "(no content)";

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A person.
    User,
    /// The model.
    Assistant,
    /// Claude Code: an interruption, an error, the end of a background task.
    Notice,
    /// Claude Code: the summary that replaces the messages before a compaction.
    Summary,
    /// A command that a person started: its output.
    Output,
}

impl Speaker {
    /// Returns true for the two sides of the conversation, the user and the model.
    pub fn is_heard(self) -> bool {
        matches!(self, Self::User | Self::Assistant)
    }
}

/// A message and its speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance<'a> {
    /// The author of the message.
    pub speaker: Speaker,
    /// The words, without the text that Claude Code put around them.
    pub text: Cow<'a, str>,
}

/// What happens to Claude Code's queue of messages that are typed while the model works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueEvent {
    /// A message joins the queue.
    Added,
    /// A message leaves the queue and becomes a separate prompt.
    Taken,
    /// A message leaves the queue because the model received it while it worked.
    Absorbed,
    /// All messages leave the queue and return to the input field.
    Withdrawn,
}

/// A record, decoded for the messages in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Claude Code's")]
pub struct SpokenRecord<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: LazyMember<'a>,
    #[serde(borrow)]
    pub subtype: LazyMember<'a>,
    #[serde(borrow)]
    pub uuid: LazyMember<'a>,
    #[serde(borrow, deserialize_with = "written")]
    pub parent_uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub logical_parent_uuid: LazyMember<'a>,
    #[serde(borrow)]
    pub timestamp: LazyMember<'a>,
    #[serde(borrow)]
    pub cwd: LazyMember<'a>,
    #[serde(borrow)]
    pub is_meta: LazyMember<'a>,
    #[serde(borrow)]
    pub is_sidechain: LazyMember<'a>,
    #[serde(borrow)]
    pub is_compact_summary: LazyMember<'a>,
    #[serde(borrow)]
    pub is_visible_in_transcript_only: LazyMember<'a>,
    #[serde(borrow)]
    pub is_api_error_message: LazyMember<'a>,
    #[serde(borrow)]
    pub origin: LazyMember<'a>,
    #[serde(borrow, rename = "sourceToolUseID")]
    pub source_tool_use_id: LazyMember<'a>,
    #[serde(borrow)]
    pub tool_use_result: LazyMember<'a>,
    #[serde(borrow)]
    pub message: LazyMember<'a>,
    #[serde(borrow)]
    pub attachment: LazyMember<'a>,
    #[serde(borrow)]
    pub operation: LazyMember<'a>,
    #[serde(borrow)]
    pub reason: LazyMember<'a>,
    #[serde(borrow)]
    pub content: LazyMember<'a>,
}

/// Decodes a member so that null differs from absent. The first record of a conversation has a null
/// parent; some other records have no such member.
fn written<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(json).map(Some)
}

/// Where a message came from: the member `origin` of a transcript's record or attachment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MessageOrigin<'a> {
    #[serde(borrow)]
    kind: LazyMember<'a>,
}

/// Something that Claude Code attaches to a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MessageAttachment<'a> {
    #[serde(borrow, rename = "type")]
    kind: LazyMember<'a>,
    #[serde(borrow)]
    prompt: LazyMember<'a>,
    #[serde(borrow)]
    command_mode: LazyMember<'a>,
    #[serde(borrow)]
    origin: LazyMember<'a>,
    #[serde(borrow)]
    is_meta: LazyMember<'a>,
}

/// The answers to questions: a record's `toolUseResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answers<'a> {
    #[serde(borrow)]
    questions: LazyMember<'a>,
    #[serde(borrow)]
    answers: LazyMember<'a>,
    #[serde(borrow)]
    annotations: LazyMember<'a>,
}

/// What a person added to an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotation<'a> {
    #[serde(borrow)]
    notes: LazyMember<'a>,
}

impl<'a> SpokenRecord<'a> {
    /// Returns true if the record belongs to the main conversation, and not to a subagent in an old
    /// version's transcript.
    pub fn is_main(&self) -> bool {
        !self.is_sidechain.is_true()
    }

    /// Returns true if the record is a message or the result of a call.
    pub fn is_turn(&self) -> bool {
        let kind = self.kind.text();
        self.is_main() && matches!(kind.as_deref(), Some("user" | "assistant"))
    }

    /// Returns true if the record passes the results of calls to the model.
    pub fn is_result(&self) -> bool {
        let message: Message<'_> = self.message.get().unwrap_or_default();
        let json = message.content.json().unwrap_or_default();
        let may_have = memchr::memmem::find(json.as_bytes(), b"\"tool_result\"").is_some();
        may_have
            && blocks(message.content)
                .iter()
                .any(|block| is(block, "tool_result"))
    }

    /// Returns the id of the preceding record, and whether the record says that there is none.
    /// After a compaction, the preceding record is the one before the compaction.
    pub fn parent(&self) -> (Option<Cow<'a, str>>, bool) {
        let json = self.parent_uuid.map(RawValue::get);
        let parent = json.and_then(|json| serde_json::from_str::<Cow<'a, str>>(json).ok());
        match parent.or_else(|| self.logical_parent_uuid.text()) {
            Some(parent) => (Some(parent), false),
            None => (None, json == Some("null")),
        }
    }

    /// Returns the messages in the record, in their order.
    pub fn said(&self) -> Vec<Utterance<'a>> {
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

    /// Decodes a queue record: what happens to the queue, and the message if a person typed it.
    pub fn queued(&self) -> Option<(QueueEvent, Option<Utterance<'a>>)> {
        if self.kind.text().as_deref() != Some("queue-operation") {
            return None;
        }
        let operation = match self.operation.text().as_deref()? {
            "enqueue" => QueueEvent::Added,
            "dequeue" => QueueEvent::Taken,
            // Versions before 2.1.246 give no reason. Any other reason means that the model did not
            // get the message while it worked.
            "remove"
                if matches!(
                    self.reason.text().as_deref(),
                    None | Some("absorbed_mid_turn")
                ) =>
            {
                QueueEvent::Absorbed
            }
            "remove" => QueueEvent::Taken,
            "popAll" => QueueEvent::Withdrawn,
            _ => return None,
        };
        let said = self.typed(self.content, None);
        let typed = said.into_iter().find(|said| said.speaker == Speaker::User);
        Some((operation, typed))
    }

    fn by_user(&self) -> Vec<Utterance<'a>> {
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
            // The model called this skill or command, so no person typed the text.
            let is_called = self.source_tool_use_id.json().is_some();
            let speaker = (is_called || is_from_elsewhere(self.origin)).then_some(Speaker::Notice);
            return self.typed(content, speaker);
        }
        let mut all = Vec::new();
        for result in &results {
            let details = match results.len() {
                1 => self.tool_use_result,
                _ => LazyMember::default(),
            };
            all.extend(words_in(result, details));
        }
        let texts = blocks.iter().filter(|block| is(block, "text"));
        for text in texts.filter_map(|block| block.text.text()) {
            all.extend(unwrapped(&text));
        }
        all
    }

    /// Returns the messages in content that a person may have typed. `speaker`, if given, takes the
    /// person's place.
    fn typed(&self, content: LazyMember<'a>, speaker: Option<Speaker>) -> Vec<Utterance<'a>> {
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
        let mut all: Vec<Utterance<'a>> = Vec::new();
        for block in blocks(content) {
            let said = match block.kind.text().as_deref() {
                Some("text") => block.text.text().map(|text| unwrapped(&text)),
                Some(kind @ ("image" | "document")) => {
                    Some(saying(Speaker::User, format!("[{kind}]").into()))
                }
                _ => None,
            };
            // The blocks of one message are joined, a line each.
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

    fn by_model(&self) -> Vec<Utterance<'a>> {
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

    /// Returns what a person typed while the model worked.
    fn attached(&self) -> Option<Vec<Utterance<'a>>> {
        let attachment: MessageAttachment<'a> = self.attachment.get()?;
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

    /// Returns the messages in a record of type `system`. Newer versions of Claude Code record the
    /// commands that they run themselves this way.
    fn by_system(&self) -> Vec<Utterance<'a>> {
        match self.subtype.text().as_deref() {
            Some("local_command") => self
                .content
                .text()
                .map_or_else(Vec::new, |text| unwrapped(&text)),
            _ => Vec::new(),
        }
    }
}

/// Passes each record of a line to `record`, whatever surrounds it.
pub fn each_record(line: &[u8], mut record: impl FnMut(&SpokenRecord<'_>)) {
    if line.is_empty() {
        return;
    }
    records::read_as(line, |json| match serde_json::from_str(json) {
        Ok(told) => {
            record(&told);
            true
        }
        Err(_) => false,
    });
}

fn is(block: &Block<'_>, kind: &str) -> bool {
    block.kind.text().as_deref() == Some(kind)
}

/// Returns true if Claude Code names a source other than the user: a task, another session, a
/// channel.
fn is_from_elsewhere(origin: LazyMember<'_>) -> bool {
    let origin: Option<MessageOrigin<'_>> = origin.get();
    let kind = origin.and_then(|origin| origin.kind.owned());
    kind.is_some_and(|kind| kind != "human")
}

fn saying(speaker: Speaker, text: Cow<'_, str>) -> Vec<Utterance<'_>> {
    match text.trim().is_empty() {
        true => Vec::new(),
        false => vec![Utterance { speaker, text }],
    }
}

/// Returns the text of a message: the content itself, or its blocks of text, one a line.
pub fn plain_text(content: LazyMember<'_>) -> Cow<'_, str> {
    if let Some(text) = content.text() {
        return text;
    }
    // Skip the decoding if there is no text: most content comes from tools.
    if !content.json().is_some_and(may_have_text) {
        return Cow::default();
    }
    let blocks = blocks(content);
    let texts = blocks.iter().filter(|block| is(block, "text"));
    let texts: Vec<Cow<'_, str>> = texts.filter_map(|block| block.text.text()).collect();
    texts.join("\n").into()
}

/// Returns true if content may have a block of text.
fn may_have_text(content: &str) -> bool {
    memchr::memmem::find(content.as_bytes(), b"\"text\"").is_some()
}

/// Splits a text into the words of a person and those that Claude Code put around them.
fn unwrapped(text: &str) -> Vec<Utterance<'static>> {
    let said = |piece: TextPiece| {
        let (speaker, text) = match piece {
            TextPiece::Typed(text) => (Speaker::User, text),
            TextPiece::Output(text) => (Speaker::Output, text),
            TextPiece::Notice(text) => (Speaker::Notice, text),
            TextPiece::Summary(text) => (Speaker::Summary, text),
        };
        saying(speaker, text.into())
    };
    wrapping::pieces(text).into_iter().flat_map(said).collect()
}

/// Returns what a person said in the result of a call: in a refusal, in the answer to a question,
/// or in a plan.
fn words_in<'a>(result: &Block<'a>, details: LazyMember<'a>) -> Vec<Utterance<'a>> {
    if let Some(answers) = answers(details) {
        return saying(Speaker::User, answers.into());
    }
    // Search for the beginning first: most results are long and come from tools.
    let json = result.content.json().unwrap_or_default();
    let may_have = |words: &str| memchr::memmem::find(json.as_bytes(), words.as_bytes()).is_some();
    let may_answer = || ANSWERED.iter().any(|begin| may_have(begin));
    if !result.is_error.is_true() && !may_answer() && !may_have(APPROVED) {
        return Vec::new();
    }
    let text = plain_text(result.content);
    let said = refused(result, &text)
        .or_else(|| answered(&text).map(str::to_owned))
        .or_else(|| changed_plan(&text).map(str::to_owned));
    saying(Speaker::User, said.unwrap_or_default().into())
}

/// Returns the answers from a result that has them only as text.
fn answered(text: &str) -> Option<&str> {
    let answers = ANSWERED.iter().find_map(|begin| text.strip_prefix(begin))?;
    let end = BEHIND_ANSWERS.iter().find_map(|end| answers.rfind(end));
    let answers = end.and_then(|end| answers.get(..end)).unwrap_or(answers);
    Some(answers.trim())
}

/// Returns the plan, if the user changed it.
fn changed_plan(text: &str) -> Option<&str> {
    let approved = Some(text).filter(|text| text.starts_with(APPROVED));
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

/// Returns the answers to the model's questions, each after its question.
fn answers(details: LazyMember<'_>) -> Option<String> {
    let json = details.json()?.as_bytes();
    memchr::memmem::find(json, b"\"answers\"")?;
    let told: Answers<'_> = details.get()?;
    told.questions.json()?;
    let answers: BTreeMap<String, LazyMember<'_>> = told.answers.get()?;
    let notes: BTreeMap<String, Annotation<'_>> = told.annotations.get().unwrap_or_default();
    let line = |(question, answer): (&String, &LazyMember<'_>)| {
        let several = || Some(answer.get::<Vec<String>>()?.join(", "));
        let answer = answer.owned().or_else(several).unwrap_or_default();
        let note = notes.get(question).and_then(|noted| noted.notes.owned());
        let note = note.map_or_else(String::new, |note| format!(" ({note})"));
        format!("{question} {answer}{note}")
    };
    Some(answers.iter().map(line).collect::<Vec<_>>().join("\n"))
}
