//! The words that Claude Code uses in payloads and journals, each parsed in one place. `model` uses
//! these words, so this module uses nothing of `model`.

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
    /// Any other word: one of ccsession's own, or one of an unknown version of Claude Code.
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
    /// Any other word: the process ends, or the word is unknown.
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

/// What a tool call asks a person, apart from permission to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// To answer a question.
    Question,
    /// To approve a plan.
    Plan,
}

impl Asks {
    /// Returns what a call of `tool` asks a person besides permission; `None` if it asks nothing
    /// else.
    pub fn of(tool: &str) -> Option<Self> {
        match tool {
            "AskUserQuestion" => Some(Self::Question),
            "ExitPlanMode" => Some(Self::Plan),
            _ => None,
        }
    }
}

/// The `notification_type` of a notice that a dialog has been waiting for some seconds.
pub const PERMISSION_NOTICE: &str = "permission_prompt";

/// The types of a notification that a question of an MCP server waits.
pub const FORM_NOTICES: [&str; 2] = ["elicitation_dialog", "elicitation_url_dialog"];

/// The types of a notification that a question of an MCP server was answered.
pub const FORM_ANSWERS: [&str; 2] = ["elicitation_response", "elicitation_complete"];

/// The `status` of a running Claude Code, as it writes it for others to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientStatus {
    /// A turn, a compaction or a subagent runs.
    Busy,
    /// A dialog is on the screen.
    Waiting(Dialog),
    /// Claude Code waits for a prompt.
    Idle,
    /// Claude Code waits for a prompt, and a command still runs in the background.
    Shell,
}

/// The dialog on Claude Code's screen: its `waitingFor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// Claude Code asks for permission, or for the approval of a plan.
    Permission,
    /// A question of the model.
    Question,
    /// A menu that the person opened.
    Menu,
}

impl ClientStatus {
    /// Parses `status` and `waitingFor`. Returns `None` for a status of an unknown version.
    pub fn of(status: &str, waiting_for: Option<&str>) -> Option<Self> {
        Some(match status {
            "busy" => Self::Busy,
            "idle" => Self::Idle,
            "shell" => Self::Shell,
            "waiting" => Self::Waiting(match waiting_for {
                Some("input needed") => Dialog::Question,
                Some("dialog open") => Dialog::Menu,
                // `permission prompt`, `sandbox request` and words of later versions all ask for
                // permission.
                _ => Dialog::Permission,
            }),
            _ => return None,
        })
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
