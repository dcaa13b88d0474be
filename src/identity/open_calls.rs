//! Which calls of a session have begun and not ended, at a cost that does not grow with its journal.
//!
//! The end of a journal cannot tell: a call that began long ago may be the one that is waited for. So where a long journal
//! was read, it is noted which calls were open some way before its end and at its end. The next answer reads on from
//! there. The note is derived: lost or damaged, it is written once more.

use serde::{Deserialize, Serialize};

use crate::model::{Call, Event, Line, OpenActivity, Timestamp, Trace, TraceBuilder};
use crate::store::journal::Lines;
use crate::store::{History, SessionDir};

/// The version of the note.
const VERSION: u32 = 1;
/// How much of a journal's end is read to say what happens now.
const TAIL: u64 = 256 << 10;
/// As much is read where lines are so long that the tail holds fewer than these.
const LONG_TAIL: u64 = 1 << 20;
const FEW_LINES: usize = 200;
/// When and how a note is taken.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// How many bytes are read again rather than noted.
    long: u64,
    /// How many bytes before the end the calls are noted that were open there: hooks of one moment write in any order.
    overlap: u64,
    /// The most open calls that are noted.
    most: usize,
}

const USUAL: Measure = Measure {
    long: TAIL,
    overlap: 64 << 10,
    most: 256,
};

/// A call that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// The tool.
    pub tool: Option<String>,
    /// The label, where the capture level keeps one.
    pub what: Option<String>,
    /// When it began.
    pub since: Option<Timestamp>,
    /// The subagent that makes it; none for the main thread.
    pub agent_id: Option<String>,
    /// Its id.
    pub tool_use_id: String,
}

impl From<&Call<'_>> for OpenCall {
    fn from(call: &Call<'_>) -> Self {
        Self {
            tool: call.tool.map(str::to_owned),
            what: call.what.map(str::to_owned),
            since: Some(call.began.ts),
            agent_id: call.agent_id.map(str::to_owned),
            tool_use_id: call.tool_use_id.unwrap_or_default().to_owned(),
        }
    }
}

/// The calls that have begun and not ended, the oldest first. Of a crowd of them only some are named.
pub fn open_calls(dir: &SessionDir) -> Vec<OpenCall> {
    measured(dir, USUAL)
}

fn measured(dir: &SessionDir, measure: Measure) -> Vec<OpenCall> {
    let noted = Note::read(dir).and_then(|note| note.go_on(dir, measure));
    noted.unwrap_or_else(|| whole(dir, measure))
}

/// As [`open_calls`], by the journal's end alone: what began long ago may be missing.
pub fn recent_open_calls(dir: &SessionDir) -> Vec<OpenCall> {
    let read = |bytes| {
        let lines = dir.journal().last_lines(bytes).ok()?;
        let mut trace = TraceBuilder::with_labels();
        lines.for_each(|line| trace.push(line));
        Some(trace)
    };
    let trace = read(TAIL);
    let is_enough = trace.as_ref().is_some_and(|it| it.len() >= FEW_LINES);
    let trace = trace.filter(|_| is_enough).or_else(|| read(LONG_TAIL));
    trace.map_or_else(Vec::new, |trace| open_in(&trace.finish()))
}

fn open_in(trace: &Trace) -> Vec<OpenCall> {
    let activity = OpenActivity::of(trace);
    activity.open_calls().map(OpenCall::from).collect()
}

/// The open calls by the whole journal and the imported events.
fn whole(dir: &SessionDir, measure: Measure) -> Vec<OpenCall> {
    let stamp = dir.imported_stamp();
    let mut trace = TraceBuilder::with_labels();
    if stamp.is_some()
        && let Ok(imported) = dir.imported_lines()
    {
        imported.for_each(|line| trace.push(line));
    }
    match dir.journal().lines_from(0) {
        Ok(Some((lines, end))) => Since {
            position: 0,
            end,
            mark: None,
            imported: stamp,
            measure,
        }
        .read(dir, lines, trace)
        .unwrap_or_default(),
        // Parts are missing or damaged: no place in it can be found again.
        _ => {
            let history = History::read(dir, TraceBuilder::with_labels(), |_, _| {});
            history.map_or_else(|_| Vec::new(), |history| open_in(&history.trace))
        }
    }
}

/// What was noted of a session's open calls.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    v: u32,
    /// How many bytes the journal had.
    end: u64,
    /// The calls that were open there; of a crowd the last ones.
    open: Vec<OpenCall>,
    /// Whether there were more than can be noted.
    is_crowd: bool,
    /// A place before the end at which a line starts.
    cut: u64,
    /// When that line was written.
    mark: Option<Timestamp>,
    /// The events with which the calls began that were open there.
    begun: Vec<Event>,
    /// The imported events that were read with the journal.
    imported: Option<(u64, Timestamp)>,
}

impl Note {
    /// The note of a session, if what it was taken of is still there.
    fn read(dir: &SessionDir) -> Option<Self> {
        let note: Self = serde_json::from_slice(&dir.open_note()?).ok()?;
        (note.v == VERSION && note.imported == dir.imported_stamp()).then_some(note)
    }

    /// The calls that are open now; nothing where the note does not tell.
    fn go_on(self, dir: &SessionDir, measure: Measure) -> Option<Vec<OpenCall>> {
        let (lines, end) = dir.journal().lines_from(self.cut).ok()??;
        // A crowd is taken to be open still until the journal has doubled: it is too much to follow each of them.
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
            .for_each(|event| trace.push(&Line::from(event)));
        Since {
            position: self.cut,
            end,
            mark: self.mark,
            imported: self.imported,
            measure,
        }
        .read(dir, lines, trace)
    }
}

/// Where a journal is read from.
struct Since {
    position: u64,
    /// How many bytes the journal has.
    end: u64,
    /// When the first line was written, where that is known.
    mark: Option<Timestamp>,
    imported: Option<(u64, Timestamp)>,
    measure: Measure,
}

impl Since {
    /// The calls that are open after `lines`, where those that `trace` tells of came before. Where that was much to read,
    /// it is noted. Nothing where the first line is another one.
    fn read(
        self,
        dir: &SessionDir,
        lines: Lines,
        mut trace: TraceBuilder,
    ) -> Option<Vec<OpenCall>> {
        let cut = self.end.saturating_sub(self.measure.overlap);
        let is_long = self.end.saturating_sub(self.position) > self.measure.long;
        let mut note: Option<Note> = None;
        let mut rest = TraceBuilder::with_labels();
        let mut first = None;
        let damage = lines.for_each_at(|position, line| {
            first.get_or_insert((position, line.ts));
            if is_long && note.is_none() && position >= cut {
                let before = std::mem::take(&mut trace).finish();
                let begun = OpenActivity::of(&before).beginnings();
                trace = before.reopen();
                begun.iter().for_each(|event| rest.push(&Line::from(event)));
                note = Some(Note {
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
        if let Some(note) = note.filter(|_| damage.unreadable == 0) {
            let is_crowd = open.len().max(note.begun.len()) > self.measure.most;
            // Where what came before the cut and what came after it are not in order, the next answer would be another.
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

impl Note {
    /// Writes the note. One that cannot be written is missed by nobody.
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
    use crate::store::{Decompressor, Places, State};

    /// A note is taken of a few events.
    const SMALL: Measure = Measure {
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
        let dir = State::create(&places, Decompressor::BUILT_IN)
            .unwrap()
            .session(&id);
        let record = Record::new(id, &Project::at(root.to_owned()), now);
        dir.create(&record, &event("SessionStart", 0), Durability::Cached)
            .unwrap();
        dir
    }

    /// An event of process 7 at this millisecond.
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

    /// The open calls by all that is on record.
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
        ]);
        let ids = prop::option::weighted(0.8, prop::sample::select(vec!["t1", "t2", "t3", "t4"]));
        let agents = prop::option::of(prop::sample::select(vec!["a1", "a2"]));
        let pids = prop::option::weighted(0.9, 7..9u32);
        (kinds, ids, agents, pids).prop_map(|(kind, id, agent, pid)| Event {
            tool: kind.contains("Tool").then(|| "Bash".to_owned()),
            tool_use_id: id.filter(|_| kind.contains("Tool")).map(str::to_owned),
            agent_id: agent.map(str::to_owned),
            pid,
            ..event(kind, 0)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_noted_and_read_on_from_there_is_what_the_whole_journal_says(
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
                let is_crowd = Note::read(&dir).is_some_and(|note| note.is_crowd);
                if is_crowd {
                    prop_assert!(!found.is_empty() || expected.is_empty());
                } else {
                    prop_assert_eq!(&found, &expected);
                }
            }
        }
    }

    /// Appends calls that end at once, from this second on.
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
        // Whoever asks again reads the note alone.
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
    fn what_is_imported_later_makes_a_note_void() {
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
