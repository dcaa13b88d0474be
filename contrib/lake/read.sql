-- Reads what `ccsession export --format jsonl` wrote, one file for each table, into temporary tables of DuckDB.
-- Set before: exported, the directory with calls.jsonl, sessions.jsonl, prompts.jsonl, tokens.jsonl and commits.jsonl.

CREATE OR REPLACE TEMP TABLE new_calls AS
FROM read_json(getvariable('exported') || '/calls.jsonl', format = 'newline_delimited', columns = {
    session_id: 'VARCHAR', title: 'VARCHAR', project: 'VARCHAR', root: 'VARCHAR', branch: 'VARCHAR', machine: 'VARCHAR',
    machine_id: 'VARCHAR', user_name: 'VARCHAR', tool_use_id: 'VARCHAR', tool: 'VARCHAR', what: 'VARCHAR',
    state: 'VARCHAR', error: 'VARCHAR', started_at: 'TIMESTAMP', ended_at: 'TIMESTAMP', duration_ms: 'BIGINT',
    elapsed_ms: 'BIGINT', wait_ms: 'BIGINT', permission_ms: 'BIGINT', closed: 'VARCHAR', agent_id: 'VARCHAR',
    agent_type: 'VARCHAR', prompt_id: 'VARCHAR', pid: 'BIGINT', input_bytes: 'BIGINT', output_bytes: 'BIGINT',
    background: 'VARCHAR', background_ended_at: 'TIMESTAMP', spawned_agent: 'VARCHAR', origin: 'VARCHAR'
});

CREATE OR REPLACE TEMP TABLE new_sessions AS
FROM read_json(getvariable('exported') || '/sessions.jsonl', format = 'newline_delimited', columns = {
    session_id: 'VARCHAR', title: 'VARCHAR', project: 'VARCHAR', root: 'VARCHAR', branch: 'VARCHAR', machine: 'VARCHAR',
    machine_id: 'VARCHAR', user_name: 'VARCHAR', state: 'VARCHAR', role: 'VARCHAR', focus: 'VARCHAR', source: 'VARCHAR',
    model: 'VARCHAR', started_at: 'TIMESTAMP', ended_at: 'TIMESTAMP', last_activity: 'TIMESTAMP', events: 'BIGINT',
    prompts: 'BIGINT', agents: 'BIGINT', compactions: 'BIGINT', duplicates: 'BIGINT', calls: 'BIGINT', ok: 'BIGINT',
    failed: 'BIGINT', denied: 'BIGINT', abandoned: 'BIGINT', backgrounded: 'BIGINT', running: 'BIGINT',
    imported_calls: 'BIGINT', total_ms: 'BIGINT', wait_ms: 'BIGINT', permission_ms: 'BIGINT', messages: 'BIGINT',
    input: 'BIGINT', output: 'BIGINT', cache_read: 'BIGINT', cache_creation: 'BIGINT', cost_usd: 'DOUBLE'
});

CREATE OR REPLACE TEMP TABLE new_prompts AS
FROM read_json(getvariable('exported') || '/prompts.jsonl', format = 'newline_delimited', columns = {
    session_id: 'VARCHAR', title: 'VARCHAR', project: 'VARCHAR', root: 'VARCHAR', branch: 'VARCHAR', machine: 'VARCHAR',
    machine_id: 'VARCHAR', user_name: 'VARCHAR', prompt_id: 'VARCHAR', what: 'VARCHAR', "at": 'TIMESTAMP',
    ended_at: 'TIMESTAMP', duration_ms: 'BIGINT', "end": 'VARCHAR', error: 'VARCHAR', notification: 'BOOLEAN',
    task_id: 'VARCHAR'
});

CREATE OR REPLACE TEMP TABLE new_tokens AS
FROM read_json(getvariable('exported') || '/tokens.jsonl', format = 'newline_delimited', columns = {
    session_id: 'VARCHAR', title: 'VARCHAR', project: 'VARCHAR', root: 'VARCHAR', branch: 'VARCHAR', machine: 'VARCHAR',
    machine_id: 'VARCHAR', user_name: 'VARCHAR', day: 'DATE', agent_id: 'VARCHAR', agent_type: 'VARCHAR',
    model: 'VARCHAR', messages: 'BIGINT', input: 'BIGINT', output: 'BIGINT', cache_read: 'BIGINT',
    cache_creation: 'BIGINT'
});

CREATE OR REPLACE TEMP TABLE new_commits AS
FROM read_json(getvariable('exported') || '/commits.jsonl', format = 'newline_delimited', columns = {
    session_id: 'VARCHAR', title: 'VARCHAR', project: 'VARCHAR', root: 'VARCHAR', branch: 'VARCHAR', machine: 'VARCHAR',
    machine_id: 'VARCHAR', user_name: 'VARCHAR', commit_id: 'VARCHAR', how: 'VARCHAR', "at": 'TIMESTAMP',
    replaces: 'VARCHAR', evidence: 'VARCHAR', tool_use_id: 'VARCHAR', prompt_id: 'VARCHAR'
});
