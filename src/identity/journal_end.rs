//! What the end of a session's journal says about the present.
//!
//! Reading the end and folding its events is most of the work of a list. Most sessions are at rest,
//! so what the end of such a journal says is noted (`present.json`). The note is derived: if it is
//! lost, it is written again. It counts only as long as nothing changed that it depends on: the
//! journal, and which processes own the session.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::open_calls::{OpenCall, open_calls, recent};
use super::present::LastPlace;
use crate::model::attention::Witness;
use crate::model::{OpenActivity, Timestamp};
use crate::store::SessionDir;
use crate::store::file::Meta;

/// The version of this ccsession.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// How long nothing was written to a journal whose end is noted. The note of a session that works
/// would be written more often than it is read. A minute is also far longer than the steps in which
/// file systems count the time of a change.
const AT_REST: Duration = Duration::from_secs(60);
/// The most open calls that are noted.
const MAX_OPEN: usize = 64;

/// The end of a session's journal. It is read when first needed, and its note at most once.
#[derive(Debug)]
pub struct JournalEnd<'a> {
    dir: &'a SessionDir,
    now: Timestamp,
    /// The journal, if it is at rest, and the note on it.
    at_rest: OnceCell<Option<(Meta, Option<EndNote>)>>,
}

/// What the end of a journal says about the present.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndWords {
    /// The calls that running processes have begun and not ended, oldest first.
    pub(super) open: Vec<OpenCall>,
    /// Whether the session waits for a person, according to the events.
    pub(super) witness: Witness,
    pub(super) place: LastPlace,
}

/// The note on the end of a journal.
#[derive(Debug, Serialize, Deserialize)]
struct EndNote {
    /// The release that wrote the note. Another one may conclude something else from the same
    /// events.
    program: String,
    /// The journal that was read. An event makes it longer, and a rotation makes it another file.
    journal: Meta,
    /// The processes that were asked about, and whether each one owned the session.
    processes: Vec<(Option<u32>, bool)>,
    words: EndWords,
    /// The calls that the events leave open, whichever process began them. `None` if the journal is
    /// longer than what was read, or if there are imported events.
    all_open: Option<Vec<OpenCall>>,
}

/// What was read of the end of a journal.
struct EndReading {
    words: EndWords,
    processes: Vec<(Option<u32>, bool)>,
    all_open: Option<Vec<OpenCall>>,
    /// Whether the system let all of the end be read.
    is_complete: bool,
}

impl<'a> JournalEnd<'a> {
    /// Returns the end of this session's journal as it is at `now`.
    pub fn of(dir: &'a SessionDir, now: Timestamp) -> Self {
        Self {
            dir,
            now,
            at_rest: OnceCell::new(),
        }
    }

    /// Returns the folder of the session.
    pub fn dir(&self) -> &'a SessionDir {
        self.dir
    }

    /// Returns the time at which it is read.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Acts as [`open_calls`].
    pub(super) fn open_calls(&self) -> Vec<OpenCall> {
        let noted = || {
            let (_, note) = self.at_rest()?;
            let all_open = note.as_ref()?.all_open.as_ref()?;
            self.dir
                .imported_stamp()
                .is_none()
                .then(|| all_open.clone())
        };
        noted().unwrap_or_else(|| open_calls(self.dir))
    }

    /// Returns what the end says. `has` returns whether a process still owns the session.
    pub(super) fn words(&self, has: impl Fn(Option<u32>) -> bool + Copy) -> EndWords {
        let at_rest = self.at_rest();
        if let Some((_, Some(note))) = at_rest
            && note.processes.iter().all(|(pid, had)| has(*pid) == *had)
        {
            return note.words.clone();
        }
        let Some(read) = EndReading::of(self.dir, has) else {
            return EndWords::default();
        };
        if let Some((journal, _)) = at_rest {
            self.note(*journal, &read);
        }
        read.words
    }

    fn at_rest(&self) -> Option<&(Meta, Option<EndNote>)> {
        let at_rest = || {
            let journal = self.dir.journal().meta()?;
            let is_at_rest = journal.modified.age(self.now) >= AT_REST;
            is_at_rest.then(|| (journal, EndNote::read(self.dir, &journal)))
        };
        self.at_rest.get_or_init(at_rest).as_ref()
    }

    /// Notes what was read of `journal`, unless it has changed since.
    fn note(&self, journal: Meta, read: &EndReading) {
        let all_open = read.all_open.as_ref().map_or(0, Vec::len);
        let is_short = read.words.open.len().max(all_open) <= MAX_OPEN;
        if !read.is_complete || !is_short || self.dir.journal().meta() != Some(journal) {
            return;
        }
        let note = EndNote {
            program: PROGRAM.to_owned(),
            journal,
            processes: read.processes.clone(),
            words: read.words.clone(),
            all_open: read.all_open.clone(),
        };
        // After a failure, the next call writes the note.
        let _ = serde_json::to_vec(&note).map(|bytes| self.dir.replace_end_note(&bytes));
    }
}

impl EndReading {
    /// Returns `None` if the journal cannot be read.
    fn of(dir: &SessionDir, has: impl Fn(Option<u32>) -> bool) -> Option<Self> {
        let asked = RefCell::new(BTreeMap::new());
        let has = |pid| {
            let mut asked = asked.borrow_mut();
            *asked.entry(pid).or_insert_with(|| has(pid))
        };
        let mut place = LastPlace::default();
        let recent = recent(dir, |line| place.hear(line))?;
        let is_whole = recent.is_whole && dir.imported_stamp().is_none();
        let activity = OpenActivity::of(&recent.trace);
        let all_open = is_whole.then(|| activity.open_calls().map(OpenCall::from).collect());
        let activity = activity.close(has);
        let words = EndWords {
            open: activity.open_calls().map(OpenCall::from).collect(),
            witness: Witness::of(&recent.trace, &activity, has),
            place,
        };
        Some(Self {
            words,
            all_open,
            processes: asked.into_inner().into_iter().collect(),
            is_complete: recent.damage.is_complete(),
        })
    }
}

impl EndNote {
    /// Reads the note on this journal.
    fn read(dir: &SessionDir, journal: &Meta) -> Option<Self> {
        let note: Self = serde_json::from_slice(&dir.end_note()?).ok()?;
        (note.program == PROGRAM && note.journal == *journal).then_some(note)
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "tests date and replace a journal"
)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::{Event, Project, Record};
    use crate::store::write::Durability;
    use crate::store::{Decompressor, Places, StateDir, clock};

    /// Returns a session with one call that process 7 has begun.
    fn session(root: &Path) -> SessionDir {
        let places = Places {
            state: Some(root.join("state")),
            pointers: root.to_owned(),
            config: None,
        };
        let state = StateDir::create(&places, Decompressor::BUILT_IN).unwrap();
        let id = "s-1".parse().unwrap();
        let dir = state.session(&id);
        let record = Record::new(id, &Project::at(root.to_owned()), clock::now());
        dir.create(&record, &event("SessionStart"), Durability::Cached)
            .unwrap();
        dir.journal().append(&call("PreToolUse", "t1")).unwrap();
        dir
    }

    fn event(kind: &str) -> Event {
        Event {
            v: 1,
            ts: Some(clock::now()),
            mono: Some(clock::since_boot()),
            event: kind.to_owned(),
            pid: Some(7),
            ..Event::default()
        }
    }

    fn call(kind: &str, id: &str) -> Event {
        Event {
            tool: Some("Bash".to_owned()),
            tool_use_id: Some(id.to_owned()),
            ..event(kind)
        }
    }

    /// Returns the ids of the calls that are open while process `pid` owns the session.
    fn open(dir: &SessionDir, pid: u32) -> Vec<String> {
        let end = JournalEnd::of(dir, clock::now());
        ids(end.words(|it| it.is_none_or(|it| it == pid)).open)
    }

    fn ids(calls: Vec<OpenCall>) -> Vec<String> {
        calls.into_iter().map(|call| call.tool_use_id).collect()
    }

    /// Dates the journal `seconds` back.
    fn age(dir: &SessionDir, seconds: i64) {
        let at = clock::now().micros() - seconds * 1_000_000;
        date(dir.journal().path(), Timestamp::from_micros(at));
    }

    fn date(path: &Path, at: Timestamp) {
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(at.to_utc().into()).unwrap();
    }

    /// Returns a session at rest whose end is noted, and the note says that another call is open.
    fn noted(root: &Path) -> SessionDir {
        let dir = session(root);
        age(&dir, 90);
        assert_eq!(open(&dir, 7), ["t1"]);
        let note = String::from_utf8(dir.end_note().unwrap()).unwrap();
        dir.replace_end_note(note.replace("\"t1\"", "\"noted\"").as_bytes())
            .unwrap();
        dir
    }

    #[test]
    fn the_end_of_a_journal_at_rest_is_noted() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        assert_eq!(open(&dir, 7), ["noted"]);
    }

    #[test]
    fn the_end_of_a_journal_that_was_just_written_is_not_noted() {
        let root = tempfile::tempdir().unwrap();
        let dir = session(root.path());
        assert_eq!(open(&dir, 7), ["t1"]);
        // A clock that was set back shows an age that is not one.
        age(&dir, -90);
        assert_eq!(open(&dir, 7), ["t1"]);
        assert_eq!(dir.end_note(), None);
    }

    #[test]
    fn a_note_is_not_believed_after_an_event() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        let before = dir.journal().meta().unwrap().modified;
        dir.journal().append(&call("PreToolUse", "t2")).unwrap();
        assert_eq!(open(&dir, 7), ["t1", "t2"]);
        // Even if the clock shows the same time again.
        date(dir.journal().path(), before);
        assert_eq!(open(&dir, 7), ["t1", "t2"]);
    }

    #[test]
    fn a_note_is_not_believed_of_a_journal_that_was_written_over_or_replaced() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        age(&dir, 80);
        assert_eq!(open(&dir, 7), ["t1"]);

        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        let (path, meta) = (dir.journal().path(), dir.journal().meta().unwrap());
        let copy = path.with_file_name("copy");
        std::fs::copy(path, &copy).unwrap();
        date(&copy, meta.modified);
        std::fs::rename(&copy, path).unwrap();
        assert_eq!(open(&dir, 7), ["t1"]);
    }

    #[test]
    fn a_note_is_not_believed_if_another_process_owns_the_session() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        // Process 7 is gone, and its call with it.
        assert_eq!(open(&dir, 8), [""; 0]);
        // The session is noted as it is now.
        assert_eq!(open(&dir, 7), ["t1"]);
    }

    #[test]
    fn a_note_that_is_damaged_or_of_another_release_is_not_believed() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        let note = String::from_utf8(dir.end_note().unwrap()).unwrap();
        let other = note.replace(PROGRAM, "0.0.1");
        for note in [&note[..note.len() - 9], "", &other] {
            dir.replace_end_note(note.as_bytes()).unwrap();
            assert_eq!(open(&dir, 7), ["t1"], "{note}");
        }
    }

    #[test]
    fn an_end_with_very_many_open_calls_is_not_noted() {
        let root = tempfile::tempdir().unwrap();
        let dir = session(root.path());
        for number in 0..MAX_OPEN {
            let begun = call("PreToolUse", &format!("t-{number}"));
            dir.journal().append(&begun).unwrap();
        }
        age(&dir, 90);
        assert_eq!(open(&dir, 7).len(), MAX_OPEN + 1);
        assert_eq!(dir.end_note(), None);
    }

    /// Returns the ids of all calls that the events leave open.
    fn all_open(dir: &SessionDir) -> Vec<String> {
        ids(JournalEnd::of(dir, clock::now()).open_calls())
    }

    #[test]
    fn all_open_calls_are_noted_whichever_process_began_them() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        assert_eq!(all_open(&dir), ["noted"]);
        // Process 7 is gone, which does not end its call.
        assert_eq!(open(&dir, 8), [""; 0]);
        assert_eq!(all_open(&dir), ["t1"]);
        dir.journal().append(&call("PostToolUse", "t1")).unwrap();
        assert_eq!(all_open(&dir), [""; 0]);
    }

    #[test]
    fn with_imported_events_the_note_does_not_say_which_calls_are_open() {
        let root = tempfile::tempdir().unwrap();
        let dir = noted(root.path());
        let begun = Event {
            origin: Some("transcript".to_owned()),
            ..call("PreToolUse", "imported")
        };
        let line = [begun.encode(), b"\n".to_vec()].concat();
        dir.replace_imported(&line, clock::now()).unwrap();
        assert_eq!(all_open(&dir), ["t1", "imported"]);
        dir.replace_end_note(b"").unwrap();
        assert_eq!(open(&dir, 7), ["t1"]);
        assert_eq!(all_open(&dir), ["t1", "imported"]);
    }
}
