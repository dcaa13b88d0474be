-- The tables of `ccsession export --format jsonl` in ClickHouse, and the spans that an OpenTelemetry Collector writes.
-- A row that is sent again replaces the one before (ReplacingMergeTree). Ask with FINAL, or `SET final = 1`.
-- A missing text or day in a key is empty, because a key takes no NULL.

CREATE DATABASE IF NOT EXISTS ccsession;

CREATE TABLE IF NOT EXISTS ccsession.calls (
    session_id String,
    title Nullable(String),
    project LowCardinality(Nullable(String)),
    root LowCardinality(Nullable(String)),
    branch LowCardinality(Nullable(String)),
    machine LowCardinality(Nullable(String)),
    machine_id LowCardinality(Nullable(String)),
    user_name LowCardinality(Nullable(String)),
    tool_use_id String,
    tool LowCardinality(Nullable(String)),
    what Nullable(String),
    state LowCardinality(Nullable(String)),
    error LowCardinality(Nullable(String)),
    started_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    duration_ms Nullable(UInt64),
    elapsed_ms Nullable(UInt64),
    wait_ms Nullable(UInt64),
    permission_ms Nullable(UInt64),
    closed LowCardinality(Nullable(String)),
    agent_id String,
    agent_type LowCardinality(Nullable(String)),
    prompt_id Nullable(String),
    pid Nullable(UInt64),
    input_bytes Nullable(UInt64),
    output_bytes Nullable(UInt64),
    background Nullable(String),
    background_ended_at Nullable(DateTime64(3, 'UTC')),
    spawned_agent Nullable(String),
    origin LowCardinality(Nullable(String)),
    version UInt64 MATERIALIZED ifNull(toUnixTimestamp64Milli(ended_at), 0)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (session_id, agent_id, tool_use_id, started_at);

CREATE TABLE IF NOT EXISTS ccsession.sessions (
    session_id String,
    title Nullable(String),
    project LowCardinality(Nullable(String)),
    root LowCardinality(Nullable(String)),
    branch LowCardinality(Nullable(String)),
    machine LowCardinality(Nullable(String)),
    machine_id LowCardinality(Nullable(String)),
    user_name LowCardinality(Nullable(String)),
    state LowCardinality(Nullable(String)),
    role LowCardinality(Nullable(String)),
    focus Nullable(String),
    source LowCardinality(Nullable(String)),
    model LowCardinality(Nullable(String)),
    started_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    last_activity Nullable(DateTime64(3, 'UTC')),
    events Nullable(UInt64),
    prompts Nullable(UInt64),
    agents Nullable(UInt64),
    compactions Nullable(UInt64),
    duplicates Nullable(UInt64),
    calls Nullable(UInt64),
    ok Nullable(UInt64),
    failed Nullable(UInt64),
    denied Nullable(UInt64),
    abandoned Nullable(UInt64),
    backgrounded Nullable(UInt64),
    running Nullable(UInt64),
    imported_calls Nullable(UInt64),
    total_ms Nullable(UInt64),
    wait_ms Nullable(UInt64),
    permission_ms Nullable(UInt64),
    messages Nullable(UInt64),
    input Nullable(UInt64),
    output Nullable(UInt64),
    cache_read Nullable(UInt64),
    cache_creation Nullable(UInt64),
    cost_usd Nullable(Float64),
    version UInt64 MATERIALIZED ifNull(toUnixTimestamp64Milli(last_activity), 0)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (session_id);

CREATE TABLE IF NOT EXISTS ccsession.prompts (
    session_id String,
    title Nullable(String),
    project LowCardinality(Nullable(String)),
    root LowCardinality(Nullable(String)),
    branch LowCardinality(Nullable(String)),
    machine LowCardinality(Nullable(String)),
    machine_id LowCardinality(Nullable(String)),
    user_name LowCardinality(Nullable(String)),
    prompt_id String,
    what Nullable(String),
    `at` DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    duration_ms Nullable(UInt64),
    `end` LowCardinality(Nullable(String)),
    error LowCardinality(Nullable(String)),
    notification Nullable(Bool),
    task_id Nullable(String),
    version UInt64 MATERIALIZED ifNull(toUnixTimestamp64Milli(ended_at), 0)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(`at`)
ORDER BY (session_id, prompt_id, `at`);

CREATE TABLE IF NOT EXISTS ccsession.tokens (
    session_id String,
    title Nullable(String),
    project LowCardinality(Nullable(String)),
    root LowCardinality(Nullable(String)),
    branch LowCardinality(Nullable(String)),
    machine LowCardinality(Nullable(String)),
    machine_id LowCardinality(Nullable(String)),
    user_name LowCardinality(Nullable(String)),
    day Date,
    agent_id String,
    agent_type LowCardinality(Nullable(String)),
    model LowCardinality(String),
    messages Nullable(UInt64),
    input Nullable(UInt64),
    output Nullable(UInt64),
    cache_read Nullable(UInt64),
    cache_creation Nullable(UInt64),
    version UInt64 MATERIALIZED ifNull(messages, 0)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (session_id, agent_id, model, day);

CREATE TABLE IF NOT EXISTS ccsession.commits (
    session_id String,
    title Nullable(String),
    project LowCardinality(Nullable(String)),
    root LowCardinality(Nullable(String)),
    branch LowCardinality(Nullable(String)),
    machine LowCardinality(Nullable(String)),
    machine_id LowCardinality(Nullable(String)),
    user_name LowCardinality(Nullable(String)),
    commit_id String,
    how LowCardinality(Nullable(String)),
    `at` DateTime64(3, 'UTC'),
    replaces Nullable(String),
    evidence LowCardinality(Nullable(String)),
    tool_use_id Nullable(String),
    prompt_id Nullable(String),
    version UInt64 MATERIALIZED 0
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(`at`)
ORDER BY (session_id, commit_id);

-- The columns are those of the collector's ClickHouse exporter. Its own table keeps every copy of a span that is sent twice.
CREATE TABLE IF NOT EXISTS ccsession.otel_traces (
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX by_trace TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_session SpanAttributes['session.id'] TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, TraceId, SpanId)
SETTINGS index_granularity = 8192;
