-- At which hours of the day is most done? Hours are UTC.
SELECT hour_of_day, sum(call) AS calls, sum(has_failed) AS failed, sum(prompted) AS prompts
FROM (
    SELECT toHour(started_at) AS hour_of_day, 1 AS call, ifNull(state = 'failed', 0) AS has_failed, 0 AS prompted
    FROM ccsession.calls FINAL
    UNION ALL
    SELECT toHour(`at`) AS hour_of_day, 0 AS call, 0 AS has_failed, if(notification, 0, 1) AS prompted
    FROM ccsession.prompts FINAL
)
GROUP BY hour_of_day
ORDER BY hour_of_day
