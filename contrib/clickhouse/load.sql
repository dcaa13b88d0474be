-- Loads an export: the files calls.jsonl, sessions.jsonl, prompts.jsonl, tokens.jsonl and commits.jsonl in the directory {exported}.
-- A server reads files below its user_files. With `clickhouse-client` instead:
--   clickhouse-client --query "INSERT INTO ccsession.calls FORMAT JSONEachRow" < calls.jsonl
SET input_format_null_as_default = 1, date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1;
INSERT INTO ccsession.calls SELECT * FROM file('{exported}/calls.jsonl', JSONEachRow);
INSERT INTO ccsession.sessions SELECT * FROM file('{exported}/sessions.jsonl', JSONEachRow);
INSERT INTO ccsession.prompts SELECT * FROM file('{exported}/prompts.jsonl', JSONEachRow);
INSERT INTO ccsession.tokens SELECT * FROM file('{exported}/tokens.jsonl', JSONEachRow);
INSERT INTO ccsession.commits SELECT * FROM file('{exported}/commits.jsonl', JSONEachRow);
