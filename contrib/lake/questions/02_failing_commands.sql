-- Which commands fail most in each repository? A command is a tool and its label.
WITH failing AS (
    SELECT project, coalesce(tool, '?') AS tool, coalesce(what, '') AS what, count(*) AS failed
    FROM calls
    WHERE state = 'failed'
    GROUP BY project, coalesce(tool, '?'), coalesce(what, '')
    ORDER BY failed DESC, project, tool, what
    LIMIT 100
)
SELECT failing.project, failing.tool, failing.what, failing.failed, count(*) AS calls
FROM calls
JOIN failing ON calls.project = failing.project AND coalesce(calls.tool, '?') = failing.tool
    AND coalesce(calls.what, '') = failing.what
GROUP BY failing.project, failing.tool, failing.what, failing.failed
ORDER BY failing.failed DESC, failing.project, failing.tool, failing.what
