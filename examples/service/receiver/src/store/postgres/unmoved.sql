-- The deliveries that moved nothing. It runs after `commit.sql`, and a statement after `lock.sql`, so that it sees everything
-- that there is about what they are about. `id` is the key of a reply, and otherwise the tracking id.
WITH delivery AS MATERIALIZED (
    SELECT given_delivery.*, coalesce(message.number, flow.number, reply.number) AS about
    FROM {delivery}
    LEFT JOIN message ON of = 'message' AND message.tracking_id = id
    LEFT JOIN flow ON of = 'flow' AND flow.tracking_id = id
    LEFT JOIN reply ON of = 'reply' AND reply.idempotency_key = id
),
-- A key may have come before, in this batch, with what moved something, or with what did not.
known AS MATERIALIZED (
    SELECT delivery.*,
           row_number() OVER (PARTITION BY about, key ORDER BY place) > 1 OR first.body IS NOT NULL OR EXISTS (
               SELECT FROM no_change WHERE no_change.about = delivery.about AND no_change.key = delivery.key OFFSET 0)
               AS is_known,
           first.body IS NOT DISTINCT FROM delivery.body AS is_first
    FROM delivery LEFT JOIN LATERAL (
        SELECT body FROM change WHERE change.about = delivery.about AND change.key = delivery.key LIMIT 1
    ) AS first ON TRUE
),
kept AS (
    INSERT INTO no_change (about, key, digest, is_variant, received_at, kind, tracking_id, anomalies, body)
    SELECT about, key, digest, is_known, received_at, kind, tracking_id, anomalies, body FROM known
    WHERE NOT is_known OR kind NOT IN ('tracked', 'tracked_flow') AND NOT is_first
    ORDER BY place
    ON CONFLICT (about, key, digest) DO NOTHING
    RETURNING kind, is_variant
),
-- What such a delivery alone says of its message, such as when it was delivered. Of several, the newest counts.
said AS (
    SELECT tracking_id,
           (array_agg(campaign ORDER BY rank DESC, place) FILTER (WHERE campaign IS NOT NULL))[1] AS campaign,
           (array_agg(price ORDER BY rank DESC, place) FILTER (WHERE price IS NOT NULL))[1] AS price,
           max(rank) FILTER (WHERE price IS NOT NULL) AS price_rank,
           (array_agg(delivered_within ORDER BY rank DESC, place) FILTER (WHERE delivered_within IS NOT NULL))[1]
               AS delivered_within,
           (array_agg(seen_within ORDER BY rank DESC, place) FILTER (WHERE seen_within IS NOT NULL))[1] AS seen_within
    FROM known WHERE of = 'message' AND NOT is_known GROUP BY tracking_id
),
lacking AS MATERIALIZED (
    SELECT message.tracking_id, hour, left(status_name, 100) AS status, counted_reason(status_name, reason) AS reason,
           message.campaign, message.price, message.delivered_within, message.seen_within,
           coalesce(message.campaign, said.campaign) AS new_campaign, is_newer, said.price_rank,
           CASE WHEN is_newer THEN said.price ELSE message.price END AS new_price,
           coalesce(message.delivered_within, said.delivered_within) AS new_delivered,
           coalesce(message.seen_within, said.seen_within) AS new_seen
    FROM message JOIN said USING (tracking_id) CROSS JOIN LATERAL (
        SELECT said.price IS NOT NULL AND (message.price IS NULL OR message.price_rank < said.price_rank) AS is_newer
    ) AS price
    WHERE message.campaign IS NULL AND said.campaign IS NOT NULL
       OR is_newer
       OR message.delivered_within IS NULL AND said.delivered_within IS NOT NULL
       OR message.seen_within IS NULL AND said.seen_within IS NOT NULL
),
completed AS (
    UPDATE message SET campaign = new_campaign, price = new_price,
                       price_rank = CASE WHEN is_newer THEN lacking.price_rank ELSE message.price_rank END,
                       delivered_within = new_delivered, seen_within = new_seen
    FROM lacking WHERE lacking.tracking_id = message.tracking_id
),
counted AS (
    INSERT INTO tally_delta (campaign, hour, what, value, count, forgotten)
    SELECT coalesce(each.campaign, ''), hour, what, value, sum(count), 0
    FROM lacking CROSS JOIN LATERAL (VALUES
        (1, new_campaign, 'status', status), (1, new_campaign, 'reason', reason), (1, new_campaign, 'price', new_price),
        (1, new_campaign, 'delivered', new_delivered::text), (1, new_campaign, 'seen', new_seen::text),
        (-1, campaign, 'status', status), (-1, campaign, 'reason', reason), (-1, campaign, 'price', price),
        (-1, campaign, 'delivered', delivered_within::text), (-1, campaign, 'seen', seen_within::text)
    ) AS each (count, campaign, what, value)
    WHERE value IS NOT NULL GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0
)
SELECT kind, is_variant FROM kept
