-- Which tools take longest? Percentiles by nearest rank, as `ccsession stats` has them.
WITH counted AS (
    SELECT coalesce(tool, '?') AS tool, duration_ms, count(*) AS calls,
        CASE WHEN duration_ms IS NULL THEN 0 ELSE count(*) END AS timed
    FROM calls
    GROUP BY coalesce(tool, '?'), duration_ms
),
ranked AS (
    SELECT tool, duration_ms, calls, timed,
        sum(timed) OVER (PARTITION BY tool ORDER BY duration_ms NULLS FIRST
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS up_to,
        sum(timed) OVER (PARTITION BY tool) AS all_timed
    FROM counted
)
SELECT tool, sum(calls) AS calls,
    min(CASE WHEN timed > 0 AND up_to * 100 >= all_timed * 50 THEN duration_ms END) AS p50_ms,
    min(CASE WHEN timed > 0 AND up_to * 100 >= all_timed * 95 THEN duration_ms END) AS p95_ms,
    max(duration_ms) AS max_ms,
    coalesce(sum(timed * duration_ms), 0) AS total_ms
FROM ranked
GROUP BY tool
ORDER BY total_ms DESC, tool
