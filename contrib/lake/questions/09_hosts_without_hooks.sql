-- On which machines do hooks miss something? What no hook saw is known from an import only.
WITH machines AS (
    SELECT coalesce(machine, 'unknown') AS machine, count(*) AS sessions,
        sum(CASE WHEN state = 'imported' THEN 1 ELSE 0 END) AS imported_sessions,
        sum(calls) AS all_calls, sum(imported_calls) AS unseen_calls,
        max(CASE WHEN calls > imported_calls THEN last_activity END) AS hooks_last_seen
    FROM sessions
    GROUP BY coalesce(machine, 'unknown')
)
SELECT machine, sessions, imported_sessions, all_calls, unseen_calls, hooks_last_seen
FROM machines
WHERE unseen_calls > 0 OR imported_sessions > 0
ORDER BY unseen_calls DESC, machine
