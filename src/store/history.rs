//! All recorded events of a session, in order: those from hooks and the imported ones.

use std::path::PathBuf;

use super::error::Result;
use super::journal::Damage;
use super::session::SessionDir;
use crate::model::{JournalLine, Trace, TraceBuilder};

/// The events of a session, and what could not be read.
#[derive(Debug)]
pub struct History {
    /// The events, in order.
    pub trace: Trace,
    /// The damage in the journal and the imported events.
    pub damage: Damage,
    /// The missing files of the journal.
    pub missing: Vec<PathBuf>,
}

/// The file that a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOrigin {
    /// The journal: a hook recorded the event.
    Journal,
    /// The imported events: the event was derived from a transcript.
    Imported,
}

impl History {
    /// Reads all events of the session in `dir` into `trace`. Passes each line to `reader` as it is
    /// read, which is not always in the order of the events.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`](super::Error::Untrusted) or [`Error::Io`](super::Error::Io) if
    /// a file of the session cannot be trusted or opened.
    pub fn read(
        dir: &SessionDir,
        mut trace: TraceBuilder,
        mut reader: impl FnMut(LineOrigin, &JournalLine<'_>),
    ) -> Result<Self> {
        let imported = dir.imported_lines()?;
        let journal = dir.journal().lines()?;
        let missing = journal.missing().to_vec();
        let mut damage = journal.for_each(|line| {
            reader(LineOrigin::Journal, line);
            trace.push(line);
        });
        damage += imported.for_each(|line| {
            reader(LineOrigin::Imported, line);
            trace.push(line);
        });
        Ok(Self {
            trace: trace.finish(),
            damage,
            missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::model::{Event, Project, Record, Timestamp};
    use crate::store::write::Durability;
    use crate::store::{Decompressor, Places, StateDir};

    fn event(seconds: i64) -> Event {
        Event {
            v: 1,
            ts: Some(Timestamp::from_unix(1_800_000_000 + seconds, 0)),
            event: "Notification".to_owned(),
            ..Event::default()
        }
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "a test writes what a killed hook leaves"
    )]
    fn imported_events_are_in_order_and_hide_no_write_in_flight() {
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
        let now = Timestamp::from_unix(1_800_000_100, 0);
        let record = Record::new(id, &Project::at(root.path().to_owned()), now);
        dir.create(&record, &event(2), Durability::Cached).unwrap();
        let mut journal = std::fs::File::options()
            .append(true)
            .open(dir.journal().path())
            .unwrap();
        journal.write_all(b"\n{\"v\":1,").unwrap();
        let imported = [event(1), event(3)].map(|event| [event.encode(), b"\n".to_vec()].concat());
        dir.replace_imported(&imported.concat(), now).unwrap();

        let mut origins = Vec::new();
        let history = History::read(&dir, TraceBuilder::default(), |origin, _| {
            origins.push(origin);
        });
        let history = history.unwrap();
        assert_eq!(
            origins,
            [
                LineOrigin::Journal,
                LineOrigin::Imported,
                LineOrigin::Imported
            ]
        );
        let seconds = history.trace.steps().iter().map(|step| step.ts.micros());
        let seconds: Vec<i64> = seconds.map(|at| at / 1_000_000 - 1_800_000_000).collect();
        assert_eq!(seconds, [1, 2, 3]);
        let in_flight = Damage {
            in_flight: 1,
            ..Damage::default()
        };
        assert_eq!(history.damage, in_flight);
    }
}
