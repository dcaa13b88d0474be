-- Which work was abandoned in each project: sessions without an end, turns that were interrupted, calls that never came back?
SELECT project, sum(session) AS sessions, sum(turn) AS turns, sum(call) AS calls, sum(tokens_of_it) AS output_tokens_of_sessions,
    sum(ms) AS lost_ms
FROM (
    SELECT project, 1 AS session, 0 AS turn, 0 AS call, ifNull(output, 0) AS tokens_of_it, 0 AS ms
    FROM ccsession.sessions FINAL
    WHERE state = 'abandoned'
    UNION ALL
    SELECT project, 0 AS session, 1 AS turn, 0 AS call, 0 AS tokens_of_it, ifNull(duration_ms, 0) AS ms
    FROM ccsession.prompts FINAL
    WHERE `end` = 'interrupted'
    UNION ALL
    SELECT project, 0 AS session, 0 AS turn, 1 AS call, 0 AS tokens_of_it, ifNull(elapsed_ms, 0) AS ms
    FROM ccsession.calls FINAL
    WHERE state = 'abandoned'
)
GROUP BY project
ORDER BY sessions DESC, calls DESC, project
