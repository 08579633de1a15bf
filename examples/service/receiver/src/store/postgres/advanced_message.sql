newest_message AS MATERIALIZED (
    SELECT * FROM {message}
),
advanced_message AS (
    INSERT INTO message
        (tracking_id, is_step, rank, status_name, reason, changed_at, overdue_at, campaign, hour, price, delivered_within,
         seen_within)
    SELECT tracking_id, is_step, rank, status_name, reason, received_at, overdue_at, campaign, hour, price,
           delivered_within, seen_within
    FROM newest_message ORDER BY place
    ON CONFLICT (tracking_id) DO UPDATE
        SET is_step = message.is_step OR excluded.is_step, rank = excluded.rank, status_name = excluded.status_name,
            reason = excluded.reason, changed_at = excluded.changed_at,
            overdue_at = CASE WHEN message.overdue_at < excluded.overdue_at THEN message.overdue_at
                              ELSE excluded.overdue_at END,
            campaign = coalesce(message.campaign, excluded.campaign), price = coalesce(excluded.price, message.price),
            price_rank = CASE WHEN excluded.price IS NULL AND message.price IS NOT NULL
                              THEN coalesce(message.price_rank, message.rank) END,
            delivered_within = coalesce(message.delivered_within, excluded.delivered_within),
            seen_within = coalesce(message.seen_within, excluded.seen_within),
            was = jsonb_build_array(message.campaign IS NOT NULL, left(message.status_name, 100),
                                    counted_reason(message.status_name, message.reason), message.price,
                                    message.delivered_within, message.seen_within)
        WHERE excluded.rank > message.rank
    RETURNING number, tracking_id, is_step, campaign, hour, left(status_name, 100) AS status,
              counted_reason(status_name, reason) AS reason, price, delivered_within, seen_within, was
)