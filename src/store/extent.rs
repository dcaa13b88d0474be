//! Remembers which events of a session existed at some moment, so that exactly these can be read
//! again later.

use std::io::Read;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::file;
use super::history::{History, LineOrigin};
use super::journal::JournalExtent;
use super::session::SessionDir;
use crate::model::project::to_hex;
use crate::model::{JournalLine, TraceBuilder};

/// How many bytes of the imported events are read at once.
const PIECE: usize = 64 * 1024;

/// The events of a session that existed at some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The part of the journal that existed.
    #[serde(flatten)]
    pub journal: JournalExtent,
    /// The imported events that existed; `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedExtent>,
}

/// The file of imported events at some moment. An import replaces it as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ImportedExtent {
    length: u64,
    digest: String,
}

impl Extent {
    /// Returns the extent of the events that the session in `dir` has now.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the session cannot be trusted or
    /// read.
    pub fn of(dir: &SessionDir) -> Result<Self> {
        Ok(Self {
            journal: dir.journal().extent()?,
            imported: imported(dir, u64::MAX)?,
        })
    }

    /// Returns whether there was no event.
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty() && self.imported.is_none()
    }

    /// Returns the total length of the events in bytes.
    pub fn bytes(&self) -> u64 {
        let imported = self.imported.as_ref().map_or(0, |it| it.length);
        self.journal.bytes() + imported
    }
}

impl History {
    /// Reads the events within `extent` into `trace`, and passes each line to `reader`, as
    /// [`History::read`] does. The session is in `dir`.
    ///
    /// Returns `None` if the journal was replaced since. Skips the imported events if they were
    /// replaced.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file cannot be trusted or opened, and
    /// [`Error::Content`] if it cannot be read to its end.
    pub fn read_within(
        dir: &SessionDir,
        extent: &Extent,
        mut trace: TraceBuilder,
        mut reader: impl FnMut(LineOrigin, &JournalLine<'_>),
    ) -> Result<Option<Self>> {
        let none = JournalExtent::default();
        let Some(journal) = dir.journal().lines_between(&none, &extent.journal)? else {
            return Ok(None);
        };
        let mut damage = journal.for_each(|line| {
            reader(LineOrigin::Journal, line);
            trace.push(line);
        });
        if let Some(known) = &extent.imported
            && imported(dir, known.length)?.as_ref() == Some(known)
        {
            damage += dir.imported_lines_within(known.length)?.for_each(|line| {
                reader(LineOrigin::Imported, line);
                trace.push(line);
            });
        }
        Ok(Some(Self {
            trace: trace.finish(),
            damage: damage.or_retry(dir.path())?,
            missing: dir.journal().missing()?,
        }))
    }
}

/// Returns the extent of the session's imported events, but of at most their first `length` bytes.
fn imported(dir: &SessionDir, length: u64) -> Result<Option<ImportedExtent>> {
    let path = dir.imported();
    let Some(file) = file::open_own(&path)? else {
        return Ok(None);
    };
    let mut file = file.take(length);
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        let read = file::read_some(&mut file, &mut piece).map_err(Error::io("read", &path))?;
        if read == 0 {
            break;
        }
        digest.update(piece.get(..read).unwrap_or_default());
        length += read as u64;
    }
    let mut digest = to_hex(&digest.finalize());
    digest.truncate(16);
    Ok((length > 0).then_some(ImportedExtent { length, digest }))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Event, Project, Record, Timestamp};
    use crate::store::journal::Rotation;
    use crate::store::write::Durability;
    use crate::store::{Decompressor, Places, StateDir};

    struct Recorded {
        _root: tempfile::TempDir,
        dir: SessionDir,
        events: u64,
    }

    fn event(number: u64) -> Event {
        Event {
            v: 1,
            ts: Some(Timestamp::from_unix(1_800_000_000, 0)),
            event: "Notification".to_owned(),
            mono: Some(number),
            pid: Some(1),
            what: Some("x".repeat(usize::try_from(number * 37 % 200).unwrap())),
            ..Event::default()
        }
    }

    impl Recorded {
        fn begin() -> Self {
            let root = tempfile::tempdir().unwrap();
            let places = Places {
                state: Some(root.path().join("state")),
                pointers: root.path().to_owned(),
                config: None,
            };
            let id = "s-1".parse().unwrap();
            let dir = StateDir::create(&places, Decompressor::BUILT_IN)
                .unwrap()
                .session(&id);
            let now = Timestamp::from_unix(1_800_000_000, 0);
            let record = Record::new(id, &Project::at(root.path().to_owned()), now);
            dir.create(&record, &event(0), Durability::Cached).unwrap();
            Self {
                _root: root,
                dir,
                events: 1,
            }
        }

        fn record(&mut self) {
            let _ = self.dir.journal().append(&event(self.events)).unwrap();
            self.events += 1;
        }

        fn numbers(&self, extent: &Extent) -> Option<Vec<u64>> {
            let mut numbers = Vec::new();
            let trace = TraceBuilder::default();
            History::read_within(&self.dir, extent, trace, |_, line| {
                numbers.extend(line.mono);
            })
            .unwrap()
            .map(|_| numbers)
        }

        fn between(&self, from: &Extent, to: &Extent) -> Option<Vec<u64>> {
            let mut numbers = Vec::new();
            let journal = self.dir.journal();
            let lines = journal.lines_between(&from.journal, &to.journal).unwrap()?;
            lines.for_each(|line| numbers.extend(line.mono));
            Some(numbers)
        }

        #[allow(clippy::disallowed_methods, reason = "a test does what a process does")]
        fn write_raw(&self, path: PathBuf, bytes: &[u8]) {
            use std::io::Write;
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            file.write_all(bytes).unwrap();
        }

        fn compress(&self) {
            let journal = self.dir.journal();
            for part in journal.compressible(1, |_| true).unwrap() {
                if part != journal.path() {
                    let _ = journal.compress(&part).unwrap();
                }
            }
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Happening {
        Event,
        Rotation,
        PutAside,
        Compression,
        Look,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            5 => Just(Happening::Event),
            1 => Just(Happening::Rotation),
            1 => Just(Happening::PutAside),
            1 => Just(Happening::Compression),
            3 => Just(Happening::Look),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_known_at_a_moment_is_read_again_whatever_happens_to_the_files(
            happenings in prop::collection::vec(happening(), 1..40)
        ) {
            let mut recorded = Recorded::begin();
            let mut looks = Vec::new();
            for happening in happenings {
                match happening {
                    Happening::Event => recorded.record(),
                    Happening::Rotation => {
                        let _ = recorded.dir.journal().rotate(0).unwrap();
                    }
                    Happening::PutAside => {
                        let _ = recorded.dir.journal().put_aside().unwrap();
                    }
                    Happening::Compression => recorded.compress(),
                    Happening::Look => {
                        looks.push((Extent::of(&recorded.dir).unwrap(), recorded.events));
                    }
                }
            }
            looks.push((Extent::of(&recorded.dir).unwrap(), recorded.events));
            let mut before = (Extent::default(), 0);
            for look in looks {
                let (extent, events) = &look;
                let known: Vec<u64> = (0..*events).collect();
                prop_assert_eq!(recorded.numbers(extent), Some(known));
                let new: Vec<u64> = (before.1..*events).collect();
                prop_assert_eq!(recorded.between(&before.0, extent), Some(new));
                before = look;
            }
        }
    }

    #[test]
    fn a_late_event_in_a_full_part_is_read_as_new() {
        let mut recorded = Recorded::begin();
        recorded.record();
        assert_eq!(recorded.dir.journal().rotate(0).unwrap(), Rotation::Done);
        recorded.record();
        let before = Extent::of(&recorded.dir).unwrap();
        let part = recorded
            .dir
            .journal()
            .path()
            .with_file_name("events.1.jsonl");
        let line = event(77).encode();
        recorded.write_raw(part, &[b"\n", line.as_slice(), b"\n"].concat());
        let after = Extent::of(&recorded.dir).unwrap();
        assert_eq!(recorded.numbers(&before), Some(vec![0, 1, 2]));
        assert_eq!(recorded.between(&before, &after), Some(vec![77]));
        assert_eq!(recorded.numbers(&after), Some(vec![0, 1, 77, 2]));
    }

    #[test]
    fn a_line_that_is_being_written_counts_once_it_is_whole() {
        let mut recorded = Recorded::begin();
        recorded.record();
        let line = event(5).encode();
        let path = recorded.dir.journal().path().to_owned();
        let (half, rest) = line.split_at(line.len() / 2);
        recorded.write_raw(path.clone(), &[b"\n", half].concat());
        let before = Extent::of(&recorded.dir).unwrap();
        assert_eq!(recorded.numbers(&before), Some(vec![0, 1]));
        recorded.write_raw(path, &[rest, b"\n"].concat());
        let after = Extent::of(&recorded.dir).unwrap();
        assert_eq!(recorded.between(&before, &after), Some(vec![5]));
    }

    #[test]
    fn another_journal_under_the_same_id_is_recognised() {
        let mut first = Recorded::begin();
        first.record();
        let known = Extent::of(&first.dir).unwrap();
        let mut other = Recorded::begin();
        for _ in 0..9 {
            other.record();
        }
        assert_eq!(other.numbers(&known), Some(vec![0, 1]));
        let shorter = Recorded::begin();
        assert_eq!(shorter.numbers(&known), None);
        let mut foreign = known.clone();
        foreign.journal = serde_json::from_value(serde_json::json!({
            "bytes": [10], "begins": "0000000000000000"
        }))
        .unwrap();
        assert_eq!(first.numbers(&foreign), None);
    }

    #[test]
    fn imported_events_that_were_replaced_are_left_out() {
        let recorded = Recorded::begin();
        let now = Timestamp::from_unix(1_800_000_100, 0);
        let lines = |numbers: &[u64]| {
            let lines = numbers
                .iter()
                .map(|it| [event(*it).encode(), b"\n".to_vec()].concat());
            lines.collect::<Vec<_>>().concat()
        };
        recorded
            .dir
            .replace_imported(&lines(&[10, 11]), now)
            .unwrap();
        let known = Extent::of(&recorded.dir).unwrap();
        assert_eq!(recorded.numbers(&known), Some(vec![0, 10, 11]));
        recorded
            .dir
            .replace_imported(&lines(&[10, 11, 12]), now)
            .unwrap();
        assert_eq!(recorded.numbers(&known), Some(vec![0, 10, 11]));
        recorded
            .dir
            .replace_imported(&lines(&[9, 10, 11]), now)
            .unwrap();
        assert_eq!(recorded.numbers(&known), Some(vec![0]));
    }
}
