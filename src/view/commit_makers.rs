//! Finds out which session made a commit, by what each session did in the second in which git
//! recorded the commit. Pure.

use serde::Serialize;

use crate::model::activity::Prompt;
use crate::model::call::CallState;
use crate::model::line::EventKind;
use crate::model::record::ABANDONED;
use crate::model::{Activity, Call, JournalLine, Record, Timestamp};

/// How much earlier than its end minus its duration a call may have begun to run, in microseconds.
/// The end is recorded a little late.
const SLACK: i64 = 2_000_000;

/// The words by which the label of a call suggests that it makes commits.
const WORDS: [&str; 8] = [
    "git", "commit", "amend", "merge", "rebase", "cherry", "revert", "squash",
];

/// The kinds of evidence that a session made a commit, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommitEvidence {
    /// A program had clocked in, and no hook recorded its actions.
    Open,
    /// A background task of a call that can make commits ran.
    Background,
    /// The command of `ccsession run` was running, and no hook recorded its actions.
    Command,
    /// A call that can make commits ran.
    Ran,
    /// A call that can make commits ran, and its label mentions git or a commit.
    Named,
}

impl CommitEvidence {
    /// Returns the evidence as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Background => "background",
            Self::Command => "command",
            Self::Ran => "ran",
            Self::Named => "named",
        }
    }

    /// Returns whether a session with this evidence stays a candidate even if another has stronger
    /// evidence, because its actions in that second are unknown.
    fn is_unwatched(self) -> bool {
        matches!(self, Self::Open | Self::Command)
    }
}

/// A command of a session, or a clock-in, that may have made commits without any call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCommand {
    /// The name of the command, if it was recorded.
    pub what: Option<String>,
    /// When it started.
    pub began: Timestamp,
    ended: Option<Timestamp>,
    evidence: CommitEvidence,
    /// True if the command is Claude Code, or if its name is unknown.
    is_client: bool,
}

/// The commands that `ccsession run` ran in a session, and its clock-ins, collected from its
/// events.
#[derive(Debug, Default)]
pub struct OwnCommands {
    commands: Vec<OwnCommand>,
    /// True if a hook recorded an event of the session.
    is_watched: bool,
}

impl OwnCommands {
    /// Processes an event of the session. `client` is the name of Claude Code's executable.
    pub fn hear(&mut self, line: &JournalLine<'_>, client: &str) {
        let evidence = match line.kind {
            EventKind::RunStart => CommitEvidence::Command,
            EventKind::ClockIn => CommitEvidence::Open,
            EventKind::RunEnd => {
                let mut open = self.commands.iter_mut().rev();
                let open = open.find(|it| it.evidence == CommitEvidence::Command);
                if let Some(command) = open {
                    command.ended = command.ended.or(line.ts);
                }
                return;
            }
            _ => {
                self.is_watched = true;
                return;
            }
        };
        if let Some(began) = line.ts {
            let what = line.what.map(|label| label.text().into_owned());
            let what = what.filter(|_| evidence == CommitEvidence::Command);
            self.commands.push(OwnCommand {
                is_client: what.as_deref().is_none_or(|name| name == client),
                what,
                began,
                ended: None,
                evidence,
            });
        }
    }

    /// Returns whether hooks recorded what this command did. Then only calls of the session can
    /// have made a commit.
    fn is_known_by_calls(&self, command: &OwnCommand) -> bool {
        self.is_watched && command.is_client
    }
}

/// A session that may have made a commit.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'s, 'a> {
    activity: &'s Activity<'a>,
    commands: &'s OwnCommands,
    /// Until when the session was open.
    end: Timestamp,
}

/// The action of a session that may have made a commit.
#[derive(Debug, Clone, Copy)]
pub enum Doer<'s, 'a> {
    /// A call.
    Call(&'s Call<'a>),
    /// A command of `ccsession run`, or a clock-in.
    Command(&'s OwnCommand),
}

impl Doer<'_, '_> {
    /// Returns when the action began.
    pub fn began(&self) -> Timestamp {
        match self {
            Self::Call(call) => call.began.ts,
            Self::Command(command) => command.began,
        }
    }
}

/// How certain it is that a session made a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Another session or a person may have made the commit.
    Possible,
    /// Only one session ran a command, or only one ran a call whose label mentions git or a commit.
    Likely,
    /// Only one session ran a call that can make commits, its label mentions git or a commit, and
    /// no other session can have made the commit.
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

    /// Returns the next lower certainty; the lowest stays the same.
    #[must_use]
    pub fn lower(self) -> Self {
        match self {
            Self::Certain => Self::Likely,
            Self::Likely | Self::Possible => Self::Possible,
        }
    }
}

impl<'s, 'a> Suspect<'s, 'a> {
    /// Creates a suspect from what a session did. If it is live, it counts as open until now.
    pub fn new(
        record: &Record,
        activity: &'s Activity<'a>,
        commands: &'s OwnCommands,
        is_live: bool,
    ) -> Self {
        let noted = record
            .ended_at
            .filter(|_| record.end_reason.as_deref() != Some(ABANDONED));
        let last = activity.span.map(|(_, last)| last.ts);
        let end = match is_live {
            true => Timestamp::MAX,
            false => last.max(noted).unwrap_or(record.started_at),
        };
        Self {
            activity,
            commands,
            end,
        }
    }

    /// Returns the strongest evidence that the session made a commit in the second `at`, and the
    /// action behind it. Returns `None` if no action that can make commits ran then.
    pub fn evidence(&self, at: Timestamp) -> Option<(CommitEvidence, Doer<'s, 'a>)> {
        let last = self.activity.span.map(|(_, last)| last.ts);
        let calls = self.activity.calls.iter().filter_map(|call| {
            let evidence = evidence_of(call, at, last)?;
            Some((evidence, Doer::Call(call)))
        });
        let commands = self.commands.commands.iter().filter(|command| {
            let end = command.ended.unwrap_or(self.end);
            is_within(at, command.began, end) && !self.commands.is_known_by_calls(command)
        });
        let commands = commands.map(|it| (it.evidence, Doer::Command(it)));
        // With equal evidence, choose the action that began last, because it is the innermost.
        calls
            .chain(commands)
            .max_by_key(|(evidence, doer)| (*evidence, doer.began()))
    }

    /// Returns whether the session was open in the second `at`.
    pub fn was_open(&self, at: Timestamp) -> bool {
        let span = self.activity.span;
        span.is_some_and(|(first, _)| is_within(at, first.ts, self.end))
    }
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

/// Returns when the call began to run. A call that waited for permission ran only after the answer.
fn began(call: &Call<'_>) -> Timestamp {
    let answered = || {
        call.asked?;
        let ran = i64::try_from(call.execution?.as_micros()).ok()?;
        let answered = call.ended?.ts.micros().saturating_sub(ran);
        Some(Timestamp::from_micros(answered.saturating_sub(SLACK)))
    };
    answered().map_or(call.began.ts, |at| at.max(call.began.ts))
}

/// Returns whether a time from git, which has whole seconds, may lie between `began` and `ended`.
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

/// Decides which sessions may have made a commit, and with which certainty, by the evidence of
/// each. A session with weaker evidence than another gets `None`, unless its actions are unknown.
pub fn decide(all: &[CommitEvidence]) -> Vec<Option<Certainty>> {
    let best = all.iter().max().copied();
    let rivals = |least| all.iter().filter(|it| **it >= least).count();
    let certainty = match best {
        Some(CommitEvidence::Named) if all.len() == 1 => Certainty::Certain,
        Some(CommitEvidence::Named) if rivals(CommitEvidence::Named) == 1 => Certainty::Likely,
        Some(CommitEvidence::Ran | CommitEvidence::Command)
            if rivals(CommitEvidence::Command) == 1 =>
        {
            Certainty::Likely
        }
        _ => Certainty::Possible,
    };
    let decided = |it: &CommitEvidence| match Some(*it) == best {
        true => Some(certainty),
        false => it.is_unwatched().then_some(Certainty::Possible),
    };
    all.iter().map(decided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_decides_between_sessions() {
        use Certainty::{Certain, Likely, Possible};
        use CommitEvidence::{Background, Command, Named, Open, Ran};
        for (all, decided) in [
            (vec![], vec![]),
            (vec![Named], vec![Some(Certain)]),
            (vec![Ran], vec![Some(Likely)]),
            (vec![Background], vec![Some(Possible)]),
            (vec![Named, Background], vec![Some(Likely), None]),
            (vec![Command], vec![Some(Likely)]),
            (vec![Open], vec![Some(Possible)]),
            (vec![Named, Command], vec![Some(Likely), Some(Possible)]),
            (vec![Named, Open], vec![Some(Likely), Some(Possible)]),
            (vec![Ran, Command], vec![Some(Possible), Some(Possible)]),
            (vec![Command, Command], vec![Some(Possible), Some(Possible)]),
            (vec![Command, Background], vec![Some(Likely), None]),
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
