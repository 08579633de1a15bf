-- A batch in which every delivery is about a message outside of flows, as nearly all are: `commit.sql` without the rest.
WITH {advanced_message},
changed AS MATERIALIZED (
    SELECT place, number AS about, received_at, kind, message.is_step, message.tracking_id, message.campaign, message.hour,
           status, message.reason, message.price, message.delivered_within, message.seen_within, was, anomalies, key, body
    FROM advanced_message AS message JOIN newest_message AS newest USING (tracking_id)
),
{numbered}
SELECT array_agg(place), NULL::bigint[], NULL::bigint[], 0::bigint, 0::bigint FROM changed
