//! The difference between two states of a session's page, which the dashboard sends to the browser.
//! Of the calls, it has those from the first that differs; every other member that differs is sent
//! whole.

use serde::Serialize;

use super::columns::CallRow;
use super::{
    CallColumns, PageAgent, PageCompaction, PageMoment, PagePrompt, PageSegment, SessionFacts,
    SessionPage,
};
use crate::view::stats::StatsSummary;

/// The difference between two states of a session's page. `None` means that the member has not
/// changed.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of SessionPage")]
pub struct PageChange<'a> {
    /// The index of the first call that differs. The calls before it are unchanged.
    pub from: usize,
    /// The calls from index `from` on. They can be read without the calls before them.
    pub calls: CallColumns,
    #[serde(flatten)]
    pub facts: Option<&'a SessionFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Option<(PageMoment, PageMoment)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<&'a [PagePrompt]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<&'a [PageAgent]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compactions: Option<&'a [PageCompaction]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<&'a [PageSegment]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<&'a StatsSummary>,
    pub events: u64,
    pub duplicates: u64,
}

impl<'a> PageChange<'a> {
    /// Returns the changes that turn the page `before` into `now`.
    pub fn between(before: &SessionPage, now: &'a SessionPage) -> Self {
        let (old, new) = (before.calls.rows(), now.calls.rows());
        let same = old.iter().zip(&new).take_while(|(old, new)| old == new);
        let from = same.count();
        let rest: Vec<CallRow<'_>> = new.into_iter().skip(from).collect();
        Self {
            from,
            calls: CallColumns::of_rows(&rest),
            facts: changed(&before.facts, &now.facts),
            span: (before.span != now.span).then_some(now.span),
            prompts: changed(before.prompts.as_slice(), &now.prompts),
            agents: changed(before.agents.as_slice(), &now.agents),
            compactions: changed(before.compactions.as_slice(), &now.compactions),
            segments: changed(before.segments.as_slice(), &now.segments),
            stats: changed(&before.stats, &now.stats),
            events: now.events,
            duplicates: now.duplicates,
        }
    }
}

fn changed<'a, T: PartialEq + ?Sized>(before: &T, now: &'a T) -> Option<&'a T> {
    (before != now).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(id: &'a str, state: &'a str, start: i64) -> CallRow<'a> {
        CallRow {
            id: Some(id),
            tool: Some("Bash"),
            what: Some("Run the tests"),
            state,
            start,
            clock: 7,
            pid: Some(4),
            ..CallRow::default()
        }
    }

    #[test]
    fn columns_give_back_the_rows_that_they_were_made_of() {
        let full = CallRow {
            closed: Some("stop"),
            agent: Some("a1"),
            prompt: Some("p1"),
            end: Some(30),
            end_clock: -3,
            duration: 30,
            wait: 2,
            permission: 1,
            input_bytes: 10,
            output_bytes: 20,
            asked: Some(5),
            error: Some("exit:3"),
            background: Some("b1"),
            background_ended: Some([1000, 90]),
            spawned: Some("a2"),
            pid: Some(9),
            ..row("t2", "failed", 500)
        };
        let without = CallRow {
            id: None,
            tool: None,
            what: None,
            pid: None,
            ..row("", "abandoned", 400)
        };
        let rows = [
            row("t1", "ok", 100),
            full,
            without,
            row("t4", "running", 900),
        ];
        let columns = CallColumns::of_rows(&rows);
        assert_eq!(columns.rows(), rows);
        // From any call on, they stand for themselves.
        for from in 0..rows.len() {
            let rest = CallColumns::of_rows(&rows[from..]);
            assert_eq!(rest.rows(), rows[from..]);
        }
    }
}
