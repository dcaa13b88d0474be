//! The words that Claude Code uses in payloads and journals, each parsed in one place. Pure, and below `model`, whose folds ask
//! for them.

/// The name that Claude Code gives its process, in its native builds and, on Linux, under Node.
pub const PROCESS_NAME: &str = "claude";

/// How a session started: the `source` of a SessionStart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartSource {
    /// A new session.
    Startup,
    /// An earlier session goes on.
    Resume,
    /// `/clear`: the same process begins a new session.
    Clear,
    /// The same session goes on with a shorter context.
    Compact,
    /// `/branch` or `--fork-session`: a new session that begins with a copy of another.
    Fork,
    /// Any other word: this program's own, or one of a version that it does not know.
    Other,
}

impl StartSource {
    /// Parses the word.
    pub fn of(word: &str) -> Self {
        match word {
            "startup" => Self::Startup,
            "resume" => Self::Resume,
            "clear" => Self::Clear,
            "compact" => Self::Compact,
            "fork" => Self::Fork,
            _ => Self::Other,
        }
    }
}

/// Why a session ended: the `reason` of a SessionEnd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// `/clear`: the process goes on with a new session.
    Clear,
    /// `/resume`: the process goes on with another session.
    Resume,
    /// Any other word: the process ends, or is of a version that this program does not know.
    Other,
}

impl EndReason {
    /// Parses the word.
    pub fn of(word: &str) -> Self {
        match word {
            "clear" => Self::Clear,
            "resume" => Self::Resume,
            _ => Self::Other,
        }
    }

    /// Returns whether the process goes on, with another session.
    pub fn is_moving_on(self) -> bool {
        matches!(self, Self::Clear | Self::Resume)
    }
}

/// Returns whether Claude Code runs this subagent for its own purposes. It names those `a`, a label, a dash and a hexadecimal
/// number.
pub fn is_clients_own_agent(id: &str) -> bool {
    const LABELS: [&str; 16] = [
        "compact",
        "prompt_suggestion",
        "side_question",
        "session_memory",
        "extract_memories",
        "auto_dream",
        "magic_docs",
        "speculation",
        "agent_summary",
        "away_summary",
        "rename",
        "resume_cache_warm",
        "plugin_model_fork",
        "hook_agent",
        "hook_prompt",
        "insights",
    ];
    let label = id.strip_prefix('a').and_then(|rest| rest.rsplit_once('-'));
    label.is_some_and(|(label, number)| {
        LABELS.contains(&label) && number.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
