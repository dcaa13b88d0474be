//! What a new session gets: its record, its journal, and the client process as its owner.

use super::{EventContext, Recording, SessionProcess, take_known};
use crate::claude::words::StartSource;
use crate::identity::roster::{self, OpenOutcome};
use crate::model::event::{TRANSCRIPT, name};
use crate::model::label::session_name;
use crate::model::{Capture, Event, Project, Record, SessionId};
use crate::store::write::Durability;
use crate::store::{StateDir, machine_id, machine_name, remote};

impl Recording<'_> {
    /// Creates the session's record, and its journal beginning with `event`.
    pub(super) fn begin(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        context: &EventContext,
        mut event: Event,
        source: &str,
    ) {
        let Some(project) = &context.project else {
            return;
        };
        let session = state.session(id);
        let record = self.new_record(id, project, context.client.as_ref(), source);
        take_known(&mut event, &record.scope());
        let durability = self.durability();
        let opened = roster::open_or_create(&session, &record, &event, durability, || Ok(()));
        if self.done(opened) == Some(OpenOutcome::Created) {
            self.log(state, id, project, "session created");
        }
    }

    /// Creates a lost record again from this event and the first event of the journal. A power
    /// failure may lose a record.
    pub(super) fn rebuild_record(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        context: &EventContext,
        source: &str,
    ) {
        let Some(project) = &context.project else {
            return;
        };
        let session = state.session(id);
        let mut record = self.new_record(id, project, context.client.as_ref(), source);
        let first = session
            .journal()
            .events()
            .ok()
            .and_then(|mut events| events.next());
        if let Some(first) = first {
            record.started_at = first.ts.map_or(record.started_at, |at| at.min(self.now));
            if first.event == name::SESSION_START {
                record.source = first.source.or(record.source);
            }
        }
        let created = session.create_record(&record, self.durability());
        if self.done(created) == Some(true) {
            self.log(state, id, project, "record made again");
        }
    }

    /// Returns whether a write waits for the disk. Only at a session's start it does. A power
    /// failure may lose other writes, which the next event repeats.
    fn durability(&self) -> Durability {
        match self.event_name == name::SESSION_START {
            true => Durability::Synced,
            false => Durability::Cached,
        }
    }

    fn new_record(
        &self,
        id: &SessionId,
        project: &Project,
        client: Option<&SessionProcess>,
        source: &str,
    ) -> Record {
        let mut record = Record::new(id.clone(), project, self.now);
        record.cwd = self.payload.text("cwd");
        record.transcript_path = self.payload.text("transcript_path");
        record.source = Some(source.to_owned()).filter(|source| !is_our_own_source(source));
        record.model = self.payload.text("model");
        record.agent_type = self
            .payload
            .text("agent_type")
            .filter(|_| !self.payload.is_subagent());
        let title = self
            .payload
            .text("session_title")
            .filter(|_| self.config.capture != Capture::Metadata);
        record.name = title.as_deref().and_then(session_name);
        let (head, remote) = remote::head_and_remote(project.root());
        record.head = head;
        record.remote = remote.map(|remote| remote.url);
        record.machine = client
            .and_then(|client| client.owner.machine.clone())
            .or_else(machine_name);
        // This reads no file: the machine id was already read for the owner.
        record.machine_id = machine_id();
        // The origin of a fork is the session that was in the same process before (`/branch`). The
        // origin of a fork in another process is unknown.
        if matches!(
            StartSource::of(source),
            StartSource::Clear | StartSource::Fork
        ) {
            record.previous = self.previous.clone();
        }
        record.parent = client
            .and_then(|client| {
                client
                    .around
                    .iter()
                    .map(|outer| &outer.id)
                    .find(|outer| *outer != id)
            })
            .filter(|outer| record.previous.as_ref() != Some(*outer))
            .cloned();
        record.redact_words();
        record
    }

    /// Makes the client process an owner of the session, and adds the session to the live index.
    pub(super) fn join(&mut self, state: &StateDir, id: &SessionId, context: &EventContext) {
        if let Some(project) = &context.project {
            let owner = context.client.as_ref().map(|client| &client.owner);
            let joined = roster::join(state, id, project, owner);
            self.done(joined);
        }
    }
}

/// Returns whether ccsession itself uses this word as the source of sessions that no hook began.
/// Then a payload may not use it.
fn is_our_own_source(source: &str) -> bool {
    matches!(source, "" | TRANSCRIPT | "run" | "clock-in")
}
