-- At which hours of the day is most done? Hours are UTC.
WITH work AS (
    SELECT hour(started_at) AS hour_of_day, count(*) AS calls,
        sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed, 0 AS prompts
    FROM calls
    GROUP BY hour(started_at)
    UNION ALL
    SELECT hour(prompts.at), 0, 0, sum(CASE WHEN notification THEN 0 ELSE 1 END)
    FROM prompts
    GROUP BY hour(prompts.at)
)
SELECT hour_of_day, sum(calls) AS calls, sum(failed) AS failed, sum(prompts) AS prompts
FROM work
GROUP BY hour_of_day
ORDER BY hour_of_day
