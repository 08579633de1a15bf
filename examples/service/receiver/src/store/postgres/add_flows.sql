WITH ranked (tracking_id, rank) AS ({ranked})
INSERT INTO flow (tracking_id, rank, status_name, termination_channel, changed_at)
SELECT old_flow.tracking_id, ranked.rank, status_name, termination_channel, changed_at
FROM ranked JOIN old_flow USING (tracking_id) ORDER BY old_flow.tracking_id
