//! What is known of one session on the board. Pure.

use crate::identity::open_calls::OpenCall;
use crate::model::attention::{Attention, Need};
use crate::model::text::{one_line, shell_word};
use crate::model::{Record, SessionId, Timestamp};

/// The longest text that is kept, in characters.
const LONGEST: usize = 400;

/// What the board knows about a session. All texts are safe for one line of a terminal.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct SessionFacts {
    pub(in crate::cli) id: SessionId,
    /// The session's title, or the beginning of its id if it has none.
    pub(in crate::cli) title: String,
    pub(in crate::cli) has_title: bool,
    pub(in crate::cli) project: String,
    /// The directory of the project.
    pub(in crate::cli) root: String,
    pub(in crate::cli) branch: Option<String>,
    pub(in crate::cli) role: Option<String>,
    pub(in crate::cli) focus: Option<String>,
    pub(in crate::cli) pids: Vec<u32>,
    pub(in crate::cli) started: Timestamp,
    pub(in crate::cli) last_activity: Timestamp,
    /// True if no event happened for the idle timeout, and no call is open.
    pub(in crate::cli) is_idle: bool,
    pub(in crate::cli) attention: Attention,
    /// The calls that have begun and not ended, oldest first.
    pub(in crate::cli) open_calls: Vec<OpenCall>,
    /// The shell command that resumes the session.
    pub(in crate::cli) resume: String,
}

/// How many calls a session has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cli) struct CallCounts {
    pub(in crate::cli) calls: u64,
    pub(in crate::cli) failed: u64,
}

impl SessionFacts {
    /// Gathers what is known from the session's record and files, except what it does now.
    pub(in crate::cli) fn new(
        record: &Record,
        title: Option<&str>,
        pids: Vec<u32>,
        last_activity: Option<Timestamp>,
    ) -> Self {
        let branch = record.head.as_ref().and_then(|head| head.branch.as_deref());
        Self {
            id: record.session_id.clone(),
            title: title.map_or_else(|| short(&record.session_id), safe),
            has_title: title.is_some(),
            project: safe(&record.project.name),
            root: safe(&record.project.root),
            branch: branch.map(safe),
            role: record.role.as_deref().map(safe),
            focus: record.focus.as_deref().map(safe),
            pids,
            started: record.started_at,
            last_activity: last_activity.unwrap_or(record.started_at),
            is_idle: false,
            attention: Attention::default(),
            open_calls: Vec::new(),
            resume: resume_command(record),
        }
    }

    /// Adds what the session does now: whether it is idle, what it waits for, and which calls are
    /// open.
    pub(in crate::cli) fn with_present(
        self,
        is_idle: bool,
        attention: Attention,
        open_calls: Vec<OpenCall>,
    ) -> Self {
        let safe_too = |text: Option<String>| text.as_deref().map(safe);
        let attention = Attention {
            tool: safe_too(attention.tool),
            what: safe_too(attention.what),
            ..attention
        };
        let call = |call: OpenCall| OpenCall {
            tool: safe_too(call.tool),
            what: safe_too(call.what),
            ..call
        };
        Self {
            is_idle,
            attention,
            open_calls: open_calls.into_iter().map(call).collect(),
            ..self
        }
    }

    /// Describes what the session asks of a person, or else which call it makes.
    pub(in crate::cli) fn doing(&self) -> Option<String> {
        let attention = &self.attention;
        match attention.state {
            Need::Permission if attention.tool.is_some() => {
                return Some(described(
                    attention.tool.as_deref(),
                    attention.what.as_deref(),
                ));
            }
            // The board shows this state beside the text, so the text need not name the tool.
            Need::Question | Need::Plan | Need::Error => return attention.what.clone(),
            _ => {}
        }
        if let Some((last, more)) = self.open_calls.split_last() {
            let text = described(last.tool.as_deref(), last.what.as_deref());
            return Some(match more.len() {
                0 => text,
                more => format!("+{more} {text}"),
            });
        }
        match attention.background {
            0 => None,
            count => Some(format!("{count} in background")),
        }
    }
}

fn described(tool: Option<&str>, what: Option<&str>) -> String {
    let tool = tool.unwrap_or("a tool");
    match what {
        Some(what) => format!("{tool}: {what}"),
        None => tool.to_owned(),
    }
}

/// Returns the beginning of the id, for a session without a title.
fn short(id: &SessionId) -> String {
    id.as_str().chars().take(8).collect()
}

/// Returns the command that resumes the session, for a shell.
fn resume_command(record: &Record) -> String {
    let dir = record.cwd.as_deref().unwrap_or(&record.project.root);
    let id = shell_word(record.session_id.as_str().as_bytes());
    format!("cd {} && claude --resume {id}", shell_word(dir.as_bytes()))
}

fn safe(text: &str) -> String {
    one_line(text, LONGEST)
}
