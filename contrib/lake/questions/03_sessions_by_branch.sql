-- On which branches do sessions work? A session counts on each branch on which it made a call or had a prompt.
WITH work AS (
    SELECT project, branch, session_id, count(*) AS calls,
        sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed, 0 AS prompts
    FROM calls
    GROUP BY project, branch, session_id
    UNION ALL
    SELECT project, branch, session_id, 0 AS calls, 0 AS failed,
        sum(CASE WHEN notification THEN 0 ELSE 1 END) AS prompts
    FROM prompts
    GROUP BY project, branch, session_id
),
sums AS (
    SELECT project, branch, session_id, sum(calls) AS calls, sum(failed) AS failed, sum(prompts) AS prompts
    FROM work
    GROUP BY project, branch, session_id
)
SELECT project, coalesce(branch, 'unknown') AS branch, count(*) AS sessions, sum(prompts) AS prompts,
    sum(calls) AS calls, sum(failed) AS failed
FROM sums
GROUP BY project, coalesce(branch, 'unknown')
ORDER BY sessions DESC, project, branch
