//! Sessions that are not recorded: those of excluded projects, and those that somebody deleted.
//!
//! Only a start and a prompt check whether the project is excluded. Other events rely on what such
//! a check has left: a record that says that the recording stopped, or, instead of a journal, a
//! file that says why the session is not recorded (see [`unrecorded`]).

use std::path::Path;

use super::{EventContext, PriorRecord, Recording};
use crate::identity::liveness::Judge;
use crate::identity::roster::{self, ArchiveDecision};
use crate::model::event::name;
use crate::model::{Event, Record, SessionId, event};
use crate::store::exclusion::{self, Exclusion};
use crate::store::lock::HOOK_PATIENCE;
use crate::store::unrecorded::{self, Unrecorded};
use crate::store::{StateDir, clock, index};

/// The `reason` in the last event of a session whose project became excluded while the session was
/// recorded.
const REASON: &str = "excluded";

impl Recording<'_> {
    /// Returns whether this event is one that checks if the project is excluded.
    fn checks_exclusion(&self) -> bool {
        matches!(
            self.event_name.as_str(),
            name::SESSION_START | name::USER_PROMPT_SUBMIT
        )
    }

    /// Stops the recording of a session if this event finds that the project is excluded. Returns
    /// whether it stopped.
    pub(super) fn is_stopped(
        &mut self,
        state: Option<&StateDir>,
        id: &SessionId,
        context: &EventContext,
    ) -> bool {
        if !self.checks_exclusion() {
            return false;
        }
        match self.exclusion(context) {
            // If it is unknown whether the project is excluded, a session that is already recorded
            // stays so.
            None | Some(Exclusion::Unknown) => false,
            Some(_) => {
                self.stop(state, id, context);
                true
            }
        }
    }

    /// Returns whether a session without a journal may be recorded from now on.
    pub(super) fn may_begin(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        context: &EventContext,
    ) -> bool {
        let noted = unrecorded::of(state, id);
        match noted {
            Some(Unrecorded::Deleted) => return self.is_unnamed(),
            Some(Unrecorded::Excluded) if !self.checks_exclusion() => return self.is_unnamed(),
            Some(Unrecorded::Excluded) | None => {}
        }
        match self.exclusion(context) {
            Some(Exclusion::Unknown) => self.is_unnamed(),
            Some(_) => {
                self.stop(Some(state), id, context);
                false
            }
            None => {
                if noted.is_some() {
                    let forgotten = unrecorded::forget(state, id);
                    self.done(forgotten);
                }
                true
            }
        }
    }

    /// Keeps the session's id out of the error log, because the session must leave no trace. Always
    /// returns false, as a shorthand for callers.
    fn is_unnamed(&mut self) -> bool {
        self.session = None;
        false
    }

    /// Resumes a stopped recording, if this event has found that the project is no longer excluded.
    /// Returns whether the recording goes on.
    pub(super) fn goes_on(&mut self, state: &StateDir, id: &SessionId) -> bool {
        if !self.checks_exclusion() {
            return self.is_unnamed();
        }
        self.set_stopped(state, id, false)
    }

    fn exclusion(&self, context: &EventContext) -> Option<Exclusion> {
        let found = || {
            let cwd = self.payload.cwd();
            let start = self.env.claude_project_dir.as_deref();
            let start = start.or(cwd.as_deref().map(Path::new));
            exclusion::of(
                self.env,
                &self.config.exclude,
                start,
                context.project.as_ref()?,
            )
        };
        self.exclusion.get_or_init(found).clone()
    }

    /// Stops the recording of a session, if it was recorded. Removes what would lead to the
    /// session: owner, index entries and pointer.
    fn stop(&mut self, state: Option<&StateDir>, id: &SessionId, context: &EventContext) {
        if let Some(state) = state {
            let scope = state.session(id).scope();
            match scope.map(|known| known.stopped_at.is_some()) {
                None => {
                    let noted = unrecorded::note(state, id, Unrecorded::Excluded);
                    self.done(noted);
                }
                Some(true) => {}
                Some(false) => self.end(state, id, context),
            }
        }
        if let Some(project) = &context.project {
            let pointers = self.host(state).pointers();
            let removed = pointers.remove_if_names(&project.name(), id);
            self.done(removed);
        }
        self.is_unnamed();
    }

    /// Ends the recording of a session that was recorded until now.
    fn end(&mut self, state: &StateDir, id: &SessionId, context: &EventContext) {
        let last = Event {
            v: event::VERSION,
            ts: Some(self.now),
            mono: Some(clock::since_boot()),
            event: name::SESSION_END.to_owned(),
            session_id: Some(id.clone()),
            reason: Some(REASON.to_owned()),
            ..Event::default()
        };
        let session = state.session(id);
        let appended = session.journal().append(&last);
        self.done(appended);
        if let Some(client) = &context.client {
            let removed = session.remove_owner(&client.owner);
            self.done(removed);
            if index::session_of_process(state, &client.owner).as_ref() == Some(id) {
                let forgotten = index::forget_process(state, &client.owner);
                self.done(forgotten);
            }
        }
        if let Some(project) = &context.project {
            let judge = Judge::new(state, &self.config, self.now);
            let left = roster::leave(&judge, id, [project.key()], ArchiveDecision::Off);
            self.done(left);
        }
        self.set_stopped(state, id, true);
    }

    /// Writes to the record whether the recording has stopped. Returns true on success.
    fn set_stopped(&mut self, state: &StateDir, id: &SessionId, has_stopped: bool) -> bool {
        let stopped_at = has_stopped.then_some(self.now);
        let updated = state.update_record(id, HOOK_PATIENCE, |record| {
            Some(Record {
                stopped_at,
                ..record.clone()
            })
        });
        self.done(updated).is_some()
    }
}

impl PriorRecord {
    /// Returns whether the session is recorded after this event.
    pub(super) fn is_recorded(self) -> bool {
        self != Self::Stopped
    }
}
