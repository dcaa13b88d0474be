-- On which machines do hooks miss something? What no hook saw is known from an import only.
SELECT ifNull(machine, 'unknown') AS host, count() AS sessions, countIf(state = 'imported') AS imported_sessions,
    sum(calls) AS all_calls, sum(imported_calls) AS unseen_calls,
    maxIf(last_activity, calls > imported_calls) AS hooks_last_seen
FROM ccsession.sessions FINAL
GROUP BY host
HAVING unseen_calls > 0 OR imported_sessions > 0
ORDER BY unseen_calls DESC, host
