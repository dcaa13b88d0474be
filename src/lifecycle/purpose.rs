//! Entering into a record what its session is for: for whoever starts a session, or names one that is there.

use crate::model::Record;
use crate::model::purpose::{FocusSource, focus, said};
use crate::store::project;

/// What somebody says that a session is for.
#[derive(Debug, Clone, Default)]
pub struct Purpose {
    /// What it is called.
    pub name: Option<String>,
    /// Who it is.
    pub role: Option<String>,
    /// What it is for.
    pub focus: Option<String>,
}

impl Purpose {
    /// Enters it into `record`. What is not said stays; a session without a focus gets one by the branch that is checked
    /// out in its project. Where the focus came from is the answer.
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
