//! Checks whether hooks really run, whatever the settings say. Hooks do not run if Claude Code
//! wrote a transcript after the last hook event and no hook recorded its session.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::claude::settings::{LoadedSettings, SettingsSource};
use crate::claude::transcript::{self, AgentFile, line::TranscriptLine};
use crate::claude::versions::Version;
use crate::history::coverage::{self, Coverage, is_of_hook};
use crate::model::{SessionId, Timestamp};
use crate::setup::settings;
use crate::store::lines::{LineReader, NextLine};
use crate::store::{Environment, StateDir, file, is_of_another_machine, shown, tombstones};

/// How many of the last sessions are compared with their transcripts.
const MAX_COMPARED: usize = 10;
/// The largest transcripts of a session that are compared, in bytes in total: the doctor must
/// answer quickly.
const MAX_BYTES: u64 = 32 << 20;
/// The least share of a session's calls that hooks record where they run, as a number from 0 to 1.
/// Old versions of Claude Code do not report invalid calls to hooks.
const LEAST_SHARE: f64 = 0.9;
/// How many lines at the beginning of a transcript are searched for its start directory.
const OPENING: usize = 100;

/// The last event that a hook recorded.
pub(super) struct LastEvent {
    /// The time of the event.
    pub(super) at: Timestamp,
    /// The session of the event.
    pub(super) id: SessionId,
}

/// Returns the sessions that have a journal, each with the time of its last write; the latest
/// first.
fn recorded(state: &StateDir) -> Vec<(Timestamp, SessionId)> {
    let written = |id: SessionId| {
        let dir = state.session(&id);
        let found = file::look(dir.journal().path()).ok()??;
        Some((found.meta.modified, id))
    };
    // Another check reports a directory that cannot be listed.
    let ids = state.session_ids().into_iter().flatten();
    let mut sessions: Vec<_> = ids.filter_map(written).collect();
    sessions.sort_by(|one, other| other.cmp(one));
    sessions
}

/// Returns the last event that a hook recorded here. Imported events, events that ccsession itself
/// recorded, and those of other machines do not count.
pub(super) fn last(state: &StateDir) -> Option<LastEvent> {
    let mut sessions = recorded(state).into_iter();
    let (at, id) =
        sessions.find(|(_, id)| has_hook_event(state, id) && !is_from_elsewhere(state, id))?;
    Some(LastEvent { at, id })
}

/// Returns whether the session came from another machine.
fn is_from_elsewhere(state: &StateDir, id: &SessionId) -> bool {
    let record = state.session(id).record().ok().flatten();
    record.is_some_and(|record| is_of_another_machine(&record))
}

fn has_hook_event(state: &StateDir, id: &SessionId) -> bool {
    let events = state.session(id).journal().events();
    events.is_ok_and(|mut events| events.any(|event| is_of_hook(&event)))
}

/// Reports the sessions since the last event that no hook recorded although one should have.
pub(super) fn examine(
    env: &Environment,
    state: &StateDir,
    last: Option<&LastEvent>,
    version: Option<Version>,
) -> Option<Finding> {
    // Before hooks were first registered, nothing could be recorded.
    let installed = settings::installed_at(state);
    let since = last.map(|last| last.at).max(installed)?;
    let mut missed: Vec<(Timestamp, SessionId, PathBuf)> = Vec::new();
    for (id, paths) in transcript::by_name(env) {
        let own = paths
            .into_iter()
            .filter(|path| AgentFile::at(path.clone()).is_none());
        let written = own.filter_map(|path| Some((written_after(&path, since)?, path)));
        let Some((written, path)) = written.max() else {
            continue;
        };
        // A session that was removed from the records had been recorded. Somebody may have restored
        // its transcript.
        let mut gone = tombstones::of(state, id.as_str()).into_iter();
        let is_gone = gone.any(|(gone, _)| gone == id);
        if !is_gone && !has_hook_event(state, &id) && !is_from_elsewhere(state, &id) {
            missed.push((written, id, path));
        }
    }
    missed.sort();
    let (_, id, path) = missed.last()?;
    let count = match missed.len() {
        1 => "a session was".to_owned(),
        count => format!("{count} sessions were"),
    };
    let why = reason(env, path, version).map(|why| format!("; there {why}"));
    let found = format!(
        "hooks do not run: {count} not recorded since the last event; the last of them is {id}, in {}{}",
        shown(path),
        why.unwrap_or_default()
    );
    let remedy =
        "fix the settings findings first, then start a session; `ccsession import` adds past ones";
    Some(Finding::fault("recorded", found, remedy))
}

/// Returns when the transcript at `path` was last written. Returns `None` unless it began, and was
/// written, after `since`.
fn written_after(path: &Path, since: Timestamp) -> Option<Timestamp> {
    let written = file::look(path).ok()??.meta.modified;
    if written <= since {
        return None;
    }
    let born = LineReader::open(path).ok()??.born();
    (born > since).then_some(written)
}

/// Returns why hooks do not run in the directory of the transcript at `path`, if the settings there
/// explain it.
fn reason(env: &Environment, path: &Path, version: Option<Version>) -> Option<String> {
    let start = started_in(path)?;
    let reading = LoadedSettings::of(env, &start, version);
    let ignored = || {
        let (read, why) = reading.ignored().next()?;
        Some(format!("Claude Code ignores {}: {why}", shown(&read.path)))
    };
    let disarmed = reading
        .disarmed(SettingsSource::User)
        .map(|why| why.to_string());
    disarmed.or_else(ignored)
}

fn started_in(path: &Path) -> Option<PathBuf> {
    let mut lines = LineReader::open(path).ok()??;
    for _ in 0..OPENING {
        if let NextLine::Line(bytes) = lines.next_of_beginning().ok()??
            && let Ok(text) = std::str::from_utf8(bytes)
            && let Some(cwd) = TranscriptLine::decode(text).and_then(|line| line.cwd.owned())
        {
            return Some(PathBuf::from(cwd));
        }
    }
    None
}

/// Compares the calls in the transcripts of the last sessions with those that hooks recorded.
pub(super) fn coverage(env: &Environment, state: &StateDir) -> Option<Finding> {
    let mut sum = Coverage::default();
    let mut compared = 0;
    let mut least: Option<(f64, SessionId)> = None;
    for (_, id) in recorded(state) {
        if compared == MAX_COMPARED {
            break;
        }
        let dir = state.session(&id);
        let Ok(Some(record)) = dir.record() else {
            continue;
        };
        if is_of_another_machine(&record) {
            continue;
        }
        let Ok(Some(found)) = coverage::of_session(env, &dir, &record, MAX_BYTES) else {
            continue;
        };
        compared += 1;
        sum.calls += found.calls;
        sum.recorded += found.recorded;
        let share = found.share();
        if least.as_ref().is_none_or(|(before, _)| share < *before) {
            least = Some((share, id));
        }
    }
    if sum.calls == 0 {
        return None;
    }
    let found = format!(
        "hooks recorded {} of {} calls in the transcripts of the last {compared} sessions",
        sum.recorded, sum.calls
    );
    Some(match least.filter(|(share, _)| *share < LEAST_SHARE) {
        None => Finding::ok("coverage", found),
        Some((_, id)) => {
            let remedy = format!("see `ccsession show {id}`; `ccsession import` adds the rest");
            Finding::note("coverage", found, &remedy)
        }
    })
}
