-- What do subagents cost, by type?
WITH parts AS (
    SELECT coalesce(agent_type, 'unknown') AS agent_type, session_id, agent_id, count(*) AS calls,
        sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed,
        coalesce(sum(duration_ms), 0) AS duration_ms, 0 AS messages, 0 AS input, 0 AS output,
        0 AS cache_read, 0 AS cache_creation
    FROM calls
    WHERE agent_id IS NOT NULL
    GROUP BY coalesce(agent_type, 'unknown'), session_id, agent_id
    UNION ALL
    SELECT coalesce(agent_type, 'unknown'), session_id, agent_id, 0, 0, 0, sum(messages), sum(input), sum(output),
        sum(cache_read), sum(cache_creation)
    FROM tokens
    WHERE agent_id IS NOT NULL
    GROUP BY coalesce(agent_type, 'unknown'), session_id, agent_id
),
agents AS (
    SELECT agent_type, session_id, agent_id, sum(calls) AS calls, sum(failed) AS failed, sum(duration_ms) AS duration_ms,
        sum(messages) AS messages, sum(input) AS input, sum(output) AS output, sum(cache_read) AS cache_read,
        sum(cache_creation) AS cache_creation
    FROM parts
    GROUP BY agent_type, session_id, agent_id
)
SELECT agent_type, count(*) AS agents, sum(calls) AS calls, sum(failed) AS failed, sum(duration_ms) AS duration_ms,
    sum(messages) AS messages, sum(input) AS input, sum(output) AS output, sum(cache_read) AS cache_read,
    sum(cache_creation) AS cache_creation
FROM agents
GROUP BY agent_type
ORDER BY output DESC, calls DESC, agent_type
