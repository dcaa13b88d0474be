//! How much of a session a destination has. What is new for it is the difference between two marks,
//! and nothing else is remembered.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batch::ItemKind;
use crate::model::SessionId;
use crate::model::project::to_hex;
use crate::store::Extent;

/// How much of a session a destination has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The events that were known.
    pub extent: Extent,
    /// True if no process owned the session. What has no end is then sent, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_over: bool,
    /// A digest of what is sent besides the events: title, role and so on.
    pub facts: String,
    /// A digest of the tokens, once they are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// A stamp of the session's files. If it is the same, nothing has changed.
    pub stamp: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A session that is only partly sent: from the mark that the destination has to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// The mark that the destination has once all is sent.
    pub to: Mark,
    /// How many of the items of each signal it has.
    pub sent: Counts,
    /// The version of the program that counted them. Another version may make other items.
    pub by: String,
}

/// A number for each signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Spans.
    #[serde(default)]
    pub spans: u64,
    /// Log records, or events as they were recorded.
    #[serde(default)]
    pub logs: u64,
}

impl Counts {
    /// Counts items of this kind.
    pub fn add(&mut self, kind: ItemKind, items: u64) {
        match kind {
            ItemKind::Span => self.spans += items,
            ItemKind::Log => self.logs += items,
        }
    }
}

/// Identifies a session in a cursor. It is a digest, so that no id of a deleted session stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionKey(String);

impl From<&SessionId> for SessionKey {
    fn from(id: &SessionId) -> Self {
        let mut key = to_hex(&Sha256::digest(id.as_str()));
        key.truncate(16);
        Self(key)
    }
}
