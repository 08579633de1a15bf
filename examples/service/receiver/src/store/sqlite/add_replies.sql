-- As of messages.
INSERT INTO reply
    (number, idempotency_key, key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at, hour)
SELECT min(0, coalesce((SELECT min(number) FROM message), 0), coalesce((SELECT min(number) FROM flow), 0),
           coalesce((SELECT min(number) FROM reply), 0))
           - row_number() OVER (ORDER BY idempotency_key),
       idempotency_key, x'', reference_tracking_id, sender, recipient, message, media, sent_at, received_at,
       max(coalesce(sent_at, received_at) / 3600000, 1)
FROM old_reply
WHERE idempotency_key {after} $1 AND idempotency_key <= $2
  AND NOT EXISTS (SELECT 1 FROM old_history WHERE old_history.idempotency_key = old_reply.idempotency_key)
