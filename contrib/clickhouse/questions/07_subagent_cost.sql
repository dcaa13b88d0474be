-- What do subagents cost, by type?
SELECT ifNull(agent_type, 'unknown') AS type, uniqExact(session_id, agent_id) AS agents, sum(call) AS calls, sum(has_failed) AS failed,
    sum(ms) AS all_ms, sum(said) AS all_messages, sum(tokens_in) AS all_input, sum(tokens_out) AS all_output,
    sum(tokens_read) AS all_cache_read, sum(tokens_created) AS all_cache_creation
FROM (
    SELECT agent_type, session_id, agent_id, 1 AS call, ifNull(state = 'failed', 0) AS has_failed, ifNull(duration_ms, 0) AS ms,
        0 AS said, 0 AS tokens_in, 0 AS tokens_out, 0 AS tokens_read, 0 AS tokens_created
    FROM ccsession.calls FINAL
    WHERE agent_id != ''
    UNION ALL
    SELECT agent_type, session_id, agent_id, 0 AS call, 0 AS has_failed, 0 AS ms,
        messages AS said, input AS tokens_in, output AS tokens_out, cache_read AS tokens_read, cache_creation AS tokens_created
    FROM ccsession.tokens FINAL
    WHERE agent_id != ''
)
GROUP BY type
ORDER BY all_output DESC, calls DESC, type
