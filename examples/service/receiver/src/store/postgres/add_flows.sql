WITH ranked (tracking_id, rank) AS ({ranked})
INSERT INTO flow (tracking_id, rank, status_name, termination_channel, changed_at, hour)
SELECT old_flow.tracking_id, ranked.rank, status_name, termination_channel, changed_at, greatest(changed_at / 3600000, 1)
FROM ranked JOIN old_flow USING (tracking_id) ORDER BY old_flow.tracking_id
