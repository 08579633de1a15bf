-- No change is left of them, so that their numbers are negative.
WITH ranked (tracking_id, rank) AS ({ranked})
INSERT INTO message (number, tracking_id, key, rank, status_name, reason, changed_at, overdue_at, hour)
SELECT min(0, coalesce((SELECT min(number) FROM message), 0), coalesce((SELECT min(number) FROM flow), 0),
           coalesce((SELECT min(number) FROM reply), 0))
           - row_number() OVER (ORDER BY old_message.tracking_id),
       old_message.tracking_id, x'', unhex(ranked.rank), status_name, reason, changed_at, overdue_at,
       max(changed_at / 3600000, 1)
FROM ranked JOIN old_message USING (tracking_id)
