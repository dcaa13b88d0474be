-- Which commands fail most in each repository? A command is a tool and its label.
SELECT project, ifNull(tool, '?') AS name, ifNull(what, '') AS label, countIf(state = 'failed') AS failed, count() AS calls
FROM ccsession.calls FINAL
GROUP BY project, name, label
HAVING failed > 0
ORDER BY failed DESC, project, name, label
LIMIT 100
