-- Locks what the deliveries of `unmoved.sql` are about, in the order of `commit.sql`, so that nobody else adds deliveries
-- about these meanwhile.
SELECT (SELECT count(*) FROM (SELECT FROM message WHERE tracking_id = ANY ($1::_text) ORDER BY tracking_id
                              FOR NO KEY UPDATE) AS locked),
       (SELECT count(*) FROM (SELECT FROM flow WHERE tracking_id = ANY ($2::_text) ORDER BY tracking_id
                              FOR NO KEY UPDATE) AS locked),
       (SELECT count(*) FROM (SELECT FROM reply WHERE idempotency_key = ANY ($3::_text) ORDER BY idempotency_key
                              FOR NO KEY UPDATE) AS locked)
