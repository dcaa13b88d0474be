-- Makes the tables of the questions from the Parquet files of a lake, in DuckDB.
-- Set before: lake, the directory or s3://bucket/prefix, as it was loaded or compacted.

SET VARIABLE files_of_calls = (SELECT list(file) FROM glob(getvariable('lake') || '/calls/**/*.parquet'));
CREATE OR REPLACE TEMP VIEW calls AS
FROM read_parquet(
    list_concat([getvariable('lake') || '/calls.empty.parquet'], getvariable('files_of_calls')),
    hive_partitioning = false, union_by_name = true);

SET VARIABLE files_of_sessions = (SELECT list(file) FROM glob(getvariable('lake') || '/sessions/**/*.parquet'));
CREATE OR REPLACE TEMP VIEW sessions AS
FROM read_parquet(
    list_concat([getvariable('lake') || '/sessions.empty.parquet'], getvariable('files_of_sessions')),
    hive_partitioning = false, union_by_name = true);

SET VARIABLE files_of_prompts = (SELECT list(file) FROM glob(getvariable('lake') || '/prompts/**/*.parquet'));
CREATE OR REPLACE TEMP VIEW prompts AS
FROM read_parquet(
    list_concat([getvariable('lake') || '/prompts.empty.parquet'], getvariable('files_of_prompts')),
    hive_partitioning = false, union_by_name = true);

SET VARIABLE files_of_tokens = (SELECT list(file) FROM glob(getvariable('lake') || '/tokens/**/*.parquet'));
CREATE OR REPLACE TEMP VIEW tokens AS
FROM read_parquet(
    list_concat([getvariable('lake') || '/tokens.empty.parquet'], getvariable('files_of_tokens')),
    hive_partitioning = false, union_by_name = true);

SET VARIABLE files_of_commits = (SELECT list(file) FROM glob(getvariable('lake') || '/commits/**/*.parquet'));
CREATE OR REPLACE TEMP VIEW commits AS
FROM read_parquet(
    list_concat([getvariable('lake') || '/commits.empty.parquet'], getvariable('files_of_commits')),
    hive_partitioning = false, union_by_name = true);
