-- How many tokens does each project use in each week? Weeks begin on Monday, UTC.
SELECT project, toMonday(day) AS week, uniqExact(session_id) AS sessions, sum(messages) AS all_messages, sum(input) AS all_input,
    sum(output) AS all_output, sum(cache_read) AS all_cache_read, sum(cache_creation) AS all_cache_creation
FROM ccsession.tokens FINAL
GROUP BY project, week
ORDER BY week DESC, all_output DESC, project
