-- As of messages.
WITH ranked (tracking_id, rank) AS ({ranked})
INSERT INTO flow (number, tracking_id, key, rank, status_name, termination_channel, changed_at, hour)
SELECT min(0, coalesce((SELECT min(number) FROM message), 0), coalesce((SELECT min(number) FROM flow), 0),
           coalesce((SELECT min(number) FROM reply), 0))
           - row_number() OVER (ORDER BY old_flow.tracking_id),
       old_flow.tracking_id, x'', ranked.rank, status_name, termination_channel, changed_at,
       max(changed_at / 3600000, 1)
FROM ranked JOIN old_flow USING (tracking_id)
