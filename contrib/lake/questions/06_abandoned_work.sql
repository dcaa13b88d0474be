-- Which work was abandoned in each project: sessions without an end, turns that were interrupted, calls that never came back?
WITH lost AS (
    SELECT project, 1 AS sessions, 0 AS turns, 0 AS calls, coalesce(output, 0) AS output, 0 AS lost_ms
    FROM sessions
    WHERE state = 'abandoned'
    UNION ALL
    SELECT prompts.project, 0, 1, 0, 0, coalesce(prompts.duration_ms, 0)
    FROM prompts
    WHERE prompts.end = 'interrupted'
    UNION ALL
    SELECT project, 0, 0, 1, 0, coalesce(elapsed_ms, 0)
    FROM calls
    WHERE state = 'abandoned'
)
SELECT project, sum(sessions) AS sessions, sum(turns) AS turns, sum(calls) AS calls,
    sum(output) AS output_tokens_of_sessions, sum(lost_ms) AS lost_ms
FROM lost
GROUP BY project
ORDER BY sessions DESC, calls DESC, project
