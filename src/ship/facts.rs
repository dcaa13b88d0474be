//! What a destination learns about a session besides its events: the record, the title, the
//! repository and, once the session is over, the tokens.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::mark::Mark;
use crate::model::project::to_hex;
use crate::model::{Record, Usage};
use crate::view::otlp::{OtlpMachine, Remote};

/// What a destination learns about a session besides its events.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The session's record.
    pub record: Record,
    /// The session's title.
    pub title: Option<String>,
    /// The machine on which the session ran.
    pub machine: OtlpMachine,
    /// The repository in which the session worked.
    pub remote: Option<Remote>,
    /// The tokens that the session used, once it is over.
    pub usage: Option<Usage>,
}

impl SessionFacts {
    /// Returns a digest of everything but the tokens.
    pub fn digest(&self) -> String {
        let record = &self.record;
        let remote = self.remote.as_ref().map(|remote| &remote.url);
        digest_of(&(
            (&self.title, &record.role, &record.focus, &record.name),
            (&record.previous, &record.parent, &record.agent_type),
            (&record.cwd, &record.head, &record.project.name),
            (&self.machine.name, &self.machine.id, remote),
        ))
    }

    /// Returns a digest of the tokens.
    pub fn usage_digest(&self) -> Option<String> {
        self.usage.as_ref().map(digest_of)
    }

    /// Returns the facts that the destination knew at `mark`. If facts have changed since, leaves
    /// them out. Every item that contains such a fact then counts as new.
    pub fn as_of(&self, mark: &Mark) -> Self {
        let mut facts = self.clone();
        if mark.usage != self.usage_digest() {
            facts.usage = None;
        }
        if mark.facts != self.digest() {
            facts.title = None;
            facts.machine = OtlpMachine::default();
            facts.remote = None;
            // No session has this role. So every item that contains the role counts as new.
            facts.record.role = Some("\0".to_owned());
            facts.record.focus = None;
            facts.record.name = None;
            facts.record.previous = None;
            facts.record.parent = None;
            facts.record.agent_type = None;
            facts.record.cwd = None;
            facts.record.head = None;
        }
        facts
    }
}

fn digest_of(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut digest = to_hex(&Sha256::digest(json));
    digest.truncate(16);
    digest
}
