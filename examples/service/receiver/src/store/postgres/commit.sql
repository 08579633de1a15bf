-- A batch in one statement. A name in braces stands for the rows that the batch has for that table; `commit.rs` puts
-- them there.
--
-- The rows are sorted, and every table is locked in their order. One table is locked after the other, because each step
-- counts the rows of the one before. So receivers wait for each other, but never in a circle.
WITH delivery AS MATERIALIZED (
    SELECT * FROM {delivery}
),
added AS (
    INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
    SELECT idempotency_key, kind, tracking_id, received_at, anomalies, body FROM delivery ORDER BY place
    ON CONFLICT (idempotency_key, digest) DO NOTHING
    RETURNING kind, idempotency_key
),
newest AS MATERIALIZED (
    SELECT * FROM {message}
),
advanced_message AS (
    INSERT INTO message (tracking_id, rank, status_name, reason, changed_at, overdue_at)
    SELECT tracking_id, rank, status_name, reason, changed_at, overdue_at FROM newest
    WHERE (SELECT count(*) FROM added) >= 0 ORDER BY place
    ON CONFLICT (tracking_id) DO UPDATE
        SET rank = excluded.rank, status_name = excluded.status_name, reason = excluded.reason,
            changed_at = excluded.changed_at,
            overdue_at = CASE WHEN message.overdue_at < excluded.overdue_at THEN message.overdue_at
                              ELSE excluded.overdue_at END
        WHERE excluded.rank > message.rank
    RETURNING tracking_id
),
newest_flow AS MATERIALIZED (
    SELECT * FROM {flow}
),
advanced_flow AS (
    INSERT INTO flow (tracking_id, rank, status_name, termination_channel, changed_at, overdue_at)
    SELECT tracking_id, rank, status_name, termination_channel, changed_at, overdue_at FROM newest_flow
    WHERE (SELECT count(*) FROM advanced_message) >= 0 ORDER BY place
    ON CONFLICT (tracking_id) DO UPDATE
        SET rank = excluded.rank, status_name = excluded.status_name,
            termination_channel = excluded.termination_channel, changed_at = excluded.changed_at,
            overdue_at = excluded.overdue_at
        WHERE excluded.rank > flow.rank
    RETURNING tracking_id
),
added_reply AS (
    INSERT INTO reply
        (idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at)
    SELECT idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at
    FROM {reply}
    WHERE (SELECT count(*) FROM advanced_flow) >= 0 ORDER BY place
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING idempotency_key
),
added_other AS (
    INSERT INTO other (digest, what, received_at, body)
    SELECT digest, what, received_at, body FROM {other}
    WHERE (SELECT count(*) FROM added_reply) >= 0 ORDER BY place
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
),
added_unreadable AS (
    INSERT INTO unreadable (digest, reason, received_at, body)
    SELECT digest, reason, received_at, body FROM {unreadable}
    WHERE (SELECT count(*) FROM added_other) >= 0 ORDER BY place
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
),
changed AS MATERIALIZED (
    SELECT 'message' AS of, kind, idempotency_key FROM advanced_message JOIN newest USING (tracking_id)
    UNION ALL
    SELECT 'flow', kind, idempotency_key FROM advanced_flow JOIN newest_flow USING (tracking_id)
    UNION ALL
    SELECT 'reply', 'reply', idempotency_key FROM added_reply
),
-- An INSERT and not an UPDATE: an UPDATE that had to wait for a lock would be evaluated again, which this cannot be.
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
SELECT kind, count(*), 0::bigint, NULL::bigint FROM added GROUP BY kind
UNION ALL
SELECT kind, 0, count(*), NULL FROM changed GROUP BY kind
UNION ALL
SELECT 'other', count(*), count(*), NULL FROM added_other
UNION ALL
SELECT 'unreadable', count(*), count(*), NULL FROM added_unreadable
UNION ALL
-- Those whose key was there. Whether with the same bytes, only the next statement can see: this one does not see what
-- others have committed since it began.
SELECT kind, 0, 0, place FROM delivery WHERE idempotency_key NOT IN (SELECT idempotency_key FROM added)
