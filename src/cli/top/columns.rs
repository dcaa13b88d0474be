//! The columns of the list of sessions: how wide each is, and what is in it. Their widths depend on
//! the terminal's width alone, so that nothing moves when a value changes. Pure.

use std::time::Duration;

use crate::cli::amount::brief;
use crate::cli::board::{BoardSession, Group};
use crate::cli::list::needs;
use crate::model::Timestamp;

/// From this width on there is room for the project, the numbers and the current call.
const MEDIUM: usize = 64;
/// From this width on there is room for the branch, and for wider gaps.
const WIDE: usize = 116;

/// What a column of the list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    State,
    Since,
    Title,
    Project,
    Branch,
    Calls,
    Failed,
    Tokens,
    Now,
}

/// A column, with its place and width on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) kind: ColumnKind,
    pub(super) start: usize,
    pub(super) width: usize,
}

/// Returns the columns for a terminal of this width. The first begins after the sign that marks the
/// selected session.
pub(super) fn columns(width: usize) -> Vec<Column> {
    use ColumnKind as Kind;
    let more = |least: usize, share: usize| width.saturating_sub(least) / share;
    let (gap, kinds) = if width < MEDIUM {
        (
            1,
            vec![(Kind::State, 10), (Kind::Since, 7), (Kind::Title, 0)],
        )
    } else if width < WIDE {
        let kinds = vec![
            (Kind::State, 10),
            (Kind::Since, 7),
            (Kind::Title, 14 + more(80, 3)),
            (Kind::Project, 8),
            (Kind::Calls, 5),
            (Kind::Failed, 4),
            (Kind::Tokens, 6),
            (Kind::Now, 0),
        ];
        (1, kinds)
    } else {
        let kinds = vec![
            (Kind::State, 10),
            (Kind::Since, 7),
            (Kind::Title, 20 + more(120, 4)),
            (Kind::Project, 10 + more(120, 10)),
            (Kind::Branch, 12 + more(120, 8)),
            (Kind::Calls, 5),
            (Kind::Failed, 4),
            (Kind::Tokens, 6),
            (Kind::Now, 0),
        ];
        (2, kinds)
    };
    let mut start = MARK;
    let mut columns = Vec::new();
    for (kind, wanted) in kinds {
        let rest = width.saturating_sub(start);
        // The last column takes the width that is left.
        let width = if wanted == 0 { rest } else { wanted.min(rest) };
        columns.push(Column { kind, start, width });
        start += width + gap;
    }
    columns.retain(|column| column.width > 0);
    columns
}

/// The width of the sign that marks the selected session, in columns.
pub(super) const MARK: usize = 2;

impl ColumnKind {
    /// Returns the heading of the column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Since => "SINCE",
            Self::Title => "TITLE",
            Self::Project => "PROJECT",
            Self::Branch => "BRANCH",
            Self::Calls => "CALLS",
            Self::Failed => "FAIL",
            Self::Tokens => "TOKENS",
            Self::Now => "NOW",
        }
    }

    /// Returns whether the column contains numbers, which are aligned to the right.
    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Since | Self::Calls | Self::Failed | Self::Tokens
        )
    }

    /// Returns what the column shows of a session.
    pub(super) fn cell(self, session: &BoardSession, now: Timestamp) -> String {
        let facts = &session.facts;
        let known = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        let number = |number: Option<u64>| known(number.map(brief));
        match self {
            Self::State => state(session),
            Self::Since => age(session.since(), now),
            Self::Title => facts.title.clone(),
            Self::Project => facts.project.clone(),
            Self::Branch => known(facts.branch.clone()),
            Self::Calls => number(session.counts.map(|counts| counts.calls)),
            Self::Failed => number(session.counts.map(|counts| counts.failed)),
            Self::Tokens => number(session.tokens),
            Self::Now => known(facts.doing()),
        }
    }
}

/// The text of a cell whose value is unknown.
const UNKNOWN: &str = "-";

/// Returns what a session waits for, or its group.
pub(super) fn state(session: &BoardSession) -> String {
    match session.group {
        Group::NeedsYou => session.facts.attention.state.as_str().to_owned(),
        Group::Done => needs(&session.facts.attention),
        group => group.name().to_owned(),
    }
}

/// Formats how long ago `from` was, in at most seven characters: `42s`, `3m 20s`, `2h 5m`, `4d 2h`.
pub(super) fn age(from: Timestamp, now: Timestamp) -> String {
    let seconds = Duration::as_secs(&from.age(now));
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        (1..=99, _, _) => format!("{days}d {}h", hours % 24),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_at_most_seven_characters() {
        let from = Timestamp::from_micros(1_800_000_000_000_000);
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3599, "59m 59s"),
            (3600, "1h 0m"),
            (86399, "23h 59m"),
            (86400, "1d 0h"),
            (99 * 86400 + 86399, "99d 23h"),
            (100 * 86400, "100d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(from, from.after(Duration::from_secs(seconds))), text);
            assert!(text.len() <= 7);
        }
        assert_eq!(age(from.after(Duration::from_secs(5)), from), "0s");
    }

    #[test]
    fn columns_fill_every_width_and_never_leave_it() {
        for width in 0..400 {
            let columns = columns(width);
            let mut end = 0;
            for column in &columns {
                assert!(column.start >= end, "{width}: {column:?}");
                end = column.start + column.width;
            }
            assert!(end <= width.max(MARK), "{width}: {columns:?}");
            assert!(width < 22 || end == width, "{width}: {columns:?}");
        }
    }
}
