-- The old changes between two numbers, with what their deliveries have become. These are in `change` with numbers above
-- 2^62, or in `no_change`; or at another number already, if two old changes have become one delivery.
WITH old AS MATERIALIZED (
    SELECT number, old_change.kind,
           substring(sha256(convert_to(coalesce(now.key, idempotency_key), 'UTF8')) FOR 16) AS key
    FROM old_change
    LEFT JOIN LATERAL (
        SELECT key FROM renamed WHERE renamed.was = old_change.idempotency_key ORDER BY key DESC LIMIT 1
    ) AS now ON TRUE
    WHERE number > $1 AND number <= $2
),
gone AS (
    DELETE FROM change WHERE number > (1::bigint << 62) AND key IN (SELECT key FROM old)
),
gone_as_well AS (
    DELETE FROM no_change WHERE NOT is_variant AND key IN (SELECT key FROM old)
)
INSERT INTO change (number, about, received_at, kind, is_step, tracking_id, anomalies, key, body)
SELECT old.number, about, coalesce(received_at, 0),
       coalesce(kept.kind, CASE old.kind WHEN 'message' THEN 'status' ELSE old.kind END), coalesce(is_step, FALSE),
       tracking_id, anomalies, kept.key, body
FROM old
LEFT JOIN LATERAL (
    SELECT about, received_at, kind, is_step, tracking_id, anomalies, change.key, body FROM change
    WHERE change.key = old.key
    UNION ALL
    SELECT about, received_at, kind, is_step, no_change.tracking_id, anomalies, no_change.key, body
    FROM no_change LEFT JOIN message ON message.tracking_id = no_change.tracking_id AND message.number = about
    WHERE no_change.key = old.key AND NOT is_variant
    LIMIT 1
) AS kept ON TRUE
