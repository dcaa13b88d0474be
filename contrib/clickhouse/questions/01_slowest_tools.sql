-- Which tools take longest? Percentiles by nearest rank, as `ccsession stats` has them.
SELECT ifNull(tool, '?') AS name, count() AS calls,
    arrayElementOrNull(arraySort(groupArray(duration_ms)), toUInt64(ceil(count(duration_ms) * 50 / 100))) AS p50_ms,
    arrayElementOrNull(arraySort(groupArray(duration_ms)), toUInt64(ceil(count(duration_ms) * 95 / 100))) AS p95_ms,
    max(duration_ms) AS max_ms, ifNull(sum(duration_ms), 0) AS total_ms
FROM ccsession.calls FINAL
GROUP BY name
ORDER BY total_ms DESC, name
