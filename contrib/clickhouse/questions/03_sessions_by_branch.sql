-- On which branches do sessions work? A session counts on each branch on which it made a call or had a prompt.
SELECT project, ifNull(branch, 'unknown') AS on_branch, uniqExact(session_id) AS sessions, sum(prompted) AS prompts,
    sum(called) AS calls, sum(has_failed) AS failed
FROM (
    SELECT project, branch, session_id, 0 AS prompted, 1 AS called, ifNull(state = 'failed', 0) AS has_failed
    FROM ccsession.calls FINAL
    UNION ALL
    SELECT project, branch, session_id, if(notification, 0, 1) AS prompted, 0 AS called, 0 AS has_failed
    FROM ccsession.prompts FINAL
)
GROUP BY project, on_branch
ORDER BY sessions DESC, project, on_branch
