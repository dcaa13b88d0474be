//! The pointer to the session that is current in a project: written by a start or a prompt, and
//! kept fresh while the session works.

use std::path::Path;
use std::time::Duration;

use super::{EventContext, Recording};
use crate::model::{Project, SessionId};
use crate::store::pointer::PointerReading;
use crate::store::write::Durability;
use crate::store::{Error, StateDir};

/// The age at which a pointer is written again, so that it does not become stale while a long
/// session works.
const REFRESH_AFTER: Duration = Duration::from_secs(10 * 60);

/// Whether to write a pointer again that already names the session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PointerMove {
    /// Only if the pointer is old.
    IfNeeded,
    /// Always, because Claude Code has just started.
    ForStart,
}

impl Recording<'_> {
    /// Makes the session the current one of its project, unless the pointer already names it and is
    /// new enough. A session that was started within another session of the project does not
    /// replace that one.
    pub(super) fn move_pointer(
        &mut self,
        state: Option<&StateDir>,
        id: &SessionId,
        context: &EventContext,
        how: PointerMove,
    ) {
        let Some(project) = &context.project else {
            return;
        };
        let pointers = self.host(state).pointers();
        let reading = pointers.read(&project.name());
        let kept = match reading.fresh() {
            Some(current) if current == id => {
                !self.is_old(&reading) && how == PointerMove::IfNeeded
            }
            Some(_) => self.is_within_a_session_of(project, state, context),
            None => false,
        };
        let why_not_believed = why_not_believed(&reading, &pointers.path(&project.name()));
        let stored = if kept {
            Ok(())
        } else {
            pointers.store(&project.name(), id, Durability::Cached)
        };
        if self.done(stored).is_some() {
            self.note_for_debugging(why_not_believed);
        }
    }

    /// Returns true if Claude Code was started within a session of the same project.
    fn is_within_a_session_of(
        &self,
        project: &Project,
        state: Option<&StateDir>,
        context: &EventContext,
    ) -> bool {
        let (Some(state), Some(client)) = (state, &context.client) else {
            return false;
        };
        let mut around = client.around.iter().filter(|outer| !outer.is_launcher);
        around.any(|outer| state.session(&outer.id).is_in(project.root()))
    }

    /// Writes the pointer again if it names this session and is older than [`REFRESH_AFTER`].
    pub(super) fn refresh_pointer(
        &mut self,
        state: Option<&StateDir>,
        id: &SessionId,
        context: &EventContext,
    ) {
        let Some(project) = &context.project else {
            return;
        };
        let pointers = self.host(state).pointers();
        let reading = pointers.read(&project.name());
        let ours = matches!(&reading, PointerReading::Pointer { id: named, .. } if named == id);
        let why_not_believed = why_not_believed(&reading, &pointers.path(&project.name()));
        if ours && self.is_old(&reading) {
            let stored = pointers.store(&project.name(), id, Durability::Cached);
            self.done(stored);
        }
        self.note_for_debugging(why_not_believed);
    }

    /// With `HOOK_DEBUG=true`, logs why the existing pointer was not believed. Otherwise says
    /// nothing, because this is not a failure of the hook: somebody else wrote the pointer.
    fn note_for_debugging(&mut self, why: Option<String>) {
        if let Some(why) = why.filter(|_| self.env.hook_debug) {
            self.note(why);
        }
    }

    fn is_old(&self, reading: &PointerReading) -> bool {
        matches!(reading, PointerReading::Pointer { written, .. } if written.age(self.now) > REFRESH_AFTER)
    }
}

/// Returns why the pointer at `path` is not believed, or `None` if it is believed or does not
/// exist.
fn why_not_believed(reading: &PointerReading, path: &Path) -> Option<String> {
    match reading {
        PointerReading::Refused(err @ Error::Untrusted { path: refused, .. })
            if refused == path =>
        {
            Some(err.to_string())
        }
        PointerReading::Malformed(why, _) => Some(format!("could not believe the pointer: {why}")),
        PointerReading::Refused(_) | PointerReading::Absent | PointerReading::Pointer { .. } => {
            None
        }
    }
}
