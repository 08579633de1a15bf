-- A batch in one statement. A name in braces stands for the rows that the batch has for that table, or for the file of
-- that name; `commit.rs` puts them there. Of each message and flow there is its highest state.
--
-- The rows are sorted, and every table is locked in their order. One table is locked after the other, because each step
-- counts the rows of the one before. So receivers wait for each other, but never in a circle.
WITH {advanced_message},
marked AS MATERIALIZED (
    SELECT mark_steps(array_agg(tracking_id)) FROM newest_message
    WHERE is_step AND (SELECT count(*) FROM advanced_message) >= 0
),
newest_flow AS MATERIALIZED (
    SELECT * FROM {flow}
),
advanced_flow AS (
    INSERT INTO flow (tracking_id, rank, status_name, termination_channel, changed_at, overdue_at, hour)
    SELECT tracking_id, rank, status_name, termination_channel, received_at, overdue_at, hour FROM newest_flow
    WHERE (SELECT count(*) FROM advanced_message) >= 0 ORDER BY place
    ON CONFLICT (tracking_id) DO UPDATE
        SET rank = excluded.rank, status_name = excluded.status_name,
            termination_channel = excluded.termination_channel, changed_at = excluded.changed_at,
            overdue_at = excluded.overdue_at, was = jsonb_build_array(FALSE, left(flow.status_name, 100))
        WHERE excluded.rank > flow.rank
    RETURNING number, tracking_id, hour, left(status_name, 100) AS status, was
),
new_reply AS MATERIALIZED (
    SELECT * FROM {reply}
),
added_reply AS (
    INSERT INTO reply (idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at,
                       campaign, hour)
    SELECT idempotency_key, tracking_id, sender, recipient, message, media, sent_at, received_at, campaign, hour
    FROM new_reply
    WHERE (SELECT count(*) FROM advanced_flow) >= 0 ORDER BY place
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING number, idempotency_key
),
added_other AS (
    INSERT INTO other (digest, what, received_at, body)
    SELECT digest, what, received_at, body FROM {other}
    WHERE (SELECT count(*) FROM added_reply) >= 0 ORDER BY place
    ON CONFLICT (digest) DO NOTHING
    RETURNING what, received_at
),
counted_other AS (
    INSERT INTO tally_delta (hour, what, value, count, forgotten)
    SELECT greatest(received_at / 3600000, 1), 'other', left(what, 100), count(*), 0 FROM added_other GROUP BY 1, 3
),
added_unreadable AS (
    INSERT INTO unreadable (digest, reason, received_at, body)
    SELECT digest, reason, received_at, body FROM {unreadable}
    WHERE (SELECT count(*) FROM added_other) >= 0 ORDER BY place
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
),
changed AS MATERIALIZED (
    SELECT 'message' AS of, place, number AS about, received_at, kind, message.is_step, message.tracking_id,
           message.campaign, message.hour, status, message.reason, message.price, message.delivered_within,
           message.seen_within, was, anomalies, key, body
    FROM advanced_message AS message JOIN newest_message AS newest USING (tracking_id)
    UNION ALL
    SELECT 'flow', place, number, received_at, kind, FALSE, flow.tracking_id, NULL, flow.hour, status, NULL, NULL, NULL, NULL, was,
           anomalies, key, body
    FROM advanced_flow AS flow JOIN newest_flow AS newest USING (tracking_id)
    UNION ALL
    SELECT 'reply', place, number, received_at, kind, FALSE, tracking_id, campaign, hour, '', NULL, NULL, NULL, NULL, NULL,
           anomalies, key, body
    FROM added_reply JOIN new_reply USING (idempotency_key)
    WHERE (SELECT count(*) FROM added_unreadable) >= 0
),
{numbered}
SELECT array_agg(place) FILTER (WHERE of = 'message'), array_agg(place) FILTER (WHERE of = 'flow'),
       array_agg(place) FILTER (WHERE of = 'reply'), (SELECT count(*) FROM added_other), (SELECT count(*) FROM added_unreadable)
FROM changed WHERE (SELECT count(*) FROM marked) >= 0
