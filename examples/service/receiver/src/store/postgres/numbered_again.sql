-- What has no number of its own is nothing new.
WITH gone AS (
    DELETE FROM change WHERE number > (1::bigint << 62) RETURNING *
)
INSERT INTO no_change (about, key, digest, is_variant, received_at, kind, tracking_id, anomalies, body)
SELECT about, key, substring(sha256(body) FOR 16), FALSE, received_at, kind, tracking_id, anomalies, body FROM gone;
DROP INDEX change_key, no_change_key;

-- Everything is counted at once, and no change again.
DELETE FROM tally_delta;
INSERT INTO tally_delta (campaign, hour, what, value, count, forgotten)
SELECT campaign, hour, what, value, count(*), 0 FROM fact() GROUP BY 1, 2, 3, 4;
UPDATE counted SET number = change_counter.number FROM change_counter;
