//! A session on the board: its group, and its place among the others. Pure.

use std::cmp::Ordering;

use super::facts::{CallCounts, SessionFacts};
use crate::model::Timestamp;
use crate::model::attention::Need;

/// What a person has to do with a session. The groups are shown in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cli) enum Group {
    /// The session cannot go on until a person answers.
    NeedsYou,
    /// The session works.
    Working,
    /// The session's turn is over.
    Done,
    /// In the session, nothing happened for the idle timeout.
    Idle,
}

impl Group {
    /// All groups, in the order in which they are shown.
    pub(in crate::cli) const ALL: [Self; 4] =
        [Self::NeedsYou, Self::Working, Self::Done, Self::Idle];

    /// Returns the group of a session.
    pub(in crate::cli) fn of(facts: &SessionFacts) -> Self {
        match facts.attention.state {
            need if need.is_dialog() || need == Need::Error => Self::NeedsYou,
            _ if facts.is_idle => Self::Idle,
            Need::Prompt => Self::Done,
            _ => Self::Working,
        }
    }

    /// Returns the heading of the group.
    pub(in crate::cli) fn heading(self) -> &'static str {
        match self {
            Self::NeedsYou => "NEEDS YOU",
            Self::Working => "WORKING",
            Self::Done => "DONE",
            Self::Idle => "IDLE",
        }
    }

    /// Returns the name of the group within a sentence.
    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::NeedsYou => "need you",
            Self::Working => "working",
            Self::Done => "done",
            Self::Idle => "idle",
        }
    }
}

/// The order of the sessions within a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cli) enum SortKey {
    /// By the time when the sessions came into the group, the earliest at the top.
    #[default]
    Time,
    Title,
    Project,
    /// By the number of calls, the most at the top.
    Calls,
    /// By the number of tokens, the most at the top.
    Tokens,
}

impl SortKey {
    pub(in crate::cli) fn next(self) -> Self {
        match self {
            Self::Time => Self::Title,
            Self::Title => Self::Project,
            Self::Project => Self::Calls,
            Self::Calls => Self::Tokens,
            Self::Tokens => Self::Time,
        }
    }

    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Title => "title",
            Self::Project => "project",
            Self::Calls => "calls",
            Self::Tokens => "tokens",
        }
    }
}

/// A session on the board.
#[derive(Debug, Clone)]
pub(in crate::cli) struct BoardSession {
    pub(in crate::cli) facts: SessionFacts,
    pub(in crate::cli) group: Group,
    /// When the session came into its group.
    pub(in crate::cli) entered: Timestamp,
    /// The number of calls; `None` until they are counted.
    pub(in crate::cli) counts: Option<CallCounts>,
    /// The number of tokens; `None` until they are counted, and for a session without a transcript.
    pub(in crate::cli) tokens: Option<u64>,
}

impl BoardSession {
    /// Combines what was observed at `now` with what was known of the session before.
    pub(in crate::cli) fn new(facts: SessionFacts, before: Option<Self>, now: Timestamp) -> Self {
        let group = Group::of(&facts);
        let entered = match &before {
            Some(before) if before.group == group => before.entered,
            Some(_) => facts.attention.since.unwrap_or(now),
            None => match group {
                Group::Working => facts.started,
                Group::Idle => facts.last_activity,
                Group::NeedsYou | Group::Done => facts.attention.since.unwrap_or(now),
            },
        };
        Self {
            group,
            entered,
            counts: before.as_ref().and_then(|it| it.counts),
            tokens: before.and_then(|it| it.tokens),
            facts,
        }
    }

    /// Returns when the session began what it does now: to wait, to make its latest open call, or
    /// to do nothing.
    pub(in crate::cli) fn since(&self) -> Timestamp {
        let facts = &self.facts;
        let of_call = || facts.open_calls.last().and_then(|call| call.since);
        let since = match self.group {
            Group::NeedsYou | Group::Done => facts.attention.since,
            Group::Working => of_call(),
            Group::Idle => None,
        };
        since.unwrap_or(facts.last_activity)
    }

    /// Returns whether each word of `filter` is in the title, project, branch, id, group, state or
    /// a tool of the session.
    pub(in crate::cli) fn matches(&self, filter: &str) -> bool {
        let facts = &self.facts;
        let attention = &facts.attention;
        let tools = facts.open_calls.iter().map(|call| call.tool.as_deref());
        let branch = facts.branch.as_deref();
        let mut texts = vec![
            facts.title.to_lowercase(),
            facts.project.to_lowercase(),
            facts.id.as_str().to_lowercase(),
            self.group.heading().to_lowercase(),
            attention.state.as_str().to_owned(),
        ];
        let more = tools.chain([branch, attention.tool.as_deref()]).flatten();
        texts.extend(more.map(str::to_lowercase));
        let mut words = filter.split_whitespace().map(str::to_lowercase);
        words.all(|word| texts.iter().any(|text| text.contains(&word)))
    }

    /// Compares two sessions. Only the same session compares as equal.
    pub(in crate::cli) fn compare(&self, other: &Self, sort: SortKey) -> Ordering {
        let calls = |it: &Self| it.counts.map(|counts| counts.calls);
        let by_key = match sort {
            SortKey::Time => Ordering::Equal,
            SortKey::Title => {
                let title = |it: &Self| it.facts.title.to_lowercase();
                title(self).cmp(&title(other))
            }
            SortKey::Project => self.facts.project.cmp(&other.facts.project),
            SortKey::Calls => calls(other).cmp(&calls(self)),
            SortKey::Tokens => other.tokens.cmp(&self.tokens),
        };
        self.group
            .cmp(&other.group)
            .then(by_key)
            .then_with(|| self.entered.cmp(&other.entered))
            .then_with(|| self.facts.id.cmp(&other.facts.id))
    }
}
