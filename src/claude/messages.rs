//! Interprets Claude Code's own messages: how a call failed or was refused, and which prompts no
//! person wrote. Hooks and transcripts contain the same texts.

use std::borrow::Cow;

use crate::model::event::CallOutcome;
use crate::model::redact::redact;

/// Returns the class of a failure. The text itself is the tool's output and stays out of the
/// journal.
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

/// Returns the outcome that the text of a failed result, or of a result in a batch, reports. Claude
/// Code marks calls that never ran. It words a refusal differently in each version.
pub fn outcome_in(text: &str) -> Option<CallOutcome> {
    /// How a refusal begins. The refused command may follow, over several lines.
    const BEGINNINGS: [&str; 11] = [
        "The user doesn't want to proceed with this tool use",
        "The user doesn't want to take this action right now",
        "The agent proposed a plan that was rejected by the user",
        "Permission for this ",
        "Permission to ",
        "Claude requested permissions to ",
        "This command requires approval",
        "This Bash command contains multiple operations",
        "This call was denied and did not run",
        "Execution stopped by PreToolUse hook",
        "Auto mode ",
    ];
    /// Phrases in the first line of a refusal that no other error of a tool contains.
    const WORDS: [&str; 12] = [
        "has been denied",
        "needs approval",
        "requires approval",
        "require approval",
        "doesn't want to proceed",
        "haven't granted it",
        "was blocked. For security, Claude Code may only",
        "was blocked by a deny rule",
        "auto mode cannot determine the safety of",
        "operation blocked by hook",
        "Auto mode is unavailable",
        " hook error: [",
    ];
    if text.starts_with("Exit code ") || text.starts_with("<tool_use_error>") {
        return Some(CallOutcome::Failed);
    }
    let begins = BEGINNINGS.iter().any(|words| text.starts_with(words));
    let first = text.lines().next().unwrap_or_default();
    let says = || WORDS.iter().any(|words| first.contains(words));
    (begins || says()).then_some(CallOutcome::Denied)
}

/// Returns the outcome for a `toolDenialKind`, Claude Code's word for a call that it did not let
/// through. The text of the result does not matter. A call that was interrupted or cancelled was
/// not refused.
pub fn denial(kind: &str) -> Option<CallOutcome> {
    (!matches!(kind, "interrupted" | "cancelled")).then_some(CallOutcome::Denied)
}

/// Returns true if Claude Code sends this prompt to a subagent that it runs for its own purposes.
/// No call of the model starts such a subagent.
pub fn is_clients_own_prompt(prompt: &str) -> bool {
    prompt == "Warmup"
        || prompt.starts_with("[SUGGESTION MODE: ")
        || prompt
            .starts_with("Your task is to create a detailed summary of the conversation so far")
}

/// Returns true if Claude Code wrote the prompt to report the end of a background task.
pub fn is_task_notification(prompt: &str) -> bool {
    prompt.trim_start().starts_with("<task-notification>")
}

/// Returns the task that a `<task-notification>` reports.
pub fn notified_task(prompt: &str) -> Option<String> {
    let id = between(prompt, "<task-id>", "</task-id>")?;
    Some(id.trim().to_owned()).filter(|id| is_word(id))
}

/// Returns the tasks that these notices report as ended. Some notices of a task that goes on have
/// no status.
pub fn ended_tasks(text: &str) -> Vec<String> {
    let mut ended = Vec::new();
    for notice in text.split("<task-notification>").skip(1) {
        let status = between(notice, "<status>", "</status>");
        if status.is_some_and(|status| !matches!(status.trim(), "running" | "pending")) {
            ended.extend(notified_task(notice));
        }
    }
    ended
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}

/// Returns true if `text` is one short word, such as Claude Code's name for a kind of error, and
/// not a secret of that length.
pub fn is_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let is_short = !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed);
    is_short && matches!(redact(text), Cow::Borrowed(_))
}
