//! What the client's own words say: of a failure, of a refusal, of a prompt that no person wrote. Hooks and transcripts
//! have the same texts.

use std::borrow::Cow;

use super::event::Outcome;
use super::redact::redact;

/// What kind of failure it was. The text itself is the tool's output and stays out of the journal.
pub fn error_class(error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    let status = first
        .strip_prefix("Exit code ")
        .and_then(|status| status.trim().parse::<u8>().ok());
    match status {
        Some(status) => format!("exit:{status}"),
        None if first.to_ascii_lowercase().contains("timed out") => "timeout".to_owned(),
        None => "other".to_owned(),
    }
}

/// What the text of a result in a batch says of the call. The client marks calls that never ran; words for a refusal
/// are those of version 2.1.329.
pub fn outcome_in(text: &str) -> Option<Outcome> {
    const REFUSED: [&str; 6] = [
        "has been denied",
        "needs approval",
        "doesn't want to proceed",
        "haven't granted it",
        "Auto mode is unavailable",
        " hook error: [",
    ];
    if text.starts_with("Exit code ") || text.starts_with("<tool_use_error>") {
        return Some(Outcome::Failed);
    }
    let first = text.lines().next().unwrap_or_default();
    REFUSED
        .iter()
        .any(|words| first.contains(words))
        .then_some(Outcome::Denied)
}

/// Whether a prompt is not a person's, but the client's word that a background task has ended.
pub fn is_task_notification(prompt: &str) -> bool {
    prompt.trim_start().starts_with("<task-notification>")
}

/// The task that a `<task-notification>` is about.
pub fn notified_task(prompt: &str) -> Option<String> {
    let (_, rest) = prompt.split_once("<task-id>")?;
    let (id, _) = rest.split_once("</task-id>")?;
    Some(id.trim().to_owned()).filter(|id| is_word(id))
}

/// Whether `text` is one short word, such as a name that the client gave to a kind of error, and not a secret that is as
/// short.
pub fn is_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let is_short = !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed);
    is_short && matches!(redact(text), Cow::Borrowed(_))
}
