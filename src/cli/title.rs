//! Finds the title of a session, even if only its archive still has it.

use crate::archive::recorded;
use crate::identity::title::{self, Title, TitleSource};
use crate::model::{Capture, Record};
use crate::store::archive::Archives;
use crate::store::{Environment, StateDir};

/// Returns the title of a session, from the sources of [`title::title`] or else from its archive.
pub(super) fn title(
    env: &Environment,
    state: &StateDir,
    record: &Record,
    capture: Capture,
) -> Option<Title> {
    let dir = state.session(&record.session_id);
    title::title(env, &dir, record, capture).or_else(|| {
        if capture == Capture::Metadata {
            return None;
        }
        let archived = recorded(&Archives::of(state), record).ok()??;
        Some(Title {
            text: archived.manifest.title?,
            source: TitleSource::Archive,
        })
    })
}
