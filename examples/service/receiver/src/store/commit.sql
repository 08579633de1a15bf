-- A batch in one statement. Every table is locked in the order of its rows here, which are sorted, and the tables one
-- after the other, because each looks at the one before it: receivers wait for each other, but never in a circle.
WITH delivery AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bytea[])
        WITH ORDINALITY AS d (idempotency_key, kind, tracking_id, received_at, anomalies, body, place)
),
added AS (
    INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
    SELECT idempotency_key, kind, tracking_id, received_at, anomalies, body FROM delivery ORDER BY place
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING kind
),
newest AS MATERIALIZED (
    SELECT * FROM unnest($7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
                         $14::text[], $15::text[])
        WITH ORDINALITY AS m (tracking_id, rank, status_name, reason, status, changed_at, overdue_at,
                              idempotency_key, kind, place)
),
moved_message AS (
    INSERT INTO message (tracking_id, rank, status_name, reason, status, changed_at, overdue_at)
    SELECT tracking_id, rank, status_name, reason, status, changed_at, overdue_at FROM newest
    WHERE (SELECT count(*) FROM added) >= 0 ORDER BY place
    ON CONFLICT (tracking_id) DO UPDATE
        SET rank = excluded.rank, status_name = excluded.status_name, reason = excluded.reason,
            status = excluded.status, changed_at = excluded.changed_at,
            overdue_at = CASE WHEN message.overdue_at < excluded.overdue_at THEN message.overdue_at
                              ELSE excluded.overdue_at END
        WHERE excluded.rank > message.rank
    RETURNING tracking_id
),
newest_flow AS MATERIALIZED (
    SELECT * FROM unnest($16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::text[])
        WITH ORDINALITY AS f (tracking_id, rank, status_name, termination_channel, changed_at, idempotency_key, place)
),
moved_flow AS (
    INSERT INTO flow (tracking_id, rank, status_name, termination_channel, changed_at)
    SELECT tracking_id, rank, status_name, termination_channel, changed_at FROM newest_flow
    WHERE (SELECT count(*) FROM moved_message) >= 0 ORDER BY place
    ON CONFLICT (tracking_id) DO UPDATE
        SET rank = excluded.rank, status_name = excluded.status_name,
            termination_channel = excluded.termination_channel, changed_at = excluded.changed_at
        WHERE excluded.rank > flow.rank
    RETURNING tracking_id
),
replied AS (
    INSERT INTO reply
        (idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at)
    SELECT idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at
    FROM unnest($22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::bigint[],
                $29::bigint[])
        WITH ORDINALITY AS r (idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at,
                              received_at, place)
    WHERE (SELECT count(*) FROM moved_flow) >= 0 ORDER BY place
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING idempotency_key
),
added_other AS (
    INSERT INTO other (digest, what, received_at, body)
    SELECT digest, what, received_at, body
    FROM unnest($30::text[], $31::text[], $32::bigint[], $33::bytea[])
        WITH ORDINALITY AS o (digest, what, received_at, body, place)
    WHERE (SELECT count(*) FROM replied) >= 0 ORDER BY place
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
),
added_unreadable AS (
    INSERT INTO unreadable (digest, reason, received_at, body)
    SELECT digest, reason, received_at, body
    FROM unnest($34::text[], $35::text[], $36::bigint[], $37::bytea[])
        WITH ORDINALITY AS u (digest, reason, received_at, body, place)
    WHERE (SELECT count(*) FROM added_other) >= 0 ORDER BY place
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
),
changed AS MATERIALIZED (
    SELECT 'message' AS of, kind, idempotency_key FROM moved_message JOIN newest USING (tracking_id)
    UNION ALL
    SELECT 'flow', 'flow', idempotency_key FROM moved_flow JOIN newest_flow USING (tracking_id)
    UNION ALL
    SELECT 'reply', 'reply', idempotency_key FROM replied
),
-- Not an UPDATE: one that had to wait would be evaluated again, which this cannot be.
counter AS (
    INSERT INTO change_counter (one, number, purged)
    SELECT 1, count(*), 0 FROM changed
    WHERE (SELECT count(*) FROM added_unreadable) >= 0
    HAVING count(*) > 0
    ON CONFLICT (one) DO UPDATE SET number = change_counter.number + excluded.number
    RETURNING number
),
numbered AS (
    INSERT INTO change (number, kind, idempotency_key)
    SELECT counter.number - (SELECT count(*) FROM changed) + row_number() OVER (), changed.of, idempotency_key
    FROM changed, counter
)
SELECT kind, count(*), 0::bigint FROM added GROUP BY kind
UNION ALL
SELECT kind, 0, count(*) FROM changed GROUP BY kind
UNION ALL
SELECT 'other', count(*), count(*) FROM added_other
UNION ALL
SELECT 'unreadable', count(*), count(*) FROM added_unreadable
