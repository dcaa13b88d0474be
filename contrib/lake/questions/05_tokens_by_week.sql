-- How many tokens does each project use in each week? Weeks begin on Monday, UTC.
SELECT project, CAST(date_trunc('week', day) AS DATE) AS week, count(DISTINCT session_id) AS sessions,
    sum(messages) AS messages, sum(input) AS input, sum(output) AS output,
    sum(cache_read) AS cache_read, sum(cache_creation) AS cache_creation
FROM tokens
GROUP BY project, CAST(date_trunc('week', day) AS DATE)
ORDER BY week DESC, output DESC, project
