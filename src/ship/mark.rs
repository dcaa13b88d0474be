//! A mark says how much of a session a destination has. What is new for the destination is the
//! difference between two marks; nothing else is stored.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batch::ItemKind;
use crate::model::SessionId;
use crate::model::project::to_hex;
use crate::store::Extent;

/// How much of a session a destination has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The events that the destination has.
    pub extent: Extent,
    /// True if no process owned the session. Then even unfinished calls, turns and subagents are
    /// sent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_over: bool,
    /// A digest of what is sent besides the events: title, role and so on.
    pub facts: String,
    /// A digest of the tokens, once they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// A stamp of the session's files. If the stamp is the same later, no file has changed.
    pub stamp: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A session that was sent only in part: some of the items between two marks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// The mark that the destination reaches once all these items are sent.
    pub to: Mark,
    /// How many of the items the destination has.
    pub sent: Counts,
    /// The version of ccsession that counted the items. Another version may create other items.
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

/// Identifies a session in a cursor. The key is a digest, so that no id of a deleted session
/// remains.
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
