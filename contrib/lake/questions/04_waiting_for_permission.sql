-- Who waits for permission, and which rule would have spared it? A rule is what `permissions.allow` takes.
WITH asked AS (
    SELECT coalesce(user_name, machine, 'unknown') AS person,
        CASE WHEN tool = 'WebFetch' AND what IS NOT NULL THEN concat('WebFetch(domain:', what, ')')
            ELSE coalesce(tool, '?') END AS rule,
        state, permission_ms
    FROM calls
    WHERE permission_ms IS NOT NULL
)
SELECT person, rule, count(*) AS asked,
    sum(CASE WHEN state = 'denied' THEN 1 ELSE 0 END) AS denied,
    sum(permission_ms) AS waited_ms, max(permission_ms) AS longest_ms
FROM asked
GROUP BY person, rule
ORDER BY waited_ms DESC, person, rule
