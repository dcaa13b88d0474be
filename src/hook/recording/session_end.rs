//! The end of a session, or of one client process that worked in it.

use std::collections::BTreeSet;

use super::{EventContext, Recording};
use crate::claude::words::EndReason;
use crate::identity::liveness::Judge;
use crate::identity::roster::{self, ArchiveDecision, LeaveOutcome};
use crate::model::{Project, SessionId};
use crate::store::StateDir;

impl Recording<'_> {
    /// Records the end of a session in one client process. The session itself has ended if no other
    /// process owns it.
    pub(super) fn session_end(
        &mut self,
        state: Option<&StateDir>,
        id: &SessionId,
        context: &EventContext,
    ) {
        if let Some(state) = state {
            if !self.journal(state, id, context, "late").is_recorded() {
                return;
            }
            self.remove_client(state, id, context);
            if self.has_other_owner(state, id) {
                return;
            }
            if self.take_off_live_list(state, id, context) == Some(LeaveOutcome::Resumed) {
                return;
            }
        }
        if let Some(project) = &context.project {
            let removed = self
                .host(state)
                .pointers()
                .remove_if_names(&project.name(), id);
            self.done(removed);
        }
    }

    fn remove_client(&mut self, state: &StateDir, id: &SessionId, context: &EventContext) {
        if let Some(client) = &context.client {
            let removed = state.session(id).remove_owner(&client.owner);
            self.done(removed);
        }
    }

    /// Returns true if another process still owns the session.
    fn has_other_owner(&self, state: &StateDir, id: &SessionId) -> bool {
        let reason = self.payload.text("reason");
        let is_moving_on = reason.is_some_and(|reason| EndReason::of(&reason).is_moving_on());
        Judge::new(state, &self.config, self.now).is_owned(id, is_moving_on)
    }

    /// Removes an ended session from the live index, under its current project and under the one
    /// where it began.
    fn take_off_live_list(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        context: &EventContext,
    ) -> Option<LeaveOutcome> {
        let record = state.session(id).record();
        let began_in = self
            .done(record)
            .flatten()
            .map(|record| Project::at(record.project.root()));
        let projects = context.project.iter().chain(&began_in);
        let keys: BTreeSet<String> = projects.map(Project::key).collect();
        let judge = Judge::new(state, &self.config, self.now);
        let left = roster::leave(
            &judge,
            id,
            keys,
            ArchiveDecision::by(self.config.archive_auto),
        );
        let left = self.done(left);
        if let (Some(project), Some(LeaveOutcome::Retired)) = (&context.project, left) {
            self.log(state, id, project, "session ended");
        }
        left
    }
}
