//! Every name of an attribute, event, span or metric that ccsession sends. `names.tsv` beside this
//! file says where each name comes from; a test compares the two files.

macro_rules! names {
    ($($constant:ident = $name:literal,)*) => {
        $(pub(super) const $constant: &str = $name;)*

        /// All names.
        #[cfg(test)]
        pub(super) const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    // Attributes of the resource.
    SERVICE_NAME = "service.name",
    SERVICE_VERSION = "service.version",
    HOST_NAME = "host.name",
    HOST_ID = "host.id",
    VCS_URL = "vcs.repository.url.full",
    VCS_REPOSITORY = "vcs.repository.name",
    VCS_OWNER = "vcs.owner.name",
    VCS_PROVIDER = "vcs.provider.name",
    VCS_BRANCH = "vcs.ref.head.name",
    VCS_REVISION = "vcs.ref.head.revision",
    VCS_REF_TYPE = "vcs.ref.head.type",
    PROJECT = "ccsession.project",
    // From OpenTelemetry's conventions.
    SESSION_ID = "session.id",
    PREVIOUS_ID = "session.previous_id",
    CONVERSATION_ID = "gen_ai.conversation.id",
    OPERATION = "gen_ai.operation.name",
    TOOL_NAME = "gen_ai.tool.name",
    CALL_ID = "gen_ai.tool.call.id",
    CALL_ARGUMENTS = "gen_ai.tool.call.arguments",
    CALL_RESULT = "gen_ai.tool.call.result",
    AGENT_NAME = "gen_ai.agent.name",
    MODEL = "gen_ai.request.model",
    INPUT_TOKENS = "gen_ai.usage.input_tokens",
    OUTPUT_TOKENS = "gen_ai.usage.output_tokens",
    CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens",
    CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens",
    ERROR_TYPE = "error.type",
    EXIT_CODE = "process.exit.code",
    PID = "process.pid",
    WORKING_DIRECTORY = "process.working_directory",
    RECORD_UID = "log.record.uid",
    // From Claude Code's own telemetry.
    PROMPT_ID = "prompt.id",
    AGENT_ID = "agent_id",
    PARENT_AGENT_ID = "parent_agent_id",
    // ccsession's own attributes of a session.
    TITLE = "ccsession.session.title",
    ROLE = "ccsession.session.role",
    FOCUS = "ccsession.session.focus",
    PARENT_SESSION = "ccsession.session.parent_id",
    // ccsession's own attributes of a turn.
    TURN_END = "ccsession.turn.end",
    TURN_LABEL = "ccsession.turn.label",
    NOTIFIES = "ccsession.turn.notifies",
    // ccsession's own attributes of a call.
    CALL_STATE = "ccsession.call.state",
    CALL_CLOSED = "ccsession.call.closed",
    CALL_LABEL = "ccsession.call.label",
    CALL_BEGUN = "ccsession.call.begun",
    CALL_DURATION = "ccsession.call.duration_ms",
    CALL_WAIT = "ccsession.call.wait_ms",
    CALL_PERMISSION = "ccsession.call.permission_ms",
    CALL_INPUT = "ccsession.call.input_bytes",
    CALL_OUTPUT = "ccsession.call.output_bytes",
    BACKGROUND = "ccsession.call.background_id",
    SPAWNED_AGENT = "ccsession.call.spawned_agent_id",
    DECISION = "ccsession.permission.decision",
    // ccsession's own attributes of an event.
    EVENT = "ccsession.event",
    SOURCE = "ccsession.source",
    REASON = "ccsession.reason",
    TRIGGER = "ccsession.trigger",
    NOTIFICATION_TYPE = "ccsession.notification_type",
    TASK = "ccsession.task_id",
    BATCH_SIZE = "ccsession.batch.calls",
    COMMIT_HOW = "ccsession.commit.how",
    COMMIT_REPLACES = "ccsession.commit.replaces",
    MESSAGES = "ccsession.usage.messages",
    // Names of events.
    STARTS = "session.start",
    ENDS = "session.end",
    CALL_OVER = "ccsession.call",
    COMMIT = "ccsession.commit",
    USAGE = "ccsession.usage",
    // Names of spans.
    BLOCKED = "ccsession.blocked_on_user",
    IN_BACKGROUND = "ccsession.background",
    // Names of metrics, and the attributes that only metrics have.
    SESSIONS = "ccsession.sessions.current",
    SESSIONS_WAITING = "ccsession.sessions.waiting",
    SESSIONS_STARTED = "ccsession.sessions.started",
    SESSION_ENDS = "ccsession.sessions.ended",
    SESSION_AGE = "ccsession.sessions.age",
    TOOL_CALLS = "ccsession.tool.calls",
    TOOL_FAILURES = "ccsession.tool.failures",
    TOOL_DURATION = "gen_ai.execute_tool.duration",
    HOOK_ERRORS = "ccsession.hook.errors",
    DAMAGED_LINES = "ccsession.journal.damaged_lines",
    LEASES = "ccsession.leases",
    ARCHIVES = "ccsession.archives.count",
    ARCHIVE_SIZE = "ccsession.archives.size",
    SESSION_STATE = "ccsession.session.state",
    ATTENTION = "ccsession.session.attention",
    AGE_OF = "ccsession.session.age_of",
    LEASE = "ccsession.lease.outcome",
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_name_has_a_documented_source() {
        let lines = include_str!("names.tsv").lines();
        let said: Vec<Vec<&str>> = lines
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        let names: Vec<&str> = said.iter().map(|line| line[0]).collect();
        assert_eq!(names, ALL);
        for line in &said {
            let [name, source, status] = line[..] else {
                panic!("{line:?}")
            };
            let is_right = match source {
                "semconv" | "genai" => {
                    ["stable", "release candidate", "development"].contains(&status)
                }
                "claude-code" => status == "-" && !name.starts_with("ccsession."),
                "ours" => status == "-" && name.starts_with("ccsession."),
                _ => false,
            };
            assert!(is_right, "{line:?}");
            // Replaced, or removed from spans within a program.
            let gone = ["gen_ai.system", "gen_ai.agent.id", "gen_ai.token.type"];
            assert!(!gone.contains(&name) && !name.starts_with("vcs.repository.ref."));
        }
    }
}
