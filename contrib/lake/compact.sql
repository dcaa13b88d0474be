-- Copies a lake into one file for each day, whichever machines its rows are from: many small files are slow to ask.
-- Run tables.sql for the lake before. Set before: compacted, a directory that exists, or s3://bucket/prefix.

SET threads = 1; -- Else each thread would write a separate file.

COPY (FROM calls LIMIT 0) TO (getvariable('compacted') || '/calls.empty.parquet') (FORMAT parquet);
COPY (
    SELECT *, CAST(started_at AS DATE) AS "date" FROM calls
    ORDER BY "date", machine, session_id, started_at
) TO (getvariable('compacted') || '/calls')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date"), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');

COPY (FROM sessions LIMIT 0) TO (getvariable('compacted') || '/sessions.empty.parquet') (FORMAT parquet);
COPY (
    SELECT *, CAST(started_at AS DATE) AS "date" FROM sessions
    ORDER BY "date", machine, session_id
) TO (getvariable('compacted') || '/sessions')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date"), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');

COPY (FROM prompts LIMIT 0) TO (getvariable('compacted') || '/prompts.empty.parquet') (FORMAT parquet);
COPY (
    SELECT *, CAST("at" AS DATE) AS "date" FROM prompts
    ORDER BY "date", machine, session_id
) TO (getvariable('compacted') || '/prompts')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date"), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');

COPY (FROM tokens LIMIT 0) TO (getvariable('compacted') || '/tokens.empty.parquet') (FORMAT parquet);
COPY (
    SELECT *, CAST(coalesce(day, DATE '1970-01-01') AS DATE) AS "date" FROM tokens
    ORDER BY "date", machine, session_id
) TO (getvariable('compacted') || '/tokens')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date"), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');

COPY (FROM commits LIMIT 0) TO (getvariable('compacted') || '/commits.empty.parquet') (FORMAT parquet);
COPY (
    SELECT *, CAST("at" AS DATE) AS "date" FROM commits
    ORDER BY "date", machine, session_id
) TO (getvariable('compacted') || '/commits')
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ("date"), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'rows');

RESET threads;
