//! The words that Claude Code uses in payloads and journals, each parsed in one place. Pure, and
//! below `model`, which uses them.

/// The name of Claude Code's process, in its native builds and, on Linux, under Node.
pub const PROCESS_NAME: &str = "claude";

/// How a session started: the `source` of a SessionStart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartSource {
    /// A new session.
    Startup,
    /// An earlier session continues.
    Resume,
    /// `/clear`: the same process begins a new session.
    Clear,
    /// The same session continues with a shorter context.
    Compact,
    /// `/branch` or `--fork-session`: a new session that begins with a copy of another.
    Fork,
    /// Any other word: one of ccsession's own, or one of an unknown version.
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
    /// `/clear`: the process continues with a new session.
    Clear,
    /// `/resume`: the process continues with another session.
    Resume,
    /// Any other word: the process ends, or its version is unknown.
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

    /// Returns true if the process continues with another session.
    pub fn is_moving_on(self) -> bool {
        matches!(self, Self::Clear | Self::Resume)
    }
}

/// Returns true if Claude Code runs this subagent for its own purposes. Claude Code names such an
/// agent `a`, a label, a dash and a hexadecimal number.
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
