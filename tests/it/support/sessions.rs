//! Sessions of any size, written as hooks would write them.

use std::path::Path;

use ccsession::model::event::name;
use ccsession::model::{Event, Project, Record, Timestamp};
use ccsession::store::write::Durability;
use ccsession::store::{Decompressor, Places, SessionDir, StateDir};

use super::Sandbox;

/// A session that a test writes.
pub(crate) struct WrittenSession {
    pub(crate) id: String,
    pub(crate) dir: SessionDir,
    began: i64,
    calls: i64,
}

/// Opens the state directory of a sandbox, creating it if it is missing.
pub(crate) fn state_of(sandbox: &Sandbox) -> StateDir {
    let places = Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    StateDir::create(&places, Decompressor::BUILT_IN).unwrap()
}

impl WrittenSession {
    /// Begins a session, `began` seconds after the epoch. No process owns it.
    pub(crate) fn begin(sandbox: &Sandbox, number: u32, began: i64) -> Self {
        let id = format!("{number:08x}-2222-4333-8444-555566667777");
        let project = Project::at(sandbox.project());
        let at = Timestamp::from_unix(began, 0);
        let mut record = Record::new(id.parse().unwrap(), &project, at);
        record.source = Some("startup".to_owned());
        let dir = state_of(sandbox).session(&record.session_id);
        let start = Event {
            source: Some("startup".to_owned()),
            ..event(began, name::SESSION_START)
        };
        let _ = dir.create(&record, &start, Durability::Cached).unwrap();
        let session = Self {
            id,
            dir,
            began,
            calls: 0,
        };
        session.append(&Event {
            prompt_id: Some("p-1".to_owned()),
            ..event(began + 1, name::USER_PROMPT_SUBMIT)
        });
        session
    }

    pub(crate) fn append(&self, event: &Event) {
        let _ = self.dir.journal().append(event).unwrap();
    }

    /// Makes `count` calls of two events each.
    pub(crate) fn call(&mut self, count: i64) {
        for _ in 0..count {
            self.calls += 1;
            let at = self.began + 1 + self.calls;
            for kind in [name::PRE_TOOL_USE, name::POST_TOOL_USE] {
                let what =
                    (kind == name::PRE_TOOL_USE).then(|| format!("make target-{}", self.calls));
                self.append(&Event {
                    tool: Some("Bash".to_owned()),
                    tool_use_id: Some(format!("toolu_{}", self.calls)),
                    prompt_id: Some("p-1".to_owned()),
                    what,
                    ..event(at, kind)
                });
            }
        }
    }

    /// Ends the turn and the session.
    pub(crate) fn end(&self) {
        let at = self.began + 3 + self.calls;
        self.append(&Event {
            prompt_id: Some("p-1".to_owned()),
            ..event(at, name::STOP)
        });
        self.append(&Event {
            reason: Some("other".to_owned()),
            ..event(at + 1, name::SESSION_END)
        });
    }

    /// The files of the session.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Returns an event of the process 4711.
pub(crate) fn event(at: i64, kind: &str) -> Event {
    Event {
        v: 1,
        ts: Some(Timestamp::from_unix(at, 0)),
        mono: Some(u64::try_from(at % 1_000_000_000).unwrap() * 1_000_000),
        event: kind.to_owned(),
        pid: Some(4711),
        ..Event::default()
    }
}
