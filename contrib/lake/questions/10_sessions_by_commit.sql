-- Which session made which commit? The rule is that of `ccsession who`: the strongest evidence counts.
WITH ranked AS (
    SELECT commit_id, commits.at AS committed_at, how, project, branch, machine, session_id, title, tool_use_id,
        CASE evidence WHEN 'named' THEN 5 WHEN 'ran' THEN 4 WHEN 'command' THEN 3 WHEN 'background' THEN 2 ELSE 1 END AS strength
    FROM commits
),
compared AS (
    SELECT commit_id, committed_at, how, project, branch, machine, session_id, title, tool_use_id, strength,
        max(strength) OVER (PARTITION BY commit_id) AS best,
        count(*) OVER (PARTITION BY commit_id) AS candidates,
        sum(CASE WHEN strength >= 3 THEN 1 ELSE 0 END) OVER (PARTITION BY commit_id) AS ran,
        sum(CASE WHEN strength = 5 THEN 1 ELSE 0 END) OVER (PARTITION BY commit_id) AS named
    FROM ranked
)
SELECT commit_id, committed_at, how, project, branch, machine, session_id, title, tool_use_id,
    CASE WHEN strength < best THEN 'possible'
        WHEN best = 5 AND candidates = 1 THEN 'certain'
        WHEN best = 5 AND named = 1 THEN 'likely'
        WHEN best IN (3, 4) AND ran = 1 THEN 'likely'
        ELSE 'possible' END AS certainty
FROM compared
WHERE strength = best OR strength IN (1, 3)
ORDER BY committed_at DESC, commit_id, session_id
LIMIT 1000
