//! Reads from a transcript how long hooks ran; Claude Code writes this down for some hooks.

use std::path::Path;

use memchr::memmem;
use serde::Deserialize;

use super::line::LazyMember;
use super::records;
use crate::model::Timestamp;
use crate::model::label::{MAX_CHARS, beginning};
use crate::model::redact::redact;
use crate::model::text::one_line;
use crate::store::Result;
use crate::store::lines::{LineReader, NextLine};

/// One run of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRun {
    /// When the run ended, if its record says so.
    pub at: Option<Timestamp>,
    /// The event for which the hook ran, such as `Stop`, if it is known.
    pub event: Option<String>,
    /// The command of the hook on one safe line or, without a command, the name that Claude Code
    /// gives it.
    pub command: String,
    /// How long the hook ran, in milliseconds.
    pub duration_ms: u64,
}

/// A record that may be about hooks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HookRecord<'a> {
    #[serde(borrow)]
    subtype: LazyMember<'a>,
    #[serde(borrow)]
    timestamp: LazyMember<'a>,
    #[serde(borrow)]
    hook_infos: LazyMember<'a>,
    #[serde(borrow)]
    attachment: LazyMember<'a>,
}

/// What Claude Code writes down about one hook.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HookInfo<'a> {
    #[serde(borrow)]
    command: LazyMember<'a>,
    #[serde(borrow)]
    hook_name: LazyMember<'a>,
    #[serde(borrow)]
    hook_event: LazyMember<'a>,
    #[serde(borrow)]
    duration_ms: LazyMember<'a>,
}

/// Calls `reader` with each run of a hook that is recorded in the transcript at `path`.
///
/// # Errors
/// Fails if the transcript cannot be read.
pub fn read(path: &Path, mut reader: impl FnMut(HookRun)) -> Result<()> {
    let Some(mut lines) = LineReader::open(path)? else {
        return Ok(());
    };
    while let Some(next) = lines.next_line()? {
        let (NextLine::Line(line) | NextLine::Unfinished(line)) = next else {
            continue;
        };
        let has = |words: &[u8]| memmem::find(line, words).is_some();
        if !has(b"\"durationMs\"") || !has(b"\"hook") {
            continue;
        }
        records::read_as(line, |json| {
            let record: Option<HookRecord<'_>> = serde_json::from_str(json).ok();
            record.inspect(|record| record.runs(&mut reader)).is_some()
        });
    }
    Ok(())
}

impl HookRecord<'_> {
    fn runs(&self, reader: &mut impl FnMut(HookRun)) {
        let at = self.timestamp.time();
        let summarised = match self.subtype.text().as_deref() {
            Some("stop_hook_summary") => Some("Stop"),
            _ => None,
        };
        let infos: Vec<HookInfo<'_>> = self.hook_infos.get().unwrap_or_default();
        for info in infos {
            info.run(at, summarised).into_iter().for_each(&mut *reader);
        }
        let attached: Option<HookInfo<'_>> = self.attachment.get();
        let run = attached.and_then(|info| info.run(at, None));
        run.into_iter().for_each(reader);
    }
}

impl HookInfo<'_> {
    /// Returns the run, if its duration and either its command or its name are known.
    fn run(&self, at: Option<Timestamp>, event: Option<&str>) -> Option<HookRun> {
        let millis: f64 = self.duration_ms.get()?;
        let safe = |text: &str| one_line(&redact(beginning(text, true)), MAX_CHARS);
        let name = self.hook_name.text();
        let command = self.command.text().or_else(|| name.clone())?;
        let named = name.as_deref().and_then(|name| name.split(':').next());
        let told = self.hook_event.text();
        let event = told.as_deref().or(event).or(named);
        Some(HookRun {
            at,
            event: event.map(safe),
            command: safe(&command),
            duration_ms: millis.max(0.0) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test lays the file down")]
    fn each_noted_run_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let lines = [
            r#"{"type":"system","subtype":"stop_hook_summary","timestamp":"2026-11-20T10:00:00Z","hookInfos":[{"command":"a\nb","durationMs":17},{"command":"c","durationMs":2.9},{"command":"d"}]}"#,
            r#"{"type":"attachment","attachment":{"type":"hook_success","hookName":"PreToolUse:Bash","hookEvent":"PreToolUse","command":"check","durationMs":8}}"#,
            r#"{"type":"attachment","attachment":{"type":"hook_success","hookName":"SessionStart:startup","durationMs":9}}"#,
            r#"{"type":"user","message":{"content":""hookInfos" "durationMs""}}"#,
            r#"{"type":"attachment","attachment":{"type":"file","durationMs":9,"hook":1}}"#,
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let mut runs = Vec::new();
        read(&path, |run| runs.push(run)).unwrap();
        let found: Vec<(Option<&str>, &str, u64)> = runs
            .iter()
            .map(|run| (run.event.as_deref(), run.command.as_str(), run.duration_ms))
            .collect();
        let expected = [
            (Some("Stop"), "a b", 17),
            (Some("Stop"), "c", 2),
            (Some("PreToolUse"), "check", 8),
            (Some("SessionStart"), "SessionStart:startup", 9),
        ];
        assert_eq!(found, expected);
        assert!(runs.first().unwrap().at.is_some());
    }
}
