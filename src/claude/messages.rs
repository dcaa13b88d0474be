//! Interprets Claude Code's own messages: how a call failed or was refused, and which prompts no
//! person wrote. Hooks and transcripts contain the same texts.

use std::borrow::Cow;

use crate::model::event::CallOutcome;
use crate::model::redact::redact;

const INTERRUPTED: &str = "[Request interrupted by user";

/// Returns true if this is Claude Code's note that the user interrupted the turn, and nothing else:
/// a person may quote it.
pub fn is_interruption(text: &str) -> bool {
    let rest = text.trim().strip_prefix(INTERRUPTED);
    rest.is_some_and(|rest| rest.find(']') == Some(rest.len().saturating_sub(1)))
}

/// Returns the class of a failed call's error text, such as `exit:1` or `timeout`. The text itself
/// may contain output of the tool, so the journal must not contain it.
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

/// Returns the outcome that the text of a result reports: the result of a failed call, or one in a
/// batch. Returns `None` if the text is neither a known error nor a known refusal. Versions of
/// Claude Code word refusals differently.
pub fn outcome_in(text: &str) -> Option<CallOutcome> {
    /// Beginnings of refusals. The refused command may follow, over several lines.
    const BEGINNINGS: [&str; 19] = [
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
        "Permission denied by PermissionRequest hook",
        "Permission denied by hook",
        "User denied permission",
        "No one answered the permission prompt for this call",
        "Action requires interactive approval",
        "This tool call was refused and did not run",
        "File is in a directory that is denied by your permission settings",
        "Reads outside the working directories are blocked",
    ];
    /// Phrases in the first line of a refusal that no other error of a tool contains.
    const WORDS: [&str; 14] = [
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
        "deny rule in your permission settings",
        " - manual approval required",
    ];
    if text.starts_with("Exit code ") {
        return Some(CallOutcome::Failed);
    }
    let unwrapped = text.strip_prefix("<tool_use_error>");
    let words = unwrapped.unwrap_or(text);
    let begins = BEGINNINGS.iter().any(|begin| words.starts_with(begin));
    let first = words.lines().next().unwrap_or_default();
    let says = || WORDS.iter().any(|word| first.contains(word));
    match (begins || says(), unwrapped) {
        (true, _) => Some(CallOutcome::Denied),
        (false, Some(_)) => Some(CallOutcome::Failed),
        (false, None) => None,
    }
}

/// Returns the outcome for a `toolDenialKind`, Claude Code's word for why it did not run a call.
/// Returns `None` for a call that was interrupted or cancelled, because nobody refused it.
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

/// Returns true if Claude Code wrote the prompt to report on a background task. A person may begin
/// with the name of the element, and go on behind it with a blank or a sign.
pub fn is_task_notification(prompt: &str) -> bool {
    let inside = prompt.trim_start().strip_prefix("<task-notification>");
    inside.is_some_and(|inside| {
        inside.starts_with(|c: char| matches!(c, '<' | '\n' | '\r') || c.is_alphanumeric())
    })
}

/// Returns the tasks that the notices in a text report as ended. Claude Code may join several
/// notices. A notice without a status, or of a task that runs, does not end its task.
pub fn ended_tasks(text: &str) -> Vec<String> {
    let mut ended = Vec::new();
    for notice in text.split("<task-notification>").skip(1) {
        let status = between(notice, "<status>", "</status>");
        if status.is_some_and(|status| !matches!(status.trim(), "running" | "pending")) {
            let id = between(notice, "<task-id>", "</task-id>").map(str::trim);
            ended.extend(id.filter(|id| is_word(id)).map(str::to_owned));
        }
    }
    ended
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}

/// Returns true if `text` is one word of at most 64 bytes and does not look like a secret. Claude
/// Code's names for kinds of errors are such words.
pub fn is_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let is_short = !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed);
    is_short && matches!(redact(text), Cow::Borrowed(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_failure_by_its_words() {
        let (denied, failed) = (Some(CallOutcome::Denied), Some(CallOutcome::Failed));
        for (text, outcome) in [
            ("Permission denied by hook", denied),
            ("Permission denied by PermissionRequest hook", denied),
            ("User denied permission", denied),
            (
                "<tool_use_error>File is in a directory that is denied by your permission settings.</tool_use_error>",
                denied,
            ),
            (
                "<tool_use_error>File is covered by a Read deny rule in your permission settings and cannot be edited.</tool_use_error>",
                denied,
            ),
            (
                "Compound command contains cd with output redirection - manual approval required to prevent path resolution bypass",
                denied,
            ),
            (
                "<tool_use_error>File does not exist.</tool_use_error>",
                failed,
            ),
            ("Exit code 126\nbash: ./x: Permission denied", failed),
            ("ls: cannot open directory: Permission denied", None),
        ] {
            assert_eq!(outcome_in(text), outcome, "{text}");
        }
    }

    #[test]
    fn only_the_clients_own_note_is_an_interruption() {
        for (text, expected) in [
            ("[Request interrupted by user]", true),
            ("\n[Request interrupted by user for tool use] ", true),
            ("[Request interrupted by user] is in the log, why?", false),
            ("[Request interrupted by user] and [this]", false),
            ("[Request interrupted by user", false),
            ("", false),
        ] {
            assert_eq!(is_interruption(text), expected, "{text:?}");
        }
    }
}
