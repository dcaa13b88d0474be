-- Who waits for permission, and which rule would have spared it? A rule is what `permissions.allow` takes.
SELECT coalesce(user_name, machine, 'unknown') AS person,
    if(tool = 'WebFetch' AND what IS NOT NULL, concat('WebFetch(domain:', what, ')'), ifNull(tool, '?')) AS rule,
    count() AS asked, countIf(state = 'denied') AS denied, sum(permission_ms) AS waited_ms, max(permission_ms) AS longest_ms
FROM ccsession.calls FINAL
WHERE permission_ms IS NOT NULL
GROUP BY person, rule
ORDER BY waited_ms DESC, person, rule
