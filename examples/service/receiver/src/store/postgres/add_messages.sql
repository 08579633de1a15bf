WITH ranked (tracking_id, rank) AS ({ranked})
INSERT INTO message (tracking_id, rank, status_name, reason, changed_at, overdue_at)
SELECT old_message.tracking_id, ranked.rank, status_name, reason, changed_at, overdue_at
FROM ranked JOIN old_message USING (tracking_id) ORDER BY old_message.tracking_id
