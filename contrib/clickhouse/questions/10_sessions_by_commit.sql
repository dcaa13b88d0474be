-- Which session made which commit? The rule is that of `ccsession who`: the strongest evidence counts.
SELECT commit_id, committed_at, how, project, branch, machine, session_id, title, tool_use_id,
    multiIf(strength < best, 'possible', best = 5 AND candidates = 1, 'certain', best = 5 AND named = 1, 'likely',
        best IN (3, 4) AND ran = 1, 'likely', 'possible') AS certainty
FROM (
    SELECT commit_id, `at` AS committed_at, how, project, branch, machine, session_id, title, tool_use_id,
        multiIf(evidence = 'named', 5, evidence = 'ran', 4, evidence = 'command', 3, evidence = 'background', 2, 1) AS strength,
        max(strength) OVER (PARTITION BY commit_id) AS best,
        count() OVER (PARTITION BY commit_id) AS candidates,
        countIf(strength >= 3) OVER (PARTITION BY commit_id) AS ran,
        countIf(strength = 5) OVER (PARTITION BY commit_id) AS named
    FROM ccsession.commits FINAL
)
WHERE strength = best OR strength IN (1, 3)
ORDER BY committed_at DESC, commit_id, session_id
LIMIT 1000
