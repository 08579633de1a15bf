-- The old changes between two numbers, with what their deliveries have become.
INSERT INTO change (number, kind, idempotency_key)
SELECT number, coalesce(now.kind, old_change.kind), coalesce(now.key, idempotency_key)
FROM old_change
LEFT JOIN LATERAL (
    SELECT kind, key FROM renamed WHERE renamed.was = old_change.idempotency_key ORDER BY key DESC LIMIT 1
) AS now ON TRUE
WHERE number > $1 AND number <= $2
