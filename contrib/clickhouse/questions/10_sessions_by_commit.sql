-- Which session made which commit? The rule is that of `ccsession who`: the strongest evidence counts.
SELECT commit_id, committed_at, how, project, branch, machine, session_id, title, tool_use_id,
    multiIf(best = 3 AND ran = 1, 'certain', best = 3 AND named = 1, 'likely', best = 2 AND ran = 1, 'likely', 'possible') AS certainty
FROM (
    SELECT commit_id, `at` AS committed_at, how, project, branch, machine, session_id, title, tool_use_id,
        multiIf(evidence = 'named', 3, evidence = 'ran', 2, 1) AS strength,
        max(strength) OVER (PARTITION BY commit_id) AS best,
        countIf(strength >= 2) OVER (PARTITION BY commit_id) AS ran,
        countIf(strength = 3) OVER (PARTITION BY commit_id) AS named
    FROM ccsession.commits FINAL
)
WHERE strength = best
ORDER BY committed_at DESC, commit_id, session_id
LIMIT 1000
