//! Counts how many of the calls in a session's transcript hooks have recorded. That hooks are
//! registered proves nothing. A call in the transcript that no hook saw proves a gap.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use crate::claude::transcript::line::{Message, TranscriptLine, blocks};
use crate::claude::transcript::{self, Search, records};
use crate::model::{Event, Record, Timestamp};
use crate::store::lines::{LineReader, NextLine};
use crate::store::{Environment, Result, SessionDir};

/// How many of the calls in a session's transcripts hooks have recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The calls in the session's transcripts and its subagents', each counted once.
    pub calls: u64,
    /// How many of `calls` have at least one event that a hook recorded.
    pub recorded: u64,
}

impl Coverage {
    /// Returns the recorded share of the calls, from 0 to 1. It is 1 if there are no calls.
    #[expect(
        clippy::cast_precision_loss,
        reason = "it is a share, for a comparison"
    )]
    pub fn share(self) -> f64 {
        match self.calls {
            0 => 1.0,
            calls => self.recorded as f64 / calls as f64,
        }
    }
}

/// Counts the calls of a session. Returns `None` if it has no transcript, or if the transcripts
/// have more than `most` bytes.
///
/// # Errors
/// Fails if the journal or the transcript cannot be opened.
pub fn of_session(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
    most: u64,
) -> Result<Option<Coverage>> {
    let files = Search::new(env).files(dir, record, None);
    if files.mains.is_empty() || files.bytes() > most {
        return Ok(None);
    }
    let since = transcript::own_since(dir, record)?;
    let mut calls = HashSet::new();
    for file in files.transcripts() {
        add_calls(&file.path, since, &mut calls)?;
    }
    let mut coverage = Coverage {
        calls: calls.len() as u64,
        recorded: 0,
    };
    let mut events = dir.journal().events()?;
    for event in events.by_ref().filter(is_of_hook) {
        let in_batch = event.calls.into_iter().filter_map(|call| call.tool_use_id);
        for id in in_batch.chain(event.tool_use_id) {
            coverage.recorded += u64::from(calls.remove(&id));
        }
    }
    events.damage().or_retry(dir.path())?;
    Ok(Some(coverage))
}

/// Returns whether one of Claude Code's hooks recorded this event. Imports and this program's own
/// events do not count.
pub fn is_of_hook(event: &Event) -> bool {
    use crate::model::event::name::{CLOCK_IN, RUN_END, RUN_START};
    event.origin.is_none() && ![RUN_START, RUN_END, CLOCK_IN].contains(&event.event.as_str())
}

/// Adds the ids of the calls in one transcript.
fn add_calls(path: &Path, since: Option<Timestamp>, calls: &mut HashSet<String>) -> Result<()> {
    let Some(mut lines) = LineReader::open(path)? else {
        return Ok(());
    };
    while let Some(found) = lines.next_line()? {
        if let NextLine::Line(bytes) = found
            && memchr::memmem::find(bytes, b"tool_use").is_some()
        {
            records::read(bytes, |line| add_calls_of(line, since, calls));
        }
    }
    Ok(())
}

fn add_calls_of(line: &TranscriptLine<'_>, since: Option<Timestamp>, calls: &mut HashSet<String>) {
    let is_copy = since.is_some_and(|since| line.at().is_some_and(|at| at < since));
    if is_copy || line.kind.text().as_deref() != Some("assistant") {
        return;
    }
    let Some(message) = line.message.get::<Message<'_>>() else {
        return;
    };
    let blocks = blocks(message.content).into_iter();
    let ids = blocks.filter(|block| block.kind.text().as_deref() == Some("tool_use"));
    calls.extend(ids.filter_map(|block| block.id.owned()));
}
