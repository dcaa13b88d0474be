//! Writes into a record what its session is for.

use crate::model::Record;
use crate::model::purpose::{FocusSource, focus, said};
use crate::store::project;

/// What a session is for, as a user stated it.
#[derive(Debug, Clone, Default)]
pub struct Purpose {
    /// The session's name.
    pub name: Option<String>,
    /// The session's role.
    pub role: Option<String>,
    /// The session's focus.
    pub focus: Option<String>,
}

impl Purpose {
    /// Writes the purpose into `record`, and returns where the session's focus comes from. Fields
    /// without a new value stay. A session without a focus gets one from the name of the branch
    /// that is checked out in its project.
    pub fn enter(&self, record: &mut Record) -> FocusSource {
        for (field, text) in [
            (&mut record.name, &self.name),
            (&mut record.role, &self.role),
        ] {
            if let Some(text) = text.as_deref().and_then(said) {
                *field = Some(text);
            }
        }
        let head = project::head(&record.project.root());
        let branch = head.and_then(|head| head.branch);
        let (text, source) = focus(
            self.focus.as_deref(),
            record.focus.as_deref(),
            branch.as_deref(),
        );
        record.focus = Some(text);
        source
    }
}
