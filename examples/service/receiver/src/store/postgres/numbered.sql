-- An INSERT and not an UPDATE: an UPDATE that had to wait for a lock would be evaluated again, which this cannot be.
counter AS (
    INSERT INTO change_counter (one, number)
    SELECT 1, count(*) FROM changed HAVING count(*) > 0
    ON CONFLICT (one) DO UPDATE SET number = change_counter.number + excluded.number
    RETURNING number
),
numbered AS (
    INSERT INTO change (number, about, received_at, kind, is_step, tracking_id, campaign, hour, status, reason, price,
                        delivered_within, seen_within, was, anomalies, key, body)
    SELECT counter.number - count(*) OVER () + row_number() OVER (), about, received_at, kind, is_step, tracking_id,
           campaign, hour, status, reason, price, delivered_within, seen_within, was, anomalies, key, body
    FROM changed, counter
)