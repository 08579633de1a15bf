WITH ranked (tracking_id, rank) AS ({ranked})
INSERT INTO message (tracking_id, rank, status_name, reason, changed_at, overdue_at, hour)
SELECT old_message.tracking_id, ranked.rank, status_name, reason, changed_at, overdue_at, greatest(changed_at / 3600000, 1)
FROM ranked JOIN old_message USING (tracking_id) ORDER BY old_message.tracking_id
