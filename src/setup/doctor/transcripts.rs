//! Reports how soon Claude Code deletes transcripts that are not archived in full.

use super::Finding;
use crate::archive::expiring::{DAY, ExpiringTranscript, SOON, expiring};
use crate::claude::retention::Retention;
use crate::history::past::UnrecordedPast;
use crate::identity::liveness::Judge;
use crate::store::{Host, shown};

/// How many sessions a message names at most.
const MAX_NAMED: usize = 3;

/// Reports transcripts that Claude Code will soon delete and that are not archived in full.
pub(super) fn examine(host: &Host<'_>, judge: &Judge<'_>, keeping: &Retention) -> Finding {
    match expiring(host, judge, keeping.days) {
        Ok(all) => finding(&all, keeping),
        Err(err) => Finding::note("transcripts", err.to_string(), "fix what the error names"),
    }
}

/// Reports how many sessions have a transcript but no record, and how soon Claude Code deletes the
/// oldest of these transcripts.
pub(super) fn past(host: &Host<'_>, keeping: &Retention) -> Option<Finding> {
    let past = UnrecordedPast::of(host.env, host.state, &host.config.exclude)?;
    let days = keeping.days - past.oldest.age(host.now).as_secs_f64() / DAY;
    let found = match past.sessions {
        1 => "1 session has a transcript and is not on record".to_owned(),
        count => format!("{count} sessions have a transcript and are not on record"),
    };
    let soon = match days <= SOON {
        true => format!("; Claude Code deletes the oldest transcript {}", when(days)),
        false => String::new(),
    };
    let found = found + &soon;
    Some(Finding::note("past", found, "run `ccsession import`"))
}

fn finding(all: &[ExpiringTranscript], keeping: &Retention) -> Finding {
    let Some(first) = all.first() else {
        let by = keeping
            .elsewhere()
            .map(|path| format!(" (set in {})", shown(path)));
        let by = by.unwrap_or_default();
        let found = format!(
            "Claude Code keeps them for {keeping} days{by}; none of those on record that are not archived will be deleted within a week"
        );
        return Finding::ok("transcripts", found);
    };
    let (id, when) = (&first.id, when(first.days));
    let found = match all.len() {
        1 => {
            format!("that of session {id} is not fully archived, and Claude Code deletes it {when}")
        }
        count => format!(
            "{count} are not fully archived; the next one that Claude Code deletes is that of session {id}, {when}"
        ),
    };
    Finding::note("transcripts", found, &remedy(all))
}

fn when(days: f64) -> String {
    match days {
        days if days <= 0.0 => "when it starts next".to_owned(),
        days if days < 1.0 => "within a day".to_owned(),
        days if days < 2.0 => "in 1 day".to_owned(),
        days => format!("in {:.0} days", days.floor()),
    }
}

fn remedy(all: &[ExpiringTranscript]) -> String {
    const CLEAN_UP: &str = "run `ccsession cleanup`";
    let mut rest = all.iter().filter(|one| !one.by_cleanup).map(|one| &one.id);
    let Some(first) = rest.next() else {
        return CLEAN_UP.to_owned();
    };
    let first = format!("`ccsession clock-out {first}`");
    let rest: Vec<String> = rest.map(ToString::to_string).collect();
    let start = match rest.len() + 1 < all.len() {
        true => format!("{CLEAN_UP}, and {first}"),
        false => format!("run {first}"),
    };
    let named = rest.iter().take(MAX_NAMED - 1).cloned();
    let named = named.collect::<Vec<_>>().join(", ");
    match rest.len() {
        0 => start,
        count if count < MAX_NAMED => format!("{start}, and the same for {named}"),
        count => format!(
            "{start}, and the same for {named} and {} more",
            count + 1 - MAX_NAMED
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_told_in_whole_days() {
        for (days, said) in [
            (-1e300, "when it starts next"),
            (0.0, "when it starts next"),
            (0.1, "within a day"),
            (1.0, "in 1 day"),
            (1.99, "in 1 day"),
            (2.0, "in 2 days"),
            (6.9, "in 6 days"),
        ] {
            assert_eq!(when(days), said, "{days}");
        }
    }

    #[test]
    fn a_remedy_names_only_what_it_helps() {
        let all = |which: &str| -> Vec<ExpiringTranscript> {
            let one = |(number, by): (usize, char)| ExpiringTranscript {
                id: format!("s-{number}").parse().unwrap(),
                days: 1.0,
                by_cleanup: by == 'c',
            };
            which.chars().enumerate().map(one).collect()
        };
        for (which, said) in [
            ("c", "run `ccsession cleanup`"),
            ("ccc", "run `ccsession cleanup`"),
            ("o", "run `ccsession clock-out s-0`"),
            ("oo", "run `ccsession clock-out s-0`, and the same for s-1"),
            (
                "ooo",
                "run `ccsession clock-out s-0`, and the same for s-1, s-2",
            ),
            (
                "ooooo",
                "run `ccsession clock-out s-0`, and the same for s-1, s-2 and 2 more",
            ),
            (
                "co",
                "run `ccsession cleanup`, and `ccsession clock-out s-1`",
            ),
            (
                "oco",
                "run `ccsession cleanup`, and `ccsession clock-out s-0`, and the same for s-2",
            ),
        ] {
            assert_eq!(remedy(&all(which)), said, "{which}");
        }
    }
}
