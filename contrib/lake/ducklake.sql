-- Merges the tables that read.sql made into DuckLake tables. A row that is there already is replaced if the new one knows more.
-- Attach the lake first, under the name `lake`. Many may load at once. If two replace the same row, the later one fails, and loads again.

CREATE TABLE IF NOT EXISTS lake.calls (
    session_id VARCHAR, title VARCHAR, project VARCHAR, root VARCHAR, branch VARCHAR, machine VARCHAR,
    machine_id VARCHAR, user_name VARCHAR, tool_use_id VARCHAR, tool VARCHAR, what VARCHAR, state VARCHAR,
    error VARCHAR, started_at TIMESTAMP, ended_at TIMESTAMP, duration_ms BIGINT, elapsed_ms BIGINT, wait_ms BIGINT,
    permission_ms BIGINT, closed VARCHAR, agent_id VARCHAR, agent_type VARCHAR, prompt_id VARCHAR, pid BIGINT,
    input_bytes BIGINT, output_bytes BIGINT, background VARCHAR, background_ended_at TIMESTAMP, spawned_agent VARCHAR,
    origin VARCHAR
);

CREATE TABLE IF NOT EXISTS lake.sessions (
    session_id VARCHAR, title VARCHAR, project VARCHAR, root VARCHAR, branch VARCHAR, machine VARCHAR,
    machine_id VARCHAR, user_name VARCHAR, state VARCHAR, role VARCHAR, focus VARCHAR, source VARCHAR, model VARCHAR,
    started_at TIMESTAMP, ended_at TIMESTAMP, last_activity TIMESTAMP, events BIGINT, prompts BIGINT, agents BIGINT,
    compactions BIGINT, duplicates BIGINT, calls BIGINT, ok BIGINT, failed BIGINT, denied BIGINT, abandoned BIGINT,
    backgrounded BIGINT, running BIGINT, imported_calls BIGINT, total_ms BIGINT, wait_ms BIGINT, permission_ms BIGINT,
    messages BIGINT, input BIGINT, output BIGINT, cache_read BIGINT, cache_creation BIGINT, cost_usd DOUBLE
);

CREATE TABLE IF NOT EXISTS lake.prompts (
    session_id VARCHAR, title VARCHAR, project VARCHAR, root VARCHAR, branch VARCHAR, machine VARCHAR,
    machine_id VARCHAR, user_name VARCHAR, prompt_id VARCHAR, what VARCHAR, "at" TIMESTAMP, ended_at TIMESTAMP,
    duration_ms BIGINT, "end" VARCHAR, error VARCHAR, notification BOOLEAN, task_id VARCHAR
);

CREATE TABLE IF NOT EXISTS lake.tokens (
    session_id VARCHAR, title VARCHAR, project VARCHAR, root VARCHAR, branch VARCHAR, machine VARCHAR,
    machine_id VARCHAR, user_name VARCHAR, day DATE, agent_id VARCHAR, agent_type VARCHAR, model VARCHAR,
    messages BIGINT, input BIGINT, output BIGINT, cache_read BIGINT, cache_creation BIGINT
);

CREATE TABLE IF NOT EXISTS lake.commits (
    session_id VARCHAR, title VARCHAR, project VARCHAR, root VARCHAR, branch VARCHAR, machine VARCHAR,
    machine_id VARCHAR, user_name VARCHAR, commit_id VARCHAR, how VARCHAR, "at" TIMESTAMP, replaces VARCHAR,
    evidence VARCHAR, tool_use_id VARCHAR, prompt_id VARCHAR
);

BEGIN;
MERGE INTO lake.calls AS known USING (
    FROM new_calls QUALIFY row_number() OVER (
        PARTITION BY session_id, agent_id, coalesce(tool_use_id, concat_ws(' ', tool, pid, started_at)) ORDER BY ended_at IS NULL
    ) = 1
) AS fresh
ON concat_ws('|', known.session_id, coalesce(known.agent_id, ''), coalesce(known.tool_use_id, concat_ws(' ', known.tool, known.pid, known.started_at)))
    = concat_ws('|', fresh.session_id, coalesce(fresh.agent_id, ''), coalesce(fresh.tool_use_id, concat_ws(' ', fresh.tool, fresh.pid, fresh.started_at)))
WHEN MATCHED AND (known.ended_at IS NULL AND fresh.ended_at IS NOT NULL) THEN UPDATE
WHEN NOT MATCHED THEN INSERT;
MERGE INTO lake.sessions AS known USING (
    FROM new_sessions QUALIFY row_number() OVER (
        PARTITION BY session_id ORDER BY last_activity DESC NULLS LAST, events DESC
    ) = 1
) AS fresh
ON known.session_id
    = fresh.session_id
WHEN MATCHED AND (known.last_activity IS NULL OR fresh.last_activity > known.last_activity
    OR fresh.last_activity = known.last_activity AND (fresh.state <> known.state OR fresh.title IS DISTINCT FROM known.title)) THEN UPDATE
WHEN NOT MATCHED THEN INSERT;
MERGE INTO lake.prompts AS known USING (
    FROM new_prompts QUALIFY row_number() OVER (
        PARTITION BY session_id, prompt_id, "at" ORDER BY ended_at IS NULL
    ) = 1
) AS fresh
ON concat_ws('|', known.session_id, coalesce(known.prompt_id, ''), known."at")
    = concat_ws('|', fresh.session_id, coalesce(fresh.prompt_id, ''), fresh."at")
WHEN MATCHED AND (known.ended_at IS NULL AND fresh.ended_at IS NOT NULL) THEN UPDATE
WHEN NOT MATCHED THEN INSERT;
MERGE INTO lake.tokens AS known USING (
    FROM new_tokens QUALIFY row_number() OVER (
        PARTITION BY session_id, agent_id, model, day ORDER BY messages DESC
    ) = 1
) AS fresh
ON concat_ws('|', known.session_id, coalesce(known.agent_id, ''), known.model, coalesce(known.day::VARCHAR, ''))
    = concat_ws('|', fresh.session_id, coalesce(fresh.agent_id, ''), fresh.model, coalesce(fresh.day::VARCHAR, ''))
WHEN MATCHED AND (fresh.messages > known.messages) THEN UPDATE
WHEN NOT MATCHED THEN INSERT;
MERGE INTO lake.commits AS known USING (
    FROM new_commits QUALIFY row_number() OVER (
        PARTITION BY session_id, commit_id ORDER BY "at"
    ) = 1
) AS fresh
ON concat_ws('|', known.session_id, known.commit_id)
    = concat_ws('|', fresh.session_id, fresh.commit_id)
WHEN NOT MATCHED THEN INSERT;
COMMIT;
