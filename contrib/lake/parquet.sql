-- Merges the tables that read.sql made into Parquet files, a file for each day and machine: calls/date=2026-11-20/host=anna.
-- A row that is there already is replaced, so loading an export again changes nothing.
-- Set before: lake, a directory that exists, or s3://bucket/prefix; and written, where the new files go. On S3, a file appears
-- only when it is complete, so `written` is the lake itself. Otherwise it is a directory whose files are then moved into the lake.
-- Only days and machines with rows in the export are read and written. Two loads of one machine must not run at once.

SET threads = 1; -- Else each thread would write a separate file.

COPY (FROM new_calls LIMIT 0) TO (getvariable('written') || '/calls.empty.parquet') (FORMAT parquet);
CREATE OR REPLACE TEMP TABLE placed_calls AS
SELECT *, CAST(started_at AS DATE) AS "date",
    regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
FROM new_calls;
SET VARIABLE files = (
    SELECT list(file) FROM glob(getvariable('lake') || '/calls/date=*/host=*/*.parquet')
    WHERE (regexp_extract(file, 'date=([^/]+)', 1), regexp_extract(file, 'host=([^/]+)', 1))
        IN (SELECT (CAST("date" AS VARCHAR), host) FROM placed_calls)
);
CREATE OR REPLACE TEMP TABLE merged AS
SELECT * FROM (
    SELECT *, 0 AS age FROM new_calls
    UNION ALL BY NAME
    SELECT *, 1 AS age FROM read_parquet(
        list_concat([getvariable('written') || '/calls.empty.parquet'], getvariable('files')),
        hive_partitioning = false, union_by_name = true)
)
QUALIFY row_number() OVER (
    PARTITION BY session_id, agent_id, coalesce(tool_use_id, concat_ws(' ', tool, pid, started_at))
    ORDER BY ended_at IS NULL, age
) = 1;
COPY (
    SELECT * EXCLUDE (age), CAST(started_at AS DATE) AS "date",
        regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
    FROM merged
    ORDER BY "date", host, session_id, started_at
) TO (getvariable('written') || '/calls')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date", host), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');
DROP TABLE merged;

COPY (FROM new_sessions LIMIT 0) TO (getvariable('written') || '/sessions.empty.parquet') (FORMAT parquet);
CREATE OR REPLACE TEMP TABLE placed_sessions AS
SELECT *, CAST(started_at AS DATE) AS "date",
    regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
FROM new_sessions;
SET VARIABLE files = (
    SELECT list(file) FROM glob(getvariable('lake') || '/sessions/date=*/host=*/*.parquet')
    WHERE (regexp_extract(file, 'date=([^/]+)', 1), regexp_extract(file, 'host=([^/]+)', 1))
        IN (SELECT (CAST("date" AS VARCHAR), host) FROM placed_sessions)
);
CREATE OR REPLACE TEMP TABLE merged AS
SELECT * FROM (
    SELECT *, 0 AS age FROM new_sessions
    UNION ALL BY NAME
    SELECT *, 1 AS age FROM read_parquet(
        list_concat([getvariable('written') || '/sessions.empty.parquet'], getvariable('files')),
        hive_partitioning = false, union_by_name = true)
)
QUALIFY row_number() OVER (
    PARTITION BY session_id
    ORDER BY last_activity DESC NULLS LAST, events DESC, age
) = 1;
COPY (
    SELECT * EXCLUDE (age), CAST(started_at AS DATE) AS "date",
        regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
    FROM merged
    ORDER BY "date", host, session_id
) TO (getvariable('written') || '/sessions')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date", host), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');
DROP TABLE merged;

COPY (FROM new_prompts LIMIT 0) TO (getvariable('written') || '/prompts.empty.parquet') (FORMAT parquet);
CREATE OR REPLACE TEMP TABLE placed_prompts AS
SELECT *, CAST("at" AS DATE) AS "date",
    regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
FROM new_prompts;
SET VARIABLE files = (
    SELECT list(file) FROM glob(getvariable('lake') || '/prompts/date=*/host=*/*.parquet')
    WHERE (regexp_extract(file, 'date=([^/]+)', 1), regexp_extract(file, 'host=([^/]+)', 1))
        IN (SELECT (CAST("date" AS VARCHAR), host) FROM placed_prompts)
);
CREATE OR REPLACE TEMP TABLE merged AS
SELECT * FROM (
    SELECT *, 0 AS age FROM new_prompts
    UNION ALL BY NAME
    SELECT *, 1 AS age FROM read_parquet(
        list_concat([getvariable('written') || '/prompts.empty.parquet'], getvariable('files')),
        hive_partitioning = false, union_by_name = true)
)
QUALIFY row_number() OVER (
    PARTITION BY session_id, prompt_id, "at"
    ORDER BY ended_at IS NULL, age
) = 1;
COPY (
    SELECT * EXCLUDE (age), CAST("at" AS DATE) AS "date",
        regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
    FROM merged
    ORDER BY "date", host, session_id
) TO (getvariable('written') || '/prompts')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date", host), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');
DROP TABLE merged;

COPY (FROM new_tokens LIMIT 0) TO (getvariable('written') || '/tokens.empty.parquet') (FORMAT parquet);
CREATE OR REPLACE TEMP TABLE placed_tokens AS
SELECT *, CAST(coalesce(day, DATE '1970-01-01') AS DATE) AS "date",
    regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
FROM new_tokens;
SET VARIABLE files = (
    SELECT list(file) FROM glob(getvariable('lake') || '/tokens/date=*/host=*/*.parquet')
    WHERE (regexp_extract(file, 'date=([^/]+)', 1), regexp_extract(file, 'host=([^/]+)', 1))
        IN (SELECT (CAST("date" AS VARCHAR), host) FROM placed_tokens)
);
CREATE OR REPLACE TEMP TABLE merged AS
SELECT * FROM (
    SELECT *, 0 AS age FROM new_tokens
    UNION ALL BY NAME
    SELECT *, 1 AS age FROM read_parquet(
        list_concat([getvariable('written') || '/tokens.empty.parquet'], getvariable('files')),
        hive_partitioning = false, union_by_name = true)
)
QUALIFY row_number() OVER (
    PARTITION BY session_id, agent_id, model, day
    ORDER BY messages DESC, age
) = 1;
COPY (
    SELECT * EXCLUDE (age), CAST(coalesce(day, DATE '1970-01-01') AS DATE) AS "date",
        regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
    FROM merged
    ORDER BY "date", host, session_id
) TO (getvariable('written') || '/tokens')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date", host), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');
DROP TABLE merged;

COPY (FROM new_commits LIMIT 0) TO (getvariable('written') || '/commits.empty.parquet') (FORMAT parquet);
CREATE OR REPLACE TEMP TABLE placed_commits AS
SELECT *, CAST("at" AS DATE) AS "date",
    regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
FROM new_commits;
SET VARIABLE files = (
    SELECT list(file) FROM glob(getvariable('lake') || '/commits/date=*/host=*/*.parquet')
    WHERE (regexp_extract(file, 'date=([^/]+)', 1), regexp_extract(file, 'host=([^/]+)', 1))
        IN (SELECT (CAST("date" AS VARCHAR), host) FROM placed_commits)
);
CREATE OR REPLACE TEMP TABLE merged AS
SELECT * FROM (
    SELECT *, 0 AS age FROM new_commits
    UNION ALL BY NAME
    SELECT *, 1 AS age FROM read_parquet(
        list_concat([getvariable('written') || '/commits.empty.parquet'], getvariable('files')),
        hive_partitioning = false, union_by_name = true)
)
QUALIFY row_number() OVER (
    PARTITION BY session_id, commit_id
    ORDER BY age
) = 1;
COPY (
    SELECT * EXCLUDE (age), CAST("at" AS DATE) AS "date",
        regexp_replace(coalesce(machine, 'unknown'), '[^A-Za-z0-9._-]', '_', 'g') AS host
    FROM merged
    ORDER BY "date", host, session_id
) TO (getvariable('written') || '/commits')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date", host), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');
DROP TABLE merged;

RESET threads;
