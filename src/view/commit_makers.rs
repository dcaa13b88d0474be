//! Finds out which session made a commit, by what each session did at the second that git recorded.
//! Pure.

use serde::Serialize;

use crate::model::activity::Prompt;
use crate::model::call::CallState;
use crate::model::{Activity, Call, Timestamp};

/// How much earlier a call may have begun to run than its end and duration suggest, in
/// microseconds, because the end is recorded a little late.
const SLACK: i64 = 2_000_000;

/// Words in the label of a call that makes commits.
const WORDS: [&str; 8] = [
    "git", "commit", "amend", "merge", "rebase", "cherry", "revert", "squash",
];

/// The evidence that a session made a commit, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommitEvidence {
    /// A background task of a call that can make commits ran.
    Background,
    /// A call that can make commits ran.
    Ran,
    /// A call that can make commits ran, and its label mentions git or a commit.
    Named,
}

impl CommitEvidence {
    /// Returns the evidence as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Ran => "ran",
            Self::Named => "named",
        }
    }
}

/// How sure it is that a session made a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It may have been another session, or a person.
    Possible,
    /// Only one session ran a call that can make commits, or only one a call whose label mentions
    /// git or a commit.
    Likely,
    /// Only one session ran a call that can make commits, and its label mentions git or a commit.
    Certain,
}

impl Certainty {
    /// Returns the certainty as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }

    /// Returns the next lower certainty, if there is one.
    #[must_use]
    pub fn lower(self) -> Self {
        match self {
            Self::Certain => Self::Likely,
            Self::Likely | Self::Possible => Self::Possible,
        }
    }
}

/// Returns the call that most probably made a commit at the second `at`, and the evidence for it.
/// Returns `None` if no call ran then that can make commits.
pub fn evidence<'s, 'a>(
    activity: &'s Activity<'a>,
    at: Timestamp,
) -> Option<(CommitEvidence, &'s Call<'a>)> {
    let last = activity.span.map(|(_, last)| last.ts);
    let found = activity.calls.iter().filter_map(|call| {
        let evidence = evidence_of(call, at, last)?;
        Some((evidence, call))
    });
    // Of calls with equal evidence, the one that began last is the innermost.
    found.max_by_key(|(evidence, call)| (*evidence, call.began.at))
}

fn evidence_of(call: &Call<'_>, at: Timestamp, last: Option<Timestamp>) -> Option<CommitEvidence> {
    if !can_commit(call.tool?) || matches!(call.state, CallState::Denied) {
        return None;
    }
    let end = call.ended.map(|ended| ended.ts);
    let is_open = matches!(call.state, CallState::Running);
    let end = end.or(if is_open { Some(Timestamp::MAX) } else { last })?;
    if is_within(at, began(call), end) {
        let label = call.what.unwrap_or_default().to_lowercase();
        let mut words = label.split(|c: char| !c.is_alphanumeric());
        let is_named = words.any(|word| WORDS.iter().any(|it| word.starts_with(it)));
        return Some(match is_named {
            true => CommitEvidence::Named,
            false => CommitEvidence::Ran,
        });
    }
    call.background?;
    let end = call.background_ended.map(|ended| ended.ts).or(last)?;
    is_within(at, began(call), end).then_some(CommitEvidence::Background)
}

/// Returns when the call began to run: a call that waited for permission ran only after the answer.
fn began(call: &Call<'_>) -> Timestamp {
    let answered = || {
        call.asked?;
        let ran = i64::try_from(call.execution?.as_micros()).ok()?;
        let answered = call.ended?.ts.micros().saturating_sub(ran);
        Some(Timestamp::from_micros(answered.saturating_sub(SLACK)))
    };
    answered().map_or(call.began.ts, |at| at.max(call.began.ts))
}

/// Returns whether a second that git recorded lies within these times.
fn is_within(second: Timestamp, began: Timestamp, ended: Timestamp) -> bool {
    began.whole_second() <= second && second <= ended
}

/// Returns whether calls of this tool can make commits: shells, and the tools of MCP servers.
fn can_commit(tool: &str) -> bool {
    matches!(tool, "Bash" | "PowerShell") || tool.starts_with("mcp__")
}

/// Returns the prompt to which the call belongs, or else the last one before `at`.
pub fn prompt<'s, 'a>(
    activity: &'s Activity<'a>,
    call: &Call<'_>,
    at: Timestamp,
) -> Option<&'s Prompt<'a>> {
    let prompts = &activity.prompts;
    let named = call.prompt_id.and_then(|id| {
        let mut prompts = prompts.iter();
        prompts.find(|prompt| prompt.prompt_id == Some(id))
    });
    let is_before = |prompt: &&Prompt<'_>| prompt.at.ts.whole_second() <= at;
    named.or_else(|| prompts.iter().rev().find(is_before))
}

/// Returns whether the session was under way at the second `at`.
pub fn was_under_way(activity: &Activity<'_>, at: Timestamp) -> bool {
    let span = activity.span;
    span.is_some_and(|(first, last)| is_within(at, first.ts, last.ts))
}

/// Decides by the evidence of each session which ones may have made a commit, and how sure that is.
/// A session with weaker evidence than another gets `None`.
pub fn decide(all: &[CommitEvidence]) -> Vec<Option<Certainty>> {
    let best = all.iter().max().copied();
    let rivals = |least| all.iter().filter(|it| **it >= least).count();
    let certainty = match best {
        Some(CommitEvidence::Named) if rivals(CommitEvidence::Ran) == 1 => Certainty::Certain,
        Some(CommitEvidence::Named) if rivals(CommitEvidence::Named) == 1 => Certainty::Likely,
        Some(CommitEvidence::Ran) if rivals(CommitEvidence::Ran) == 1 => Certainty::Likely,
        _ => Certainty::Possible,
    };
    let decided = |it: &CommitEvidence| (Some(*it) == best).then_some(certainty);
    all.iter().map(decided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_decides_between_sessions() {
        use Certainty::{Certain, Likely, Possible};
        use CommitEvidence::{Background, Named, Ran};
        for (all, decided) in [
            (vec![], vec![]),
            (vec![Named], vec![Some(Certain)]),
            (vec![Ran], vec![Some(Likely)]),
            (vec![Background], vec![Some(Possible)]),
            (vec![Named, Background], vec![Some(Certain), None]),
            (vec![Ran, Named], vec![None, Some(Likely)]),
            (vec![Ran, Ran], vec![Some(Possible), Some(Possible)]),
            (
                vec![Named, Ran, Named],
                vec![Some(Possible), None, Some(Possible)],
            ),
        ] {
            assert_eq!(decide(&all), decided, "{all:?}");
        }
    }

    #[test]
    fn a_second_lies_within_a_call_that_began_or_ended_in_it() {
        let at = |tenths: i64| Timestamp::from_micros(1_000_000_000 + tenths * 100_000);
        let second = at(10);
        assert!(is_within(second, at(19), at(25)), "it began in it");
        assert!(is_within(second, at(3), at(11)), "it ended in it");
        assert!(!is_within(second, at(20), at(25)));
        assert!(!is_within(second, at(3), at(9)));
    }
}
