-- What has the key of another delivery and other bytes is kept beside that. It runs after `commit.sql`, which has kept the
-- first delivery of each key.
INSERT INTO history (idempotency_key, digest, kind, tracking_id, received_at, anomalies, body)
SELECT idempotency_key, digest, kind, tracking_id, received_at, anomalies, body FROM {delivery}
WHERE body IS DISTINCT FROM (
    SELECT first.body FROM history AS first
    WHERE first.idempotency_key = given_delivery.idempotency_key AND first.digest = ''
)
ORDER BY place
ON CONFLICT (idempotency_key, digest) DO NOTHING
RETURNING kind
