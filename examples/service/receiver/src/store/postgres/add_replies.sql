INSERT INTO reply (idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at,
                   hour)
SELECT idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at,
       greatest(coalesce(sent_at, received_at) / 3600000, 1) FROM old_reply
WHERE idempotency_key {after} $1 AND idempotency_key <= $2
  AND NOT EXISTS (SELECT 1 FROM old_history WHERE old_history.idempotency_key = old_reply.idempotency_key)
ORDER BY idempotency_key
