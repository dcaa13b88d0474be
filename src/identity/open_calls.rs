//! Finds the calls of a session that have begun and not ended, at a cost that does not grow with
//! its journal.
//!
//! The end of a journal is not enough, because a call that is still open may have begun long ago.
//! So whoever has read a long journal caches the result in a file, the note: which calls were open
//! near the end of the journal, and at which position. The next query continues from that position.
//! If the note is lost or damaged, it is written again.

use serde::{Deserialize, Serialize};

use crate::model::{Call, Event, JournalLine, OpenActivity, Timestamp, Trace, TraceBuilder};
use crate::store::journal::{Damage, JournalLines};
use crate::store::{History, SessionDir};

/// The version of the note's format.
const VERSION: u32 = 2;
/// How many bytes at the end of a journal are read to find out what happens now.
const TAIL: u64 = 256 << 10;
/// How many bytes are read instead if [`TAIL`] contains fewer than [`FEW_LINES`] lines.
const LONG_TAIL: u64 = 1 << 20;
const FEW_LINES: usize = 200;
/// The limits that decide when a note is written and what it contains.
#[derive(Debug, Clone, Copy)]
struct NoteLimits {
    /// A note is written if a query read more bytes than this. Fewer are cheap to read again.
    long: u64,
    /// How many bytes before the end of the journal the next query starts. They are read again,
    /// because hooks that run at the same time write in any order.
    overlap: u64,
    /// The most open calls that a note contains.
    most: usize,
}

const USUAL: NoteLimits = NoteLimits {
    long: TAIL,
    overlap: 64 << 10,
    most: 256,
};

/// A call that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// The name of the tool.
    pub tool: Option<String>,
    /// The label, if the capture level keeps one.
    pub what: Option<String>,
    /// When the call began.
    pub since: Option<Timestamp>,
    /// When Claude Code asked a person whether the call may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// The subagent that made the call; `None` for the main thread.
    pub agent_id: Option<String>,
    /// The call's id.
    pub tool_use_id: String,
}

impl From<&Call<'_>> for OpenCall {
    fn from(call: &Call<'_>) -> Self {
        Self {
            tool: call.tool.map(str::to_owned),
            what: call.what.map(str::to_owned),
            since: Some(call.began.ts),
            asked: call.asked.map(|asked| asked.ts),
            agent_id: call.agent_id.map(str::to_owned),
            tool_use_id: call.tool_use_id.unwrap_or_default().to_owned(),
        }
    }
}

/// Returns the calls that have begun and not ended, oldest first. If more than 256 are open, the
/// oldest may be missing.
pub fn open_calls(dir: &SessionDir) -> Vec<OpenCall> {
    measured(dir, USUAL)
}

fn measured(dir: &SessionDir, measure: NoteLimits) -> Vec<OpenCall> {
    let noted = OpenCallsNote::read(dir).and_then(|note| note.go_on(dir, measure));
    noted.unwrap_or_else(|| whole(dir, measure))
}

/// Does the same as [`open_calls`], but reads only the journal's end. Calls that began long ago may
/// be missing.
pub fn recent_open_calls(dir: &SessionDir) -> Vec<OpenCall> {
    recent(dir, |_| {}).map_or_else(Vec::new, |recent| open_in(&recent.trace))
}

/// The events at the end of a journal.
#[derive(Debug)]
pub struct RecentEvents {
    /// The events, in order.
    pub trace: Trace,
    /// Whether these are all events of the journal.
    pub is_whole: bool,
    /// What could not be read among them.
    pub damage: Damage,
}

/// Returns the events at the end of the journal, usually about a thousand. It is less than 200 only
/// if there are no more, or if their lines are very long. Also passes these lines to `reader`. It
/// may start again from an earlier line, but always goes on in order to the last line.
pub(super) fn recent(
    dir: &SessionDir,
    mut reader: impl FnMut(&JournalLine<'_>),
) -> Option<RecentEvents> {
    let mut read = |bytes| {
        let lines = dir.journal().last_lines(bytes).ok()?;
        let is_whole = lines.is_whole();
        let mut trace = TraceBuilder::with_labels();
        let damage = lines.for_each(|line| {
            reader(line);
            trace.push(line);
        });
        Some((trace, is_whole, damage))
    };
    let found = read(TAIL);
    let is_enough =
        |(trace, is_whole, _): &(TraceBuilder, bool, Damage)| *is_whole || trace.len() >= FEW_LINES;
    let found = match found {
        Some(found) if is_enough(&found) => Some(found),
        _ => read(LONG_TAIL),
    };
    found.map(|(trace, is_whole, damage)| RecentEvents {
        trace: trace.finish(),
        is_whole,
        damage,
    })
}

fn open_in(trace: &Trace) -> Vec<OpenCall> {
    let activity = OpenActivity::of(trace);
    activity.open_calls().map(OpenCall::from).collect()
}

/// Reads the whole journal and the imported events, and returns the open calls.
fn whole(dir: &SessionDir, measure: NoteLimits) -> Vec<OpenCall> {
    let stamp = dir.imported_stamp();
    let mut trace = TraceBuilder::with_labels();
    if stamp.is_some()
        && let Ok(imported) = dir.imported_lines()
    {
        imported.for_each(|line| trace.push(line));
    }
    match dir.journal().lines_from(0) {
        Ok(Some((lines, end))) => ReadStart {
            position: 0,
            end,
            mark: None,
            imported: stamp,
            measure,
        }
        .read(dir, lines, trace)
        .unwrap_or_default(),
        // Parts of the journal are missing or damaged, so that a note's position would be useless.
        _ => {
            let history = History::read(dir, TraceBuilder::with_labels(), |_, _| {});
            history.map_or_else(|_| Vec::new(), |history| open_in(&history.trace))
        }
    }
}

/// The note: a cache of a session's open calls.
#[derive(Debug, Serialize, Deserialize)]
struct OpenCallsNote {
    v: u32,
    /// The length of the journal in bytes when it was read.
    end: u64,
    /// The calls that were open at the end of the journal; if `is_crowd`, only the last ones.
    open: Vec<OpenCall>,
    /// Whether more calls were open than a note may contain.
    is_crowd: bool,
    /// The position in the journal, in bytes, at which the next query starts to read. A line starts
    /// there.
    cut: u64,
    /// The time in the line at `cut`. If it has changed, the note belongs to another journal.
    mark: Option<Timestamp>,
    /// The start events of the calls that were open at `cut`, and the events with which Claude Code
    /// asked a person about them.
    begun: Vec<Event>,
    /// The size and modification time of the file of imported events that was read, too.
    imported: Option<(u64, Timestamp)>,
}

impl OpenCallsNote {
    /// Reads a session's note, if its imported events are unchanged.
    fn read(dir: &SessionDir) -> Option<Self> {
        let note: Self = serde_json::from_slice(&dir.open_note()?).ok()?;
        (note.v == VERSION && note.imported == dir.imported_stamp()).then_some(note)
    }

    /// Continues from the note, and returns the calls that are open now. Returns `None` if the note
    /// is of no use for the present journal.
    fn go_on(self, dir: &SessionDir, measure: NoteLimits) -> Option<Vec<OpenCall>> {
        let (lines, end) = dir.journal().lines_from(self.cut).ok()??;
        // With too many open calls for the note, do not read the journal again until its length has
        // doubled. Until then, the same calls count as open.
        let is_crowd_yet = self.is_crowd && end < self.end.saturating_mul(2);
        if end == self.end || end > self.end && is_crowd_yet {
            return Some(self.open);
        }
        if end < self.end || self.is_crowd {
            return None;
        }
        let mut trace = TraceBuilder::with_labels();
        self.begun
            .iter()
            .for_each(|event| trace.push(&JournalLine::from(event)));
        ReadStart {
            position: self.cut,
            end,
            mark: self.mark,
            imported: self.imported,
            measure,
        }
        .read(dir, lines, trace)
    }
}

/// From where to read a journal, and what is known about that position.
struct ReadStart {
    position: u64,
    /// The length of the journal in bytes when it was read.
    end: u64,
    /// The expected time in the first line, if known.
    mark: Option<Timestamp>,
    imported: Option<(u64, Timestamp)>,
    measure: NoteLimits,
}

impl ReadStart {
    /// Returns the calls that are open after `lines`. `trace` contains the beginnings of earlier
    /// calls. Writes a note if many bytes were read. Returns `None` if the first line is not the
    /// expected one.
    fn read(
        self,
        dir: &SessionDir,
        lines: JournalLines,
        mut trace: TraceBuilder,
    ) -> Option<Vec<OpenCall>> {
        let cut = self.end.saturating_sub(self.measure.overlap);
        let is_long = self.end.saturating_sub(self.position) > self.measure.long;
        let mut note: Option<OpenCallsNote> = None;
        let mut rest = TraceBuilder::with_labels();
        let mut first = None;
        let damage = lines.for_each_at(|position, line| {
            first.get_or_insert((position, line.ts));
            if is_long && note.is_none() && position >= cut {
                let before = std::mem::take(&mut trace).finish();
                let begun = OpenActivity::of(&before).beginnings();
                trace = before.reopen();
                begun
                    .iter()
                    .for_each(|event| rest.push(&JournalLine::from(event)));
                note = Some(OpenCallsNote {
                    v: VERSION,
                    end: self.end,
                    open: Vec::new(),
                    is_crowd: false,
                    cut: position,
                    mark: line.ts,
                    begun,
                    imported: self.imported,
                });
            }
            trace.push(line);
            if note.is_some() {
                rest.push(line);
            }
        });
        if self.mark.is_some() && first != Some((self.position, self.mark)) {
            return None;
        }
        let open = open_in(&trace.finish());
        if let Some(note) = note.filter(|_| damage.is_complete()) {
            let is_crowd = open.len().max(note.begun.len()) > self.measure.most;
            // Events near the cut may be out of order. Keep the note only if continuing from it
            // gives the same result.
            let is_true = if is_crowd {
                !open.is_empty()
            } else {
                open_in(&rest.finish()) == open
            };
            if is_true {
                note.write(dir, &open, is_crowd, self.measure.most);
            }
        }
        Some(open)
    }
}

impl OpenCallsNote {
    /// Writes the note. A failure is ignored, because the note is only a cache.
    fn write(self, dir: &SessionDir, open: &[OpenCall], is_crowd: bool, most: usize) {
        let last = open.len().saturating_sub(most);
        let note = Self {
            open: open.get(last..).unwrap_or_default().to_vec(),
            begun: if is_crowd { Vec::new() } else { self.begun },
            is_crowd,
            ..self
        };
        if let Ok(bytes) = serde_json::to_vec(&note) {
            let _ = dir.replace_open_note(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Project, Record};
    use crate::store::write::Durability;
    use crate::store::{Decompressor, Places, StateDir};

    /// Writes a note after a few events.
    const SMALL: NoteLimits = NoteLimits {
        long: 1500,
        overlap: 700,
        most: 5,
    };

    fn session(root: &Path) -> SessionDir {
        let places = Places {
            state: Some(root.join("state")),
            pointers: root.to_owned(),
            config: None,
        };
        let id = "s-1".parse().unwrap();
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let dir = StateDir::create(&places, Decompressor::BUILT_IN)
            .unwrap()
            .session(&id);
        let record = Record::new(id, &Project::at(root.to_owned()), now);
        dir.create(&record, &event("SessionStart", 0), Durability::Cached)
            .unwrap();
        dir
    }

    /// Returns an event of process 7 at this millisecond.
    fn event(kind: &str, at: u64) -> Event {
        Event {
            v: 1,
            ts: Some(Timestamp::from_micros(
                1_800_000_000_000_000 + i64::try_from(at).unwrap() * 1000,
            )),
            mono: Some(5_000_000_000 + at * 1000),
            event: kind.to_owned(),
            pid: Some(7),
            ..Event::default()
        }
    }

    fn call(kind: &str, id: &str, at: u64) -> Event {
        Event {
            tool: Some("Bash".to_owned()),
            tool_use_id: Some(id.to_owned()),
            ..event(kind, at)
        }
    }

    /// Returns the open calls according to the whole journal.
    fn by_all(dir: &SessionDir) -> Vec<OpenCall> {
        let history = History::read(dir, TraceBuilder::with_labels(), |_, _| {});
        open_in(&history.unwrap().trace)
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let kinds = prop::sample::select(vec![
            "PreToolUse",
            "PreToolUse",
            "PreToolUse",
            "PostToolUse",
            "PostToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "UserPromptSubmit",
            "SubagentStart",
            "SubagentStop",
            "Stop",
            "SessionEnd",
            "Notification",
            "PermissionRequest",
            "PermissionRequest",
        ]);
        let ids = prop::option::weighted(0.8, prop::sample::select(vec!["t1", "t2", "t3", "t4"]));
        let agents = prop::option::of(prop::sample::select(vec!["a1", "a2"]));
        let pids = prop::option::weighted(0.9, 7..9u32);
        (kinds, ids, agents, pids).prop_map(|(kind, id, agent, pid)| Event {
            tool: (kind.contains("Tool") || kind == "PermissionRequest").then(|| "Bash".to_owned()),
            tool_use_id: id.filter(|_| kind.contains("Tool")).map(str::to_owned),
            agent_id: agent.map(str::to_owned),
            pid,
            ..event(kind, 0)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_note_and_the_lines_after_it_equal_the_whole_journal(
            pieces in prop::collection::vec((prop::collection::vec(any_event(), 0..30), any::<bool>()), 1..8),
        ) {
            let root = tempfile::tempdir().unwrap();
            let dir = session(root.path());
            let mut at = 0;
            for (events, is_rotated) in pieces {
                for event in events {
                    at += 1000;
                    let clocks = self::event("", at);
                    dir.journal().append(&Event { ts: clocks.ts, mono: clocks.mono, ..event }).unwrap();
                }
                if is_rotated {
                    let _ = dir.journal().rotate(0).unwrap();
                }
                let (found, expected) = (measured(&dir, SMALL), by_all(&dir));
                let is_crowd = OpenCallsNote::read(&dir).is_some_and(|note| note.is_crowd);
                if is_crowd {
                    prop_assert!(!found.is_empty() || expected.is_empty());
                } else {
                    prop_assert_eq!(&found, &expected);
                }
            }
        }
    }

    /// Appends calls that end at once, starting at second `from`.
    fn append_calls(dir: &SessionDir, from: u64, count: u64) {
        for second in from..from + count {
            let id = format!("t{second}");
            dir.journal()
                .append(&call("PreToolUse", &id, second * 1000))
                .unwrap();
            dir.journal()
                .append(&call("PostToolUse", &id, second * 1000 + 9))
                .unwrap();
        }
    }

    #[test]
    fn a_call_that_began_long_ago_is_open_until_it_ends() {
        let root = tempfile::tempdir().unwrap();
        let dir = session(root.path());
        dir.journal().append(&call("PreToolUse", "old", 1)).unwrap();
        append_calls(&dir, 1, 30);
        let open = measured(&dir, SMALL);
        assert_eq!(open.len(), 1);
        let noted = dir.open_note().unwrap();
        // The second query reads the note alone.
        assert_eq!(measured(&dir, SMALL), open);
        assert_eq!(dir.open_note().unwrap(), noted);
        append_calls(&dir, 31, 2);
        assert_eq!(measured(&dir, SMALL), open);
        dir.journal()
            .append(&call("PostToolUse", "old", 40_000))
            .unwrap();
        assert_eq!(measured(&dir, SMALL), []);
    }

    #[test]
    fn a_note_of_another_journal_is_not_believed() {
        let root = tempfile::tempdir().unwrap();
        let dir = session(root.path());
        append_calls(&dir, 1, 30);
        assert_eq!(measured(&dir, SMALL), []);
        let other = tempfile::tempdir().unwrap();
        let other = session(other.path());
        other
            .journal()
            .append(&call("PreToolUse", "old", 1))
            .unwrap();
        append_calls(&other, 1, 40);
        other.replace_open_note(&dir.open_note().unwrap()).unwrap();
        assert_eq!(measured(&other, SMALL).len(), 1);
        dir.replace_open_note(b"{\"v\":1").unwrap();
        assert_eq!(measured(&dir, SMALL), []);
    }

    #[test]
    fn a_crowd_of_calls_that_never_end_is_open_and_its_note_is_short() {
        let root = tempfile::tempdir().unwrap();
        let dir = session(root.path());
        for at in 1..200 {
            dir.journal()
                .append(&call("PreToolUse", &format!("t{at}"), at))
                .unwrap();
        }
        assert_eq!(measured(&dir, SMALL).len(), 199);
        assert_eq!(measured(&dir, SMALL).len(), SMALL.most);
        assert!(dir.open_note().unwrap().len() < 2000);
    }

    #[test]
    fn a_later_import_invalidates_a_note() {
        let root = tempfile::tempdir().unwrap();
        let dir = session(root.path());
        append_calls(&dir, 1, 30);
        assert_eq!(measured(&dir, SMALL), []);
        let begun = Event {
            origin: Some("transcript".to_owned()),
            ..call("PreToolUse", "old", 50_000)
        };
        let line = [begun.encode(), b"\n".to_vec()].concat();
        dir.replace_imported(&line, begun.ts.unwrap()).unwrap();
        assert_eq!(measured(&dir, SMALL).len(), 1);
    }
}
