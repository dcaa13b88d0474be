//! Writes the events of sessions for `chrome-trace`: one JSON object, written session by session.

use std::collections::HashSet;

use serde_json::json;

use super::ExportRequest;
use crate::cli::gather::GatheredSession;
use crate::model::commit::CommitNote;
use crate::model::text::escaped_json;
use crate::view::chrome_trace::{TraceEvent, TracedSession, trace_events};

/// The text between two events.
pub(super) const SEPARATOR: &str = ",\n";

/// Returns the text before the first event.
pub(super) fn beginning() -> String {
    "{\"traceEvents\":[\n".to_owned()
}

/// Returns the text after the last event.
pub(super) fn end(machine: Option<&str>) -> String {
    let about = json!({
        "made_by": concat!("ccsession ", env!("CARGO_PKG_VERSION")),
        "machine": machine,
    });
    let about = about.to_string();
    let about = escaped_json(&about);
    format!("\n],\"displayTimeUnit\":\"ms\",\"otherData\":{about}}}\n")
}

/// Returns the events of a session, without a separator after the last one.
pub(super) fn text(
    request: &ExportRequest<'_>,
    session: &GatheredSession<'_>,
    title: Option<&str>,
) -> String {
    let commits = commits(session);
    let events = trace_events(&TracedSession {
        number: session.place as u64 + 1,
        id: session.id,
        title,
        project: &session.record.project.name,
        state: session.finding().state.as_str(),
        activity: &session.activity,
        commits: &commits,
        period: request.period,
    });
    let lines = events.iter().map(as_json);
    lines.collect::<Vec<_>>().join(SEPARATOR)
}

fn as_json(event: &TraceEvent) -> String {
    // An event has only texts and numbers, so writing it to memory cannot fail.
    let text = serde_json::to_string(event).unwrap_or_default();
    escaped_json(&text).into_owned()
}

/// Returns each commit that hooks reported while the session ran something that can make commits.
/// Each commit occurs once.
pub(super) fn commits(session: &GatheredSession<'_>) -> Vec<CommitNote> {
    let mut seen = HashSet::new();
    let noted = session.noted.commits.iter().map(|(note, _)| note);
    let new = noted.filter(|note| seen.insert(note.id.as_str()));
    let suspect = session.suspect();
    let made = new.filter(|note| suspect.evidence(note.ts).is_some());
    made.cloned().collect()
}
