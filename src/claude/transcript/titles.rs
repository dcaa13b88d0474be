//! Finds the possible titles of a session in its transcript: the one that a person gave, the one
//! that Claude Code made up, and the first prompt.

use std::collections::BTreeSet;
use std::path::Path;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::line::LazyMember;
use super::records;
use super::said::wrapping::is_local_command;
use super::said::{Speaker, SpokenRecord, plain_text};
use crate::claude::messages::is_interruption;
use crate::model::SessionId;
use crate::model::label::{prompt_label, session_name};
use crate::model::redact::Redactor;
use crate::store::Result;
use crate::store::lines::{LineReader, NextLine, ReadPosition};

/// How many summaries of one transcript are considered at most.
const MAX_SUMMARIES: usize = 64;

/// What a transcript calls its session. Each is one safe line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptTitles {
    /// The last title that a person gave, with `/rename` or at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// The last title that Claude Code made up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// The first prompt of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// Titles, and how far the transcript was read for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitlesRead {
    /// The titles.
    pub titles: TranscriptTitles,
    /// The end of the last whole line.
    pub position: ReadPosition,
}

/// Reads the titles of session `id` in the transcript at `path`. Continues after `known` if the
/// transcript before that position is unchanged. Returns `None` if there is no transcript.
///
/// # Errors
/// Fails if the transcript cannot be read.
pub fn read(path: &Path, id: &SessionId, known: Option<TitlesRead>) -> Result<Option<TitlesRead>> {
    let Some(mut reader) = LineReader::open(path)? else {
        return Ok(None);
    };
    let mut titles = TranscriptTitles::default();
    if let Some(known) = known
        && reader.go_on(&known.position)?
    {
        titles = known.titles;
    }
    let mut search = TitleSearch {
        id,
        titles,
        summaries: Vec::new(),
    };
    let position = reader.read_rest(|line| search.hear(line))?;
    let TitleSearch {
        mut titles,
        summaries,
        ..
    } = search;
    if let Some(summary) = last_of_own(path, summaries)? {
        titles.made = Some(summary);
    }
    Ok(Some(TitlesRead { titles, position }))
}

/// A record that may contain a title.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TitleRecord<'a> {
    #[serde(borrow, rename = "type")]
    kind: LazyMember<'a>,
    #[serde(borrow)]
    session_id: LazyMember<'a>,
    #[serde(borrow)]
    custom_title: LazyMember<'a>,
    #[serde(borrow)]
    ai_title: LazyMember<'a>,
    #[serde(borrow)]
    summary: LazyMember<'a>,
    #[serde(borrow)]
    leaf_uuid: LazyMember<'a>,
}

/// A title in the form of old versions of Claude Code. `leaf` is the id of the last record that the
/// title covers. That record may be in another session's transcript.
struct Summary {
    text: String,
    leaf: String,
}

struct TitleSearch<'a> {
    id: &'a SessionId,
    titles: TranscriptTitles,
    summaries: Vec<Summary>,
}

impl TitleSearch<'_> {
    fn hear(&mut self, line: &[u8]) {
        let has = |words: &[u8]| memmem::find(line, words).is_some();
        if has(b"-title\"") || has(b"\"leafUuid\"") {
            records::read_as(line, |json| {
                let record = serde_json::from_str(json).ok();
                record.inspect(|record| self.title(record)).is_some()
            });
        }
        // The first lines of a fork are copies of another session's.
        if self.titles.prompt.is_none() && has(b"\"user\"") && !has(b"\"forkedFrom\"") {
            records::read_as(line, |json| {
                let record = serde_json::from_str(json).ok();
                record.inspect(|record| self.prompt(record)).is_some()
            });
        }
    }

    fn title(&mut self, record: &TitleRecord<'_>) {
        let session = record.session_id.text();
        if session.is_some_and(|session| *session != *self.id.as_str()) {
            return;
        }
        let named = |title: LazyMember<'_>| session_name(&title.text()?);
        match record.kind.text().as_deref() {
            // An empty title removes the former one.
            Some("custom-title") => self.titles.given = named(record.custom_title),
            Some("ai-title") => {
                self.titles.made = named(record.ai_title).or(self.titles.made.take())
            }
            Some("summary") if self.summaries.len() < MAX_SUMMARIES => {
                let summary = named(record.summary).zip(record.leaf_uuid.owned());
                let summary = summary.map(|(text, leaf)| Summary { text, leaf });
                self.summaries.extend(summary);
            }
            _ => {}
        }
    }

    fn prompt(&mut self, record: &SpokenRecord<'_>) {
        if self.titles.prompt.is_some() || record.kind.text().as_deref() != Some("user") {
            return;
        }
        let message = record.message.get::<super::line::Message<'_>>();
        let raw = message.map(|message| plain_text(message.content).into_owned());
        let raw = raw.unwrap_or_default();
        let raw = raw.trim_start();
        if is_local_command(raw) || is_interruption(raw) || record.is_result() {
            return;
        }
        let said = record.said();
        let typed = said.iter().find(|said| said.speaker == Speaker::User);
        let label = |text: &str| prompt_label(text, true, &mut Redactor::default());
        self.titles.prompt = typed.and_then(|said| label(&said.text));
    }
}

/// Returns the last of the summaries whose `leaf` is a record of the transcript at `path`.
fn last_of_own(path: &Path, summaries: Vec<Summary>) -> Result<Option<String>> {
    if summaries.is_empty() {
        return Ok(None);
    }
    let Some(mut reader) = LineReader::open(path)? else {
        return Ok(None);
    };
    let leaves: BTreeSet<&str> = summaries.iter().map(|summary| &*summary.leaf).collect();
    let marks: Vec<(&str, String)> = leaves
        .into_iter()
        .map(|leaf| (leaf, format!("\"uuid\":\"{leaf}\"")))
        .collect();
    let mut own = BTreeSet::new();
    while let Some(NextLine::Line(line) | NextLine::Unfinished(line)) = reader.next_line()? {
        let found = |mark: &String| memmem::find(line, mark.as_bytes()).is_some();
        own.extend(
            marks
                .iter()
                .filter(|(_, mark)| found(mark))
                .map(|(leaf, _)| *leaf),
        );
    }
    let is_own = |summary: &&Summary| own.contains(&*summary.leaf);
    Ok(summaries
        .iter()
        .rev()
        .find(is_own)
        .map(|summary| summary.text.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7e4f0c-1111-4222-8333-444455556666";

    #[allow(clippy::disallowed_methods, reason = "a test lays the file down")]
    fn read_lines(lines: &[&str]) -> TranscriptTitles {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let id = ID.parse().unwrap();
        read(&path, &id, None).unwrap().unwrap().titles
    }

    #[track_caller]
    fn check(lines: &[&str], given: Option<&str>, made: Option<&str>, prompt: Option<&str>) {
        let titles = read_lines(lines);
        let found = [&titles.given, &titles.made, &titles.prompt].map(|title| title.as_deref());
        assert_eq!(found, [given, made, prompt], "{lines:?}");
    }

    const PROMPT: &str = r#"{"type":"user","uuid":"u1","message":{"role":"user","content":"Fix the webhook\nplease"}}"#;

    #[test]
    fn each_source_is_found() {
        check(&[], None, None, None);
        check(&[PROMPT], None, None, Some("Fix the webhook please"));
        check(
            &[
                PROMPT,
                r#"{"type":"ai-title","aiTitle":"Webhook retries","sessionId":"0b7e4f0c-1111-4222-8333-444455556666"}"#,
                r#"{"type":"custom-title","customTitle":"webhook hunt","sessionId":"0b7e4f0c-1111-4222-8333-444455556666"}"#,
                r#"{"type":"custom-title","customTitle":"webhook\u001b[2J hunt 2"}"#,
            ],
            Some("webhook [2J hunt 2"),
            Some("Webhook retries"),
            Some("Fix the webhook please"),
        );
    }

    #[test]
    fn a_title_of_another_session_is_ignored() {
        check(
            &[r#"{"type":"custom-title","customTitle":"theirs","sessionId":"another"}"#],
            None,
            None,
            None,
        );
        let summary =
            |leaf| format!(r#"{{"type":"summary","summary":"Of {leaf}","leafUuid":"{leaf}"}}"#);
        let (own, other) = (summary("u1"), summary("u9"));
        check(
            &[&own, &other, PROMPT],
            None,
            Some("Of u1"),
            Some("Fix the webhook please"),
        );
        check(
            &[&other, PROMPT],
            None,
            None,
            Some("Fix the webhook please"),
        );
    }

    #[test]
    fn only_a_persons_text_is_a_prompt() {
        let user = |content: &str| {
            format!(r#"{{"type":"user","message":{{"role":"user","content":{content}}}}}"#)
        };
        let lines = [
            user(r#""<command-name>/clear</command-name>\n<command-message>clear</command-message>""#),
            user(r#""<local-command-stdout>ok</local-command-stdout>""#),
            user(r#"[{"type":"tool_result","tool_use_id":"t","content":"out"}]"#),
            r#"{"type":"user","isMeta":true,"message":{"role":"user","content":"meta"}}"#.to_owned(),
            r#"{"type":"user","isSidechain":true,"message":{"role":"user","content":"agent"}}"#.to_owned(),
            r#"{"type":"user","forkedFrom":{"sessionId":"o"},"message":{"role":"user","content":"copy"}}"#.to_owned(),
            user(r#""[Request interrupted by user]""#),
            r#"{"type":"assistant","message":{"role":"assistant","content":"a \"user\" said"}}"#.to_owned(),
            user(r#""<command-message>review</command-message>\n<command-name>/review</command-name>\n<command-args>12</command-args>""#),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        check(&lines, None, None, Some("/review 12"));
    }

    #[test]
    fn an_invisible_title_is_ignored_and_a_huge_one_is_cut() {
        check(
            &[
                r#"{"type":"custom-title","customTitle":"a"}"#,
                r#"{"type":"custom-title","customTitle":"\u200b\n\u202e"}"#,
            ],
            None,
            None,
            None,
        );
        let huge = "\u{1f600}".repeat(300_000);
        let line = format!(r#"{{"type":"ai-title","aiTitle":"{huge}"}}"#);
        let made = read_lines(&[&line]).made.unwrap();
        assert!(made.chars().count() <= 120 && made.ends_with('…'), "{made}");
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test lays the file down")]
    fn reading_continues_and_notices_a_rewritten_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let id = ID.parse().unwrap();
        let title =
            |title: &str| format!("{{\"type\":\"custom-title\",\"customTitle\":\"{title}\"}}\n");
        std::fs::write(&path, format!("{PROMPT}\n{}", title("one"))).unwrap();
        let first = read(&path, &id, None).unwrap().unwrap();
        let grown = format!("{PROMPT}\n{}{}", title("one"), title("two"));
        std::fs::write(&path, &grown).unwrap();
        let second = read(&path, &id, Some(first.clone())).unwrap().unwrap();
        assert_eq!(second.titles.given.as_deref(), Some("two"));
        assert_eq!(second.titles.prompt, first.titles.prompt);
        assert_eq!(second.position.offset, grown.len() as u64);
        std::fs::write(&path, title("other").repeat(9)).unwrap();
        let other = read(&path, &id, Some(second)).unwrap().unwrap();
        assert_eq!(other.titles.given.as_deref(), Some("other"));
        assert_eq!(other.titles.prompt, None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&path, &id, None).unwrap(), None);
    }
}
